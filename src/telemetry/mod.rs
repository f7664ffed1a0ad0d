//! Starts, flushes and stops everything: [`Builder`] configures it, [`Telemetry`] is what runs.
//!
//! ```text
//! Builder::start ─► a pipe (queue, worker thread) for each route: of spans, metrics, notifications
//!                   the tracer, whose sink hands spans to their processors and pipes
//!                   the readings: a thread that reads the metrics for each of their pipes
//!                   the ticker: once a second it collects spans, writes all series into the history
//!                       for `window`, evaluates the alert rules and hands notifications to the pipes
//!                   parts such as the Prometheus listener, which read snapshots
//! ```
//!
//! A static also refers to what was started, so that the exit hook can deliver what is queued when the
//! process ends by `process::exit`.

mod builder;
mod exit;
#[cfg(feature = "host")]
mod host_metrics;
mod own_series;
#[cfg(feature = "prometheus")]
mod page;
mod names;
#[cfg(feature = "process")]
mod process_metrics;
#[cfg(feature = "prometheus-listener")]
mod prometheus;
mod readings;
mod running;
mod source;
mod sources;
mod start;
mod tick;
mod ticker;

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

pub use builder::{Builder, builder};
pub use exit::exit;

use crate::{
    alert::{Alert, RuleStatus},
    clock,
    history::Earlier,
    metric::{Snapshot, Window},
    pipeline::Report,
    resource::Resource,
};
use running::{FAREWELL, Running};

/// Telemetry that has been started; dropping it delivers what is queued, for two seconds at most.
///
/// Keep it in `main` until the end. If the process leaves by `process::exit` instead, an exit hook
/// does the same on Linux and macOS; on Windows leave by [`exit`]. Nothing is delivered after `abort`,
/// SIGKILL or a panic with `panic=abort`.
///
/// A forked child has no part in it: it delivers nothing, its reports are empty and not settled, and
/// dropping it there does nothing. The child starts without the callbacks and sources of its parent
/// (their families are gone and their names free), and with what the instruments had counted by then;
/// it may start telemetry of its own. As with any code, fork where no other thread is in the middle of
/// a call into the crate if you can: a lock that was held at that moment stays held in the child.
#[must_use = "dropping it stops the telemetry at once"]
pub struct Telemetry {
    running: Arc<Running>,
}

impl Telemetry {
    /// Delivers everything that ended or was queued before the call, for `timeout` at most, and says
    /// what became of every record so far.
    ///
    /// Metrics are read once more for the routes that push them, so that it is not for each request.
    /// Where the report is not [`settled`](Report::settled), something is still held: a backend is
    /// away or slow. An attempt that runs at `timeout` is ended then and made again later, unless a
    /// flush has ended the one before: a backend that is slower than `timeout` may get a batch twice.
    ///
    /// What a [processor](Builder::span_processor) removed before all routes is not in the report.
    pub fn flush(&self, timeout: Duration) -> Report {
        self.running.flush(timeout)
    }

    /// Flushes, then stops every thread, also that of callbacks, which the next reading that needs it
    /// starts again. What could not be delivered by `timeout` is dropped and
    /// counted, so that nothing is held in the report. A second shutdown reports the same.
    ///
    /// Metrics go on recording; spans are no longer recorded, and only carry their parents' contexts on.
    pub fn shutdown(&self, timeout: Duration) -> Report {
        self.running.shutdown(clock::deadline(timeout))
    }

    /// What became of every record that was handed to a queue so far.
    ///
    /// Spans that ended within the last second may still lie in their threads' buffers, not offered
    /// yet; a [`flush`](Self::flush) hands them over first.
    #[must_use]
    pub fn report(&self) -> Report {
        self.running.report()
    }

    /// All series of the global registry at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.running.registry.snapshot()
    }

    /// What happened within the last `length`, or a little more: [`Window::duration`] says how long it
    /// is.
    ///
    /// It begins at a moment of which all series are kept: up to five minutes ago those of each
    /// [tick](Builder::tick), up to an hour every ten seconds, up to a day every minute; or at the oldest
    /// of them, where the telemetry is younger or the [budget](Builder::history_budget) holds less. All
    /// buckets of histograms are kept every ten seconds, so that a quantile tells of
    /// [up to ten seconds more](Window::distribution_duration).
    ///
    /// Where telemetry is [disabled](Builder::disabled) or has
    /// [no history](Builder::without_history), and in a forked child of the process that started it, it
    /// spans no time.
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
    /// assert_eq!(window.increase("window.orders", &[]), Some(3));
    /// assert!(window.duration() < Duration::from_secs(60), "as old as the telemetry");
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    #[must_use]
    pub fn window(&self, length: Duration) -> Window {
        let later = self.snapshot();
        let earlier = match self.running.is_inherited() {
            true => None, // A thread of the parent may have held the lock at the fork.
            false => self.running.history.lock().before(later.taken(), length),
        };
        match earlier {
            Some(Earlier { at, distributions }) => later.since_both(at, distributions),
            None => later.since(&later),
        }
    }

    /// Every alert that is pending or firing, or was resolved within the last 15 minutes. A forked child
    /// of the process that started it has none: nothing evaluates rules there.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        match self.running.is_inherited() {
            true => Vec::new(),
            false => self.running.board.alerts(),
        }
    }

    /// How each alert rule fares; none in a forked child, as of [`alerts`](Self::alerts).
    #[must_use]
    pub fn rules(&self) -> Vec<RuleStatus> {
        match self.running.is_inherited() {
            true => Vec::new(),
            false => self.running.board.rules(),
        }
    }

    /// Who is speaking: the attributes that are sent with everything.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.running.resource
    }

    /// Where the listeners listen, in the order they were set up: the port that the system chose,
    /// where port 0 was asked for.
    #[must_use]
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.running.local_addrs.clone()
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if self.running.is_inherited() {
            // Taking it apart could wait for a thread that stayed behind, or for what it held.
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
