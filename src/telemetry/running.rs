//! The parts that run between start and shutdown.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    doctor::Remembered,
    logs::Logs,
    readings::Readings,
    source,
    ticker::{self, Ticker},
};
use crate::{
    alert::Board,
    clock::{self, Slot, Slots},
    diagnostics,
    history::{Earlier, History},
    metric::{self, DataPoint, Observer, Registry, Window},
    pipeline::{self, AnyPipe, Report, Signal as _},
    resource::Resource,
    sync::Mutex,
    trace::{self, Tracer},
    util::process,
};

/// How long the end of the process may be delayed: at return, at `process::exit` and at a panic.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// The parts that run between start and shutdown. The exit hook refers to it too.
pub(super) struct Running {
    /// The generation of the process that started it. A forked child has none of its threads.
    pub(super) generation: u32,
    pub(super) registry: Registry,
    pub(super) resource: Resource,
    pub(super) pipes: Vec<Arc<dyn AnyPipe>>,
    pub(super) remembered: Remembered,
    pub(super) tracer: Option<Arc<Tracer>>, // None where telemetry is disabled.
    pub(super) readings: Arc<Readings>,
    pub(super) logs: Logs,
    /// Guards the past of all series. Inside it the families of the registry are locked for reading,
    /// and no code of the user runs.
    pub(super) history: Arc<Mutex<History>>,
    /// The status of rules and alerts. The ticker has the conditions, and evaluates them on its
    /// thread.
    pub(super) board: Arc<Board>,
    pub(super) local_addrs: Vec<SocketAddr>,
    /// Guards the parts that shutdown ends once, and its report. Shutdown holds the lock until it is
    /// done, so that a second one waits and returns the same report.
    pub(super) ending: Mutex<Ending>,
}

#[derive(Default)]
pub(super) struct Ending {
    pub(super) tickers: Vec<Ticker>,
    pub(super) parts: Vec<Box<dyn Part>>,
    pub(super) observers: Vec<Observer>,
    pub(super) report: Option<Report>,
}

/// Something that serves until shutdown, such as a listener.
pub(super) trait Part: Send {
    /// Stops it, by `deadline` at the latest.
    fn stop(&mut self, deadline: Instant);

    /// The address at which it listens, if it does.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

impl Running {
    /// Whether this process is a forked child of the one that started it. The child has none of the
    /// threads, and locks that they held stay held.
    pub(super) fn is_inherited(&self) -> bool {
        self.generation != process::generation()
    }

    /// Whether it has shut down, so that another telemetry may start.
    pub(super) fn has_ended(&self) -> bool {
        // If the lock is held, a shutdown is in progress.
        self.ending.try_lock().is_some_and(|ending| ending.report.is_some())
    }

    pub(super) fn flush(&self, timeout: Duration) -> Report {
        if self.is_inherited() {
            return Report::new(Vec::new(), false);
        }
        if source::is_processing() {
            return self.report(); // It would wait for itself.
        }
        let deadline = clock::deadline(timeout);
        self.hand_over();
        // Pipes that wait for callbacks do not delay the others.
        let (early, late) = self.by_reading();
        let early = pipeline::begin_flush(early, deadline);
        // An exporter that flushes would create more for itself to export.
        if !pipeline::is_worker_thread() {
            self.readings.push(clock::deadline(timeout / 2));
        }
        let late = pipeline::begin_flush(late, deadline);
        let is_settled = pipeline::wait(early.into_iter().chain(late), deadline);
        let queues = self.pipes.iter().map(|pipe| pipe.report()).collect();
        Report { open_spans: self.open_spans(), ..Report::new(queues, is_settled) }
    }

    pub(super) fn persist(&self, timeout: Duration) -> bool {
        if self.is_inherited() || source::is_processing() {
            return false;
        }
        let deadline = clock::deadline(timeout);
        self.hand_over();
        let flushes = pipeline::begin_flush(self.by_reading().0, deadline);
        pipeline::wait_kept(flushes.into_iter(), deadline)
    }

    /// Hands over all spans that have ended and all log records.
    fn hand_over(&self) {
        if let Some(tracer) = &self.tracer {
            tracer.flush();
            if self.logs.wide_events.is_some() {
                // Roots were seen; this brings the spans that ended before them.
                tracer.collect();
            }
        }
        self.logs.flush();
    }

    /// The pipes that get nothing from a reading, and those that do.
    fn by_reading(&self) -> (Vec<&dyn AnyPipe>, Vec<&dyn AnyPipe>) {
        let pipes = self.pipes.iter().map(Arc::as_ref);
        pipes.partition(|pipe| pipe.signal() != DataPoint::NAME)
    }

    pub(super) fn report(&self) -> Report {
        if self.is_inherited() {
            return Report::new(Vec::new(), false);
        }
        let queues: Vec<_> = self.pipes.iter().map(|pipe| pipe.report()).collect();
        let settled = queues.iter().all(|queue| queue.held == 0);
        Report { open_spans: self.open_spans(), ..Report::new(queues, settled) }
    }

    /// How many recorded spans have not ended.
    fn open_spans(&self) -> u64 {
        self.tracer.as_ref().map_or(0, |tracer| tracer.open())
    }

    /// Hands the spans that have ended and what was logged to the queues.
    pub(super) fn collect(&self) {
        if let Some(tracer) = &self.tracer {
            tracer.collect();
        }
        self.logs.collect();
    }

    /// Sees to spans that have been open for too long.
    pub(super) fn mind_open_spans(&self) {
        let Some(tracer) = &self.tracer else { return };
        if let Some(overdue) = tracer.overdue() {
            diagnostics::report("spans", format_args!("{overdue}"));
        }
        tracer.give_up_old();
    }

    /// The window over the last `length`, or a little more.
    pub(super) fn window(&self, length: Duration) -> Window {
        let later = self.registry.snapshot();
        let earlier = match self.is_inherited() {
            true => None, // A thread of the parent may have held the lock at the fork.
            false => self.history.lock().before(later.taken(), length),
        };
        match earlier {
            Some(Earlier { at, distributions }) => later.since_both(at, distributions),
            None => later.since(&later),
        }
    }

    /// Takes the samples of a tick, unless its slot already has one.
    pub(super) fn remember(&self, slots: &mut Slots) -> Option<Slot> {
        let keeps_nothing = self.history.lock().keeps_nothing();
        let prepared = (!keeps_nothing).then(|| self.registry.prepare());
        let slot = slots.next(clock::now())?;
        let too_many = prepared.and_then(|prepared| self.history.lock().tick(&prepared, slot));
        if let Some(n_series) = too_many {
            let text = format_args!(
                "{n_series} series are more than the budget of the history holds: windows span no \
                 time, and rules lose what they looked back on (see `Builder::history_budget`)"
            );
            diagnostics::report("history", text);
        }
        Some(slot)
    }

    pub(super) fn shutdown(&self, deadline: Instant) -> Report {
        if self.is_inherited() {
            return Report::new(Vec::new(), false);
        }
        if self.pipes.iter().any(|pipe| pipe.is_own_thread()) || source::is_processing() {
            // An exporter or a processor would wait for itself, so it only begins the shutdown.
            self.pipes.iter().for_each(|pipe| pipe.begin_shutdown(deadline));
            return self.report();
        }
        // An exit hook must not wait for ever for a shutdown that hangs on another thread. Code on the
        // ticker's thread must not wait at all: the shutdown may be waiting for the ticker.
        let latest = if ticker::is_own_thread() { clock::real_instant() } else { deadline };
        let Some(mut ending) = self.ending.try_lock_until(latest) else { return self.report() };
        if let Some(report) = &ending.report {
            return report.clone();
        }
        // A callback that hangs must not use up the time of the exporters.
        let patience = clock::deadline(clock::until(deadline) / 4);
        ending.tickers.drain(..).for_each(|ticker| ticker.stop(patience));
        if let Some(tracer) = &self.tracer {
            trace::uninstall();
            tracer.close();
            report_open(tracer);
        }
        self.logs.uninstall();
        self.by_reading().0.iter().for_each(|pipe| pipe.begin_shutdown(deadline));
        self.readings.end(patience);
        let report = pipeline::shutdown(&self.pipes, clock::until(deadline));
        let report = Report { open_spans: self.open_spans(), ..report };
        ending.parts.iter_mut().for_each(|part| part.stop(deadline));
        ending.observers.clear();
        metric::release_collector(deadline);
        ending.report = Some(report.clone());
        report
    }
}

/// Reports spans that are open at the end.
fn report_open(tracer: &Tracer) {
    let n = tracer.open();
    if n > 0 {
        let fate = match tracer.exports_open() {
            true => "if they were sampled, they are exported as they stand",
            false => "are not exported",
        };
        diagnostics::report("spans", format_args!("{n} had not ended at the shutdown, and {fate}"));
    }
}
