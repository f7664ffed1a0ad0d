//! A program that keeps its telemetry in a file, without any server, and asks it at the end.
//!
//! ```text
//! cargo run --example embedded
//! ```

use std::{error::Error, time::Duration};

use bellwether::{
    Counter,
    export::sql::Sql,
    log::{LogRecord, LogSeverity, emit},
    trace::Status,
};
use rusqlite::Connection;

static ORDERS: Counter = Counter::new("shop.orders", "Orders accepted");

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("bellwether-embedded-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("telemetry.db");

    let month = Duration::from_secs(30 * 86_400);
    let telemetry = bellwether::builder("shop").export(Sql::sqlite(&file).keep(month)).start()?;
    for cart in 0..200 {
        checkout(cart);
    }
    let report = telemetry.shutdown(Duration::from_secs(10));
    assert_eq!(report.totals().dropped, 0, "{report}");

    let file = Connection::open(&file)?;
    let ask = |query: &str| file.query_row(query, [], |row| row.get::<_, f64>(0));
    let share =
        ask("SELECT avg(status = 'error') FROM bellwether_spans WHERE parent_span_id IS NULL")?;
    let orders =
        ask("SELECT max(value) FROM bellwether_samples JOIN bellwether_series ON id = series \
         WHERE name = 'shop.orders'")?;
    let slowest: String = file.query_row(
        "SELECT attributes ->> '$.cart' FROM bellwether_spans ORDER BY duration DESC LIMIT 1",
        [],
        |row| row.get::<_, i64>(0).map(|cart| cart.to_string()),
    )?;
    let why: String = file.query_row(
        "SELECT body FROM bellwether_logs JOIN bellwether_spans USING (trace_id) WHERE status = 'error' LIMIT 1",
        [],
        |row| row.get(0),
    )?;
    println!("{orders} orders; of the checkouts {:.0} % failed, one because: {why}", share * 100.0);
    println!("the slowest was that of cart {slowest}");
    assert_eq!((orders, share), (180.0, 0.1));
    assert!(why.starts_with("the card of cart"));
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

fn checkout(cart: i64) {
    let span = bellwether::span("checkout").enter();
    span.set_attribute("cart", cart);
    if cart % 10 == 0 {
        emit(LogRecord::new(LogSeverity::WARN, format!("the card of cart {cart} was refused")));
        span.set_status(Status::Error("refused".into()));
    } else {
        ORDERS.inc();
    }
}
