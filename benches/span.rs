//! What a span costs its thread, and a context its headers. Budgets: PEERS.md T1, T2, T3, T5.

use std::{collections::HashMap, hint::black_box, sync::Arc};

use bellwether::{
    extract, span,
    trace::{
        self, SpanRecord, Tracer, inject_context,
        sampler::{AlwaysOff, AlwaysOn, Sampler, TraceIdRatio},
    },
};
use criterion::{Criterion, criterion_group, criterion_main};

fn tracer(sampler: impl Sampler) -> Arc<Tracer> {
    Tracer::builder(|spans: &mut Vec<SpanRecord>| spans.clear()).sampler(sampler).build()
}

fn spans(c: &mut Criterion) {
    c.bench_function("span/no tracer", |b| b.iter(|| drop(black_box(span("root").enter()))));
    {
        let _entered = trace::enter(Some(tracer(AlwaysOff)));
        c.bench_function("span/unsampled", |b| b.iter(|| drop(black_box(span("root").enter()))));
    }
    {
        let _entered = trace::enter(Some(tracer(TraceIdRatio::new(0.0))));
        c.bench_function("span/ratio 0", |b| b.iter(|| drop(black_box(span("root").enter()))));
    }
    let _entered = trace::enter(Some(tracer(AlwaysOn)));
    c.bench_function("span/sampled root", |b| b.iter(|| drop(black_box(span("root").enter()))));
    c.bench_function("span/1 + 10", |b| {
        b.iter(|| {
            let _root = span("root").enter();
            (0..10).for_each(|_| drop(black_box(span("child").enter())));
        });
    });
    c.bench_function("span/two threads", |b| {
        b.iter_custom(|n| {
            let both = std::sync::Barrier::new(2);
            let tracer = tracer(AlwaysOn);
            let work = || {
                let _entered = trace::enter(Some(Arc::clone(&tracer)));
                drop(span("first").enter());
                both.wait();
                let start = bellwether::clock::now();
                (0..n).for_each(|_| drop(black_box(span("root").enter())));
                bellwether::clock::now().since(start)
            };
            std::thread::scope(|scope| {
                let other = scope.spawn(work);
                work().max(other.join().unwrap_or_default())
            })
        });
    });
    c.bench_function("span/start, moved, end", |b| {
        b.iter(|| drop(black_box(span("root").start())))
    });
}

fn headers(c: &mut Criterion) {
    let _entered = trace::enter(Some(tracer(AlwaysOn)));
    let context = span("root").enter().context();
    let mut headers: HashMap<String, String> = HashMap::new();
    c.bench_function("w3c/inject and extract", |b| {
        b.iter(|| {
            inject_context(black_box(&context), &mut headers);
            extract(black_box(&headers))
        });
    });
    let pairs = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    c.bench_function("w3c/extract", |b| b.iter(|| extract(black_box(&pairs))));
}

criterion_group!(benches, spans, headers);
criterion_main!(benches);
