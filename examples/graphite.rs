//! Metrics to Graphite's carbon, and what it would read: a listener of this program stands for carbon.
//!
//! `cargo run --example graphite`

use std::{io::Read as _, net::TcpListener, time::Duration};

use bellwether::{Counter, export::graphite::Graphite};

static ORDERS: Counter = Counter::new("orders", "Orders accepted");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let carbon = TcpListener::bind("127.0.0.1:0")?;
    let place = carbon.local_addr()?.to_string();

    let telemetry =
        bellwether::builder("shop").export(Graphite::new(place).prefix("prod.")).start()?;
    ORDERS.add(3);
    let report = telemetry.shutdown(Duration::from_secs(5));
    assert_eq!(report.totals().dropped, 0, "{report}");

    let mut bytes = Vec::new();
    std::io::copy(&mut carbon.accept()?.0.take(1 << 20), &mut bytes)?; // Until the connection is closed.
    let text = String::from_utf8(bytes)?;
    // Those of telemetry itself are sent too.
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("telemetry.")).collect();
    println!("{}\n{report}", lines.join("\n"));
    let (series, time) = lines[0].rsplit_once(' ').ok_or("a line")?;
    assert_eq!(series, "prod.orders;service=shop 3");
    assert!(time.parse::<u64>()? > 1_600_000_000);
    Ok(())
}
