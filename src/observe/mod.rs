//! Operations: what joins a histogram, an up-down counter and a span with one time stamp.
//!
//! The macros [`time!`] and [`#[observe]`](macro@observe) expand to a static [`Operation`] and a guard.
//! The guard notes in one byte where the code is (`?`, `.await`, past its value), so that a drop
//! knows which of the four [outcomes](crate::context::Outcome) it is:
//!
//! ```text
//!            start ──► running ──► value is there ──► drop: ok or error
//!                       │   ▲
//!             E? ─► question │ ─────────────────────► drop: error
//!        E.await ─► awaiting ┘ ─────────────────────► drop: cancelled
//!  return, break ──► running ───────────────────────► drop: ok
//!            a panic that began after the start ────► drop: panic
//! ```
//!
//! The future of an observed `async` function sees its own output, and a drop before that is a
//! cancellation; of the marks it needs only `?`, since a `None` does not say who returned it.

mod field;
mod future;
mod macros;
mod operation;
mod place;
mod probe;
mod scope;

pub use field::Field;
pub use macros::{Labels, count, gauge, histogram, observe, time};
pub use operation::{Operation, Timer};

/// What the macros expand to; not for use by hand, and may change in any release.
#[doc(hidden)]
pub mod __private {
    pub use super::{
        future::Observed,
        place::{Marks, Place},
        probe::{AnyValue, Probe, ResultValue, never},
        scope::{Scope, Started, start},
    };
    pub use crate::label::{
        closed::{Interned, List, Number, Range, Words, cardinality, places},
        keys::{Keys, Prefixed},
    };
}
