//! Metrics to CloudWatch on standard output, as a function on Lambda or a container prints them; and to CloudWatch's
//! agent, for which a listener of the example's own stands, so that it runs anywhere.
//!
//! `cargo run --example emf`

use std::{io::Read as _, net::TcpListener, time::Duration};

use bellwether::{Counter, Histogram, Unit, export::emf::Emf, metric::DataPoint, pipeline::Route};

static ORDERS: Counter = Counter::new("orders", "Orders accepted");
static PAYING: Histogram = Histogram::new("paying", "Time to pay").unit(Unit::Seconds);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let agent = TcpListener::bind("127.0.0.1:0")?;
    let place = agent.local_addr()?.to_string();

    let to_agent = Emf::agent(place, "Shop").log_group("/shop/metrics");
    let telemetry = bellwether::builder("shop")
        .export(Emf::stdout("Shop"))
        .export(Route::<DataPoint>::from(to_agent).interval(Duration::from_secs(60)))
        .start()?;
    ORDERS.add(3);
    PAYING.record(0.25);
    let report = telemetry.shutdown(Duration::from_secs(5));
    assert_eq!(report.totals().dropped, 0, "{report}");

    let mut bytes = Vec::new();
    std::io::copy(&mut agent.accept()?.0.take(1 << 20), &mut bytes)?; // Until the connection is closed.
    let text = String::from_utf8(bytes)?;
    let line = text.lines().find(|line| line.contains("\"orders\":3")).ok_or("nothing arrived")?;
    assert!(line.contains("\"Namespace\":\"Shop\"") && line.contains("\"service\":\"shop\""));
    assert!(line.contains("\"LogGroupName\":\"/shop/metrics\""), "{line}");
    Ok(())
}
