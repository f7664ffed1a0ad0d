//! M6: a gauge that is set, and a sum that grows and falls, by held handles.

use super::{Budget, Recording, Table, floor, m1, otel, recorder};
use crate::{
    bellwether_side,
    harness::{Effort, Pace, Stretch, Subject},
};
use prometheus::{Gauge, IntGauge};
use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

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
    let gauge = Gauge::new("set", "Set").expect("a legal name");
    Subject::set("prometheus", "Gauge", gauge, |g, value| g.set(value), |g| g.get() as u64)
}

fn prometheus_add() -> Subject {
    let gauge = IntGauge::new("add", "Add").expect("a legal name");
    adding("prometheus", "IntGauge", gauge, |g| g.inc(), |g| g.get() as u64)
}

type ClientGauge<N = i64, A = AtomicI64> = prometheus_client::metrics::gauge::Gauge<N, A>;

fn prometheus_client_set() -> Subject {
    let gauge = ClientGauge::<f64, AtomicU64>::default();
    let set = |g: &ClientGauge<f64, AtomicU64>, value| {
        g.set(value);
    };
    Subject::set("prometheus-client", "Gauge", gauge, set, |g| g.get() as u64)
}

fn prometheus_client_add() -> Subject {
    let add = |g: &ClientGauge| {
        g.inc();
    };
    adding("prometheus-client", "Gauge", <ClientGauge>::default(), add, |g| g.get() as u64)
}

type FastGauge<N = i64> = fastmetrics::metrics::gauge::Gauge<N>;

fn fastmetrics_set() -> Subject {
    let gauge = FastGauge::<f64>::default();
    Subject::set("fastmetrics", "Gauge", gauge, |g, value| g.set(value), |g| g.get() as u64)
}

fn fastmetrics_add() -> Subject {
    adding("fastmetrics", "Gauge", <FastGauge>::default(), |g| g.inc(), |g| g.get() as u64)
}

fn measured_set() -> Subject {
    let gauge = Arc::new(measured::FloatGauge::new());
    let value = |g: &Arc<measured::FloatGauge>| g.get_metric().count.get() as u64;
    Subject::set("measured", "FloatGauge", gauge, |g, value| g.set(value), value)
}

fn measured_add() -> Subject {
    let value = |g: &Arc<measured::Gauge>| g.get_metric().count.load(Relaxed) as u64;
    adding("measured", "Gauge", Arc::new(measured::Gauge::new()), |g| g.inc(), value)
}

/// Its gauges hold whole numbers only.
fn metriken_set() -> Subject {
    let set = |g: &Arc<metriken::Gauge>, value| {
        g.set(value as i64);
    };
    Subject::set("metriken", "Gauge", Arc::new(metriken::Gauge::new()), set, |g| g.value() as u64)
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
    Subject::set("metrics", "Gauge", gauge, |g: &metrics::Gauge, value| g.set(value), value)
}

fn metrics_add() -> Subject {
    let (gauge, reader) = recorder::held(|| metrics::gauge!("add"));
    let value = move |_: &_| recorder::sum_on_page(&reader.render(), "add", "add");
    adding("metrics", "Gauge", gauge, |g: &metrics::Gauge| g.increment(1), value)
}

fn otel_set() -> Subject {
    let gauge = otel::meter().f64_gauge("set").build().bind(&[]);
    Subject::set(
        "opentelemetry",
        "bound gauge",
        gauge,
        |g, value| g.record(value),
        |_| otel::total("set"),
    )
}

fn otel_add() -> Subject {
    let counter = otel::meter().i64_up_down_counter("add").build().bind(&[]);
    adding("opentelemetry", "bound up-down counter", counter, |c| c.add(1), |_| otel::total("add"))
}
