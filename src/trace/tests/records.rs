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

/// Samples what starts with the attribute `keep`.
#[derive(Debug)]
struct KeepSeven;

impl Sampler for KeepSeven {
    fn sample(&self, span: &Candidate<'_>) -> Decision {
        let keep = |attribute: &&KeyValue| attribute.key == "keep";
        let last = span.attributes().iter().rfind(keep);
        Decision::from_sampled(last.is_some_and(|keep| keep.value == crate::label::Value::I64(7)))
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
    // Room is weighed, texts that are gone are not.
    assert!(fresh.weight() <= used.weight() && used.weight() + 1_000 < before);
    used.set_status(Status::Error("".into()));
    assert_eq!(*used.status(), Status::Error("".into()), "no other description");
}
