//! How fast log records become messages of RFC 5424: ours, and the formatter of the crate `syslog`, one after the
//! other on one thread; and how fast they become entries of the journal.
//!
//! ```text
//! cargo run --release --example speed
//! ```
//!
//! Both say the same: a text of twenty characters, and structured data of two parameters. Theirs reads the clock for
//! each message, has maps of the caller's for the parameters, and escapes nothing in them; ours reads records, whose
//! time is there.

use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use bellwether::{
    context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    export::{Encoder, journal::Journal, syslog::Syslog},
    log::{LogRecord, LogSeverity},
    pipeline::{Batch, Setup},
    resource::Resource,
};
use syslog::{Facility, Formatter5424, LogFormat as _, Severity};

const RECORDS: usize = 512;
const ROUNDS: usize = 401;
const TEXT: &str = "the card was refused";

fn main() {
    let none = SpanContext::new(
        TraceId::INVALID,
        SpanId::INVALID,
        TraceFlags::default(),
        TraceState::EMPTY,
    );
    let log = LogRecord::new(LogSeverity::INFO, TEXT)
        .with_context(none)
        .with_target("pay")
        .with_attribute("cart", 7)
        .with_attribute("http.route", "/orders");
    let mut encoder = Syslog::tcp("127.0.0.1:601").host_name("eu-1").logs_encoder();
    encoder.start(&Setup::new(Resource::service("shop"))).expect("nothing is wrong with it");
    let batch = Batch::from(vec![log; RECORDS]);
    let mut entries = Journal::new().logs_encoder();
    entries.start(&Setup::new(Resource::service("shop"))).expect("nothing is wrong with it");
    let formatter = Formatter5424 {
        facility: Facility::LOG_USER,
        hostname: Some("eu-1".to_owned()),
        process: "shop".to_owned(),
        pid: std::process::id(),
    };
    show(&encoder.encode(&batch).bytes()[..200]);
    show(&theirs(&formatter)[..200]);
    let (mut our_times, mut their_times, mut journal_times) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        black_box(encoder.encode(black_box(&batch)));
        our_times.push(begin.elapsed());
        let begin = Instant::now();
        black_box(theirs(black_box(&formatter)));
        their_times.push(begin.elapsed());
        let begin = Instant::now();
        black_box(entries.encode(black_box(&batch)));
        journal_times.push(begin.elapsed());
    }
    let ours = report("bellwether", our_times);
    let theirs = report("syslog", their_times);
    println!("ratio {:.2}", theirs / ours);
    report("the journal", journal_times);
}

fn show(bytes: &[u8]) {
    println!("{}", String::from_utf8_lossy(bytes));
}

fn theirs(formatter: &Formatter5424) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..RECORDS {
        let params = [("cart", 7.to_string()), ("http.route", "/orders".to_owned())];
        let params: BTreeMap<_, _> =
            params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let data = BTreeMap::from([("bellwether@32473".to_owned(), params)]);
        formatter.format(&mut out, Severity::LOG_INFO, (1, data, TEXT)).expect("a Vec takes it");
    }
    out
}

/// The nanoseconds for a message: the median of the rounds.
fn report(name: &str, mut times: Vec<Duration>) -> f64 {
    times.sort();
    let seconds = times[times.len() / 2].as_secs_f64() / RECORDS as f64;
    println!("{name}: {:.2} M messages/s, {:.0} ns a message", 1e-6 / seconds, seconds * 1e9);
    seconds
}
