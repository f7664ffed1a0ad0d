//! Appends spans to a file as JSON lines; how it behaves, and the schema, is in [`File`]'s page.

use std::{
    fs,
    io::{self, Read as _, Seek as _},
    path::{Path, PathBuf},
};

use super::wire::{
    lines::{self, Lines},
    span,
};
use crate::{
    error::{Error, ErrorKind},
    pipeline::{Batch, ExportError, Exporter},
    trace::SpanRecord,
};

/// Appends spans to a file as JSON lines, for shippers that tail it (Filebeat, Fluent Bit, Vector).
#[doc = include_str!("file.md")]
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    opened: Opened,
    lines: Lines,
}

#[derive(Debug)]
struct Opened {
    file: fs::File,
    identity: Identity,
    torn: bool, // The file does not end with a line break.
}

impl File {
    /// Opens the file at `path`, or creates it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`], naming the path, when it cannot be opened for appending.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::export::File;
    ///
    /// let error = File::open("/no/such/folder/spans.jsonl").unwrap_err();
    /// assert_eq!(error.to_string(), r#"file "/no/such/folder/spans.jsonl" cannot be opened for appending"#);
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_path_buf();
        let opened = Opened::new(&path).map_err(|error| {
            let message = format!("file {path:?} cannot be opened for appending");
            Error::new(ErrorKind::Io, message).with_source(error)
        })?;
        Ok(Self { path, opened, lines: Lines::default() })
    }

    /// Opens the path anew if it no longer leads to the file that is open.
    fn follow(&mut self) -> io::Result<()> {
        let there = fs::metadata(&self.path).ok();
        if there.is_none_or(|there| Identity::of(&there) != self.opened.identity) {
            self.opened = Opened::new(&self.path)?;
        }
        Ok(())
    }
}

impl Exporter<SpanRecord> for File {
    fn export(&mut self, batch: &Batch<SpanRecord>) -> Result<(), ExportError<SpanRecord>> {
        let place = format!("file {:?}", self.path);
        self.follow().map_err(|error| ExportError::retry(format_args!("{place}: {error}")))?;
        self.lines.clear(self.opened.torn);
        for record in batch {
            self.lines.line(|out| span::write(out, record));
        }
        let written = self.lines.write_to(&mut self.opened.file);
        lines::answer(written, batch, &mut self.opened.torn, &place)
    }

    fn name(&self) -> &str {
        "file"
    }
}

impl Opened {
    fn new(path: &Path) -> io::Result<Self> {
        let file = fs::OpenOptions::new().append(true).create(true).open(path)?;
        let metadata = file.metadata()?;
        // A file that cannot be read can still be appended to.
        let torn = metadata.is_file() && metadata.len() > 0 && is_torn(path).unwrap_or(false);
        Ok(Self { file, identity: Identity::of(&metadata), torn })
    }
}

fn is_torn(path: &Path) -> io::Result<bool> {
    let mut file = fs::File::open(path)?;
    file.seek(io::SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Which file a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    #[cfg(unix)]
    fn of(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self(metadata.dev(), metadata.ino())
    }

    /// Without an identity every file is the same, and the one that is open is kept.
    #[cfg(not(unix))]
    fn of(_metadata: &fs::Metadata) -> Self {
        Self(0, 0)
    }
}
