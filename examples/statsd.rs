//! Metrics to a StatsD agent, and what it would read: a socket of this program stands for the agent.
//!
//! `cargo run --example statsd`

use std::{net::UdpSocket, time::Duration};

use bellwether::{
    Counter, Gauge, Histogram, Unit,
    export::statsd::{Statsd, StatsdDialect},
};

static ORDERS: Counter = Counter::new("orders", "Orders accepted");
static STOCK: Gauge = Gauge::new("stock", "Boxes in the store");
static LATENCY: Histogram = Histogram::new("latency", "Time of an order").unit(Unit::Seconds);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let agent = UdpSocket::bind("127.0.0.1:0")?;
    agent.set_read_timeout(Some(Duration::from_secs(5)))?;
    let place = agent.local_addr()?.to_string();

    let telemetry = bellwether::builder("shop")
        .export(Statsd::udp(place).dialect(StatsdDialect::Dogstatsd).prefix("shop."))
        .start()?;
    ORDERS.add(3);
    STOCK.set(-0.5);
    (0..4).for_each(|_| LATENCY.record(0.25));
    let report = telemetry.shutdown(Duration::from_secs(5));
    assert_eq!(report.totals().dropped, 0, "{report}");

    // Those of telemetry itself are sent too.
    let mut lines = Vec::new();
    let mut datagram = [0; 2_000];
    while lines.len() < 4 {
        let n = agent.recv(&mut datagram)?;
        let text = String::from_utf8_lossy(&datagram[..n]).into_owned();
        let own = |line: &&str| !line.starts_with("shop.telemetry.");
        lines.extend(text.lines().filter(own).map(str::to_owned));
    }
    lines.sort();
    println!("{}\n{report}", lines.join("\n"));
    assert!(
        lines[0].starts_with("shop.latency:0.2") && lines[0].contains("|d|@0.25|#service:shop")
    );
    assert_eq!(lines[1], "shop.orders:3|c|#service:shop");
    // A negative value alone would be a change of the last one.
    assert_eq!(lines[2..], ["shop.stock:-0.5|g|#service:shop", "shop.stock:0|g|#service:shop"]);
    Ok(())
}
