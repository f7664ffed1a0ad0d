//! Flush, persist and shutdown as futures, for code that must not block its thread.

use std::{future::Future, time::Duration};

use super::{
    Telemetry,
    pending::{Pending, Permit},
    running::Running,
    source, ticker,
};
use crate::{
    clock,
    pipeline::{self, Report},
};

impl Telemetry {
    /// [`flush`](Self::flush) for code that must not block: the future is ready by `timeout`.
    ///
    /// It needs no runtime. The flush begins with this call, on a thread of its own, and goes on though the
    /// future be dropped or never polled; so nothing is lost in a `select!`.
    ///
    /// The report is at once there, and not settled, if no thread can be started, or if 64 flushes are under
    /// way: what is held stays so, and is delivered as ever. So it is in a forked child. An exporter, a
    /// processor and the callback of an alert are on a thread of ours already: there it blocks as `flush`
    /// does.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::{export::Memory, trace::SpanRecord};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), bellwether::Error> {
    /// let spans = Memory::<SpanRecord>::new();
    /// let telemetry = bellwether::builder("invoices").export(spans.clone()).start()?;
    /// bellwether::span("invoice").enter().end();
    /// let report = telemetry.flush_async(Duration::from_secs(5)).await;
    /// assert!(report.settled);
    /// assert_eq!(spans.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn flush_async(
        &self,
        timeout: Duration,
    ) -> impl Future<Output = Report> + Send + 'static + use<> {
        self.running.flush_aside(timeout)
    }

    /// [`persist`](Self::persist) for code that must not block: the future is ready by `timeout`. All that
    /// is said of [`flush_async`](Self::flush_async) holds; where that has a report that is not settled, this
    /// is `false`.
    #[must_use = "false: something would be lost with the process"]
    pub fn persist_async(
        &self,
        timeout: Duration,
    ) -> impl Future<Output = bool> + Send + 'static + use<> {
        let running = self.running.clone();
        if running.is_inherited() {
            return Pending::ready(false);
        }
        if is_own_thread() {
            return Pending::ready(running.persist(timeout));
        }
        let Some(permit) = Permit::take() else { return Pending::ready(false) };
        let deadline = clock::deadline(timeout);
        let work = move || (running.persist(clock::until(deadline)), permit).0;
        Pending::start("bellwether-persist", work).unwrap_or_else(|| Pending::ready(false))
    }

    /// [`shutdown`](Self::shutdown) for code that must not block: the future is ready by `timeout`.
    ///
    /// It needs no runtime. The shutdown begins with this call, on a thread of its own, and goes on though the
    /// future be dropped. If no thread is to be had, as for a flush, the report is at once there and not settled,
    /// and the telemetry runs on: another shutdown, its drop, or the exit of the process delivers. On a thread of ours
    /// it does what `shutdown` does there.
    ///
    /// # Examples
    ///
    /// A service that ends when it is asked to, and delivers what it has:
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), bellwether::Error> {
    /// let telemetry = bellwether::builder("shop").start()?;
    /// # async fn serve_until_sigterm() {}
    /// serve_until_sigterm().await;
    /// let report = telemetry.shutdown_async(Duration::from_secs(5)).await;
    /// assert_eq!(report.totals().held, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown_async(
        &self,
        timeout: Duration,
    ) -> impl Future<Output = Report> + Send + 'static + use<> {
        let (running, deadline) = (self.running.clone(), clock::deadline(timeout));
        if running.is_inherited() || is_own_thread() || running.has_ended() {
            return Pending::ready(running.shutdown(deadline));
        }
        let of_thread = running.clone();
        let begin = |permit| {
            let work = move || (of_thread.shutdown(deadline), permit).0;
            Pending::start("bellwether-shutdown", work)
        };
        Permit::take().and_then(begin).unwrap_or_else(|| Pending::ready(unsettled(&running)))
    }
}

impl Running {
    /// Flushes on a thread of its own.
    pub(super) fn flush_aside(self: &std::sync::Arc<Self>, timeout: Duration) -> Pending<Report> {
        if self.is_inherited() || is_own_thread() {
            return Pending::ready(self.flush(timeout));
        }
        self.begin_flush_aside(timeout).unwrap_or_else(|| Pending::ready(unsettled(self)))
    }

    /// As [`flush_aside`](Self::flush_aside), from the tick too, which it does not hold up; `None` if no thread
    /// is to be had.
    pub(super) fn begin_flush_aside(
        self: &std::sync::Arc<Self>,
        timeout: Duration,
    ) -> Option<Pending<Report>> {
        let permit = Permit::take()?;
        let (running, deadline) = (self.clone(), clock::deadline(timeout));
        let work = move || (running.flush(clock::until(deadline)), permit).0;
        Pending::start("bellwether-flush", work)
    }
}

/// What became of everything so far, of a flush that was not done.
fn unsettled(running: &Running) -> Report {
    Report { settled: false, ..running.report() }
}

/// Whether this is a thread on which flush and shutdown know that they must not wait for themselves. Another
/// thread in its place would not know it.
fn is_own_thread() -> bool {
    pipeline::is_worker_thread() || source::is_processing() || ticker::is_own_thread()
}
