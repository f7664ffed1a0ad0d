//! Appends spans and metrics to a file as JSON lines. The page of [`File`] describes its behaviour and
//! the schema.

use std::{
    fs,
    io::{self, Read as _, Seek as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Backend, Routes,
    wire::{
        lines::{self, Lines},
        record::{self, Format, Line},
    },
};
use crate::{
    diagnostics,
    error::{Error, ErrorKind},
    metric::DataPoint,
    pipeline::{Batch, Deadline, ExportError, ExportResult, Exporter, Route, Setup},
    sync::Mutex,
    trace::SpanRecord,
};

/// Appends spans and metrics to a file as JSON lines, for shippers that tail it (Filebeat, Fluent Bit,
/// Vector).
#[doc = include_str!("file.md")]
#[derive(Clone, Debug)]
pub struct File {
    service: String,
    /// Held while a batch is written, so that lines of two routes stay whole. No lock is taken inside
    /// it.
    appended: Arc<Mutex<Appended>>,
}

#[derive(Debug)]
struct Appended {
    /// Absolute, because a relative path changes its meaning with the current folder.
    path: PathBuf,
    opened: Opened,
    lines: Lines,
    /// Whether it was reported that the path leads elsewhere and cannot be opened there.
    is_lost: bool,
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
    /// [`ErrorKind::Io`], with the path, if it cannot be opened for appending.
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
        let path = std::path::absolute(&path).unwrap_or(path);
        let appended = Appended { path, opened, lines: Lines::default(), is_lost: false };
        Ok(Self { service: String::new(), appended: Arc::new(Mutex::new(appended)) })
    }
}

impl Appended {
    fn append<S: Line>(&mut self, service: &str, batch: &Batch<S>) -> ExportResult<S> {
        let place = format!("file {:?}", self.path);
        self.follow().map_err(|error| ExportError::retry(format_args!("{place}: {error}")))?;
        self.lines.clear(self.opened.torn);
        record::write(&mut self.lines, Format::Json, service, batch);
        let written = self.lines.write_to(&mut self.opened.file);
        lines::answer(written, batch, &mut self.opened.torn, &place)
    }

    /// Reopens the path if it surely leads to another file than the open one. If it cannot be opened,
    /// the open file stays in use, unless it has no name any more: then nothing could read what is
    /// written to it.
    fn follow(&mut self) -> io::Result<()> {
        let followed = match fs::metadata(&self.path) {
            Ok(there) if Identity::of(&there) == self.opened.identity => Ok(()),
            Ok(_) => self.reopen(),
            Err(error) if leads_nowhere(&error) => self.reopen(),
            // For example, the process may no longer have access. That says nothing about the path.
            Err(error) => Err(error),
        };
        match followed {
            Err(error) if self.opened.is_nameless() => return Err(error),
            Err(error) => {
                let was_lost = std::mem::replace(&mut self.is_lost, true);
                if !was_lost {
                    self.report(&error);
                }
            }
            Ok(()) => self.is_lost = false,
        }
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.opened = Opened::new(&self.path)?;
        Ok(())
    }

    fn report(&self, error: &io::Error) {
        let text = format_args!(
            "cannot follow {:?}: {error}; the file that is open is written to until that works again",
            self.path
        );
        diagnostics::report("file", text);
    }
}

impl Backend for File {
    fn routes(self, routes: &mut Routes) {
        routes.add(Route::<SpanRecord>::new(self.clone()));
        routes.add(Route::<DataPoint>::new(self));
    }
}

impl<S: Line> Exporter<S> for File {
    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        setup.service_name().clone_into(&mut self.service);
        Ok(())
    }

    fn export(&mut self, batch: &Batch<S>, deadline: &Deadline) -> ExportResult<S> {
        let Some(mut appended) = self.appended.try_lock_until(deadline.instant()) else {
            return Err(ExportError::retry("the file is busy with another signal"));
        };
        appended.append(&self.service, batch)
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

    /// Whether the file was removed for good: it is in no folder any more.
    #[cfg(unix)]
    fn is_nameless(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        self.file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.nlink() == 0)
    }

    /// An open file cannot be removed on this system.
    #[cfg(not(unix))]
    fn is_nameless(&self) -> bool {
        false
    }
}

/// Whether `error`, from a look at a path, means that nothing is there.
fn leads_nowhere(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn is_torn(path: &Path) -> io::Result<bool> {
    let mut file = fs::File::open(path)?;
    file.seek(io::SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// The identity of the file that a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    #[cfg(unix)]
    fn of(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self(metadata.dev(), metadata.ino())
    }

    /// Without identities every file counts as the same, so the open one is kept.
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
    use crate::{export::wire::span::sample, trace::SpanRecord};

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
        export_all(file, &batch).unwrap();
    }

    fn export_all(file: &mut File, batch: &Batch<SpanRecord>) -> ExportResult<SpanRecord> {
        file.export(batch, &Deadline::after(std::time::Duration::from_secs(20)))
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
        let error = export_all(&mut file, &batch).unwrap_err();
        assert!(format!("{error:?}").contains("Retry"), "{error:?}");
        assert!(error.to_string().contains("spans.jsonl"), "{error}");
        fs::create_dir_all(&folder.0).unwrap();
        export_all(&mut file, &batch).unwrap();
        assert_eq!(names(&folder.file()), ["a"]);
    }

    /// What `work` has reported of files.
    fn reported(path: &Path, work: impl FnOnce()) -> usize {
        let texts = Arc::new(Mutex::new(Vec::new()));
        let hook = texts.clone();
        let hook = move |kind: &str, text: &str| hook.lock().push(format!("{kind}: {text}"));
        diagnostics::set_hook(Some(Arc::new(hook)));
        work();
        diagnostics::set_hook(None);
        let begin = format!("file: cannot follow {path:?}: ");
        let texts = texts.lock();
        texts.iter().filter(|text| text.starts_with(&begin)).count()
    }

    #[test]
    fn a_path_that_leads_elsewhere_and_cannot_be_opened_leaves_the_open_file_and_is_reported_once()
    {
        // What becomes of the folder, and what makes it whole again.
        type Step = fn(&Path);
        let remove_folder: Step = |folder| fs::remove_dir_all(folder).unwrap();
        let remove_file: Step = |folder| fs::remove_file(folder).unwrap();
        let cases: [(&str, Step, Step); 4] = [
            ("gone", |_| {}, |_| {}),
            ("no-folder", |folder| fs::write(folder, "").unwrap(), remove_file),
            (
                "a-folder-at-the-path",
                |folder| fs::create_dir_all(folder.join("spans.jsonl")).unwrap(),
                remove_folder,
            ),
            (
                "a-circle-of-links",
                |folder| std::os::unix::fs::symlink(folder, folder).unwrap(),
                remove_file,
            ),
        ];
        for (name, spoil, mend) in cases {
            let folder = Folder::new(name);
            let (inner, moved) = (folder.0.join("logs"), folder.0.join("old"));
            let path = inner.join("spans.jsonl");
            fs::create_dir(&inner).unwrap();
            let mut file = File::open(&path).unwrap();
            export(&mut file, &["a"]);
            fs::rename(&inner, &moved).unwrap();
            spoil(&inner);
            let n_reports = reported(&path, || {
                export(&mut file, &["b"]);
                export(&mut file, &["c"]);
            });
            assert_eq!(n_reports, 1, "{name}");
            assert_eq!(names(&moved.join("spans.jsonl")), ["a", "b", "c"], "{name}");
            mend(&inner);
            fs::create_dir(&inner).unwrap();
            export(&mut file, &["d"]);
            assert_eq!(names(&path), ["d"], "{name}");
            // Another trouble is reported anew.
            fs::rename(&inner, folder.0.join("older")).unwrap();
            assert_eq!(reported(&path, || export(&mut file, &["e"])), 1, "{name}");
        }
    }

    #[test]
    fn a_folder_that_was_replaced_gets_a_file_of_its_own() {
        let folder = Folder::new("replaced");
        let (inner, moved) = (folder.0.join("logs"), folder.0.join("old"));
        fs::create_dir(&inner).unwrap();
        let path = inner.join("spans.jsonl");
        let mut file = File::open(&path).unwrap();
        export(&mut file, &["a"]);
        fs::rename(&inner, &moved).unwrap();
        fs::create_dir(&inner).unwrap();
        export(&mut file, &["b"]);
        assert_eq!(names(&moved.join("spans.jsonl")), ["a"]);
        assert_eq!(names(&path), ["b"]);
    }

    #[test]
    fn a_full_disk_is_tried_again() {
        let Ok(mut file) = File::open("/dev/full") else {
            // Not `eprintln!`, which is captured: the test would pass in silence.
            let _ = writeln!(io::stderr(), "SKIPPED: a full disk: no /dev/full");
            return;
        };
        let error = export_all(&mut file, &vec![sample("a")].into()).unwrap_err();
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
