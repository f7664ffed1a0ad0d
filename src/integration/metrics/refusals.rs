//! What the recorder did not take, counted by reason.

use bellwether_macros::Labels;

use crate::metric::{Counter, Unit};

static REFUSED: Counter<Refused> = Counter::new(
    "telemetry.facade.refused",
    "What the recorder of the metrics facade did not take",
)
.unit(Unit::new("{item}"));

/// Why something was not taken.
#[derive(Labels, Clone, Copy, Debug)]
pub(super) enum Refusal {
    /// A look-up of a name beyond the limit.
    Name,
    /// A description of a name beyond the limit.
    Description,
    /// A unit that came after the name was registered.
    LateUnit,
    /// An absolute value of a counter beyond the limit of series.
    AbsoluteOfOverflow,
}

#[derive(Labels, Clone, Copy, Debug)]
struct Refused {
    reason: Refusal,
}

pub(super) fn refuse(reason: Refusal) {
    REFUSED.with(Refused { reason }).inc();
}
