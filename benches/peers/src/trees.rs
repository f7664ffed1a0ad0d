//! Trees of nested spans, bare and with content; root spans that nobody wants; headers in and out.
//!
//! A tree is a root, ten children, and ten children of each. What is shown is the cost of a span, and
//! each exporter must have been handed every one.

use crate::{
    emitted, floors,
    harness::{ALIKE, Effort, Recording, Stretch, Subject},
    spans::{BESIDE_WORKERS, OTHER_TREE, Spans, TREE, Workers, exported},
    table::{At, Row, Table, row},
};
use bellwether::trace::{
    SpanScope,
    propagator::{Extractor, Injector},
    sampler::AlwaysOff,
};
use emit_traceparent::Traceparent;
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
use std::{collections::HashMap, fmt::Write as _, hint::black_box};
use tracing_subscriber::layer::SubscriberExt as _;

/// The spans of a tree.
pub const SPANS: u64 = 111;
/// About as many spans as a burst of roots has, for the same reasons.
const BURSTS: Stretch = Stretch::Bursts(13, 50);

/// One way to nest spans.
pub trait Idiom: Copy + Sync + 'static {
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
pub struct Ours;

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

pub fn fastrace_root(name: &'static str, has_content: bool) -> Span {
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
pub struct Local;

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

fn provider(workers: Workers) -> &'static SdkTracerProvider {
    Box::leak(Box::new(workers.otel()))
}

fn otel(workers: Workers, has_content: bool) -> Subject {
    let provider = provider(workers);
    let tracer = Otel(Box::leak(Box::new(provider.tracer("peers"))));
    let tree = move |_: &(), ()| tracer.tree(has_content);
    let subject = ALIKE.peer("opentelemetry", "start, attach", (), tree, |_| exported::otel());
    subject.each(SPANS).drain(move || provider.force_flush().expect("the exporter never fails"))
}

fn tracing_opentelemetry(has_content: bool) -> Subject {
    let provider = provider(Workers::Asleep);
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

fn emit(has_content: bool) -> Subject {
    let subject = ALIKE.peer(
        "emit",
        "#[span], counted in the span's own thread: nothing is buffered",
        (),
        move |_, ()| emitted::tree(&emitted::COUNTING, has_content),
        |_| emitted::handed(),
    );
    subject.each(SPANS)
}

/// What has a worker, in bellwether's row.
fn subjects(spans: &Spans, workers: Workers, row: Row, has_content: bool) -> Vec<Subject> {
    workers.fastrace();
    let peers = [
        fastrace("LocalSpan", Local, exported::fastrace, has_content),
        fastrace("Span::enter_with_parent", Moved, exported::fastrace_moved, has_content),
        otel(workers, has_content),
    ];
    let ours = ALIKE.ours(row, move |()| Ours.tree(has_content), exported::ours);
    let mut subjects = vec![floors::clock()];
    subjects.extend(peers.map(|peer| workers.peer(peer)));
    subjects.push(ours.each(SPANS).drain(spans.drain()));
    subjects
}

fn trees(effort: Effort, what: &'static str, limit: fn(&At) -> f64, has_content: bool) -> Table {
    let budget = match has_content {
        false => "2 clock + 15 ns, ahead of fastrace",
        true => "3 clock + 35 ns, 0.6 x fastrace",
    };
    let spans = Workers::Asleep.spans();
    let row = row(what, floors::CLOCK).budget(budget, limit).flat();
    let mut subjects = subjects(&spans, Workers::Asleep, row, has_content);
    subjects.extend([tracing_opentelemetry(has_content), emit(has_content)]);
    Recording { stretch: BURSTS, ..Recording::new(what, subjects) }.measure(effort)
}

/// The same while the workers take the spans. Without a budget: on two cores, three threads need more
/// than two do.
fn beside(effort: Effort, what: [&'static str; 2], has_content: bool) -> Vec<Table> {
    let [what, lost] = what;
    let spans = Workers::Awake.spans();
    let subjects = subjects(&spans, Workers::Awake, row(what, floors::CLOCK), has_content);
    let stretch = Stretch::BesideWorkers(BESIDE_WORKERS / SPANS);
    let recording = Recording { stretch, ..Recording::new(what, subjects) };
    vec![recording.measure(effort), recording.losses(&[lost])]
}

pub fn bare_beside(effort: Effort) -> Vec<Table> {
    let what = [
        "a span of a tree of 111, beside an awake worker",
        "a span of a tree of 111, beside an awake worker, lost",
    ];
    beside(effort, what, false)
}

pub fn with_attributes_beside(effort: Effort) -> Vec<Table> {
    let what = [
        "a span of a tree of 111, three attributes and an event, beside an awake worker",
        "a span of a tree of 111, three attributes and an event, beside an awake worker, lost",
    ];
    beside(effort, what, true)
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

fn emit_unwanted(idiom: &'static str, span: impl Fn() + Copy + Sync + 'static) -> Subject {
    ALIKE.peer("emit", idiom, (), move |_, ()| span(), |_| 0).uncounted()
}

/// A root span where no telemetry is started, and one that is not sampled.
pub fn unwanted(effort: Effort) -> Vec<Table> {
    let handed = emitted::handed();
    let enter = |()| drop(black_box(bellwether::span("root").root().enter()));
    let limit = |at: &At| 2.0 * at.peer(|library| library == "tracing");
    let off = row("a root span, not started", floors::ADD).budget("2 x tracing, off", limit).flat();
    let off = ALIKE.ours(off, enter, || 0).uncounted();
    let emit = emit_unwanted("#[span], no runtime set up", emitted::not_started);
    let subjects = vec![floors::add(), disabled_span(), emit, off];
    let not_started = Recording::new("a root span, not started", subjects).measure(effort);

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
    let subjects = vec![
        floors::add(),
        disabled_span(),
        fastrace.uncounted(),
        otel.uncounted(),
        emit_unwanted("#[span], a filter that wants none", || {
            emitted::span(&emitted::FILTERED, || black_box(()));
        }),
        emit_unwanted("#[span], emit_traceparent's sampler", || {
            emitted::span(&emitted::UNSAMPLED, || black_box(()));
        }),
        unsampled,
    ];
    let unsampled = Recording::new("a root span, not sampled", subjects).measure(effort);
    assert_eq!(emitted::handed(), handed, "emit: a span that nobody wants was handed out");
    vec![not_started, unsampled]
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
        let emit = ALIKE.peer_holding(
            "emit",
            "emit_traceparent: try_from_str, write!",
            (),
            |_| (VALUE.to_owned(), String::new()),
            |(incoming, outgoing), ()| {
                outgoing.clear();
                if let Ok(context) = Traceparent::try_from_str(black_box(incoming)) {
                    write!(outgoing, "{context}").expect("a String takes all");
                }
                black_box(&outgoing);
            },
            |_| 0,
        );
        let subjects = vec![floors::add(), peer.uncounted(), emit.uncounted(), ours.uncounted()];
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
    let emit = ALIKE.peer_holding(
        "emit",
        "emit_traceparent: get, try_from_str, to_string, insert",
        (),
        move |_| (incoming(), HashMap::<String, String>::new()),
        |(incoming, outgoing), ()| {
            let value = black_box(&*incoming).get(HEADER);
            let context = value.and_then(|value| Traceparent::try_from_str(value).ok());
            if let Some(context) = context {
                outgoing.insert(HEADER.to_owned(), context.to_string());
            }
            black_box(&outgoing);
        },
        |_| 0,
    );
    let subjects = vec![floors::add(), peer.uncounted(), emit.uncounted(), ours.uncounted()];
    let in_map = Recording::new("traceparent in and out, a HashMap", subjects).measure(effort);
    vec![one_header, in_map]
}
