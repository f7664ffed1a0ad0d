//! The file that is open: which file it is, how long it is, and whether its last line has an end.

use std::{
    fs,
    io::{self, Read as _, Seek as _, Write as _},
    ops::Range,
    path::Path,
};

use super::disk;
use crate::export::wire::lines::{Lines, Written};

/// How a file is created if there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Creation {
    #[cfg_attr(not(unix), expect(dead_code, reason = "permissions are those of Unix"))]
    pub(super) mode: Option<u32>,
    pub(super) makes_folder: bool,
}

#[derive(Debug)]
pub(super) struct Opened {
    file: fs::File,
    /// The same file, to look at its end; `None` if it cannot be read. `file` cannot do that: a pipe that
    /// is open for both would never be closed.
    reader: Option<fs::File>,
    identity: Identity,
    /// Whether it is a file on a disk: not a pipe, a terminal or a device.
    pub(super) is_regular: bool,
    /// As of the last look and what was written since.
    pub(super) n_bytes: u64,
    /// When it was last written to before it was opened, in nanoseconds since the Unix epoch; `None`
    /// if it was empty.
    pub(super) written: Option<u64>,
    pub(super) torn: bool, // It does not end with a line break.
}

impl Opened {
    pub(super) fn new(path: &Path, creation: &Creation) -> io::Result<Self> {
        let file = match open(path, creation) {
            Err(error) if creation.makes_folder && error.kind() == io::ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                open(path, creation)?
            }
            opened => opened?,
        };
        let metadata = file.metadata()?;
        let identity = Identity::of(&metadata);
        let is_same = |reader: &fs::File| {
            reader.metadata().is_ok_and(|metadata| Identity::of(&metadata) == identity)
        };
        let is_regular = metadata.is_file();
        let reader = if is_regular { fs::File::open(path).ok().filter(is_same) } else { None };
        let mut opened =
            Self { file, reader, identity, is_regular, n_bytes: 0, written: None, torn: false };
        opened.look(&metadata);
        if opened.n_bytes > 0 {
            let modified = metadata.modified().ok();
            let since = modified.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            opened.written = Some(since.map_or(0, |since| since.as_nanos() as u64));
        }
        Ok(opened)
    }

    /// Whether `metadata` is that of this file.
    pub(super) fn is(&self, metadata: &fs::Metadata) -> bool {
        Identity::of(metadata) == self.identity
    }

    /// Takes note of what others wrote, or of what they cut off, by the file's `metadata`.
    pub(super) fn look(&mut self, metadata: &fs::Metadata) {
        if self.is_regular && metadata.len() != self.n_bytes {
            self.n_bytes = metadata.len();
            // A file that cannot be read can still be appended to.
            self.torn = self.n_bytes > 0 && self.ends_torn().unwrap_or(false);
        }
    }

    /// [`look`](Self::look), where no path leads to the file.
    pub(super) fn look_without_path(&mut self) {
        if let Ok(metadata) = self.file.metadata() {
            self.look(&metadata);
        }
    }

    /// Ends a torn line, so that the next one stands alone.
    pub(super) fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            disk::writer(&mut self.file).write_all(b"\n")?;
            self.torn = false;
            self.n_bytes += 1;
        }
        Ok(())
    }

    /// Ends a torn line in a file that goes: one that lacks only its end would not be read where nothing
    /// is added any more. If the disk does not have that byte, it stays so.
    pub(super) fn leave(mut self) {
        self.look_without_path();
        let _ = self.mend();
    }

    /// Appends these lines.
    pub(super) fn write(&mut self, lines: &Lines, part: Range<usize>) -> Written {
        let written = lines.write_part(part, &mut disk::writer(&mut self.file));
        self.n_bytes += written.n_bytes;
        written
    }

    /// Whether the file was removed for good: it is in no folder any more.
    #[cfg(unix)]
    pub(super) fn is_nameless(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        self.file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.nlink() == 0)
    }

    /// An open file cannot be removed on this system.
    #[cfg(not(unix))]
    pub(super) fn is_nameless(&self) -> bool {
        false
    }

    fn ends_torn(&self) -> io::Result<bool> {
        let Some(mut reader) = self.reader.as_ref() else { return Ok(false) };
        for _ in 0..LOOKS {
            reader.seek(io::SeekFrom::End(-1))?;
            let mut last = [0];
            reader.read_exact(&mut last)?;
            if last == *b"\n" {
                return Ok(false);
            }
            std::thread::yield_now();
        }
        Ok(true)
    }
}

/// How often the end is looked at before it counts as torn. Another process may be about to write a line,
/// of which a part can be read already; if that takes longer, an empty line follows it. Arbitrary.
const LOOKS: usize = 100;

#[cfg(not(unix))]
fn open(path: &Path, _creation: &Creation) -> io::Result<fs::File> {
    disk::open(fs::OpenOptions::new().append(true).create(true), path)
}

/// A file that is new here gets its permissions as they were asked for, whatever the umask says; one
/// that exists keeps its own.
#[cfg(unix)]
fn open(path: &Path, creation: &Creation) -> io::Result<fs::File> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let mut options = fs::OpenOptions::new();
    options.append(true);
    if let Some(mode) = creation.mode {
        match disk::open(options.mode(mode).create_new(true), path) {
            Ok(file) => {
                file.set_permissions(fs::Permissions::from_mode(mode))?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    disk::open(options.create_new(false).create(true), path)
}

/// The identity of the file that a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    #[cfg(unix)]
    pub(super) fn of(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self(metadata.dev(), metadata.ino())
    }

    /// Without identities every file counts as the same, so the open one is kept.
    #[cfg(not(unix))]
    pub(super) fn of(_metadata: &fs::Metadata) -> Self {
        Self(0, 0)
    }
}
