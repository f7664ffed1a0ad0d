//! How a file is opened, rotated and kept.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    super::wire::record::Format,
    File,
    appended::{Appended, Settings},
};
use crate::{
    diagnostics,
    error::{Error, ErrorKind},
    sync::Mutex,
};

/// Options of a [`File`]; made by [`File::builder`].
///
/// # Examples
///
/// A file a day and at most 64 MiB each, of which a week stays, but never more than 2 GiB:
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("bellwether-doc-file-{}", std::process::id()));
/// use std::time::Duration;
/// use bellwether::export::{File, Rotation};
///
/// let file = File::builder(folder.join("app.jsonl"))
///     .create_folder()
///     .rotate_every(Rotation::Daily)
///     .rotate_bytes(64 << 20)
///     .keep_age(Duration::from_secs(7 * 24 * 3600))
///     .keep_bytes(2 << 30)
///     .open()?;
/// let telemetry = bellwether::builder("shop").export(file).start()?;
/// # drop(telemetry);
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `open`"]
pub struct FileBuilder {
    path: PathBuf,
    settings: Settings,
    rotation: Option<Rotation>,
    keep_bytes: Option<u64>,
}

/// When a file is rotated by the clock, in UTC. See [`FileBuilder::rotate_every`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rotation {
    /// At each full hour.
    Hourly,
    /// At midnight.
    Daily,
    /// At the multiples of this time since 1970-01-01T00:00:00Z: with a quarter of an hour, at `:00`,
    /// `:15`, `:30` and `:45`. One second at least.
    Every(Duration),
}

impl From<Duration> for Rotation {
    fn from(period: Duration) -> Self {
        Self::Every(period)
    }
}

impl Rotation {
    fn period(self) -> Duration {
        match self {
            Self::Hourly => Duration::from_secs(3600),
            Self::Daily => Duration::from_secs(24 * 3600),
            Self::Every(period) => period,
        }
    }
}

impl File {
    /// Opens the file at `path`, or creates it. It is not rotated; others may do that.
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
        Self::builder(path).open()
    }

    /// Begins a file at `path` with options: when it is rotated, what of the rotated files stays, with
    /// which permissions it is created.
    pub fn builder(path: impl AsRef<Path>) -> FileBuilder {
        FileBuilder {
            path: path.as_ref().to_path_buf(),
            settings: Settings::default(),
            rotation: None,
            keep_bytes: None,
        }
    }
}

impl FileBuilder {
    /// Rotates the file before a line that would make it larger than `n` bytes. A line that is larger
    /// than that itself has a file of its own. Where other processes append to the file too, it may be
    /// larger by what they write meanwhile. By default size is no reason to rotate.
    pub fn rotate_bytes(mut self, n: u64) -> Self {
        self.settings.rotate_bytes = Some(n);
        self
    }

    /// Rotates the file at each full hour, at midnight, or in other periods, by UTC. By default time is
    /// no reason to rotate.
    ///
    /// It is rotated before the first line of a new period is written; a file that is empty is not. A
    /// line is of the period in which it is written, so a batch may bring some spans of the last second
    /// of the one before. After a restart, the file is of the period in which it was last written to.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::export::{File, Rotation};
    ///
    /// let by_the_hour = File::builder("app.jsonl").rotate_every(Rotation::Hourly);
    /// let by_the_quarter = File::builder("app.jsonl").rotate_every(Duration::from_secs(900));
    /// ```
    pub fn rotate_every(mut self, period: impl Into<Rotation>) -> Self {
        self.rotation = Some(period.into());
        self
    }

    /// Keeps at most `n` rotated files, beside the live one, and removes the oldest ones. By default all
    /// are kept.
    ///
    /// This and the other limits are held at each rotation and when the file is opened. They only ever
    /// remove files whose names were made by the rotation of this very file.
    pub fn keep_files(mut self, n: usize) -> Self {
        self.settings.keep.files = Some(n);
        self
    }

    /// Keeps at most `n` bytes in all, and removes the oldest rotated files. With
    /// [`rotate_bytes`](Self::rotate_bytes) the live file is counted with as much as it may grow to;
    /// without, it comes on top. By default all are kept.
    ///
    /// The newest rotated file stays in any case, so that a shipper can read it to its end.
    pub fn keep_bytes(mut self, n: u64) -> Self {
        self.keep_bytes = Some(n);
        self
    }

    /// Keeps rotated files for at most `age` after their rotation, to the second. By default all are
    /// kept.
    pub fn keep_age(mut self, age: Duration) -> Self {
        self.settings.keep.age = Some(age);
        self
    }

    /// Compresses rotated files with gzip: `app-2026-11-29T10-00-00Z.jsonl` becomes
    /// `app-2026-11-29T10-00-00Z.jsonl.gz`, with the same permissions and time. By default they stay
    /// plain.
    ///
    /// The newest rotated file stays plain until the next rotation, and every one for ten seconds at
    /// least: a shipper that is behind still has it. A shipper must leave out `*.gz`, or it reads all lines
    /// again. It happens on a thread of its own, `bellwether-gzip`, which writing does not wait for, and
    /// neither does a shutdown. Where it is interrupted, the plain file is there as before, and the rest
    /// is cleaned up at the next start.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir().join(format!("bellwether-doc-gzip-{}", std::process::id()));
    /// use bellwether::export::{File, Rotation};
    ///
    /// let file = File::builder(folder.join("app.jsonl"))
    ///     .create_folder()
    ///     .rotate_every(Rotation::Daily)
    ///     .gzip()
    ///     .open()?;
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    #[cfg(feature = "gzip")]
    #[cfg_attr(docsrs, doc(cfg(feature = "gzip")))]
    pub fn gzip(mut self) -> Self {
        self.settings.gzip = true;
        self
    }

    /// Writes log records with the field names of the Elastic Common Schema (8.11), so that Filebeat and
    /// Elasticsearch need no mapping: `@timestamp`, `log.level`, `message`, `trace.id`, and attributes under
    /// their own keys. Spans and metrics, for which it has no fields, stay as they are.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir().join(format!("bellwether-doc-ecs-{}", std::process::id()));
    /// use bellwether::{export::{File, Route}, log::LogRecord};
    ///
    /// let file = File::builder(folder.join("app.jsonl")).create_folder().ecs().open()?;
    /// let logs = Route::<LogRecord>::new(file);
    /// let telemetry = bellwether::builder("shop").export(logs).start()?;
    /// # std::fs::remove_dir_all(&folder).unwrap();
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn ecs(mut self) -> Self {
        self.settings.format = Format::Ecs;
        self
    }

    /// Gives files that are created the permissions `mode`, whatever the umask: `0o640` for the owner
    /// and a group that may read. A file that exists keeps its own. By default the umask decides.
    #[cfg(unix)]
    pub fn mode(mut self, mode: u32) -> Self {
        self.settings.creation.mode = Some(mode);
        self
    }

    /// Creates the folder if it is missing, and its parents, when the file is opened and whenever it is
    /// opened again. By default a missing folder is an error.
    pub fn create_folder(mut self) -> Self {
        self.settings.creation.makes_folder = true;
        self
    }

    /// Opens the file, or creates it, and cleans up behind an earlier process: what it left of a
    /// compression, and rotated files beyond the limits.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidOption`], if a file could hold nothing, a period is shorter than a second,
    ///   no rotated file could stay, or the bytes to keep are less than two files of `rotate_bytes`.
    /// - [`ErrorKind::Io`], with the path, if it cannot be opened for appending.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::export::File;
    ///
    /// let error = File::builder("app.jsonl").rotate_bytes(1000).keep_bytes(1500).open().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"file "app.jsonl": keep_bytes (1500) must have room for two files of rotate_bytes (1000)"#
    /// );
    /// ```
    pub fn open(self) -> Result<File, Error> {
        let path = self.path.clone();
        let settings = self.settings()?;
        let mut appended = Appended::new(&path, settings).map_err(|error| {
            let message = format!("file {path:?} cannot be opened for appending");
            Error::new(ErrorKind::Io, message).with_source(error)
        })?;
        if let Some(report) = appended.tidy_at_start() {
            diagnostics::report("file", format_args!("{report}"));
        }
        Ok(File { service: String::new(), appended: Arc::new(Mutex::new(appended)) })
    }

    /// The settings, if they can be held.
    fn settings(mut self) -> Result<Settings, Error> {
        let wrong = |text: String| {
            Err(Error::new(ErrorKind::InvalidOption, format!("file {:?}: {text}", self.path)))
        };
        let rotate_bytes = self.settings.rotate_bytes;
        if rotate_bytes == Some(0) {
            return wrong("rotate_bytes must be at least 1".to_owned());
        }
        if self.settings.keep.files == Some(0) {
            return wrong("keep_files must be at least 1".to_owned());
        }
        if let (Some(most), Some(each)) = (self.keep_bytes, rotate_bytes)
            && most / 2 < each
        {
            return wrong(format!(
                "keep_bytes ({most}) must have room for two files of rotate_bytes ({each})"
            ));
        }
        if let Some(period) = self.rotation.map(Rotation::period) {
            if period < Duration::from_secs(1) {
                return wrong("rotate_every must be at least a second".to_owned());
            }
            let nanos = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
            self.settings.period_nanos = Some(nanos);
        }
        self.settings.keep.bytes =
            self.keep_bytes.map(|most| most - rotate_bytes.unwrap_or_default());
        Ok(self.settings)
    }
}
