//! Spans that stay open: reported by name, and given up.

use std::thread;

use super::{
    open::{SECOND, flushed, n_watched, named, reporting},
    *,
};
use crate::trace::{
    sampler::Tail,
    watching::{MANY, OpenSpans},
};

/// What is reported now.
fn report(kept: &Kept) -> Option<String> {
    kept.tracer.overdue().map(|overdue| overdue.to_string())
}

#[test]
fn spans_that_are_open_for_too_long_are_reported_by_name_and_again_when_they_are_twice_as_many() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let kept = reporting(60 * SECOND);
    std::mem::forget(span("old").start());
    clock.advance(60 * SECOND);
    assert_eq!(report(&kept), None);
    (0..3).for_each(|_| std::mem::forget(span("leak\n").start()));
    let _young = span("young").start();
    clock.advance(61 * SECOND);
    let _younger = span("younger").start();
    assert_eq!(
        report(&kept).unwrap(),
        "6 spans are open. 5 of the 6 that are watched have been for more than 60 s: 60 % are \
         \"leak\\n\", the oldest for 61 s; 20 % are \"old\", the oldest for 2 min; 20 % are \
         \"young\", the oldest for 61 s; is a guard leaked, or a future or task never dropped?"
    );
    clock.advance(3600 * SECOND); // Six are overdue now.
    assert_eq!(report(&kept), None);
    (0..4).for_each(|_| std::mem::forget(span("leak\n").start()));
    clock.advance(3600 * SECOND);
    assert!(report(&kept).is_some_and(|text| text.starts_with("10 spans are open. 10 of the 10")));
    clock.advance(3600 * SECOND);
    assert_eq!(report(&kept), None);
}

#[test]
fn without_a_choice_spans_are_not_watched_before_many_are_open_and_then_a_sample_is() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let kept = Kept::new(ParentBased::new(AlwaysOn));
    let leak =
        |name: &'static str, n: u64| -> Vec<_> { (0..n).map(|_| span(name).start()).collect() };
    let first = leak("first", MANY - 1);
    clock.advance(3600 * SECOND);
    assert_eq!((report(&kept), n_watched(&kept.tracer)), (None, 0));
    let mut others = leak("some", 1_024); // Within so many the tracer looks.
    others.append(&mut leak("leak", 30_000));
    let n = n_watched(&kept.tracer);
    assert!((30_000 / 128..31_024 / 32).contains(&n), "{n}");
    assert_eq!(report(&kept), None);
    clock.advance(61 * SECOND);
    let text = report(&kept).unwrap();
    let begin = format!("47407 spans are open. {n} of the {n} that are watched");
    assert!(text.starts_with(&begin) && text.contains(" % are \"leak\", the oldest"), "{text}");
    drop((first, others));
    assert_eq!((report(&kept), n_watched(&kept.tracer), kept.tracer.open()), (None, 0, 0));
    drop(leak("few", 200));
    assert_eq!(kept.tracer.lost(), 0);
}

#[test]
fn names_that_are_made_up_are_told_apart_up_to_a_bound_and_the_report_is_short() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let kept = reporting(SECOND);
    let _spans: Vec<_> = (0..2_000).map(|n| span(format!("{n:.<900}")).start()).collect();
    clock.advance(2 * SECOND);
    let overdue = kept.tracer.overdue().unwrap();
    assert_eq!(overdue.n_names(), 256);
    let text = overdue.to_string();
    assert!(text.len() < 600 && text.starts_with("2000 spans are open. 2000 of"), "{text}");
}

fn giving_up(age: Duration) -> OpenSpans {
    OpenSpans { given_up: Some(age), ..OpenSpans::default() }
}

#[test]
fn a_span_that_is_given_up_is_exported_once_and_counts_as_ended() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let kept = Kept::with(|builder| builder.open_spans(giving_up(60 * SECOND)));
    std::mem::forget(span("leaked").start());
    let (mut late, scope) = (span("late").start(), span("scope").enter());
    late.set_attribute("in time", 1);
    let moved = span("moved").start();
    clock.advance(60 * SECOND);
    kept.tracer.give_up_old();
    assert_eq!(named(&kept.spans()), [""; 0]);
    let young = span("young").start();
    clock.advance(8 * SECOND);
    assert!(report(&kept).is_some_and(|text| text.starts_with("5 spans are open. 4 of the 5")));
    kept.tracer.give_up_old();
    assert_eq!((kept.tracer.open(), n_watched(&kept.tracer)), (1, 1));
    late.set_attribute("too late", 1);
    scope.add_event("too late", []);
    drop((late, scope, young));
    thread::spawn(move || drop(moved)).join().unwrap();
    let last = span("last").start();
    assert_eq!(kept.tracer.open(), 1, "none has ended twice");
    drop(last);
    let spans = kept.spans();
    assert_eq!(named(&spans), ["last", "late…", "leaked…", "moved…", "scope…", "young"]);
    let late = spans.iter().find(|span| span.name() == "late").unwrap();
    let keys: Vec<_> = late.attributes().iter().map(|attribute| &*attribute.key).collect();
    assert_eq!(keys, ["in time", "bellwether.span.open"]);
    assert_eq!((kept.tracer.open(), n_watched(&kept.tracer)), (0, 0));
}

#[test]
fn a_tail_sampler_waits_no_longer_for_a_root_that_is_given_up() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let tail = Tail::new().errors(1.0).max_wait(3600 * SECOND);
    let options = giving_up(60 * SECOND);
    let kept = Kept::with(|builder| builder.tail_sampler(tail).open_spans(options));
    let root = span("root").enter();
    span("child").enter().end();
    set_status(Status::Error("no".into()));
    clock.advance(61 * SECOND);
    assert_eq!(flushed(&kept), [""; 0]);
    kept.tracer.give_up_old();
    assert_eq!(flushed(&kept), ["child", "root…"]);
    drop(root);
    assert_eq!(flushed(&kept), [""; 0]);
}

#[test]
fn spans_that_are_given_up_leave_room_for_others() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let kept = Kept::with(|builder| builder.open_spans(giving_up(SECOND)));
    for _ in 0..3 {
        (0..100_000).for_each(|_| std::mem::forget(span("leaked").start()));
        clock.advance(2 * SECOND);
        kept.tracer.give_up_old();
        assert_eq!((kept.tracer.open(), n_watched(&kept.tracer)), (0, 0));
    }
    assert_eq!((kept.tracer.lost(), kept.spans().len()), (0, 300_000));
}

#[test]
fn what_is_beyond_the_limits_of_a_span_that_is_given_up_is_counted_once() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let limits = SpanLimits { attributes: 1, ..SpanLimits::DEFAULT };
    let kept = Kept::with(|builder| builder.limits(limits).open_spans(giving_up(SECOND)));
    let leaked = span("leaked").enter();
    leaked.set_attribute("first", 1);
    leaked.set_attribute("second", 2);
    clock.advance(2 * SECOND);
    kept.tracer.give_up_old();
    assert_eq!(kept.tracer.truncated()[0].1, 1);
    leaked.set_attribute("third", 3);
    drop(leaked);
    assert_eq!(kept.tracer.truncated()[0].1, 1);
}

#[test]
fn spans_that_are_given_up_at_a_steady_rate_are_reported_again_when_they_are_twice_as_many() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let kept = Kept::with(|builder| builder.open_spans(giving_up(8 * SECOND)));
    let mut n_reports = 0;
    for _ in 0..1_000 {
        std::mem::forget(span("leaked").start());
        clock.advance(SECOND);
        n_reports += usize::from(report(&kept).is_some());
        kept.tracer.give_up_old();
    }
    assert!((8..=12).contains(&n_reports), "{n_reports}"); // Each time twice as many.
}
