//! A page of 10,000 counters and 1,000 histograms, with two labels each.
//!
//! The budget is a ratio to copying the page's bytes, which is measured beside it.

use std::{borrow::Cow, hint::black_box};

use bellwether::{
    export::prometheus::{Format, render_into},
    label::Labels,
    metric::{Registry, Snapshot, Unit},
    resource::Resource,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// 100 routes, as text.
struct Route(String);

impl Labels for Route {
    const KEYS: &'static [&'static str] = &["http.request.method", "http.route"];
    const CARDINALITY: Option<usize> = None;

    fn index(&self) -> usize {
        0
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each("GET");
        each(&self.0);
    }

    fn at(_index: usize) -> Vec<Cow<'static, str>> {
        Vec::new()
    }
}

fn snapshot() -> Snapshot {
    let registry = Registry::new();
    let routes = || (0..100_u32).map(|i| (i, Route(format!("/route/{i}"))));
    for family in 0..100 {
        let name = format!("bench.counter.{family}");
        let counter =
            registry.counter::<Route>(&name, "A counter", Unit::NONE).expect("a legal name");
        for (i, route) in routes() {
            counter.bind(route).add(u64::from(i) * 123_457);
        }
    }
    for family in 0..10 {
        let name = format!("bench.duration.{family}");
        let histogram =
            registry.histogram::<Route>(&name, "A histogram", Unit::Seconds).expect("a legal name");
        for (_, route) in routes() {
            let series = histogram.bind(route);
            (0..1000).for_each(|i| series.record(0.001 * 1.01f64.powi(i % 900)));
        }
    }
    registry.snapshot()
}

fn encode(c: &mut Criterion) {
    let (snapshot, resource) = (snapshot(), Resource::service("bench"));
    let mut group = c.benchmark_group("encode");
    for (name, format) in [("text", Format::Text), ("openmetrics", Format::OpenMetrics)] {
        let mut page = String::new();
        render_into(&mut page, &snapshot, &resource, format);
        let bytes = page.clone();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                page.clear();
                render_into(&mut page, black_box(&snapshot), &resource, format);
                black_box(page.len())
            });
        });
        group.bench_function(format!("{name}_memcpy"), |b| {
            b.iter(|| {
                page.clear();
                page.push_str(black_box(&bytes));
                black_box(page.as_bytes().last().copied())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
