//! What is sent is written without an allocation for each record: an allocator that counts tells.
//!
//! One test, alone in its process: the counts are those of the thread.

mod counting;

use bellwether::{
    export::{
        Encoder, elasticsearch::Elasticsearch, emf::Emf, graphite::Graphite, influx::Influx,
        statsd::Statsd,
    },
    log::{LogRecord, LogSeverity},
    metric::{Registry, Temporality, Unit},
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

#[test]
fn a_record_is_written_without_an_allocation_of_its_own() {
    let registry = Registry::new();
    let hits = registry.counter("hits", "").keys(&["route"]).build().unwrap();
    hits.with_labels(&[("route", "/a b")]).add(3);
    registry.gauge("load", "").build().unwrap().set(0.1);
    let times = registry.histogram("time", "").unit(Unit::Seconds).build().unwrap();
    (1..100).for_each(|n| times.record(f64::from(n)));
    let points = registry.snapshot().data_points(Temporality::Cumulative);
    let mut span = SpanRecord::new("checkout");
    span.set_attribute("route", "/a b");
    let log = LogRecord::new(LogSeverity::INFO, "the \"card\"\nwas refused").with_attribute("n", 7);
    let influx = Influx::v1("https://influx.example.com", "shop");
    let tagged = influx.clone().attribute_tags([("route", "route")]);

    let elastic = Elasticsearch::new("https://elastic.example.com");
    let daily = elastic.clone().daily("shop");

    // The payload's own room doubles as it grows.
    for (n, most) in [(500, 40), (4_000, 50)] {
        let made = [
            allocations(influx.metrics_encoder(), &points, n),
            allocations(tagged.spans_encoder(), std::slice::from_ref(&span), n),
            allocations(tagged.logs_encoder(), std::slice::from_ref(&log), n),
            allocations(Statsd::udp("127.0.0.1:8125").encoder(), &points, n),
            allocations(Graphite::new("127.0.0.1:2003").encoder(), &points, n),
            allocations(elastic.metrics_encoder(), &points, n),
            allocations(elastic.spans_encoder(), std::slice::from_ref(&span), n),
            allocations(daily.logs_encoder(), std::slice::from_ref(&log), n),
            allocations(Emf::stdout("Shop").encoder(), &points, n),
        ];
        assert!(made.iter().all(|made| *made > 0 && *made < most), "{n}: {made:?}");
    }
}
