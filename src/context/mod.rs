//! What crosses threads and processes: the span context and the baggage; ids, and outcomes of operations.

mod baggage;
mod boundary;
mod current;
mod exported;
pub(crate) mod hex;
mod id;
mod measured;
mod muted;
mod outcome;
mod span_context;
mod state;

pub use baggage::{Baggage, BaggageEntry};
pub use boundary::Context;
pub use current::current;
pub use id::{SpanId, TraceId};
pub use muted::{Muted, mute};
pub use outcome::Outcome;
pub use span_context::{SpanContext, TraceFlags};
pub use state::TraceState;

pub(crate) use baggage::{Headers as BaggageReader, REQUEST_ID, refused as refused_baggage};
#[cfg(test)]
pub(crate) use current::swap;
pub(crate) use current::{
    Attached, attached, has_attached, ids, is_sampled, replace_span, replace_trace, set_trace,
    span_context, swap_attached,
};
pub(crate) use exported::{
    Export, Exported, ask_whether_exported, export_of, is_export_asked, is_exported,
};
pub(crate) use measured::{Measured, note_measured, replace_measured};
pub(crate) use muted::{is_muted, tune, tuned};
pub(crate) use span_context::{Bits, Ids};
pub(crate) use state::{Members, trim};
