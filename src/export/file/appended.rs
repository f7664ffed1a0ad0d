//! Appends batches to the live file: follows the path, rotates the file when it is due, and keeps the
//! rotated ones within their limits.
//!
//! Several processes may do this on one path; there is no lock between them. What they rely on:
//!
//! - A line is appended by `O_APPEND` to whatever file is open, so it is in that file whatever the file
//!   is called by then.
//! - A rotated file's name is taken by creating it empty, which only one can do (`disk::reserve`). The
//!   live file is then renamed onto that: no rename replaces anything else.
//! - Of two that rotate at once, one finds that the path leads elsewhere, or nowhere; it follows. If
//!   it found that too late, it has renamed the other one's new file: which is then short, and whole.
//! - Who is late may still append to a file that was just rotated. So a rotated file is compressed only
//!   after some time, and not before the next rotation (`compressor`).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    compressor::Compressor,
    disk,
    kept::{self, Keep},
    names::{Form, Names, Stamp},
    open::{Creation, Opened},
    trouble::{Report, Trouble},
};
use crate::{
    clock,
    export::wire::{
        lines::{self, Lines},
        record::{self, Format, Line},
    },
    pipeline::{Batch, ExportResult},
};

/// What was asked for when the file was opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) rotate_bytes: Option<u64>,
    /// Periods of this length, counted from the Unix epoch, have files of their own. Not zero.
    pub(super) period_nanos: Option<u64>,
    pub(super) keep: Keep,
    pub(super) gzip: bool,
    pub(super) format: Format,
    pub(super) creation: Creation,
}

impl Settings {
    /// Whether there is anything to do about rotated files.
    fn tidies(&self) -> bool {
        let Keep { files, bytes, age } = &self.keep;
        files.is_some() || bytes.is_some() || age.is_some() || self.gzip
    }
}

#[derive(Debug)]
pub(super) struct Appended {
    /// Absolute, because a relative path changes its meaning with the current folder.
    path: PathBuf,
    settings: Settings,
    opened: Opened,
    /// Which period the lines of the open file are of; 0 if there are no periods.
    period: u64,
    lines: Lines,
    /// The newest name that was made here: no later one is below it, whatever becomes of the file.
    newest: Option<Stamp>,
    pub(super) compressor: Compressor,
    follows: Trouble,
    rotates: Trouble,
    keeps: Trouble,
}

impl Appended {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn new(path: &Path, settings: Settings) -> io::Result<Self> {
        let opened = Opened::new(path, &settings.creation)?;
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let mut appended = Self {
            path,
            settings,
            opened,
            period: 0,
            lines: Lines::default(),
            newest: None,
            compressor: Compressor::default(),
            follows: Trouble::new("cannot follow", "the file that is open is written to"),
            rotates: Trouble::new("cannot rotate", "the file that is open is written to"),
            keeps: Trouble::new("cannot tidy up rotated files of", "they stay"),
        };
        appended.begin_period();
        Ok(appended)
    }

    /// Cleans up behind an earlier process, and holds the limits.
    pub(super) fn tidy_at_start(&mut self) -> Option<Report> {
        if !self.opened.is_regular || !self.settings.tidies() {
            return None;
        }
        let tidied = self.names().and_then(|names| {
            kept::remove_temporaries(&names).and(self.tidy(&names, second(clock::unix_nanos())))
        });
        self.keeps.note(tidied, &self.path)
    }

    /// Appends `batch`, in as many files as it takes, and adds to `reports` what is to be reported once
    /// nothing is locked.
    pub(super) fn append<S: Line>(
        &mut self,
        service: &str,
        batch: &Batch<S>,
        reports: &mut Vec<Report>,
    ) -> ExportResult<S> {
        let place = format!("file {:?}", self.path);
        self.follow(reports).map_err(|error| lines::unsent(&error, batch, 0, &place))?;
        self.lines.clear(false);
        record::write(&mut self.lines, self.settings.format, service, batch);
        let (mut next, mut may_rotate) = (0, self.opened.is_regular);
        while next < self.lines.len() {
            may_rotate = may_rotate && self.rotate_if_due(next, reports);
            let ended = self.opened.mend();
            ended.map_err(|error| lines::unsent(&error, batch, next, &place))?;
            let part = match self.settings.rotate_bytes {
                Some(most) if may_rotate => {
                    self.lines.fitting(next, most.saturating_sub(self.opened.n_bytes))
                }
                _ => next..self.lines.len(),
            };
            next = part.end;
            let written = self.opened.write(&self.lines, part);
            lines::answer(written, batch, &mut self.opened.torn, &place)?;
        }
        Ok(())
    }

    /// Reopens the path if it surely leads to another file than the open one. If it cannot be opened,
    /// the open file stays in use, unless it has no name any more: then nothing could read what is
    /// written to it.
    fn follow(&mut self, reports: &mut Vec<Report>) -> io::Result<()> {
        let followed = match fs::metadata(&self.path) {
            Ok(there) if self.opened.is(&there) => {
                self.opened.look(&there);
                Ok(())
            }
            Ok(_) => self.reopen(),
            Err(error) if leads_nowhere(&error) => self.reopen(),
            // For example, the process may no longer have access. That says nothing about the path.
            Err(error) => Err(error),
        };
        if followed.is_err() {
            if self.opened.is_nameless() {
                return followed;
            }
            self.opened.look_without_path();
        }
        reports.extend(self.follows.note(followed, &self.path));
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        let opened = Opened::new(&self.path, &self.settings.creation)?;
        std::mem::replace(&mut self.opened, opened).leave();
        self.begin_period();
        // It lacked nothing but this.
        self.rotates.ended();
        Ok(())
    }

    /// Takes the period of the lines that are in the open file, or that of now if there are none.
    fn begin_period(&mut self) {
        if let Some(nanos) = self.settings.period_nanos {
            self.period = self.opened.written.unwrap_or_else(clock::unix_nanos) / nanos;
        }
    }

    /// Rotates the open file if the line `next` is not to be in it. `false` if that fails: then the rest
    /// of the batch goes where it can.
    fn rotate_if_due(&mut self, next: usize, reports: &mut Vec<Report>) -> bool {
        let Settings { rotate_bytes, period_nanos, .. } = self.settings;
        let is_full = rotate_bytes.is_some_and(|most| {
            self.opened.n_bytes.saturating_add(self.lines.n_bytes(next)) > most
        });
        let is_over = period_nanos.is_some_and(|nanos| {
            let now = clock::unix_nanos() / nanos;
            // If the clock was set back, the file's lines count as of now, as its next ones are.
            std::mem::replace(&mut self.period, now) < now
        });
        if self.opened.n_bytes == 0 || !(is_full || is_over) {
            return true;
        }
        let rotated = self.rotate(clock::unix_nanos(), reports);
        let is_rotated = rotated.is_ok();
        if !is_rotated && is_over {
            self.period = self.period.saturating_sub(1); // It is over still.
        }
        reports.extend(self.rotates.note(rotated, &self.path));
        is_rotated
    }

    /// Renames the open file and opens a new one in its place.
    fn rotate(&mut self, now: u64, reports: &mut Vec<Report>) -> io::Result<()> {
        self.opened.mend()?;
        let names = self.names()?;
        let found = kept::list(&names)?.last().map(|newest| newest.stamp);
        let (stamp, target) = reserve(&names, second(now), found.max(self.newest))?;
        let renamed = match fs::metadata(&self.path) {
            Ok(there) if self.opened.is(&there) => disk::rename(&names.live, &target),
            // Another process was faster.
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        if let Err(error) = renamed {
            give_back(&target);
            return match leads_nowhere(&error) {
                true => self.reopen(),
                false => Err(error),
            };
        }
        self.newest = Some(stamp);
        let reopened = self.reopen();
        let tidied = self.tidy(&names, second(now));
        reports.extend(self.keeps.note(tidied, &self.path));
        reopened
    }

    /// Removes the rotated files that are beyond the limits, and has others compressed.
    fn tidy(&self, names: &Names, second: u64) -> io::Result<()> {
        if !self.settings.tidies() {
            return Ok(());
        }
        let mut found = kept::list(names)?;
        let retired = kept::retire(names, &self.settings.keep, &mut found, second);
        if self.settings.gzip {
            let newest = found.last().map(|newest| newest.stamp);
            let due = found.iter().filter(|file| {
                file.form == Form::Plain
                    && Some(file.stamp) != newest
                    && file.stamp.seconds_until(second) >= COMPRESSED_AFTER_SECONDS
            });
            let due = due.map(|file| names.plain(file.stamp)).collect();
            retired.and(self.compressor.compress(due))
        } else {
            retired
        }
    }

    /// The names for the file that the path leads to. If it is a link, that stays and the file it leads
    /// to is rotated.
    fn names(&self) -> io::Result<Names> {
        let live = fs::canonicalize(&self.path)?;
        Names::of(&live).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }
}

/// How long a rotated file stays plain at least, so that another process that was about to append to it
/// has done so, and a shipper has read it. Arbitrary.
const COMPRESSED_AFTER_SECONDS: u64 = 10;

fn second(unix_nanos: u64) -> u64 {
    unix_nanos / 1_000_000_000
}

/// Takes the first free name behind `newest`.
fn reserve(names: &Names, second: u64, mut newest: Option<Stamp>) -> io::Result<(Stamp, PathBuf)> {
    // A name is taken only by others that rotate at this moment, and by folders and links.
    for _ in 0..1000 {
        let stamp = Stamp::next(second, newest);
        let path = names.plain(stamp);
        match disk::reserve(&path) {
            Ok(()) => return Ok((stamp, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => newest = Some(stamp),
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Removes a name that was taken in vain. Some file systems report an error of a rename that was done:
/// what is not empty stays.
fn give_back(reserved: &Path) {
    if fs::symlink_metadata(reserved).is_ok_and(|metadata| metadata.len() == 0) {
        let _ = disk::remove(reserved);
    }
}

/// Whether `error`, from a look at a path, means that nothing is there.
fn leads_nowhere(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
