//! Spans from end to end: what a sink gets.

mod carried;
mod callers;
mod contexts;
mod futures;
mod nesting;
mod open;
mod overdue;
mod records;
mod tail;
mod sampling;
mod threads;
mod user_code;

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, mpsc},
    task::{self, Poll, Waker},
    time::Duration,
};

use super::{sampler::*, *};

use crate::{
    clock::{self, ManualClock},
    context::{
        Baggage, Context, Outcome, SpanContext, SpanId, TraceFlags, TraceId, TraceState, current,
    },
    label::KeyValue,
    pipeline::Signal as _,
    span,
    sync::Mutex,
};

/// A tracer of this thread whose spans are kept.
struct Kept {
    tracer: Arc<Tracer>,
    spans: Arc<Mutex<Vec<SpanRecord>>>,
    _entered: Entered,
}

impl Kept {
    /// With a sampler that is asked about every span.
    fn new(sampler: impl Sampler) -> Self {
        Self::with(|builder| builder.sampler(EverySpan::new(sampler)))
    }

    fn with(options: impl FnOnce(TracerBuilder) -> TracerBuilder) -> Self {
        let spans = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&spans);
        let accept = move |batch: &mut Vec<SpanRecord>| sink.lock().append(batch);
        let tracer = options(Tracer::builder(accept)).build();
        let entered = enter(Some(Arc::clone(&tracer)));
        Self { tracer, spans, _entered: entered }
    }

    fn spans(&self) -> Vec<SpanRecord> {
        self.tracer.collect();
        self.spans.lock().clone()
    }

    /// The spans as a tree of names, children in the order of their ends.
    fn tree(&self) -> String {
        fn below(spans: &[SpanRecord], parent: Option<SpanId>) -> String {
            let children = spans.iter().filter(|span| span.parent_span_id() == parent);
            let print = |span: &SpanRecord| match below(spans, Some(span.span_id())) {
                inner if inner.is_empty() => span.name().to_owned(),
                inner => format!("{}({inner})", span.name()),
            };
            children.map(print).collect::<Vec<_>>().join(" ")
        }
        below(&self.spans(), None)
    }
}

/// Ready at the second poll.
async fn yield_once() {
    let mut is_second = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut is_second, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn caller(flags: u8) -> SpanContext {
    let state = TraceState::parse("a=1").unwrap();
    let flags = TraceFlags::from_u8(flags);
    SpanContext::new(TraceId::random(), SpanId::random(), flags, state).into_remote()
}
