//! A place in the source that logs: what it says of itself, whether the filter lets it, and how often it
//! may.

use std::{borrow::Cow, fmt, time::Duration};

use super::{LogSeverity, filter};
use crate::{
    clock::Timestamp,
    sync::{
        Mutex,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    util::per_process::PerProcess,
};

/// A place in the source that logs. The macros make one for each call.
#[doc(hidden)]
pub struct CallSite {
    severity: LogSeverity,
    target: Cow<'static, str>,
    file: Cow<'static, str>, // Empty if it is not known.
    line: u32,
    /// The number of the filter that was asked, and in the lowest bit whether it keeps the site's records.
    answer: AtomicU64,
    limit: Limit,
}

impl CallSite {
    /// A call site of a macro.
    #[must_use]
    pub const fn new(
        severity: LogSeverity,
        target: &'static str,
        file: &'static str,
        line: u32,
    ) -> Self {
        Self::of(severity, Cow::Borrowed(target), Cow::Borrowed(file), line)
    }

    pub(crate) const fn of(
        severity: LogSeverity,
        target: Cow<'static, str>,
        file: Cow<'static, str>,
        line: u32,
    ) -> Self {
        Self { severity, target, file, line, answer: AtomicU64::new(0), limit: Limit::new() }
    }

    /// Whether its records are kept by the filter in force.
    #[inline(always)]
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        filter::may_keep(self.severity) && self.is_kept()
    }

    #[inline]
    fn is_kept(&self) -> bool {
        // Relaxed: the word says of which filter it is. The first one has the number 1.
        let answer = self.answer.load(Relaxed);
        if answer >> 1 == filter::number() { answer & 1 != 0 } else { self.ask() }
    }

    #[cold]
    #[inline(never)]
    fn ask(&self) -> bool {
        let (is_kept, number) = filter::ask(self.severity, &self.target);
        self.answer.store(number << 1 | u64::from(is_kept), Relaxed);
        is_kept
    }

    /// Whether it may log once more in the second of `now`. Counts it if not.
    pub(super) fn passes(&'static self, now: Timestamp) -> bool {
        let most = MOST.load(Relaxed);
        most == 0 || self.limit.passes(most, now, || self.list())
    }

    /// Lists it among those that have suppressed records; `false` if that has to wait for another time.
    #[cold]
    fn list(&'static self) -> bool {
        // With a limit, because an allocator that logs may be called with the lock held.
        let list = SUPPRESSING.get().try_lock_for(PATIENCE);
        list.map(|mut list| list.push(self)).is_some()
    }

    /// How many records were suppressed since this was asked last.
    pub(super) fn take_suppressed(&self) -> u64 {
        self.limit.take()
    }

    pub(crate) fn severity(&self) -> LogSeverity {
        self.severity
    }

    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    pub(crate) fn location(&self) -> Option<(&str, u32)> {
        (!self.file.is_empty()).then_some((&self.file, self.line))
    }
}

impl fmt::Debug for CallSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} at {}:{}", self.severity, self.target, self.file, self.line)
    }
}

/// How many records a call site may log in a second; zero is no limit. Relaxed: it publishes nothing but
/// itself.
static MOST: AtomicU32 = AtomicU32::new(0);

/// The sites that have suppressed records which nobody has taken yet. No lock is taken inside it.
static SUPPRESSING: PerProcess<Mutex<Vec<&'static CallSite>>> = PerProcess::new();

/// How long that lock is waited for: holders keep it for less than a millisecond.
const PATIENCE: Duration = Duration::from_millis(10);

/// Limits all call sites to so many records a second; zero is no limit.
pub(super) fn limit_all(most: u32) {
    MOST.store(most, Relaxed);
}

/// The sites that have suppressed records since this was asked last, and how many.
pub(super) fn suppressed() -> Vec<(&'static CallSite, u64)> {
    let sites = std::mem::take(&mut *SUPPRESSING.get().lock());
    let counted = sites.into_iter().map(|site| (site, site.take_suppressed()));
    counted.filter(|&(_, n)| n > 0).collect()
}

/// Counts the records of a site in the second that runs. A second begins with the first record in it.
struct Limit {
    /// The second, and below it how many records there were in it. Relaxed: it publishes nothing but itself.
    counted: AtomicU64,
    suppressed: AtomicU64,
    is_listed: AtomicBool,
}

impl Limit {
    const fn new() -> Self {
        let (counted, suppressed) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { counted, suppressed, is_listed: AtomicBool::new(false) }
    }

    /// Whether there were fewer than `most` in the second of `now`. The first that is suppressed is listed
    /// by `list`.
    fn passes(&self, most: u32, now: Timestamp, list: impl FnOnce() -> bool) -> bool {
        let second = now.unix_nanos() / 1_000_000_000;
        let first = second << 32 | 1;
        let mut counted = self.counted.load(Relaxed);
        // Another thread may begin the second meanwhile; then this one counts in it.
        // One that was slow at the end of a second counts in the next one, which has begun.
        while counted >> 32 != first >> 32 && counted >> 32 != second + 1 {
            match self.counted.compare_exchange(counted, first, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(other) => counted = other,
            }
        }
        // Counts beyond `most` are no more than threads that were here at once.
        if (counted as u32) < most && (self.counted.fetch_add(1, Relaxed) as u32) < most {
            return true;
        }
        // SeqCst, here and in `take`: of a thread that counts and then looks, and one that clears and then
        // counts, at least one sees what the other did. Otherwise a last count would wait for another.
        self.suppressed.fetch_add(1, SeqCst);
        let is_listed = self.is_listed.load(SeqCst) || self.is_listed.swap(true, SeqCst);
        // Nothing is stored after it was listed: whoever takes it then may have been here already.
        if !is_listed && !list() {
            self.is_listed.store(false, SeqCst);
        }
        false
    }

    fn take(&self) -> u64 {
        // Before the count: what is suppressed from here on lists the site again.
        self.is_listed.store(false, SeqCst);
        self.suppressed.swap(0, SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{self, ManualClock};

    #[test]
    fn a_site_may_log_so_often_in_a_second_and_what_is_more_is_counted() {
        let clock = ManualClock::new();
        let _installed = clock::enter(Some(clock.clone()));
        let (limit, listed) = (Limit::new(), std::cell::Cell::new(0));
        let pass = |n: u32| {
            (0..n)
                .filter(|_| {
                    limit.passes(3, Timestamp::now(), || listed.replace(listed.get() + 1) < 9)
                })
                .count()
        };
        assert_eq!((pass(10), limit.take(), listed.get()), (3, 7, 1));
        clock.advance(Duration::from_secs(1));
        assert_eq!((pass(2), limit.take()), (2, 0));
        clock.advance(Duration::from_millis(500));
        assert_eq!((pass(2), limit.take(), listed.get()), (1, 1, 2));
        assert_eq!(limit.take(), 0);
    }

    #[test]
    fn a_site_whose_records_are_taken_while_it_is_being_listed_is_listed_again() {
        let _installed = clock::enter(Some(ManualClock::new()));
        let (limit, n_listed) = (Limit::new(), std::cell::Cell::new(0));
        let list = || {
            n_listed.set(n_listed.get() + 1);
            assert_eq!(limit.take(), 1); // Whoever collects is faster.
            true
        };
        assert!(limit.passes(1, Timestamp::now(), list));
        assert!(
            !limit.passes(1, Timestamp::now(), list) && !limit.passes(1, Timestamp::now(), list)
        );
        assert_eq!(n_listed.get(), 2);
    }

    #[test]
    fn who_is_late_counts_in_the_second_that_others_have_begun() {
        let (late, clock) = (ManualClock::new(), ManualClock::new());
        clock.advance(Duration::from_secs(1));
        let limit = Limit::new();
        let pass = |clock: &ManualClock| {
            let _installed = clock::enter(Some(clock.clone()));
            limit.passes(2, Timestamp::now(), || true)
        };
        let passed = [&late, &clock, &late, &clock, &late].map(pass);
        assert_eq!((passed, limit.take()), ([true, true, true, false, false], 2));
    }

    #[test]
    fn threads_together_log_no_more_than_the_limit_and_none_is_uncounted() {
        const EACH: u64 = if cfg!(miri) { 50 } else { 20_000 };
        let limit = Limit::new();
        let clock = ManualClock::new();
        let passed: u64 = std::thread::scope(|scope| {
            let count = || {
                let _installed = clock::enter(Some(clock.clone()));
                (0..EACH).filter(|_| limit.passes(100, Timestamp::now(), || true)).count() as u64
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((passed, limit.take()), ((4 * EACH).min(100), 4 * EACH - (4 * EACH).min(100)));
    }
}
