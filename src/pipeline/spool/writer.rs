//! The half of a spool that writes.

use std::{io, sync::Arc};

use super::{
    disk::{self, DiskFile},
    error::{SpoolError, Why},
    folder::Named,
    format::{self, Mark, SEGMENT_HEADER, SegmentHeader},
    handle::SpoolHandle,
    room::Room,
    state::{Key, Place, Records, Segment, Shared},
};
use crate::{clock, pipeline::payload::Payload, util::random};

/// Writes payloads to the spool, and makes them durable. For one thread.
///
/// When it is dropped, nothing is written: what was not synced is not kept.
#[doc(hidden)]
#[derive(Debug)]
pub struct SpoolWriter {
    shared: Arc<Shared>,
    home: Arc<Place>,
    format: Box<str>,
    segment_bytes: u64,
    room: Room,
    active: Option<Active>,
    next: u64, // The number of the next segment.
    unsynced: usize,
}

/// The segment that is written to.
#[derive(Debug)]
struct Active {
    file: Box<dyn DiskFile>,
    key: Key,
    buffer: Vec<u8>, // What is to be written at `written`.
    written: u64,
    durable: u64,
    is_named: bool, // Durably, in its folder.
    n_records: u64, // All of them.
}

impl Active {
    fn end(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn write_out(&mut self) -> io::Result<()> {
        disk::write_fully(&*self.file, &self.buffer, self.written)?;
        self.written = self.end();
        self.buffer.clear();
        Ok(())
    }

    /// Returns once all of it is durable: the file, and then its name.
    fn sync(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.file.sync()?;
        if !self.is_named {
            self.key.place.folder.sync()?;
            self.is_named = true;
        }
        self.durable = self.written;
        Ok(())
    }
}

impl SpoolWriter {
    pub(super) fn new(
        shared: Arc<Shared>,
        home: Arc<Place>,
        format: &str,
        segment_bytes: u64,
        room: Room,
        next: u64,
    ) -> Self {
        let format = format.into();
        Self { shared, home, format, segment_bytes, room, active: None, next, unsynced: 0 }
    }

    /// Adds a payload. It is durable after the next [`sync`](Self::sync) that returns `Ok`, or sooner.
    ///
    /// Makes room first, if the quota demands it: whole segments are dropped, the oldest first.
    ///
    /// # Errors
    ///
    /// This payload is not kept, and [`SpoolError::unkept`] says how many before it are not kept either.
    pub fn append(&mut self, payload: &Payload) -> Result<(), SpoolError> {
        let length = format::frame_length(payload, &self.format);
        let length = length.filter(|length| self.room.may_ever_hold(*length));
        let Some(length) = length else {
            return Err(SpoolError::new(Why::TooLarge, 0));
        };
        if self.active.as_ref().is_some_and(|active| self.is_full(active, length)) {
            self.seal()?;
        }
        self.make_room(length)?;
        let mut active = match self.active.take() {
            Some(active) => active,
            None => self.create()?,
        };
        let offset = active.end();
        let mark = active.key.mark;
        format::encode_frame(payload, &self.format, mark, offset, &mut active.buffer);
        active.n_records += payload.len() as u64;
        self.grown(&active.key, length);
        let written = if active.buffer.len() >= WRITE_OUT { active.write_out() } else { Ok(()) };
        if let Err(error) = written {
            return Err(self.fail(active, error));
        }
        self.active = Some(active);
        self.unsynced += 1;
        Ok(())
    }

    /// Returns once everything that was appended is durable: one group commit for all of it. Where
    /// nothing was appended, it costs nothing.
    ///
    /// # Errors
    ///
    /// The last [`SpoolError::unkept`] payloads are not kept. They are to be appended again, and go to a
    /// new segment: of the old one nobody knows what it has.
    pub fn sync(&mut self) -> Result<(), SpoolError> {
        let Some(mut active) = self.active.take() else {
            return Ok(());
        };
        if active.durable < active.end() {
            let begun = clock::now();
            if let Err(error) = active.sync() {
                return Err(self.fail(active, error));
            }
            let time = clock::now().since(begun);
            let mut state = self.shared.lock();
            state.figures.syncs += 1;
            state.figures.sync_time += time;
            if let Some(segment) = state.find(&active.key) {
                segment.readable = active.durable;
                let records = segment.records.get_or_insert_default();
                records.readable = active.n_records;
            }
            drop(state);
            self.shared.changed.notify_all();
        }
        self.active = Some(active);
        self.unsynced = 0;
        Ok(())
    }

    /// How many of the last payloads that were appended are not durable yet. A full segment is synced
    /// before the next one is begun, so this may be less than what was appended since the last sync.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.unsynced
    }

    /// A handle to the spool: its figures.
    #[must_use]
    pub fn handle(&self) -> SpoolHandle {
        SpoolHandle(self.shared.clone())
    }

    fn is_full(&self, active: &Active, length: u64) -> bool {
        active.end() > SEGMENT_HEADER as u64 && active.end() + length > self.segment_bytes
    }

    /// Makes the segment durable and begins no further frame in it.
    fn seal(&mut self) -> Result<(), SpoolError> {
        self.sync()?;
        if let Some(active) = self.active.take() {
            self.end(&active, active.end());
        }
        Ok(())
    }

    fn make_room(&mut self, length: u64) -> Result<(), SpoolError> {
        let length = length + SEGMENT_HEADER as u64;
        while !self.room.fits(&self.shared, length) {
            let made = self.room.drop_oldest(&self.shared, &self.format);
            match made.map_err(|error| self.refusal(Why::Io(error)))? {
                true => {}
                // Only the active segment is left.
                false if self.active.is_some() => self.seal()?,
                false => return Err(self.refusal(Why::Full)),
            }
        }
        let floor = self.room.check_floor(&*self.home.folder, length);
        floor.map_err(|why| self.refusal(why))
    }

    /// The error of a payload that was not taken, where nothing else is lost.
    fn refusal(&self, why: Why) -> SpoolError {
        SpoolError::new(why, 0)
    }

    fn create(&mut self) -> Result<Active, SpoolError> {
        let mark: Mark = random::nonzero().to_be_bytes();
        let key = Key { place: self.home.clone(), number: self.next, mark };
        // Whatever becomes of it, no other segment has this number.
        self.next = self.next.wrapping_add(1);
        let created = self.home.folder.create(&Named::of(&key).name());
        let file = created.map_err(|error| {
            self.shared.lock().figures.failed_writes += 1;
            self.refusal(Why::Io(error))
        })?;
        let mut buffer = Vec::with_capacity(WRITE_OUT);
        SegmentHeader::encode(mark, &self.format, &mut buffer);
        let mut segment = Segment::new(key.clone(), 0);
        segment.records = Some(Records::default());
        self.shared.lock().segments.push_back(segment);
        self.grown(&key, SEGMENT_HEADER as u64);
        let active =
            Active { file, key, buffer, written: 0, durable: 0, is_named: false, n_records: 0 };
        Ok(active)
    }

    fn grown(&self, key: &Key, length: u64) {
        let mut state = self.shared.lock();
        state.bytes += length;
        if let Some(segment) = state.find(key) {
            segment.bytes += length;
        }
    }

    /// Gives up a segment of which a write or a sync failed, but for what was durable before: the system
    /// may say that the next sync is fine, though it has forgotten what it could not write.
    fn fail(&mut self, active: Active, error: io::Error) -> SpoolError {
        let unkept = std::mem::take(&mut self.unsynced);
        self.shared.lock().figures.failed_writes += 1;
        let name = Named::of(&active.key).name();
        // So that a later process does not find what is written again elsewhere. If that fails too, it
        // does: the records are then delivered twice.
        if active.durable == 0 && self.home.folder.remove(&name).is_ok() {
            let mut state = self.shared.lock();
            if let Some(segment) = state.take(&active.key) {
                state.bytes -= segment.bytes;
            }
        } else {
            let is_cut = active.file.truncate(active.durable).is_ok();
            self.end(&active, if is_cut { active.durable } else { active.end() });
        }
        SpoolError::new(Why::of(error), unkept)
    }

    /// Nothing is added to the segment any more, which has `n_bytes`.
    fn end(&self, active: &Active, n_bytes: u64) {
        let mut state = self.shared.lock();
        if let Some(segment) = state.find(&active.key) {
            let surplus = segment.bytes - n_bytes;
            segment.bytes = n_bytes;
            segment.is_sealed = true;
            state.bytes -= surplus;
        }
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        if let Some(active) = self.active.take() {
            self.end(&active, active.written);
        }
        self.shared.end_half(&self.home);
    }
}

/// How much is gathered before it is written. In `benches/spool`, twice as much is no faster.
const WRITE_OUT: usize = 256 << 10;
