//! Several formats of headers, in order.

use super::{BaggageHeader, Extractor, Injector, Propagator, TraceContext};
use crate::context::{Context, SpanContext};

/// Several propagators, in the order of preference.
///
/// The span of incoming headers is that of the first one that finds any, and so is the baggage. Where none
/// finds a span, it is what the first one that finds anything says about the trace: that it is sampled or
/// not, or its id. All of them write outgoing headers, in this order. The default is [`TraceContext`] and
/// [`BaggageHeader`]; the environment may choose others ([`from_env`](Self::from_env)).
///
/// # Examples
///
/// ```
/// use bellwether::trace::propagator::{BaggageHeader, Propagators, TraceContext};
///
/// let propagators = Propagators::none().with(TraceContext).with(BaggageHeader);
/// let telemetry = bellwether::builder("shop").propagators(propagators).start()?;
/// # drop(telemetry);
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Debug)]
pub struct Propagators {
    list: Vec<Box<dyn Propagator>>,
}

impl Propagators {
    /// None at all: nothing is read, and nothing written.
    #[must_use]
    pub const fn none() -> Self {
        Self { list: Vec::new() }
    }

    /// With `propagator` after those that are there.
    #[must_use]
    pub fn with(mut self, propagator: impl Propagator) -> Self {
        self.list.push(Box::new(propagator));
        self
    }
}

impl Default for Propagators {
    fn default() -> Self {
        Self::none().with(TraceContext).with(BaggageHeader)
    }
}

impl Propagator for Propagators {
    fn extract(&self, carrier: &dyn Extractor) -> Context {
        let mut context = Context::NONE;
        for propagator in &self.list {
            let (span, baggage) = propagator.extract(carrier).into_parts();
            let found = context.span();
            if *found == SpanContext::NONE || span.is_valid() && !found.is_valid() {
                context = context.with_span(span);
            }
            let baggage = context.baggage().or(&baggage);
            context = context.with_baggage(baggage);
        }
        context
    }

    fn inject(&self, context: &Context, carrier: &mut dyn Injector) {
        for propagator in &self.list {
            propagator.inject(context, carrier);
        }
    }
}
