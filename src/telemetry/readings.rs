//! Readings of metrics, taken at each route's interval and pushed to it.
//!
//! One thread reads for all routes, apart from the tick: neither waits for the other, and none of them
//! for an exporter.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::{source::Source, ticker::Ticker};
use crate::{
    clock,
    error::Error,
    metric::{DataPoint, MetricsOptions, Reader, Registry, Temporality},
    pipeline::Pipe,
    sync::Mutex,
};

/// The routes of metrics.
pub(super) struct Readings {
    source: Arc<Source<DataPoint>>,
    /// Held while the metrics are read: readings of one route follow each other. The registry's locks
    /// are taken inside it.
    routes: Mutex<Vec<Pushed>>, // In the order of the source's pipes.
}

/// A route and when its next reading is due.
struct Pushed {
    reader: Reader,
    interval: Duration,
    due: Instant,
}

impl Readings {
    /// Readings of `registry`, as each of `options` says.
    pub(super) fn new(
        registry: &Registry,
        source: Arc<Source<DataPoint>>,
        options: Vec<MetricsOptions>,
    ) -> Arc<Self> {
        let pushed = |options: MetricsOptions| {
            let MetricsOptions { interval, temporality, views } = options;
            let reader = match temporality {
                Temporality::Cumulative => Reader::cumulative(registry),
                Temporality::Delta => Reader::delta(registry),
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
        Ticker::start("bellwether-readings", move |stopped| readings.run(stopped)).map(Some)
    }

    /// Pushes a reading to every route, whenever the next is due; gives up at `deadline` if another
    /// thread is at it.
    pub(super) fn push(&self, deadline: Instant) {
        if !self.source.is_used() {
            return;
        }
        let Some(mut routes) = self.routes.try_lock_until(deadline) else { return };
        for (pushed, pipe) in routes.iter_mut().zip(&self.source.pipes) {
            self.read(pushed, pipe);
        }
    }

    fn run(&self, stopped: &Receiver<()>) {
        loop {
            let routes = self.routes.lock();
            let Some(due) = routes.iter().map(|pushed| pushed.due).min() else { return };
            drop(routes);
            if stopped.recv_deadline(due) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let now = clock::real_instant();
            let mut routes = self.routes.lock();
            for (pushed, pipe) in routes.iter_mut().zip(&self.source.pipes) {
                if pushed.due <= now {
                    self.read(pushed, pipe);
                    // Readings that a suspended machine missed are not caught up with.
                    while pushed.due <= now {
                        pushed.due = now.max(pushed.due) + pushed.interval;
                    }
                }
            }
        }
    }

    fn read(&self, pushed: &mut Pushed, pipe: &Pipe<DataPoint>) {
        let temporality = pushed.reader.temporality();
        let mut points = pushed.reader.collect().data_points(temporality);
        if self.source.process(&mut points) {
            pipe.push(points);
        }
    }
}
