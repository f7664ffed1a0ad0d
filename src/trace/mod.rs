//! Spans: started, nested, carried over awaits, sampled, and handed to exporters.
//!
//! [`span`] begins one. Its [`SpanScope`] makes it the parent of what starts on the thread while it
//! lasts; a [`Span`] goes where it is moved, and with a future by [`InSpan`]. A [`sampler`] decides which
//! spans are recorded; they go to their routes when they have ended. [`extract`] and [`inject`] carry
//! the context over process boundaries.
//!
//! Without telemetry (disabled, not started, shut down) a span costs one relaxed load, and what a caller
//! sent goes on as it came: a span's context is its parent's. Threads of exporters are [muted](mute),
//! which is the same for one thread. Recording one neither blocks nor, once the
//! thread has touched its memory, allocates for more than the attributes it is given.

mod active;
mod future;
mod limits;
mod local;
mod propagator;
mod record;
pub mod sampler;
mod span;
mod stack;
mod start;
#[cfg(test)]
mod tests;
mod tracer;

pub use future::{InSpan, Instrumented};
pub use limits::SpanLimits;
#[doc(hidden)]
pub use local::{Entered, enter};
pub use propagator::{Extractor, Injector, extract, inject, inject_context};
pub use record::{Event, Link, SpanKind, SpanRecord, Status};
pub use span::{Span, SpanBuilder, SpanScope, add_event, set_attribute, set_status, span};
#[doc(hidden)]
pub use tracer::{SpanSink, Tracer, TracerBuilder, install, uninstall};

pub use crate::context::{Muted, mute};
