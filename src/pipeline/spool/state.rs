//! What the two halves of a spool know in common: which segments there are, and how far each was written,
//! read and done with.
//!
//! No file is touched while it is locked, so that a slow disk on one side holds back only that side.

use std::{any::Any, collections::VecDeque, fmt, sync::Arc, time::Duration};

use super::{cursor::is_before, disk::DiskFolder, format::Mark};
use crate::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering::AcqRel},
    modelled::{Condvar, WaitGuard, WaitMutex},
};

/// A folder that is held by its lock: the one that is written to, or one of a process that ended.
pub(super) struct Place {
    pub(super) name: Box<str>, // In the spool's folder; empty for that itself.
    pub(super) folder: Arc<dyn DiskFolder>,
    lock: Mutex<Option<Box<dyn Any + Send + Sync>>>,
}

impl Place {
    pub(super) fn new(
        name: Box<str>,
        folder: Arc<dyn DiskFolder>,
        lock: Box<dyn Any + Send + Sync>,
    ) -> Self {
        Self { name, folder, lock: Mutex::new(Some(lock)) }
    }

    /// Lets another spool have it. A handle may know of it for longer than anybody reads or writes there.
    fn release(&self) {
        let lock = self.lock.lock().take();
        drop(lock);
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({:?})", self.name)
    }
}

/// Which segment.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) place: Arc<Place>,
    pub(super) number: u64,
    pub(super) mark: Mark,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.place, &other.place)
            && (self.number, self.mark) == (other.number, other.mark)
    }
}

/// A segment that is to be read. Invariant: `done <= handed <= read <= readable <= bytes`, but for `done`,
/// which a cursor sets beyond what is there.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) key: Key,
    pub(super) bytes: u64,    // On disk, or about to be.
    pub(super) readable: u64, // Up to where it is durable.
    pub(super) read: u64,     // Up to where the reader has come.
    pub(super) handed: u64,   // Up to where what it handed out goes.
    pub(super) done: u64,
    pub(super) is_sealed: bool, // Nothing is added any more.
    /// Of segments that this process wrote, whose records are known.
    pub(super) records: Option<Records>,
}

/// What a segment is taken to have where its length could not be found out; the reader asks again.
pub(super) const UNKNOWN: u64 = u64::MAX;

/// How many records of a segment were ever there, read, and done with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Records {
    pub(super) readable: u64,
    pub(super) read: u64,
    pub(super) done: u64,
}

impl Segment {
    /// One that the reader has not begun with.
    pub(super) fn new(key: Key, bytes: u64) -> Self {
        Self {
            key,
            bytes,
            readable: 0,
            read: 0,
            handed: 0,
            done: 0,
            is_sealed: false,
            records: None,
        }
    }

    pub(super) fn is_read(&self) -> bool {
        self.read >= self.readable
    }

    /// Whether nobody needs it any more.
    pub(super) fn is_over(&self) -> bool {
        self.is_sealed && self.is_read() && self.done >= self.handed
    }
}

/// A file that is not read any more, and goes when room is needed.
#[derive(Debug)]
pub(super) struct Leftover {
    pub(super) place: Arc<Place>,
    pub(super) name: String,
    pub(super) bytes: u64,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) segments: VecDeque<Segment>, // In the order in which they are read.
    pub(super) leftovers: VecDeque<Leftover>,
    /// Of all segments and leftovers.
    pub(super) bytes: u64,
    pub(super) figures: SpoolFigures,
    pub(super) is_woken: bool,
}

impl State {
    pub(super) fn find(&mut self, key: &Key) -> Option<&mut Segment> {
        self.segments.iter_mut().find(|segment| segment.key == *key)
    }

    pub(super) fn take(&mut self, key: &Key) -> Option<Segment> {
        let place = self.segments.iter().position(|segment| segment.key == *key)?;
        self.segments.remove(place)
    }

    /// The first segment with something to read.
    pub(super) fn next(&self) -> Option<&Segment> {
        self.segments.iter().find(|segment| !segment.is_read())
    }

    /// Everything that was handed out of a folder, up to `offset` of a segment, is done with.
    pub(super) fn done(&mut self, key: &Key, offset: u64, n_records: u64) {
        for segment in &mut self.segments {
            if !Arc::ptr_eq(&segment.key.place, &key.place) {
                continue;
            }
            let records = segment.records.as_mut();
            if segment.key == *key {
                segment.done = segment.done.max(offset);
                records.into_iter().for_each(|it| it.done = it.done.max(n_records));
            } else if is_before(segment.key.number, key.number) {
                segment.done = segment.handed;
                records.into_iter().for_each(|it| it.done = it.read);
            }
        }
    }

    /// Of each folder, the last segment of those at its begin that are over.
    pub(super) fn over(&self) -> Vec<Key> {
        let mut over: Vec<Key> = Vec::new();
        let mut blocked: Vec<&Arc<Place>> = Vec::new();
        for segment in &self.segments {
            let place = &segment.key.place;
            if blocked.iter().any(|other| Arc::ptr_eq(other, place)) {
                continue;
            }
            if !segment.is_over() {
                blocked.push(place);
            } else if let Some(known) =
                over.iter_mut().find(|known| Arc::ptr_eq(&known.place, place))
            {
                known.clone_from(&segment.key);
            } else {
                over.push(segment.key.clone());
            }
        }
        over
    }
}

/// The state, and a signal that it changed.
#[derive(Debug)]
pub(super) struct Shared {
    state: WaitMutex<State>,
    pub(super) changed: Condvar,
    n_halves: AtomicU64,
}

impl Shared {
    pub(super) fn new(state: State) -> Self {
        let (state, changed) = (WaitMutex::new(state), Condvar::new());
        Self { state, changed, n_halves: AtomicU64::new(2) }
    }

    /// One of the two halves is gone; with the second one, its home is given back.
    pub(super) fn end_half(&self, home: &Place) {
        if self.n_halves.fetch_sub(1, AcqRel) == 1 {
            home.release();
        }
    }

    /// Gives back what the reader held besides its home.
    pub(super) fn end_reader<'a>(
        &self,
        home: &Arc<Place>,
        held: impl Iterator<Item = &'a Arc<Place>>,
    ) {
        held.filter(|place| !Arc::ptr_eq(place, home)).for_each(|place| place.release());
        self.end_half(home);
    }

    pub(super) fn lock(&self) -> WaitGuard<'_, State> {
        self.state.lock()
    }

    pub(super) fn figures(&self) -> SpoolFigures {
        let state = self.lock();
        let mut figures = state.figures.clone();
        figures.bytes = state.bytes;
        for segment in &state.segments {
            match segment.records {
                Some(records) => {
                    figures.pending_records += records.readable.saturating_sub(records.done)
                }
                None if segment.readable == UNKNOWN => {}
                None => figures.uncounted_bytes += segment.readable.saturating_sub(segment.read),
            }
        }
        figures
    }
}

/// What a spool has, and what became of what it had, since it was opened.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpoolFigures {
    /// On disk, in all folders that this spool holds; what is set aside is in it.
    pub bytes: u64,
    /// Records that this spool wrote durably, and that are not done with.
    pub pending_records: u64,
    /// What earlier processes left and was not read yet: nobody has counted its records.
    pub uncounted_bytes: u64,
    /// Records that were dropped unread, because the quota was used up.
    pub dropped_records: u64,
    /// How many of the dropped ones this process did not write.
    pub dropped_inherited: u64,
    /// Bytes of segments that are damaged, or were torn when a process ended.
    pub skipped_bytes: u64,
    /// Frames that are damaged, as far as their headers say that there was one.
    pub skipped_frames: u64,
    /// Their records, and those that a segment of this process lacks.
    pub skipped_records: u64,
    /// How many of the skipped ones this process wrote.
    pub skipped_own: u64,
    /// Segments of another version or form, or that are no files of ours, which were set aside.
    pub segments_set_aside: u64,
    /// Group commits.
    pub syncs: u64,
    /// How long they took.
    pub sync_time: Duration,
    /// Writes and syncs that failed; each ended a segment.
    pub failed_writes: u64,
    /// Reads that failed, of segments and of folders.
    pub failed_reads: u64,
    /// Times at which the cursor could not be written, or a segment could not be removed.
    pub failed_cursors: u64,
}
