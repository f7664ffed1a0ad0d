//! A crash drill for the spool: whatever is acknowledged arrives, though the process be killed at any moment.
//!
//! `cargo run --release --example spool_drill -- --dir DIR --endpoint URL [--threads N] [--seconds N]`
//!
//! Offers spans with the attributes `writer` and `seq` over OTLP/HTTP to URL, and keeps them in DIR until
//! they are delivered. Prints `acked <writer> <seq>` as soon as that span is durable. Started again on the
//! same DIR, it first sends what was left and prints `drained`. Kill it with SIGKILL, start it again, and
//! compare what was acknowledged with what has arrived: nothing is missing, and what came twice is a batch
//! for each kill.
//!
//! The numbers of a run begin where no earlier one has come to. Without `--seconds` it runs until it is
//! killed; else it ends when everything is delivered, and fails if something was lost.
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bellwether::{Telemetry, export::otlp::Otlp, transport::Endpoint};

/// So many spans are made durable at once.
const GROUP: u64 = 64;
/// The most bytes on disk: more than a drill fills.
const QUOTA: u64 = 8 << 30;
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Options {
    dir: PathBuf,
    endpoint: String,
    threads: u64,
    seconds: Option<u64>,
}

impl Options {
    pub(crate) fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut dir, mut endpoint, mut threads, mut seconds) = (None, None, 4, None);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number =
                || value.parse::<u64>().map_err(|error| format!("{name} {value}: {error}"));
            match name.as_str() {
                "--dir" => dir = Some(PathBuf::from(&value)),
                "--endpoint" => endpoint = Some(value),
                "--threads" => threads = number()?.max(1),
                "--seconds" => seconds = Some(number()?),
                _ => {
                    return Err(format!(
                        "{name} is not one of --dir --endpoint --threads --seconds"
                    ));
                }
            }
        }
        let dir = dir.ok_or("--dir DIR is missing")?;
        let endpoint = endpoint.ok_or("--endpoint URL is missing")?;
        Ok(Self { dir, endpoint, threads, seconds })
    }
}

fn main() -> ExitCode {
    match Options::of(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spool_drill: {error}");
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<(), String> {
    let endpoint = Endpoint::new(&options.endpoint).allow_plain_http().allow_private();
    let telemetry = bellwether::builder("spool-drill")
        .export(Otlp::new(endpoint).without_metrics().without_logs())
        .spool(&options.dir, QUOTA)
        .start()
        .map_err(|error| error.to_string())?;
    drain(&telemetry);
    say("drained");

    let first = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let (first, is_over) = (first * 1000, AtomicBool::new(false));
    thread::scope(|scope| {
        for writer in 0..options.threads {
            let (telemetry, is_over) = (&telemetry, &is_over);
            scope.spawn(move || write(telemetry, writer, first, is_over));
        }
        if let Some(seconds) = options.seconds {
            thread::sleep(Duration::from_secs(seconds));
            is_over.store(true, Relaxed);
        }
    });
    telemetry.flush(PATIENCE);
    let report = telemetry.shutdown(PATIENCE);
    eprintln!("{report}");
    match report.totals().dropped + report.totals().held {
        0 => Ok(()),
        lost => Err(format!("{lost} records were lost")),
    }
}

/// Waits until what an earlier run left is delivered.
fn drain(telemetry: &Telemetry) {
    loop {
        let report = telemetry.report();
        let backlog: u64 = report
            .queues
            .iter()
            .filter_map(|queue| Some(queue.spool.as_ref()?.backlog_bytes))
            .sum();
        if backlog == 0 && report.totals().spooled == 0 {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Offers spans, and says which are durable.
fn write(telemetry: &Telemetry, writer: u64, first: u64, is_over: &AtomicBool) {
    let mut seq = first;
    while !is_over.load(Relaxed) {
        let n_dropped = || telemetry.report().totals().dropped;
        let (group, dropped_before) = (seq..seq + GROUP, n_dropped());
        for seq in group.clone() {
            let span = bellwether::span("drill").enter();
            span.set_attribute("writer", writer);
            span.set_attribute("seq", seq);
        }
        let begun = Instant::now();
        while !telemetry.persist(PATIENCE) {
            if begun.elapsed() > PATIENCE * 4 {
                return eprintln!("spool_drill: the disk does not take writer {writer}'s spans");
            }
        }
        // What is dropped is counted and was not promised.
        if n_dropped() == dropped_before {
            let lines = group.map(|seq| format!("acked {writer} {seq}\n")).collect::<String>();
            say(lines.trim_end());
        }
        seq += GROUP;
    }
}

/// Prints lines at once and whole.
fn say(lines: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{lines}").and_then(|()| out.flush());
}
