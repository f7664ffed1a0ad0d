//! Sends known metrics by remote write, prints the page that a scrape would have got, and ends when its
//! input does.
//!
//! ```text
//! cargo run --example send -- URL any|1|2 classic|native|both
//! ```
//!
//! It fails unless everything is delivered. `.ci/servers` asks the receiver for what is on the page, and
//! after the end whether the series have ended.

use std::time::Duration;

use bellwether::{
    export::remote_write::{HistogramForm, RemoteWrite, RemoteWriteVersion},
    metric::{Registry, Unit},
    transport::Endpoint,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, version, form] = &arguments[..] else { panic!("URL VERSION FORM") };
    let endpoint = Endpoint::new(url).allow_plain_http().allow_private();
    let remote_write = RemoteWrite::new(endpoint).histograms(match &**form {
        "native" => HistogramForm::Native,
        "both" => HistogramForm::Both,
        _ => HistogramForm::Classic,
    });
    let remote_write = match &**version {
        "1" => remote_write.version(RemoteWriteVersion::V1),
        "2" => remote_write.version(RemoteWriteVersion::V2),
        _ => remote_write,
    };
    let telemetry = bellwether::builder("shop")
        .resource("service.namespace", "eu")
        .resource("service.instance.id", "i-1")
        .export(remote_write)
        .start()
        .expect("it starts");
    record();
    assert!(telemetry.flush(PATIENCE).settled);
    // Twice, so that each series has two samples, and one that went is known to have gone.
    record_more();
    assert!(telemetry.flush(PATIENCE).settled);
    let (_, page) = telemetry.prometheus_page(Some("application/openmetrics-text;version=1.0.0"));
    println!("{}", String::from_utf8_lossy(&page));
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("the input can be read");
    let report = telemetry.shutdown(PATIENCE);
    let totals = report.totals();
    assert_eq!((totals.offered, totals.dropped), (totals.delivered, 0), "{report}");
    eprintln!("{report}");
}

fn record() {
    let registry = Registry::global();
    let orders = registry.counter("shop.orders", "Orders \"accepted\"\n").keys(&["code", "job"]);
    let orders = orders.exemplars().build().expect("it is registered");
    for (code, n) in [("200", 7), ("500", 3), ("é \"q\"\\\n", 1)] {
        orders.with_labels(&[("code", code), ("job", "own")]).add(n);
    }
    let money = registry.float_counter("shop.money", "").unit(Unit::new("EUR")).build();
    money.expect("it is registered").add_with_exemplar(0.1 + 0.2, &[("order", "7 \"é\"")]);
    let jobs = registry.up_down_counter("shop.jobs", "").build().expect("it is registered");
    jobs.add(-3);
    for (n, value) in [0.25, -1e300, 5e-324, f64::INFINITY].into_iter().enumerate() {
        let name = format!("shop.level.{n}");
        registry.gauge(&name, "").build().expect("it is registered").set(value);
    }
    let wait = registry.histogram("shop.wait", "Time to wait").unit(Unit::Seconds);
    let wait = wait.build().expect("it is registered");
    (0..999).for_each(|n| wait.record(0.001 * f64::from(n)));
    wait.record_with_exemplar(0.7, &[("who", "me")]);
    let size = registry.histogram("shop.size", "").unit(Unit::Bytes).keys(&["kind"]);
    let size = size.build().expect("it is registered");
    (0..100).for_each(|n| size.with_labels(&[("kind", "a")]).record(f64::from(n * n)));
}

fn record_more() {
    let orders = Registry::global().counter("shop.orders", "Orders \"accepted\"\n");
    let orders = orders.keys(&["code", "job"]).exemplars().build().expect("it is the same");
    orders.with_labels(&[("code", "200"), ("job", "own")]).add(5);
}
