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

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::export::wire::span::sample;

    /// A folder of this test's own, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = format!("bellwether-file-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(folder);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self) -> PathBuf {
            self.0.join("spans.jsonl")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn names(path: &Path) -> Vec<String> {
        let text = fs::read(path).unwrap();
        assert!(text.is_empty() || text.ends_with(b"\n"));
        let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let name = |line| {
            let read: Result<serde_json::Value, _> = serde_json::from_slice(line);
            read.map_or("torn".to_owned(), |span| span["name"].as_str().unwrap().to_owned())
        };
        lines.map(name).collect()
    }

    fn export(file: &mut File, names: &[&str]) {
        let batch = names.iter().map(|name| sample(name)).collect::<Vec<_>>().into();
        file.export(&batch).unwrap();
    }

    #[test]
    fn a_file_that_was_renamed_or_removed_is_opened_anew() {
        let folder = Folder::new("rotated");
        let (path, old) = (folder.file(), folder.0.join("spans.1"));
        let mut file = File::open(&path).unwrap();
        export(&mut file, &["a", "b"]);
        fs::rename(&path, &old).unwrap();
        export(&mut file, &["c"]);
        assert_eq!((names(&old), names(&path)), (vec!["a".into(), "b".into()], vec!["c".into()]));
        fs::remove_file(&path).unwrap();
        export(&mut file, &["d"]);
        assert_eq!(names(&path), ["d"]);
        fs::rename(&old, &path).unwrap(); // Another file stands there, with lines of its own.
        export(&mut file, &["e"]);
        assert_eq!(names(&path), ["a", "b", "e"]);
    }

    #[test]
    fn a_file_that_was_truncated_is_appended_to_from_its_new_end() {
        let folder = Folder::new("truncated");
        let path = folder.file();
        let mut file = File::open(&path).unwrap();
        export(&mut file, &["a", "b"]);
        fs::write(&path, "").unwrap();
        export(&mut file, &["c"]);
        assert_eq!(names(&path), ["c"]);
    }

    #[test]
    fn a_line_that_an_earlier_process_left_torn_stays_alone() {
        let folder = Folder::new("torn");
        let path = folder.file();
        fs::write(&path, r#"{"name":"ha"#).unwrap();
        let mut file = File::open(&path).unwrap();
        export(&mut file, &["a"]);
        export(&mut file, &["b"]);
        assert_eq!(names(&path), ["torn", "a", "b"]);
    }

    #[test]
    fn a_folder_that_vanished_is_tried_again_and_named() {
        let folder = Folder::new("vanished");
        let mut file = File::open(folder.file()).unwrap();
        fs::remove_dir_all(&folder.0).unwrap();
        let batch = vec![sample("a")].into();
        let error = file.export(&batch).unwrap_err();
        assert!(format!("{error:?}").contains("Retry"), "{error:?}");
        assert!(error.to_string().contains("spans.jsonl"), "{error}");
        fs::create_dir_all(&folder.0).unwrap();
        file.export(&batch).unwrap();
        assert_eq!(names(&folder.file()), ["a"]);
    }

    #[test]
    fn a_full_disk_is_tried_again() {
        let Ok(mut file) = File::open("/dev/full") else {
            // Not `eprintln!`, which is captured: the test would pass in silence.
            let _ = writeln!(io::stderr(), "SKIPPED: a full disk: no /dev/full");
            return;
        };
        let error = file.export(&vec![sample("a")].into()).unwrap_err();
        assert!(format!("{error:?}").contains("Retry"), "{error:?}");
    }

    #[test]
    fn lines_of_two_writers_do_not_interleave() {
        let folder = Folder::new("shared");
        let path = folder.file();
        let write = |name: &'static str| {
            let mut file = File::open(&path).unwrap();
            move || (0..50).for_each(|_| export(&mut file, &[name; 20]))
        };
        let threads = [write("a"), write("b")].map(std::thread::spawn);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let names = names(&path);
        assert_eq!(names.len(), 2000);
        assert_eq!(names.iter().filter(|name| *name == "a").count(), 1000);
    }
}
