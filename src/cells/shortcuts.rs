//! Pointers to the cells that records go to most, by id: one look-up in place of several.
//!
//! A shortcut leads where the directories lead as well, so that it may be missing: a record that finds
//! none takes the longer way, as a reader does.

use super::directory::grown;
use crate::sync::modelled::{Mutex, OnceRef};

/// The shortcuts that there are: what a thread-local holds.
pub(crate) type Paths<T> = &'static [OnceRef<'static, T>];

/// How many ordinary histograms, and how many of explicit bounds, have shortcuts: 16 kB of a table in
/// all.
pub(super) const DENSE_SHORTCUTS: usize = 1024;
pub(super) const EXPLICIT_SHORTCUTS: usize = 512;

/// The shortcuts of one table, to the cells whose ids are below `END`: a thread's take 11 bytes for
/// each of these at most, with the slices that they outgrew. Its lock guards which slice is the newest;
/// none is taken inside it.
#[derive(Debug)]
pub(crate) struct Shortcuts<T: 'static, const END: usize>(Mutex<Paths<T>>);

/// The cell of `id`, if there is a shortcut to it.
#[inline(always)]
pub(crate) fn shortcut<T>(paths: Paths<T>, id: u32) -> Option<&'static T> {
    paths.get(id as usize)?.get()
}

impl<T, const END: usize> Shortcuts<T, END> {
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
        let Some(len) = [END / 16, END / 4, END].into_iter().find(|&len| id < len) else { return };
        let mut paths = self.0.lock();
        if len > paths.len() {
            *paths = grown(*paths, len);
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
        let shortcuts: Shortcuts<u8, 512> = Shortcuts::new();
        shortcuts.set(5, &CELLS[0]);
        let early = shortcuts.paths();
        shortcuts.set(500, &CELLS[1]);
        shortcuts.set(512, &CELLS[2]);
        let led_to = |paths| [5, 6, 500, 512].map(|id| shortcut(paths, id).copied());
        assert_eq!(led_to(early), [Some(1), None, None, None]);
        assert_eq!(led_to(shortcuts.paths()), [Some(1), None, Some(2), None]);
    }

    #[test]
    fn all_shortcuts_of_a_thread_take_16_kb_at_most() {
        fn bytes<T, const END: usize>(shortcuts: &Shortcuts<T, END>, cell: &'static T) -> usize {
            let mut lens: Vec<usize> = Vec::new();
            for id in 0..100_000 {
                shortcuts.set(id, cell);
                lens.push(shortcuts.paths().len());
            }
            lens.dedup();
            lens.iter().sum::<usize>() * size_of::<OnceRef<'static, T>>()
        }
        let dense = bytes(&Shortcuts::<u8, DENSE_SHORTCUTS>::new(), &0);
        assert!(dense + bytes(&Shortcuts::<u8, EXPLICIT_SHORTCUTS>::new(), &0) <= 16 * 1024);
    }
}
