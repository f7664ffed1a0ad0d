//! What spans and headers allocate: an unsampled span nothing, a sampled one nothing once the thread
//! has its memory, a bad header nothing.

mod counting;

use std::sync::Arc;

use bellwether::{
    extract,
    trace::{
        self, SpanRecord, Tracer,
        sampler::{AlwaysOff, AlwaysOn, Sampler},
    },
};

fn allocations(work: impl FnOnce()) -> u64 {
    let before = counting::allocations();
    work();
    counting::allocations() - before
}

fn tracer(sampler: impl Sampler) -> Arc<Tracer> {
    Tracer::builder(|spans: &mut Vec<SpanRecord>| spans.clear()).sampler(sampler).build()
}

fn nested() {
    let outer = bellwether::span("outer").enter();
    outer.set_status(trace::Status::Ok);
    let _inner = bellwether::span("inner").enter();
}

#[test]
fn an_unsampled_span_allocates_nothing() {
    let _entered = trace::enter(Some(tracer(AlwaysOff)));
    nested(); // The thread's memory.
    let counted = allocations(|| {
        for _ in 0..10_000 {
            nested();
            let scope = bellwether::span("owned").start().enter();
            scope.set_attribute("key", "value");
            scope.leave().enter().end();
        }
    });
    assert_eq!(counted, 0);
}

#[test]
fn a_span_without_a_tracer_allocates_nothing() {
    assert_eq!(allocations(|| (0..1_000).for_each(|_| nested())), 0);
}

#[test]
fn a_sampled_span_without_attributes_allocates_nothing_once_there_is_memory() {
    let tracer = tracer(AlwaysOn);
    let _entered = trace::enter(Some(Arc::clone(&tracer)));
    (0..1_000).for_each(|_| nested()); // Two buffers: one fills while the other is handed over.
    let counted = allocations(|| (0..100_000).for_each(|_| nested()));
    assert_eq!(counted, 0);
    assert_eq!(tracer.lost(), 0);
}

#[test]
fn bad_headers_allocate_nothing() {
    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let long = "0".repeat(1 << 20);
    let members = "a=1,".repeat(1 << 18);
    let bad: [&[(&str, &str)]; 8] = [
        &[],
        &[("traceparent", "")],
        &[("traceparent", "garbage")],
        &[("traceparent", &long)],
        &[("traceparent", VALID), ("traceparent", VALID)],
        &[("traceparent", VALID), ("tracestate", &long)],
        &[("traceparent", VALID), ("tracestate", &members)],
        &[("traceparent", VALID), ("tracestate", "a=1"), ("tracestate", "B=1")],
    ];
    for headers in bad {
        let counted = allocations(|| assert!(extract(headers).state().is_empty()));
        assert_eq!(counted, 0);
    }
}
