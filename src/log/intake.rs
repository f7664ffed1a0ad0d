//! The way in: where records begin, which are taken, and from when on.

use std::sync::Arc;

use super::{
    CallSite, LogFilter, LogLimits, LogOptions, LogRecord, capture, capture::Captured, filter,
    gather, gather::LogSink, site,
};
use crate::{
    clock, context, diagnostics,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    util::process,
};

/// Takes a record in, if the filter keeps it: from a source that has no macros, such as a bridge.
///
/// It has the trace and span ids of the thread on which it was made, unless it was given
/// [others](LogRecord::with_context). On the threads of exporters it is dropped.
///
/// # Examples
///
/// ```
/// use bellwether::log::{LogRecord, LogSeverity};
///
/// let level = LogSeverity::INFO; // As a configuration says, for example.
/// bellwether::log::emit(LogRecord::new(level, "ready").with_target("shop"));
/// ```
pub fn emit(record: LogRecord) {
    let is_kept = || match record.site() {
        Some(site) => site.is_enabled(),
        None => filter::ask(record.severity(), record.target()).0,
    };
    if filter::may_keep(record.severity()) && may_record() && is_kept() {
        take(record);
    }
}

/// A record of a call site that the filter lets, to be filled and [taken](take); none if it is suppressed.
#[doc(hidden)]
#[inline]
#[must_use]
pub fn begin(site: &'static CallSite) -> Option<LogRecord> {
    if !may_record() {
        return None;
    }
    let now = clock::now().timestamp();
    // What a thread keeps for itself is not limited, and its clock may be another one.
    (filter::keeps_all() || site.passes(now)).then(|| LogRecord::at_site(site, now))
}

/// Takes in a record of a call site that the filter lets and no limit suppresses.
#[doc(hidden)]
pub fn take(mut record: LogRecord) {
    record.limit(&LogLimits::in_force());
    match filter::keeps_all() {
        false => gather::push(record),
        true => capture::push(record),
    }
}

/// Takes in a record of the library's own, as it is: wherever this is called, whatever the filter says.
pub(crate) fn take_whole(record: LogRecord) {
    if OPEN_IN.load(Relaxed) == process::generation() {
        gather::push(record);
    }
}

/// Whether records are taken on this thread.
#[inline]
pub(crate) fn may_record() -> bool {
    // A forked child does not deliver for its parent.
    let is_open = OPEN_IN.load(Relaxed) == process::generation() || filter::keeps_all();
    is_open && !context::is_muted()
}

/// The generation of the process that takes records, and zero for none. Relaxed: it publishes nothing but
/// itself.
static OPEN_IN: AtomicU32 = AtomicU32::new(0);

/// A thread's stay where it keeps what it logs, until it is dropped.
pub(crate) struct Entered(Option<Captured>);

/// Lets this thread keep all that it logs in `captured`, and nobody else get it.
pub(crate) fn enter(captured: Captured) -> Entered {
    filter::begin_capture();
    Entered(capture::replace(Some(captured)))
}

impl Drop for Entered {
    fn drop(&mut self) {
        drop(capture::replace(self.0.take()));
        filter::end_capture();
    }
}

/// Lets `sink` take the records that `options` keep, until [`uninstall`].
pub(crate) fn install(sink: Arc<dyn LogSink>, options: LogOptions) {
    let LogOptions { filter, per_call_site, folds, limits } = options;
    let fault = |fault| diagnostics::report_each("logs", format_args!("RUST_LOG: {fault}"));
    let filter = filter.unwrap_or_else(|| LogFilter::from_env(fault));
    limits.put_in_force();
    site::limit_all(per_call_site);
    gather::open(sink, folds);
    OPEN_IN.store(process::generation(), Relaxed);
    filter::set(filter);
    filter::set_open(true);
}

/// Hands over what there is, and takes no more.
pub(crate) fn uninstall() {
    filter::set_open(false);
    OPEN_IN.store(0, Relaxed);
    gather::close();
}

/// Hands over what there is.
pub(crate) fn collect() {
    if OPEN_IN.load(Relaxed) == process::generation() {
        gather::collect();
    }
}

/// Puts another filter in force.
pub(crate) fn set_filter(filter: LogFilter) {
    filter::set(filter);
}
