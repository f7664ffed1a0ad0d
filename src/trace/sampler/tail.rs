//! Which traces are kept, decided when they have ended in this process.

use std::{borrow::Cow, collections::HashMap, fmt, sync::Arc, time::Duration};

use crate::{
    clock::{self, Ticks},
    context::{Outcome, TraceId},
    diagnostics,
    label::Value,
    sync::Mutex,
    trace::SpanRecord,
    util::panics,
};

/// Decides which traces are exported when their part in this process has ended: when the local root has,
/// which is the span without a parent, or with one of another process.
///
/// Each criterion has a ratio: the share of the traces that it keeps. Of several that match the largest
/// holds. A trace that matches none is kept by [`otherwise`](Self::otherwise). Within a ratio traces are
/// chosen by the random bits of the trace id, so that processes with the same ratio choose the same ones.
/// A kept span is exported with the sampled flag, and where the head sampler's probability is known, with
/// the probability in its trace state (`ot=th:`), so that counts can be estimated: each kept trace stands
/// for one through its probability.
///
/// # What it means for a trace across services
///
/// Outgoing headers carry the decision of the head sampler, which is made before anybody knows how the
/// trace ends. So a service that is called decides by that flag, and what is kept here because of an error
/// may be missing there, unless that service keeps it for a reason of its own. To keep whole traces, let
/// the head sample all of them, or decide behind all services, in a collector.
///
/// While there is a tail sampler, spans are recorded whatever the head sampler decides, since any of them
/// may belong to a trace that is kept; with [`only_sampled`](Self::only_sampled) only those that the head
/// samples.
///
/// # Bounds
///
/// A trace waits until its local root has ended and all threads were asked for their spans, for one to two
/// seconds, and not longer than [`max_wait`](Self::max_wait) after its local root started. If more than
/// [`max_bytes`](Self::max_bytes) wait, the oldest trace is decided as it stands. Of one trace at most
/// [`max_spans_per_trace`](Self::max_spans_per_trace) wait, and its local root; what is beyond is dropped,
/// and counted in `telemetry.tail.spans` with `decision="cut"`. Spans that end after the decision follow
/// it, as long as it is remembered: for the last 65,536 traces at least.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::trace::sampler::Tail;
///
/// let tail = Tail::new()
///     .errors(1.0)
///     .slower_than(Duration::from_secs(1), 1.0)
///     .slower_than_p99(1.0)
///     .attribute("tenant", "acme", 0.5)
///     .first_per_minute(3)
///     .otherwise(0.01);
/// let telemetry = bellwether::builder("shop").tail_sampler(tail).start()?;
/// # drop(telemetry);
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a tail sampler decides nothing before it is given to a builder"]
pub struct Tail {
    criteria: Vec<(Criterion, f64)>,
    otherwise: f64,
    pub(in crate::trace) sees_all: bool,
    pub(in crate::trace) max_wait: Duration,
    pub(in crate::trace) max_bytes: usize,
    pub(in crate::trace) max_spans_per_trace: usize,
    p99: Option<P99>,
}

/// What a trace may be kept for.
enum Criterion {
    Error,
    Panic,
    Slower(Duration),
    SlowerThanP99,
    Attribute(Cow<'static, str>, Value),
    FirstPerMinute(u32),
    Matching(Box<dyn Fn(&LocalTrace<'_>) -> bool + Send + Sync>),
}

/// Knows a route's 99th percentile, in seconds.
#[derive(Clone)]
pub(crate) struct P99(Arc<OfRoute>);

type OfRoute = dyn Fn(&str) -> Option<f64> + Send + Sync;

/// The most routes that [`Tail::first_per_minute`] tells apart; the others are one. Arbitrary.
const MAX_ROUTES: usize = 1_000;

impl Tail {
    /// Keeps no trace, until criteria are added.
    pub fn new() -> Self {
        Self {
            criteria: Vec::new(),
            otherwise: 0.0,
            sees_all: true,
            max_wait: Duration::from_secs(60),
            max_bytes: 64 << 20,
            max_spans_per_trace: 10_000,
            p99: None,
        }
    }

    fn keeps(mut self, criterion: Criterion, ratio: f64) -> Self {
        self.criteria.push((criterion, share(ratio)));
        self
    }

    /// Keeps the share `ratio` of traces with a span that failed: by its status, or by its
    /// [outcome](Outcome), an error or a panic.
    pub fn errors(self, ratio: f64) -> Self {
        self.keeps(Criterion::Error, ratio)
    }

    /// Keeps the share `ratio` of traces with a span that a panic ended.
    pub fn panics(self, ratio: f64) -> Self {
        self.keeps(Criterion::Panic, ratio)
    }

    /// Keeps the share `ratio` of traces whose local root took longer than `duration`, or has been open for
    /// longer when its trace is decided because that [waits for too long](Self::max_wait).
    pub fn slower_than(self, duration: Duration, ratio: f64) -> Self {
        self.keeps(Criterion::Slower(duration), ratio)
    }

    /// Keeps the share `ratio` of traces whose local root took longer than the 99th percentile of its
    /// route in the last five minutes.
    ///
    /// That is the percentile of a histogram in this process, which telemetry reads in its history every
    /// ten seconds: where the root has the attribute `http.route`, of a histogram in seconds whose name
    /// ends in `.duration`, with a label `http.route` of that value; else of the histogram `NAME.duration`
    /// for a root called `NAME`, as [`#[observe]`](macro@crate::observe) keeps it. A route of which fewer
    /// than 100 values are known has no percentile yet, and matches nothing.
    ///
    /// `start` refuses it [without history](crate::Builder::without_history).
    pub fn slower_than_p99(self, ratio: f64) -> Self {
        self.keeps(Criterion::SlowerThanP99, ratio)
    }

    /// Keeps the share `ratio` of traces with a span that has the attribute `key` with this value.
    pub fn attribute(
        self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<Value>,
        ratio: f64,
    ) -> Self {
        self.keeps(Criterion::Attribute(key.into(), value.into()), ratio)
    }

    /// Keeps the first `n` traces of each route in each minute, of those that no criterion before it keeps
    /// anyway. The route is the root's attribute `http.route`, else its name. A thousand routes are counted
    /// apart; all others are one.
    pub fn first_per_minute(self, n: u32) -> Self {
        self.keeps(Criterion::FirstPerMinute(n), 1.0)
    }

    /// Keeps the share `ratio` of traces for which `matches` returns true. If it panics, it does not
    /// match.
    ///
    /// It runs on the thread that collects, or on any that ends spans while too many wait: be quick, do not
    /// block. Spans that it starts are not recorded, and a flush in it waits in vain.
    pub fn matching(
        self,
        matches: impl Fn(&LocalTrace<'_>) -> bool + Send + Sync + 'static,
        ratio: f64,
    ) -> Self {
        self.keeps(Criterion::Matching(Box::new(matches)), ratio)
    }

    /// Keeps the share `ratio` of the traces that match nothing; none by default.
    pub fn otherwise(self, ratio: f64) -> Self {
        Self { otherwise: share(ratio), ..self }
    }

    /// Leaves to the head sampler what is recorded: only spans that it samples are.
    pub fn only_sampled(self) -> Self {
        Self { sees_all: false, ..self }
    }

    /// How long after its local root started a trace waits for the end of that at most; 60 seconds by
    /// default. What is known then decides, and the root follows.
    pub fn max_wait(self, wait: Duration) -> Self {
        Self { max_wait: wait, ..self }
    }

    /// How many bytes of spans may wait; 64 MiB by default.
    pub fn max_bytes(self, bytes: usize) -> Self {
        Self { max_bytes: bytes, ..self }
    }

    /// How many spans of one trace may wait; 10,000 by default.
    pub fn max_spans_per_trace(self, n: usize) -> Self {
        Self { max_spans_per_trace: n, ..self }
    }

    /// Whether it asks for percentiles, which need a history.
    pub(crate) fn needs_p99(&self) -> bool {
        self.criteria.iter().any(|(criterion, _)| matches!(criterion, Criterion::SlowerThanP99))
    }

    /// With what knows the percentiles of routes.
    pub(crate) fn with_p99(self, p99: P99) -> Self {
        Self { p99: Some(p99), ..self }
    }

    /// The share of traces like this one that is kept. Calls code of the user's.
    pub(in crate::trace) fn ratio(&self, trace: &LocalTrace<'_>, firsts: &Mutex<Firsts>) -> f64 {
        let mut ratio: Option<f64> = None;
        for (criterion, share) in &self.criteria {
            if ratio.is_none_or(|ratio| ratio < *share) && self.matches(criterion, trace, firsts) {
                ratio = Some(*share);
            }
        }
        ratio.unwrap_or(self.otherwise)
    }

    fn matches(
        &self,
        criterion: &Criterion,
        trace: &LocalTrace<'_>,
        firsts: &Mutex<Firsts>,
    ) -> bool {
        let any = |is: &dyn Fn(&SpanRecord) -> bool| trace.spans.iter().any(is);
        // An end may have been set ahead of time.
        let ended = |root: &SpanRecord| root.end().min(clock::now());
        let duration = || trace.root().map(|root| root.duration());
        match criterion {
            Criterion::Error => any(&|span| {
                span.has_failed() || matches!(span.outcome(), Outcome::Error | Outcome::Panic)
            }),
            Criterion::Panic => any(&|span| span.outcome() == Outcome::Panic),
            Criterion::Slower(limit) => duration().max(Some(trace.open_for)) > Some(*limit),
            Criterion::SlowerThanP99 => duration().is_some_and(|duration| {
                let p99 = self.p99.as_ref().and_then(|P99(p99)| p99(trace.route()));
                p99.is_some_and(|p99| duration.as_secs_f64() > p99)
            }),
            Criterion::Attribute(key, value) => any(&|span| {
                span.attributes().iter().any(|other| other.key == *key && other.value == *value)
            }),
            Criterion::FirstPerMinute(n) => trace
                .root()
                .is_some_and(|root| firsts.lock().count(trace.route(), ended(root)) <= *n),
            // Whose thread this is has no part in a panic.
            Criterion::Matching(matches) => {
                panics::catch(|| matches(trace)).unwrap_or_else(|payload| {
                    panics::discard(payload);
                    diagnostics::report("tail sampler", format_args!("a criterion panicked"));
                    false
                })
            }
        }
    }
}

impl Default for Tail {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error => f.write_str("errors"),
            Self::Panic => f.write_str("panics"),
            Self::Slower(limit) => write!(f, "slower than {limit:?}"),
            Self::SlowerThanP99 => f.write_str("slower than P99"),
            Self::Attribute(key, value) => write!(f, "{key}={value}"),
            Self::FirstPerMinute(n) => write!(f, "first {n} per minute"),
            Self::Matching(_) => f.write_str("matching"),
        }
    }
}

impl P99 {
    pub(crate) fn new(p99: impl Fn(&str) -> Option<f64> + Send + Sync + 'static) -> Self {
        Self(Arc::new(p99))
    }
}

impl fmt::Debug for P99 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("P99").finish_non_exhaustive()
    }
}

/// A share in [0, 1]; NaN is 0.
#[expect(clippy::manual_clamp, reason = "a clamped NaN stays one, which max turns into 0")]
fn share(ratio: f64) -> f64 {
    ratio.max(0.0).min(1.0)
}

/// What a trace did in this process, as far as it has ended.
#[derive(Clone, Copy, Debug)]
pub struct LocalTrace<'a> {
    spans: &'a [SpanRecord],
    /// How long a local root has been open that still is.
    open_for: Duration,
}

impl<'a> LocalTrace<'a> {
    /// The trace of `spans`, which are all of one trace: to try a criterion with.
    #[must_use]
    pub const fn new(spans: &'a [SpanRecord]) -> Self {
        Self { spans, open_for: Duration::ZERO }
    }

    /// The trace, of which a local root is still open after this time.
    pub(in crate::trace) const fn open_for(self, open_for: Duration) -> Self {
        Self { open_for, ..self }
    }

    /// The spans, in no order. A trace that waited for too long, or for which there was no room, may lack
    /// its root.
    #[must_use]
    pub const fn spans(&self) -> &'a [SpanRecord] {
        self.spans
    }

    /// The local root: the span without a parent in this process; of several the longest.
    #[must_use]
    pub fn root(&self) -> Option<&'a SpanRecord> {
        let roots = self.spans.iter().filter(|span| span.is_local_root());
        roots.max_by_key(|root| root.duration())
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.spans.first().map_or(TraceId::INVALID, SpanRecord::trace_id)
    }

    /// The root's attribute `http.route`, else its name; empty without a root.
    #[must_use]
    pub fn route(&self) -> &'a str {
        let Some(root) = self.root() else { return "" };
        let mut attributes = root.attributes().iter().rev();
        match attributes.find(|attribute| attribute.key == "http.route").map(|it| &it.value) {
            Some(Value::String(route)) => route,
            _ => root.name(),
        }
    }
}

/// How many traces each route had in this minute.
#[derive(Debug, Default)]
pub(in crate::trace) struct Firsts {
    minute: u64,
    by_route: HashMap<Box<str>, u32>,
}

impl Firsts {
    /// Counts a trace of `route` that ended at `at`; how many there were with it.
    fn count(&mut self, route: &str, at: Ticks) -> u32 {
        let minute = at.since(Ticks::ORIGIN).as_secs() / 60;
        if minute > self.minute {
            self.minute = minute;
            self.by_route.clear();
        }
        let is_known = self.by_route.len() < MAX_ROUTES || self.by_route.contains_key(route);
        let route = if is_known { route } else { "" };
        let n = match self.by_route.get_mut(route) {
            Some(n) => n,
            None => self.by_route.entry(route.into()).or_default(),
        };
        *n = n.saturating_add(1);
        *n
    }
}
