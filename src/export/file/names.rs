//! What rotated files are called, and which files of a folder are ours.
//!
//! `app.jsonl`, rotated at some second, becomes `app-2026-11-29T10-00-00Z.jsonl`; further ones of that
//! second end in `Z_001.jsonl` to `Z_999.jsonl`. `_` is behind `.` in ASCII, so a plain sort of names is
//! the order of the rotations. A compressed one has `.gz` behind its name, and while it is being
//! written `.gz.` with sixteen hexadecimal digits and `.tmp`.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use crate::util::civil::{civil, days};

/// How the rotated files of one live file are called.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) live: PathBuf,
    pub(super) folder: PathBuf,
    stem: OsString,
    end: OsString, // With its dot; empty if there is none.
}

/// The second of a rotation, and which one of that second it is. Ordered as names are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    second: u64, // Since the Unix epoch.
    number: u16, // In 0..=999.
}

/// What a file of ours holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    Plain,
    Gzip,
    /// A compressed file that is not whole, or was not when its process ended.
    Temporary,
}

impl Names {
    /// The names for the live file at `path`; `None` if the path has no last part.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let dotted = |extension: &OsStr| {
            let mut end = OsString::from(".");
            end.push(extension);
            end
        };
        Some(Self {
            live: path.to_path_buf(),
            folder: path.parent()?.to_path_buf(),
            stem: path.file_stem()?.to_os_string(),
            end: path.extension().map(dotted).unwrap_or_default(),
        })
    }

    /// Where the file that is rotated at `stamp` goes.
    pub(super) fn plain(&self, stamp: Stamp) -> PathBuf {
        let mut name = self.stem.clone();
        name.push("-");
        name.push(stamp.text());
        name.push(&self.end);
        self.folder.join(name)
    }

    /// What `name` says; `None` if it was not made here.
    pub(super) fn read(&self, name: &OsStr) -> Option<(Stamp, Form)> {
        let rest = name.as_encoded_bytes().strip_prefix(self.stem.as_encoded_bytes())?;
        let rest = rest.strip_prefix(b"-")?;
        if let Some(stamp) = self.stamp(rest) {
            return Some((stamp, Form::Plain));
        }
        if let Some(stamp) = rest.strip_suffix(b".gz").and_then(|rest| self.stamp(rest)) {
            return Some((stamp, Form::Gzip));
        }
        let (rest, random) = rest.strip_suffix(b".tmp")?.split_last_chunk::<16>()?;
        let is_random = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        let stamp = self.stamp(rest.strip_suffix(b".gz.")?)?;
        random.iter().all(is_random).then_some((stamp, Form::Temporary))
    }

    fn stamp(&self, text: &[u8]) -> Option<Stamp> {
        let text = text.strip_suffix(self.end.as_encoded_bytes())?;
        Stamp::read(std::str::from_utf8(text).ok()?)
    }
}

/// `plain` as it is called once it is compressed.
pub(super) fn gzip(plain: &Path) -> PathBuf {
    followed_by(plain, ".gz")
}

/// `plain` as it is called while it is being compressed. `random` keeps two processes that compress
/// one file apart.
#[cfg(feature = "gzip")]
pub(super) fn temporary(plain: &Path, random: u64) -> PathBuf {
    followed_by(plain, &format!(".gz.{random:016x}.tmp"))
}

fn followed_by(path: &Path, end: &str) -> PathBuf {
    let mut path = path.as_os_str().to_os_string();
    path.push(end);
    path.into()
}

impl Stamp {
    /// The stamp of a rotation at `second`, behind `newest`. If the clock was set back, or a second has
    /// no number left, it is of a later second than that.
    pub(super) fn next(second: u64, newest: Option<Self>) -> Self {
        match newest {
            Some(newest) if newest.second >= second => match newest.number {
                MOST => Self { second: newest.second + 1, number: 0 },
                number => Self { second: newest.second, number: number + 1 },
            },
            _ => Self { second, number: 0 },
        }
    }

    pub(super) fn seconds_until(self, second: u64) -> u64 {
        second.saturating_sub(self.second)
    }

    fn text(self) -> String {
        let (year, month, day) = civil(self.second / DAY);
        let second = self.second % DAY;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let date = format!("{year:04}-{month:02}-{day:02}T{hour:02}-{minute:02}-{second:02}Z");
        if self.number == 0 { date } else { format!("{date}_{:03}", self.number) }
    }

    fn read(text: &str) -> Option<Self> {
        let number = |from: usize, to: usize| -> Option<u64> {
            let digits = text.get(from..to)?;
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { digits.parse().ok() } else { None }
        };
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || day == 0 {
            return None;
        }
        let second = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
        let n = if text.len() > DATE_BYTES { number(DATE_BYTES + 1, DATE_BYTES + 4)? } else { 0 };
        let stamp = Self { second: days(year, month, day) * DAY + second, number: n as u16 };
        // What stands between the numbers is as it was written, and no number is beyond its range.
        (stamp.text() == text).then_some(stamp)
    }
}

const DAY: u64 = 86_400;

/// The largest number within one second: more would not sort.
const MOST: u16 = 999;

const DATE_BYTES: usize = "2026-11-29T10-00-00Z".len();

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(path: &str) -> Names {
        Names::of(Path::new(path)).unwrap()
    }

    fn name(path: &Path) -> &str {
        path.file_name().unwrap().to_str().unwrap()
    }

    #[test]
    fn a_rotated_file_is_called_by_its_second_and_further_ones_of_it_by_a_number() {
        let second = 1_795_946_400;
        let first = Stamp::next(second, None);
        let second_one = Stamp::next(second, Some(first));
        let later = Stamp::next(second + 1, Some(second_one));
        for (path, expected) in [
            (
                "/log/app.jsonl",
                ["app-2026-11-29T10-00-00Z.jsonl", "app-2026-11-29T10-00-00Z_001.jsonl"],
            ),
            ("/log/app", ["app-2026-11-29T10-00-00Z", "app-2026-11-29T10-00-00Z_001"]),
            ("/log/.app", [".app-2026-11-29T10-00-00Z", ".app-2026-11-29T10-00-00Z_001"]),
            ("/log/a.b.gz", ["a.b-2026-11-29T10-00-00Z.gz", "a.b-2026-11-29T10-00-00Z_001.gz"]),
        ] {
            let names = names(path);
            assert_eq!(
                [first, second_one].map(|stamp| name(&names.plain(stamp)).to_owned()),
                expected
            );
            for stamp in [first, second_one, later] {
                let plain = names.plain(stamp);
                assert_eq!(plain.parent(), Some(Path::new("/log")));
                let read = |path: &Path| names.read(path.file_name().unwrap());
                assert_eq!(read(&plain), Some((stamp, Form::Plain)));
                assert_eq!(read(&gzip(&plain)), Some((stamp, Form::Gzip)));
                assert_eq!(read(&temporary(&plain, 0xab)), Some((stamp, Form::Temporary)));
            }
        }
    }

    #[test]
    fn a_name_that_was_not_made_here_is_nobodys_we_know() {
        let names = names("/log/app.jsonl");
        for foreign in [
            "app.jsonl",
            "app.jsonl.1",
            "app-.jsonl",
            "app-2026-11-29.jsonl",
            "app-2026-11-29T10-00-00.jsonl",
            "app-2026-11-29T10:00:00Z.jsonl",
            "app-2026-11-31T10-00-00Z.jsonl",
            "app-2026-13-01T10-00-00Z.jsonl",
            "app-2026-00-01T10-00-00Z.jsonl",
            "app-2026-11-00T10-00-00Z.jsonl",
            "app-2026-11-29T24-00-00Z.jsonl",
            "app-2026-11-29T10-60-00Z.jsonl",
            "app-1969-11-29T10-00-00Z.jsonl",
            "app-2026-11-29T10-00-00Z_000.jsonl",
            "app-2026-11-29T10-00-00Z_1.jsonl",
            "app-2026-11-29T10-00-00Z_0001.jsonl",
            "app-2026-11-29T10-00-00Z-001.jsonl",
            "app-2026-11-29T10-00-00Z.jsonl.bak",
            "app-2026-11-29T10-00-00Z.jsonl.gz.tmp",
            "app-2026-11-29T10-00-00Z.jsonl.gz.00000000000000AB.tmp",
            "app-2026-11-29T10-00-00Z.jsonl.00000000000000ab.tmp",
            "app-2026-11-29T10-00-00Z.json",
            "app-b-2026-11-29T10-00-00Z.jsonl",
            "ap-2026-11-29T10-00-00Z.jsonl",
            "app_2026-11-29T10-00-00Z.jsonl",
            "app-é026-11-29T10-00-00Z.jsonl",
        ] {
            assert_eq!(names.read(OsStr::new(foreign)), None, "{foreign}");
        }
    }

    #[test]
    fn a_second_without_a_number_left_borrows_from_the_next_one() {
        let mut stamp = Stamp::next(100, None);
        for _ in 0..999 {
            stamp = Stamp::next(100, Some(stamp));
        }
        assert_eq!(stamp, Stamp { second: 100, number: 999 });
        assert_eq!(Stamp::next(100, Some(stamp)), Stamp { second: 101, number: 0 });
    }

    proptest! {
        #[test]
        fn names_sort_as_the_rotations_were_even_if_the_clock_is_set_back(
            seconds in proptest::collection::vec(0u64..4_000_000_000, 1..50),
        ) {
            let names = names("/log/app.jsonl");
            let mut newest = None;
            let mut made = Vec::new();
            for second in seconds {
                let stamp = Stamp::next(second, newest);
                made.push(names.plain(stamp));
                prop_assert_eq!(names.read(made.last().unwrap().file_name().unwrap()), Some((stamp, Form::Plain)));
                newest = Some(stamp);
            }
            prop_assert!(made.is_sorted_by(|a, b| a < b), "{:?}", made);
        }

        #[test]
        fn no_name_makes_reading_panic(name in ".{0,40}", tail in "app-[0-9TZé_.-]{0,30}") {
            let names = names("/log/app.jsonl");
            names.read(OsStr::new(&name));
            names.read(OsStr::new(&tail));
        }
    }
}
