//! emit as a peer: runtimes of concrete types, as its documentation has them for whoever wants no
//! erased one.
//!
//! With emit a span is a function, and nothing is buffered: what emits is called in the span's own
//! thread when it ends. The emitter of the rows for spans only counts. That of the floods does what
//! emit's exporters do: it hands an owned event to emit's batcher, whose queue and worker are theirs.

use emit::{
    Emitter, Empty, Event, Filter,
    event::ToEvent,
    platform::{DefaultClock, DefaultCtxt, DefaultRng},
    props::OwnedProps,
    runtime::Runtime,
    span::SpanCtxt,
};
use emit_traceparent::{TraceparentCtxt, TraceparentFilter};
use std::{
    cell::Cell,
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

pub type Concrete<E, F = Empty, C = DefaultCtxt> = Runtime<E, F, C, DefaultClock, DefaultRng>;

const fn concrete<E, F, C>(emitter: E, filter: F, ctxt: C) -> Concrete<E, F, C> {
    Runtime::build(emitter, filter, ctxt, DefaultClock::new(), DefaultRng::new())
}

/// Counts the spans that it is handed.
pub static COUNTING: Concrete<Count> = concrete(Count, Empty, DefaultCtxt::shared());

/// Its filter wants no span.
pub static FILTERED: Concrete<Count, Nothing> = concrete(Count, Nothing, DefaultCtxt::shared());

/// Its sampler takes no trace.
pub static UNSAMPLED: Concrete<Count, TraceparentFilter, TraceparentCtxt<DefaultCtxt>> = concrete(
    Count,
    TraceparentFilter::new_with_sampler(no_trace),
    TraceparentCtxt::new(DefaultCtxt::shared()),
);

fn no_trace(_: &SpanCtxt) -> bool {
    false
}

pub struct Nothing;

impl Filter for Nothing {
    fn matches<E: ToEvent>(&self, _: E) -> bool {
        false
    }
}

/// Each thread counts on its own, and adds that to the total when it ends: it is called in the midst
/// of what is measured, where the exporters of other libraries are not.
pub struct Count;

struct Here(Cell<u64>);

thread_local! {
    static HERE: Here = const { Here(Cell::new(0)) };
}

static HANDED: AtomicU64 = AtomicU64::new(0);

impl Drop for Here {
    fn drop(&mut self) {
        HANDED.fetch_add(self.0.get(), Relaxed);
    }
}

impl Emitter for Count {
    fn emit<E: ToEvent>(&self, event: E) {
        if is_span(&event.to_event()) {
            HERE.with(|Here(spans)| spans.set(spans.get() + 1));
        }
    }

    fn blocking_flush(&self, _: Duration) -> bool {
        true
    }
}

/// A span has a beginning and an end, an event a moment.
fn is_span<P>(event: &Event<P>) -> bool {
    event.extent().is_some_and(|extent| extent.is_range())
}

/// The spans of the threads that have ended.
pub fn handed() -> u64 {
    HANDED.load(Relaxed)
}

#[emit::span(rt: rt, "tree")]
#[inline(always)]
pub fn span<E: Emitter, F: Filter, C: emit::Ctxt>(rt: &Concrete<E, F, C>, children: impl Fn()) {
    children();
}

/// Attributes of the span alone, which its children do not inherit.
#[emit::span(
    rt: rt,
    evt_props: emit::props! { cart: 7, tier: "gold", is_new: true },
    "tree",
)]
#[inline(always)]
fn span_with_content(rt: &Concrete<impl Emitter>, children: impl Fn()) {
    emit::emit!(rt: rt, "paid");
    children();
}

#[inline(always)]
pub fn tree(rt: &Concrete<impl Emitter>, has_content: bool) {
    if has_content {
        let leaf = || span_with_content(rt, || black_box(()));
        let child = || span_with_content(rt, || (0..10).for_each(|_| leaf()));
        span_with_content(rt, || (0..10).for_each(|_| child()));
    } else {
        let leaf = || span(rt, || black_box(()));
        let child = || span(rt, || (0..10).for_each(|_| leaf()));
        span(rt, || (0..10).for_each(|_| child()));
    }
}

/// Of the runtime that macros take by default, which nobody has set up.
#[emit::span("root")]
pub fn not_started() {
    black_box(());
}

#[emit::span("observed")]
pub async fn observed_not_started() {
    black_box(());
}

#[emit::span(rt: rt, "observed")]
pub async fn observed<F: Filter>(rt: &Concrete<Count, F>) {
    black_box(());
}

/// Hands owned events to its worker, which may lose them: a full queue is cleared.
pub struct Batching(emit_batcher::Sender<Vec<Event<'static, OwnedProps>>>);

/// The spans that workers of batchers were handed.
static BATCHED: AtomicU64 = AtomicU64::new(0);

impl Batching {
    pub fn start() -> Concrete<Self> {
        // The room that emit's own exporters have.
        let (sender, receiver) = emit_batcher::bounded(10_000);
        let count = |batch: Vec<Event<'static, OwnedProps>>| {
            let spans = batch.iter().filter(|event| is_span(event)).count();
            BATCHED.fetch_add(spans as u64, Relaxed);
            Ok(())
        };
        emit_batcher::sync::spawn("emit worker", receiver, count).expect("a thread starts");
        concrete(Self(sender), Empty, DefaultCtxt::shared())
    }
}

impl Emitter for Batching {
    fn emit<E: ToEvent>(&self, event: E) {
        self.0.send(event.to_event().to_owned());
    }

    fn blocking_flush(&self, timeout: Duration) -> bool {
        emit_batcher::blocking_flush(&self.0, timeout)
    }
}

pub fn batched() -> u64 {
    BATCHED.load(Relaxed)
}
