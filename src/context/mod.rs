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

pub(crate) use current::{is_sampled, swap};
pub(crate) use muted::{is_muted, tune, tuned};
pub(crate) use state::{Members, trim};
