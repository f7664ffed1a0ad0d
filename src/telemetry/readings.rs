//! Readings of metrics, taken at each route's interval and pushed to it.
//!
//! One thread reads for all routes, separate from the tick. Neither waits for the other, nor for an
//! exporter.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    source::Source,
    ticker::{Stop, Ticker},
};
use crate::{
    cells, clock,
    error::Error,
    metric::{DataPoint, MetricsOptions, Reader, Registry, Snapshot, Temporality},
    sync::{Mutex, MutexGuard},
    util::{fork_section, per_process::PerProcess},
};

/// The routes of metrics.
pub(super) struct Readings {
    source: Arc<Source<DataPoint>>,
    /// Held while the metrics are read, so that readings of one route follow each other. The registry's
    /// locks are taken inside it.
    routes: Mutex<Vec<Pushed>>, // In the order of the source's pipes.
}

/// A route, and when its next reading is due.
struct Pushed {
    reader: Reader,
    interval: Duration,
    due: Instant,
}

impl Readings {
    /// Readings of `registry`, for routes with these `options`.
    pub(super) fn new(
        registry: &Registry,
        source: Arc<Source<DataPoint>>,
        options: Vec<MetricsOptions>,
    ) -> Arc<Self> {
        let pushed = |options: MetricsOptions| {
            let MetricsOptions { interval, temporality, views } = options;
            let reader = match temporality {
                Temporality::Cumulative => Reader::cumulative(registry),
                Temporality::Delta => Reader::delta_since(registry, LAST.get().lock().clone()),
            };
            Pushed { reader: reader.with_views(views), interval, due: clock::deadline(interval) }
        };
        let routes = Mutex::new(options.into_iter().map(pushed).collect());
        Arc::new(Self { source, routes })
    }

    /// Starts the thread, if there is a route.
    pub(super) fn start(self: &Arc<Self>) -> Result<Option<Ticker>, Error> {
        if !self.source.is_used() {
            return Ok(None);
        }
        let readings = self.clone();
        Ticker::start("bellwether-readings", move |stop| readings.run(stop)).map(Some)
    }

    /// What processors removed, and what was lost to their panics.
    pub(super) fn dropped(&self) -> [(&'static str, u64); 2] {
        self.source.dropped()
    }

    /// Pushes a reading to every route, whenever the next is due. It gives up at `by` if another thread
    /// is reading, and waits for callbacks until `by` at most.
    pub(super) fn push(&self, by: Instant) {
        if self.source.is_used() {
            let Some(routes) = self.routes.try_lock_until(by) else { return };
            self.read(routes, by, |_| true);
        }
    }

    /// Pushes the last reading: later ones find no route, as its queue is closed.
    pub(super) fn end(&self, by: Instant) {
        self.push(by);
        let Some(mut routes) = self.routes.try_lock_until(by) else { return };
        if let Some(totals) = routes.iter().find_map(|pushed| pushed.reader.last_totals()) {
            *LAST.get().lock() = Some(totals.clone());
        }
        routes.clear();
    }

    fn run(&self, stop: &Stop) {
        loop {
            let due = self.routes.lock().iter().map(|pushed| pushed.due).min();
            let Some(due) = due else { return };
            if stop.comes_until(due) {
                return;
            }
            let now = clock::real_instant();
            // Readings that were missed while the machine was suspended are skipped.
            let is_due = |pushed: &mut Pushed| {
                let is_due = pushed.due <= now;
                if is_due {
                    pushed.due = now + pushed.interval;
                }
                is_due
            };
            self.read(self.routes.lock(), clock::deadline(MOST_PATIENCE), is_due);
        }
    }

    /// Reads for the routes that `choose` accepts. Processors run after the lock is released.
    fn read(
        &self,
        mut routes: MutexGuard<'_, Vec<Pushed>>,
        by: Instant,
        mut choose: impl FnMut(&mut Pushed) -> bool,
    ) {
        let storage = cells::process_storage();
        let mut readings = Vec::with_capacity(routes.len());
        for (pushed, pipe) in routes.iter_mut().zip(&self.source.pipes) {
            if choose(pushed) {
                let _section = fork_section::enter(); // For the registry's locks.
                let temporality = pushed.reader.temporality();
                let reading = pushed.reader.collect_of(&storage, Some(by));
                readings.push((pipe, reading.data_points(temporality)));
            }
        }
        drop(routes);
        for (pipe, mut points) in readings {
            if self.source.process(&mut points) {
                pipe.push(points);
            }
        }
    }
}

/// The totals up to which the last telemetry of this process sent differences. The next one continues
/// from there, so that nothing is sent twice. No lock is taken inside it.
static LAST: PerProcess<Mutex<Option<Snapshot>>> = PerProcess::new();

/// How long a reading waits for all callbacks together, whatever the patience of each. Arbitrary.
const MOST_PATIENCE: Duration = Duration::from_secs(60);
