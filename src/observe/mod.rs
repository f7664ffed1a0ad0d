//! Measures operations: a histogram of their durations, an up-down counter of those in progress, and a
//! span, all from the same two readings of the clock.
//!
//! The macros [`time!`](crate::time!) and [`#[observe]`](macro@observe) expand to a static [`Operation`] and a guard.
//! The guard notes in one byte where the code is (`?`, `.await`, past its value), so that a drop
//! knows which of the four [outcomes](crate::context::Outcome) it is:
//!
//! ```text
//!            start ──► running ──► value is there ──► drop: ok or error
//!                       │   ▲
//!  E? that leaves ─► question │ ─────────────────────► drop: error
//!        E.await ─► awaiting ┘ ─────────────────────► drop: cancelled
//!  return, break ──► running ───────────────────────► drop: ok
//!            a panic that began after the start ────► drop: panic
//! ```
//!
//! At a `?` that leaves, and at a value that is an `Err`, the guard hears of the error too (`place::Keeper`):
//! what can be said of it, `probe` finds out without a bound on anything of the user's.
//!
//! The future of an observed `async` function sees its own output, and a drop before that is a
//! cancellation; of the marks it needs only `?`, since a `None` does not say who returned it. A function
//! that returns a future hands its operation over to that (`scope::Scope::hand_over`).
//!
//! Whoever is in an operation has a count of its own of the bundles that measure it (`context/measured.rs`):
//! a scope, and a future at each poll, puts it there and puts back the one of the operation around.

mod field;
mod future;
mod macros;
mod operation;
mod place;
mod probe;
mod scope;

pub use field::Field;
pub use macros::{Labels, observe};
pub use operation::{Operation, OperationTimer};

/// What the macros expand to; not for use by hand, and may change in any release.
#[doc(hidden)]
pub mod __private {
    pub use super::{
        future::{Awaiting, Followed, Observed, follow},
        place::{Keeper, Marks, Place, end, question, value},
        probe::{DynError, Ending, HoldsError, IsError, IsResult, IsShown, Question, Said, never},
        scope::{Begun, NO_FIELDS, Scope, Started},
    };
    pub use crate::label::{
        closed::{Interned, List, Number, Range, Words, cardinality, places},
        keys::{Keys, Prefixed},
    };
    pub use bellwether_macros::{count, gauge, histogram, time};
}
