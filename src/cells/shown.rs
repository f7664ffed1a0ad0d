//! Which series are shown although they may hold nothing: a bit for each.

use crate::sync::modelled::{AtomicU64, Mutex, Ordering::Relaxed};

/// The bits that there are: what a thread-local holds.
pub(crate) type Bits = &'static [AtomicU64];

/// The bits of all series of one kind. The lock guards writing, and which slice is the newest; nothing
/// is locked inside it.
#[derive(Debug)]
pub(crate) struct Shown(Mutex<Slices>);

#[derive(Debug)]
struct Slices {
    newest: Bits,
    /// Those that were too short: somebody may be reading them. Each is at most half of the next one.
    outgrown: Vec<Bits>,
}

/// Whether the bit of `id` is set; of ids that are none, it never is.
#[inline(always)]
pub(crate) fn is_set(bits: Bits, id: u64) -> bool {
    bits.get((id / 64) as usize).is_some_and(|word| word.load(Relaxed) >> (id % 64) & 1 == 1)
}

impl Shown {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Slices { newest: &[], outgrown: Vec::new() }))
    }

    /// The newest slice. In an older one a bit may be missing, but none is set that is not.
    pub(crate) fn bits(&self) -> Bits {
        self.0.lock().newest
    }

    pub(crate) fn set(&self, id: u32) {
        let mut slices = self.0.lock();
        let place = (id / 64) as usize;
        if place >= slices.newest.len() {
            let newest = grown(slices.newest, (place + 1).next_power_of_two());
            let outgrown = std::mem::replace(&mut slices.newest, newest);
            slices.outgrown.push(outgrown);
        }
        // Stored whole: only this lock's holder writes.
        let word = &slices.newest[place];
        word.store(word.load(Relaxed) | 1 << (id % 64), Relaxed);
    }

    /// Takes the bit of `id` back, in the slices that older copies lead to as well.
    pub(crate) fn clear(&self, id: u32) {
        let slices = self.0.lock();
        for bits in slices.all() {
            if let Some(word) = bits.get((id / 64) as usize) {
                word.store(word.load(Relaxed) & !(1 << (id % 64)), Relaxed);
            }
        }
    }

    /// Takes all bits back.
    pub(crate) fn reset(&self) {
        let slices = self.0.lock();
        slices.all().flatten().for_each(|word| word.store(0, Relaxed));
    }
}

impl Slices {
    fn all(&self) -> impl Iterator<Item = Bits> {
        self.outgrown.iter().copied().chain([self.newest])
    }
}

/// The bits in a slice of `len` words.
fn grown(bits: Bits, len: usize) -> Bits {
    let old = bits.iter().map(|word| word.load(Relaxed)).chain(std::iter::repeat(0));
    Box::leak(old.take(len).map(AtomicU64::new).collect())
}

#[cfg(all(test, not(bellwether_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_bit_that_is_taken_back_is_gone_from_outgrown_slices_too() {
        let shown = Shown::new();
        shown.set(3);
        shown.set(63);
        let early = shown.bits();
        shown.set(100_000);
        let are_set = |bits| [3, 63, 64, 100_000].map(|id| is_set(bits, id));
        assert_eq!(are_set(early), [true, true, false, false]);
        assert_eq!(are_set(shown.bits()), [true, true, false, true]);
        shown.clear(3);
        assert_eq!(are_set(early), [false, true, false, false]);
        assert_eq!(are_set(shown.bits()), [false, true, false, true]);
        shown.reset();
        assert_eq!((are_set(early), are_set(shown.bits())), ([false; 4], [false; 4]));
    }

    #[test]
    fn the_ids_of_what_is_not_registered_are_never_shown() {
        let shown = Shown::new();
        (0..1000).for_each(|id| shown.set(id));
        assert!((0..70_000).all(|place| !is_set(shown.bits(), u64::from(u32::MAX - 1) + place)));
    }
}
