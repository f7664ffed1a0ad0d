//! One context for both libraries: on one thread, across polls, and wherever spans are entered.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rules are the library's own"
)]

use std::sync::Arc;

use bellwether::integration::tracing::{TracingOptions, TracingSpanExt as _};
use bellwether_integration_tracing::{run, run_in};
use tracing::{Dispatch, Instrument as _, dispatcher, info_span};
use tracing_subscriber::layer::SubscriberExt as _;

#[test]
fn spans_of_both_libraries_are_parents_of_each_other() {
    let ran = run(|| {
        let _a = bellwether::span("a").enter();
        let _b = info_span!("b").entered();
        let _c = bellwether::span("c").enter();
        let _d = info_span!("d").entered();
        drop(info_span!("e"));
        observed();
    });
    let parents = ["a", "b", "c", "d", "e", "observed"].map(|name| ran.parent(name));
    assert_eq!(parents, [None, Some("a"), Some("b"), Some("c"), Some("d"), Some("d")]);
}

#[bellwether::observe(name = "observed")]
fn observed() {}

#[test]
fn an_entered_span_is_current_for_headers_and_what_is_set_on_the_current_span() {
    let ran = run(|| {
        let span = info_span!("request");
        let before = bellwether::current();
        span.in_scope(|| {
            assert_eq!(bellwether::current(), span.context());
            let mut headers = Vec::<(String, String)>::new();
            bellwether::inject(&mut headers);
            let id = span.context().span_id().to_string();
            assert!(headers.iter().any(|(_, value)| value.contains(&id)), "{headers:?}");
            bellwether::trace::set_attribute("set", 1);
            bellwether::trace::add_event("event", []);
            bellwether::trace::record_error("broke");
            let _inner = bellwether::span("inner").enter();
            bellwether::trace::set_attribute("inner", 2);
        });
        assert_eq!(bellwether::current(), before);
    });
    assert_eq!(ran.attribute("request", "set").as_deref(), Some("1"));
    assert_eq!(ran.attribute("inner", "inner").as_deref(), Some("2"));
    assert_eq!(ran.attribute("request", "inner"), None);
    let events: Vec<_> = ran.span("request").events().iter().map(|event| event.name()).collect();
    assert_eq!(events, ["event", "exception"]);
}

#[test]
fn histograms_have_exemplars_of_the_span() {
    static TOOK: bellwether::Histogram = bellwether::Histogram::new("tracing.took", "Times");
    let layer = TracingOptions::new().layer();
    let subscriber = Dispatch::new(tracing_subscriber::registry().with(layer));
    let mut seen = None;
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |_| {
            info_span!("measured").in_scope(|| TOOK.record(1.0));
            let snapshot = TOOK.snapshot();
            seen = snapshot.exemplars().first().map(|exemplar| exemplar.trace_id());
        },
    );
    assert_eq!(seen, Some(ran.span("measured").trace_id()));
}

#[test]
fn a_context_is_handed_on_where_no_telemetry_runs() {
    let subscriber = tracing_subscriber::registry().with(TracingOptions::new().layer());
    let subscriber = Dispatch::new(subscriber);
    // Through `run_in`, so that no other test's telemetry runs on other threads; it has ended then.
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |telemetry| {
            telemetry.shutdown(std::time::Duration::from_secs(5));
            let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
            let caller = bellwether::extract(&[("traceparent", text)]);
            let span = info_span!("passed through");
            assert!(span.context().is_none());
            assert!(span.set_parent(caller.clone()));
            span.in_scope(|| {
                assert_eq!(bellwether::current(), caller);
                let inner = info_span!("inner");
                std::thread::scope(|scope| {
                    scope.spawn(|| inner.in_scope(|| assert_eq!(bellwether::current(), caller)));
                });
            });
            assert!(bellwether::current().is_none());
        },
    );
    assert!(ran.spans.is_empty());
}

#[test]
fn spans_are_left_in_any_order() {
    let ran = run(|| {
        let (a, b, c) = (info_span!("a"), info_span!("b"), info_span!("c"));
        let (in_a, in_b, in_c) = (a.enter(), b.enter(), c.enter());
        drop(in_a);
        assert_eq!(bellwether::current(), c.context());
        drop(in_c);
        assert_eq!(bellwether::current(), b.context());
        drop(in_b);
        assert!(bellwether::current().is_none());
        let (again, twice) = (a.enter(), a.enter());
        drop(again);
        assert_eq!(bellwether::current(), a.context());
        drop(twice);
        assert!(bellwether::current().is_none());
    });
    assert_eq!(ran.spans.len(), 3);
}

#[test]
fn a_span_is_current_during_each_poll_on_whichever_thread() {
    let subscriber = tracing_subscriber::registry().with(TracingOptions::new().layer());
    let subscriber = Dispatch::new(subscriber);
    let of_workers = subscriber.clone();
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |_| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build();
            let runtime = runtime.unwrap();
            let requests = (0..50).map(|n| {
                let work = async move {
                    for step in 0..10 {
                        tokio::task::yield_now().await;
                        let step = info_span!("step", n, step);
                        async {
                            tokio::task::yield_now().await;
                            let _leaf = bellwether::span("leaf").enter();
                        }
                        .instrument(step)
                        .await;
                    }
                    assert_eq!(bellwether::current(), tracing::Span::current().context());
                };
                let work = work.instrument(info_span!("request", n));
                tracing::instrument::WithSubscriber::with_subscriber(work, of_workers.clone())
            });
            let tasks: Vec<_> = requests.map(|request| runtime.spawn(request)).collect();
            runtime.block_on(async {
                for task in tasks {
                    task.await.unwrap();
                }
            });
        },
    );
    assert_eq!(ran.spans.len(), 50 * (1 + 10 + 10));
    let by_id = |id| ran.spans.iter().find(|span| Some(span.span_id()) == id);
    for span in &ran.spans {
        let parent = by_id(span.parent_span_id());
        let expected = match span.name() {
            "leaf" => Some("step"),
            "step" => Some("request"),
            _ => None,
        };
        assert_eq!(parent.map(|parent| parent.name()), expected);
        if let Some(parent) = parent.filter(|parent| parent.name() == "request") {
            let number = |span: &bellwether::trace::SpanRecord| {
                span.attributes().iter().find(|one| one.key == "n").unwrap().value.clone()
            };
            assert_eq!(number(parent), number(span));
        }
    }
}

#[test]
fn one_span_is_current_on_many_threads_at_once_and_takes_what_each_sets() {
    let subscriber = tracing_subscriber::registry().with(TracingOptions::new().layer());
    let subscriber = Arc::new(Dispatch::new(subscriber));
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |_| {
            let fields = ["f0", "f1", "f2", "f3"];
            let span = info_span!(
                "shared",
                f0 = tracing::field::Empty,
                f1 = tracing::field::Empty,
                f2 = tracing::field::Empty,
                f3 = tracing::field::Empty
            );
            std::thread::scope(|scope| {
                for (n, field) in fields.into_iter().enumerate() {
                    let (span, subscriber) = (&span, &subscriber);
                    scope.spawn(move || {
                        dispatcher::with_default(subscriber, || {
                            for _ in 0..200 {
                                span.in_scope(|| drop(info_span!("child")));
                                span.record(field, n);
                            }
                        });
                    });
                }
            });
        },
    );
    assert_eq!(ran.spans.len(), 801);
    let id = ran.span("shared").span_id();
    let children = ran.spans.iter().filter(|span| span.name() == "child");
    assert!(children.clone().all(|span| span.parent_span_id() == Some(id)));
    for n in 0..4 {
        assert_eq!(ran.attribute("shared", &format!("f{n}")), Some(n.to_string()));
    }
}
