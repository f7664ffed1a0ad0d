//! The calls that change a folder, in one place, so that tests can let each of them fail.

use std::{fs, io, path::Path};

pub(crate) mod call;
#[cfg(test)]
pub(crate) mod faults;
#[cfg(not(test))]
#[path = "faults_absent.rs"]
mod faults;

pub(super) use call::Call;
pub(super) use faults::writer;

/// Opens the live file for appending, or creates it.
pub(super) fn open(options: &fs::OpenOptions, path: &Path) -> io::Result<fs::File> {
    faults::before(Call::Open)?;
    options.open(path)
}

/// Creates an empty file at `path`, where nothing may be: of all who try, one succeeds.
pub(super) fn reserve(path: &Path) -> io::Result<()> {
    faults::before(Call::Reserve)?;
    fs::OpenOptions::new().write(true).create_new(true).open(path).map(drop)
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    faults::before(Call::Rename)?;
    fs::rename(from, to)
}

/// Removes a file; one that is gone already is no error.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    faults::before(Call::Remove)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
