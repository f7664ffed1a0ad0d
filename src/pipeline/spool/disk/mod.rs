//! What the spool asks of a file system: a folder, files that are read and written at an offset, and what
//! makes them durable. The [real] one, and in tests a model that loses power.

pub(crate) mod real;

#[cfg(test)]
mod changes;
#[cfg(test)]
pub(super) mod model;

use std::{any::Any, fmt, io, sync::Arc};

/// An open folder. Names are of entries of its own.
///
/// An implementor keeps others out: what it creates is for its own user alone, and an entry that is a
/// symbolic link, no file, or of another user gets an error of the kind [`io::ErrorKind::InvalidData`].
pub(crate) trait DiskFolder: fmt::Debug + Send + Sync {
    /// Calls `each` with the name of each entry, in no order.
    fn names(&self, each: &mut dyn FnMut(&str)) -> io::Result<()>;

    /// How many bytes the file has.
    fn length(&self, name: &str) -> io::Result<u64>;

    /// Creates a file that must not exist yet.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that exists, to read and to write.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a folder in this one. With `creates`, makes it if there is none, durably.
    fn sub_folder(&self, name: &str, creates: bool) -> io::Result<Arc<dyn DiskFolder>>;

    /// Renames a file; one of the new name is replaced.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Returns once what was created, renamed and removed is durable.
    fn sync(&self) -> io::Result<()>;

    /// Locks the folder by a file of this name, until the answer is dropped or the process has ended
    /// however it did; `None` if somebody else has it, in this process or in another one.
    fn lock(&self, name: &str) -> io::Result<Option<Box<dyn Any + Send + Sync>>>;

    /// The bytes that are free for this user on the file system, and all that it has.
    fn room(&self) -> io::Result<(u64, u64)>;
}

/// An open file.
pub(crate) trait DiskFile: fmt::Debug + Send {
    /// Reads what is at `offset`, as much as comes; 0 is the end of the file.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at `offset`, as much as goes.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Cuts the file off.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Returns once what was written is durable. After an error nobody knows what is: the system may have
    /// forgotten what it could not write, and say that all is well when it is asked again.
    fn sync(&self) -> io::Result<()>;
}

/// Reads until `bytes` are full or the file ends; how many bytes there were.
pub(super) fn read_fully(file: &dyn DiskFile, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut n_read = 0;
    while n_read < bytes.len() {
        match file.read_at(&mut bytes[n_read..], offset + n_read as u64) {
            Ok(0) => break,
            Ok(n) => n_read += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n_read)
}

/// Writes all of `bytes`. After an error, any part of them may be in the file.
pub(super) fn write_fully(file: &dyn DiskFile, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut n_written = 0;
    while n_written < bytes.len() {
        match file.write_at(&bytes[n_written..], offset + n_written as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => n_written += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether `error` says that an entry is not one of ours: a link, no file, or of another user.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}
