//! Writes log records that are numbered to a file of SQLite's, until it is killed: `tests/killed.rs` runs it.
//!
//! ```text
//! writer FILE SPOOL FIRST [LAST]
//! ```
//!
//! Prints each number up to which all are durable. With LAST it ends there, when all is delivered.

use std::{
    io::{Write as _, stdout},
    time::Duration,
};

use bellwether::{
    export::sql::Sql,
    log::{LogRecord, LogSeverity, emit},
};

const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, spool, first, rest @ ..] = &arguments[..] else { panic!("FILE SPOOL FIRST [LAST]") };
    let first: u64 = first.parse().expect("a number");
    let last: u64 = rest.first().map_or(u64::MAX, |last| last.parse().expect("a number"));
    let telemetry = bellwether::builder("shop")
        .export(Sql::sqlite(file).without_metrics())
        .spool(spool, 1 << 30)
        .start()
        .expect("it starts");
    for begin in (first..last).step_by(100) {
        for n in begin..last.min(begin + 100) {
            emit(LogRecord::new(LogSeverity::INFO, n.to_string()).with_attribute("n", n));
        }
        if telemetry.persist(PATIENCE) {
            println!("{}", last.min(begin + 100));
            stdout().flush().expect("somebody reads");
        }
    }
    let report = telemetry.shutdown(PATIENCE);
    let totals = report.totals();
    assert_eq!((totals.held, totals.spooled, totals.dropped), (0, 0, 0), "{report}");
}
