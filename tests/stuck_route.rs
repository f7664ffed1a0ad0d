//! Ten backends, of which one never answers: the nine others get everything.
#![cfg(feature = "otlp")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bellwether::{
    export::otlp::Otlp,
    pipeline::{DropReason, Route},
    trace::SpanRecord,
    transport::Endpoint,
};
use support::{PATIENCE, Reply, Server};

const OTHERS: usize = 9;
const SPANS: usize = 5_000;
/// What the stuck route may hold.
const HELD: usize = 1_000;

fn route(server: &Server, name: String) -> Route<SpanRecord> {
    let endpoint = Endpoint::new(&server.url("")).allow_plain_http().allow_private();
    Route::<SpanRecord>::from(Otlp::new(endpoint).json()).named(name)
}

#[test]
fn nine_backends_get_every_span_while_a_tenth_never_answers() {
    let taken: Arc<[AtomicUsize; OTHERS]> = Arc::default();
    let servers: Vec<Server> = (0..OTHERS)
        .map(|n| {
            let taken = taken.clone();
            Server::by(move |request| {
                let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
                let spans = &body["resourceSpans"][0]["scopeSpans"][0]["spans"];
                taken[n].fetch_add(spans.as_array().unwrap().len(), SeqCst);
                Reply::ok()
            })
        })
        .collect();
    let stuck = Server::answering([Reply::silence()]);
    let mut builder = bellwether::builder("shop")
        .export(route(&stuck, "stuck".to_owned()).settings(|settings| settings.max_items = HELD));
    for (n, server) in servers.iter().enumerate() {
        builder = builder.export(route(server, format!("other-{n}")));
    }
    let telemetry = builder.start().unwrap();
    for _ in 0..SPANS {
        bellwether::span("checkout").enter().end();
    }
    // The stuck one takes the time of the flush; the others have delivered before that.
    let report = telemetry.flush(Duration::from_secs(2));
    for queue in report.queues.iter().filter(|queue| queue.name.starts_with("other")) {
        assert_eq!((queue.offered, queue.delivered), (SPANS as u64, SPANS as u64), "{queue}");
    }
    let left = report.queue("spans", "stuck").unwrap();
    assert_eq!((left.offered, left.delivered, left.held), (SPANS as u64, 0, HELD as u64), "{left}");
    assert_eq!(left.dropped.get(DropReason::QueueFull), (SPANS - HELD) as u64, "{left}");
    assert!(taken.iter().all(|taken| taken.load(SeqCst) == SPANS), "{taken:?}");
    assert!(telemetry.shutdown(PATIENCE / 40).totals().add_up());
}
