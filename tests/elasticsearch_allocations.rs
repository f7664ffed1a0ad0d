//! Documents of Elasticsearch are written without an allocation for each: an allocator that counts shows it.
//!
//! One test, alone in its process: the counts are those of the thread.

mod counting;

use bellwether::{
    export::{Encoder, elasticsearch::Elasticsearch},
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
    assert!(payload.bytes().len() > 50 * n);
    made
}

#[test]
fn a_document_is_written_without_an_allocation_of_its_own() {
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
    span.set_attribute("http.request.method", "GET");
    let streams = Elasticsearch::new("https://elastic.example.com");
    let daily = streams.clone().daily("shop");

    // The payload's own room doubles as it grows.
    for (n, most) in [(500, 40), (4_000, 50)] {
        for elastic in [&streams, &daily] {
            let made = [
                allocations(elastic.metrics_encoder(), &points, n),
                allocations(elastic.spans_encoder(), std::slice::from_ref(&span), n),
                allocations(elastic.logs_encoder(), std::slice::from_ref(&log), n),
            ];
            assert!(made.iter().all(|made| *made > 0 && *made < most), "{n}: {made:?}");
        }
    }
}
