//! Spans: started, nested, carried over awaits, sampled, and handed to exporters.

mod record;

pub use record::{Event, Link, SpanKind, SpanRecord, Status};
