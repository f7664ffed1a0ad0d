//! Several formats of headers, in order.

use super::{Baggage, Extractor, Injector, Propagator, TraceContext};
use crate::context::Context;

/// Several propagators, in the order of preference.
///
/// The span of incoming headers is that of the first one that finds any, and so is the baggage. All of
/// them write outgoing headers. The default is [`TraceContext`] and [`Baggage`].
///
/// # Examples
///
/// ```
/// use bellwether::trace::propagator::{Baggage, Propagators, TraceContext};
///
/// let propagators = Propagators::none().with(TraceContext).with(Baggage);
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
        Self::none().with(TraceContext).with(Baggage)
    }
}

impl Propagator for Propagators {
    fn extract(&self, carrier: &dyn Extractor) -> Context {
        let mut context = Context::NONE;
        for propagator in &self.list {
            let (span, baggage) = propagator.extract(carrier).into_parts();
            let found = context.span();
            // What is no span may be a decision about the trace that is to begin.
            if !found.is_valid() && (span.is_valid() || found.decided().is_none()) {
                context = context.with_span(span);
            }
            if context.baggage().is_empty() {
                context = context.with_baggage(baggage);
            }
        }
        context
    }

    fn inject(&self, context: &Context, carrier: &mut dyn Injector) {
        for propagator in &self.list {
            propagator.inject(context, carrier);
        }
    }
}
