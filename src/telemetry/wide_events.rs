//! Wide events: one flat log record for each unit of work, made of its spans.
//!
//! Spans come when they have ended, in any order, so each trace keeps a few words of each until its local
//! root has come and one whole collection more has brought what ended before it. Then the spans below the
//! root add up by name. Which root a span is below is followed from parent to parent: a trace may pass
//! through this process more than once.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use crate::{
    context::{self, Outcome, SpanId, TraceId},
    label::{KeyValue, Value},
    log::{self, LogRecord, LogSeverity},
    pipeline::Signal as _,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    trace::SpanRecord,
};

/// Makes a wide event of each local root and the spans below it.
#[derive(Debug, Default)]
pub(super) struct WideEvents {
    /// No lock is taken inside it.
    traces: Mutex<Traces>,
    /// Spans that are in no event. Relaxed: it publishes nothing but itself.
    n_left_out: AtomicU64,
}

#[derive(Debug, Default)]
struct Traces {
    by_id: HashMap<TraceId, Trace>,
    /// How many spans all traces keep.
    n_spans: usize,
    /// How many bytes the events of roots and the names of spans have.
    n_bytes: usize,
    /// The number of the round that runs: one is over with each collection.
    round: u64,
}

#[derive(Debug, Default)]
struct Trace {
    spans: Vec<Child>,
    names: Vec<Box<str>>,
    roots: Vec<Root>,
    n_bytes: usize,
    /// In which round it was touched last.
    round: u64,
}

/// A span below a local root.
#[derive(Debug)]
struct Child {
    id: SpanId,
    parent: SpanId,
    name: u16, // Its place in the names of the trace.
    has_failed: bool,
    nanos: u64,
}

#[derive(Debug)]
struct Root {
    id: SpanId,
    round: u64, // In which it came.
    event: LogRecord,
}

/// The most spans that are kept, in all and of one trace: some megabytes. Arbitrary.
const MOST_SPANS: usize = 1 << 17;
const MOST_OF_TRACE: usize = 1 << 13;

/// The most bytes of events and names that are kept. Arbitrary.
const MOST_BYTES: usize = 32 << 20;

/// The most names of a trace that are told apart, and the name of all others.
const MOST_NAMES: usize = 64;
const OTHERS: &str = "_OTHER";

/// After how many rounds without a span a trace is given up: about an hour, and less the fuller it gets.
const PATIENCE: u64 = 3600;

impl WideEvents {
    /// Sees spans that have ended.
    pub(super) fn see(&self, spans: &[SpanRecord]) {
        // What an allocator records meanwhile would wait for this lock.
        let _muted = context::mute();
        let mut traces = self.traces.lock();
        let n_left_out = spans.iter().filter(|span| !span.is_open() && !traces.add(span)).count();
        self.n_left_out.fetch_add(n_left_out as u64, Relaxed);
    }

    /// Ends a collection: hands over the events of roots that had come before it, or of `all`.
    pub(super) fn end_round(&self, all: bool) {
        let muted = context::mute();
        let mut traces = self.traces.lock();
        let (events, n_left_out) = traces.end_round(all);
        drop((traces, muted));
        self.n_left_out.fetch_add(n_left_out, Relaxed);
        events.into_iter().for_each(log::take_whole);
    }

    /// How many spans are in no event: they ended after their local root, or were too many.
    pub(super) fn n_left_out(&self) -> u64 {
        self.n_left_out.load(Relaxed)
    }
}

impl Traces {
    /// Adds a span; `false` if there is no room.
    fn add(&mut self, span: &SpanRecord) -> bool {
        let has_room = self.n_spans < MOST_SPANS && self.n_bytes < MOST_BYTES;
        let trace = match self.by_id.get_mut(&span.trace_id()) {
            Some(trace) => trace,
            None if has_room => self.by_id.entry(span.trace_id()).or_default(),
            None => return false,
        };
        trace.round = self.round;
        if span.parent_span_id().is_none() || span.parent_is_remote() {
            if !has_room {
                return false;
            }
            let event = event_of(span);
            trace.n_bytes += event.weight();
            self.n_bytes += event.weight();
            trace.roots.push(Root { id: span.span_id(), round: self.round, event });
            self.n_spans += 1;
            return true;
        }
        if !has_room || trace.spans.len() == MOST_OF_TRACE {
            return false;
        }
        self.n_spans += 1;
        let (name, n_bytes) = trace.name(span.name());
        trace.n_bytes += n_bytes;
        self.n_bytes += n_bytes;
        trace.spans.push(Child {
            id: span.span_id(),
            parent: span.parent_span_id().unwrap_or(SpanId::INVALID),
            name,
            has_failed: has_failed(span),
            nanos: span.nanos(),
        });
        true
    }

    /// The events that are complete, and how many spans are given up.
    fn end_round(&mut self, all: bool) -> (Vec<LogRecord>, u64) {
        let (round, mut events, mut n_left_out) = (self.round, Vec::new(), 0);
        let (mut n_spans, mut n_bytes) = (0, 0);
        let patience =
            PATIENCE * (MOST_SPANS - self.n_spans.min(MOST_SPANS)) as u64 / MOST_SPANS as u64;
        self.by_id.retain(|_, trace| {
            trace.end(|root| all || root.round < round, &mut events);
            // What is left may be below a root that has not ended yet.
            let is_given_up = trace.roots.is_empty() && round - trace.round > patience;
            if is_given_up {
                n_left_out += trace.spans.len() as u64;
            }
            let is_kept = !is_given_up && (trace.roots.len() + trace.spans.len() > 0);
            if is_kept {
                n_spans += trace.roots.len() + trace.spans.len();
                n_bytes += trace.n_bytes;
            }
            is_kept
        });
        (self.n_spans, self.n_bytes, self.round) = (n_spans, n_bytes, round + 1);
        events.sort_by_key(LogRecord::time);
        (events, n_left_out)
    }
}

impl Trace {
    /// The place of `name`, and how many bytes it takes if it is new.
    fn name(&mut self, name: &str) -> (u16, usize) {
        if let Some(place) = self.names.iter().position(|known| **known == *name) {
            return (place as u16, 0);
        }
        if self.names.len() == MOST_NAMES {
            self.names.push(OTHERS.into());
        }
        if self.names.len() > MOST_NAMES {
            return (MOST_NAMES as u16, 0);
        }
        self.names.push(name.into());
        (self.names.len() as u16 - 1, name.len())
    }

    /// Takes the roots out that have `ended`, and what is below them, and adds their events.
    fn end(&mut self, ended: impl Fn(&Root) -> bool, events: &mut Vec<LogRecord>) {
        if !self.roots.iter().any(&ended) {
            return;
        }
        // Once for all of them: a caller may send one trace id for ever.
        let mut children = HashMap::<SpanId, Vec<Child>>::new();
        for span in self.spans.drain(..) {
            children.entry(span.parent).or_default().push(span);
        }
        for root in self.roots.extract_if(.., |root| ended(root)) {
            self.n_bytes = self.n_bytes.saturating_sub(root.event.weight());
            events.push(event(root, &self.names, &mut children));
        }
        self.spans.extend(children.into_values().flatten());
    }
}

/// The event of `root` with what is below it, which is taken out of `children`.
fn event(root: Root, names: &[Box<str>], children: &mut HashMap<SpanId, Vec<Child>>) -> LogRecord {
    let (mut sums, mut left) = (BTreeMap::<u16, Sum>::new(), vec![root.id]);
    while let Some(parent) = left.pop() {
        // Taken out, so that a circle of parents ends.
        for child in children.remove(&parent).unwrap_or_default() {
            sums.entry(child.name).or_default().add(&child);
            left.push(child.id);
        }
    }
    let mut event = root.event;
    for (place, sum) in sums {
        let name = &names[usize::from(place)];
        event.set_attribute(format!("{name}.count"), sum.count);
        event.set_attribute(format!("{name}.duration_ms"), millis(sum.nanos));
        if sum.n_failed > 0 {
            event.set_attribute(format!("{name}.errors"), sum.n_failed);
        }
    }
    event
}

/// What the spans of one name add up to.
#[derive(Clone, Debug, Default)]
struct Sum {
    count: u64,
    n_failed: u64,
    nanos: u64,
}

impl Sum {
    fn add(&mut self, span: &Child) {
        self.count += 1;
        self.n_failed += u64::from(span.has_failed);
        self.nanos = self.nanos.saturating_add(span.nanos);
    }
}

/// The event of a local root, without what is below it.
fn event_of(root: &SpanRecord) -> LogRecord {
    let severity = if has_failed(root) { LogSeverity::ERROR } else { LogSeverity::INFO };
    let mut event = LogRecord::new(severity, root.name().to_owned())
        .with_target(TARGET)
        .with_time(root.end().timestamp())
        .with_context(root.context().clone());
    event.attributes_mut().extend(root.attributes().iter().cloned());
    let fixed: [(_, Value); 3] = [
        ("span.kind", root.kind().as_str().into()),
        ("outcome", root.outcome().as_str().into()),
        ("duration_ms", millis(root.nanos()).into()),
    ];
    event.attributes_mut().extend(fixed.map(|(key, value)| KeyValue::new(key, value)));
    event
}

/// The target of wide events.
const TARGET: &str = "wide_event";

fn has_failed(span: &SpanRecord) -> bool {
    matches!(span.outcome(), Outcome::Error | Outcome::Panic)
}

fn millis(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        clock::{self, ManualClock},
        context::{SpanContext, TraceFlags, TraceState},
    };

    fn context(trace: u128, span: u64) -> SpanContext {
        let (trace, span) = (TraceId::from_u128(trace), SpanId::from_u64(span));
        SpanContext::new(trace, span, TraceFlags::SAMPLED, TraceState::EMPTY)
    }

    /// A span of a tree: its id, whose child it is, its name, and how long it took.
    fn spanned(trace: u128, id: u64, parent: u64, name: &str, millis: u64) -> SpanRecord {
        let clock = ManualClock::new();
        let start = clock.now();
        clock.advance(Duration::from_millis(millis));
        let span = SpanRecord::new(name.to_owned()).with_context(context(trace, id));
        let span = span.with_times(start, clock.now());
        if parent == 0 { span } else { span.with_parent(&context(trace, parent)) }
    }

    fn shown(events: &[LogRecord]) -> Vec<String> {
        let one = |event: &LogRecord| {
            let attributes = event.attributes().iter();
            let attributes = attributes.map(|of| format!("{}={}", of.key, of.value));
            format!("{}: {}", event.body(), attributes.collect::<Vec<_>>().join(" "))
        };
        events.iter().map(one).collect()
    }

    #[test]
    fn an_event_has_the_roots_attributes_and_what_is_below_it_by_name() {
        let mut traces = Traces::default();
        let mut failed = spanned(1, 4, 2, "db.query", 5);
        failed.set_outcome(Outcome::Error);
        let mut root = spanned(1, 2, 0, "GET /cart", 40);
        root.set_attribute("cart", 7);
        for span in [spanned(1, 3, 2, "db.query", 10), failed, spanned(1, 6, 3, "parse", 1), root] {
            assert!(traces.add(&span));
        }
        assert!(traces.end_round(false).0.is_empty()); // What ended before the root may still come.
        assert!(traces.add(&spanned(1, 7, 2, "late", 2)));
        let (events, _) = traces.end_round(false);
        assert_eq!(
            shown(&events),
            ["GET /cart: cart=7 span.kind=internal outcome=ok duration_ms=40 db.query.count=2 \
              db.query.duration_ms=15 db.query.errors=1 parse.count=1 parse.duration_ms=1 \
              late.count=1 late.duration_ms=2"]
        );
        assert_eq!((traces.by_id.len(), traces.n_spans), (0, 0));
    }

    #[test]
    fn a_trace_that_passes_twice_has_two_events_each_with_its_own() {
        let mut traces = Traces::default();
        // 1 calls, by its client span 2, the root 3 in the same process.
        let inner = spanned(9, 3, 0, "inner", 3);
        for span in [spanned(9, 4, 3, "work", 1), spanned(9, 5, 1, "own", 1), inner] {
            traces.add(&span);
        }
        assert_eq!(
            shown(&traces.end_round(true).0),
            ["inner: span.kind=internal outcome=ok duration_ms=3 work.count=1 work.duration_ms=1"]
        );
        traces.add(&spanned(9, 2, 1, "call", 4));
        traces.add(&spanned(9, 1, 0, "outer", 9));
        let outer = shown(&traces.end_round(true).0);
        assert!(outer[0].contains("own.count=1") && outer[0].contains("call.count=1"), "{outer:?}");
    }

    #[test]
    fn what_is_never_completed_is_given_up_and_counted() {
        let _installed = clock::enter(Some(ManualClock::new()));
        let mut traces = Traces::default();
        traces.add(&spanned(1, 2, 7, "orphan", 1));
        let left_out: u64 = (0..=PATIENCE + 1).map(|_| traces.end_round(false).1).sum();
        assert_eq!((left_out, traces.by_id.len(), traces.n_spans), (1, 0, 0));
    }

    #[test]
    fn traces_spans_and_names_have_bounds() {
        let mut traces = Traces::default();
        let n_kept = (1..MOST_OF_TRACE as u64 + 10)
            .filter(|&n| traces.add(&spanned(1, n + 1, 1, &format!("n{n}"), 1)))
            .count();
        assert_eq!(n_kept, MOST_OF_TRACE);
        traces.add(&spanned(1, 1, 0, "root", 1));
        let (events, _) = traces.end_round(true);
        assert_eq!(events[0].attributes().len(), 3 + 2 * (MOST_NAMES + 1));
        let last = &events[0].attributes()[3 + 2 * MOST_NAMES];
        assert_eq!((&*last.key, &last.value), ("_OTHER.count", &(n_kept - MOST_NAMES).into()));
        let n_traces = (0..MOST_SPANS as u128 + 5)
            .filter(|&n| traces.add(&spanned(n + 2, 1, 7, "x", 1)))
            .count();
        assert_eq!(n_traces, MOST_SPANS);
    }

    #[test]
    fn roots_have_bounds_of_number_and_of_bytes() {
        let _installed = clock::enter(Some(ManualClock::new()));
        let mut traces = Traces::default();
        // A caller that sends one trace id for ever.
        let n_kept =
            (1..MOST_SPANS as u64 + 9).filter(|&n| traces.add(&spanned(1, n, 0, "x", 1))).count();
        assert!(n_kept < MOST_SPANS, "{n_kept}");
        assert_eq!(traces.end_round(true).0.len(), n_kept);
        assert_eq!((traces.n_spans, traces.n_bytes), (0, 0));
        let mut large = spanned(1, 1, 0, "x", 1);
        large.set_attribute("text", "x".repeat(60_000));
        let n_kept = (0..10_000).filter(|_| traces.add(&large)).count();
        assert!((100..=MOST_BYTES / 60_000).contains(&n_kept), "{n_kept}");
    }

    #[test]
    fn many_roots_of_one_trace_have_each_their_own() {
        // It takes minutes where each root looks at all spans of the trace.
        let mut traces = Traces::default();
        for n in 1..=20_000u64 {
            traces.add(&spanned(1, 2 * n + 1, 2 * n, "child", 1));
            traces.add(&spanned(1, 2 * n, 0, "root", 1));
        }
        let (events, _) = traces.end_round(true);
        let n_with = events.iter().filter(|event| event.attributes().len() == 5).count();
        assert_eq!((events.len(), n_with), (20_000, MOST_OF_TRACE));
    }

    #[test]
    fn spans_that_nobody_asks_for_make_room_for_others_in_time() {
        let mut traces = Traces::default();
        (2..=MOST_SPANS as u128 + 1).for_each(|n| {
            traces.add(&spanned(n, 5, 7, "late", 1));
        });
        assert!(!traces.add(&spanned(1, 1, 0, "root", 1)));
        let left_out: u64 = (0..3).map(|_| traces.end_round(false).1).sum();
        assert_eq!(left_out, MOST_SPANS as u64);
        assert!(traces.add(&spanned(1, 1, 0, "root", 1)));
    }

    proptest! {
        #[test]
        fn spans_in_any_order_add_up_as_a_walk_of_the_tree_says(
            parents in prop::collection::vec(0u64..12, 1..12), order in any::<u64>(),
        ) {
            // Span n + 1 is below an earlier one, or is a root.
            let parents: Vec<u64> =
                parents.iter().enumerate().map(|(n, parent)| parent % (n as u64 + 1)).collect();
            let root_of = |mut id: u64| {
                while parents[id as usize - 1] != 0 {
                    id = parents[id as usize - 1];
                }
                id
            };
            let mut places: Vec<u64> = (1..=parents.len() as u64).collect();
            places.sort_by_key(|id| (order ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut traces = Traces::default();
            for id in places {
                let parent = parents[id as usize - 1];
                let name = format!("s{id}");
                traces.add(&spanned(1, id, parent, &name, id));
            }
            let (events, _) = traces.end_round(true);
            prop_assert_eq!(events.len(), parents.iter().filter(|&&parent| parent == 0).count());
            for event in &events {
                let root: u64 = event.body().to_string()[1..].parse().unwrap();
                let mut below: Vec<_> = event.attributes()[3..]
                    .chunks(2)
                    .map(|pair| pair[0].key.trim_end_matches(".count").to_owned())
                    .collect();
                below.sort();
                let mut naive: Vec<_> = (1..=parents.len() as u64)
                    .filter(|&id| id != root && root_of(id) == root)
                    .map(|id| format!("s{id}"))
                    .collect();
                naive.sort();
                prop_assert_eq!(below, naive);
            }
            prop_assert_eq!((traces.n_spans, traces.by_id.len()), (0, 0));
        }
    }
}
