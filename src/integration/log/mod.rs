//! Records of the crate [`log`](::log), as log records of ours: with their level, target, place in the source
//! and key-values, and with the trace and span ids of the thread.
//!
//! ```
//! use std::time::Duration;
//! use bellwether::{export::Memory, log::LogRecord};
//!
//! bellwether::integration::log::install()?;
//! let logs = Memory::<LogRecord>::new();
//! let telemetry = bellwether::builder("shop").export(logs.clone()).start()?;
//! let checkout = bellwether::span("checkout").enter();
//! log::info!(cart = 7; "{} items are paid", 3);
//! checkout.end();
//! telemetry.shutdown(Duration::from_secs(5));
//!
//! let records = logs.records();
//! assert_eq!(records[0].body().to_string(), "3 items are paid");
//! assert_eq!(records[0].attributes()[0].value, 7.into());
//! assert!(records[0].trace_id().is_some());
//! # Ok::<(), bellwether::Error>(())
//! ```
//!
//! | `log` has | the record has |
//! |---|---|
//! | level | severity: `Error` is `ERROR`, and so on |
//! | target | target |
//! | message | body; a literal is not copied |
//! | file and line | location |
//! | key-values | attributes: numbers, `bool`s and texts as they are, others by their `Display` |
//!
//! [The filter](crate::log::LogFilter) decides what is kept. `log`'s own highest level follows it, so that a
//! call below it costs what `log`'s disabled call costs. Before telemetry is started, and after it has shut
//! down, that level is `Off`.
//!
//! A `Display` that panics is shown as such, and what it printed until then is kept. What it logs itself is
//! recorded, sixteen levels deep; deeper records are counted in `telemetry.logs.reentrant`.

mod attributes;

use ::log::{LevelFilter, Log, Metadata, Record};

use crate::{
    error::{Error, ErrorKind},
    log::{self, CallSite, LogRecord, LogSeverity, Nested, filter, sites},
    util::hash::Hash,
};

/// Takes the records of the crate `log`.
///
/// [`install`] makes it the logger of the process. It is public for those who have a logger of their own
/// that hands records on to several.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LogBridge;

/// The bridge, for a logger of your own to hand records to. `log`'s highest level is then yours to set.
#[must_use]
pub fn bridge() -> LogBridge {
    LogBridge
}

/// Makes the bridge the logger of the process, also if telemetry is started later.
///
/// # Errors
///
/// [`ErrorKind::State`] if the process has a logger already.
pub fn install() -> Result<(), Error> {
    ::log::set_logger(&LogBridge).map_err(|error| {
        let text =
            "the crate `log` has another logger already: hand records to `bridge()` from there";
        Error::new(ErrorKind::State, text).with_source(error)
    })?;
    filter::follow(follow);
    Ok(())
}

/// Sets `log`'s highest level to what the filter lets.
fn follow() {
    ::log::set_max_level(filter::lowest().map_or(LevelFilter::Off, |lowest| match lowest {
        LogSeverity::TRACE => LevelFilter::Trace,
        lowest if lowest <= LogSeverity::DEBUG => LevelFilter::Debug,
        lowest if lowest <= LogSeverity::INFO => LevelFilter::Info,
        lowest if lowest <= LogSeverity::WARN => LevelFilter::Warn,
        lowest if lowest <= LogSeverity::ERROR => LevelFilter::Error,
        _ => LevelFilter::Off,
    }));
}

impl Log for LogBridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let severity = severity(metadata.level());
        filter::may_keep(severity) && filter::ask(severity, metadata.target()).0
    }

    fn log(&self, record: &Record<'_>) {
        if !filter::may_keep(severity(record.level())) {
            return;
        }
        let Some(_nested) = Nested::begin() else { return log::count_reentrant() };
        match site(record) {
            Some(site) if site.is_enabled() => {
                if let Some(filled) = log::begin(site) {
                    log::take(fill(filled, record));
                }
            }
            Some(_) => {}
            // Without a call site of its own it is asked for by its target.
            None => log::emit(fill(siteless(record), record)),
        }
    }

    /// Hands over what is there, and waits for no backend: that is what
    /// [`Telemetry::flush`](crate::Telemetry::flush) does.
    fn flush(&self) {
        log::collect();
    }
}

fn severity(level: ::log::Level) -> LogSeverity {
    match level {
        ::log::Level::Error => LogSeverity::ERROR,
        ::log::Level::Warn => LogSeverity::WARN,
        ::log::Level::Info => LogSeverity::INFO,
        ::log::Level::Debug => LogSeverity::DEBUG,
        ::log::Level::Trace => LogSeverity::TRACE,
    }
}

/// The call site of `record`, which is known by all that it says of itself.
fn site(record: &Record<'_>) -> Option<&'static CallSite> {
    let (file, line) = (record.file().unwrap_or_default(), record.line().unwrap_or_default());
    let mut hash = Hash::new();
    hash.push(record.target().as_bytes());
    hash.push(file.as_bytes());
    hash.push(&(u64::from(line) << 8 | record.level() as u64).to_le_bytes());
    sites::find_named(hash.value(), severity(record.level()), [record.target(), file], line)
}

fn siteless(record: &Record<'_>) -> LogRecord {
    let siteless = LogRecord::new(severity(record.level()), "");
    let siteless = siteless.with_target(record.target().to_owned());
    match (record.file(), record.line()) {
        (Some(file), Some(line)) => siteless.with_location(file.to_owned(), line),
        _ => siteless,
    }
}

fn fill(mut filled: LogRecord, record: &Record<'_>) -> LogRecord {
    filled.print_body(*record.args());
    attributes::add(&mut filled, record.key_values());
    filled
}
