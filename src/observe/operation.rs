//! The instruments of an operation, and the guard that records into them.

use std::ops::Deref;

use super::place::{Keeper, Marks};
use crate::{
    clock::{self, Ticks},
    context::{Measured, Outcome},
    metric::{Histogram, Unit, UpDownCounter},
    trace::{self, Failure},
};

/// Something that is done again and again and takes time: a query, a request, a function.
///
/// Its histogram counts how often it was done, how long it took and with which
/// [outcome](Outcome); its up-down counter has how many are under way. [`time!`](crate::time!) and
/// [`#[observe]`](macro@super::observe) write the static and the guard themselves; by hand it is for
/// operations that begin and end in different functions.
///
/// # Examples
///
/// ```
/// use bellwether::{context::Outcome, observe::Operation};
///
/// static IMPORT: Operation = Operation::new("import", "import.duration", "import.active");
///
/// let timer = IMPORT.start();
/// assert_eq!(IMPORT.active(), 1);
/// timer.end(Outcome::Error);
/// assert_eq!((IMPORT.count(Outcome::Error), IMPORT.active()), (1, 0));
/// ```
#[derive(Debug)]
pub struct Operation {
    name: &'static str,
    duration: Histogram<Outcome>,
    active: UpDownCounter,
    is_always_recorded: bool,
}

impl Operation {
    /// An operation for a static: the name of its spans, its histogram and its up-down counter.
    ///
    /// # Panics
    ///
    /// Panics if the name of an instrument is not legal: in a static, that is an error of the build.
    #[must_use]
    #[track_caller]
    pub const fn new(name: &'static str, duration: &'static str, active: &'static str) -> Self {
        Self {
            name,
            duration: Histogram::new(duration, "Duration of the operation, by how it ended")
                .unit(Unit::Seconds),
            active: UpDownCounter::new(active, "Operations under way"),
            is_always_recorded: false,
        }
    }

    /// Has an observed function record its duration also where a bundle measures it.
    #[doc(hidden)]
    #[must_use]
    pub const fn always_recorded(mut self) -> Self {
        self.is_always_recorded = true;
        self
    }

    /// Starts the clock. The end is taken when the guard goes.
    #[must_use = "the operation ends when the timer is dropped"]
    pub fn start(&'static self) -> OperationTimer {
        OperationTimer { marks: Marks::new(), measure: Measure::new(self) }
    }

    pub(super) const fn is_always_recorded(&self) -> bool {
        self.is_always_recorded
    }

    /// The name of its spans.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How many are under way, in the scope that this thread is in.
    #[must_use]
    pub fn active(&self) -> i64 {
        self.active.value()
    }

    /// How many ended with `outcome`, in the scope that this thread is in.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.duration.bind(outcome).snapshot().count()
    }
}

/// An operation under way: records when it is dropped.
///
/// Dropped by a panic that began after the start, the outcome is `panic`; dropped without
/// [`end`](Self::end), it is `ok`. It may be dropped on another thread than it was started on.
#[derive(Debug)]
pub struct OperationTimer {
    measure: Measure,
    marks: Marks,
}

impl OperationTimer {
    /// Ends the operation with `outcome`.
    pub fn end(self, outcome: Outcome) {
        self.marks.at(outcome.into());
    }
}

impl Drop for OperationTimer {
    fn drop(&mut self) {
        self.measure.record(clock::now(), self.marks.outcome());
    }
}

#[doc(hidden)]
impl Deref for OperationTimer {
    type Target = Marks;

    fn deref(&self) -> &Marks {
        &self.marks
    }
}

/// It has no span of its own: what fails is a part of the current one.
impl Keeper for OperationTimer {
    #[inline]
    fn marks(&self) -> &Marks {
        &self.marks
    }

    #[cold]
    fn hear(&self, failure: &Failure<'_>) {
        trace::fail_part(failure, self.measure.start());
    }
}

/// The beginning of an operation, which somebody else must end, once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    operation: &'static Operation,
    start: Ticks,
}

impl Measure {
    #[inline]
    pub(super) fn new(operation: &'static Operation) -> Self {
        operation.active.inc();
        Self { operation, start: clock::now() }
    }

    pub(super) fn start(&self) -> Ticks {
        self.start
    }

    pub(super) fn operation(&self) -> &'static Operation {
        self.operation
    }

    /// Records the time from the start to `end`.
    #[inline]
    pub(super) fn record(&self, end: Ticks, outcome: Outcome) {
        self.operation.duration.with(outcome).record(end.seconds_since(self.start));
        self.operation.active.dec();
    }

    /// As [`record`](Self::record), unless a bundle `measured` the operation.
    #[inline]
    pub(super) fn record_once(&self, end: Ticks, outcome: Outcome, measured: Measured) {
        let is_measured = matches!(measured, Measured::Once | Measured::Outside);
        if is_measured && !self.operation.is_always_recorded {
            self.operation.active.dec();
        } else {
            self.record(end, outcome);
        }
    }
}
