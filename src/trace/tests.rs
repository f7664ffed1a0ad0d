//! Spans from end to end: what a sink gets.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, mpsc},
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{sampler::*, *};
use crate::{
    clock::{self, ManualClock},
    context::{Outcome, SpanContext, SpanId, TraceFlags, TraceId, TraceState, current},
    label::KeyValue,
    pipeline::Signal as _,
    span,
    sync::Mutex,
};

/// A tracer of this thread whose spans are kept.
struct Kept {
    tracer: Arc<Tracer>,
    spans: Arc<Mutex<Vec<SpanRecord>>>,
    _entered: Entered,
}

impl Kept {
    fn new(sampler: impl Sampler) -> Self {
        Self::with(|builder| builder.sampler(sampler))
    }

    fn with(options: impl FnOnce(TracerBuilder) -> TracerBuilder) -> Self {
        let spans = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&spans);
        let accept = move |batch: &mut Vec<SpanRecord>| sink.lock().append(batch);
        let tracer = options(Tracer::builder(accept)).build();
        let entered = enter(Some(Arc::clone(&tracer)));
        Self { tracer, spans, _entered: entered }
    }

    fn spans(&self) -> Vec<SpanRecord> {
        self.tracer.collect();
        self.spans.lock().clone()
    }

    /// The spans as a tree of names, children in the order of their ends.
    fn tree(&self) -> String {
        fn below(spans: &[SpanRecord], parent: Option<SpanId>) -> String {
            let children = spans.iter().filter(|span| span.parent_span_id() == parent);
            let print = |span: &SpanRecord| match below(spans, Some(span.span_id())) {
                inner if inner.is_empty() => span.name().to_owned(),
                inner => format!("{}({inner})", span.name()),
            };
            children.map(print).collect::<Vec<_>>().join(" ")
        }
        below(&self.spans(), None)
    }
}

fn caller(flags: u8) -> SpanContext {
    let state = TraceState::parse("a=1").unwrap();
    let flags = TraceFlags::from_u8(flags);
    SpanContext::new(TraceId::random(), SpanId::random(), flags, state).into_remote()
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Ready at the second poll.
async fn yield_once() {
    let mut is_second = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut is_second, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[test]
fn scopes_nest() {
    let kept = Kept::new(AlwaysOn);
    {
        let _a = span("a").enter();
        {
            let _b = span("b").enter();
            let _c = span("c").enter();
        }
        let _d = span("d").enter();
    }
    span("e").enter().end();
    assert_eq!(kept.tree(), "a(b(c) d) e");
    let spans = kept.spans();
    let roots: std::collections::HashSet<_> = spans.iter().map(SpanRecord::trace_id).collect();
    assert_eq!(roots.len(), 2);
    assert!(spans.iter().all(|span| span.context().is_sampled() && !span.parent_is_remote()));
    assert_eq!(current(), SpanContext::NONE);
}

#[test]
fn guards_may_be_dropped_in_any_order() {
    let kept = Kept::new(AlwaysOn);
    let a = span("a").enter();
    let b = span("b").enter();
    let b_context = b.context();
    drop(a);
    assert_eq!(current(), b_context);
    let c = span("c").enter();
    drop(b);
    assert_eq!(current(), c.context());
    drop(c);
    assert_eq!(current(), SpanContext::NONE);
    drop(span("d").enter());
    assert_eq!(kept.tree(), "a(b(c)) d");
}

#[test]
fn guards_of_unsampled_spans_may_be_dropped_in_any_order() {
    let _kept = Kept::new(AlwaysOff);
    let scopes = [span("a").enter(), span("b").enter(), span("c").enter()];
    let last = scopes[2].context();
    let [a, b, c] = scopes;
    assert_ne!(a.context(), b.context());
    drop((b, a));
    assert_eq!(current(), last);
    drop(c);
    assert_eq!(current(), SpanContext::NONE);
}

#[test]
fn a_leaked_guard_does_not_hurt_those_around_it() {
    let kept = Kept::new(AlwaysOn);
    let a = span("a").enter();
    std::mem::forget(span("leaked").enter());
    drop(a);
    drop(span("b").root().enter());
    assert_eq!(kept.tree(), "a b");
}

#[test]
fn frames_beyond_the_limit_are_counted_and_nothing_else() {
    let kept = Kept::new(AlwaysOn);
    let scopes: Vec<_> = (0..5_000).map(|_| span("deep").enter()).collect();
    assert!(!scopes[4_999].is_recording());
    drop(scopes);
    assert_eq!((kept.spans().len(), kept.tracer.lost()), (4_096, 904));
    assert_eq!(current(), SpanContext::NONE);
}

#[test]
fn an_unsampled_span_is_current_and_its_children_learn_it() {
    let kept = Kept::new(ParentBased::new(AlwaysOff));
    let root = span("root").enter();
    root.set_attribute("k", 1);
    assert!(current().is_valid() && !current().is_sampled() && !root.is_recording());
    let child = span("child").enter();
    assert_eq!(child.context().trace_id(), root.context().trace_id());
    assert!(!child.context().is_sampled());
    drop((child, root));
    assert!(kept.spans().is_empty());
}

#[test]
fn a_valid_parents_trace_is_continued_whatever_is_decided() {
    for (sampler, sampled) in [(true, true), (false, false)] {
        let kept = Kept::new(TraceIdRatio::new(if sampler { 1.0 } else { 0.0 }));
        for flags in [0, 1, 2, 3] {
            let parent = caller(flags);
            let scope = span("served").parent(parent.clone()).enter();
            let context = scope.context();
            assert_eq!(context.trace_id(), parent.trace_id());
            assert_eq!(context.flags().to_u8(), flags & 2 | u8::from(sampled));
            assert_eq!(context.state().as_str(), "a=1");
            assert!(!context.is_remote());
            drop(scope);
        }
        let spans = kept.spans();
        assert_eq!(spans.len(), if sampled { 4 } else { 0 });
        assert!(spans.iter().all(|span| span.parent_is_remote()));
    }
}

#[test]
fn our_own_ids_are_flagged_random_and_an_invalid_parent_makes_a_root() {
    let kept = Kept::new(AlwaysOn);
    let _outer = span("outer").enter();
    span("root").parent(SpanContext::NONE).enter().end();
    let root = kept.spans().remove(0);
    assert_eq!(root.context().flags().to_u8(), 3);
    assert_eq!(root.parent_span_id(), None);
    assert_ne!(root.trace_id(), current().trace_id());
}

#[test]
fn the_current_context_goes_out_and_comes_in() {
    let kept = Kept::new(AlwaysOn);
    let client = span("call").kind(SpanKind::Client).enter();
    let mut headers = std::collections::HashMap::new();
    inject(&mut headers);
    let served = span("serve").kind(SpanKind::Server).parent(extract(&headers)).enter();
    assert_eq!(served.context().trace_id(), client.context().trace_id());
    drop((served, client));
    assert_eq!(kept.tree(), "call(serve)");
    assert!(kept.spans()[0].parent_is_remote());
}

#[test]
fn times_are_the_clocks_and_never_run_backwards() {
    let clock = ManualClock::new();
    let _installed = clock::enter(Some(clock.clone()));
    let kept = Kept::new(AlwaysOn);
    let early = clock.now();
    clock.advance(Duration::from_secs(1));
    let scope = span("a").enter();
    clock.advance(Duration::from_millis(250));
    scope.add_event("e", []);
    scope.end();
    span("backwards").enter().end_at(early);
    span("given").start_at(early).enter().end_at(clock.now());
    let spans = kept.spans();
    let durations: Vec<_> = spans.iter().map(|span| span.end().since(span.start())).collect();
    assert_eq!(durations, [250, 0, 1250].map(Duration::from_millis));
    assert_eq!(spans[0].events()[0].at(), spans[0].end());
}

#[test]
fn what_is_set_is_in_the_record() {
    let kept = Kept::new(AlwaysOn);
    let other = caller(1);
    let mut owned = span("old").start();
    owned.set_name("new");
    owned.set_attribute("a", 1);
    owned.set_attribute("a", "2");
    owned.add_link(other.clone(), [KeyValue::new("why", "batch")]);
    let scope = owned.enter();
    set_attribute("b", true);
    add_event("retry", [KeyValue::new("n", 2)]);
    scope.set_status(Status::Ok);
    scope.end();
    let [span] = <[_; 1]>::try_from(kept.spans()).unwrap();
    assert_eq!(span.name(), "new");
    assert_eq!(span.attributes(), [KeyValue::new("a", "2"), KeyValue::new("b", true)]);
    assert_eq!((span.events()[0].name(), span.links()[0].context()), ("retry", &other));
    assert_eq!((span.status(), span.outcome()), (&Status::Ok, Outcome::Ok));
}

#[test]
fn limits_hold_and_what_is_beyond_is_counted() {
    let kept = Kept::new(AlwaysOn);
    let scope = span("n".repeat(5_000)).enter();
    for i in 0..130 {
        scope.set_attribute(format!("k{i}"), "v".repeat(2_000));
        scope.add_event("e", (0..200).map(|_| KeyValue::new("k", 1)));
        scope.add_link(SpanContext::NONE, []);
    }
    scope.set_attribute("k0", 7); // Replaces, so it is not beyond.
    scope.end();
    let [span] = <[_; 1]>::try_from(kept.spans()).unwrap();
    assert_eq!([span.attributes().len(), span.events().len(), span.links().len()], [128; 3]);
    assert_eq!([span.dropped_attributes(), span.dropped_events(), span.dropped_links()], [2; 3]);
    assert_eq!((span.name().len(), span.events()[0].attributes().len()), (1_024, 128));
    assert_eq!(span.attributes()[0], KeyValue::new("k0", 7));
    assert_eq!(span.attributes()[1].value.to_string().len(), 1_024);
    assert!(span.weight() > 127 * 1_024);
}

#[test]
fn the_outcome_follows_the_status_and_the_panic() {
    let kept = Kept::new(AlwaysOn);
    let failed = span("failed").enter();
    failed.set_status(Status::Error("no".into()));
    failed.end();
    let told = span("told").enter();
    told.set_outcome(Outcome::Cancelled);
    told.end();
    let unwinding = std::panic::catch_unwind(|| {
        /// Makes a span while a panic is under way that began before.
        struct InDrop;
        impl Drop for InDrop {
            fn drop(&mut self) {
                span("in drop").enter().end();
            }
        }
        let _scope = span("panicked").enter();
        let _in_drop = InDrop;
        std::panic::resume_unwind(Box::new("quietly"));
    });
    assert!(unwinding.is_err());
    let found: Vec<_> =
        kept.spans().iter().map(|span| (span.name().to_owned(), span.outcome())).collect();
    let expected = [
        ("failed", Outcome::Error),
        ("told", Outcome::Cancelled),
        ("in drop", Outcome::Ok),
        ("panicked", Outcome::Panic),
    ];
    assert_eq!(found, expected.map(|(name, outcome)| (name.to_owned(), outcome)));
}

#[test]
fn a_futures_span_is_current_during_its_polls_only() {
    let kept = Kept::new(AlwaysOn);
    let work = async {
        let _child = span("child").start();
        yield_once().await;
        span("late").enter().end();
        current()
    };
    let mut future = pin!(work.in_span(span("future").start()));
    assert!(poll(future.as_mut()).is_pending());
    assert_eq!(current(), SpanContext::NONE);
    assert!(matches!(poll(future), Poll::Ready(context) if context.is_valid()));
    assert_eq!(current(), SpanContext::NONE);
    assert_eq!(kept.tree(), "future(late child)");
    assert!(kept.spans().iter().all(|span| span.outcome() == Outcome::Ok));
}

#[test]
fn futures_interleave() {
    let kept = Kept::new(AlwaysOn);
    let task = |name: &'static str, inner: &'static str| {
        let root = span(name).root().start();
        Box::pin(
            async move {
                yield_once().await;
                span(inner).enter().end();
            }
            .in_span(root),
        )
    };
    let (mut a, mut b) = (task("a", "in a"), task("b", "in b"));
    for _ in 0..2 {
        let _ = (poll(a.as_mut()), poll(b.as_mut()));
    }
    assert_eq!(kept.tree(), "a(in a) b(in b)");
}

#[test]
fn a_dropped_future_is_cancelled_within_its_span() {
    let kept = Kept::new(AlwaysOn);
    struct OnDrop;
    impl Drop for OnDrop {
        fn drop(&mut self) {
            span("cleanup").enter().end();
        }
    }
    let work = async {
        let _on_drop = OnDrop;
        yield_once().await;
    };
    {
        let mut future = pin!(work.in_span(span("work").start()));
        assert!(poll(future.as_mut()).is_pending());
    }
    assert_eq!(kept.tree(), "work(cleanup)");
    assert_eq!(kept.spans()[1].outcome(), Outcome::Cancelled);
}

#[test]
fn a_span_may_end_on_another_thread() {
    let kept = Kept::new(AlwaysOn);
    let root = span("root").enter();
    let mut moved = span("moved").start();
    std::thread::spawn(move || {
        moved.set_attribute("there", true);
        let _scope = moved.enter();
        assert!(current().is_valid());
    })
    .join()
    .unwrap();
    drop(root);
    assert_eq!(kept.tree(), "root(moved)");
}

#[test]
fn a_full_buffer_is_handed_over_by_its_thread() {
    let kept = Kept::new(AlwaysOn);
    (0..255).for_each(|_| span("small").enter().end());
    assert_eq!(kept.spans.lock().len(), 0);
    span("small").enter().end();
    assert_eq!(kept.spans.lock().len(), 256);
    for _ in 0..8 {
        let scope = span("large").enter();
        (0..10).for_each(|i| scope.set_attribute(format!("k{i}"), "v".repeat(1_000)));
    }
    assert_eq!(kept.spans.lock().len(), 256 + 7);
}

#[test]
fn an_ended_thread_leaves_nothing_behind_and_loses_nothing() {
    let kept = Kept::new(AlwaysOn);
    for _ in 0..300 {
        let tracer = Arc::clone(&kept.tracer);
        std::thread::spawn(move || {
            let _entered = enter(Some(tracer));
            span("short").enter().end();
        })
        .join()
        .unwrap();
    }
    assert_eq!(kept.spans().len(), 300);
    assert_eq!(kept.tracer.n_threads(), 0);
}

#[test]
fn spans_work_in_destructors_of_a_thread() {
    /// Ends a span when its thread-local is destroyed.
    struct Late(Option<(Arc<Tracer>, mpsc::Sender<bool>)>);
    impl Drop for Late {
        fn drop(&mut self) {
            if let Some((tracer, sender)) = self.0.take() {
                let _entered = enter(Some(tracer));
                let scope = span("late").enter();
                let _ = sender.send(scope.is_recording() && current().is_valid());
            }
        }
    }
    thread_local!(static LATE: std::cell::RefCell<Late> = const { std::cell::RefCell::new(Late(None)) });
    let kept = Kept::new(AlwaysOn);
    for before in [true, false] {
        let (sender, receiver) = mpsc::channel();
        let tracer = Arc::clone(&kept.tracer);
        std::thread::spawn(move || {
            let _entered = enter(Some(Arc::clone(&tracer)));
            // Both orders of registration, since destructors run in one or the other.
            if before {
                span("early").enter().end();
            }
            LATE.with(|late| late.borrow_mut().0 = Some((tracer, sender)));
            if !before {
                span("early").enter().end();
            }
        })
        .join()
        .unwrap();
        assert!(receiver.recv().unwrap());
    }
    assert_eq!(kept.spans().len(), 4);
    assert_eq!(kept.tracer.n_threads(), 0);
}

#[test]
fn a_span_that_outlives_its_tracers_reign_still_reaches_it() {
    let spans = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&spans);
    let tracer = Tracer::builder(move |batch: &mut Vec<_>| sink.lock().append(batch)).build();
    let entered = enter(Some(Arc::clone(&tracer)));
    let open = span("open").start();
    drop(entered);
    tracer.close();
    drop(open);
    assert_eq!(spans.lock().len(), 1);
    let orphan = {
        let _entered = enter(Some(Arc::clone(&tracer)));
        span("orphan").start()
    };
    let _other = Kept::new(AlwaysOn);
    drop(span("binds the thread to the other tracer").enter());
    drop(tracer);
    drop(orphan); // Its tracer is gone: nothing to do, and nothing to panic about.
    assert_eq!(spans.lock().len(), 1);
}

#[test]
fn a_sink_may_use_spans_and_panic() {
    let calls = Arc::new(Mutex::new(0));
    let sink = Arc::clone(&calls);
    let tracer = Tracer::builder(move |_: &mut Vec<_>| {
        *sink.lock() += 1;
        span("of the sink").enter().end();
        std::panic::resume_unwind(Box::new("quietly"));
    })
    .build();
    let _entered = enter(Some(Arc::clone(&tracer)));
    (0..512).for_each(|_| span("a").enter().end());
    tracer.collect();
    assert_eq!((*calls.lock(), tracer.lost()), (2, 512));
}

#[test]
fn a_sampler_may_use_spans_without_effect() {
    #[derive(Debug)]
    struct Recursive;
    impl Sampler for Recursive {
        fn sample(&self, span: &Candidate<'_>) -> Decision {
            crate::span("of the sampler").enter().end();
            Decision::from_sampled(span.name() == "a")
        }
    }
    let kept = Kept::new(Recursive);
    span("a").enter().end();
    span("b").enter().end();
    assert_eq!(kept.tree(), "a");
}

/// Ends what it was made with, and makes, sets and ends spans of its own, while it is iterated.
fn meddling(scopes: Vec<SpanScope>, owned: Span) -> impl Iterator<Item = KeyValue> {
    let mut given = Some((scopes, owned));
    (0..3).map(move |n| {
        drop(given.take());
        let inner = span("inner").enter();
        inner.add_event("in the inner", [KeyValue::new("n", n)]);
        set_attribute("inner", n);
        KeyValue::new(format!("k{n}"), n)
    })
}

#[test]
fn attributes_that_end_and_set_things_on_spans_are_all_kept() {
    type Add = fn(&SpanScope, &mut Span, Box<dyn Iterator<Item = KeyValue>>);
    let ways: [Add; 5] = [
        |scope, _, attributes| scope.add_event("e", attributes),
        |scope, _, attributes| scope.add_link(caller(1), attributes),
        |_, owned, attributes| owned.add_event("e", attributes),
        |_, owned, attributes| owned.add_link(caller(1), attributes),
        |_, _, attributes| add_event("e", attributes),
    ];
    for (place, way) in ways.into_iter().enumerate() {
        let kept = Kept::new(AlwaysOn);
        let mut owned = span("owned").start();
        let below = span("below").enter();
        let scope = span("scope").enter();
        way(&scope, &mut owned, Box::new(meddling(vec![below], span("other").start())));
        assert_eq!(current(), scope.context(), "way {place}");
        drop((scope, owned));
        assert_eq!(current(), SpanContext::NONE, "way {place}");
        let spans = kept.spans();
        let n = |name| spans.iter().filter(|span| span.name() == name).count();
        assert_eq!(["below", "other", "inner", "scope", "owned"].map(n), [1, 1, 3, 1, 1]);
        let on =
            spans.iter().find(|span| span.name() == ["scope", "owned"][place / 2 % 2]).unwrap();
        let keys = |attributes: &[KeyValue]| attributes.iter().map(|a| a.key.to_string()).collect();
        let events = on.events().iter().map(|event| keys(event.attributes()));
        let found: Vec<Vec<String>> =
            events.chain(on.links().iter().map(|link| keys(link.attributes()))).collect();
        assert_eq!(found, [["k0", "k1", "k2"]], "way {place}");
    }
}

#[test]
fn attributes_that_end_their_own_span_cost_the_event_and_nothing_else() {
    let kept = Kept::new(AlwaysOn);
    let own = std::cell::RefCell::new(Some(span("own").enter()));
    add_event(
        "e",
        std::iter::once_with(|| {
            drop(own.take());
            KeyValue::new("k", 1)
        }),
    );
    assert_eq!(current(), SpanContext::NONE);
    // Another span that takes its place does not get its event.
    let own = std::cell::RefCell::new(Some(span("own").enter()));
    let next = std::cell::RefCell::new(None);
    add_event(
        "e",
        std::iter::once_with(|| {
            drop(own.take());
            *next.borrow_mut() = Some(span("next").enter());
            KeyValue::new("k", 1)
        }),
    );
    drop(next);
    assert_eq!(kept.tree(), "own own next");
    assert!(kept.spans().iter().all(|span| span.events().is_empty()));
}

#[test]
fn attributes_that_are_beyond_the_limit_or_for_nobody_are_not_asked_for() {
    let kept = Kept::with(|builder| {
        builder.limits(SpanLimits { attributes: 2, events: 1, ..SpanLimits::default() })
    });
    let asked = std::cell::Cell::new(0);
    let endless = || {
        std::iter::repeat_with(|| {
            asked.set(asked.get() + 1);
            KeyValue::new("k", 1)
        })
    };
    add_event("nobody's", endless());
    let scope = span("a").enter();
    scope.add_event("e", endless());
    scope.add_event("beyond", endless());
    drop(scope);
    assert_eq!(asked.get(), 2);
    let span = kept.spans().remove(0);
    assert_eq!((span.events()[0].attributes().len(), span.dropped_events()), (2, 1));
}

#[test]
fn conversions_may_use_spans() {
    struct Name(&'static str);
    impl From<Name> for std::borrow::Cow<'static, str> {
        fn from(name: Name) -> Self {
            span("of a conversion").enter().set_attribute("k", 1);
            set_attribute(name.0, 1);
            name.0.into()
        }
    }
    impl From<Name> for crate::label::Value {
        fn from(_: Name) -> Self {
            add_event("of a conversion", []);
            Self::from(1)
        }
    }
    let kept = Kept::new(AlwaysOn);
    let scope = span(Name("outer")).enter();
    scope.set_attribute(Name("a"), Name(""));
    set_attribute(Name("b"), Name(""));
    scope.set_name(Name("c"));
    add_event(Name("d"), []);
    drop(scope);
    let outer = kept.spans().pop().unwrap();
    assert_eq!((outer.name(), outer.events().len()), ("c", 3));
    let keys: Vec<_> = outer.attributes().iter().map(|attribute| attribute.key.as_ref()).collect();
    assert_eq!(keys, ["a", "b", "c", "d"]);
    assert_eq!(kept.spans().len(), 6);
}

#[test]
fn a_sampler_that_panics_drops_its_span_and_nothing_else() {
    #[derive(Debug)]
    struct Panicking;
    impl Sampler for Panicking {
        fn sample(&self, span: &Candidate<'_>) -> Decision {
            match span.name() {
                "quietly" => std::panic::resume_unwind(Box::new("quietly")),
                "badly" => std::panic::resume_unwind(Box::new(PanicsInDrop)),
                _ => Decision::RecordAndSample,
            }
        }
    }
    let kept = Kept::new(ParentBased::new(Panicking).local_sampled(Panicking));
    let outer = span("outer").enter();
    for name in ["quietly", "badly"] {
        let scope = span(name).enter();
        assert_eq!(scope.context().trace_id(), outer.context().trace_id());
        assert!(!scope.is_recording() && !current().is_sampled());
        let owned = span(name).root().start();
        assert!(owned.context().is_valid() && !owned.is_recording());
        drop((owned, scope));
        assert_eq!(current(), outer.context());
    }
    span("after").enter().end();
    drop(outer);
    assert_eq!((kept.tree().as_str(), kept.tracer.lost()), ("outer(after)", 4));
}

/// Panics when it is dropped, unless a panic is under way.
struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::resume_unwind(Box::new("in a drop"));
        }
    }
}

#[test]
fn what_a_sink_and_a_sampler_drop_may_panic() {
    #[derive(Debug)]
    struct Holding;
    impl Drop for Holding {
        fn drop(&mut self) {
            drop(PanicsInDrop);
        }
    }
    impl Sampler for Holding {
        fn sample(&self, _: &Candidate<'_>) -> Decision {
            Decision::RecordAndSample
        }
    }
    let held = PanicsInDrop;
    let sink = move |_: &mut Vec<SpanRecord>| {
        let _ = &held;
        std::panic::resume_unwind(Box::new(PanicsInDrop));
    };
    let tracer = Tracer::builder(sink).sampler(Holding).build();
    let entered = enter(Some(Arc::clone(&tracer)));
    span("a").enter().end();
    tracer.collect();
    assert_eq!(tracer.lost(), 1);
    drop((tracer, entered));
    let _other = Kept::new(AlwaysOn);
    span("binds the thread to the other tracer").enter().end();
}

#[test]
fn a_sampler_may_end_spans() {
    thread_local!(static OPEN: std::cell::RefCell<Vec<SpanScope>> = const { std::cell::RefCell::new(Vec::new()) });
    #[derive(Debug)]
    struct Ending;
    impl Sampler for Ending {
        fn sample(&self, _: &Candidate<'_>) -> Decision {
            let open = OPEN.take();
            open.iter().for_each(|scope| scope.set_attribute("of the sampler", 1));
            drop(open);
            Decision::RecordAndSample
        }
    }
    let kept = Kept::new(Ending);
    for name in ["a", "b"] {
        let scope = span(name).enter();
        OPEN.with_borrow_mut(|open| open.push(scope));
    }
    span("c").enter().end();
    assert_eq!(current(), SpanContext::NONE);
    let spans = kept.spans();
    let names: Vec<_> = spans.iter().map(SpanRecord::name).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(spans.iter().filter(|span| span.attributes().len() == 1).count(), 2);
}

#[test]
fn a_sink_may_end_spans_after_the_tracer_was_closed() {
    let (send, open) = mpsc::channel::<Span>();
    let open = Mutex::new(open);
    let spans = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&spans);
    let tracer = Tracer::builder(move |batch: &mut Vec<_>| {
        sink.lock().append(batch);
        let ended = open.lock().try_iter().collect::<Vec<_>>();
        drop(ended);
    })
    .build();
    let _entered = enter(Some(Arc::clone(&tracer)));
    tracer.close();
    send.send(span("of the sink").start()).unwrap();
    span("a").enter().end();
    span("b").enter().end();
    let names: Vec<_> = spans.lock().iter().map(|span| span.name().to_owned()).collect();
    assert_eq!(names, ["a", "of the sink", "b"]);
}

#[test]
fn the_last_span_of_a_tracer_reaches_its_sink_from_a_thread_that_has_ended() {
    /// Lets go of its tracer before the span, when its thread-local is destroyed.
    struct Late(Option<Arc<Tracer>>);
    impl Drop for Late {
        fn drop(&mut self) {
            if let Some(tracer) = self.0.take() {
                let entered = enter(Some(tracer));
                let scope = span("late").enter();
                drop(entered);
                drop(scope);
            }
        }
    }
    thread_local!(static LATE: std::cell::RefCell<Late> = const { std::cell::RefCell::new(Late(None)) });
    for before in [true, false] {
        let (send, received) = mpsc::channel();
        let sink = move |batch: &mut Vec<SpanRecord>| {
            // This thread's spans are free: what is carried is current.
            let caller = caller(1);
            let _carried = span("in the sink").parent(caller.clone()).enter();
            send.send((batch.len(), current() == caller)).unwrap();
        };
        std::thread::spawn(move || {
            let tracer = Tracer::builder(sink).build();
            let early = || drop(span("nobody's").parent(caller(1)).enter());
            if before {
                early();
            }
            LATE.with(|late| late.borrow_mut().0 = Some(tracer));
            if !before {
                early();
            }
        })
        .join()
        .unwrap();
        assert_eq!(received.iter().collect::<Vec<_>>(), [(1, true)]);
    }
}

#[test]
fn a_muted_thread_records_nothing_and_carries_contexts_on() {
    let kept = Kept::new(AlwaysOn);
    let outer = span("outer").enter();
    let before = span("before").start();
    {
        let _muted = mute();
        let inner = span("inner").enter();
        assert!(!inner.is_recording());
        assert_eq!(inner.context(), outer.context());
        let caller = caller(1);
        let carried = span("carried").parent(caller.clone()).enter();
        assert_eq!(current(), caller);
        let nested = (mute(), Kept::new(AlwaysOn));
        span("nested").enter().end();
        assert!(nested.1.spans().is_empty());
        drop(carried);
        assert_eq!(current(), outer.context());
        drop(before); // It was recorded when it started.
    }
    span("after").enter().end();
    drop(outer);
    assert_eq!(kept.tree(), "outer(before after)");
}

#[test]
fn a_caller_that_is_only_passed_through_is_no_exemplar() {
    let outer = span("a").parent(caller(1)).enter();
    assert!(current().is_sampled() && !crate::context::is_sampled());
    drop(outer);
    let _kept = Kept::new(AlwaysOn);
    let _recorded = span("a").parent(caller(1)).enter();
    assert!(crate::context::is_sampled());
}

#[test]
fn a_scope_within_a_scope_puts_the_outer_tracer_back() {
    let outer = Kept::new(AlwaysOn);
    span("1").enter().end();
    {
        let inner = Kept::new(AlwaysOn);
        span("2").enter().end();
        assert_eq!(inner.tree(), "2");
    }
    span("3").enter().end();
    assert_eq!(outer.tree(), "1 3");
}

#[test]
fn without_a_tracer_a_span_is_nothing() {
    let scope = span("a").enter();
    assert!(!scope.is_recording());
    let mut owned = span("b").start();
    owned.set_attribute("k", 1);
    assert_eq!(owned.context(), &SpanContext::NONE);
    drop(owned.enter());
    assert_eq!((scope.context(), scope.leave().is_recording()), (SpanContext::NONE, false));
}
