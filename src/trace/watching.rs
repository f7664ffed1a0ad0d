//! Which open spans are watched, and what is reported of those that stay open.
//!
//! By choice every recorded span is. Otherwise none is, and a span pays for a look at one flag; but when many
//! are open, some guards are leaked, most likely, and of the spans that start then a sample is watched: so
//! it can be said which those are.

use std::{borrow::Cow, cmp::Reverse, collections::HashMap, fmt, time::Duration};

use super::{SpanRecord, watched};
use crate::{
    clock::{self, Ticks},
    context::SpanId,
    sync::Mutex,
};

/// What is chosen of open spans.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenSpans {
    /// Whether they are exported as they stand.
    pub(crate) are_exported: bool,
    /// From which age on they are reported, of all spans; `None` of a sample, if many are open.
    pub(crate) overdue: Option<Duration>,
    /// From which age on they are given up: exported as they stand, and forgotten.
    pub(crate) given_up: Option<Duration>,
}

/// Which spans of a tracer are watched.
pub(super) struct Watching {
    choice: OpenSpans,
    /// Touched by who looks for overdue spans. No lock is taken inside it.
    looks: Mutex<Looks>,
}

#[derive(Default)]
struct Looks {
    last: Option<Ticks>,
    last_for_given_up: Option<Ticks>,
    /// How many were overdue at the last report, and were given up before it; zero when none are.
    n_reported: usize,
    /// How many were given up since none were overdue.
    n_given_up: usize,
}

/// From how many open spans on a sample of those that start is watched: a sixteenth of the most. Honest use
/// has fewer. Where it has more, the report is right all the same: those spans are open.
pub(super) const MANY: u64 = 1 << 14;

/// One of so many is in the sample. So it is small beside what is open, and among thousands that are leaked
/// there are enough to name them; as open spans are bounded, some 4,100 at most.
const SAMPLED_OF: u64 = 64;

/// From which age on spans are reported: of all that are watched by choice, and of a sample.
const OVERDUE: Duration = Duration::from_secs(60 * 60);
const OVERDUE_OF_MANY: Duration = Duration::from_secs(60);

/// How often is looked for overdue spans: eight times in their age, within these. Looking is a walk over all
/// that are watched.
const LOOK_WITHIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

impl Watching {
    pub(super) fn new(choice: OpenSpans) -> Self {
        Self { choice, looks: Mutex::default() }
    }

    /// Whether open spans are exported as they stand.
    pub(super) fn exports(&self) -> bool {
        self.choice.are_exported
    }

    /// From which age on spans are given up, if that was chosen and it is time to look for some.
    pub(super) fn gives_up(&self) -> Option<Duration> {
        let age = self.choice.given_up?;
        is_due(&mut self.looks.lock().last_for_given_up, clock::now(), age).then_some(age)
    }

    /// Notes that `n` overdue spans were given up: they are news all the same.
    pub(super) fn note_given_up(&self, n: usize) {
        self.looks.lock().n_given_up += n;
    }

    /// Whether this span, which starts, is to be watched.
    pub(super) fn wants(&self, id: SpanId) -> bool {
        self.choice.watches_all() || id.to_u64().is_multiple_of(SAMPLED_OF)
    }

    /// Whether any of the spans that start are to be watched while `n_open` are open.
    pub(super) fn wants_any(&self, n_open: u64) -> bool {
        self.choice.watches_all() || n_open >= MANY
    }

    /// What there is to report of `n_open` open spans of `tracer`: overdue ones, and when they were reported
    /// before, twice as many, with those that were given up.
    pub(super) fn look(&self, tracer: u64, n_open: u64) -> Option<Overdue> {
        if !self.wants_any(n_open) {
            self.looks.lock().forget();
            return None;
        }
        let (now, limit) = (clock::now(), self.choice.limit());
        if !is_due(&mut self.looks.lock().last, now, limit) {
            return None;
        }
        let mut overdue = Overdue { n_open, limit, ..Overdue::default() };
        watched::each(tracer, |record| overdue.see(record, now));
        let mut looks = self.looks.lock();
        if overdue.n == 0 {
            looks.forget();
            return None;
        }
        let n = overdue.n + looks.n_given_up;
        let has_news = n >= 2 * looks.n_reported;
        if has_news {
            looks.n_reported = n;
        }
        has_news.then_some(overdue)
    }
}

impl Looks {
    /// Forgets what was reported: none are overdue any more.
    fn forget(&mut self) {
        (self.n_reported, self.n_given_up) = (0, 0);
    }
}

/// Whether it is time to look for spans that are older than `limit`; notes that somebody does.
fn is_due(last: &mut Option<Ticks>, now: Ticks, limit: Duration) -> bool {
    let (least, most) = LOOK_WITHIN;
    let wait = (limit / 8).clamp(least, most);
    let is_due = last.is_none_or(|last| now.since(last) >= wait);
    if is_due {
        *last = Some(now);
    }
    is_due
}

impl OpenSpans {
    fn watches_all(self) -> bool {
        self.are_exported || self.overdue.is_some() || self.given_up.is_some()
    }

    /// From which age on spans are reported, which is before they are given up.
    fn limit(self) -> Duration {
        let others = if self.watches_all() { OVERDUE } else { OVERDUE_OF_MANY };
        let limit = self.overdue.unwrap_or(others);
        self.given_up.map_or(limit, |age| limit.min(age))
    }
}

/// The spans that have been open for too long, by name. Its text is for people, and bounded.
#[derive(Debug, Default)]
pub(crate) struct Overdue {
    n_open: u64,
    limit: Duration,
    n_watched: usize,
    n: usize,
    names: HashMap<Cow<'static, str>, OfName>,
}

/// The overdue spans of a name.
#[derive(Clone, Copy, Debug, Default)]
struct OfName {
    n: usize,
    longest: Duration,
}

/// The most names that are told apart, for names that are made up at run time; that are reported; and their
/// characters.
const MOST_NAMES: usize = 256;
const REPORTED_NAMES: usize = 3;
const NAME_CHARS: usize = 64;

impl Overdue {
    fn see(&mut self, record: &SpanRecord, now: Ticks) {
        self.n_watched += 1;
        let age = now.since(record.start());
        if age <= self.limit {
            return;
        }
        self.n += 1;
        let name = &record.body().name;
        if self.names.len() >= MOST_NAMES && !self.names.contains_key(name) {
            return;
        }
        let of_name = self.names.entry(name.clone()).or_default();
        of_name.n += 1;
        of_name.longest = of_name.longest.max(age);
    }

    #[cfg(test)]
    pub(super) fn n_names(&self) -> usize {
        self.names.len()
    }

    /// Those with the most spans, the first of them with most.
    fn first_names(&self) -> Vec<(&str, OfName)> {
        let mut names: Vec<_> = self.names.iter().map(|(name, of)| (&**name, *of)).collect();
        names.sort_by_key(|&(name, of)| (Reverse(of.n), name));
        names.truncate(REPORTED_NAMES);
        names
    }
}

/// As in `17012 spans are open. 244 of the 251 that are watched have been for more than 60 s: 93 % are
/// "checkout", the oldest for 12 min; …`.
impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_open, n_watched, n, limit, .. } = self;
        let limit = Age(*limit);
        write!(f, "{n_open} spans are open. {n} of the {n_watched} that are watched have been ")?;
        write!(f, "for more than {limit}: ")?;
        for (name, OfName { n: n_of_name, longest }) in self.first_names() {
            let (name, percent): (String, _) =
                (name.chars().take(NAME_CHARS).collect(), 100 * n_of_name / n);
            write!(f, "{percent} % are {name:?}, the oldest for {}; ", Age(longest))?;
        }
        f.write_str("is a guard leaked, or a future or task never dropped?")
    }
}

/// A duration in the largest unit of which there are two.
struct Age(Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match [(24 * 60 * 60, "d"), (60 * 60, "h"), (60, "min")]
            .into_iter()
            .find(|(unit, _)| seconds >= 2 * unit)
        {
            Some((unit, name)) => write!(f, "{} {name}", seconds / unit),
            None if seconds > 0 => write!(f, "{seconds} s"),
            None => write!(f, "{} ms", self.0.as_millis()),
        }
    }
}
