//! Keeps payloads on disk until they are delivered: over an outage, a crash, a loss of power.
//!
//! ```text
//!                 one folder, one lock
//! append ─► buffer ─► newest segment ─ sync ─► durable ─► next ─► the sender ─► done
//!                     older segments ◄─ full ┘  │                              │
//!                     removed ◄─ quota          └─ bytes are read back ◄─ cursor ┘
//! ```
//!
//! # What is promised
//!
//! - What was appended before a [`sync`](SpoolWriter::sync) that returned `Ok` is delivered at least once,
//!   whatever happens to the process or to the power; unless the quota drops it, which is counted, or the
//!   disk loses what it said it had, which is skipped and counted as far as anybody can know.
//! - **Twice** is delivered at most: after the end of a process, however it ended, what
//!   [`next`](SpoolReader::next) had handed out and was not [`done`](SpoolReader::done); after a loss of
//!   power, besides that what was done since the cursor was last durable, less than 1 MiB and one payload;
//!   and what was appended since the last good sync, if a write or a sync failed and the process ended
//!   before the bytes could be cut off.
//! - A sync or a write that fails is final for its segment. What was not durable is the caller's again
//!   ([`SpoolError::unkept`]); it goes to a new segment.
//! - Nothing here blocks but on the disk, nothing panics, and each file that cannot be used costs what is in
//!   it and no more: neither [`Spool::open`] nor the reader stops.
//!
//! # Files
//!
//! The spool's folder is of one route. A second process on it, or a second spool in one process, finds it
//! locked and takes the sub-folder `2`, or `3`, and so on; what is in a folder is the same in each. Whoever
//! opens a spool also takes the folders that nobody has any more, and reads them first, as long as there
//! is something in them. Sub-folders and locks stay when they are empty. A forked child shares the locks
//! of its parent: it must not use its spool, but may open one of its own. Where the parent ends without letting
//! its spool go, by a crash, its folder stays locked until such children have ended too, or have called `exec`;
//! then whoever opens the spool next takes it over.
//!
//! | name | what |
//! |---|---|
//! | `lock` | held by `flock` as long as the folder is in use |
//! | `cursor` | up to where the folder is done with |
//! | `NUMBER-MARK.seg` | a segment; both are 16 digits in hex |
//! | `NUMBER-MARK.aside` | a segment of another version or form: counted, not read |
//! | `2`, `3`, … | folders of others |
//!
//! Folders have the mode 0700 and files 0600, whatever the umask. Links are not followed, and what belongs to
//! another user is not used. A folder into which others may write is refused.
//!
//! Segments are numbered upwards; numbers wrap, and the oldest segment is the first one behind the widest
//! gap. A process appends only to segments that it began itself. A segment is removed when all of it
//! is done with and the cursor is durably behind it. One that comes back because its removal was not
//! durable is behind the cursor, and removed again.
//!
//! What was set aside stays for a later look, and for as long as the quota has room. To have it delivered,
//! put it, with the ending `.seg` again, into an empty folder, and open that with the version and the form
//! that it is of.
//!
//! # A segment
//!
//! All numbers are little-endian. Checksums are CRC-32 (that of zip and Ethernet).
//!
//! | at | bytes | the header of a segment |
//! |---|---|---|
//! | 0 | 8 | `BWSPOOL\n` |
//! | 8 | 2 | version: 1 |
//! | 10 | 2 | length of the name of the form, at most 96 |
//! | 12 | 4 | checksum of these 128 bytes without these four |
//! | 16 | 8 | mark; in the file's name it is read as a big-endian number |
//! | 24 | 8 | zero |
//! | 32 | 96 | name of the form (`otlp.spans.1`), filled up with zeros |
//!
//! Later versions keep these 128 bytes as they are. Frames follow, each at a multiple of 32 bytes and filled
//! up to one by zeros:
//!
//! | at | bytes | a frame |
//! |---|---|---|
//! | 0 | 8 | mark |
//! | 8 | 4 | checksum of these 40 bytes without these four |
//! | 12 | 4 | checksum of the content |
//! | 16 | 8 | where the frame is: its offset in the segment |
//! | 24 | 2 | version: 1 |
//! | 26 | 2 | length F of the name of the form |
//! | 28 | 4 | length H of the payload's head |
//! | 32 | 4 | number N of records |
//! | 36 | 4 | length B of all records |
//! | 40 | F + H + 4 N + B | content: form, head, where each record ends (from the begin of the first one), records |
//!
//! A frame is at most 64 MiB long. A segment ends at 16 MiB, or at a quarter of the quota if that is less; a
//! longer frame has a segment of its own.
//!
//! # Recovery
//!
//! Nothing is repaired, and nothing is read at the start but names, lengths and the cursor. The reader goes
//! from frame to frame. Where there is none, it looks at each multiple of 32 bytes for the mark, up to the next
//! header with a valid checksum; so a length that is wrong, which the checksum tells, takes no other frame
//! with it. The mark is at random, and a header says where it is: whatever a record contains, it is
//! never taken for a frame. A frame whose header is valid and whose content is not is skipped by its length.
//! A header of a segment that is damaged costs nothing: the mark is in the file's name too, and each
//! frame says its version and its form.
//!
//! Zeros or half a frame at the end of a segment are what a crash leaves; they count as skipped bytes too.
//!
//! # The cursor
//!
//! Two slots, at 0 and at 4,096, of which the valid one with the later generation holds:
//!
//! | at | bytes | |
//! |---|---|---|
//! | 0 | 8 | `BWCURSR\n` |
//! | 8 | 4 | checksum of these 40 bytes without these four |
//! | 12 | 4 | version: 1 |
//! | 16 | 8 | generation, which wraps |
//! | 24 | 8 | number of a segment: all before it are done with |
//! | 32 | 8 | offset in that segment up to which it is done with; 2^64 - 1 for all of it |
//!
//! If no slot is valid, or the file is not ours, everything in the folder is delivered.

mod cursor;
mod disk;
mod error;
mod folder;
mod format;
mod handle;
mod reader;
mod room;
mod segment;
mod state;
mod writer;

#[cfg(test)]
mod tests;

use std::{io, path::Path, sync::Arc};

pub use error::SpoolError;
pub use handle::SpoolHandle;
pub use reader::{SpoolEntry, SpoolPosition, SpoolReader};
pub use state::SpoolFigures;
pub use writer::SpoolWriter;

#[cfg(all(test, bellwether_loom))]
pub(super) use disk::model::ModelDisk;

#[cfg(test)]
use super::Payload;
use crate::error::{Error, ErrorKind};
use disk::DiskFolder;
use room::Room;
use state::{Shared, State};

/// Opens a spool: the two halves of it, each for a thread of its own.
///
/// # Examples
///
/// ```
/// use bellwether::pipeline::{Payload, Spool, SpoolSettings};
///
/// let folder = std::env::temp_dir().join(format!("bellwether-spool-doc-{}", std::process::id()));
/// let (mut writer, mut reader) = Spool::open(&folder, SpoolSettings::default(), "text.1")?;
/// let mut payload = Payload::new();
/// payload.record(|bytes| bytes.extend_from_slice(b"paid"));
/// writer.append(&payload)?;
/// assert!(reader.next().is_none()); // It is not durable yet.
/// writer.sync()?;
/// let entry = reader.next().expect("one is durable");
/// assert_eq!(entry.payload.bytes(), b"paid");
/// reader.done(&entry.position);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(hidden)]
#[derive(Debug)]
#[non_exhaustive]
pub enum Spool {}

/// How much a spool may take.
#[doc(hidden)]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SpoolSettings {
    /// The most bytes of all files, with what other processes left and this one reads. Beyond it, the
    /// oldest segments are dropped. At least 4 KiB; 1 GiB by default. Each process that writes has as
    /// much.
    pub max_bytes: u64,
    /// When a new segment is begun; 16 MiB by default, and never more than a quarter of `max_bytes`. What
    /// the quota drops, it drops by segments.
    pub segment_bytes: u64,
    /// How many bytes the spool leaves free on the file system; what would take more is refused. By default
    /// 512 MiB, or a twentieth of the file system if that is less.
    pub free_floor: Option<u64>,
}

impl Default for SpoolSettings {
    fn default() -> Self {
        Self { max_bytes: 1 << 30, segment_bytes: 16 << 20, free_floor: None }
    }
}

impl Spool {
    /// Opens the spool in `folder`, which is created if there is none, for payloads of the form `format`.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidOption`] if the settings or the name of the form cannot be used.
    /// - [`ErrorKind::Io`] if the folder cannot be created, read or locked, is a symbolic link, belongs to
    ///   another user, or may be written to by others.
    pub fn open(
        folder: impl AsRef<Path>,
        settings: SpoolSettings,
        format: &str,
    ) -> Result<(SpoolWriter, SpoolReader), Error> {
        let folder = folder.as_ref();
        check(&settings, format)?;
        let opened = disk::real::open(folder).and_then(|root| Self::on(root, &settings, format));
        opened.map_err(|error| {
            let message = format!("spool folder {folder:?} cannot be used: {error}");
            Error::new(ErrorKind::Io, message).with_source(error)
        })
    }

    /// Opens the spool in a folder of any disk.
    pub(super) fn on(
        root: Arc<dyn DiskFolder>,
        settings: &SpoolSettings,
        format: &str,
    ) -> io::Result<(SpoolWriter, SpoolReader)> {
        let home = folder::take_home(&root)?;
        let (place, next) = (home.place.clone(), home.next);
        let mut found = folder::take_abandoned(&root)?;
        found.push(home);
        let shared = Arc::new(Shared::new(State::default()));
        let mut reader = SpoolReader::new(shared.clone(), root, place.clone(), format);
        reader.take_over(found);
        let segment_bytes = settings.segment_bytes.min(settings.max_bytes / 4);
        let room = Room::new(settings.max_bytes, settings.free_floor);
        let writer = SpoolWriter::new(shared, place, format, segment_bytes, room, next);
        Ok((writer, reader))
    }
}

fn check(settings: &SpoolSettings, format: &str) -> Result<(), Error> {
    let invalid = |message: String| Err(Error::new(ErrorKind::InvalidOption, message));
    if settings.max_bytes < LEAST_BYTES {
        return invalid(format!("spool setting `max_bytes` must be at least {LEAST_BYTES}"));
    }
    if settings.segment_bytes == 0 {
        return invalid("spool setting `segment_bytes` must be at least 1".to_owned());
    }
    if !(1..=format::MAX_FORMAT).contains(&format.len()) {
        return invalid(format!("form {format:.64?} of payloads must have 1 to 96 bytes"));
    }
    Ok(())
}

/// A segment and a frame of some use.
const LEAST_BYTES: u64 = 4096;
