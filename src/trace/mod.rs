//! Spans: how they are started, nested, carried across awaits, sampled, and exported.
//!
//! [`span`] configures a span. Entered, its [`SpanScope`] makes it the parent of spans that start on the
//! thread until the scope ends. A [`Span`] that is not entered can be moved between threads, or attached
//! to a future by [`InSpan`]. A [`sampler`] decides which spans are recorded; they go to their routes
//! when they have ended. [`extract`] and [`inject`] carry the context over process boundaries.
//!
//! Without telemetry (disabled, not started, shut down) a span costs one relaxed load, and the
//! context that a caller sent is passed on unchanged. The threads of exporters are [muted](mute): the
//! same holds there. Recording a span does not block. Records that were exported are used again, so that
//! in the long run only what is long allocates: arrays, texts of more than 22 bytes that are not static,
//! names and keys that are made at run time. What one span may hold is limited ([`SpanLimits`]), and what
//! is beyond is counted.

mod active;
mod buffer;
mod finished;
mod future;
mod kept;
mod limits;
mod local;
mod parts;
mod propagator;
mod record;
pub mod sampler;
mod span;
mod spare;
mod stack;
mod start;
mod stock;
#[cfg(test)]
mod tests;
mod tracer;

pub use future::{InSpan, Instrumented};
pub use limits::SpanLimits;
#[doc(hidden)]
pub use local::{Entered, enter};
pub use parts::{Event, Link, SpanKind, Status};
pub use propagator::{Extractor, Injector, extract, inject, inject_context};
pub use record::SpanRecord;
pub use span::{Span, SpanBuilder, SpanScope, add_event, set_attribute, set_status, span};
pub(crate) use tracer::trim;
#[doc(hidden)]
pub use tracer::{SpanSink, Tracer, TracerBuilder, install, uninstall};

pub use crate::context::{Muted, mute};
