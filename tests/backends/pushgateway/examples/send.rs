//! Pushes known metrics to a Pushgateway: as often as its input has a line, and a last time when that ends.
//!
//! ```text
//! cargo run --example send -- URL text|protobuf stay|delete PAGE
//! ```
//!
//! After each line it prints whether all was delivered, and the file PAGE has the page that a scrape would have got.

use std::{io::BufRead as _, time::Duration};

use bellwether::{
    export::prometheus::pushgateway::Pushgateway,
    metric::{Registry, Unit},
    pipeline::Route,
    transport::Endpoint,
};

const PATIENCE: Duration = Duration::from_secs(2);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, form, end, page] = &arguments[..] else { panic!("URL FORM END PAGE") };
    let endpoint = Endpoint::new(url).allow_plain_http().allow_private();
    let mut pushgateway = Pushgateway::new(endpoint).grouping("instance", "é/1 ");
    if form == "protobuf" {
        pushgateway = pushgateway.protobuf();
    }
    if end == "delete" {
        pushgateway = pushgateway.delete_at_exit();
    }
    let route = Route::from(pushgateway).interval(Duration::from_secs(3_600));
    let telemetry = bellwether::builder("nightly").export(route).start().expect("it starts");
    for (round, line) in (1..).zip(std::io::stdin().lock().lines()) {
        line.expect("the input can be read");
        record(round);
        let report = telemetry.flush(PATIENCE);
        let (_, bytes) = telemetry.prometheus_page(Some("text/plain"));
        std::fs::write(page, bytes).expect("the page can be written");
        println!("settled {}", report.settled);
    }
    let report = telemetry.shutdown(Duration::from_secs(20));
    let totals = report.totals();
    assert_eq!((totals.offered, totals.dropped), (totals.delivered, 0), "{report}");
    eprintln!("{report}");
}

fn record(round: u64) {
    let registry = Registry::global();
    let orders = registry.counter("shop.orders", "Orders \"accepted\"\n").keys(&["code", "job"]);
    let orders = orders.build().expect("it is registered");
    for (code, n) in [("200", 7), ("500", 3), ("é \"q\"\\\n", 1)] {
        orders.with_labels(&[("code", code), ("job", "own")]).add(n * round);
    }
    for (n, value) in [0.25, -1e300, 5e-324, f64::INFINITY, f64::NAN].into_iter().enumerate() {
        let name = format!("shop.level.{n}");
        registry.gauge(&name, "").build().expect("it is registered").set(value);
    }
    let wait = registry.histogram("shop.wait", "Time to wait").unit(Unit::Seconds);
    let wait = wait.build().expect("it is registered");
    (0..999).for_each(|n| wait.record(0.001 * f64::from(n)));
}
