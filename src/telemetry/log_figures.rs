//! Figures from logs: how many records there are of which level and target, and where errors come from.

use std::collections::BTreeMap;

use crate::{
    context::{self, Muted},
    log::{LogRecord, LogSeverity},
    sync::{Mutex, MutexGuard},
};

/// What log records add up to. Suppressed ones count too.
#[derive(Debug, Default)]
pub(super) struct LogFigures {
    /// No lock is taken inside it.
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    by_target: Bounded<(&'static str, Box<str>)>,
    errors: Bounded<(Box<str>, Box<str>)>, // By target and place in the source.
}

/// Counts by keys, of which the first [`MOST_KEYS`] have one of their own.
#[derive(Debug)]
struct Bounded<K> {
    counts: BTreeMap<K, u64>,
    /// Those of all other keys.
    others: u64,
}

/// The most series of one name. Arbitrary: far more than a program has modules.
const MOST_KEYS: usize = 1024;

/// The target of those that have no series of their own.
const OTHERS: &str = "_OTHER";

impl LogFigures {
    /// The counts, with the thread muted: what an allocator logs meanwhile would wait for this lock.
    fn lock(&self) -> (Muted, MutexGuard<'_, Counts>) {
        (context::mute(), self.counts.lock())
    }

    /// Counts the records, the folded and the suppressed ones too.
    pub(super) fn count(&self, records: &[LogRecord]) {
        let (_muted, mut counts) = self.lock();
        for record in records {
            let n = match record.suppressed() {
                0 => 1 + u64::from(record.repeated()),
                n => n,
            };
            counts.by_target.add((level(record.severity()), record.target().into()), n);
            if record.severity() >= LogSeverity::ERROR {
                let place = record.location().map(|(file, line)| format!("{file}:{line}"));
                counts.errors.add((record.target().into(), place.unwrap_or_default().into()), n);
            }
        }
    }

    /// Calls `each` with the level, the target and the number of records.
    pub(super) fn each_target(&self, mut each: impl FnMut(&str, &str, u64)) {
        let (_muted, counts) = self.lock();
        counts.by_target.counts.iter().for_each(|((level, target), n)| each(level, target, *n));
        if counts.by_target.others > 0 {
            each(OTHERS, OTHERS, counts.by_target.others);
        }
    }

    /// Calls `each` with the target, the place in the source and the number of errors.
    pub(super) fn each_error(&self, mut each: impl FnMut(&str, &str, u64)) {
        let (_muted, counts) = self.lock();
        counts.errors.counts.iter().for_each(|((target, place), n)| each(target, place, *n));
        if counts.errors.others > 0 {
            each(OTHERS, OTHERS, counts.errors.others);
        }
    }

    /// How many places in the source had errors.
    pub(super) fn n_error_sites(&self) -> u64 {
        let (_muted, counts) = self.lock();
        counts.errors.counts.len() as u64 + u64::from(counts.errors.others > 0)
    }
}

impl<K: Ord> Bounded<K> {
    fn add(&mut self, key: K, n: u64) {
        if let Some(count) = self.counts.get_mut(&key) {
            *count += n;
        } else if self.counts.len() < MOST_KEYS {
            self.counts.insert(key, n);
        } else {
            self.others += n;
        }
    }
}

impl<K> Default for Bounded<K> {
    fn default() -> Self {
        Self { counts: BTreeMap::new(), others: 0 }
    }
}

/// The level as a label has it.
fn level(severity: LogSeverity) -> &'static str {
    match severity.level() {
        "TRACE" => "trace",
        "DEBUG" => "debug",
        "INFO" => "info",
        "WARN" => "warn",
        "ERROR" => "error",
        _ => "fatal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_beyond_the_bound_are_counted_together_and_nothing_is_lost() {
        let figures = LogFigures::default();
        let records: Vec<_> = (0..2 * MOST_KEYS)
            .map(|n| LogRecord::new(LogSeverity::ERROR, "x").with_target(format!("t{n}")))
            .collect();
        figures.count(&records);
        figures.count(&records[..1]);
        let (mut n_series, mut sum, mut first) = (0, 0, 0);
        figures.each_target(|_, target, n| {
            (n_series, sum) = (n_series + 1, sum + n);
            if target == "t0" {
                first = n;
            }
        });
        assert_eq!((n_series, sum, first), (MOST_KEYS + 1, 2 * MOST_KEYS as u64 + 1, 2));
        let mut sum = 0;
        figures.each_error(|_, _, n| sum += n);
        assert_eq!(
            (sum, figures.n_error_sites()),
            (2 * MOST_KEYS as u64 + 1, MOST_KEYS as u64 + 1)
        );
    }
}
