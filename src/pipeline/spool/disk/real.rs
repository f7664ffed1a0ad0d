//! The file system of the operating system. All is done below an open folder, so that nobody can put
//! another one in its place, and a change of the current folder changes nothing.

use std::{
    any::Any,
    ffi::OsStr,
    fs::{File, Permissions},
    io,
    os::{
        fd::OwnedFd,
        unix::fs::{FileExt as _, PermissionsExt as _},
    },
    path::Path,
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Stat},
    io::Errno,
};

use super::{DiskFile, DiskFolder};
use crate::util::process;

/// Opens the folder, and creates it and those above it if there are none, durably.
///
/// The error says what is wrong with the folder itself.
pub(crate) fn open(path: &Path) -> io::Result<Arc<dyn DiskFolder>> {
    create_folders(path)?;
    open_folder(rustix::fs::CWD, path.as_os_str())
}

#[derive(Debug)]
struct RealFolder(OwnedFd);

#[derive(Debug)]
struct RealFile(File);

impl DiskFolder for RealFolder {
    fn names(&self, each: &mut dyn FnMut(&str)) -> io::Result<()> {
        for entry in Dir::read_from(&self.0)? {
            if let Ok(name) = entry?.file_name().to_str() {
                each(name);
            }
        }
        Ok(())
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(u64::try_from(stat.st_size).unwrap_or(0))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(self.create_file(name)?)))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(self.open_file(name)?)))
    }

    fn sub_folder(&self, name: &str, creates: bool) -> io::Result<Arc<dyn DiskFolder>> {
        if creates {
            match rustix::fs::mkdirat(&self.0, name, Mode::RWXU) {
                Ok(()) => {
                    // As the umask may have taken away what the owner needs.
                    rustix::fs::chmodat(&self.0, name, Mode::RWXU, AtFlags::empty())?;
                    self.sync()?;
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        open_folder(&self.0, OsStr::new(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    fn lock(&self, name: &str) -> io::Result<Option<Box<dyn Any + Send + Sync>>> {
        let file = match self.create_file(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.open_file(name)?,
            created => created?,
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Box::new(Lock { file, generation: process::generation() }))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    #[allow(clippy::useless_conversion, reason = "the types of the fields differ by system")]
    fn room(&self) -> io::Result<(u64, u64)> {
        let found = rustix::fs::fstatvfs(&self.0)?;
        let bytes = |blocks: u64| blocks.saturating_mul(u64::from(found.f_frsize));
        Ok((bytes(found.f_bavail.into()), bytes(found.f_blocks.into())))
    }
}

impl RealFolder {
    fn create_file(&self, name: &str) -> io::Result<File> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?;
        let file = File::from(fd);
        // As the umask may have taken away what the owner needs.
        file.set_permissions(Permissions::from_mode(0o600))?;
        Ok(file)
    }

    fn open_file(&self, name: &str) -> io::Result<File> {
        // Not to wait for the other end, if it is a pipe.
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = rustix::fs::openat(&self.0, name, flags, Mode::empty()).map_err(of_open)?;
        let stat = rustix::fs::fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(refusal("is no file"));
        }
        check_owner(&stat)?;
        Ok(File::from(fd))
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

fn create_folders(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()), // The root of all.
    };
    let made = match rustix::fs::mkdir(path, Mode::RWXU) {
        Err(Errno::NOENT) => {
            create_folders(parent)?;
            rustix::fs::mkdir(path, Mode::RWXU)
        }
        made => made,
    };
    match made {
        Ok(()) => {
            std::fs::set_permissions(path, Permissions::from_mode(0o700))?;
            File::open(parent)?.sync_all()
        }
        Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn open_folder(below: impl std::os::fd::AsFd, path: &OsStr) -> io::Result<Arc<dyn DiskFolder>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(below, path, flags, Mode::empty()).map_err(of_open)?;
    let stat = rustix::fs::fstat(&fd)?;
    check_owner(&stat)?;
    if Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
        return Err(refusal("may be written to by other users"));
    }
    Ok(Arc::new(RealFolder(fd)))
}

fn check_owner(stat: &Stat) -> io::Result<()> {
    match stat.st_uid == rustix::process::geteuid().as_raw() {
        true => Ok(()),
        false => Err(refusal("belongs to another user")),
    }
}

/// The error of an open that follows no links.
fn of_open(error: Errno) -> io::Error {
    match error {
        Errno::LOOP | Errno::NOTDIR => refusal("is a symbolic link, or not what it should be"),
        error => error.into(),
    }
}

fn refusal(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The lock of a folder. Children that were forked meanwhile have it too, until they end: closing the file would
/// leave it locked. So it is opened, by whom it belongs to.
struct Lock {
    file: File,
    generation: u32,
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.generation == process::generation() {
            let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
        }
    }
}
