//! M1: a counter by a held handle; one in a loop, and 64 in turn.

use super::{Budget, Figure, Figures, Workload, floor, otel};
use crate::{
    bellwether_side,
    harness::{Pace, Subject, repeat},
};
use metriken::ShardedCounterGroup;
use opentelemetry::KeyValue;
use prometheus::IntCounter;
use prometheus_client::metrics::counter::Counter;

pub fn one() -> Workload {
    let mut subjects = vec![floor::thread_local_spread(), floor::thread_local_one()];
    subjects.extend(counters(Pace::Flat));
    Workload {
        name: "M1 one counter",
        subjects,
        burst: None,
        budget: |figures, figure| within(figures, figure, 4.0, "4 x thread-local add, 2T = 1T"),
    }
}

pub fn spread() -> Workload {
    let mut subjects = vec![
        floor::thread_local_spread(),
        prometheus_spread(),
        prometheus_client_spread(),
        metriken_spread(),
        otel_spread(),
    ];
    subjects.extend(bellwether_side::counters_in_turn());
    Workload {
        name: "M1 64 counters in turn",
        subjects,
        burst: None,
        budget: |figures, figure| within(figures, figure, 2.0, "2 x thread-local add, 2T = 1T"),
    }
}

/// One counter of each library.
pub fn counters(pace: Pace) -> Vec<Subject> {
    let mut subjects =
        vec![prometheus_one(pace), prometheus_client_one(pace), metriken_one(pace), otel_one(pace)];
    subjects.extend(bellwether_side::counters(pace));
    subjects
}

fn within(figures: &Figures, figure: &Figure, factor: f64, rule: &'static str) -> Budget {
    let floor = figures.floor(figure.threads).unwrap_or(f64::NAN);
    Budget { limit: figures.no_slower_than_one(figure, factor * floor), rule }
}

fn prometheus_one(pace: Pace) -> Subject {
    let counter = IntCounter::new("one", "One").expect("a legal name");
    let handle = counter.clone();
    let worker = move |_| {
        let counter = handle.clone();
        repeat(pace, move || counter.inc())
    };
    Subject::new("prometheus", "IntCounter", worker, move || counter.get())
}

fn prometheus_spread() -> Subject {
    let counters: &'static [IntCounter] = (0..64)
        .map(|i| IntCounter::new(format!("spread_{i}"), "One of 64").expect("a legal name"))
        .collect::<Vec<_>>()
        .leak();
    let worker = move |_| {
        let mut next = 0;
        repeat(Pace::Flat, move || {
            counters[next & 63].inc();
            next += 1;
        })
    };
    let total = || counters.iter().map(IntCounter::get).sum();
    Subject::new("prometheus", "IntCounter", worker, total)
}

fn prometheus_client_one(pace: Pace) -> Subject {
    let counter = Counter::<u64>::default();
    let handle = counter.clone();
    let worker = move |_| {
        let counter = handle.clone();
        repeat(pace, move || {
            counter.inc();
        })
    };
    Subject::new("prometheus-client", "Counter", worker, move || counter.get())
}

fn prometheus_client_spread() -> Subject {
    let counters: &'static [Counter] =
        (0..64).map(|_| Counter::default()).collect::<Vec<_>>().leak();
    let worker = move |_| {
        let mut next = 0;
        repeat(Pace::Flat, move || {
            counters[next & 63].inc();
            next += 1;
        })
    };
    let total = || counters.iter().map(|counter| counter.get()).sum();
    Subject::new("prometheus-client", "Counter", worker, total)
}

fn metriken_one(pace: Pace) -> Subject {
    let group: &'static _ = Box::leak(Box::new(ShardedCounterGroup::new(1)));
    let worker = move |_| {
        repeat(pace, move || {
            group.increment(0);
        })
    };
    let total = || group.value(0).unwrap_or(0);
    Subject::new("metriken", "ShardedCounterGroup", worker, total)
}

fn metriken_spread() -> Subject {
    let group: &'static _ = Box::leak(Box::new(ShardedCounterGroup::new(64)));
    let worker = move |_| {
        let mut next = 0;
        repeat(Pace::Flat, move || {
            group.increment(next & 63);
            next += 1;
        })
    };
    let total = || (0..64).filter_map(|i| group.value(i)).sum();
    Subject::new("metriken", "ShardedCounterGroup", worker, total)
}

fn otel_one(pace: Pace) -> Subject {
    let name = match pace {
        Pace::Flat => "one",
        Pace::Working => "one_working",
    };
    let counter = otel::meter().u64_counter(name).build().bind(&[]);
    let worker = move |_| {
        let counter = counter.clone();
        repeat(pace, move || counter.add(1))
    };
    Subject::new("opentelemetry", "bound counter", worker, move || otel::total(name))
}

fn otel_spread() -> Subject {
    let counter = otel::meter().u64_counter("spread").build();
    let bind = |i| counter.bind(&[KeyValue::new("i", i)]);
    let counters: &'static [_] = (0..64).map(bind).collect::<Vec<_>>().leak();
    let worker = move |_| {
        let mut next = 0;
        repeat(Pace::Flat, move || {
            counters[next & 63].add(1);
            next += 1;
        })
    };
    Subject::new("opentelemetry", "bound counter", worker, || otel::total("spread"))
}
