//! A thread's own values, spans, logs and clock during a test.

use std::{cell::RefCell, fmt, marker::PhantomData, sync::Arc, time::Duration};

use super::{assert, tree};
use crate::{
    alert::{self, Alert, Rule, Standalone, Transition},
    cells,
    clock::{self, ManualClock},
    error::Error,
    log::{self, Captured, LogRecord},
    metric::{Registry, Snapshot},
    sync::Mutex,
    trace::{
        self, SpanRecord, Tracer,
        sampler::{AlwaysOn, EverySpan},
    },
};

/// Begins a scope on this thread. Until it is dropped, everything recorded here is in the scope and
/// nowhere else, time stands still unless the scope advances it, every span is sampled, and every log
/// record is kept, of whatever level.
///
/// Scopes nest: the inner one sees nothing of the outer, which continues when the inner one is dropped.
/// They may be dropped in any order; the thread is in the latest one that is left. The cells of a
/// scope, some kilobytes, are not freed before the process ends.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{Counter, testing};
///
/// static ORDERS: Counter = Counter::new("shop.orders", "Orders accepted");
///
/// fn order() {
///     let _span = bellwether::span("order").enter();
///     ORDERS.inc();
/// }
///
/// let scope = testing::scope();
/// order();
/// scope.assert_value("shop.orders", &[], 1.0);
/// assert_eq!(scope.span("order").name(), "order");
/// assert_eq!(scope.span_tree(), "order ok\n");
/// ```
pub fn scope() -> Scope {
    let inner = Arc::new(Inner::new());
    let entered = Entered::new(&inner);
    Scope { inner, _entered: entered }
}

/// A running scope; see [`scope`].
#[must_use = "dropping it ends the scope"]
pub struct Scope {
    inner: Arc<Inner>,
    _entered: Entered,
}

/// The contents of a scope, shared by every thread that carries it.
pub(super) struct Inner {
    storage: Arc<cells::Storage>,
    tracer: Arc<Tracer>,
    spans: Arc<Mutex<Vec<SpanRecord>>>,
    logs: Captured,
    clock: ManualClock,
}

/// A thread's stay in a scope, until it is dropped.
///
/// Stays may end in any order (`scope = testing::scope()` begins the new one before the old one ends):
/// the thread is in the latest that has not ended.
pub(super) struct Entered {
    number: u64,
    not_send: PhantomData<*const ()>, // It is an entry in this thread's list.
}

/// The stays of this thread, and what the latest one has replaced.
struct Stays {
    next: u64,
    scopes: Vec<(u64, Arc<Inner>)>,
    swapped: Option<Swapped>,
}

/// The clock, the cells, the tracer and the logs of a scope, which replace those outside any scope.
struct Swapped {
    _clock: clock::Entered,
    _storage: cells::Entered,
    _tracer: trace::Entered,
    _logs: log::Entered,
}

thread_local! {
    static STAYS: RefCell<Stays> =
        const { RefCell::new(Stays { next: 0, scopes: Vec::new(), swapped: None }) };
}

/// The current scope of this thread.
pub(super) fn current() -> Option<Arc<Inner>> {
    STAYS.with_borrow(|stays| stays.scopes.last().map(|(_, inner)| inner.clone()))
}

impl Stays {
    /// Installs the latest scope, after another one began or ended.
    fn swap(&mut self) {
        self.swapped = None; // Restores first what was there without any scope.
        self.swapped = self.scopes.last().map(|(_, inner)| Swapped {
            _clock: clock::enter(Some(inner.clock.clone())),
            _storage: cells::enter(Some(inner.storage.clone())),
            _tracer: trace::enter(Some(inner.tracer.clone())),
            _logs: log::enter(inner.logs.clone()),
        });
    }
}

impl Inner {
    fn new() -> Self {
        let clock = ManualClock::new();
        // The storage notes when recording began, by the scope's own clock.
        let _installed = clock::enter(Some(clock.clone()));
        let spans = Arc::new(Mutex::new(Vec::new()));
        let sink = spans.clone();
        let tracer = Tracer::builder(move |batch: &mut Vec<SpanRecord>| sink.lock().append(batch));
        let tracer = tracer.sampler(EverySpan::new(AlwaysOn)).build();
        let (storage, logs) = (cells::Storage::new(true), Arc::default());
        Self { storage, tracer, spans, logs, clock }
    }

    fn spans(&self) -> Vec<SpanRecord> {
        self.tracer.collect();
        self.spans.lock().clone()
    }

    fn snapshot(&self) -> Snapshot {
        Registry::global().snapshot_of(&self.storage)
    }
}

impl Entered {
    pub(super) fn new(inner: &Arc<Inner>) -> Self {
        STAYS.with_borrow_mut(|stays| {
            let number = stays.next;
            stays.next += 1;
            stays.scopes.push((number, inner.clone()));
            stays.swap();
            Self { number, not_send: PhantomData }
        })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // The contents of the scope are dropped after the borrow ends: this may be the last reference.
        let _ended = STAYS.try_with(|stays| {
            let mut stays = stays.borrow_mut();
            let place = stays.scopes.iter().position(|(number, _)| *number == self.number)?;
            let ended = stays.scopes.remove(place);
            stays.swap();
            Some(ended)
        });
    }
}

impl Scope {
    /// The clock. It stands still unless it is advanced.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.inner.clock
    }

    /// Moves the clock forward.
    pub fn advance(&self, step: Duration) {
        self.inner.clock.advance(step);
    }

    /// The series of statics that were used in the scope.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.inner.snapshot()
    }

    /// The number of the series `name` with exactly these labels: a sum, a gauge's value, a histogram's
    /// count. A series that was not used is 0.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        assert::value(&self.snapshot(), name, labels)
    }

    /// Asserts [`value`](Self::value).
    ///
    /// # Panics
    ///
    /// Panics if the number differs, and lists the existing series of `name`.
    ///
    /// Panics too, even if 0 is expected, if no instrument of the process is called `name`, or if none
    /// of its series has these labels or could have them. The message then names the nearest. A closed
    /// label set has all of its combinations. An instrument is known once it was used, or after a call
    /// of [`register`](crate::Counter::register).
    #[track_caller]
    pub fn assert_value(&self, name: &str, labels: &[(&str, &str)], expected: f64) {
        assert::assert_value(&self.snapshot(), name, labels, expected);
    }

    /// The spans that have ended in the scope, in the order of their ends on each thread.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanRecord> {
        self.inner.spans()
    }

    /// The only span called `name`.
    ///
    /// # Panics
    ///
    /// Panics unless exactly one span of that name has ended. The message names the nearest and prints
    /// those that have ended.
    #[must_use]
    #[track_caller]
    pub fn span(&self, name: &str) -> SpanRecord {
        assert::one_span(self.spans(), name)
    }

    /// The spans that have ended, as text to compare with what a test expects. Children are indented
    /// below their parents in the order of their starts, each with its outcome and attributes.
    #[must_use]
    pub fn span_tree(&self) -> String {
        tree::render(&self.spans())
    }

    /// What was logged in the scope, in the order of the calls on each thread.
    ///
    /// # Examples
    ///
    /// ```
    /// let scope = bellwether::testing::scope();
    /// bellwether::debug!("cart {} is paid", 7, user = "ann");
    /// let [record] = scope.logs().try_into().unwrap();
    /// assert_eq!(record.body().to_string(), "cart 7 is paid");
    /// ```
    #[must_use]
    pub fn logs(&self) -> Vec<LogRecord> {
        let _muted = crate::context::mute(); // An allocator that logs would wait for this lock.
        self.inner.logs.lock().clone()
    }

    /// Alert rules over the series of the scope, evaluated whenever [`tick`](Alerts::tick) is called.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`](crate::Builder::start), for rules that cannot be evaluated.
    pub fn alerts(&self, rules: Vec<Rule>) -> Result<Alerts, Error> {
        let engine = Standalone::new(rules, alert::Settings::default())?;
        Ok(Alerts { inner: self.inner.clone(), engine })
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("clock", &self.inner.clock).finish_non_exhaustive()
    }
}

/// Alert rules over a scope's series; see [`Scope::alerts`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{Counter, alert::{AlertState, Rule, series}, testing};
///
/// static FAILURES: Counter = Counter::new("job.failures", "Jobs that failed");
///
/// let scope = testing::scope();
/// let minute = Duration::from_secs(60);
/// let rule = Rule::new("JobFails", series("job.failures").increase(minute).above(0.0));
/// let mut alerts = scope.alerts(vec![rule])?;
/// FAILURES.inc();
/// alerts.tick();
/// FAILURES.inc();
/// scope.advance(Duration::from_secs(1));
/// alerts.tick();
/// alerts.assert_state("JobFails", AlertState::Firing);
/// # Ok::<(), bellwether::Error>(())
/// ```
pub struct Alerts {
    inner: Arc<Inner>,
    engine: Standalone,
}

impl Alerts {
    /// Evaluates all rules at the time of the scope's clock; a second tick within a second does
    /// nothing.
    pub fn tick(&mut self) -> Vec<Transition> {
        let tick = self.engine.tick(&self.inner.snapshot());
        tick.report();
        tick.transitions
    }

    /// Every alert that is pending or firing, or was resolved within the last 15 minutes.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        self.engine.board().alerts()
    }

    /// Asserts that `rule` has an alert in `state`.
    ///
    /// # Panics
    ///
    /// Panics if it has none, and lists the existing alerts.
    #[track_caller]
    pub fn assert_state(&self, rule: &str, state: alert::AlertState) {
        let alerts = self.alerts();
        let found = alerts.iter().any(|alert| alert.name() == rule && alert.state() == state);
        assert!(found, "no alert of {rule} is {}; the alerts: {alerts:#?}", state.as_str());
    }
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alerts").field("engine", &self.engine).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::{
        Counter,
        testing::{Carry, carry},
    };

    static EVENTS: Counter = Counter::new("test.testing.events", "");

    #[test]
    fn a_scope_starts_empty_and_leaves_nothing_behind() {
        for _ in 0..2 {
            let scope = scope();
            EVENTS.inc();
            drop(crate::span("work").enter());
            scope.assert_value("test.testing.events", &[], 1.0);
            assert_eq!(scope.spans().len(), 1);
        }
        assert_eq!(EVENTS.value(), 0);
    }

    #[test]
    fn a_scope_that_takes_the_place_of_another_is_the_one_that_counts() {
        let mut latest = scope();
        for round in 1..=3 {
            latest = scope();
            EVENTS.add(round);
            latest.assert_value("test.testing.events", &[], round as f64);
        }
        drop(latest);
        assert_eq!(EVENTS.value(), 0);
    }

    #[test]
    fn a_carried_future_that_is_dropped_ends_in_its_scope() {
        struct Late;
        impl Drop for Late {
            fn drop(&mut self) {
                EVENTS.inc();
            }
        }
        let scope = scope();
        let late = Late;
        let pending = async move {
            let _late = late;
            std::future::pending::<()>().await;
        }
        .carried();
        let late = Late;
        let uncalled = carry(move || drop(late));
        thread::spawn(move || drop((pending, uncalled))).join().unwrap();
        scope.assert_value("test.testing.events", &[], 2.0);
    }

    #[test]
    fn a_thread_is_in_the_scope_only_where_it_is_carried() {
        let scope = scope();
        thread::spawn(carry(|| EVENTS.add(2))).join().unwrap();
        thread::spawn(|| {
            let _other = super::scope();
            EVENTS.add(40);
        })
        .join()
        .unwrap();
        scope.assert_value("test.testing.events", &[], 2.0);
    }

    #[test]
    fn a_spawned_future_is_in_the_scope_where_it_is_carried() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let scope = scope();
        let work = async {
            for _ in 0..10 {
                let _span = crate::span("step").enter();
                EVENTS.inc();
            }
            tokio::task::yield_now().await;
            EVENTS.inc();
        };
        runtime.block_on(runtime.spawn(work.carried())).unwrap();
        scope.assert_value("test.testing.events", &[], 11.0);
        assert_eq!(scope.spans().len(), 10);
    }

    #[test]
    fn time_stands_still_until_it_is_advanced() {
        let scope = scope();
        let span = crate::span("wait").start();
        scope.advance(Duration::from_secs(3));
        drop(span);
        let span = scope.span("wait");
        assert_eq!(span.duration(), Duration::from_secs(3));
    }

    #[test]
    #[should_panic(expected = "is 0, not 1")]
    fn a_wrong_value_panics_with_what_there_is() {
        scope().assert_value("test.testing.events", &[], 1.0);
    }

    /// What `assert` panics with.
    fn told(assert: impl FnOnce()) -> String {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(assert));
        let told = panic.expect_err("it should panic").downcast::<String>();
        *told.expect("a text")
    }

    #[test]
    fn a_span_that_is_not_there_is_counted_as_none() {
        let scope = scope();
        drop(crate::span("work").enter());
        let missing = told(|| drop(scope.span("wrok")));
        assert!(missing.starts_with("0 spans called \"wrok\""), "{missing}");
        assert!(missing.contains("the nearest is \"work\""), "{missing}");
        drop(crate::span("work").enter());
        let twice = told(|| drop(scope.span("work")));
        assert!(twice.starts_with("2 spans called \"work\""), "{twice}");
    }

    #[derive(bellwether_macros::Labels, Clone, Copy)]
    struct Answer {
        is_ok: bool,
        tenant: &'static str,
    }

    #[derive(bellwether_macros::Labels, Clone, Copy)]
    struct Door {
        open: bool,
    }

    static ANSWERS: Counter<Answer> = Counter::new("test.testing.answers", "");
    static DOORS: Counter<Door> = Counter::new("test.testing.doors", "");

    #[test]
    fn a_name_that_no_instrument_has_is_not_zero_and_the_nearest_is_named() {
        let scope = scope();
        ANSWERS.with(Answer { is_ok: true, tenant: "a" }).inc();
        let told = told(|| scope.assert_value("test.testing.anwsers", &[], 0.0));
        assert!(told.contains("the nearest is \"test.testing.answers\""), "{told}");
    }

    #[test]
    fn labels_that_no_series_has_are_not_zero_and_the_nearest_are_named() {
        let scope = scope();
        ANSWERS.with(Answer { is_ok: true, tenant: "a" }).inc();
        ANSWERS.with(Answer { is_ok: false, tenant: "bcdef" }).inc();
        for (labels, nearest) in [
            (&[("is_ok", "true"), ("tenent", "a")][..], r#"{is_ok="true", tenant="a"}"#),
            (&[("is_ok", "flase"), ("tenant", "bcdef")], r#"{is_ok="false", tenant="bcdef"}"#),
            (&[], r#"{is_ok="true", tenant="a"}"#),
        ] {
            let told = told(|| scope.assert_value("test.testing.answers", labels, 0.0));
            assert!(told.contains(&format!("the nearest has {nearest}")), "{told}");
        }
    }

    #[test]
    fn what_was_not_recorded_and_can_be_is_zero() {
        let scope = scope();
        EVENTS.register();
        DOORS.with(Door { open: true }).inc();
        scope.assert_value("test.testing.events", &[], 0.0);
        scope.assert_value("test.testing.doors", &[("open", "false")], 0.0);
        let told = told(|| scope.assert_value("test.testing.doors", &[("open", "flase")], 0.0));
        assert!(told.contains(r#"the nearest has {open="false"}"#), "{told}");
    }
}
