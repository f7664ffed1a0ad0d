//! The room that a spool may take: its quota, and what stays free on the disk.

use std::io;

use super::{
    disk::{self, DiskFolder},
    error::Why,
    folder::Named,
    format::SEGMENT_HEADER,
    segment::{OpenSegment, Opened},
    state::{Key, Segment, Shared},
};

#[derive(Debug)]
pub(super) struct Room {
    max_bytes: u64,
    floor: Option<u64>,
    /// What may still be written before the disk is asked again.
    granted: u64,
}

impl Room {
    pub(super) fn new(max_bytes: u64, floor: Option<u64>) -> Self {
        Self { max_bytes, floor, granted: 0 }
    }

    /// Whether a frame is within the quota, if it is all that there is.
    pub(super) fn may_ever_hold(&self, length: u64) -> bool {
        length.saturating_add(SEGMENT_HEADER as u64) <= self.max_bytes
    }

    /// Whether the quota has so much left.
    pub(super) fn fits(&self, shared: &Shared, length: u64) -> bool {
        shared.lock().bytes.saturating_add(length) <= self.max_bytes
    }

    /// Whether the disk has so much left, above its floor.
    pub(super) fn check_floor(&mut self, folder: &dyn DiskFolder, length: u64) -> Result<(), Why> {
        if length > self.granted {
            let (free, all) = folder.room().map_err(Why::Io)?;
            let floor = self.floor.unwrap_or_else(|| (all / 20).min(MOST_FLOOR));
            let left = free.saturating_sub(floor);
            if length > left {
                return Err(Why::DiskFull);
            }
            self.granted = left.min(length.max(ASKED_AFTER));
        }
        self.granted -= length;
        Ok(())
    }

    /// Removes the oldest file that is not written to; `false` if there is none.
    pub(super) fn drop_oldest(&self, shared: &Shared, format: &str) -> io::Result<bool> {
        let mut state = shared.lock();
        if let Some(leftover) = state.leftovers.pop_front() {
            drop(state);
            let removed = remove(&*leftover.place.folder, &leftover.name);
            let mut state = shared.lock();
            match removed {
                Ok(()) => state.bytes -= leftover.bytes,
                Err(_) => state.leftovers.push_front(leftover),
            }
            return removed.map(|()| true);
        }
        let oldest = state.segments.iter().position(|segment| segment.is_sealed);
        let Some(segment) = oldest.and_then(|place| state.segments.remove(place)) else {
            return Ok(false);
        };
        // From here on the reader hands out no more of it, so that the count is exact.
        drop(state);
        let n_records = unread(&segment, format);
        let removed = remove(&*segment.key.place.folder, &Named::of(&segment.key).name());
        let mut state = shared.lock();
        match removed {
            Ok(()) => {
                state.bytes -= segment.bytes;
                state.figures.dropped_records += n_records;
                if segment.records.is_none() {
                    state.figures.dropped_inherited += n_records;
                }
            }
            Err(_) => state.segments.push_front(segment),
        }
        removed.map(|()| true)
    }
}

/// Removes a file; that there is none is what was wanted.
pub(super) fn remove(folder: &dyn DiskFolder, name: &str) -> io::Result<()> {
    match folder.remove(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// How many records of a segment were not handed out. What cannot be read has none.
fn unread(segment: &Segment, format: &str) -> u64 {
    if let Some(records) = segment.records {
        return records.readable.saturating_sub(records.read);
    }
    let counted = open(&segment.key, format).and_then(|opened| match opened {
        Opened::Ours(open) => open.count(segment.read, segment.readable),
        Opened::Other => Ok(0),
    });
    counted.unwrap_or(0)
}

/// Opens a segment to read it.
pub(super) fn open(key: &Key, format: &str) -> io::Result<Opened> {
    let file: Box<dyn disk::DiskFile> = key.place.folder.open(&Named::of(key).name())?;
    OpenSegment::of(file, key.mark, format)
}

/// What is left free at most, if the user does not say. On a small disk it is a twentieth of that.
const MOST_FLOOR: u64 = 512 << 20;

/// The disk is asked again after so much, as others write to it too. Arbitrary.
const ASKED_AFTER: u64 = 1 << 20;
