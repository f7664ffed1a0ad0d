//! The one thread on which callbacks of observable instruments run.
//!
//! Whoever takes a snapshot hands the callbacks over as a cycle and waits for what they tell, one
//! after the other. A callback that lets it wait too long is left to itself: the thread that is stuck
//! in it is given up, a new one goes on with the next callback, and the stuck one is skipped in every
//! cycle until it returns. So a callback delays readers once, and stops neither them nor others.

use std::{cell::Cell, sync::Arc, thread, time::Duration};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::{
    cell::{self, Storage},
    observable::Observable,
    snapshot::Family,
    stats::{self, CallbackFault},
};
use crate::{
    clock::{self, ManualClock},
    diagnostics,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    util::process,
};

/// How long a reader waits for one callback: arbitrary, long for what reads a number, and short
/// beside the time-out of a scrape.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long a reader waits for the cycles of others. A forked child may wait for a lock that nobody
/// holds any more.
const TURN: Duration = Duration::from_secs(2);

/// Guards the thread; held for a whole cycle, so that cycles follow one another. Nothing that waits
/// for a callback is locked inside it.
static COLLECTOR: Mutex<Option<Worker>> = Mutex::new(None);

thread_local! {
    static IS_COLLECTOR: Cell<bool> = const { Cell::new(false) };
}

/// A running thread, as its process knows it.
struct Worker {
    cycles: Sender<Cycle>,
    /// A forked child inherits the channel and not the thread.
    generation: u32,
}

/// Callbacks to run, and where to tell what they told.
struct Cycle {
    observables: Vec<Arc<Observable>>,
    storage: Arc<Storage>,
    clock: Option<ManualClock>,
    /// The place of the callback, and its family unless it failed.
    told: Sender<(usize, Option<Family>)>,
    given_up: Arc<AtomicBool>,
}

/// What the callbacks of `observables` tell, on behalf of a reader of `storage`.
pub(super) fn read(observables: &[Arc<Observable>], storage: &Arc<Storage>) -> Vec<Family> {
    if observables.is_empty() {
        return Vec::new();
    }
    let turn = if IS_COLLECTOR.get() { None } else { COLLECTOR.try_lock_for(TURN) };
    let Some(mut worker) = turn else {
        // A callback that takes a snapshot would wait for itself.
        stats::callback_failed(CallbackFault::Skipped, observables.len());
        return Vec::new();
    };
    let (mut families, mut stuck, mut failure) = (Vec::new(), Vec::new(), None);
    let mut rest = observables;
    while !rest.is_empty() {
        rest = match Worker::running(&mut worker) {
            Ok(worker) => worker.run(rest, storage, &mut families, &mut stuck),
            Err(error) => {
                failure = Some(error);
                stats::callback_failed(CallbackFault::Skipped, rest.len());
                break;
            }
        };
        if !rest.is_empty() {
            *worker = None; // Stuck: it ends when the callback returns.
        }
    }
    drop(worker); // A hook may take a snapshot.
    stuck.iter().for_each(|observable| observable.overran());
    if let Some(error) = failure {
        let text = format_args!("cannot start the thread of the callbacks: {error}");
        diagnostics::report("callback", text);
    }
    families
}

impl Worker {
    /// The thread, started if there is none in this process.
    fn running(slot: &mut Option<Self>) -> std::io::Result<&Self> {
        let generation = process::generation();
        if slot.as_ref().is_none_or(|worker| worker.generation != generation) {
            let (cycles, next) = unbounded();
            let run = move || work(&next);
            thread::Builder::new().name("bellwether-collect".to_owned()).spawn(run)?;
            *slot = None;
            return Ok(slot.insert(Self { cycles, generation }));
        }
        Ok(slot.as_ref().expect("there is one of this process"))
    }

    /// Runs the callbacks, and answers those that are left when one of them overruns.
    fn run<'a>(
        &self,
        observables: &'a [Arc<Observable>],
        storage: &Arc<Storage>,
        families: &mut Vec<Family>,
        overran: &mut Vec<&'a Observable>,
    ) -> &'a [Arc<Observable>] {
        let (tell, told) = bounded(observables.len());
        let given_up = Arc::new(AtomicBool::new(false));
        let cycle = Cycle {
            observables: observables.to_vec(),
            storage: storage.clone(),
            clock: clock::manual_clock(),
            told: tell,
            given_up: given_up.clone(),
        };
        let _ = self.cycles.send(cycle); // A thread that is gone tells nothing, as one that is stuck.
        for awaited in 0..observables.len() {
            match told.recv_timeout(PATIENCE) {
                Ok((_, family)) => families.extend(family),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    given_up.store(true, Relaxed);
                    // What was told in this instant is not lost.
                    let late = told.try_iter().collect::<Vec<_>>();
                    let next = late.last().map_or(awaited, |(place, _)| place + 1);
                    families.extend(late.into_iter().filter_map(|(_, family)| family));
                    let Some(stuck) = observables.get(next) else { return &[] };
                    overran.push(stuck);
                    return &observables[next + 1..];
                }
            }
        }
        &[]
    }
}

fn work(cycles: &Receiver<Cycle>) {
    IS_COLLECTOR.set(true);
    for cycle in cycles {
        // The callbacks see the values and the time of whoever asks.
        let _storage = cycle.storage.is_scoped().then(|| cell::enter(Some(cycle.storage.clone())));
        let _clock = cycle.clock.clone().map(|clock| clock::enter(Some(clock)));
        for (place, observable) in cycle.observables.iter().enumerate() {
            let family = observable.read(cycle.storage.started());
            if cycle.given_up.load(Relaxed) || cycle.told.send((place, family)).is_err() {
                break;
            }
        }
    }
}
