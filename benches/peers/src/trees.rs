//! Trees of nested spans, bare and with content; root spans that nobody wants; headers in and out.
//!
//! A tree is a root, ten children, and ten children of each. What is shown is the cost of a span, and
//! each exporter must have been handed every one.

use crate::{
    floors,
    harness::{ALIKE, Effort, Recording, Stretch, Subject},
    spans::{OTHER_TREE, Spans, TREE, exported, fastrace_reports},
    table::{At, Table, row},
};
use bellwether::trace::{
    SpanScope,
    propagator::{Extractor, Injector},
    sampler::AlwaysOff,
};
use fastrace::{
    Event, Span,
    collector::SpanContext,
    local::{LocalParentGuard, LocalSpan},
};
use opentelemetry::{
    Context, ContextGuard, KeyValue,
    trace::{Span as _, TraceContextExt as _, Tracer as _, TracerProvider as _},
};
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use std::{collections::HashMap, hint::black_box, time::Duration};
use tracing_subscriber::layer::SubscriberExt as _;

/// The spans of a tree.
const SPANS: u64 = 111;
/// About as many spans as a burst of roots has, for the same reasons.
const BURSTS: Stretch = Stretch::Bursts(13, 50);

/// One way to nest spans.
trait Idiom: Copy + Sync + 'static {
    type Root;
    type Child;

    fn root(self, has_content: bool) -> Self::Root;
    fn of_root(self, root: &Self::Root, has_content: bool) -> Self::Child;
    fn of_child(self, child: &Self::Child, has_content: bool) -> Self::Child;

    #[inline(always)]
    fn tree(self, has_content: bool) {
        let root = self.root(has_content);
        for _ in 0..10 {
            let child = self.of_root(&root, has_content);
            for _ in 0..10 {
                black_box(&self.of_child(&child, has_content));
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Ours;

#[inline(always)]
fn with_content(span: SpanScope, has_content: bool) -> SpanScope {
    if has_content {
        span.set_attribute("cart", 7);
        span.set_attribute("tier", "gold");
        span.set_attribute("is_new", true);
        span.add_event("paid", []);
    }
    span
}

impl Idiom for Ours {
    type Root = SpanScope;
    type Child = SpanScope;

    #[inline(always)]
    fn root(self, has_content: bool) -> SpanScope {
        with_content(bellwether::span(TREE).root().enter(), has_content)
    }

    #[inline(always)]
    fn of_root(self, _: &SpanScope, has_content: bool) -> SpanScope {
        with_content(bellwether::span(TREE).enter(), has_content)
    }

    #[inline(always)]
    fn of_child(self, child: &SpanScope, has_content: bool) -> SpanScope {
        self.of_root(child, has_content)
    }
}

const PROPERTIES: [(&str, &str); 3] = [("cart", "7"), ("tier", "gold"), ("is_new", "true")];

fn fastrace_span(span: Span, has_content: bool) -> Span {
    if !has_content {
        return span;
    }
    let span = span.with_properties(|| PROPERTIES);
    span.add_event(Event::new("paid"));
    span
}

fn fastrace_root(name: &'static str, has_content: bool) -> Span {
    fastrace_span(Span::root(name, SpanContext::random()), has_content)
}

#[inline(always)]
fn local_span(has_content: bool) -> LocalSpan {
    let span = LocalSpan::enter_with_local_parent(TREE);
    if !has_content {
        return span;
    }
    let span = span.with_properties(|| PROPERTIES);
    LocalSpan::add_event(Event::new("paid"));
    span
}

/// Its spans of a thread.
#[derive(Clone, Copy)]
struct Local;

impl Idiom for Local {
    type Root = (LocalParentGuard, Span);
    type Child = LocalSpan;

    #[inline(always)]
    fn root(self, has_content: bool) -> Self::Root {
        let root = fastrace_root(TREE, has_content);
        (root.set_local_parent(), root)
    }

    #[inline(always)]
    fn of_root(self, _: &Self::Root, has_content: bool) -> LocalSpan {
        local_span(has_content)
    }

    #[inline(always)]
    fn of_child(self, _: &LocalSpan, has_content: bool) -> LocalSpan {
        local_span(has_content)
    }
}

/// Its spans that may be moved.
#[derive(Clone, Copy)]
struct Moved;

impl Idiom for Moved {
    type Root = Span;
    type Child = Span;

    #[inline(always)]
    fn root(self, has_content: bool) -> Span {
        fastrace_root(OTHER_TREE, has_content)
    }

    #[inline(always)]
    fn of_root(self, root: &Span, has_content: bool) -> Span {
        fastrace_span(Span::enter_with_parent(OTHER_TREE, root), has_content)
    }

    #[inline(always)]
    fn of_child(self, child: &Span, has_content: bool) -> Span {
        self.of_root(child, has_content)
    }
}

#[derive(Clone, Copy)]
struct Otel(&'static SdkTracer);

impl Otel {
    #[inline(always)]
    fn entered(self, mut span: opentelemetry_sdk::trace::Span, has_content: bool) -> ContextGuard {
        if has_content {
            span.set_attribute(KeyValue::new("cart", 7));
            span.set_attribute(KeyValue::new("tier", "gold"));
            span.set_attribute(KeyValue::new("is_new", true));
            span.add_event("paid", Vec::new());
        }
        Context::current_with_span(span).attach()
    }
}

impl Idiom for Otel {
    type Root = ContextGuard;
    type Child = ContextGuard;

    #[inline(always)]
    fn root(self, has_content: bool) -> ContextGuard {
        self.entered(self.0.start_with_context(TREE, &Context::new()), has_content)
    }

    #[inline(always)]
    fn of_root(self, _: &ContextGuard, has_content: bool) -> ContextGuard {
        self.entered(self.0.start(TREE), has_content)
    }

    #[inline(always)]
    fn of_child(self, child: &ContextGuard, has_content: bool) -> ContextGuard {
        self.of_root(child, has_content)
    }
}

#[derive(Clone, Copy)]
struct Tracing;

#[inline(always)]
fn tracing_span(has_content: bool) -> tracing::span::EnteredSpan {
    if !has_content {
        return tracing::info_span!("other tree").entered();
    }
    let span = tracing::info_span!("other tree", cart = 7, tier = "gold", is_new = true).entered();
    tracing::info!("paid");
    span
}

impl Idiom for Tracing {
    type Root = tracing::span::EnteredSpan;
    type Child = tracing::span::EnteredSpan;

    #[inline(always)]
    fn root(self, has_content: bool) -> Self::Root {
        tracing_span(has_content)
    }

    #[inline(always)]
    fn of_root(self, _: &Self::Root, has_content: bool) -> Self::Child {
        tracing_span(has_content)
    }

    #[inline(always)]
    fn of_child(self, _: &Self::Child, has_content: bool) -> Self::Child {
        tracing_span(has_content)
    }
}

fn provider() -> &'static SdkTracerProvider {
    Box::leak(Box::new(crate::spans::otel_provider()))
}

fn otel(has_content: bool) -> Subject {
    let provider = provider();
    let tracer = Otel(Box::leak(Box::new(provider.tracer("peers"))));
    let tree = move |_: &(), ()| tracer.tree(has_content);
    let subject = ALIKE.peer("opentelemetry", "start, attach", (), tree, |_| exported::otel());
    subject.each(SPANS).drain(move || provider.force_flush().expect("the exporter never fails"))
}

fn tracing_opentelemetry(has_content: bool) -> Subject {
    let provider = provider();
    let subscribed = move |_: &()| {
        let layer = tracing_opentelemetry::layer()
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_tracer(provider.tracer("peers"));
        tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
    };
    let subject = ALIKE.peer_holding(
        "tracing-opentelemetry",
        "info_span!, entered",
        (),
        subscribed,
        move |_, ()| Tracing.tree(has_content),
        |_| exported::otel_by_tracing(),
    );
    subject.each(SPANS).drain(move || provider.force_flush().expect("the exporter never fails"))
}

fn fastrace(
    idiom: &'static str,
    of: impl Idiom,
    exported: fn() -> u64,
    has_content: bool,
) -> Subject {
    let tree = move |_: &(), ()| of.tree(has_content);
    let subject = ALIKE.peer("fastrace", idiom, (), tree, move |_| exported());
    subject.each(SPANS).drain(fastrace::flush)
}

fn trees(effort: Effort, what: &'static str, limit: fn(&At) -> f64, has_content: bool) -> Table {
    let budget = match has_content {
        false => "2 clock + 15 ns, ahead of fastrace",
        true => "3 clock + 35 ns, 0.6 x fastrace",
    };
    let spans = Spans::start(Duration::from_secs(1));
    fastrace_reports();
    let ours = ALIKE.ours(
        row(what, floors::CLOCK).budget(budget, limit).flat(),
        move |()| Ours.tree(has_content),
        exported::ours,
    );
    let subjects = vec![
        floors::clock(),
        fastrace("LocalSpan", Local, exported::fastrace, has_content),
        fastrace("Span::enter_with_parent", Moved, exported::fastrace_moved, has_content),
        otel(has_content),
        tracing_opentelemetry(has_content),
        ours.each(SPANS).drain(spans.drain()),
    ];
    Recording { stretch: BURSTS, ..Recording::new(what, subjects) }.measure(effort)
}

fn best_fastrace(at: &At) -> f64 {
    at.peer(|library| library == "fastrace")
}

pub fn bare(effort: Effort) -> Table {
    let limit = |at: &At| (at.floor(floors::CLOCK) + 15.0).min(best_fastrace(at));
    trees(effort, "a span of a tree of 111", limit, false)
}

pub fn with_attributes(effort: Effort) -> Table {
    let limit = |at: &At| (1.5 * at.floor(floors::CLOCK) + 35.0).min(0.6 * best_fastrace(at));
    trees(effort, "a span of a tree of 111, three attributes and an event", limit, true)
}

fn disabled_span() -> Subject {
    let enter = |_: &(), ()| drop(black_box(tracing::info_span!("root").entered()));
    ALIKE.peer("tracing", "a disabled span", (), enter, |_| 0).uncounted()
}

/// A root span where no telemetry is started, and one that is not sampled.
pub fn unwanted(effort: Effort) -> Vec<Table> {
    let enter = |()| drop(black_box(bellwether::span("root").root().enter()));
    let limit = |at: &At| 2.0 * at.peer(|library| library == "tracing");
    let off = row("a root span, not started", floors::ADD).budget("2 x tracing, off", limit).flat();
    let off = ALIKE.ours(off, enter, || 0).uncounted();
    let recording =
        Recording::new("a root span, not started", vec![floors::add(), disabled_span(), off]);
    let not_started = recording.measure(effort);

    let _spans = Spans::sampled_by(AlwaysOff);
    let limit = |at: &At| 4.0 * at.peer(|library| library == "tracing");
    let unsampled = row("a root span, not sampled", floors::ADD).budget("4 x tracing, off", limit);
    let unsampled = ALIKE.ours(unsampled.flat(), enter, || 0).uncounted();
    let fastrace = ALIKE.peer(
        "fastrace",
        "Span::root, not sampled",
        (),
        |_, ()| drop(black_box(Span::root("root", SpanContext::random().sampled(false)))),
        |_| 0,
    );
    let provider = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).build();
    let otel = ALIKE.peer_holding(
        "opentelemetry",
        "start_with_context, end",
        provider.tracer("peers"),
        |tracer| (tracer.clone(), Context::new()),
        |(tracer, context), ()| tracer.start_with_context("root", context).end(),
        |_| 0,
    );
    let subjects =
        vec![floors::add(), disabled_span(), fastrace.uncounted(), otel.uncounted(), unsampled];
    let recording = Recording::new("a root span, not sampled", subjects);
    vec![not_started, recording.measure(effort)]
}

/// A carrier of one header, whose text is written over.
struct OneHeader(String);

impl Extractor for OneHeader {
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8])) {
        if name == HEADER {
            each(self.0.as_bytes());
        }
    }
}

impl Injector for OneHeader {
    fn set(&mut self, name: &'static str, value: &str) {
        if name == HEADER {
            self.0.clear();
            self.0.push_str(value);
        }
    }

    fn remove(&mut self, name: &'static str) {
        if name == HEADER {
            self.0.clear();
        }
    }
}

const HEADER: &str = "traceparent";
const VALUE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// `traceparent` read from a carrier and written to another.
pub fn headers(effort: Effort) -> Vec<Table> {
    let one_header = {
        let row = row("traceparent in and out, one header", floors::ADD);
        let row = row.budget("0.2 x fastrace", |at| 0.2 * best_fastrace(at)).flat();
        let ours = ALIKE.ours_holding(
            row,
            (),
            |_| (OneHeader(VALUE.to_owned()), OneHeader(String::new())),
            |(incoming, outgoing), ()| {
                let context = bellwether::extract(black_box(&*incoming));
                bellwether::trace::inject_context(&context, outgoing);
                black_box(&outgoing.0);
            },
            |_| 0,
        );
        let peer = ALIKE.peer_holding(
            "fastrace",
            "decode, encode",
            (),
            |_| (VALUE.to_owned(), String::new()),
            |(incoming, outgoing), ()| {
                let context = SpanContext::decode_w3c_traceparent(black_box(incoming));
                *outgoing = context.map_or_else(String::new, |it| it.encode_w3c_traceparent());
                black_box(&outgoing);
            },
            |_| 0,
        );
        let subjects = vec![floors::add(), peer.uncounted(), ours.uncounted()];
        Recording::new("traceparent in and out, one header", subjects).measure(effort)
    };
    let incoming = || HashMap::from([(HEADER.to_owned(), VALUE.to_owned())]);
    let row = row("traceparent in and out, a HashMap", floors::ADD);
    let row = row.budget("0.35 x fastrace", |at| 0.35 * best_fastrace(at)).flat();
    let ours = ALIKE.ours_holding(
        row,
        (),
        move |_| (incoming(), HashMap::<String, String>::new()),
        |(incoming, outgoing), ()| {
            let context = bellwether::extract(black_box(&*incoming));
            bellwether::trace::inject_context(&context, outgoing);
            black_box(&outgoing);
        },
        |_| 0,
    );
    let peer = ALIKE.peer_holding(
        "fastrace",
        "get, decode, encode, insert",
        (),
        move |_| (incoming(), HashMap::<String, String>::new()),
        |(incoming, outgoing), ()| {
            let value = black_box(&*incoming).get(HEADER);
            let context = value.and_then(|value| SpanContext::decode_w3c_traceparent(value));
            if let Some(context) = context {
                outgoing.insert(HEADER.to_owned(), context.encode_w3c_traceparent());
            }
            black_box(&outgoing);
        },
        |_| 0,
    );
    let subjects = vec![floors::add(), peer.uncounted(), ours.uncounted()];
    let in_map = Recording::new("traceparent in and out, a HashMap", subjects).measure(effort);
    vec![one_header, in_map]
}

/// What two threads do in so many seconds: spans, or trees with content.
pub mod flood {
    use super::{Idiom as _, Local, Ours, SPANS, fastrace_reports};
    use crate::{memory::resident, spans::exported};
    use std::{
        sync::atomic::{AtomicU64, Ordering::Relaxed},
        time::{Duration, Instant},
    };

    /// Nanoseconds in which a span was exported, the percentage that was lost, and the growth of resident
    /// memory in MB.
    pub fn measure(library: &str, is_trees: bool, seconds: u64) -> [f64; 3] {
        let before = resident().unwrap_or(0) as f64;
        let (made, took, delivered, after) = match library {
            "bellwether" => {
                let telemetry = bellwether::builder("peers").export(crate::spans::counting());
                let telemetry = telemetry.start().expect("it starts");
                let (made, took) = match is_trees {
                    true => flood(seconds, || Ours.tree(true), SPANS),
                    false => flood(seconds, || drop(bellwether::span("root").root().enter()), 1),
                };
                let after = resident().unwrap_or(0) as f64;
                let totals = telemetry.shutdown(Duration::from_secs(10)).totals();
                (made, took, totals.delivered, after)
            }
            _ => {
                fastrace_reports();
                let (made, took) = match is_trees {
                    true => flood(seconds, || Local.tree(true), SPANS),
                    false => flood(seconds, || drop(super::fastrace_root(super::TREE, false)), 1),
                };
                let after = resident().unwrap_or(0) as f64;
                fastrace::flush();
                (made, took, exported::fastrace(), after)
            }
        };
        let lost = 1.0 - delivered as f64 / made as f64;
        [took.as_secs_f64() * 1e9 / delivered as f64, 100.0 * lost, (after - before) / 1e6]
    }

    fn flood(seconds: u64, work: impl Fn() + Sync, spans: u64) -> (u64, Duration) {
        let (start, made) = (Instant::now(), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut n = 0;
                    while start.elapsed() < Duration::from_secs(seconds) {
                        (0..1_000 / spans + 1).for_each(|_| work());
                        n += (1_000 / spans + 1) * spans;
                    }
                    made.fetch_add(n, Relaxed);
                });
            }
        });
        (made.into_inner(), start.elapsed())
    }
}
