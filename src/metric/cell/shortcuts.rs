//! Pointers to the cells that records go to most, by id: one look-up in place of several.
//!
//! A shortcut leads where the directories lead as well, so that it may be missing: a record that finds
//! none takes the longer way, as a reader does.

use super::directory::grown;
use crate::sync::modelled::{Mutex, OnceRef};

/// The shortcuts that there are: what a thread-local holds.
pub(crate) type Paths<T> = &'static [OnceRef<'static, T>];

/// Ids from here on have none, so that a table's shortcuts take 256 kB at most, however many ids
/// there are.
const END: usize = 1 << 14;

/// The shortcuts of one table. Its lock guards which slice is the newest; none is taken inside it.
#[derive(Debug)]
pub(crate) struct Shortcuts<T: 'static>(Mutex<Paths<T>>);

/// The cell of `id`, if there is a shortcut to it.
#[inline(always)]
pub(crate) fn shortcut<T>(paths: Paths<T>, id: u32) -> Option<&'static T> {
    paths.get(id as usize)?.get()
}

impl<T> Shortcuts<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(&[]))
    }

    /// The newest slice.
    pub(crate) fn paths(&self) -> Paths<T> {
        *self.0.lock()
    }

    /// Lets `id` lead to `cell`, which is its only one. Outgrown slices are leaked, as a directory's.
    pub(crate) fn set(&self, id: u32, cell: &'static T) {
        let id = id as usize;
        if id >= END {
            return;
        }
        let mut paths = self.0.lock();
        if id >= paths.len() {
            *paths = grown(*paths, (id + 1).next_power_of_two());
        }
        let _ = paths[id].set(cell); // If it is set, then to the same cell.
    }
}

#[cfg(all(test, not(bellwether_loom)))]
mod tests {
    use super::*;

    #[test]
    fn shortcuts_outlive_the_slice_that_they_were_set_in() {
        static CELLS: [u8; 3] = [1, 2, 3];
        let shortcuts = Shortcuts::new();
        shortcuts.set(5, &CELLS[0]);
        let early = shortcuts.paths();
        shortcuts.set(500, &CELLS[1]);
        shortcuts.set(END as u32, &CELLS[2]);
        let led_to = |paths| [5, 6, 500, END as u32].map(|id| shortcut(paths, id).copied());
        assert_eq!(led_to(early), [Some(1), None, None, None]);
        assert_eq!(led_to(shortcuts.paths()), [Some(1), None, Some(2), None]);
    }
}
