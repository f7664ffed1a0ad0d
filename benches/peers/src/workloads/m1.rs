//! M1: a counter by a held handle; one in a loop, and 64 in turn.

use super::{Budget, Figure, Recording, Table, floor, otel, recorder};
use crate::{
    bellwether_side,
    harness::{Effort, Pace, Stretch, Subject, numbered},
};
use metriken::ShardedCounterGroup;
use opentelemetry::KeyValue;
use prometheus::IntCounter;
use std::sync::{Arc, atomic::Ordering::Relaxed};

pub fn tables(effort: Effort) -> Vec<Table> {
    vec![one().measure(effort), spread().measure(effort)]
}

fn one() -> Recording {
    let mut subjects = vec![floor::thread_local_spread(), floor::thread_local_one()];
    subjects.extend(counters(Pace::Flat));
    Recording {
        name: "M1 one counter",
        subjects,
        stretch: Stretch::Round,
        budget: |table, figure| within(table, figure, 4.0, "4 x thread-local add, 2T = 1T"),
    }
}

fn spread() -> Recording {
    let mut subjects = vec![
        floor::thread_local_spread(),
        prometheus_spread(),
        prometheus_client_spread(),
        fastmetrics_spread(),
        measured_spread(),
        metriken_spread(),
        metrics_spread(),
        otel_spread(),
    ];
    subjects.extend(bellwether_side::counters_in_turn());
    Recording {
        name: "M1 64 counters in turn",
        subjects,
        stretch: Stretch::Round,
        budget: |table, figure| within(table, figure, 2.0, "2 x thread-local add, 2T = 1T"),
    }
}

/// One counter of each library.
pub fn counters(pace: Pace) -> Vec<Subject> {
    let mut subjects = vec![
        prometheus_one(pace),
        prometheus_client_one(pace),
        fastmetrics_one(pace),
        measured_one(pace),
        metriken_one(pace),
        metrics_one(pace),
        otel_one(pace),
    ];
    subjects.extend(bellwether_side::counters(pace));
    subjects
}

pub fn within(table: &Table, figure: &Figure, factor: f64, rule: &'static str) -> Option<Budget> {
    let limit = table.times_floor(factor, figure.threads);
    Some(Budget { limit: table.no_slower_than_one(figure, limit), rule })
}

fn prometheus_one(pace: Pace) -> Subject {
    let counter = IntCounter::new("one", "One").expect("a legal name");
    Subject::held("prometheus", "IntCounter", pace, counter, |c| c.inc(), |c| c.get())
}

fn prometheus_spread() -> Subject {
    let make = |i| IntCounter::new(format!("spread_{i}"), "One of 64").expect("a legal name");
    Subject::in_turn("prometheus", "IntCounter", make, |c| c.inc(), |c| c.get())
}

fn prometheus_client_one(pace: Pace) -> Subject {
    use prometheus_client::metrics::counter::Counter;
    let inc = |counter: &Counter| {
        counter.inc();
    };
    Subject::held("prometheus-client", "Counter", pace, Counter::default(), inc, |c| c.get())
}

fn prometheus_client_spread() -> Subject {
    use prometheus_client::metrics::counter::Counter;
    let inc = |counter: &Counter| {
        counter.inc();
    };
    Subject::in_turn("prometheus-client", "Counter", |_| Counter::default(), inc, |c| c.get())
}

fn fastmetrics_one(pace: Pace) -> Subject {
    use fastmetrics::metrics::counter::Counter;
    let counter = Counter::<u64>::default();
    Subject::held("fastmetrics", "Counter", pace, counter, |c| c.inc(), |c| c.total())
}

fn fastmetrics_spread() -> Subject {
    use fastmetrics::metrics::counter::Counter;
    let make = |_| Counter::<u64>::default();
    Subject::in_turn("fastmetrics", "Counter", make, |c| c.inc(), |c| c.total())
}

fn measured_one(pace: Pace) -> Subject {
    let counter = Arc::new(measured::Counter::new());
    let total = |c: &Arc<measured::Counter>| c.get_metric().count.load(Relaxed);
    Subject::held("measured", "Counter", pace, counter, |c| c.inc(), total)
}

fn measured_spread() -> Subject {
    let total = |c: &measured::Counter| c.get_metric().count.load(Relaxed);
    Subject::in_turn("measured", "Counter", |_| measured::Counter::new(), |c| c.inc(), total)
}

fn metriken_one(pace: Pace) -> Subject {
    let group: &'static _ = Box::leak(Box::new(ShardedCounterGroup::new(1)));
    let inc = |group: &&'static ShardedCounterGroup| {
        group.increment(0);
    };
    let total = |group: &&'static ShardedCounterGroup| group.value(0).unwrap_or(0);
    Subject::held("metriken", "ShardedCounterGroup", pace, group, inc, total)
}

fn metriken_spread() -> Subject {
    let group: &'static _ = Box::leak(Box::new(ShardedCounterGroup::new(64)));
    let worker = move |_| {
        numbered(move |number| {
            group.increment(number & 63);
        })
    };
    let total = || (0..64).filter_map(|i| group.value(i)).sum();
    Subject::new("metriken", "ShardedCounterGroup", worker, total)
}

fn metrics_one(pace: Pace) -> Subject {
    let (counter, reader) = recorder::held(|| metrics::counter!("one"));
    let total = move |_: &metrics::Counter| recorder::sum_on_page(&reader.render(), "one", "one");
    Subject::held("metrics", "Counter", pace, counter, |c| c.increment(1), total)
}

fn metrics_spread() -> Subject {
    let names: [&'static str; 64] = std::array::from_fn(|i| &*format!("spread_{i}").leak());
    let (counters, reader) = recorder::held(|| names.map(|name| metrics::counter!(name)));
    let counters: &'static [_; 64] = Box::leak(Box::new(counters));
    let worker = move |_| {
        numbered(move |number| {
            counters[number & 63].increment(1);
        })
    };
    let total = move || recorder::sum_on_page(&reader.render(), "spread_", "");
    Subject::new("metrics", "Counter", worker, total)
}

fn otel_one(pace: Pace) -> Subject {
    let name = match pace {
        Pace::Flat => "one",
        Pace::Working => "one_working",
    };
    let counter = otel::meter().u64_counter(name).build().bind(&[]);
    let total = move |_: &_| otel::total(name);
    Subject::held("opentelemetry", "bound counter", pace, counter, |c| c.add(1), total)
}

fn otel_spread() -> Subject {
    let counter = otel::meter().u64_counter("spread").build();
    let bind = |i| counter.bind(&[KeyValue::new("i", i as i64)]);
    let counters: &'static [_; 64] = Box::leak(Box::new(std::array::from_fn(bind)));
    let worker = move |_| {
        numbered(move |number| {
            counters[number & 63].add(1);
        })
    };
    Subject::new("opentelemetry", "bound counter", worker, || otel::total("spread"))
}
