//! Spans that are open: exported as they stand. What becomes of those that stay so is in `overdue.rs`.

use std::thread;

use proptest::prelude::*;

use super::*;
use crate::{
    label::Value,
    trace::{sampler::Tail, watched, watching::OpenSpans},
};

pub(super) const SECOND: Duration = Duration::from_secs(1);

const EXPORTED: OpenSpans = OpenSpans { are_exported: true, overdue: None, given_up: None };

/// Spans that are open are exported.
fn exporting() -> Kept {
    Kept::with(|builder| builder.open_spans(EXPORTED))
}

pub(super) fn reporting(age: Duration) -> Kept {
    Kept::with(|builder| {
        builder.open_spans(OpenSpans { overdue: Some(age), ..OpenSpans::default() })
    })
}

/// What comes by a flush: the names, with a `…` behind those of spans that are open.
pub(super) fn flushed(kept: &Kept) -> Vec<String> {
    kept.tracer.flush();
    named(&std::mem::take(&mut *kept.spans.lock()))
}

pub(super) fn named(spans: &[SpanRecord]) -> Vec<String> {
    let mark = |span: &SpanRecord| if span.is_open() { "…" } else { "" };
    let mut names: Vec<_> = spans.iter().map(|span| span.name().to_owned() + mark(span)).collect();
    names.sort();
    names
}

pub(super) fn n_watched(tracer: &Tracer) -> usize {
    let mut n = 0;
    watched::each(tracer.id(), |_| n += 1);
    n
}

#[test]
fn an_open_span_is_exported_as_it_stands_and_again_when_it_ends() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let kept = exporting();
    let import = span("import").kind(SpanKind::Consumer).attribute("file", "a.csv").enter();
    import.set_attribute("rows", 3);
    import.add_event("half", [KeyValue::new("at", 2)]);
    clock.advance(SECOND);
    kept.tracer.flush();
    import.set_name("import of a");
    import.set_attribute("rows", 4);
    import.set_status(Status::Ok);
    clock.advance(SECOND);
    drop(import);
    let spans = kept.spans();
    let [open, ended] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(open.context(), ended.context());
    assert_eq!((open.start(), open.kind()), (ended.start(), ended.kind()));
    assert_eq!(open.duration(), SECOND);
    assert_eq!(ended.duration(), 2 * SECOND);
    assert_eq!((open.name(), ended.name()), ("import", "import of a"));
    assert_eq!((open.is_open(), ended.is_open()), (true, false));
    assert_eq!((open.status(), ended.status()), (&Status::Unset, &Status::Ok));
    assert_eq!(
        (open.events()[0].name(), open.events().len(), ended.events().len()),
        ("half", 1, 1)
    );
    let mark = KeyValue::new("bellwether.span.open", true);
    let file = KeyValue::new("file", "a.csv");
    assert_eq!(open.attributes(), [file.clone(), KeyValue::new("rows", 3), mark]);
    assert_eq!(ended.attributes(), [file, KeyValue::new("rows", 4)]);
}

#[test]
fn what_is_printed_of_a_watched_span_has_the_name_that_was_set() {
    let _kept = exporting();
    let mut open = span("old").start();
    open.set_name("new");
    assert!(format!("{open:?}").contains("\"new\""), "{open:?}");
}

#[test]
fn spans_are_not_exported_before_their_end_unless_that_is_chosen() {
    for new in [|| Kept::new(AlwaysOn), || reporting(SECOND)] {
        let kept = new();
        let open = span("open").start();
        assert_eq!(flushed(&kept), [""; 0]);
        kept.tracer.close();
        drop(open);
        assert_eq!(named(&kept.spans()), ["open"]);
    }
}

#[test]
fn leaked_guards_and_futures_are_exported_at_each_flush_and_at_the_end() {
    let kept = exporting();
    std::mem::forget(span("guard").start());
    let mut future = Box::pin(yield_once().in_span(span("future").start()));
    let polled = future.as_mut().poll(&mut task::Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    std::mem::forget(future);
    let moved = span("moved").start();
    let tracer = kept.tracer.clone();
    thread::spawn(move || {
        let _entered = enter(Some(tracer));
        let mut moved = moved;
        moved.set_attribute("there", true);
        std::mem::forget(moved);
        std::mem::forget(span("scope").enter()); // Its thread ends with it.
    })
    .join()
    .unwrap();
    let all = ["future…", "guard…", "moved…", "scope…"];
    assert_eq!(flushed(&kept), all);
    kept.tracer.flush();
    let spans = std::mem::take(&mut *kept.spans.lock());
    let moved = spans.iter().find(|span| span.name() == "moved").unwrap();
    assert_eq!(moved.attributes()[0], KeyValue::new("there", true));
    kept.tracer.close();
    assert_eq!(named(&kept.spans()), all);
}

#[test]
fn a_span_that_ends_wherever_is_watched_no_longer() {
    let kept = exporting();
    let (moved, scope) = (span("moved").start(), span("scope").enter());
    let (left, beyond) = (span("left").enter().leave(), span("beyond").enter());
    assert_eq!(n_watched(&kept.tracer), 4);
    let tracer = kept.tracer.clone();
    thread::spawn(move || drop(moved)).join().unwrap(); // A thread with no tracer.
    thread::spawn(move || {
        let _entered = enter(Some(tracer));
        drop(left);
    })
    .join()
    .unwrap();
    drop(scope); // Before the one that it is around.
    drop(beyond);
    assert_eq!((n_watched(&kept.tracer), kept.tracer.open()), (0, 0));
    assert_eq!(flushed(&kept), ["beyond", "left", "moved", "scope"]);
}

#[test]
fn a_span_that_outlives_its_tracer_leaves_nothing_behind() {
    let Kept { tracer, _entered, .. } = exporting();
    let id = tracer.id();
    let open = span("open").start();
    let n_of_tracer = || {
        let mut n = 0;
        watched::each(id, |_| n += 1);
        n
    };
    drop((_entered, tracer));
    assert_eq!(n_of_tracer(), 1);
    let _next = Kept::new(AlwaysOn);
    span("of the next").enter().end(); // The thread lets go of the former one.
    drop(open);
    assert_eq!(n_of_tracer(), 0);
}

#[test]
fn the_end_of_a_watched_span_is_that_which_was_named_and_not_before_its_start() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let kept = exporting();
    let early = clock::now();
    clock.advance(SECOND);
    let (before, after) = (span("before").enter(), span("after").start());
    clock.advance(SECOND);
    let at = clock::now();
    clock.advance(SECOND);
    before.end_at(early);
    after.end_at(at);
    let lengths: Vec<_> = kept.spans().iter().map(|span| span.duration()).collect();
    assert_eq!(lengths, [Duration::ZERO, SECOND]);
}

#[test]
fn a_panic_that_unwinds_through_a_watched_span_is_its_outcome() {
    let kept = exporting();
    let work = || {
        let _span = span("work").enter();
        panic!("of the work");
    };
    assert!(std::panic::catch_unwind(work).is_err());
    assert_eq!(kept.spans()[0].outcome(), Outcome::Panic);
}

#[derive(Debug)]
struct SomeRecorded;

impl Sampler for SomeRecorded {
    fn sample(&self, candidate: &Candidate<'_>) -> Sampling {
        if *candidate.name == "sampled" { Sampling::SAMPLE } else { Sampling::RECORD }
    }
}

#[test]
fn open_spans_that_are_not_sampled_are_not_exported() {
    let kept =
        Kept::with(|builder| builder.sampler(EverySpan::new(SomeRecorded)).open_spans(EXPORTED));
    let _open = (span("sampled").start(), span("recorded").start());
    assert_eq!(flushed(&kept), ["sampled…"]);
    kept.tracer.close();
    assert_eq!(named(&kept.spans()), ["sampled…"]);
}

#[test]
fn a_flush_on_a_muted_thread_exports_no_open_spans() {
    let kept = exporting();
    let _open = span("open").start();
    {
        let _muted = mute();
        assert_eq!(flushed(&kept), [""; 0]);
    }
    assert_eq!(flushed(&kept), ["open…"]);
}

#[test]
fn with_a_tail_sampler_a_flush_exports_open_spans_of_kept_traces_alone() {
    let tail = Tail::new().errors(1.0);
    let kept = Kept::with(|builder| builder.tail_sampler(tail).open_spans(EXPORTED));
    let mut late = Vec::new();
    for has_failed in [false, true] {
        let _root = span("root").enter();
        late.push(span(if has_failed { "kept" } else { "dropped" }).start());
        if has_failed {
            set_status(Status::Error("no".into()));
        }
    }
    let undecided = span("undecided").enter();
    set_status(Status::Error("no".into()));
    assert_eq!(flushed(&kept), ["kept…", "root"]);
    drop((late, undecided));
    assert_eq!(flushed(&kept), ["kept", "undecided"]);
}

#[test]
fn at_the_end_a_tail_sampler_decides_about_open_spans_with_their_traces() {
    let tail = Tail::new().errors(1.0);
    let kept = Kept::with(|builder| builder.tail_sampler(tail).open_spans(EXPORTED));
    let mut open = Vec::new();
    for has_failed in [false, true] {
        let root = span(if has_failed { "bad" } else { "good" }).enter();
        span("child").enter().end();
        if has_failed {
            set_status(Status::Error("no".into()));
        }
        open.push(root.leave());
    }
    kept.tracer.close();
    let spans = kept.spans();
    assert_eq!(named(&spans), ["bad…", "child"]);
    assert!(spans.iter().all(|span| span.trace_id() == spans[0].trace_id()));
}

#[test]
fn what_is_beyond_the_limits_of_a_watched_span_is_counted_once_and_the_mark_is_not() {
    let limits = SpanLimits { attributes: 1, ..SpanLimits::DEFAULT };
    let kept = Kept::with(|builder| builder.limits(limits).open_spans(EXPORTED));
    let open = span("open").enter();
    open.set_attribute("first", 1);
    open.set_attribute("second", 2);
    kept.tracer.flush();
    drop(open);
    let spans = kept.spans();
    assert_eq!(spans.iter().map(|span| span.attributes().len()).collect::<Vec<_>>(), [2, 1]);
    assert!(spans.iter().all(|span| span.dropped_attributes() == 1));
    assert_eq!(kept.tracer.truncated()[0].1, 1);
}

/// What is set on a span.
#[derive(Clone, Debug)]
enum Change {
    Attribute(u8, Value),
    BareEvent(u8),
    Event(u8, Vec<KeyValue>),
    Link(Vec<KeyValue>),
    Name(String),
    Status(Status),
    Outcome(Outcome),
    Error(String),
    /// Whether it is the current one from now on.
    Stay(bool),
}

fn text() -> impl Strategy<Value = String> {
    "[a-z]{0,12}"
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let attribute = (text(), text()).prop_map(|(key, value)| KeyValue::new(key, value));
    prop::collection::vec(attribute, 0..4)
}

fn change() -> impl Strategy<Value = Change> {
    let value = prop_oneof![
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
        prop::collection::vec(any::<bool>(), 0..4).prop_map(Value::from),
    ];
    let status = prop_oneof![
        Just(Status::Unset),
        Just(Status::Ok),
        text().prop_map(|text| Status::Error(text.into()))
    ];
    let outcome = prop_oneof![Just(Outcome::Ok), Just(Outcome::Error), Just(Outcome::Cancelled)];
    prop_oneof![
        4 => (0..6_u8, value).prop_map(|(key, value)| Change::Attribute(key, value)),
        1 => (0..6_u8).prop_map(Change::BareEvent),
        1 => (0..6_u8, attributes()).prop_map(|(name, attributes)| Change::Event(name, attributes)),
        1 => attributes().prop_map(Change::Link),
        1 => text().prop_map(Change::Name),
        1 => status.prop_map(Change::Status),
        1 => outcome.prop_map(Change::Outcome),
        1 => text().prop_map(Change::Error),
        1 => any::<bool>().prop_map(Change::Stay),
    ]
}

/// The span of a script, owned or on the thread's stack.
enum Stand {
    Owned(Span),
    Current(SpanScope),
}

macro_rules! on_both {
    ($stand:expr, $span:ident => $change:expr) => {
        match $stand {
            Stand::Owned($span) => $change,
            Stand::Current($span) => $change,
        }
    };
}

impl Stand {
    fn change(self, change: Change) -> Self {
        let mut stand = self;
        let key = |n: u8| "k".repeat(n.into());
        match change {
            Change::Attribute(n, value) => {
                on_both!(&mut stand, span => span.set_attribute(key(n), value));
            }
            Change::BareEvent(n) => on_both!(&mut stand, span => span.add_event(key(n), [])),
            Change::Event(n, attributes) => {
                on_both!(&mut stand, span => span.add_event(key(n), attributes));
            }
            Change::Link(attributes) => {
                on_both!(&mut stand, span => span.add_link(SpanContext::NONE, attributes));
            }
            Change::Name(name) => on_both!(&mut stand, span => span.set_name(name)),
            Change::Status(status) => on_both!(&mut stand, span => span.set_status(status)),
            Change::Outcome(outcome) => on_both!(&mut stand, span => span.set_outcome(outcome)),
            Change::Error(error) => on_both!(&mut stand, span => span.record_error(error.as_str())),
            Change::Stay(is_current) => {
                let span = match stand {
                    Self::Owned(span) => span,
                    Self::Current(scope) => scope.leave(),
                };
                return if is_current { Self::Current(span.enter()) } else { Self::Owned(span) };
            }
        }
        stand
    }
}

/// What a span records of changes. If it is watched, a flush before its end shows the same.
fn recorded(changes: &[Change], open_spans: OpenSpans) -> String {
    let limits = SpanLimits {
        attributes: 3,
        events: 3,
        links: 2,
        event_attributes: 2,
        link_attributes: 2,
        array_items: 2,
        value_chars: 8,
        text_chars: 4,
    };
    let kept = Kept::with(|builder| builder.limits(limits).open_spans(open_spans));
    let open = Stand::Owned(span("n").start());
    let open = changes.iter().cloned().fold(open, Stand::change);
    kept.tracer.flush();
    drop(open);
    let shown = |mut span: SpanRecord| {
        span.attributes_mut().retain(|attribute| attribute.key != "bellwether.span.open");
        let events: Vec<_> =
            span.events().iter().map(|event| (event.name(), event.attributes())).collect();
        format!(
            "{} {:?} {:?} {events:?} {:?} {:?}",
            span.name(),
            span.status(),
            span.attributes(),
            span.links(),
            span.all_cuts(),
        )
    };
    let outcome = kept.spans().last().unwrap().outcome();
    let mut all: Vec<_> = kept.spans().into_iter().map(shown).collect();
    assert_eq!(all.len(), if open_spans.are_exported { 2 } else { 1 });
    all.dedup();
    let text = format!("{outcome:?} {} {:?}", all.remove(0), kept.tracer.truncated());
    assert!(all.is_empty(), "{text}\n{all:?}");
    text
}

proptest! {
    #[test]
    fn a_watched_span_records_what_any_other_does(changes in prop::collection::vec(change(), 0..24)) {
        let watched = recorded(&changes, EXPORTED);
        prop_assert_eq!(watched, recorded(&changes, OpenSpans::default()));
    }
}
