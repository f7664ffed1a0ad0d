//! A telemetry whose records wait on disk for a backend that is away, and the next one that sends them.
#![cfg(all(feature = "spool", feature = "otlp", unix))]
#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]

use std::{fs, time::Duration};

use bellwether::{Telemetry, export::otlp::Otlp, info, transport::Endpoint};
use support::{PATIENCE, Reply, Server};

mod support;

fn start(folder: &std::path::Path, url: &str) -> Telemetry {
    let endpoint = Endpoint::new(url).allow_plain_http().allow_private();
    bellwether::builder("shop")
        .export(Otlp::new(endpoint).without_metrics())
        .spool(folder, 64 << 20)
        .start()
        .unwrap()
}

#[test]
fn what_a_backend_that_is_away_did_not_get_the_next_telemetry_sends() {
    let folder = std::env::temp_dir().join(format!("bellwether-spool-test-{}", std::process::id()));
    let telemetry = start(&folder, &format!("http://{}", support::nobody()));
    for _ in 0..3 {
        bellwether::span("checkout").enter().end();
    }
    info!("paid");
    assert!(telemetry.persist(PATIENCE));
    let report = telemetry.report();
    assert!(report.totals().add_up(), "{report}");
    assert_eq!((report.totals().held, report.totals().spooled), (0, 4), "{report}");
    assert!(report.to_string().contains(" spooled=3 dropped=0"), "{report}");
    let labels = [("exporter", "otlp"), ("signal", "spans")];
    let snapshot = telemetry.snapshot();
    assert_eq!(snapshot.value("telemetry.queue.spooled", &labels).unwrap().as_f64(), 3.0);
    let value = |name| snapshot.value(name, &labels).unwrap().as_f64();
    assert!(value("telemetry.spool.size") > 0.0 && value("telemetry.spool.syncs") >= 1.0);
    assert_eq!((value("telemetry.spool.backlog"), value("telemetry.spool.skipped")), (0.0, 0.0));
    let [exporter, signal] = labels;
    let failed = |operation| {
        let labels = [exporter, ("operation", operation), signal];
        snapshot.value("telemetry.spool.failures", &labels).unwrap().as_f64()
    };
    assert_eq!(["cursor", "read", "write"].map(failed), [0.0; 3]);
    let report = telemetry.shutdown(Duration::from_millis(200));
    assert_eq!((report.totals().dropped, report.totals().spooled), (0, 4), "{report}");

    // The old telemetry is still there: its folders are free all the same.
    let server = Server::by(|_| Reply::ok());
    let next = start(&folder, &server.url(""));
    let mut paths = [server.next().path, server.next().path];
    paths.sort_unstable();
    assert_eq!(paths, ["/v1/logs", "/v1/traces"]);
    let report = next.shutdown(PATIENCE);
    assert_eq!(report.queues.iter().map(|queue| queue.inherited).sum::<u64>(), 4, "{report}");
    assert_eq!((report.totals().delivered, report.totals().spooled), (4, 0), "{report}");
    fs::remove_dir_all(&folder).unwrap();
}
