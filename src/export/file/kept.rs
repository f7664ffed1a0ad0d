//! Which rotated files there are, and how many of them stay.

use std::{fs, io, time::Duration};

use super::{
    disk,
    names::{Form, Names, Stamp, gzip},
};

/// How many rotated files stay: a file that is beyond one of these goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Keep {
    pub(super) files: Option<usize>,
    /// Of all rotated files together.
    pub(super) bytes: Option<u64>,
    pub(super) age: Option<Duration>,
}

/// A rotated file that was found; its path follows from its stamp and form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rotated {
    pub(super) stamp: Stamp,
    pub(super) form: Form,
    bytes: u64,
}

/// The rotated files, oldest first. Only files that have a name of ours: no folders, no links.
pub(super) fn list(names: &Names) -> io::Result<Vec<Rotated>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(&names.folder)? {
        let entry = entry?;
        let Some((stamp, form)) = names.read(&entry.file_name()) else { continue };
        // Another process may just have removed it.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() && form != Form::Temporary {
            found.push(Rotated { stamp, form, bytes: metadata.len() });
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Removes what a process left that ended while it was compressing. If it is still at work, it notices
/// and the plain file stays.
pub(super) fn remove_temporaries(names: &Names) -> io::Result<()> {
    let mut result = Ok(());
    for entry in fs::read_dir(&names.folder)? {
        let entry = entry?;
        let is_temporary =
            names.read(&entry.file_name()).is_some_and(|(_, form)| form == Form::Temporary);
        if is_temporary && entry.file_type()?.is_file() {
            result = result.and(disk::remove(&entry.path()));
        }
    }
    result
}

/// Removes those of `found` that are not to stay, oldest first, and leaves the others in it. The newest
/// one only goes because of its age, so that a shipper can read it to its end.
pub(super) fn retire(
    names: &Names,
    keep: &Keep,
    found: &mut Vec<Rotated>,
    second: u64,
) -> io::Result<()> {
    let (mut n_files, mut n_bytes) = (0, 0u64);
    let mut newer = None;
    let mut first_kept = 0;
    for (at, file) in found.iter().enumerate().rev() {
        // A plain and a compressed file of one stamp are one file, twice.
        n_files += usize::from(newer.replace(file.stamp) != Some(file.stamp));
        n_bytes = n_bytes.saturating_add(file.bytes);
        let is_beyond = keep.files.is_some_and(|most| n_files > most)
            || keep.bytes.is_some_and(|most| n_bytes > most);
        let age = file.stamp.seconds_until(second);
        let is_old = keep.age.is_some_and(|most| age > most.as_secs());
        if is_beyond && n_files > 1 || is_old {
            first_kept = at + 1;
            break;
        }
    }
    let mut result = Ok(());
    for file in found.drain(..first_kept) {
        let plain = names.plain(file.stamp);
        let path = if file.form == Form::Gzip { gzip(&plain) } else { plain };
        result = result.and(disk::remove(&path));
    }
    result
}
