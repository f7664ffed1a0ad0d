//! The half of a spool that reads.

use std::{
    io,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use super::{
    cursor::{At, Cursor, WHOLE, is_before},
    disk::{self, DiskFolder},
    folder::{self, Found, Named},
    format::Mark,
    handle::SpoolHandle,
    room,
    segment::{OpenSegment, Opened, Scanned},
    state::{Key, Leftover, Place, Segment, Shared, State, UNKNOWN},
};
use crate::{
    clock::{self, Ticks},
    pipeline::payload::Payload,
    sync::modelled::wait_until,
};

/// Reads what the spool has: what earlier processes left first, then what the writer made durable, in
/// order. For one thread.
#[doc(hidden)]
#[derive(Debug)]
pub struct SpoolReader {
    shared: Arc<Shared>,
    root: Arc<dyn DiskFolder>,
    home: Arc<Place>,
    format: Box<str>,
    cursors: Vec<Held>,
    open: Option<(Key, OpenSegment)>,
    trouble: Option<Trouble>,
}

/// A payload that was kept.
#[doc(hidden)]
#[derive(Debug)]
pub struct SpoolEntry {
    /// The records, as they were appended.
    pub payload: Payload,
    /// Where they are.
    pub position: SpoolPosition,
    /// Whether an earlier process appended them, or another one that has ended.
    pub is_inherited: bool,
}

/// Where an entry ends.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct SpoolPosition {
    place: Weak<Place>, // Who keeps a position does not keep the folder locked.
    number: u64,
    mark: Mark,
    end: u64,
    n_records: u64, // Of the segment, up to here, if this process wrote it.
}

impl SpoolPosition {
    fn key(&self) -> Option<Key> {
        let &Self { number, mark, .. } = self;
        self.place.upgrade().map(|place| Key { place, number, mark })
    }
}

/// The cursor of a folder that is held.
#[derive(Debug)]
struct Held {
    place: Arc<Place>,
    cursor: Cursor,
    noted: Option<At>,
    unsaved: u64, // Bytes that were done with since the cursor was durable.
}

impl Held {
    /// Whether the cursor has been there.
    fn covers(&self, at: At) -> bool {
        self.noted.is_some_and(|noted| {
            is_before(at.number, noted.number)
                || at.number == noted.number && at.offset <= noted.offset
        })
    }

    fn note(&mut self, at: At) -> io::Result<()> {
        self.cursor.note(at)?;
        self.noted = Some(at);
        Ok(())
    }

    fn save(&mut self, at: At) -> io::Result<()> {
        self.cursor.save(at)?;
        (self.noted, self.unsaved) = (Some(at), 0);
        Ok(())
    }
}

/// A segment that cannot be read.
#[derive(Debug)]
struct Trouble {
    key: Key,
    since: Ticks, // At one place.
    step: u64,    // How much is given up next.
}

impl SpoolReader {
    pub(super) fn new(
        shared: Arc<Shared>,
        root: Arc<dyn DiskFolder>,
        home: Arc<Place>,
        format: &str,
    ) -> Self {
        let format = format.into();
        Self { shared, root, home, format, cursors: Vec::new(), open: None, trouble: None }
    }

    /// The next entry; `None` if there is nothing durable that was not handed out yet, or if it cannot be
    /// read just now. What is damaged is skipped and counted.
    #[expect(clippy::should_implement_trait, reason = "`None` is not the end: more may come")]
    pub fn next(&mut self) -> Option<SpoolEntry> {
        loop {
            let next = self.shared.lock().next().cloned();
            let Some(segment) = next else {
                self.retire();
                return None;
            };
            match self.read(&segment) {
                Ok(Some(entry)) => {
                    self.trouble = None;
                    return Some(entry);
                }
                Ok(None) => {} // Skipped.
                Err(_) if self.gives_up(&segment) => self.skip_unreadable(&segment),
                Err(_) => return None,
            }
        }
    }

    /// Everything that was handed out up to this position is done with: delivered, or given up. A later
    /// process begins behind it.
    pub fn done(&mut self, position: &SpoolPosition) {
        let &SpoolPosition { end, n_records, .. } = position;
        let Some(key) = position.key() else {
            return;
        };
        let mut state = self.shared.lock();
        let Some(segment) = state.find(&key) else {
            return; // It was dropped meanwhile.
        };
        let n_bytes = end.saturating_sub(segment.done);
        state.done(&key, end, n_records);
        let is_over = !state.over().is_empty();
        drop(state);
        let at = At { number: key.number, offset: end };
        if is_over {
            self.retire();
        }
        let held = self.cursors.iter_mut().find(|held| Arc::ptr_eq(&held.place, &key.place));
        if let Some(held) = held.filter(|held| !held.covers(at)) {
            held.unsaved += n_bytes;
            let noted = if held.unsaved < SAVED_AFTER { held.note(at) } else { held.save(at) };
            self.count_cursor(noted);
        }
    }

    /// Makes durable what is [done](Self::done) with, so that after a loss of power nothing of it is
    /// delivered again.
    pub fn save(&mut self) {
        for place in 0..self.cursors.len() {
            let held = &mut self.cursors[place];
            if let (Some(at), true) = (held.noted, held.unsaved > 0) {
                let saved = held.save(at);
                self.count_cursor(saved);
            }
        }
    }

    /// Whether a later process would find the entry that ends there, if this one ended now.
    #[must_use]
    pub fn holds(&self, position: &SpoolPosition) -> bool {
        let Some(key) = position.key() else {
            return false;
        };
        self.shared.lock().find(&key).is_some_and(|segment| segment.done < position.end)
    }

    /// Waits until there is something to read, until [`wake`](SpoolHandle::wake), or until `deadline`.
    /// Returns whether there is something.
    ///
    /// If the last call of [`next`](Self::next) could not read, it waits for a second first.
    #[must_use = "false: there is nothing to read yet"]
    pub fn wait(&mut self, deadline: Instant) -> bool {
        let patience = self.trouble.is_some().then(|| clock::deadline(PAUSE));
        let until = patience.map_or(deadline, |patience| patience.min(deadline));
        let mut state = self.shared.lock();
        loop {
            let is_readable = patience.is_none() && state.next().is_some();
            if std::mem::take(&mut state.is_woken) || is_readable || clock::real_instant() >= until
            {
                return state.next().is_some();
            }
            state = wait_until(&self.shared.changed, state, until);
        }
    }

    /// Takes over what other processes left that have ended meanwhile, and reads it first. Returns whether
    /// there was something. It asks for a lock of each folder: for once in a while.
    pub fn adopt(&mut self) -> bool {
        match folder::take_abandoned(&self.root) {
            Ok(found) => self.take_over(found),
            Err(_) => {
                self.shared.lock().figures.failed_reads += 1;
                false
            }
        }
    }

    /// A handle to the spool, to wake this reader by.
    #[must_use]
    pub fn handle(&self) -> SpoolHandle {
        SpoolHandle(self.shared.clone())
    }

    /// Reads what was found before all else.
    pub(super) fn take_over(&mut self, found: Vec<Found>) -> bool {
        let mut state = self.shared.lock();
        let mut is_some = false;
        for found in found.into_iter().rev() {
            is_some |= !found.segments.is_empty();
            for segment in found.segments.into_iter().rev() {
                state.bytes += segment.bytes;
                state.segments.push_front(segment);
            }
            for leftover in found.leftovers {
                state.bytes += leftover.bytes;
                state.leftovers.push_back(leftover);
            }
            let Found { place, cursor, .. } = found;
            self.cursors.push(Held { place, cursor, noted: None, unsaved: 0 });
        }
        is_some
    }

    /// Reads the next entry of a segment; `None` if something was skipped instead, and the state says so.
    fn read(&mut self, segment: &Segment) -> io::Result<Option<SpoolEntry>> {
        if !self.opens(segment)? {
            return Ok(None);
        }
        let Some((_, open)) = &self.open else {
            return Ok(None);
        };
        let scanned = open.scan(segment.read, segment.readable)?;
        let Some((begin, header)) = &scanned.frame else {
            self.skip(segment, segment.readable, &scanned, None);
            return Ok(None);
        };
        let (end, n_records) = (begin + header.length(), header.n_records.into());
        let Some(payload) = open.payload(*begin, header, &self.format)? else {
            self.skip(segment, end, &scanned, Some((header.length(), n_records)));
            return Ok(None);
        };
        let mut state = self.shared.lock();
        let Some(now) = state.find(&segment.key) else {
            return Ok(None); // It was dropped, and these records counted.
        };
        now.read = end;
        now.handed = end;
        let records = now.records.as_mut().map(|records| {
            records.read += n_records;
            records.read
        });
        let Key { place, number, mark } = &segment.key;
        let position = SpoolPosition {
            place: Arc::downgrade(place),
            number: *number,
            mark: *mark,
            end,
            n_records: records.unwrap_or(0),
        };
        count_skipped(&mut state, segment, &scanned, None);
        Ok(Some(SpoolEntry { payload, position, is_inherited: records.is_none() }))
    }

    /// Opens a segment, if it is not open; `false` if it is none that can be read.
    fn opens(&mut self, segment: &Segment) -> io::Result<bool> {
        if self.open.as_ref().is_some_and(|(key, _)| *key == segment.key) {
            return self.is_measured(segment);
        }
        self.open = None;
        match room::open(&segment.key, &self.format) {
            Ok(Opened::Ours(open)) => self.open = Some((segment.key.clone(), open)),
            Ok(Opened::Other) => self.set_aside(&segment.key),
            Err(error) if disk::is_refusal(&error) => self.set_aside(&segment.key),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.forget(&segment.key),
            Err(error) => return Err(error),
        }
        Ok(self.open.is_some() && self.is_measured(segment)?)
    }

    /// Whether the segment's length is known. If not, it is after this.
    fn is_measured(&self, segment: &Segment) -> io::Result<bool> {
        if segment.readable != UNKNOWN {
            return Ok(true);
        }
        let key = &segment.key;
        let bytes = key.place.folder.length(&Named::of(key).name())?;
        let mut state = self.shared.lock();
        if let Some(now) = state.find(key) {
            (now.bytes, now.readable) = (bytes, bytes);
            state.bytes += bytes;
        }
        Ok(false)
    }

    /// Goes on behind what is damaged.
    fn skip(&self, segment: &Segment, to: u64, scanned: &Scanned, frame: Option<(u64, u64)>) {
        let mut state = self.shared.lock();
        if let Some(now) = state.find(&segment.key) {
            now.read = to;
            count_skipped(&mut state, segment, scanned, frame);
        }
    }

    /// Renames a segment that this reader does not understand, so that nobody reads it, and somebody can
    /// look at it. It counts for the quota, and goes first.
    fn set_aside(&self, key: &Key) {
        let named = Named::of(key);
        let aside = Named { is_read: false, ..named };
        let renamed = key.place.folder.rename(&named.name(), &aside.name());
        let name = if renamed.is_ok() { aside.name() } else { named.name() };
        let mut state = self.shared.lock();
        if let Some(segment) = state.take(key) {
            let place = segment.key.place;
            state.leftovers.push_back(Leftover { place, name, bytes: segment.bytes });
            state.figures.segments_set_aside += 1;
        }
    }

    /// A segment is not there any more: somebody removed it.
    fn forget(&self, key: &Key) {
        let mut state = self.shared.lock();
        if let Some(segment) = state.take(key) {
            state.bytes -= segment.bytes;
            let records = segment.records.unwrap_or_default();
            let n_lost = records.readable.saturating_sub(records.read);
            state.figures.skipped_records += n_lost;
            state.figures.skipped_own += n_lost;
            state.figures.skipped_bytes += segment.readable.saturating_sub(segment.read);
        }
    }

    /// Whether this place of a segment could not be read for too long.
    fn gives_up(&mut self, segment: &Segment) -> bool {
        self.shared.lock().figures.failed_reads += 1;
        // Without an open file nobody knows whether the disk is bad, or only all files are in use.
        let was_open = self.open.take().is_some();
        let known = self.trouble.take().filter(|trouble| was_open && trouble.key == segment.key);
        let now = clock::now();
        let fresh = || Trouble { key: segment.key.clone(), since: now, step: UNREADABLE };
        let trouble = self.trouble.insert(known.unwrap_or_else(fresh));
        now.since(trouble.since) >= PATIENCE
    }

    /// Gives up a part of a segment, and a larger one if that is not all: one bad place takes little with
    /// it, and a segment that is bad as a whole takes not long.
    fn skip_unreadable(&mut self, segment: &Segment) {
        if segment.readable == UNKNOWN {
            return self.set_aside(&segment.key);
        }
        let mut step = UNREADABLE;
        if let Some(trouble) = &mut self.trouble {
            step = trouble.step;
            (trouble.since, trouble.step) = (clock::now(), step * 2);
        }
        let to = (segment.read + 1).next_multiple_of(step).min(segment.readable);
        let scanned = Scanned { n_skipped: to - segment.read, ..Scanned::default() };
        self.skip(segment, to, &scanned, None);
    }

    /// Removes the segments that are over, once the cursor is durably behind them.
    fn retire(&mut self) {
        let over = self.shared.lock().over();
        for last in over {
            let held = self.cursors.iter_mut().find(|held| Arc::ptr_eq(&held.place, &last.place));
            let at = At { number: last.number, offset: WHOLE };
            let saved = held.map_or(Ok(()), |held| held.save(at));
            if self.count_cursor(saved) {
                self.remove(&last);
            }
        }
        let state = self.shared.lock();
        let is_read = |held: &Held| {
            state.segments.iter().any(|segment| Arc::ptr_eq(&segment.key.place, &held.place))
        };
        let held = std::mem::take(&mut self.cursors).into_iter();
        let (needed, drained): (Vec<_>, Vec<_>) =
            held.partition(|held| Arc::ptr_eq(&held.place, &self.home) || is_read(held));
        drop(state);
        self.cursors = needed;
        // With the last of what knows them, their locks go too.
        drop(drained);
    }

    /// Removes a segment and those before it.
    fn remove(&mut self, last: &Key) {
        loop {
            let mut state = self.shared.lock();
            let first = state.segments.iter().find(|it| Arc::ptr_eq(&it.key.place, &last.place));
            let Some(first) = first.filter(|first| first.is_over()).map(|it| it.key.clone()) else {
                return;
            };
            let Some(segment) = state.take(&first) else {
                return;
            };
            drop(state);
            self.open.take_if(|(key, _)| *key == first);
            let name = Named::of(&first).name();
            let removed = room::remove(&*first.place.folder, &name);
            let mut state = self.shared.lock();
            let records = segment.records.unwrap_or_default();
            let n_lost = records.readable.saturating_sub(records.read);
            state.figures.skipped_records += n_lost;
            state.figures.skipped_own += n_lost;
            match removed {
                Ok(()) => state.bytes -= segment.bytes,
                Err(_) => {
                    // It is behind the cursor: the next process removes it.
                    state.figures.failed_cursors += 1;
                    let (place, bytes) = (first.place.clone(), segment.bytes);
                    state.leftovers.push_back(Leftover { place, name, bytes });
                }
            }
            if first == *last {
                return;
            }
        }
    }

    fn count_cursor(&self, saved: io::Result<()>) -> bool {
        let is_saved = saved.is_ok();
        self.shared.lock().figures.failed_cursors += u64::from(!is_saved);
        is_saved
    }
}

/// Others may have the folders from now on.
impl Drop for SpoolReader {
    fn drop(&mut self) {
        self.shared.end_reader(&self.home, self.cursors.iter().map(|held| &held.place));
    }
}

/// Counts what was skipped before a frame, and the frame if it was. Of a segment that this process wrote,
/// the records are counted when it goes: then all that it lacks are known.
fn count_skipped(
    state: &mut State,
    segment: &Segment,
    scanned: &Scanned,
    frame: Option<(u64, u64)>,
) {
    let (n_bytes, n_records) = frame.unwrap_or((0, 0));
    state.figures.skipped_bytes += scanned.n_skipped + n_bytes;
    state.figures.skipped_frames += scanned.cut_frames + u64::from(frame.is_some());
    if segment.records.is_none() {
        state.figures.skipped_records += scanned.cut_records + n_records;
    }
}

/// How long a reader that cannot read waits before it tries again.
const PAUSE: Duration = Duration::from_secs(1);

/// What cannot be read for so long is given up: longer than a disk or a network needs to come back from
/// a short failure. Arbitrary.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much of a segment is given up at first; what a disk writes as one. A power of two.
const UNREADABLE: u64 = 4096;

/// The cursor is made durable after so many bytes. It bounds what a loss of power has delivered again,
/// and is a few batches. Tests do not write as much.
pub(super) const SAVED_AFTER: u64 = if cfg!(test) { 1 << 10 } else { 1 << 20 };
