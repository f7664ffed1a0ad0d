//! What an increment costs its thread: beside a plain thread-local addition, the floor.

use std::{cell::Cell, hint::black_box};

use bellwether::{Counter, Gauge, Labels, UpDownCounter, count};
use criterion::{Criterion, criterion_group, criterion_main};

static EVENTS: Counter = Counter::new("events", "");
static BY_CLASS: Counter<Class> = Counter::new("events.by.class", "");
static BY_ROUTE: Counter<Route> = Counter::new("events.by.route", "");
static ACTIVE: UpDownCounter = UpDownCounter::new("active", "");
static LEVEL: Gauge = Gauge::new("level", "");

#[derive(Clone, Copy, Labels)]
enum Status {
    Ok,
    Failed,
}

#[derive(Labels)]
struct Class {
    status: Status,
    cached: bool,
}

#[derive(Labels)]
struct Route<'a> {
    route: &'a str,
    status: u16,
}

thread_local!(static FLOOR: Cell<u64> = const { Cell::new(0) });

fn counters(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("counter");
    group.bench_function("floor: thread-local addition", |b| {
        b.iter(|| FLOOR.with(|sum| sum.set(black_box(sum.get() + 1))));
    });
    group.bench_function("static", |b| b.iter(|| EVENTS.inc()));
    group.bench_function("up-down, add and take away", |b| b.iter(|| drop(ACTIVE.hold())));
    group.bench_function("gauge, set", |b| b.iter(|| LEVEL.set(black_box(1.5))));
    let bound = BY_CLASS.bind(Class { status: Status::Ok, cached: true });
    group.bench_function("bound", |b| b.iter(|| bound.inc()));
    group.bench_function("closed labels at each call", |b| {
        b.iter(|| BY_CLASS.bind(black_box(Class { status: Status::Failed, cached: false })).inc());
    });
    group.bench_function("open labels at each call", |b| {
        b.iter(|| BY_ROUTE.bind(Route { route: black_box("/checkout"), status: 200 }).inc());
    });
    group.bench_function("count!, one label", |b| {
        b.iter(|| count!("events.dynamic", tier = black_box("l1")));
    });
    group.finish();
}

criterion_group!(benches, counters);
criterion_main!(benches);
