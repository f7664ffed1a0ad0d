//! Attributes, samplers and sinks that use spans themselves, or panic.

use super::*;

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
        fn sample(&self, span: &Candidate<'_>) -> Sampling {
            crate::span("of the sampler").enter().end();
            Sampling::from_sampled(span.name() == "a")
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
        assert!(current().is_none(), "way {place}");
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
    assert!(current().is_none());
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
fn attributes_for_nobody_are_not_asked_for_and_endless_ones_not_for_ever() {
    let kept = Kept::with(|builder| {
        builder.limits(SpanLimits { event_attributes: 2, events: 1, ..SpanLimits::default() })
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
    assert_eq!(asked.get(), 4);
    let span = kept.spans().remove(0);
    let event = &span.events()[0];
    assert_eq!((event.attributes().len(), event.dropped_attributes()), (2, 2));
    assert_eq!(span.dropped_events(), 1);
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
fn what_is_set_on_a_span_that_is_not_recorded_is_not_converted() {
    struct Never;
    impl From<Never> for std::borrow::Cow<'static, str> {
        fn from(_: Never) -> Self {
            panic!("converted")
        }
    }
    impl From<Never> for crate::label::Value {
        fn from(_: Never) -> Self {
            panic!("converted")
        }
    }
    let set_all = || {
        let scope = span("a").enter();
        scope.set_attribute(Never, Never);
        scope.add_event(Never, [KeyValue::new("k", 1)]);
        scope.set_name(Never);
        set_attribute(Never, Never);
        add_event(Never, []);
        let mut owned = span("b").start();
        owned.set_attribute(Never, Never);
        owned.add_event(Never, []);
    };
    set_all(); // Without a tracer.
    let _kept = Kept::new(AlwaysOff);
    set_all();
    set_attribute(Never, Never);
    let _kept = Kept::new(ParentBased::new(AlwaysOn));
    let _carried = span("not sampled").parent(caller(0)).enter();
    set_all();
}

#[test]
fn a_conversion_that_ends_the_span_costs_the_attribute_and_nothing_else() {
    let kept = Kept::new(AlwaysOn);
    struct Ends<'a>(&'a std::cell::RefCell<Vec<SpanScope>>);
    impl From<Ends<'_>> for crate::label::Value {
        fn from(ends: Ends<'_>) -> Self {
            drop(ends.0.take());
            "a text that is on the heap".into()
        }
    }
    let open = std::cell::RefCell::new(vec![span("a").enter()]);
    set_attribute("k", Ends(&open));
    assert!(current().is_none());
    assert!(kept.spans()[0].attributes().is_empty());
}

#[test]
fn a_sampler_that_panics_drops_its_span_and_nothing_else() {
    #[derive(Debug)]
    struct Panicking;
    impl Sampler for Panicking {
        fn sample(&self, span: &Candidate<'_>) -> Sampling {
            match span.name() {
                "quietly" => std::panic::resume_unwind(Box::new("quietly")),
                "badly" => std::panic::resume_unwind(Box::new(PanicsInDrop)),
                _ => Sampling::SAMPLE,
            }
        }
    }
    let kept = Kept::new(ParentBased::new(Panicking).local_sampled(Panicking));
    let outer = span("outer").enter();
    for name in ["quietly", "badly"] {
        let scope = span(name).enter();
        assert_eq!(scope.context().trace_id(), outer.context().trace_id());
        assert!(!scope.is_recording() && !current().span().is_sampled());
        let owned = span(name).root().start();
        assert!(owned.context().span().is_valid() && !owned.is_recording());
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
        fn sample(&self, _: &Candidate<'_>) -> Sampling {
            Sampling::SAMPLE
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
        fn sample(&self, _: &Candidate<'_>) -> Sampling {
            let open = OPEN.take();
            open.iter().for_each(|scope| scope.set_attribute("of the sampler", 1));
            drop(open);
            Sampling::SAMPLE
        }
    }
    let kept = Kept::new(Ending);
    for name in ["a", "b"] {
        let scope = span(name).enter();
        OPEN.with_borrow_mut(|open| open.push(scope));
    }
    span("c").enter().end();
    assert!(current().is_none());
    let spans = kept.spans();
    let names: Vec<_> = spans.iter().map(SpanRecord::name).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(spans.iter().filter(|span| span.attributes().len() == 1).count(), 2);
}

#[test]
fn a_span_has_its_parents_trace_state_though_the_sampler_ends_the_parent() {
    thread_local!(static OPEN: std::cell::RefCell<Option<SpanScope>> = const { std::cell::RefCell::new(None) });
    #[derive(Debug)]
    struct EndsParent;
    impl Sampler for EndsParent {
        fn sample(&self, span: &Candidate<'_>) -> Sampling {
            if span.name() == "child" {
                drop(OPEN.take());
            }
            Sampling::SAMPLE
        }
    }
    let kept = Kept::new(EndsParent);
    let caller = caller(1);
    OPEN.set(Some(span("parent").parent(caller.clone()).enter()));
    let child = span("child").enter();
    assert_eq!(child.context().trace_id(), caller.trace_id());
    assert_eq!(child.context().span().state().as_str(), "a=1");
    drop(child);
    assert!(current().is_none());
    assert_eq!(kept.spans()[1].context().state().as_str(), "a=1");
}

/// An error whose text is made by `0`.
struct Fault<F>(F);

impl<F: Fn()> std::fmt::Display for Fault<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (self.0)();
        f.write_str("text")
    }
}

impl<F> std::fmt::Debug for Fault<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("fault")
    }
}

impl<F: Fn()> std::error::Error for Fault<F> {}

#[test]
fn a_text_that_ends_its_own_span_costs_the_error_and_nothing_else() {
    let kept = Kept::new(AlwaysOn);
    let own = std::cell::RefCell::new(Some(span("own").enter()));
    let next = std::cell::RefCell::new(None);
    record_error(&Fault(|| {
        drop(own.take());
        // Another span in its place does not get its error.
        *next.borrow_mut() = Some(span("next").enter());
    }));
    drop(next);
    assert_eq!(kept.tree(), "own next");
    let is_clean = |span: &SpanRecord| span.events().is_empty() && span.status() == &Status::Unset;
    assert!(kept.spans().iter().all(is_clean));
    assert!(current().is_none());
}

#[test]
fn a_text_may_record_what_it_likes_on_its_own_span() {
    let kept = Kept::new(AlwaysOn);
    let scope = span("own").enter();
    scope.record_error(&Fault(|| {
        scope.set_attribute("k", 1);
        scope.record_error("within");
    }));
    drop(scope);
    let own = kept.spans().remove(0);
    assert_eq!(own.status(), &Status::Error("text".into()));
    let keys: Vec<_> = own.attributes().iter().map(|attribute| &*attribute.key).collect();
    assert_eq!((keys, own.events().len()), (vec!["k", "error.type"], 1));
}

#[test]
fn the_texts_of_a_span_are_those_of_its_tracer_wherever_it_fails() {
    let redacting = Kept::with(|builder| builder.redact_errors(|_| "redacted".into()));
    let mut owned = span("owned").start();
    let other = Kept::new(AlwaysOn);
    owned.record_error("secret");
    drop(owned);
    span("other").enter().record_error("open");
    assert_eq!(other.spans()[0].status(), &Status::Error("open".into()));
    drop(other);
    assert_eq!(redacting.spans()[0].status(), &Status::Error("redacted".into()));
}

#[test]
fn the_hook_for_errors_may_panic_in_its_drop() {
    let held = PanicsInDrop;
    let tracer = Tracer::builder(|_: &mut Vec<SpanRecord>| ())
        .redact_errors(move |text| {
            let _ = &held;
            text.into()
        })
        .build();
    let entered = enter(Some(Arc::clone(&tracer)));
    span("a").enter().record_error("no");
    drop((entered, tracer));
    let _other = Kept::new(AlwaysOn);
    span("binds the thread to the other tracer").enter().end();
}
