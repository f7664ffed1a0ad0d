//! A growable array of cells that its owner extends while others read it, without `unsafe`.

use super::budget::Room;
use crate::sync::modelled::{Mutex, OnceRef};

/// Cells in a chunk: 64 sums are 512 bytes, and a thread that touches one pays for no more.
#[cfg(not(any(miri, bellwether_loom)))]
pub(crate) const CHUNK: usize = 64;
/// Small, so that models and miri cross chunks.
#[cfg(any(miri, bellwether_loom))]
pub(crate) const CHUNK: usize = 2;

/// The chunks that there are: what a thread-local holds and a reader walks.
pub(crate) type Slots<T> = &'static [OnceRef<'static, Chunk<T>>];

/// Neighbouring cells. 128 bytes: processors fetch cache lines in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Chunk<T: 'static> {
    cells: [T; CHUNK],
}

/// A cell that can be made, and made as it was.
pub(crate) trait Fresh {
    /// A cell as it is before anything was recorded.
    fn fresh() -> Self;

    /// Makes it as [`fresh`](Self::fresh), by whoever knows that nobody writes it or reads it.
    fn reset(&self);
}

/// The cell of `id`, if its chunk is there.
#[inline(always)]
pub(crate) fn slot<T>(slots: Slots<T>, id: u32) -> Option<&'static T> {
    let id = id as usize;
    let chunk = slots.get(id / CHUNK)?.get()?;
    Some(&chunk.cells[id % CHUNK])
}

/// The chunks of one table. Its lock guards which slice is the newest; none is taken inside it.
#[derive(Debug)]
pub(crate) struct Directory<T: 'static>(Mutex<Slots<T>>);

impl<T: Fresh> Directory<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(&[]))
    }

    /// The newest slice. Older copies of it stay valid, but are shorter.
    pub(crate) fn slots(&self) -> Slots<T> {
        *self.0.lock()
    }

    /// The cell of `id`, made if it was not there; `None` if there is no room for its chunk.
    ///
    /// Chunks and outgrown slices are leaked: somebody may be reading them. As a slice doubles, all
    /// outgrown ones together are smaller than the newest, at 8 bytes for 64 cells.
    pub(crate) fn reserve(&self, id: u32, room: Room<'_>) -> Option<&'static T> {
        let mut slots = self.0.lock();
        if let Some(cell) = slot(*slots, id) {
            return Some(cell);
        }
        if !room.take_for::<Chunk<T>>() {
            return None;
        }
        let place = id as usize / CHUNK;
        if place >= slots.len() {
            *slots = grown(*slots, (place + 1).next_power_of_two());
        }
        let chunk = Chunk { cells: std::array::from_fn(|_| T::fresh()) };
        let set = slots[place].set(Box::leak(Box::new(chunk)));
        debug_assert!(set.is_ok(), "only `reserve` sets, under the lock");
        slot(*slots, id)
    }

    /// Makes all cells as they were before anything was recorded.
    pub(crate) fn reset(&self) {
        let chunks = self.slots().iter().filter_map(OnceRef::get);
        chunks.flat_map(|chunk| &chunk.cells).for_each(T::reset);
    }
}

/// The pointers of `slots` in a slice of `len`.
fn grown<T>(slots: &'static [OnceRef<'static, T>], len: usize) -> &'static [OnceRef<'static, T>] {
    let next: Box<[OnceRef<'static, T>]> = (0..len).map(|_| OnceRef::new()).collect();
    for (new, old) in next.iter().zip(slots) {
        if let Some(target) = old.get() {
            let _ = new.set(target); // Fresh, so it takes.
        }
    }
    Box::leak(next)
}
