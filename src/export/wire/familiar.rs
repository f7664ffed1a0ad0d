//! Texts of numbers that come again and again: the bounds of buckets. A service has a few hundred of them, and writes
//! each thousands of times a minute; to make the shortest text of a float takes ten times as long as to copy it.

use super::number::{ROOM, Room};

/// Writes floats, and remembers the texts of the latest: about 48 kB, once there is the first.
#[derive(Debug)]
pub(crate) struct Familiar {
    /// Writes a number that is not remembered.
    write: fn(&mut Room, f64) -> usize,
    /// None, or [`SLOTS`].
    slots: Vec<Slot>,
}

/// A number and its text, which is empty if there is no number yet.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    bits: u64,
    length: usize,
    text: [u8; ROOM],
}

const SLOTS: usize = 1 << 10;

impl Familiar {
    /// With texts as `write` makes them.
    pub(crate) const fn of(write: fn(&mut Room, f64) -> usize) -> Self {
        Self { write, slots: Vec::new() }
    }

    /// Appends `value`.
    pub(crate) fn put(&mut self, out: &mut Vec<u8>, value: f64) {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Slot::default());
        }
        let bits = value.to_bits();
        let slot = &mut self.slots[place_of(bits)];
        if slot.bits != bits || slot.length == 0 {
            slot.length = (self.write)(&mut slot.text, value);
            slot.bits = bits;
        }
        // A copy of a fixed length is a few instructions.
        let end = out.len() + slot.length;
        out.extend_from_slice(&slot.text);
        out.truncate(end);
    }
}

/// Fibonacci hashing (Knuth, "The Art of Computer Programming", volume 3, 6.4): bounds differ in all bits of a float.
fn place_of(bits: u64) -> usize {
    (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOTS.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::export::wire::number::{put_canonical, put_f64};

    proptest! {
        #[test]
        fn a_number_has_the_same_text_at_first_and_again(
            bits in prop::collection::vec(any::<u64>(), 1..3_000),
        ) {
            let mut familiar = [Familiar::of(put_f64), Familiar::of(put_canonical)];
            let few = bits.iter().map(|bits| bits % 7);
            for bits in bits.iter().copied().chain(bits.iter().copied()).chain(few) {
                let value = f64::from_bits(bits);
                for (familiar, write) in familiar.iter_mut().zip([put_f64, put_canonical]) {
                    let (mut room, mut out) = (Room::default(), b"[".to_vec());
                    let length = write(&mut room, value);
                    familiar.put(&mut out, value);
                    prop_assert_eq!(&out[1..], &room[..length]);
                }
            }
        }
    }
}
