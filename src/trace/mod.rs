//! Spans: how they are started, nested, carried across awaits, sampled, and exported.
//!
//! [`span`] configures a span. Entered, its [`SpanScope`] makes it the parent of spans that start on the
//! thread until the scope ends. A [`Span`] that is not entered can be moved between threads, or attached
//! to a future by [`InSpan`]. A [`sampler`] decides which spans are recorded; they go to their routes
//! when they have ended. [`extract`] and [`inject`] carry the context over process boundaries.
//! [`record_error`] says what failed.
//!
//! Without telemetry (disabled, not started, shut down) a span costs one relaxed load, and the
//! context that a caller sent is passed on unchanged. The threads of exporters are [muted](mute): the
//! same holds there. Recording a span does not block. Records that were exported are used again, so that
//! in the long run only what is long allocates: arrays, texts of more than 22 bytes that are not static,
//! names and keys that are made at run time. What one span may hold is limited ([`SpanLimits`]), and what
//! is beyond is counted.

mod active;
mod as_error;
#[cfg(feature = "opentelemetry")]
mod bridged;
mod buffer;
mod builder;
mod carried;
mod content;
mod current;
mod failure;
#[cfg(feature = "tower")]
mod filling;
mod finished;
mod future;
mod held;
mod in_context;
mod head;
mod kept;
mod limits;
mod local;
mod open_spans;
mod parts;
mod placed;
mod plain;
pub mod propagator;
mod record;
pub mod sampler;
mod seed;
#[cfg(feature = "tracing")]
pub(crate) mod shared;
#[cfg(not(feature = "tracing"))]
#[path = "shared_absent.rs"]
mod shared;
mod span;
mod spare;
mod stack;
mod start;
mod stock;
#[cfg(feature = "stream")]
mod stream;
#[cfg(test)]
mod tests;
mod tracer;
mod watched;
mod watching;

pub use as_error::AsError;
#[cfg(feature = "opentelemetry")]
pub(crate) use bridged::is_held;
pub use builder::{SpanBuilder, span};
pub use carried::{Carried, ContextScope, carry};
pub(crate) use current::fail_part;
pub use current::{add_event, record_error, set_attribute, set_status};
#[cfg(feature = "tracing")]
pub(crate) use current::{is_ok, note_failed};
pub(crate) use failure::ErrorTexts;
#[doc(hidden)]
pub use failure::Failure;
#[cfg(feature = "tower")]
pub(crate) use filling::Filling;
pub use future::{InSpan, Instrumented};
pub use in_context::InContext;
pub use limits::SpanLimits;
#[doc(hidden)]
pub use local::{Entered, enter};
pub use parts::{Event, Link, SpanKind, Status};
pub(crate) use placed::PlacedSpan;
#[doc(no_inline)]
pub use propagator::{extract, inject, inject_context};
pub use record::SpanRecord;
pub use span::{Span, SpanScope};
#[cfg(feature = "tracing")]
pub(crate) use start::is_active;
#[cfg(feature = "stream")]
pub use stream::{InstrumentedStream, StreamInSpan};
#[doc(hidden)]
pub use tracer::{SpanSink, Tracer, TracerBuilder, install, uninstall};
pub(crate) use tracer::{show_exemplars_of, trim};
pub(crate) use watching::OpenSpans;

pub use crate::context::{Muted, mute};
