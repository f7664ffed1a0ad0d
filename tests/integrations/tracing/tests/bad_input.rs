//! What code below the layer does wrong harms nobody: it is bounded, counted, and ends.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rules are the library's own"
)]

use std::{cell::RefCell, fmt, sync::Barrier};

use bellwether::{
    integration::tracing::{TracingOptions, TracingSpanExt as _, layer},
    log::LogLimits,
};
use bellwether_integration_tracing::{attribute, run, run_global, run_in};
use tracing::{
    Callsite as _, Dispatch, Metadata, dispatcher, error, field, info, info_span,
    metadata::Kind,
    span::{Attributes, Id},
};
use tracing_subscriber::{layer::SubscriberExt as _, registry};

fn subscriber() -> Dispatch {
    Dispatch::new(registry().with(layer()))
}

#[test]
fn fields_without_end_are_cut_and_counted() {
    let ran = run(|| {
        let span = info_span!("wide", a = field::Empty);
        for n in 0..100_000 {
            span.record("a", n);
        }
        for n in 0..100_000 {
            span.set_attribute(format!("k{n}"), n);
        }
        let text = "x".repeat(10 << 20);
        info!(long = text, "{text}");
        drop(info_span!("long", text, shown = %text));
    });
    let wide = ran.span("wide");
    assert_eq!((wide.attributes().len(), wide.dropped_attributes()), (128, 100_000 - 126));
    assert_eq!(ran.attribute("wide", "a").as_deref(), Some("99999"));
    let log = &ran.logs[0];
    assert!(log.body().to_string().len() <= LogLimits::DEFAULT.body_bytes);
    assert_eq!(log.truncated_texts(), 2);
    assert_eq!(ran.span("long").truncated_texts(), 2);
}

/// Records itself whenever it is shown.
struct Reentrant {
    depth: u32,
}

impl fmt::Debug for Reentrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { depth } = *self;
        if depth > 0 {
            let inner = Reentrant { depth: depth - 1 };
            info_span!("inside", depth, ?inner).in_scope(|| info!(?inner, "inside {depth}"));
        }
        write!(f, "shown {depth}")
    }
}

struct Endless;

impl fmt::Debug for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info!(again = ?Endless, "endless");
        f.write_str("shown")
    }
}

#[test]
fn what_records_while_it_is_recorded_is_recorded_and_ends() {
    // Global, since `tracing` itself sees nothing of what a scoped subscriber's code records.
    let _ = dispatcher::set_global_default(subscriber());
    let mut n_reentrant = 0.0;
    let ran = run_global(|telemetry| {
        let span = info_span!("outer", shown = ?Reentrant { depth: 2 });
        span.in_scope(|| span.record("shown", field::debug(Reentrant { depth: 1 })));
        info!(again = ?Endless, "endless");
        let snapshot = telemetry.snapshot();
        n_reentrant = snapshot.value("telemetry.logs.reentrant", &[]).unwrap().as_f64();
    });
    assert_eq!(ran.attribute("outer", "shown").as_deref(), Some("shown 1"));
    assert_eq!(ran.names().iter().filter(|name| **name == "inside").count(), 4);
    let endless = ran.logs.iter().filter(|log| log.body().to_string() == "endless");
    assert_eq!(endless.count(), 16);
    assert!(n_reentrant >= 1.0);
}

struct Panicking;

impl fmt::Debug for Panicking {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in Debug")
    }
}

#[test]
fn a_panic_in_debug_costs_the_value_alone() {
    let ran = run(|| {
        let span = info_span!("span", a = ?Panicking, b = 1);
        span.in_scope(|| {
            error!(error = ?Panicking, c = 2, "after");
            span.record("a", field::debug(Panicking));
        });
    });
    assert!(ran.attribute("span", "a").unwrap().contains("panicked"));
    assert_eq!(ran.attribute("span", "b").as_deref(), Some("1"));
    assert_eq!(attribute(ran.log("after"), "c").as_deref(), Some("2"));
}

#[test]
fn a_target_of_log_that_is_made_of_data_is_cut_and_counted() {
    let target = "t".repeat(1 << 20);
    let ran = run(|| {
        let record = log::Record::builder()
            .args(format_args!("by log"))
            .level(log::Level::Warn)
            .target(&target)
            .file(Some("old.rs"))
            .line(Some(7))
            .build();
        tracing_log::format_trace(&record).expect("it cannot fail");
    });
    let record = ran.log("by log");
    assert_eq!((record.target().len(), record.truncated_texts()), (1024, 1));
    assert_eq!(record.location(), Some(("old.rs", 7)));
}

/// A span by hand, whose entries and exits no guard orders.
fn raw(dispatch: &Dispatch, metadata: &'static Metadata<'static>) -> Id {
    dispatch.new_span(&Attributes::new(metadata, &metadata.fields().value_set(&[])))
}

fn metadata() -> &'static Metadata<'static> {
    tracing::callsite!(name: "raw", kind: Kind::SPAN, fields:).metadata()
}

#[test]
fn an_exit_on_another_thread_or_none_is_healed_when_the_span_has_ended() {
    let subscriber = subscriber();
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |_| {
            let id = raw(&subscriber, metadata());
            subscriber.enter(&id);
            let current = bellwether::current();
            assert!(current.span().is_valid());
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    subscriber.exit(&id);
                    assert!(bellwether::current().is_none());
                });
            });
            assert_eq!(bellwether::current(), current);
            subscriber.try_close(id.clone());
            drop(info_span!("after").entered()); // Whoever enters next finds that it has ended.
            assert!(bellwether::current().is_none());
        },
    );
    assert_eq!(ran.names(), ["raw", "after"]);
}

#[test]
fn a_span_that_is_closed_while_it_is_entered_ends_once() {
    let subscriber = subscriber();
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |_| {
            let id = raw(&subscriber, metadata());
            let clone = subscriber.clone_span(&id);
            subscriber.enter(&id);
            subscriber.enter(&id);
            assert!(!subscriber.try_close(clone));
            assert!(subscriber.try_close(id.clone()));
            bellwether::trace::set_attribute("late", 1); // Goes nowhere.
            (0..3).for_each(|_| subscriber.exit(&id));
            drop(info_span!("after"));
            assert!(bellwether::current().is_none());
        },
    );
    assert_eq!(ran.names(), ["raw", "after"]);
    assert_eq!(ran.parent("after"), None);
    assert_eq!(ran.attribute("raw", "late"), None);
}

#[test]
fn a_span_is_entered_again_and_again_without_bound() {
    let ran = run(|| {
        let span = info_span!("deep");
        let entered: Vec<_> = (0..10_000).map(|_| span.enter()).collect();
        assert_eq!(bellwether::current(), span.context());
        drop(entered);
        assert!(bellwether::current().is_none());
    });
    assert_eq!(ran.names(), ["deep"]);
}

#[test]
fn a_subscriber_inside_a_subscriber_keeps_its_spans_apart() {
    let (outer, inner) = (subscriber(), subscriber());
    let ran = run_in(
        &outer,
        |builder| builder,
        |_| {
            let a = info_span!("a").entered();
            dispatcher::with_default(&inner, || {
                let b = info_span!("b").entered(); // With the same number as `a`.
                drop(info_span!("c"));
                drop(b);
                assert_eq!(bellwether::current(), a.context());
            });
            drop(info_span!("d"));
        },
    );
    let parents = ["b", "c", "d"].map(|name| ran.parent(name));
    assert_eq!(parents, [Some("a"), Some("b"), Some("a")]);
}

#[test]
fn two_layers_in_one_subscriber_share_their_spans() {
    let twice = registry().with(layer()).with(TracingOptions::new().layer());
    let ran = run_in(
        &Dispatch::new(twice),
        |builder| builder,
        |_| {
            let a = info_span!("a").entered();
            drop(info_span!("b"));
            drop(a);
            assert!(bellwether::current().is_none());
        },
    );
    assert_eq!((ran.names(), ran.parent("b")), (vec!["b", "a"], Some("a")));
}

#[test]
fn spans_end_in_destructors_of_threads() {
    thread_local! {
        static KEPT: RefCell<Option<(tracing::span::EnteredSpan, tracing::Span)>> =
            const { RefCell::new(None) };
    }
    let subscriber = subscriber();
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |_| {
            let subscriber = subscriber.clone();
            // Not scoped: a scope does not wait for destructors.
            let thread = std::thread::spawn(move || {
                KEPT.set(None);
                dispatcher::with_default(&subscriber, || {
                    let entered = info_span!("entered").entered();
                    // No child: the registry closes parents by the subscriber of the thread, which is gone then.
                    KEPT.set(Some((entered, info_span!(parent: None, "kept"))));
                });
            });
            thread.join().unwrap();
        },
    );
    let mut names = ran.names();
    names.sort_unstable();
    assert_eq!(names, ["entered", "kept"]);
}

#[test]
fn many_threads_close_and_record_one_span_at_once() {
    let subscriber = subscriber();
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |_| {
            for _ in 0..200 {
                let span = info_span!("shared", a = field::Empty);
                let barrier = Barrier::new(4);
                std::thread::scope(|scope| {
                    for n in 0..4 {
                        let (span, barrier, subscriber) = (span.clone(), &barrier, &subscriber);
                        scope.spawn(move || {
                            dispatcher::with_default(subscriber, || {
                                barrier.wait();
                                span.record("a", n);
                                span.in_scope(|| info!("in it"));
                                drop(span);
                            });
                        });
                    }
                    drop(span);
                });
            }
        },
    );
    assert_eq!((ran.spans.len(), ran.logs.len()), (200, 800));
    assert!(ran.spans.iter().all(|span| span.attributes().iter().any(|one| one.key == "a")));
    assert!(ran.logs.iter().all(|log| log.span_id().is_some()));
}

#[test]
fn nothing_is_recorded_on_muted_threads() {
    let ran = run(|| {
        let _muted = bellwether::trace::mute();
        let span = info_span!("muted", a = ?Panicking);
        span.in_scope(|| info!(a = ?Panicking, "muted"));
    });
    assert_eq!((ran.spans.len(), ran.logs.len()), (0, 0));
}

/// Records itself, and goes on only when it is let.
#[derive(Debug)]
struct Gated {
    entered: Barrier,
    let_go: Barrier,
}

impl bellwether::trace::sampler::Sampler for &'static Gated {
    fn sample(
        &self,
        span: &bellwether::trace::sampler::Candidate<'_>,
    ) -> bellwether::trace::sampler::Sampling {
        info_span!("of the sampler").in_scope(|| info!("in the sampler"));
        if span.name() == "gated" {
            self.entered.wait();
            self.let_go.wait();
        }
        bellwether::trace::sampler::Sampling::SAMPLE
    }
}

#[test]
fn a_sampler_that_takes_its_time_and_records_holds_up_nobody_else() {
    let gated: &Gated =
        Box::leak(Box::new(Gated { entered: Barrier::new(2), let_go: Barrier::new(2) }));
    let subscriber = subscriber();
    let ran = run_in(
        &subscriber,
        |builder| builder.sampler(gated),
        |_| {
            let span = info_span!("gated", a = 1, b = field::Empty);
            std::thread::scope(|scope| {
                scope.spawn(|| span.in_scope(|| assert_eq!(bellwether::current(), span.context())));
                gated.entered.wait();
                // No child: nobody knows its parent yet.
                span.in_scope(|| info_span!("meanwhile").in_scope(|| ()));
                span.record("b", 2); // Nowhere, for the same reason.
                gated.let_go.wait();
            });
            span.record("b", 3);
        },
    );
    assert_eq!(ran.attribute("gated", "a").as_deref(), Some("1"));
    assert_eq!(ran.attribute("gated", "b").as_deref(), Some("3"));
    assert_eq!(ran.parent("meanwhile"), None);
    assert!(!ran.names().contains(&"of the sampler"));
    assert!(ran.log("in the sampler").span_id().is_none());
}
