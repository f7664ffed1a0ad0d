//! Sends known metrics to StatsD, Graphite or CloudWatch's agent, and prints what has to have arrived, `name value` a line.
//!
//! ```text
//! cargo run --example send -- graphite|tagged|statsd|emf HOST:PORT
//! ```
//!
//! It records and flushes once for each line of its input, and ends with it: `.ci/servers` takes the server away
//! in between. It fails unless all that it offered is delivered at last.

use std::{io::BufRead as _, time::Duration};

use bellwether::{
    Unit,
    export::{
        Route,
        emf::Emf,
        graphite::Graphite,
        statsd::{Statsd, StatsdDialect, StatsdHistograms},
    },
    metric::{DataPoint, Registry},
};

const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, place] = &arguments[..] else { panic!("KIND HOST:PORT") };
    let route: Route<DataPoint> = match kind.as_str() {
        "statsd" => {
            let daemon = Statsd::udp(place).dialect(StatsdDialect::InName).prefix("shop.");
            daemon.histograms(StatsdHistograms::Timers).into()
        }
        "emf" => Emf::agent(place, "Shop").log_group("/shop/metrics").into(),
        "tagged" => Graphite::new(place).prefix("shop.").into(),
        _ => Graphite::new(place).prefix("shop.").untagged().into(),
    };
    let telemetry = bellwether::builder("shop").export(route).start().expect("it starts");
    for line in std::io::stdin().lock().lines() {
        record();
        let patience = line.expect("a line").parse().expect("milliseconds");
        let report = telemetry.flush(Duration::from_millis(patience));
        println!("settled {}", report.settled);
    }
    let report = telemetry.shutdown(PATIENCE);
    let totals = report.totals();
    assert_eq!((totals.offered, totals.dropped), (totals.delivered, 0), "{report}");
    eprintln!("{report}");
}

/// Records one round: `.ci/lines_check.py` knows what each adds.
fn record() {
    let registry = Registry::global();
    let orders = registry.counter("orders", "").keys(&["route"]).build().expect("it is there");
    orders.with_labels(&[("route", "/a b.c")]).add(3);
    orders.with_labels(&[("route", "é")]).add(4);
    registry.gauge("load", "").build().expect("it is there").set(-0.25);
    registry.up_down_counter("in_flight", "").build().expect("it is there").add(-2);
    let times = registry.histogram("time", "").unit(Unit::Seconds).build().expect("it is there");
    times.record(0.5);
}
