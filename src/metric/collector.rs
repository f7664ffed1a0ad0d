//! The threads on which callbacks of observable instruments run.
//!
//! A reader that takes a snapshot sends the callbacks as a cycle and waits for their values, one after
//! the other. It waits for each callback for the registry's patience at most.
//!
//! If a callback takes longer, the thread that runs it is given up, and a new thread continues with the
//! next callback. When the callback returns, its values are shown to the next reader. From then on no
//! reader waits for it: each reader shows the values of the last run and starts the next run on a
//! thread of its own, until a run is quick again. So a slow callback delays one reader once and delays
//! no other callback, and its values are one read late.

use std::{
    cell::Cell,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::observable::Observable;
use crate::{
    cells::{self, CallbackFault, Storage},
    clock::{self, ManualClock},
    diagnostics,
    snapshot::Family,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    util::{per_process::PerProcess, process},
};

/// How long a reader waits for the cycles of other readers, as a multiple of their patience.
const TURN: u32 = 4;

/// Guards the thread. Held for a whole cycle, so that cycles follow one another. No lock that is held
/// while waiting for a callback is taken inside it. A forked child has none of the threads, and its own
/// lock.
static COLLECTOR: PerProcess<Mutex<Option<Worker>>> = PerProcess::new();

thread_local! {
    /// The process generation in which this thread runs callbacks; zero if it runs none.
    static COLLECTS_FOR: Cell<u32> = const { Cell::new(0) };
}

/// The running thread.
struct Worker {
    cycles: Sender<Cycle>,
}

/// Callbacks to run, and a channel that says which have returned.
struct Cycle {
    observables: Vec<Arc<Observable>>,
    sight: Sight,
    /// Receives the index of each callback that has returned.
    returned: Sender<usize>,
    given_up: Arc<AtomicBool>,
}

/// What callbacks see: the values and the clock of the reader.
#[derive(Clone)]
pub(crate) struct Sight {
    storage: Arc<Storage>,
    clock: Option<ManualClock>,
}

/// One read of `storage`.
struct Look<'a> {
    storage: &'a Arc<Storage>,
    /// The instant until which it waits for callbacks at all.
    by: Option<Instant>,
    families: Vec<Family>,
    n_skipped: usize,
    /// Callbacks that took too long, and the error if their thread could not start. Both are reported
    /// when no lock is held, because a hook may take a snapshot.
    stuck: Vec<Arc<Observable>>,
    failure: Option<std::io::Error>,
}

/// The values of the callbacks of `observables`, for a reader of `storage`. It waits for each as long
/// as its patience, and for all until `by` at most.
pub(super) fn read(
    observables: &[Arc<Observable>],
    storage: &Arc<Storage>,
    by: Option<Instant>,
) -> Vec<Family> {
    let (families, stuck) = (Vec::with_capacity(observables.len()), Vec::new());
    let mut look = Look { storage, by, families, n_skipped: 0, stuck, failure: None };
    // On this thread: to wake another one would cost more than all of them.
    let own = observables.iter().filter(|observable| observable.is_own());
    look.families.extend(own.filter_map(|observable| observable.read(storage)));
    let others = observables.iter().filter(|observable| !observable.is_own());
    let observables: Vec<_> = others.cloned().collect();
    let Some(patience) = observables.iter().map(|observable| observable.patience()).max() else {
        return look.families;
    };
    // A callback that takes a snapshot would wait for itself.
    let collects = COLLECTS_FOR.get() == process::generation();
    let turn = look.until(patience.saturating_mul(TURN));
    match if collects { None } else { COLLECTOR.get().try_lock_until(turn) } {
        None => observables.iter().for_each(|observable| look.show_late(observable)),
        Some(mut worker) => {
            let awaited = look.begin_late(&observables);
            look.wait(&mut worker, &awaited);
        }
    }
    if look.n_skipped > 0 {
        cells::tally(|tally| tally.callback_failed(CallbackFault::Skipped, look.n_skipped));
    }
    look.stuck.iter().for_each(|observable| observable.overran());
    if let Some(error) = look.failure {
        let text = format_args!("cannot start the thread of the callbacks: {error}");
        diagnostics::report("callback", text);
    }
    look.families
}

impl Look<'_> {
    /// The end of a wait of at most `patience`.
    fn until(&self, patience: Duration) -> Instant {
        let end = clock::deadline(patience);
        self.by.map_or(end, |by| by.min(end))
    }

    /// Shows the values of the last run of `observable`, without waiting.
    fn show_late(&mut self, observable: &Observable) {
        match observable.late(self.storage) {
            Some(family) => self.families.push(family),
            None => self.n_skipped += 1,
        }
    }

    /// Shows the late values of slow callbacks and begins their next runs; returns the other callbacks.
    fn begin_late(&mut self, observables: &[Arc<Observable>]) -> Vec<Arc<Observable>> {
        let mut awaited = Vec::with_capacity(observables.len());
        for observable in observables {
            // Checked first: a run that returns in this moment is not repeated before its values are
            // seen.
            let is_running = observable.is_running();
            let late = if observable.is_slow() { observable.late(self.storage) } else { None };
            match late {
                Some(family) => {
                    self.families.push(family);
                    if !is_running {
                        run_apart(observable, self.sight());
                    }
                }
                None if is_running => self.show_late(observable),
                None => awaited.push(observable.clone()),
            }
        }
        awaited
    }

    /// Runs the callbacks of `awaited` and waits for them.
    fn wait(&mut self, worker: &mut Option<Worker>, awaited: &[Arc<Observable>]) {
        let mut rest = awaited;
        while !rest.is_empty() && self.by.is_none_or(|by| !clock::until(by).is_zero()) {
            let behind = match Worker::running(worker) {
                Ok(worker) => worker.run(rest, self),
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            };
            if behind.is_some() {
                *worker = None; // Stuck: it ends when the callback returns.
            }
            rest = behind.unwrap_or_default();
        }
        rest.iter().for_each(|observable| self.show_late(observable));
    }

    fn sight(&self) -> Sight {
        Sight { storage: self.storage.clone(), clock: clock::manual_clock() }
    }
}

/// Ends the thread until the next read. A cycle that still runs at `by` keeps it.
pub(crate) fn release(by: Instant) {
    if let Some(mut worker) = COLLECTOR.get().try_lock_until(by) {
        *worker = None;
    }
}

impl Worker {
    /// The thread; starts it if there is none.
    fn running(slot: &mut Option<Self>) -> std::io::Result<&Self> {
        match slot {
            Some(worker) => Ok(worker),
            None => {
                let (cycles, next) = unbounded();
                let run = move || work(&next);
                thread::Builder::new().name("bellwether-collect".to_owned()).spawn(run)?;
                Ok(slot.insert(Self { cycles }))
            }
        }
    }

    /// Runs the callbacks. If one of them overruns, returns those after it.
    fn run<'a>(
        &self,
        observables: &'a [Arc<Observable>],
        look: &mut Look<'_>,
    ) -> Option<&'a [Arc<Observable>]> {
        let (tell, returned) = bounded(observables.len());
        let given_up = Arc::new(AtomicBool::new(false));
        let cycle = Cycle {
            observables: observables.to_vec(),
            sight: look.sight(),
            returned: tell,
            given_up: given_up.clone(),
        };
        let _ = self.cycles.send(cycle); // A thread that has ended sends nothing, like a stuck one.
        for awaited in 0..observables.len() {
            let wait = look.until(observables[awaited].patience());
            if let Ok(place) = returned.recv_deadline(wait) {
                look.families.extend(observables[place].take(look.storage));
                continue;
            }
            given_up.store(true, Relaxed);
            // Values that arrived in this instant are not late.
            let mut next = awaited;
            for place in returned.try_iter() {
                look.families.extend(observables[place].take(look.storage));
                next = place + 1;
            }
            let stuck = observables.get(next)?;
            look.stuck.push(stuck.clone());
            look.families.extend(stuck.late(look.storage));
            return Some(&observables[next + 1..]);
        }
        None
    }
}

impl Sight {
    /// What this thread sees.
    pub(crate) fn of_this_thread() -> Self {
        Self { storage: cells::current_storage(), clock: clock::manual_clock() }
    }

    /// Runs `call` on another thread, with the same values and clock.
    pub(crate) fn show<T>(&self, call: impl FnOnce() -> T) -> T {
        let Self { storage, clock } = self;
        let _storage = storage.is_scoped().then(|| cells::enter(Some(storage.clone())));
        let _clock = clock.clone().map(|clock| clock::enter(Some(clock)));
        call()
    }
}

/// Begins a run that no reader waits for.
fn run_apart(observable: &Arc<Observable>, sight: Sight) {
    let Some(run) = observable.begin() else { return };
    let call = move || {
        COLLECTS_FOR.set(process::generation());
        sight.show(|| run.run(&sight.storage));
    };
    let thread = thread::Builder::new().name("bellwether-late".to_owned()).spawn(call);
    if let Err(error) = thread {
        let text = format_args!("cannot start the thread of a slow callback: {error}");
        diagnostics::report("callback", text);
    }
}

fn work(cycles: &Receiver<Cycle>) {
    COLLECTS_FOR.set(process::generation());
    for Cycle { observables, sight, returned, given_up } in cycles {
        sight.show(|| {
            for (place, observable) in observables.iter().enumerate() {
                if let Some(run) = observable.begin() {
                    run.run(&sight.storage);
                }
                if given_up.load(Relaxed) || returned.send(place).is_err() {
                    break;
                }
            }
        });
    }
}
