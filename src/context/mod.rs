//! Trace and span ids, the span context that crosses threads and processes, and outcomes of operations.

mod current;
pub(crate) mod hex;
mod id;
mod muted;
mod outcome;
mod span_context;
mod state;

pub use current::current;
pub use id::{SpanId, TraceId};
pub use muted::{Muted, mute};
pub use outcome::Outcome;
pub use span_context::{SpanContext, TraceFlags};
pub use state::TraceState;

#[cfg(test)]
pub(crate) use current::swap;
pub(crate) use current::{
    has_state, ids, is_sampled, replace_span, replace_trace, set_trace, state, swap_state,
};
pub(crate) use muted::{is_muted, tune, tuned};
pub(crate) use span_context::{Bits, Ids};
pub(crate) use state::{Members, trim};
