//! Compresses one rotated file, so that at every instant the plain file or a whole compressed one is
//! there.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};

use super::{disk, names, open::Identity};
use crate::util::random;

/// Replaces the file `plain` by a compressed one; nothing happens if it is gone.
///
/// It is not replaced if it was written to, or another file took its place, meanwhile.
pub(super) fn compress(plain: &Path) -> io::Result<()> {
    let source = match fs::File::open(plain) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let temporary = names::temporary(plain, random::nonzero());
    let replaced = write(&source, &temporary).and_then(|n_bytes| {
        if !is_still(plain, &source, n_bytes)? {
            return Ok(false);
        }
        disk::rename(&temporary, &names::gzip(plain))?;
        // From here on both are there, and whole. A line that came last is in the plain one only, which
        // is compressed again then.
        if is_still(plain, &source, n_bytes)? {
            disk::remove(plain)?;
        }
        Ok(true)
    });
    if !matches!(replaced, Ok(true)) {
        let _ = fs::remove_file(&temporary);
    }
    replaced.map(drop)
}

/// Compresses all of `source`, and returns how much that was.
fn write(source: &fs::File, temporary: &Path) -> io::Result<u64> {
    let metadata = source.metadata()?;
    let target = fs::OpenOptions::new().write(true).create_new(true).open(temporary)?;
    target.set_permissions(metadata.permissions())?;
    let mut encoder = GzEncoder::new(io::BufWriter::new(target), Compression::default());
    let n_bytes = io::copy(&mut &*source, &mut encoder)?;
    let mut buffer = encoder.finish()?;
    buffer.flush()?;
    let target = buffer.get_ref();
    if let Ok(modified) = metadata.modified() {
        let _ = target.set_modified(modified);
    }
    // A loss of power must not leave the name without the content.
    target.sync_all()?;
    Ok(n_bytes)
}

/// Whether `plain` leads to `source` and is `n_bytes` long.
pub(super) fn is_still(plain: &Path, source: &fs::File, n_bytes: u64) -> io::Result<bool> {
    match fs::metadata(plain) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        there => {
            let there = there?;
            let same = Identity::of(&there) == Identity::of(&source.metadata()?);
            Ok(same && there.len() == n_bytes)
        }
    }
}
