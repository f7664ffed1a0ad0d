//! M6: a gauge that is set, and a sum that grows and falls, by held handles.

use super::{Budget, Recording, Table, floor, m1, otel, recorder};
use crate::{
    bellwether_side,
    harness::{Effort, Pace, Stretch, Subject, repeat},
};
use prometheus::IntGauge;
use std::sync::{Arc, atomic::Ordering::Relaxed};

pub fn tables(effort: Effort) -> Vec<Table> {
    vec![set().measure(effort), add().measure(effort)]
}

fn set() -> Recording {
    let mut subjects = vec![
        floor::shared_store(),
        prometheus_set(),
        prometheus_client_set(),
        fastmetrics_set(),
        measured_set(),
        metriken_set(),
        metrics_set(),
        otel_set(),
    ];
    subjects.extend(bellwether_side::gauges());
    let budget = |table: &Table, figure: &super::Figure| {
        let limit = table.times_floor(1.5, figure.threads);
        Some(Budget { limit, rule: "1.5 x the store" })
    };
    Recording { name: "M6 gauge, set", subjects, stretch: Stretch::Round, budget }
}

fn add() -> Recording {
    let mut subjects = vec![
        floor::thread_local_spread(),
        prometheus_add(),
        prometheus_client_add(),
        fastmetrics_add(),
        measured_add(),
        metriken_add(),
        metrics_add(),
        otel_add(),
    ];
    subjects.extend(bellwether_side::up_down_counters());
    Recording {
        name: "M6 up-down counter, add",
        subjects,
        stretch: Stretch::Round,
        budget: |table, figure| m1::within(table, figure, 4.0, "4 x thread-local add, 2T = 1T"),
    }
}

/// A gauge that is set to one, two, three and so on.
pub fn counting<H: Clone + Sync + 'static>(
    library: &'static str,
    idiom: &'static str,
    gauge: H,
    set: impl Fn(&H, u32) + Copy + Sync + 'static,
    value: impl Fn(&H) -> u64 + Sync + 'static,
) -> Subject {
    let shared = gauge.clone();
    let worker = move |_| {
        let (gauge, mut next) = (shared.clone(), 0);
        repeat(Pace::Flat, move || {
            next += 1;
            set(&gauge, next);
        })
    };
    Subject::new(library, idiom, worker, move || value(&gauge)).sets()
}

fn adding<H: Clone + Sync + 'static>(
    library: &'static str,
    idiom: &'static str,
    gauge: H,
    add: impl Fn(&H) + Copy + Sync + 'static,
    value: impl Fn(&H) -> u64 + Sync + 'static,
) -> Subject {
    Subject::held(library, idiom, Pace::Flat, gauge, add, value)
}

fn prometheus_set() -> Subject {
    let gauge = IntGauge::new("set", "Set").expect("a legal name");
    let set = |g: &IntGauge, value| g.set(i64::from(value));
    counting("prometheus", "IntGauge", gauge, set, |g| g.get() as u64)
}

fn prometheus_add() -> Subject {
    let gauge = IntGauge::new("add", "Add").expect("a legal name");
    adding("prometheus", "IntGauge", gauge, |g| g.inc(), |g| g.get() as u64)
}

type ClientGauge = prometheus_client::metrics::gauge::Gauge;

fn prometheus_client_set() -> Subject {
    let set = |g: &ClientGauge, value| {
        g.set(i64::from(value));
    };
    counting("prometheus-client", "Gauge", ClientGauge::default(), set, |g| g.get() as u64)
}

fn prometheus_client_add() -> Subject {
    let add = |g: &ClientGauge| {
        g.inc();
    };
    adding("prometheus-client", "Gauge", ClientGauge::default(), add, |g| g.get() as u64)
}

type FastGauge = fastmetrics::metrics::gauge::Gauge;

fn fastmetrics_set() -> Subject {
    let set = |g: &FastGauge, value| g.set(i64::from(value));
    counting("fastmetrics", "Gauge", FastGauge::default(), set, |g| g.get() as u64)
}

fn fastmetrics_add() -> Subject {
    adding("fastmetrics", "Gauge", FastGauge::default(), |g| g.inc(), |g| g.get() as u64)
}

fn measured_value(gauge: &Arc<measured::Gauge>) -> u64 {
    gauge.get_metric().count.load(Relaxed) as u64
}

fn measured_set() -> Subject {
    let set = |g: &Arc<measured::Gauge>, value| g.set(i64::from(value));
    counting("measured", "Gauge", Arc::new(measured::Gauge::new()), set, measured_value)
}

fn measured_add() -> Subject {
    adding("measured", "Gauge", Arc::new(measured::Gauge::new()), |g| g.inc(), measured_value)
}

fn metriken_set() -> Subject {
    let set = |g: &Arc<metriken::Gauge>, value| {
        g.set(i64::from(value));
    };
    counting("metriken", "Gauge", Arc::new(metriken::Gauge::new()), set, |g| g.value() as u64)
}

fn metriken_add() -> Subject {
    let add = |g: &Arc<metriken::Gauge>| {
        g.increment();
    };
    adding("metriken", "Gauge", Arc::new(metriken::Gauge::new()), add, |g| g.value() as u64)
}

fn metrics_set() -> Subject {
    let (gauge, reader) = recorder::held(|| metrics::gauge!("set"));
    let value = move |_: &_| recorder::sum_on_page(&reader.render(), "set", "set");
    counting("metrics", "Gauge", gauge, |g: &metrics::Gauge, value| g.set(value), value)
}

fn metrics_add() -> Subject {
    let (gauge, reader) = recorder::held(|| metrics::gauge!("add"));
    let value = move |_: &_| recorder::sum_on_page(&reader.render(), "add", "add");
    adding("metrics", "Gauge", gauge, |g: &metrics::Gauge| g.increment(1), value)
}

fn otel_set() -> Subject {
    let gauge = otel::meter().u64_gauge("set").build().bind(&[]);
    let set = |g: &opentelemetry::metrics::BoundGauge<u64>, value| g.record(u64::from(value));
    counting("opentelemetry", "bound gauge", gauge, set, |_| otel::total("set"))
}

fn otel_add() -> Subject {
    let counter = otel::meter().i64_up_down_counter("add").build().bind(&[]);
    adding("opentelemetry", "bound up-down counter", counter, |c| c.add(1), |_| otel::total("add"))
}
