//! The tracers of the API.

use ::opentelemetry::{
    Context as TheirContext, InstrumentationScope,
    trace::{
        SpanBuilder as TheirBuilder, SpanKind as TheirKind, TraceContextExt as _,
        Tracer as ApiTracer, TracerProvider as ApiTracerProvider,
    },
};

use super::{
    OtelSpan,
    attributes::{Scope, attribute, attributes},
    context, ids,
    instant::instant,
};
use crate::trace::{SpanKind, span};

/// Makes tracers of OpenTelemetry's API whose spans are recorded by us; made by
/// [`tracer_provider`](super::tracer_provider).
#[derive(Clone, Debug)]
pub struct OtelTracerProvider(());

impl OtelTracerProvider {
    pub(super) fn new() -> Self {
        context::observe();
        Self(())
    }
}

impl ApiTracerProvider for OtelTracerProvider {
    type Tracer = OtelTracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> OtelTracer {
        OtelTracer { scope: Scope::of(&scope) }
    }
}

/// Starts spans of OpenTelemetry's API that are recorded by us; made by [`OtelTracerProvider`].
#[derive(Clone, Debug)]
pub struct OtelTracer {
    scope: Scope,
}

impl ApiTracer for OtelTracer {
    type Span = OtelSpan;

    fn build_with_context(&self, theirs: TheirBuilder, parent: &TheirContext) -> OtelSpan {
        if parent.is_telemetry_suppressed() {
            return OtelSpan::unrecorded(parent.span().span_context().clone());
        }
        let mut own = span(theirs.name).kind(kind(theirs.span_kind));
        if let Some(parent) = context::parent(parent) {
            own = own.parent(parent);
        }
        if let Some(start) = theirs.start_time {
            own = own.start_at(instant(start));
        }
        for attribute in self.scope.attributes() {
            own = own.attribute(attribute.key.clone(), attribute.value.clone());
        }
        for theirs in theirs.attributes.iter().flatten() {
            let attribute = attribute(theirs);
            own = own.attribute(attribute.key, attribute.value);
        }
        for link in theirs.links.iter().flatten() {
            own = own.link_with(ids::to_ours(&link.span_context), attributes(&link.attributes));
        }
        let mut own = own.start();
        if own.is_recording() {
            for event in theirs.events.into_iter().flatten() {
                let attributes = event.attributes.iter().map(attribute);
                own.add_event_at(event.name, instant(event.timestamp), attributes);
            }
        }
        OtelSpan::new(own)
    }
}

fn kind(theirs: Option<TheirKind>) -> SpanKind {
    match theirs {
        Some(TheirKind::Client) => SpanKind::Client,
        Some(TheirKind::Server) => SpanKind::Server,
        Some(TheirKind::Producer) => SpanKind::Producer,
        Some(TheirKind::Consumer) => SpanKind::Consumer,
        Some(TheirKind::Internal) | None => SpanKind::Internal,
    }
}
