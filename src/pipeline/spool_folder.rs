//! Where a route keeps its records on disk.

use std::{path::PathBuf, time::Duration};

use super::SpoolSettings;

/// Where a route keeps its records on disk, and how many.
///
/// # Examples
///
/// ```
/// use bellwether::pipeline::SpoolFolder;
///
/// let folder = SpoolFolder::new("/var/spool/shop").max_bytes(64 << 20);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a folder that is given to no route keeps nothing"]
pub struct SpoolFolder {
    pub(super) path: PathBuf,
    pub(super) settings: SpoolSettings,
    /// How often it is looked for what other processes left.
    pub(super) adopts_every: Duration,
}

impl SpoolFolder {
    /// Keeps at most 1 GiB in the folder `path`, which is created if there is none. It is for one route of
    /// one process; another process finds it locked and takes a sub-folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let (path, settings) = (path.into(), SpoolSettings::default());
        Self { path, settings, adopts_every: ADOPTS_EVERY }
    }

    /// The most bytes on disk. Beyond them the oldest records are dropped, some MiB at a time, with the
    /// reason `spool_full`. At least 4 KiB.
    pub fn max_bytes(mut self, n: u64) -> Self {
        self.settings.max_bytes = n;
        self
    }

    /// How many bytes are left free on the file system; by default 512 MiB, or a twentieth of it if that is
    /// less. What would take more is sent without having been on disk, or waits in memory.
    pub fn free_bytes(mut self, n: u64) -> Self {
        self.settings.free_floor = Some(n);
        self
    }
}

/// How often a spool looks for what others left. Arbitrary.
const ADOPTS_EVERY: Duration = Duration::from_secs(60);

impl<P: Into<PathBuf>> From<P> for SpoolFolder {
    fn from(path: P) -> Self {
        Self::new(path)
    }
}
