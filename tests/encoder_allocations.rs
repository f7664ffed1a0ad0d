//! What is sent is written without an allocation for each record: an allocator that counts tells.
//!
//! One test, alone in its process: the counts are those of the thread.

mod counting;

use bellwether::{
    export::{
        Encoder,
        clickhouse::ClickHouse,
        elasticsearch::Elasticsearch,
        emf::Emf,
        graphite::Graphite,
        influx::Influx,
        journal::Journal,
        loki::{Loki, LokiForm, LokiLine},
        statsd::Statsd,
        syslog::Syslog,
    },
    log::{LogRecord, LogSeverity},
    metric::{DataPoint, Registry, Temporality, Unit},
    pipeline::{Batch, Setup, Signal},
    resource::Resource,
    trace::SpanRecord,
};

/// How many allocations a second batch of `n` records makes.
fn allocations<S: Signal + Clone>(mut encoder: impl Encoder<S>, records: &[S], n: usize) -> u64 {
    encoder.start(&Setup::new(Resource::service("shop"))).expect("nothing is wrong with it");
    let batch = Batch::from(records.iter().cycle().take(n).cloned().collect::<Vec<_>>());
    encoder.encode(&batch);
    let before = counting::allocations();
    let payload = encoder.encode(&batch);
    let made = counting::allocations() - before;
    assert!(payload.bytes().len() > 10 * n);
    made
}

/// The payload's own room doubles as it grows.
const SIZES: [(usize, u64); 2] = [(500, 40), (4_000, 50)];

/// Whether these are as few as they may be for a batch of `n`.
fn check(n: usize, most: u64, made: &[u64]) {
    assert!(made.iter().all(|made| *made > 0 && *made < most), "{n}: {made:?}");
}

#[test]
fn a_record_is_written_without_an_allocation_of_its_own() {
    metrics();
    spans();
    logs();
}

fn metrics() {
    let registry = Registry::new();
    let hits = registry.counter("hits", "").keys(&["route"]).build().expect("it is legal");
    hits.with_labels(&[("route", "/a b")]).add(3);
    registry.gauge("load", "").build().expect("it is legal").set(0.1);
    let times = registry.histogram("time", "").unit(Unit::Seconds).build().expect("it is legal");
    (1..100).for_each(|n| times.record(f64::from(n)));
    let points = registry.snapshot().data_points(Temporality::Cumulative);
    for (n, most) in SIZES {
        let made = [
            allocations(influx().metrics_encoder(), &points, n),
            allocations(elastic().metrics_encoder(), &points, n),
            allocations(clickhouse().encoder::<DataPoint>(), &points, n),
            allocations(Statsd::udp("127.0.0.1:8125").encoder(), &points, n),
            allocations(Graphite::new("127.0.0.1:2003").encoder(), &points, n),
            allocations(Emf::stdout("Shop").encoder(), &points, n),
        ];
        check(n, most, &made);
    }
}

fn spans() {
    let mut span = SpanRecord::new("checkout");
    span.set_attribute("route", "/a b");
    span.set_attribute("n", 7);
    let spans = [span];
    for (n, most) in SIZES {
        let made = [
            allocations(influx().spans_encoder(), &spans, n),
            allocations(elastic().spans_encoder(), &spans, n),
            allocations(clickhouse().encoder::<SpanRecord>(), &spans, n),
        ];
        check(n, most, &made);
    }
}

fn logs() {
    let log = LogRecord::new(LogSeverity::INFO, "the \"card\"\nwas refused")
        .with_target("shop::pay")
        .with_location("src/pay.rs", 42)
        .with_attribute("n", 7)
        .with_attribute("x", 0.5)
        .with_attribute("sizes", [36, 41])
        .with_attribute("route", "/a b")
        .with_attribute("long", "x".repeat(300));
    let logs = [log];
    let loki = Loki::new("https://loki.example.com");
    let labelled = loki.clone().label("route").form(LokiForm::Json);
    let whole = loki.clone().line(LokiLine::Json);
    let syslog = Syslog::tcp("127.0.0.1:601");
    let daily = elastic().daily("shop");
    for (n, most) in SIZES {
        let made = [
            allocations(influx().logs_encoder(), &logs, n),
            allocations(daily.logs_encoder(), &logs, n),
            allocations(clickhouse().encoder::<LogRecord>(), &logs, n),
            allocations(loki.logs_encoder(), &logs, n),
            allocations(labelled.logs_encoder(), &logs, n),
            allocations(whole.logs_encoder(), &logs, n),
            allocations(syslog.logs_encoder(), &logs, n),
            allocations(syslog.clone().max_message(600).logs_encoder(), &logs, n),
            allocations(Journal::new().logs_encoder(), &logs, n),
        ];
        check(n, most, &made);
    }
}

fn influx() -> Influx {
    Influx::v1("https://influx.example.com", "shop").attribute_tags([("route", "route")])
}

fn elastic() -> Elasticsearch {
    Elasticsearch::new("https://elastic.example.com")
}

fn clickhouse() -> ClickHouse {
    ClickHouse::new("https://clickhouse.example.com")
}
