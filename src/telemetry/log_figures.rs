//! Figures from logs: how many records there are of which level and target, and where errors come from.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

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
    /// By target, and then by the place of the level in [`LEVELS`].
    by_target: Bounded<Box<str>, [u64; LEVELS.len()]>,
    errors: Bounded<(Box<str>, Box<str>), u64>, // By target and place in the source.
}

/// Counts by keys, of which the first [`MOST_KEYS`] have one of their own.
#[derive(Debug)]
struct Bounded<K, C> {
    counts: HashMap<K, C>,
    /// Those of all other keys.
    others: C,
}

/// The most targets, and the most places of errors. Arbitrary: far more than a program has modules.
const MOST_KEYS: usize = 1024;

/// The target of those that have no series of their own.
const OTHERS: &str = "_OTHER";

/// The levels as labels have them, in the order of OpenTelemetry's numbers, of which each has four.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

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
            let level = usize::from(record.severity().number() - 1) / 4;
            counts.by_target.of(record.target(), |target| target.into())[level] += n;
            if record.severity() >= LogSeverity::ERROR {
                let place = record.location().map(|(file, line)| format!("{file}:{line}"));
                let key = (record.target().into(), place.unwrap_or_default().into());
                *counts.errors.of(&key, Clone::clone) += n;
            }
        }
    }

    /// Calls `each` with the level, the target and the number of records.
    pub(super) fn each_target(&self, mut each: impl FnMut(&str, &str, u64)) {
        let (_muted, counts) = self.lock();
        let Bounded { counts: by_target, others } = &counts.by_target;
        let targets = by_target.iter().map(|(target, of)| (&**target, of));
        for (target, of) in targets.chain([(OTHERS, others)]) {
            for (level, n) in LEVELS.iter().zip(of).filter(|&(_, &n)| n > 0) {
                each(level, target, *n);
            }
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

impl<K: Hash + Eq, C: Default> Bounded<K, C> {
    /// The count of `key`, which is made into one of its own where it is new and there is room.
    fn of<Q: Hash + Eq + ?Sized>(&mut self, key: &Q, own: impl FnOnce(&Q) -> K) -> &mut C
    where
        K: Borrow<Q>,
    {
        if !self.counts.contains_key(key) {
            if self.counts.len() == MOST_KEYS {
                return &mut self.others;
            }
            self.counts.insert(own(key), C::default());
        }
        self.counts.get_mut(key).unwrap_or(&mut self.others)
    }
}

impl<K, C: Default> Default for Bounded<K, C> {
    fn default() -> Self {
        Self { counts: HashMap::new(), others: C::default() }
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
