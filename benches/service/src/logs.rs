//! A log call that is filtered out, and one that becomes a line of JSON in a file.

use std::{fs, hint::black_box, time::Duration};

use bellwether::{
    Telemetry,
    export::{File, Route},
    log::LogRecord,
};
use tracing_subscriber::{
    EnvFilter, Layer, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::{Subject, place};

const FILTERED: &str = "a log call below the level of all";
const OF_TARGET: &str = "a log call that is off for its target";
const KEPT: &str = "a log line with three attributes, to a file as JSON";

pub fn subjects() -> Vec<Subject> {
    let subject = |work, name, prepare, n| Subject { work, name, prepare, n };
    const CHEAP: u64 = 50_000_000;
    const LINES: u64 = 200_000;
    vec![
        subject(FILTERED, "bellwether `debug!`", || disabled(bellwether("info")), CHEAP),
        subject(FILTERED, "log `debug!`", || log_disabled(bridged("info")), CHEAP),
        subject(FILTERED, "tracing `debug!`", || tracing_disabled("info"), CHEAP),
        subject(
            OF_TARGET,
            "bellwether `debug!`",
            || disabled(bellwether("info,other=trace")),
            CHEAP,
        ),
        subject(
            OF_TARGET,
            "log `debug!`, our bridge",
            || log_disabled(bridged("info,other=trace")),
            CHEAP / 10,
        ),
        subject(OF_TARGET, "tracing `debug!`", || tracing_disabled("info,other=trace"), CHEAP),
        subject(KEPT, "bellwether `info!`", bellwether_lines, LINES),
        subject(KEPT, "log `info!`, our bridge", log_lines, LINES),
        subject(KEPT, "tracing-subscriber's JSON", tracing_lines, LINES),
        subject(KEPT, "tracing-subscriber's JSON, tracing-appender", appended_lines, LINES),
    ]
}

fn bellwether(filter: &str) -> Telemetry {
    let options = bellwether::log::LogOptions::new().filter(filter.parse().expect("a filter"));
    let path = place();
    let route = Route::<LogRecord>::new(File::open(&path).expect("a place for files"));
    fs::remove_file(&path).expect("it is there");
    bellwether::builder("service").logs(options).export(route).start().expect("nothing else runs")
}

fn bridged(filter: &str) -> Telemetry {
    bellwether::integration::log::install().expect("the first logger");
    bellwether(filter)
}

fn subscribed(filter: &str) {
    let filter = EnvFilter::new(filter);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::sink).init();
}

fn disabled(telemetry: Telemetry) -> Box<dyn FnMut(u64)> {
    Box::new(move |n| {
        let _telemetry = &telemetry;
        for n in 0..n {
            bellwether::debug!("never", n = black_box(n));
        }
    })
}

fn log_disabled(telemetry: Telemetry) -> Box<dyn FnMut(u64)> {
    Box::new(move |n| {
        let _telemetry = &telemetry;
        for n in 0..n {
            log::debug!(n = black_box(n); "never");
        }
    })
}

fn tracing_disabled(filter: &str) -> Box<dyn FnMut(u64)> {
    subscribed(filter);
    Box::new(|n| {
        for n in 0..n {
            tracing::debug!(n = black_box(n), "never");
        }
    })
}

/// So many lines at a time, so that no queue overflows: a flush is part of what is measured.
const AT_ONCE: u64 = 1000;

fn in_parts(telemetry: Telemetry, mut line: impl FnMut(u64) + 'static) -> Box<dyn FnMut(u64)> {
    let mut sent = 0;
    Box::new(move |n| {
        for part in 0..n / AT_ONCE {
            (0..AT_ONCE).for_each(|each| line(part * AT_ONCE + each));
            let report = telemetry.flush(Duration::from_secs(20));
            sent += AT_ONCE;
            assert_eq!((report.settled, report.totals().delivered), (true, sent));
        }
    })
}

/// As [`bellwether`], with a path that stays: otherwise each batch finds its file gone.
fn to_file() -> Telemetry {
    let route = Route::<LogRecord>::new(File::open(place()).expect("a place for files"));
    bellwether::builder("service").export(route).start().expect("nothing else runs")
}

fn bellwether_lines() -> Box<dyn FnMut(u64)> {
    in_parts(to_file(), |n| {
        let user = black_box("ann");
        bellwether::info!("cart {n} is paid", cart = n, user = user, price = 2.5);
    })
}

fn log_lines() -> Box<dyn FnMut(u64)> {
    bellwether::integration::log::install().expect("the first logger");
    in_parts(to_file(), |n| {
        let user = black_box("ann");
        log::info!(cart = n, user = user, price = 2.5; "cart {n} is paid");
    })
}

fn tracing_lines() -> Box<dyn FnMut(u64)> {
    let file = fs::File::create(place()).expect("a place for files");
    tracing_subscriber::fmt().json().with_writer(file).init();
    Box::new(traced)
}

fn appended_lines() -> Box<dyn FnMut(u64)> {
    let file = fs::File::create(place()).expect("a place for files");
    let (writer, guard) =
        tracing_appender::non_blocking::NonBlockingBuilder::default().lossy(false).finish(file);
    let layer = tracing_subscriber::fmt::layer().json().with_writer(writer);
    tracing_subscriber::registry().with(layer.with_filter(EnvFilter::new("info"))).init();
    Box::new(move |n| {
        let _guard = &guard;
        traced(n);
    })
}

fn traced(n: u64) {
    for n in 0..n {
        let user = black_box("ann");
        tracing::info!(cart = n, user, price = 2.5, "cart {n} is paid");
    }
}
