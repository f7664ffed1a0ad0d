//! What is in a span's record.

use super::{limits::Cuts, *};

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
    let durations: Vec<_> = spans.iter().map(|span| span.duration()).collect();
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
        scope.add_link(SpanContext::NONE, [KeyValue::new("k".repeat(2_000), 1)]);
    }
    scope.set_attribute("k0", 7); // Replaces, so it is not beyond.
    scope.set_status(Status::Error("d".repeat(2_000).into()));
    scope.end();
    let [span] = <[_; 1]>::try_from(kept.spans()).unwrap();
    assert_eq!([span.attributes().len(), span.events().len(), span.links().len()], [128; 3]);
    assert_eq!([span.dropped_attributes(), span.dropped_events(), span.dropped_links()], [2; 3]);
    assert_eq!((span.name().len(), span.events()[0].attributes().len()), (1_024, 128));
    assert_eq!(
        (span.events()[7].dropped_attributes(), span.links()[7].dropped_attributes()),
        (72, 0)
    );
    assert_eq!(span.attributes()[0], KeyValue::new("k0", 7));
    assert_eq!(span.attributes()[1].value.to_string().len(), 1_024);
    assert_eq!(span.links()[127].attributes()[0].key.len(), 1_024);
    assert_eq!(*span.status(), Status::Error("d".repeat(1_024).into()));
    // The name, the values of attributes that there was room for, the keys of links, the description.
    assert_eq!(span.truncated_texts(), 1 + 128 + 128 + 1);
    assert!(span.weight() > 127 * 1_024);
    let truncated = kept.tracer.truncated();
    let expected = [2 + 128 * 72, 2, 2, 258, 0];
    let names = ["attributes", "events", "links", "texts", "array_items"];
    assert!(truncated.into_iter().eq(names.into_iter().zip(expected)), "{truncated:?}");
}

#[test]
fn each_limit_is_one_of_its_own() {
    let limits = SpanLimits {
        attributes: 6,
        events: 5,
        links: 4,
        event_attributes: 3,
        link_attributes: 2,
        array_items: 1,
        value_chars: 8,
        text_chars: 9,
    };
    let kept = Kept::with(|builder| builder.limits(limits));
    let mut owned = span("\u{e9}".repeat(10)).start();
    let many = || (0..10).map(|_| KeyValue::new("k".repeat(10), "\u{e9}".repeat(10)));
    for (n, attribute) in many().enumerate() {
        owned.set_attribute(format!("{n}"), attribute.value);
        owned.add_event("e".repeat(10), many());
        owned.add_link(SpanContext::NONE, many());
    }
    owned.set_attribute("0", [1, 2, 3]);
    drop(owned);
    let [span] = <[_; 1]>::try_from(kept.spans()).unwrap();
    assert_eq!((span.attributes().len(), span.dropped_attributes()), (6, 4));
    assert_eq!((span.events().len(), span.dropped_events()), (5, 5));
    assert_eq!((span.links().len(), span.dropped_links()), (4, 6));
    assert_eq!(span.attributes()[0].value, [1].into());
    assert_eq!((span.dropped_array_items(), span.name()), (2, &*"\u{e9}".repeat(9)));
    let cut = KeyValue::new("k".repeat(9), "\u{e9}".repeat(8));
    for event in span.events() {
        assert_eq!(event.attributes(), vec![cut.clone(); 3]);
        assert_eq!((event.name().len(), event.dropped_attributes()), (9, 7));
    }
    for link in span.links() {
        assert_eq!((link.attributes(), link.dropped_attributes()), (&*vec![cut.clone(); 2], 8));
    }
    // The name; six values; names, keys and values of events; keys and values of links.
    assert_eq!(span.truncated_texts(), 1 + 6 + 5 * (1 + 3 * 2) + 4 * 2 * 2);
}

#[test]
fn a_limit_of_zero_leaves_nothing() {
    let limits = SpanLimits { attributes: 0, events: 0, links: 0, ..SpanLimits::DEFAULT };
    let kept = Kept::with(|builder| builder.limits(limits));
    let scope = span("a").attribute("k", 1).enter();
    scope.set_attribute("k", 1);
    add_event("e", [KeyValue::new("k", 1)]);
    scope.add_event("e", []);
    scope.add_link(caller(1), []);
    scope.end();
    let span = kept.spans().remove(0);
    assert!(span.attributes().is_empty() && span.events().is_empty() && span.links().is_empty());
    assert_eq!([span.dropped_attributes(), span.dropped_events(), span.dropped_links()], [2, 2, 1]);
    assert_eq!(kept.tracer.truncated().map(|(_, n)| n), [2, 2, 1, 0, 0]);
}

#[test]
fn a_text_that_no_limit_leaves_whole_is_counted_though_only_its_beginning_was_copied() {
    let kept = Kept::new(AlwaysOn);
    let scope = span("a").enter();
    let long = "x".repeat(10 << 20);
    scope.set_attribute("borrowed", &long);
    scope.set_attribute("array", [&*long, "short"]);
    scope.add_event("e", [KeyValue::new("k", &long)]);
    scope.set_attribute("owned", long);
    scope.end();
    let span = kept.spans().remove(0);
    let cut = "x".repeat(1_024);
    assert_eq!(span.attributes()[0].value, (&cut).into());
    assert_eq!(span.attributes()[1].value, [&*cut, "short"].into());
    assert_eq!(span.attributes()[2], KeyValue::new("owned", &cut));
    assert_eq!(
        (span.events()[0].attributes()[0].value == cut.into(), span.truncated_texts()),
        (true, 4)
    );
    assert!(span.weight() < 8_192, "{}", span.weight());
}

#[test]
fn what_a_span_of_another_tracer_has_beyond_its_limits_is_counted_there() {
    let first =
        Kept::with(|builder| builder.limits(SpanLimits { attributes: 1, ..SpanLimits::DEFAULT }));
    let mut span = span("a").start();
    let second = Kept::new(AlwaysOn);
    for key in ["a", "b", "c"] {
        span.set_attribute(key, 1);
    }
    drop(span);
    assert_eq!((first.tracer.truncated()[0].1, second.tracer.truncated()[0].1), (2, 0));
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

/// Samples what starts with the attribute `keep`.
#[derive(Debug)]
struct KeepSeven;

impl Sampler for KeepSeven {
    fn sample(&self, span: &Candidate<'_>) -> Sampling {
        let keep = |attribute: &&KeyValue| attribute.key == "keep";
        let last = span.attributes().iter().rfind(keep);
        Sampling::from_sampled(last.is_some_and(|keep| keep.value == crate::label::Value::I64(7)))
    }
}

#[test]
fn a_sampler_decides_by_the_attributes_that_a_span_starts_with_and_the_record_has_them() {
    let kept = Kept::new(KeepSeven);
    let seven = || span("seven").root().attribute("keep", 1).attribute("keep", 7);
    let entered = seven().enter();
    entered.set_attribute("later", true);
    entered.end();
    seven().start().end();
    span("one").root().attribute("keep", 1).enter().end();
    span("none").root().start().end();
    let spans = kept.spans();
    let attributes: Vec<_> = spans.iter().map(|span| span.attributes().to_vec()).collect();
    let (keep, later) = (KeyValue::new("keep", 7), KeyValue::new("later", true));
    assert_eq!(attributes, [vec![keep.clone(), later], vec![keep]]);
}

#[test]
fn a_record_that_is_used_again_has_nothing_of_its_former_span() {
    let start = clock::now();
    let context = || {
        SpanContext::new(
            TraceId::from_u128(1),
            SpanId::from_u64(2),
            TraceFlags::SAMPLED,
            TraceState::EMPTY,
        )
    };
    let mut used =
        SpanRecord::new("x".repeat(500)).with_parent(&caller(1)).with_kind(SpanKind::Server);
    used.set_status(Status::Error("no money".into()));
    used.set_outcome(Outcome::Panic);
    used.set_attribute("a", "v".repeat(500));
    used.add_event(Event::new("e", start, vec![KeyValue::new("k", "v")]));
    used.add_link(Link::new(caller(1), Vec::new()));
    used.rare_mut().cuts = Cuts { attributes: 1, events: 2, links: 3, texts: 4, array_items: 5 };
    used.weigh();
    let before = used.weight();
    used.clean(1);
    assert!(
        used.weight() + 1_000 < before,
        "what is gone is not weighed before the next span either"
    );
    let mut fresh = SpanRecord::empty();
    for record in [&mut used, &mut fresh] {
        record.begin(context(), "again".into(), start);
    }
    let content = |record: &SpanRecord| {
        let counts = (record.attributes().len(), record.events().len(), record.links().len());
        let dropped = record.all_cuts();
        let parent = (record.parent_span_id(), record.parent_is_remote());
        let (status, outcome) = (record.status().clone(), record.outcome());
        let times = (record.start(), record.end());
        let (name, context) = (record.name().to_owned(), record.context().clone());
        (counts, dropped, parent, status, outcome, record.kind(), times, name, context)
    };
    assert_eq!(content(&used), content(&fresh));
    assert_eq!(used.clone().weight(), fresh.weight(), "a clone has no room of former spans");
    // Room is weighed, texts that are gone are not.
    assert!(fresh.weight() <= used.weight() && used.weight() + 1_000 < before);
    used.set_status(Status::Error("".into()));
    assert_eq!(*used.status(), Status::Error("".into()), "no other description");
}

#[test]
fn a_key_that_owns_memory_is_freed_though_it_is_empty() {
    let kept = Kept::new(AlwaysOn);
    let scope = span("a").enter();
    scope.set_attribute(String::with_capacity(100), true);
    scope.end();
    assert!(kept.spans()[0].body().owns_attributes);
}
