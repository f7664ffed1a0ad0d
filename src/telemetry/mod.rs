//! Starts, flushes and stops telemetry: [`Builder`] configures it, [`Telemetry`] is what runs.
//!
//! ```text
//! Builder::start ─► a pipe (queue, worker thread) for each route: of spans, logs, metrics, notifications
//!                   the tracer, whose sink hands spans to their processors and pipes
//!                   the readings: a thread that reads the metrics for each of their pipes
//!                   the ticker: once a second it collects spans and logs, writes all series into the history
//!                       for `window`, evaluates the alert rules and hands notifications to the pipes
//!                   parts such as the Prometheus listener, which read snapshots
//! ```
//!
//! A static also refers to the running telemetry, so that the exit hook can deliver what is queued
//! when the process ends by `process::exit`.

mod async_calls;
mod attempts;
mod builder;
mod doctor;
mod exit;
#[cfg(feature = "host")]
mod host_metrics;
mod keeping;
mod log_figures;
mod logs;
mod own_series;
#[cfg(feature = "prometheus")]
mod page;
mod names;
mod pending;
mod percentiles;
#[cfg(feature = "process")]
mod process_metrics;
#[cfg(feature = "prometheus-listener")]
mod prometheus;
mod readings;
mod request;
mod running;
#[cfg(all(feature = "signals", unix))]
mod signals;
mod source;
mod sources;
mod span_options;
mod start;
mod started;
mod tick;
mod ticker;
mod wide_events;

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

pub use builder::{Builder, builder};
pub use doctor::{Concern, Doctor, Finding, LifePhase, Reach, RouteCheck};
pub use exit::exit;
pub use request::request_flush_from_signal;

use crate::{
    alert::{Alert, RuleStatus},
    clock,
    log::{self, LogFilter},
    metric::{Snapshot, Window},
    pipeline::Report,
    resource::Resource,
    trace::sampler::IntoSampler,
};
use running::{FAREWELL, Running};

/// Running telemetry; dropping it delivers what is queued, for at most two seconds.
///
/// Keep it in `main` until the end. If the process leaves by `process::exit` instead, an exit hook
/// does the same on Linux and macOS; on Windows leave by [`exit`]. Nothing is delivered after `abort`,
/// SIGKILL or a panic with `panic=abort`.
///
/// In a forked child the telemetry of the parent does nothing: it delivers nothing, its reports are
/// empty and not settled, and dropping it has no effect. The child has no callbacks and sources of its
/// parent; their families are gone and their names are free. Instruments keep what they had counted at
/// the fork. The child may start its own telemetry. As with any code, fork if you can while no other
/// thread is inside a call into the crate: a lock that is held at that moment stays held in the child.
#[must_use = "keep it under a name until the end of `main` (`let _telemetry = …`): `let _ = …` stops it at once"]
pub struct Telemetry {
    running: Arc<Running>,
}

impl Telemetry {
    /// Delivers everything that ended or was queued before the call, for at most `timeout`. Returns
    /// what became of every record so far.
    ///
    /// Metrics are read once more for the routes that push them, so do not flush at each request. If
    /// the report is not [`settled`](Report::settled), something is still held because a backend is
    /// down or slow. An attempt that runs at `timeout` is ended and repeated later, unless a flush has
    /// already ended the attempt before it. So a backend that is slower than `timeout` may get a batch
    /// twice.
    ///
    /// Records that a [processor](Builder::span_processor) removed before all routes are not in the
    /// report.
    pub fn flush(&self, timeout: Duration) -> Report {
        self.running.flush(timeout)
    }

    /// Returns once every span that ended and every log record before the call is durable: on disk where its
    /// route has a spool (`Builder::spool`), delivered where it has none. `false` if that is not so by
    /// `timeout`.
    ///
    /// What is on disk is delivered at least once from then on, whatever becomes of the process. Metrics are
    /// not read for this: what they have counted goes out with their next reading.
    #[must_use = "false: something would be lost with the process"]
    pub fn persist(&self, timeout: Duration) -> bool {
        self.running.persist(timeout)
    }

    /// Flushes, then stops every thread. Records that could not be delivered by `timeout` are dropped
    /// and counted, so that nothing is held in the report. A second shutdown returns the same report.
    ///
    /// The thread of callbacks stops too; the next reading that needs it starts it again. Metrics are
    /// still recorded. Spans are no longer recorded, and only pass on their parents' contexts.
    pub fn shutdown(&self, timeout: Duration) -> Report {
        self.running.shutdown(clock::deadline(timeout))
    }

    /// What became of every record that was offered to a queue so far.
    ///
    /// Spans that ended within the last second may still be in their threads' buffers and not be
    /// offered yet; a [`flush`](Self::flush) hands them over first.
    #[must_use]
    pub fn report(&self) -> Report {
        self.running.report()
    }

    /// Says what is configured, what is reachable, what was lost and why, and what to do about it.
    ///
    /// It sends nothing: it says what the attempts so far have shown, and a route that had nothing to send
    /// yet is "not tried yet". So [`flush`](Self::flush) first. It takes some locks for a moment each and
    /// formats; call it when somebody asks, not at each request. What became of records is said since the
    /// start, what was lost before all routes since that of the process.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::{export::Memory, trace::SpanRecord};
    ///
    /// let telemetry = bellwether::builder("shop").export(Memory::<SpanRecord>::new()).start()?;
    /// bellwether::span("checkout").enter().end();
    /// telemetry.flush(Duration::from_secs(5));
    /// let doctor = telemetry.doctor();
    /// println!("{doctor}");
    /// assert!(doctor.is_well());
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    #[must_use]
    pub fn doctor(&self) -> Doctor {
        Doctor::of(&self.running)
    }

    /// All series of the global registry at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.running.registry.snapshot()
    }

    /// The window over the last `length`, or a little more: [`Window::duration`] is its true length.
    ///
    /// It begins at an instant at which all series are kept. For up to five minutes ago that is each
    /// [tick](Builder::tick), for up to an hour every ten seconds, for up to a day every minute. If
    /// the telemetry is younger, or the [budget](Builder::history_budget) holds less, the window
    /// begins at the oldest such instant. All buckets of histograms are kept every ten seconds, so a
    /// quantile covers [up to ten seconds more](Window::distribution_duration).
    ///
    /// The window spans no time if telemetry is [disabled](Builder::disabled) or has [no
    /// history](Builder::without_history), and in a forked child of the process that started it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::Counter;
    ///
    /// static ORDERS: Counter = Counter::new("window.orders", "Orders accepted");
    ///
    /// let telemetry = bellwether::builder("shop").start()?;
    /// ORDERS.add(3);
    /// let window = telemetry.window(Duration::from_secs(60));
    /// assert_eq!(window.increase("window.orders", &[]), Some(3.0));
    /// assert!(window.duration() < Duration::from_secs(60), "as old as the telemetry");
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    #[must_use]
    pub fn window(&self, length: Duration) -> Window {
        self.running.window(length)
    }

    /// Puts another sampler in place of the one that decides which traces are sampled. Every trace that
    /// begins after the return is decided by the new one. Traces that have begun stay as they were decided:
    /// their spans go on as their parents, unless it is an
    /// [`EverySpan`](crate::trace::sampler::EverySpan).
    ///
    /// The limit for [callers](Builder::remote_sampled_per_second) stays, and so do [untrusted
    /// callers](Builder::untrusted_callers). Spans that start meanwhile do not wait. A thread has the old
    /// sampler until it starts its next span, and the last one that does drops it. It has no effect if
    /// telemetry is [disabled](Builder::disabled) or shut down, and in a forked child of the process that
    /// started it.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::trace::sampler::AlwaysOff;
    ///
    /// let telemetry = bellwether::builder("shop").start()?;
    /// assert!(bellwether::span("visit").enter().is_recording());
    /// telemetry.set_sampler(AlwaysOff);
    /// assert!(!bellwether::span("visit").enter().is_recording());
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn set_sampler(&self, sampler: impl IntoSampler) {
        if let Some(tracer) = self.running.tracer.as_ref().filter(|_| !self.running.is_inherited())
        {
            tracer.set_sampler(sampler);
        }
    }

    /// Puts another filter in place of the one that decides which log records are kept, from now on. The
    /// bridges from `log` and `tracing` follow it. It has no effect after a shutdown, and in a forked child of
    /// the process that started the telemetry.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{debug, export::Memory, log::LogRecord};
    ///
    /// let logs = Memory::<LogRecord>::new();
    /// let telemetry = bellwether::builder("shop").export(logs.clone()).start()?;
    /// let log = || debug!(target: "shop::pay", "the reader answers");
    /// log();
    /// telemetry.set_log_filter("info,shop::pay=debug".parse()?);
    /// log();
    /// telemetry.shutdown(std::time::Duration::from_secs(5));
    /// assert_eq!(logs.len(), 1);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn set_log_filter(&self, filter: LogFilter) {
        if !self.running.is_inherited() && !self.running.has_ended() {
            log::set_filter(filter);
        }
    }

    /// Every alert that is pending or firing, or was resolved within the last 15 minutes. None in a
    /// forked child of the process that started the telemetry: no rules are evaluated there.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        match self.running.is_inherited() {
            true => Vec::new(),
            false => self.running.board.alerts(),
        }
    }

    /// The status of each alert rule; none in a forked child, as for [`alerts`](Self::alerts).
    #[must_use]
    pub fn rules(&self) -> Vec<RuleStatus> {
        match self.running.is_inherited() {
            true => Vec::new(),
            false => self.running.board.rules(),
        }
    }

    /// The resource: the attributes that are sent with everything.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.running.resource
    }

    /// The addresses of the listeners, in the order in which they were added. A listener with port 0
    /// has the port that the system chose.
    #[must_use]
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.running.local_addrs.clone()
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if self.running.is_inherited() {
            // Dropping it could wait for a thread of the parent, or for a lock that this thread held.
            return std::mem::forget(self.running.clone());
        }
        self.running.shutdown(clock::deadline(FAREWELL));
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("pipes", &self.running.pipes).finish_non_exhaustive()
    }
}
