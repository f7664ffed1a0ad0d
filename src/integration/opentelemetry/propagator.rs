//! Our propagators as OpenTelemetry's.

use std::{fmt, sync::OnceLock};

use ::opentelemetry::{
    Context as TheirContext,
    baggage::BaggageExt as _,
    propagation::{
        Extractor as TheirExtractor, Injector as TheirInjector, TextMapPropagator,
        text_map_propagator::FieldIter,
    },
    trace::TraceContextExt as _,
};

use super::{baggage, caller::Caller, context, ids};
use crate::{
    context::{Baggage, Context, SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    trace::propagator::{Extractor, Injector, extract, inject_context},
};

/// The headers of [`extract`](crate::extract) and [`inject`](crate::inject), by OpenTelemetry's API:
/// whatever [`Builder::propagators`](crate::Builder::propagators) says.
///
/// A caller's baggage is in the context that is extracted, and OpenTelemetry's baggage is written. Where the
/// context to be written is the current one, the headers are those that [`inject`](crate::inject) writes.
///
/// # Examples
///
/// ```
/// use std::collections::HashMap;
/// use bellwether::integration::opentelemetry::OtelPropagator;
/// use opentelemetry::{propagation::TextMapPropagator as _, trace::TraceContextExt as _};
///
/// let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let headers = HashMap::from([("traceparent".to_owned(), text.to_owned())]);
/// let caller = OtelPropagator::new().extract(&headers);
/// assert!(caller.span().span_context().is_remote());
///
/// let mut outgoing = HashMap::new();
/// OtelPropagator::new().inject_context(&caller, &mut outgoing);
/// assert_eq!(outgoing["traceparent"], text);
/// ```
#[derive(Default)]
pub struct OtelPropagator {
    fields: OnceLock<Vec<String>>,
}

impl OtelPropagator {
    /// The propagators that are installed when it is used.
    #[must_use]
    pub const fn new() -> Self {
        Self { fields: OnceLock::new() }
    }
}

impl TextMapPropagator for OtelPropagator {
    fn inject_context(&self, theirs: &TheirContext, injector: &mut dyn TheirInjector) {
        inject_context(&context::context(theirs), &mut To(injector));
    }

    fn extract_with_context(
        &self,
        theirs: &TheirContext,
        extractor: &dyn TheirExtractor,
    ) -> TheirContext {
        context::observe();
        let caller = extract(&From(extractor));
        if caller.is_none() {
            return theirs.clone();
        }
        let mut extracted = theirs.clone();
        if caller.span().is_valid() {
            extracted = extracted.with_remote_span_context(ids::to_theirs(caller.span(), false));
        }
        if !caller.baggage().is_empty() {
            extracted = extracted.with_baggage(baggage::to_theirs(caller.baggage()));
        }
        extracted.with_value(Caller(caller))
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(self.fields.get_or_init(|| {
            let mut names = Names::default();
            inject_context(&sample(), &mut names);
            names.0
        }))
    }
}

/// A context of which every header is written.
fn sample() -> Context {
    let (trace, span) = (TraceId::from_u128(1), SpanId::from_u64(1));
    let span = SpanContext::new(trace, span, TraceFlags::SAMPLED, TraceState::EMPTY);
    Context::new(span, Baggage::EMPTY.with("key", "value"))
}

/// The names of headers that are written or removed.
#[derive(Default)]
struct Names(Vec<String>);

impl Injector for Names {
    fn set(&mut self, name: &'static str, _: &str) {
        self.0.push(name.to_owned());
    }

    fn remove(&mut self, name: &'static str) {
        self.0.push(name.to_owned());
    }
}

struct From<'a>(&'a dyn TheirExtractor);

impl Extractor for From<'_> {
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8])) {
        for value in self.0.get_all(name).into_iter().flatten() {
            each(value.as_bytes());
        }
    }
}

struct To<'a>(&'a mut dyn TheirInjector);

impl Injector for To<'_> {
    fn set(&mut self, name: &'static str, value: &str) {
        self.0.set(name, value.to_owned());
    }

    /// The API cannot remove a header that is there.
    fn remove(&mut self, _: &'static str) {}
}

impl fmt::Debug for OtelPropagator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtelPropagator").finish_non_exhaustive()
    }
}
