//! Recording and reading work whatever features are on.

use bellwether::{Counter, Gauge, Histogram, Unit, UpDownCounter, metric::Registry};

static ORDERS: Counter = Counter::new("features.orders", "Orders accepted");
static OPEN: UpDownCounter = UpDownCounter::new("features.open", "Orders open");
static LOAD: Gauge = Gauge::new("features.load", "The load");
static LATENCY: Histogram =
    Histogram::new("features.latency", "Time to answer").unit(Unit::Seconds);

#[test]
fn what_was_recorded_is_read() {
    ORDERS.inc();
    ORDERS.add(2);
    OPEN.add(3);
    OPEN.dec();
    LOAD.set(0.5);
    (1..=100).for_each(|i| LATENCY.record(f64::from(i)));

    assert_eq!(ORDERS.value(), 3);
    assert_eq!(OPEN.value(), 2);
    assert_eq!(LOAD.value(), Some(0.5));
    let latency = LATENCY.snapshot();
    assert_eq!((latency.count(), latency.sum()), (100, 5050.0));
    let p99 = latency.p99().expect("values were recorded");
    assert!((p99 / 99.0 - 1.0).abs() <= 0.01, "{p99}");
    let snapshot = Registry::global().snapshot();
    assert!(snapshot.family("features.orders").is_some());
}
