//! What crosses a boundary: of a thread, a task, a process.

use super::{Baggage, SpanContext, SpanId, TraceId};

/// What crosses a boundary of threads, tasks and processes: the span context, and the baggage. Cheap to
/// clone.
///
/// [`extract`](crate::extract) reads one from headers, [`inject`](crate::inject) writes the
/// [current](super::current) one, and a span takes one as its
/// [parent](crate::trace::SpanBuilder::parent).
///
/// # Examples
///
/// ```
/// let headers = [
///     ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
///     ("baggage", "tenant=acme"),
/// ];
/// let caller = bellwether::extract(&headers);
/// assert!(caller.span().is_sampled() && caller.span().is_remote());
/// assert_eq!(caller.baggage().get("tenant").as_deref(), Some("acme"));
///
/// let _request = bellwether::span("GET /").parent(caller).enter();
/// assert_eq!(bellwether::current().baggage().get("tenant").as_deref(), Some("acme"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Context {
    span: SpanContext,
    baggage: Baggage,
}

impl Context {
    /// No span and no baggage.
    pub const NONE: Self = Self::new(SpanContext::NONE, Baggage::EMPTY);

    /// The context of a span, with baggage.
    #[must_use]
    pub const fn new(span: SpanContext, baggage: Baggage) -> Self {
        Self { span, baggage }
    }

    /// The span; [`SpanContext::NONE`] if there is none.
    #[must_use]
    pub const fn span(&self) -> &SpanContext {
        &self.span
    }

    /// The baggage.
    #[must_use]
    pub const fn baggage(&self) -> &Baggage {
        &self.baggage
    }

    /// The trace of the span.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.span.trace_id()
    }

    /// The id of the span.
    #[must_use]
    pub const fn span_id(&self) -> SpanId {
        self.span.span_id()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.span == SpanContext::NONE && self.baggage.is_empty()
    }

    /// The same span with other baggage.
    #[must_use]
    pub fn with_baggage(self, baggage: Baggage) -> Self {
        Self { baggage, ..self }
    }

    /// The same baggage with another span.
    #[must_use]
    pub fn with_span(self, span: SpanContext) -> Self {
        Self { span, ..self }
    }

    pub(crate) fn into_parts(self) -> (SpanContext, Baggage) {
        (self.span, self.baggage)
    }
}

/// Without the baggage.
impl From<Context> for SpanContext {
    fn from(context: Context) -> Self {
        context.span
    }
}

/// Without baggage.
impl From<SpanContext> for Context {
    fn from(span: SpanContext) -> Self {
        Self::new(span, Baggage::EMPTY)
    }
}
