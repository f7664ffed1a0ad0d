//! A scope for the whole process: what all threads record after its start.

use std::{
    fmt,
    sync::Arc,
    thread::{self, ThreadId},
    time::Duration,
};

use parking_lot::Condvar;

use super::{assert, tree};
use crate::{
    cells,
    metric::{Registry, Snapshot},
    sync::Mutex,
    trace::{
        self, SpanRecord, Tracer,
        sampler::{AlwaysOn, EverySpan},
    },
};

/// Begins a scope for all threads of the process. It sees what is recorded from then on by any thread
/// that is in no [`scope`](super::scope) of its own, and every span that ends.
///
/// Use it for code that a test cannot [carry](super::carry) its scope into, such as tasks that a server
/// spawns on a multi-threaded runtime. Counters, up-down counters, histograms, and counts and sums of
/// summaries are differences from their values at the start. Gauges, states and windows have their
/// current values. Time is real, and nothing is reset at the end.
///
/// Only one exists at a time: a second waits for the first to end, for at most five minutes. It also
/// sees other tests of the same process that record without a scope at the same time. Give those a
/// `scope`, or put this test into a test binary of its own.
///
/// While it lives, every span is sampled and goes to it, not to telemetry that was started before. So
/// begin it after that start, and end it before the shutdown.
///
/// # Panics
///
/// Panics if this thread has begun one that has not ended, or after waiting for five minutes.
///
/// # Examples
///
/// ```
/// use bellwether::{Counter, testing};
///
/// static SERVED: Counter = Counter::new("shop.served", "Requests served");
///
/// SERVED.add(7);
/// let scope = testing::process_scope();
/// let server = std::thread::spawn(|| {
///     let _span = bellwether::span("serve").enter();
///     SERVED.inc();
/// });
/// server.join().unwrap();
/// scope.assert_value("shop.served", &[], 1.0);
/// assert_eq!(scope.span_tree(), "serve ok\n");
/// ```
#[track_caller]
pub fn process_scope() -> ProcessScope {
    let turn = Turn::take(PATIENCE);
    let spans = Arc::new(Mutex::new(Vec::new()));
    let sink = spans.clone();
    let tracer = Tracer::builder(move |batch: &mut Vec<SpanRecord>| sink.lock().append(batch));
    let tracer = tracer.sampler(EverySpan::new(AlwaysOn)).build();
    let storage = {
        let _outside = cells::enter(None);
        cells::current_storage()
    };
    let before = Registry::global().unviewed_snapshot_of(&storage);
    let replaced = trace::install(tracer.clone());
    ProcessScope { storage, before, tracer, spans, replaced, _turn: turn }
}

/// A running scope of the process; see [`process_scope`].
#[must_use = "dropping it ends the scope"]
pub struct ProcessScope {
    storage: Arc<cells::Storage>,
    before: Snapshot,
    tracer: Arc<Tracer>,
    spans: Arc<Mutex<Vec<SpanRecord>>>,
    replaced: Option<Arc<Tracer>>,
    _turn: Turn, // Last: the next one begins when all else has ended.
}

impl ProcessScope {
    /// The series of the process, as differences from those at the start.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let registry = Registry::global();
        let now = registry.unviewed_snapshot_of(&self.storage);
        registry.views().apply(now.differences_from(&self.before))
    }

    /// The number of the series `name` with exactly these labels; as
    /// [`Scope::value`](super::Scope::value).
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        assert::value(&self.snapshot(), name, labels)
    }

    /// Asserts [`value`](Self::value).
    ///
    /// # Panics
    ///
    /// As [`Scope::assert_value`](super::Scope::assert_value).
    #[track_caller]
    pub fn assert_value(&self, name: &str, labels: &[(&str, &str)], expected: f64) {
        assert::assert_value(&self.snapshot(), name, labels, expected);
    }

    /// The spans that have ended on any thread since the start, in the order of their ends on each
    /// thread.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanRecord> {
        self.tracer.collect();
        self.spans.lock().clone()
    }

    /// The only span called `name`.
    ///
    /// # Panics
    ///
    /// As [`Scope::span`](super::Scope::span).
    #[must_use]
    #[track_caller]
    pub fn span(&self, name: &str) -> SpanRecord {
        assert::one_span(self.spans(), name)
    }

    /// The spans that have ended, as text; as [`Scope::span_tree`](super::Scope::span_tree).
    #[must_use]
    pub fn span_tree(&self) -> String {
        tree::render(&self.spans())
    }
}

impl Drop for ProcessScope {
    fn drop(&mut self) {
        let installed = trace::uninstall();
        let is_own = installed.as_ref().is_some_and(|tracer| Arc::ptr_eq(tracer, &self.tracer));
        // If another one was installed meanwhile, it stays.
        let next = if is_own { self.replaced.take() } else { installed };
        next.map(trace::install);
    }
}

impl fmt::Debug for ProcessScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessScope").field("since", &self.before.taken()).finish_non_exhaustive()
    }
}

/// How long a second scope waits for the first. Arbitrary, and longer than a test should take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The thread that began the scope that is running. Nothing is locked inside it.
static HOLDER: Mutex<Option<ThreadId>> = Mutex::new(None);
static ENDED: Condvar = Condvar::new();

/// The right to be the scope of the process.
struct Turn(());

impl Turn {
    #[track_caller]
    fn take(patience: Duration) -> Self {
        let own = thread::current().id();
        let mut holder = HOLDER.lock();
        let is_own = *holder == Some(own);
        let timed_out = !is_own
            && ENDED.wait_while_for(&mut holder, |holder| holder.is_some(), patience).timed_out();
        if !is_own && !timed_out {
            *holder = Some(own);
            return Self(());
        }
        drop(holder);
        match is_own {
            true => panic!("this thread has begun a scope of the process that has not ended"),
            false => panic!("another scope of the process has not ended within {patience:?}"),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *HOLDER.lock() = None;
        ENDED.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn a_second_scope_of_the_process_waits_and_one_of_the_same_thread_panics() {
        let turn = Turn::take(PATIENCE);
        let same = catch_unwind(|| Turn::take(PATIENCE)).map(drop).unwrap_err();
        assert!(same.downcast_ref::<&str>().unwrap().contains("this thread has begun"));
        let late = thread::spawn(|| Turn::take(Duration::ZERO)).join().map(drop).unwrap_err();
        assert!(late.downcast_ref::<String>().unwrap().contains("has not ended within 0ns"));
        let waiting = thread::spawn(|| drop(Turn::take(PATIENCE)));
        drop(turn);
        waiting.join().unwrap();
    }
}
