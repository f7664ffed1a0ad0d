//! There is one current context: OpenTelemetry's is ours, and ours is the parent of its spans.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rule is the library's own"
)]

use std::{
    pin::pin,
    task::{Context as Task, Poll, Waker},
};

use bellwether::{
    Histogram, Unit, export,
    integration::opentelemetry::{OtelTracer, tracer_provider},
    metric::Registry,
    testing,
};
use opentelemetry::{
    Context, ContextGuard, KeyValue,
    baggage::BaggageExt as _,
    trace::{
        FutureExt as _, Span as _, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId,
        TraceState, Tracer as _, TracerProvider as _, mark_span_as_active,
    },
};
use proptest::prelude::*;

fn tracer() -> OtelTracer {
    tracer_provider().tracer("")
}

/// The span that is current for us, as hex.
fn ours() -> String {
    bellwether::current().span_id().to_string()
}

/// The span that is current for OpenTelemetry.
fn theirs() -> String {
    Context::current().span().span_context().span_id().to_string()
}

fn none() -> String {
    "0".repeat(16)
}

fn remote(trace: u128, span: u64) -> SpanContext {
    let (trace, span) = (TraceId::from(trace), SpanId::from(span));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE)
}

#[test]
fn the_span_of_an_attached_context_is_current_until_the_guard_is_dropped() {
    let scope = testing::scope();
    let tracer = tracer();
    let guard = mark_span_as_active(tracer.start("outer"));
    let outer = ours();
    assert_eq!(outer, theirs());
    assert_ne!(outer, none());
    {
        let _inner = Context::current_with_span(tracer.start("inner")).attach();
        assert_eq!(ours(), theirs());
        assert_ne!(ours(), outer);
        drop(bellwether::span("ours").enter());
    }
    assert_eq!(ours(), outer);
    drop(guard);
    assert_eq!(ours(), none());
    assert_eq!(scope.span_tree(), "outer ok\n  inner ok\n    ours ok\n");
}

#[test]
fn a_span_of_ours_is_the_parent_of_theirs_which_is_the_parent_of_ours() {
    let scope = testing::scope();
    let tracer = tracer();
    {
        let _a = bellwether::span("a").enter();
        tracer.in_span("b", |_| {
            let _c = bellwether::span("c").enter();
            tracer.in_span("d", |_| drop(bellwether::span("e").enter()));
            tracer.start("f").end();
            tracer.start_with_context("g", &Context::current()).end();
        });
        tracer.start("h").end();
    }
    let tree = "a ok\n  b ok\n    c ok\n      d ok\n        e ok\n      f ok\n      g ok\n  h ok\n";
    assert_eq!(scope.span_tree(), tree);
    let traces: Vec<_> = scope.spans().iter().map(|span| span.trace_id()).collect();
    assert!(traces.iter().all(|trace| *trace == traces[0]));
}

#[test]
fn a_context_that_is_another_one_is_the_parent_whatever_is_current() {
    let scope = testing::scope();
    let tracer = tracer();
    let other = Context::new().with_span(tracer.start("other"));
    {
        let _ours = bellwether::span("ours").enter();
        tracer.start_with_context("child of other", &other).end();
        let _theirs = mark_span_as_active(tracer.start("theirs"));
        tracer.start_with_context("root", &Context::new()).end();
    }
    drop(other);
    let tree = scope.span_tree();
    for part in ["other ok\n  child of other ok\n", "ours ok\n  theirs ok\n", "root ok\n"] {
        assert!(tree.contains(part), "{tree}");
    }
}

#[test]
fn a_context_with_another_value_leaves_a_span_of_ours_current() {
    struct Value;
    let _scope = testing::scope();
    let _theirs = mark_span_as_active(tracer().start("theirs"));
    let _ours = bellwether::span("ours").enter();
    let own = ours();
    let guard = Context::current_with_value(Value).attach();
    assert_eq!(ours(), own);
    drop(guard);
    assert_eq!(ours(), own);
}

#[test]
fn an_empty_context_has_no_span_for_us_either() {
    let _scope = testing::scope();
    let _theirs = mark_span_as_active(tracer().start("theirs"));
    let own = ours();
    {
        let _empty = Context::new().attach();
        assert_eq!(ours(), none());
    }
    assert_eq!(ours(), own);
}

#[test]
fn a_future_has_its_context_while_it_is_polled_on_whichever_thread() {
    let scope = testing::scope();
    let context = Context::new().with_span(tracer().start("request"));
    let id = context.span().span_context().span_id().to_string();
    let mut is_first = true;
    let future = std::future::poll_fn(move |_| {
        drop(bellwether::span("work").enter());
        assert_eq!(ours(), theirs());
        if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(ours()) }
    });
    let mut future = Box::pin(future.with_context(context));
    assert!(future.as_mut().poll_once().is_pending());
    assert_eq!(ours(), none());
    let there = testing::carry(move || {
        let seen = future.as_mut().poll_once();
        assert_eq!(ours(), none());
        drop(future);
        seen
    });
    let seen = std::thread::spawn(there).join().unwrap();
    assert_eq!(seen, Poll::Ready(id));
    assert_eq!(scope.span_tree(), "request ok\n  work ok\n  work ok\n");
}

trait PollOnce {
    type Output;

    fn poll_once(self) -> Poll<Self::Output>;
}

impl<F: Future> PollOnce for std::pin::Pin<&mut F> {
    type Output = F::Output;

    fn poll_once(self) -> Poll<F::Output> {
        self.poll(&mut Task::from_waker(Waker::noop()))
    }
}

#[test]
fn the_current_context_goes_along_with_a_future() {
    let _scope = testing::scope();
    let (future, id) = {
        let _theirs = mark_span_as_active(tracer().start("theirs"));
        (async { ours() }.with_current_context(), ours())
    };
    assert_eq!(ours(), none());
    assert_eq!(pin!(future).poll_once(), Poll::Ready(id));
}

#[test]
fn outgoing_headers_have_the_span_that_is_current() {
    let _scope = testing::scope();
    let caller = SpanContext::new(
        TraceId::from(0xabc),
        SpanId::from(0xdef),
        TraceFlags::SAMPLED,
        true,
        TraceState::from_key_value([("rojo", "1"), ("congo", "2")]).unwrap(),
    );
    let caller = Context::new().with_remote_span_context(caller);
    let _theirs = caller.with_span(tracer().start_with_context("theirs", &caller)).attach();
    let mut headers: Vec<(String, String)> = Vec::new();
    bellwether::inject(&mut headers);
    assert_eq!(headers[0].1, format!("00-{:032x}-{}-01", 0xabc, theirs()));
    assert_eq!(headers[1], ("tracestate".into(), "rojo=1,congo=2".into()));
}

#[test]
fn an_exemplar_has_the_span_that_is_current() {
    static TIME: Histogram = Histogram::new("context.time", "Time").unit(Unit::Seconds);
    let _scope = testing::scope();
    let guard = mark_span_as_active(tracer().start("theirs"));
    TIME.record(0.5);
    let id = theirs();
    drop(guard);
    let page = export::prometheus::render(
        &Registry::global().snapshot(),
        &bellwether::resource::Resource::service("test"),
        export::prometheus::Format::OpenMetrics,
    );
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains(&format!("span_id=\"{id}\"")), "{page}");
}

#[test]
fn baggage_of_an_attached_context_is_ours_and_stays_in_spans() {
    let _scope = testing::scope();
    let get = |key: &str| bellwether::current().baggage().get(key).map(|value| value.into_owned());
    let baggage = [KeyValue::new("tenant", "acme & sons"), KeyValue::new("tier", "gold")];
    let guard = Context::current_with_baggage(baggage).attach();
    assert_eq!(get("tenant").as_deref(), Some("acme & sons"));
    {
        let _ours = bellwether::span("ours").enter();
        assert_eq!(get("tier").as_deref(), Some("gold"));
        tracer().in_span("theirs", |_| assert_eq!(get("tier").as_deref(), Some("gold")));
        let cleared = Context::current().with_cleared_baggage().attach();
        assert_eq!(get("tier"), None);
        assert_ne!(ours(), none(), "the span stays");
        drop(cleared);
    }
    drop(guard);
    assert_eq!(get("tier"), None);
}

#[test]
fn baggage_of_ours_stays_where_a_span_of_theirs_is_attached() {
    let _scope = testing::scope();
    let baggage = bellwether::current().baggage().with("tenant", "acme");
    let _ours = bellwether::current().with_baggage(baggage).enter();
    tracer().in_span("theirs", |_| {
        assert_eq!(bellwether::current().baggage().get("tenant").as_deref(), Some("acme"));
    });
}

#[test]
fn guards_may_be_dropped_in_any_order() {
    let _scope = testing::scope();
    let attach = |span| Context::new().with_remote_span_context(remote(1, span)).attach();
    let (a, b, c) = (attach(0xa), attach(0xb), attach(0xc));
    drop(b);
    assert_eq!((ours(), theirs()), (theirs(), format!("{:016x}", 0xc)));
    drop(c);
    assert_eq!((ours(), theirs()), (theirs(), format!("{:016x}", 0xa)));
    drop(a);
    assert_eq!(ours(), none());
}

#[test]
fn guards_out_of_order_fill_nothing_up() {
    let _scope = testing::scope();
    drop(tracer());
    let attach = |span| Context::new().with_remote_span_context(remote(1, span)).attach();
    for _ in 0..10_000 {
        let (a, empty, b) = (attach(0xa), Context::new().attach(), attach(0xb));
        drop((a, empty));
        drop(b);
        assert_eq!(ours(), none());
    }
    let _guard = attach(0xc);
    assert_eq!(ours(), format!("{:016x}", 0xc));
}

#[test]
fn a_guard_that_is_dropped_by_a_panic_leaves_its_context() {
    let _scope = testing::scope();
    let panicked = std::panic::catch_unwind(|| {
        let _theirs = mark_span_as_active(tracer().start("theirs"));
        panic!("on purpose");
    });
    assert!(panicked.is_err());
    assert_eq!(ours(), none());
}

#[test]
fn contexts_beyond_every_limit_change_nothing_that_is_below_them() {
    let _scope = testing::scope();
    let before = mark_span_as_active(tracer().start("theirs"));
    let own = ours();
    let attach = |span| Context::new().with_remote_span_context(remote(1, span)).attach();
    let mut guards: Vec<ContextGuard> = (1..70_000).map(attach).collect();
    while let Some(guard) = guards.pop() {
        drop(guard);
    }
    assert_eq!((ours(), theirs()), (own.clone(), own));
    drop(before);
    assert_eq!(ours(), none());
}

/// What a thread does.
#[derive(Clone, Debug)]
enum Act {
    /// Attaches a context of theirs with this span.
    Attach(u64),
    /// Attaches an empty context.
    AttachNone,
    /// Attaches the current one with a value.
    AttachValue,
    /// Enters a span of ours.
    Enter,
    /// Leaves the newest of all.
    Leave,
    /// Starts a span of theirs in the current context, and one of ours.
    Start,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        2 => (1..4_u64).prop_map(Act::Attach),
        1 => Just(Act::AttachNone),
        1 => Just(Act::AttachValue),
        3 => Just(Act::Enter),
        4 => Just(Act::Leave),
        2 => Just(Act::Start),
    ];
    prop::collection::vec(act, 0..60)
}

proptest! {
    /// A naive twin: a stack of what was entered; current is the newest that says anything about it.
    #[test]
    fn what_was_entered_last_is_current(acts in acts()) {
        let scope = testing::scope();
        let tracer = tracer();
        let mut held: Vec<(Box<dyn std::any::Any>, String, String)> = Vec::new();
        let current = |held: &Vec<(Box<dyn std::any::Any>, String, String)>| {
            held.last().map_or((none(), none()), |(_, ours, theirs)| (ours.clone(), theirs.clone()))
        };
        for act in acts {
            let (own, their) = current(&held);
            match act {
                Act::Attach(span) => {
                    let guard = Context::new().with_remote_span_context(remote(1, span)).attach();
                    let id = format!("{span:016x}");
                    // The same span again says nothing new.
                    let own = if id == their { own } else { id.clone() };
                    held.push((Box::new(guard), own, id));
                }
                Act::AttachNone => {
                    let guard = Context::new().attach();
                    let own = if their == none() { own } else { none() };
                    held.push((Box::new(guard), own, none()));
                }
                Act::AttachValue => {
                    let guard = Context::current_with_value(7_u8).attach();
                    held.push((Box::new(guard), own, their));
                }
                Act::Enter => {
                    let span = bellwether::span("ours").enter();
                    prop_assert_eq!(
                        span.context().span_id().to_string() != own,
                        true
                    );
                    held.push((Box::new(span), ours(), their));
                }
                Act::Leave => drop(held.pop()),
                Act::Start => {
                    tracer.start("theirs").end();
                    drop(bellwether::span("child").enter());
                    for name in ["theirs", "child"] {
                        let spans = scope.spans();
                        let latest = spans.iter().rfind(|span| span.name() == name).unwrap();
                        let parent = latest.parent_span_id().map_or_else(none, |id| id.to_string());
                        prop_assert_eq!(&parent, &own, "{}", name);
                    }
                }
            }
            let (own, their) = current(&held);
            prop_assert_eq!(ours(), own);
            prop_assert_eq!(theirs(), their);
        }
        while held.pop().is_some() {}
        prop_assert_eq!(ours(), none());
    }

    /// In any order: whatever is left, what is current for the API is current for us.
    #[test]
    fn in_whichever_order_guards_are_dropped_both_agree(
        acts in prop::collection::vec((any::<bool>(), 0..8_usize, 1..6_u64), 0..60),
    ) {
        let _scope = testing::scope();
        drop(tracer());
        let mut guards: Vec<ContextGuard> = Vec::new();
        for (attaches, place, span) in acts {
            if attaches {
                guards.push(Context::new().with_remote_span_context(remote(1, span)).attach());
            } else if place < guards.len() {
                drop(guards.remove(place));
            }
            prop_assert_eq!(ours(), theirs());
        }
        guards.into_iter().rev().for_each(drop);
        prop_assert_eq!(ours(), none());
    }
}
