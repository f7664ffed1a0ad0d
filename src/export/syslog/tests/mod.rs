//! What arrives, read by a strict reader of RFC 5424.

mod hostile;
mod limits;
mod reader;
mod records;
mod sending;
#[cfg(all(feature = "syslog-tls", feature = "http-client"))] // Whose tests have the certificates.
mod tls;

use std::time::Duration;

use self::reader::{Message, read};
use super::*;
use crate::{
    log::LogSeverity,
    pipeline::{Batch, Payload, Pipe, QueueReport, Retry, Setup},
    resource::Resource,
};

const LONG: Duration = Duration::from_secs(20);

fn syslog() -> Syslog {
    Syslog::udp("127.0.0.1:514").host_name("eu-1.example.com")
}

fn setup() -> Setup {
    Setup::new(Resource::service("shop"))
}

/// What is sent of records.
fn encoded(syslog: &Syslog, records: Vec<LogRecord>) -> Payload {
    let mut encoder = syslog.logs_encoder();
    encoder.start(&setup()).unwrap();
    encoder.encode(&Batch::from(records))
}

/// The message that a record becomes.
fn message(syslog: &Syslog, record: LogRecord) -> Message {
    let payload = encoded(syslog, vec![record]);
    assert_eq!(payload.len(), 1);
    read(payload.bytes())
}

fn numbered(n: i64) -> LogRecord {
    LogRecord::new(LogSeverity::INFO, format!("order\n{n}")).with_attribute("n", n)
}

/// A route that tries again at once.
fn quick(syslog: Syslog) -> Pipe<LogRecord> {
    let route = Route::from(syslog).settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry = Retry { initial: Duration::from_millis(1), ..Retry::default() };
    });
    Pipe::start(route, &setup()).unwrap()
}

/// The report of a route that is shut down, of which an account can be made.
fn ended(pipe: Pipe<LogRecord>) -> QueueReport {
    let report = pipe.shutdown(LONG);
    let settled = report.delivered + report.held + report.dropped.total();
    assert_eq!((report.offered, report.held), (settled, 0), "{report}");
    report
}

/// The numbers of messages, in the order in which they came.
fn numbers(messages: &[Message]) -> Vec<i64> {
    let number = |message: &Message| message.param("n").unwrap().parse().unwrap();
    messages.iter().map(number).collect()
}
