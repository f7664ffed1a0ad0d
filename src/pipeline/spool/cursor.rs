//! How far a folder is done with: a file of two slots, of which one is always whole.
//!
//! A slot is written in place, and made durable before the other one is touched again. So a write that is
//! torn by a loss of power damages the slot that was not valid yet, and the other one still says where the
//! cursor was. Each slot has 4,096 bytes of its own, as a disk writes no more than that as one. This
//! takes one sync for a cursor; a new file that is renamed onto the old one would take two, and an inode.

use std::{io, sync::Arc};

use super::{
    disk::{self, DiskFile, DiskFolder},
    format::{header_sum, u32_at},
};

/// The file's name.
pub(super) const NAME: &str = "cursor";

/// Up to where a folder is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) number: u64, // Of the segment. All before it are done with.
    pub(super) offset: u64, // In the segment; `WHOLE` if all of it is done with.
}

/// The offset that says that a segment is done with, however long it is.
pub(super) const WHOLE: u64 = u64::MAX;

/// The cursor of one folder.
#[derive(Debug)]
pub(super) struct Cursor {
    folder: Arc<dyn DiskFolder>,
    file: Option<Box<dyn DiskFile>>,
    is_named: bool,  // Durably, in the folder.
    generation: u64, // Of the slot that is durable.
    /// Which slot that is. The other one may be written to.
    durable: usize,
}

impl Cursor {
    /// Opens the cursor of a folder, and says where it stands; `None` if there is none, or both slots are
    /// damaged.
    pub(super) fn open(folder: Arc<dyn DiskFolder>) -> io::Result<(Self, Option<At>)> {
        let file = match folder.open(NAME) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            opened => Some(opened?),
        };
        let mut newest: Option<(u64, usize, At)> = None;
        let mut is_named = false;
        if let Some(file) = &file {
            // What an earlier process wrote may not be durable yet, nor its name, and the other slot is not to
            // be touched before it is. If that fails, there is nothing better to do.
            is_named = file.sync().and_then(|()| folder.sync()).is_ok();
            for slot in 0..2 {
                let mut bytes = [0; SLOT];
                let read = disk::read_fully(&**file, &mut bytes, slot as u64 * APART);
                let Some((generation, at)) = read.ok().and_then(|n| decode(&bytes[..n])) else {
                    continue; // What cannot be read is as good as damaged.
                };
                if newest.is_none_or(|(known, ..)| is_before(known, generation)) {
                    newest = Some((generation, slot, at));
                }
            }
        }
        let (generation, durable) =
            newest.map_or((0, 1), |(generation, slot, _)| (generation, slot));
        let at = newest.map(|(.., at)| at);
        Ok((Self { folder, file, is_named, generation, durable }, at))
    }

    /// Writes where the cursor stands, so that a later process finds it, but not after a loss of power.
    pub(super) fn note(&mut self, at: At) -> io::Result<()> {
        let slot = 1 - self.durable;
        let bytes = encode(self.generation.wrapping_add(1), at);
        disk::write_fully(self.file()?, &bytes, slot as u64 * APART)
    }

    /// Returns once the cursor stands there durably. May be tried again after an error: it is written
    /// anew.
    pub(super) fn save(&mut self, at: At) -> io::Result<()> {
        self.note(at)?;
        self.file()?.sync()?;
        if !self.is_named {
            self.folder.sync()?;
            self.is_named = true;
        }
        self.generation = self.generation.wrapping_add(1);
        self.durable = 1 - self.durable;
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn set_generation(&mut self, generation: u64) {
        self.generation = generation;
    }

    fn file(&mut self) -> io::Result<&dyn DiskFile> {
        if self.file.is_none() {
            self.file = Some(self.folder.create(NAME)?);
        }
        self.file.as_deref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Whether a number that is counted up, and wraps, was `one` before it was `other`.
pub(super) fn is_before(one: u64, other: u64) -> bool {
    one != other && other.wrapping_sub(one) < 1 << 63
}

const SLOT: usize = 40;
const APART: u64 = 4096;
const MAGIC: [u8; 8] = *b"BWCURSR\n";

/// Magic, checksum, version, generation, number, offset.
fn encode(generation: u64, at: At) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[12..16].copy_from_slice(&1u32.to_le_bytes());
    bytes[16..24].copy_from_slice(&generation.to_le_bytes());
    bytes[24..32].copy_from_slice(&at.number.to_le_bytes());
    bytes[32..40].copy_from_slice(&at.offset.to_le_bytes());
    let sum = header_sum(&bytes, 8);
    bytes[8..12].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<(u64, At)> {
    let bytes: &[u8; SLOT] = bytes.try_into().ok()?;
    let is_whole = bytes[..8] == MAGIC && u32_at(bytes, 8) == header_sum(bytes, 8);
    if !is_whole || u32_at(bytes, 12) != 1 {
        return None;
    }
    let number = |place: usize| {
        let eight = bytes[place..place + 8].try_into();
        eight.map_or(0, u64::from_le_bytes)
    };
    Some((number(16), At { number: number(24), offset: number(32) }))
}
