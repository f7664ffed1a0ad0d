//! What the metrics have to say about themselves, as ordinary instruments.

use super::{Counter, Unit};
use crate::label::Labels;

/// Why a measurement was not recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rejection {
    Nan,
    Infinite,
    Negative,
    /// The instrument lost a conflict.
    Disabled,
    /// The instrument has a range that the value is not in.
    OutOfRange,
}

pub(crate) static REJECTED: Counter<Rejection> =
    Counter::new("telemetry.measurements.rejected", "Measurements not recorded, by reason")
        .unit(Unit::new("{measurement}"));

pub(crate) static CLAMPED: Counter = Counter::new(
    "telemetry.measurements.clamped",
    "Measurements recorded as the nearer end of their instrument's range",
)
.unit(Unit::new("{measurement}"));

pub(crate) static TRUNCATED: Counter =
    Counter::new("telemetry.labels.truncated", "Label values of new series cut at 1,024 bytes")
        .unit(Unit::new("{value}"));

static EXEMPLARS: Counter<ExemplarFault> = Counter::new(
    "telemetry.exemplars.rejected",
    "Labels of exemplars that were left out, and exemplars without room, by reason",
)
.unit(Unit::new("{item}"));

/// Why an exemplar, or a label of one, was left out.
#[derive(Clone, Copy, Debug, PartialEq, bellwether_macros::Labels)]
#[label(name = "reason")]
pub(crate) enum ExemplarFault {
    EmptyKey,
    ReservedKey,
    DuplicateKey,
    TooLong,
    /// The registry's budget of bytes is used up.
    NoRoom,
}

/// Counts one that was left out.
#[cold]
pub(crate) fn exemplar_rejected(fault: ExemplarFault) {
    EXEMPLARS.with(fault).inc();
}

static CALLBACKS: Counter<CallbackFault> =
    Counter::new("telemetry.callbacks.failed", "Callbacks that told nothing, by reason")
        .unit(Unit::new("{call}"));

/// Why a callback told nothing.
#[derive(Clone, Copy, Debug, bellwether_macros::Labels)]
#[label(name = "reason")]
pub(crate) enum CallbackFault {
    Panicked,
    /// It took too long, and was given up.
    Overran,
    /// It was still running, or could not be run.
    Skipped,
}

/// Counts calls that told nothing.
#[cold]
pub(crate) fn callback_failed(fault: CallbackFault, calls: usize) {
    CALLBACKS.with(fault).add(calls as u64);
}

static OVERFLOWED: Counter<Overflowed> =
    Counter::new(OVERFLOWED_NAME, "Look-ups and observations that were beyond a limit of series")
        .unit(Unit::new("{lookup}"));

/// Counts one look-up that ended in the overflow series of the instrument called `name`.
#[cold]
pub(crate) fn overflowed(name: &'static str) {
    overflowed_by(name, 1);
}

/// Counts so many look-ups or observations of the instrument called `name` that were beyond its limit.
#[cold]
pub(crate) fn overflowed_by(name: &'static str, n: u64) {
    // The count of overflows would count its own without end.
    if name != OVERFLOWED_NAME {
        OVERFLOWED.with(Overflowed { instrument: name }).add(n);
    }
}

const OVERFLOWED_NAME: &str = "telemetry.series.overflowed";

#[derive(bellwether_macros::Labels)]
struct Overflowed {
    instrument: &'static str,
}

/// Counts one measurement that is not recorded.
#[cold]
pub(crate) fn reject(reason: Rejection) {
    REJECTED.bind(reason).inc_if_enabled();
}

impl Labels for Rejection {
    const KEYS: &'static [&'static str] = &["reason"];
    const CARDINALITY: Option<usize> = Some(5);

    fn index(&self) -> usize {
        *self as usize
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each(NAMES[self.index()]);
    }

    fn at(index: usize) -> Vec<std::borrow::Cow<'static, str>> {
        vec![NAMES[index].into()]
    }
}

const NAMES: [&str; 5] = ["nan", "infinite", "negative", "disabled", "out_of_range"];
