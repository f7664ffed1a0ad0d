//! The folders of a spool: which one is written to, what is in it, and what others left behind.

use std::{io, sync::Arc};

use super::{
    cursor::{At, Cursor, NAME, WHOLE, is_before},
    disk::DiskFolder,
    format::Mark,
    state::{Key, Leftover, Place, Segment, UNKNOWN},
};

/// A folder that was found, with what is in it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) place: Arc<Place>,
    pub(super) cursor: Cursor,
    pub(super) segments: Vec<Segment>, // In order, the oldest first.
    pub(super) leftovers: Vec<Leftover>,
    /// The number for the next segment.
    pub(super) next: u64,
}

/// Takes the first folder that nobody has: `root` itself, or its sub-folder `2`, `3`, and so on.
pub(super) fn take_home(root: &Arc<dyn DiskFolder>) -> io::Result<Found> {
    if let Some(found) = take(root, "")? {
        return Ok(found);
    }
    let mut trouble = None;
    for number in 2..=MOST_FOLDERS {
        let name = number.to_string();
        match root.sub_folder(&name, true).and_then(|folder| take(&folder, &name)) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            // It may be somebody's trap, or a leftover of another user: the next one may be in order.
            Err(error) => {
                trouble.get_or_insert(error);
            }
        }
    }
    Err(trouble.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

/// Takes what processes left behind that have ended: each folder that nobody holds and that has something
/// to read. Trouble with one of them is no trouble of ours: it stays as it is.
pub(super) fn take_abandoned(root: &Arc<dyn DiskFolder>) -> io::Result<Vec<Found>> {
    let mut numbers = Vec::new();
    root.names(&mut |name| {
        let number = name.parse::<u32>().ok();
        numbers.extend(number.filter(|number| number.to_string() == name && *number > 1));
    })?;
    numbers.sort_unstable();
    let own = std::iter::once((root.clone(), String::new()));
    let below = numbers.into_iter().filter_map(|number| {
        let name = number.to_string();
        Some((root.sub_folder(&name, false).ok()?, name))
    });
    let found = own.chain(below).filter_map(|(folder, name)| take(&folder, &name).ok()?);
    // Each costs two open files while it is read.
    Ok(found.filter(|found| !found.segments.is_empty()).take(MOST_ABANDONED).collect())
}

/// Locks the folder and looks what is in it; `None` if it is locked.
fn take(folder: &Arc<dyn DiskFolder>, name: &str) -> io::Result<Option<Found>> {
    let Some(lock) = folder.lock(LOCK)? else {
        return Ok(None);
    };
    let place = Arc::new(Place::new(name.into(), folder.clone(), lock));
    let (cursor, at) = match Cursor::open(folder.clone()) {
        // A link, or the file of somebody else: not to be followed, and not to be kept.
        Err(error) if super::disk::is_refusal(&error) => {
            folder.remove(NAME)?;
            Cursor::open(folder.clone())?
        }
        opened => opened?,
    };
    let mut found = Found { place, cursor, segments: Vec::new(), leftovers: Vec::new(), next: 1 };
    found.look(at)?;
    Ok(Some(found))
}

impl Found {
    fn look(&mut self, at: Option<At>) -> io::Result<()> {
        let mut names = Vec::new();
        self.place.folder.names(&mut |name| names.extend(Named::parse(name)))?;
        let (read, aside): (Vec<_>, Vec<_>) = names.into_iter().partition(|named| named.is_read);
        for named in aside {
            let name = named.name();
            let bytes = self.place.folder.length(&name).unwrap_or(0);
            self.leftovers.push(Leftover { place: self.place.clone(), name, bytes });
        }
        let read = in_order(read);
        let newest = read.last().map(|named| named.number);
        // After the cursor too, though there may be no segment any more: all before it counts as done.
        let newest = match (newest, at) {
            (Some(number), Some(at)) if is_before(number, at.number) => Some(at.number),
            (None, Some(at)) => Some(at.number),
            (newest, _) => newest,
        };
        self.next = newest.map_or(1, |number| number.wrapping_add(1));
        read.into_iter().for_each(|named| self.add(named, at));
        Ok(())
    }

    /// Adds a segment, unless it is done with: then it goes, as its removal was begun, or undone.
    fn add(&mut self, named: Named, at: Option<At>) {
        let name = named.name();
        let (bytes, readable) = match self.place.folder.length(&name) {
            Ok(bytes) => (bytes, bytes),
            Err(_) => (0, UNKNOWN),
        };
        let done = match at {
            Some(at) if is_before(named.number, at.number) => WHOLE,
            Some(at) if named.number == at.number => at.offset,
            _ => 0,
        };
        if done >= readable && done > 0 {
            if self.place.folder.remove(&name).is_err() {
                self.leftovers.push(Leftover { place: self.place.clone(), name, bytes });
            }
            return;
        }
        let key = Key { place: self.place.clone(), number: named.number, mark: named.mark };
        let mut segment = Segment::new(key, bytes);
        segment.is_sealed = true;
        segment.readable = readable;
        (segment.read, segment.handed, segment.done) = (done, done, done);
        self.segments.push(segment);
    }
}

/// The name of a segment: its number, its mark, and whether it is read or was set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub(super) number: u64,
    pub(super) mark: Mark,
    pub(super) is_read: bool,
}

impl Named {
    pub(super) fn of(key: &Key) -> Self {
        Self { number: key.number, mark: key.mark, is_read: true }
    }

    pub(super) fn name(self) -> String {
        let ending = if self.is_read { "seg" } else { "aside" };
        format!("{:016x}-{:016x}.{ending}", self.number, u64::from_be_bytes(self.mark))
    }

    fn parse(name: &str) -> Option<Self> {
        let (stem, ending) = name.split_once('.')?;
        let (number, mark) = stem.split_once('-')?;
        let hex = |text| u64::from_str_radix(text, 16).ok();
        let (number, mark) = (hex(number)?, hex(mark)?.to_be_bytes());
        let named = Self { number, mark, is_read: ending == "seg" };
        (named.name() == name).then_some(named)
    }
}

/// Sorts by number. Numbers are counted up and wrap, and those in use are a small part of all: so the
/// oldest one is the first after the widest gap.
fn in_order(mut names: Vec<Named>) -> Vec<Named> {
    names.sort_unstable();
    let before = names.iter().cycle().skip(names.len().saturating_sub(1));
    let gaps = names.iter().zip(before).map(|(named, before)| {
        // Of the only one, the gap is that around the whole circle.
        named.number.wrapping_sub(before.number).wrapping_sub(1)
    });
    let widest = gaps.enumerate().max_by_key(|&(place, gap)| (gap, std::cmp::Reverse(place)));
    names.rotate_left(widest.map_or(0, |(place, _)| place));
    names
}

/// The file by which a folder is locked. It stays: who removed it could remove one that is locked.
const LOCK: &str = "lock";

/// Arbitrary; far more than processes that share a spool.
const MOST_FOLDERS: u32 = 1024;

/// Arbitrary; the next look finds more.
const MOST_ABANDONED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn named(number: u64) -> Named {
        Named { number, mark: *b"marked!!", is_read: true }
    }

    #[test]
    fn numbers_that_wrap_are_in_order() {
        let ordered = |numbers: &[u64]| -> Vec<u64> {
            in_order(numbers.iter().copied().map(named).collect())
                .iter()
                .map(|named| named.number)
                .collect()
        };
        assert_eq!(ordered(&[]), [0; 0]);
        assert_eq!(ordered(&[7]), [7]);
        assert_eq!(ordered(&[3, 1, 2]), [1, 2, 3]);
        assert_eq!(ordered(&[0, 1, u64::MAX]), [u64::MAX, 0, 1]);
        assert_eq!(ordered(&[1 << 63, u64::MAX, 2]), [u64::MAX, 2, 1 << 63]);
    }

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let name = named(255).name();
        assert_eq!(name, "00000000000000ff-6d61726b65642121.seg");
        assert_eq!(Named::parse(&name), Some(named(255)));
        let aside = Named { is_read: false, ..named(1) };
        assert_eq!(Named::parse(&aside.name()), Some(aside));
        for other in [
            "lock",
            "cursor",
            "2",
            "",
            "00000000000000FF-6d61726b65642121.seg",
            "ff-6d61726b65642121.seg",
            "00000000000000ff-6d61726b65642121.tmp",
            "+0000000000000ff-6d61726b65642121.seg",
        ] {
            assert_eq!(Named::parse(other), None, "{other}");
        }
    }
}
