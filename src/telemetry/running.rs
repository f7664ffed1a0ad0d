//! What runs between start and shutdown.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::ticker::{self, Ticker};
use crate::{
    alert::Board,
    clock, diagnostics,
    history::History,
    metric::{self, Observer, Prepared, Registry},
    pipeline::{self, AnyPipe, Report},
    sync::Mutex,
    trace::{self, Tracer},
    util::process,
};

/// How long the end of the process may be held up: at return, at `process::exit` and at a panic.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// What runs between start and shutdown. The exit hook holds it too.
pub(super) struct Running {
    /// The generation of the process that started it: a forked child has none of its threads.
    pub(super) generation: u32,
    pub(super) registry: Registry,
    pub(super) pipes: Vec<Arc<dyn AnyPipe>>,
    pub(super) tracer: Option<Arc<Tracer>>, // None where telemetry is disabled.
    /// Guards the past of all series; `None` where it is switched off. Inside it the families of the
    /// registry are locked as a reader locks them, and no code of the user's runs.
    pub(super) history: Mutex<Option<History>>,
    /// How rules and alerts stand. The ticker has the conditions, and its own thread runs them.
    pub(super) board: Arc<Board>,
    pub(super) local_addrs: Vec<SocketAddr>,
    /// Guards what is taken down once, at shutdown, and the report of that. Shutdown holds it until
    /// it is done, so that a second one waits and reports the same.
    pub(super) ending: Mutex<Ending>,
}

#[derive(Default)]
pub(super) struct Ending {
    pub(super) ticker: Option<Ticker>,
    pub(super) parts: Vec<Box<dyn Part>>,
    pub(super) observers: Vec<Observer>,
    pub(super) report: Option<Report>,
}

/// Something that serves until shutdown, such as a listener.
pub(super) trait Part: Send {
    /// Ends it, by `deadline` at the latest.
    fn stop(&mut self, deadline: Instant);

    /// Where it listens, if it does.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

impl Running {
    /// Whether this process is a forked child of the one that started it: the threads stayed behind,
    /// and locks may be held by them for ever.
    pub(super) fn is_inherited(&self) -> bool {
        self.generation != process::generation()
    }

    /// Whether it has shut down: another may start.
    pub(super) fn has_ended(&self) -> bool {
        // Held, a shutdown is under way.
        self.ending.try_lock().is_some_and(|ending| ending.report.is_some())
    }

    pub(super) fn flush(&self, timeout: Duration) -> Report {
        if self.is_inherited() {
            return Report::new(Vec::new(), false);
        }
        self.collect();
        pipeline::flush(&self.pipes, timeout)
    }

    pub(super) fn report(&self) -> Report {
        if self.is_inherited() {
            return Report::new(Vec::new(), false);
        }
        let queues: Vec<_> = self.pipes.iter().map(|pipe| pipe.report()).collect();
        let settled = queues.iter().all(|queue| queue.held == 0);
        Report::new(queues, settled)
    }

    /// Hands the spans that have ended to the queues.
    pub(super) fn collect(&self) {
        if let Some(tracer) = &self.tracer {
            tracer.collect();
        }
    }

    /// Takes the samples of a tick.
    pub(super) fn remember(&self, registry: &Prepared) {
        let too_many = self.history.lock().as_mut().and_then(|history| history.tick(registry));
        if let Some(n_series) = too_many {
            let text = format_args!(
                "{n_series} series are more than the budget of the history holds: windows span no \
                 time (see `Builder::history_budget`)"
            );
            diagnostics::report("history", text);
        }
    }

    pub(super) fn shutdown(&self, deadline: Instant) -> Report {
        if self.is_inherited() {
            return Report::new(Vec::new(), false);
        }
        if self.pipes.iter().any(|pipe| pipe.is_own_thread()) {
            // An exporter would wait for itself: it only begins the end.
            self.pipes.iter().for_each(|pipe| pipe.begin_shutdown(deadline));
            return self.report();
        }
        // An exit hook must not wait for ever for a shutdown that hangs on another thread, and what the
        // ticker runs not at all for one that waits for the ticker.
        let patience =
            if ticker::is_own_thread() { clock::deadline(Duration::ZERO) } else { deadline };
        let Some(mut ending) = self.ending.try_lock_until(patience) else { return self.report() };
        if let Some(report) = &ending.report {
            return report.clone();
        }
        if let Some(ticker) = ending.ticker.take() {
            // The exporters' time is not for a callback that hangs.
            let patience = clock::until(deadline) / 4;
            ticker.stop(clock::deadline(patience));
        }
        if let Some(tracer) = &self.tracer {
            trace::uninstall();
            tracer.close();
        }
        let report = pipeline::shutdown(&self.pipes, clock::until(deadline));
        ending.parts.iter_mut().for_each(|part| part.stop(deadline));
        ending.observers.clear();
        metric::release_collector(deadline);
        ending.report = Some(report.clone());
        report
    }
}
