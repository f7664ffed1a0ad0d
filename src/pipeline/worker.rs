//! The thread of one exporter: waits for batches, exports them, tries again, survives panics.
//!
//! One `catch_unwind` is around each step. If foreign code panics (the exporter, the drop of a record,
//! a diagnostics hook), it costs the batch in flight and never the thread. The thread is muted: spans
//! that an exporter starts would have to be exported too.

use std::{sync::Arc, thread};

use super::{
    Batch, Route, Settings, Signal,
    delivery::{Prepare, Sending, Spawn, Whole, Wire},
    outflow::{self, Outflow},
    outlet::{Outlet, OutletLabel},
    queue::{Next, Queue},
    route::{AnyExporter, RouteProcessor},
    threads,
};
use crate::{
    context,
    error::{Error, ErrorKind},
    util::catch::catch,
};

/// Starts the worker's thread, called `name`. It ends when `queue` is closed.
pub(super) fn start<S: Signal>(
    thread: thread::Builder,
    name: Arc<str>,
    queue: Arc<Queue<S>>,
    route: Route<S>,
) -> Result<Option<Outflow>, Error> {
    let Route { exporter, settings, processors, watch, .. } = route;
    let label = OutletLabel { name, signal: S::NAME };
    match exporter {
        AnyExporter::Whole(exporter) => {
            refuse(&label.name, &settings)?;
            let outlet = Outlet::new(label, queue, &settings, watch);
            Ready { thread, common: Common::new(outlet, processors) }.spawn(Whole(exporter))?;
            Ok(None)
        }
        AnyExporter::Wire(encoder, sender) => {
            let wire = Wire { encoder, sending: Sending(sender) };
            let ready = |watch| {
                let outlet = Outlet::new(label.clone(), queue.clone(), &settings, watch);
                Ready { thread, common: Common::new(outlet, processors) }
            };
            outflow::spawn(ready, wire, (&label, &queue), &settings, watch)
        }
    }
}

/// Refuses what is only for encoded records, where nothing is encoded.
fn refuse(name: &str, settings: &Settings) -> Result<(), Error> {
    let what = match settings.has_spool() {
        true => "a spool",
        false if settings.dead_letters.is_some() => "dead letters",
        false => return Ok(()),
    };
    let message = format!("exporter {name:?} encodes nothing, so it cannot have {what}");
    Err(Error::new(ErrorKind::InvalidOption, message))
}

struct Worker<S: Signal, D> {
    common: Common<S>,
    delivery: D,
}

/// What every worker has, whichever kind its exporter is.
struct Common<S: Signal> {
    outlet: Outlet<S>,
    processors: Vec<RouteProcessor<S>>,
    n_overflowed: u64, // How many of the queue's overflowed records have been diagnosed.
}

impl<S: Signal> Common<S> {
    fn new(outlet: Outlet<S>, processors: Vec<RouteProcessor<S>>) -> Self {
        Self { outlet, processors, n_overflowed: 0 }
    }
}

/// A worker that needs only what it delivers by.
struct Ready<S: Signal> {
    thread: thread::Builder,
    common: Common<S>,
}

impl<S: Signal> Spawn<S> for Ready<S> {
    fn spawn(self, delivery: impl Prepare<S>) -> Result<(), Error> {
        let Self { thread, common } = self;
        let name = common.outlet.label.name.clone();
        let worker = Worker { common, delivery };
        let spawned = thread.name(format!("bellwether-{name}")).spawn(move || worker.run());
        // The handle is dropped: a thread that may hang is never joined.
        spawned.map(drop).map_err(|error| {
            let message = format!("the thread of exporter \"{name}\" cannot be started");
            Error::new(ErrorKind::Io, message).with_source(error)
        })
    }
}

impl<S: Signal, D: Prepare<S>> Worker<S, D> {
    fn run(mut self) {
        threads::claim(threads::identity(&self.common.outlet.queue));
        let _muted = context::mute();
        loop {
            match catch(|| self.step()) {
                Ok(true) => {}
                Ok(false) => break,
                Err(panic) => {
                    let outlet = &self.common.outlet;
                    outlet.lose_batch("exporter panicked", format_args!("panicked: {panic}"));
                }
            }
        }
        let Self { common: Common { outlet, processors, .. }, delivery } = self;
        outlet.let_go((delivery, processors));
        // The remaining records may panic when they are dropped.
        let _ = catch(|| outlet.queue.abandon());
        outlet.queue.end();
    }

    /// Delivers one batch; `false` when no more will come.
    fn step(&mut self) -> bool {
        let outlet = &mut self.common.outlet;
        let batch = match outlet.queue.next() {
            Next::Deliver(batch) => batch,
            Next::Finish => {
                if let Some(load) = self.delivery.finish() {
                    outlet.say_farewell(&mut self.delivery, load);
                }
                outlet.queue.settle(0, None);
                return true;
            }
            Next::End => return false,
        };
        self.common.diagnose_overflow();
        match catch(|| self.common.process(batch)) {
            Ok(batch) if batch.is_empty() => {}
            Ok(batch) => {
                let load = self.delivery.prepare(batch);
                self.common.outlet.deliver(&mut self.delivery, load);
            }
            Err(panic) => {
                let text = format_args!("a processor panicked: {panic}");
                self.common.outlet.lose_batch("processor panicked", text);
            }
        }
        true
    }
}

impl<S: Signal> Common<S> {
    /// Runs the route's processors on the batch, and counts what they remove.
    fn process(&self, mut batch: Batch<S>) -> Batch<S> {
        if self.processors.is_empty() {
            return batch;
        }
        let n = batch.len();
        for processor in &self.processors {
            if batch.is_empty() {
                break;
            }
            batch = processor(&batch);
        }
        if batch.len() < n {
            self.outlet.queue.filter(batch.len());
        }
        batch
    }

    /// Reports that the queue was full. This is done here, and not where records are offered: an
    /// application's thread must not wait for stderr.
    fn diagnose_overflow(&mut self) {
        let overflowed = self.outlet.queue.n_overflowed();
        let new = overflowed - std::mem::replace(&mut self.n_overflowed, overflowed);
        if new > 0 {
            self.outlet.diagnose("queue full", format_args!("{new} records dropped"));
        }
    }
}
