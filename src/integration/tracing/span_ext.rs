//! What can be asked of a span of `tracing`, and set on it.

use std::{borrow::Cow, sync::Arc};

use ::tracing::Span;
use ::tracing_subscriber::registry::{LookupSpan as _, Registry};

use super::span::{TracedSpan, nearest, traced};
use crate::{
    context::{self, Context, SpanContext},
    label::{KeyValue, Value},
    trace::{self, shared::SharedSpan},
};

/// Parents from afar, links and attributes for spans of `tracing`.
///
/// # Examples
///
/// A request that continues its caller's trace:
///
/// ```
/// use bellwether::integration::tracing::TracingSpanExt as _;
///
/// # let headers: Vec<(String, String)> = Vec::new();
/// let request = tracing::info_span!("GET /orders", otel.kind = "server");
/// request.set_parent(bellwether::extract(&headers));
/// let _entered = request.enter();
/// ```
pub trait TracingSpanExt {
    /// Replaces the parent, and the baggage that is current in the span. `false` if it is too late, because
    /// the span was entered or its context asked for, or if the span is disabled.
    fn set_parent(&self, parent: impl Into<Context>) -> bool;

    /// The span's context, to be a parent elsewhere. That of the nearest ancestor if a filter keeps the span
    /// from the layer; what is [current](crate::current) if the span is disabled.
    fn context(&self) -> Context;

    /// Links to a span that belongs with this one without being its parent.
    fn add_link(&self, context: impl Into<SpanContext>);

    /// Sets the attribute `key`, which need not be a field of the span.
    fn set_attribute(&self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>);
}

impl TracingSpanExt for Span {
    fn set_parent(&self, parent: impl Into<Context>) -> bool {
        let parent = parent.into();
        match own(self) {
            Some(span) => span.set_parent(parent),
            None => carry(self, parent),
        }
    }

    fn context(&self) -> Context {
        let found = self
            .with_subscriber(|(id, dispatch)| nearest(dispatch.downcast_ref::<Registry>()?, id));
        match found.flatten() {
            Some(span) => span.context(),
            None => context::current(),
        }
    }

    fn add_link(&self, context: impl Into<SpanContext>) {
        if let Some(span) = own(self) {
            span.add_link(context.into());
        }
    }

    fn set_attribute(&self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        if let Some(span) = own(self)
            && span.is_open_to_content()
        {
            span.set_attributes(vec![KeyValue::new(key, value)]);
        }
    }
}

fn own(span: &Span) -> Option<Arc<SharedSpan>> {
    span.with_subscriber(|(id, dispatch)| traced(&dispatch.downcast_ref::<Registry>()?.span(id)?))?
}

/// Where nothing is recorded, a parent is handed on all the same.
fn carry(span: &Span, parent: Context) -> bool {
    if trace::is_active() && !context::is_muted() {
        return false;
    }
    let carried = span.with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        let builder = trace::span("").parent(parent);
        let carrier = TracedSpan(Arc::new(SharedSpan::new(builder, None)));
        span.extensions_mut().replace(carrier);
        Some(())
    });
    carried.flatten().is_some()
}
