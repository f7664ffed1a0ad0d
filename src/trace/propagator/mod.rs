//! Propagators: the context in the headers of requests and messages, read from incoming ones and written
//! to outgoing ones.
//!
//! [`extract`] and [`inject`] use the propagators of the process: [`TraceContext`] and [`Baggage`], unless
//! telemetry was started with [others](crate::Builder::propagators).

mod b3;
mod baggage;
mod carrier;
mod composite;
mod datadog;
mod debug;
mod environment;
mod fields;
#[cfg(feature = "http")]
mod http;
mod installed;
mod jaeger;
mod names;
mod ot_trace;
mod request_id;
#[cfg(test)]
mod tests;
mod w3c;
mod xray;

use std::fmt;

pub use b3::B3;
pub use baggage::Baggage;
pub use composite::Propagators;
pub use datadog::Datadog;
pub use environment::Environment;
pub(crate) use installed::install;
pub use installed::{extract, inject, inject_context};
pub use jaeger::Jaeger;
pub(crate) use names::from_environment;
pub use ot_trace::OtTrace;
pub use request_id::RequestId;
pub use w3c::TraceContext;
pub use xray::XRay;

use crate::context::Context;

/// Incoming headers, of which values are read by name.
///
/// Names are matched without regard to case. Implemented for maps and lists of pairs, and with the
/// feature `http` for `http::HeaderMap`.
pub trait Extractor {
    /// Calls `each` with every value of the header `name`, which is lower case, in their order.
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8]));
}

/// Outgoing headers.
///
/// Names are matched without regard to case. Implemented for maps and lists of pairs, and with the
/// feature `http` for `http::HeaderMap`.
pub trait Injector {
    /// Makes `value` the only value of the header `name`, which is lower case.
    fn set(&mut self, name: &'static str, value: &str);

    /// Takes the header `name`, which is lower case, away.
    fn remove(&mut self, name: &'static str);
}

/// One format of headers.
///
/// It is called on the thread that makes or answers a request: it must not block. What others sent is
/// checked before anything is allocated for it, and is never a reason to panic.
///
/// # Examples
///
/// ```
/// use bellwether::{
///     context::{Context, SpanContext, TraceFlags, TraceState},
///     trace::propagator::{Extractor, Injector, Propagator},
/// };
///
/// /// `x-trace: TRACE/SPAN`, always sampled.
/// #[derive(Debug)]
/// struct InHouse;
///
/// impl Propagator for InHouse {
///     fn extract(&self, carrier: &dyn Extractor) -> Context {
///         let mut found = None;
///         carrier.values("x-trace", &mut |value| found = found.or(str::from_utf8(value).ok()));
///         let ids = found.and_then(|value| value.split_once('/'));
///         let Some((Ok(trace), Ok(span))) = ids.map(|(trace, span)| (trace.parse(), span.parse()))
///         else {
///             return Context::NONE;
///         };
///         let span = SpanContext::new(trace, span, TraceFlags::SAMPLED, TraceState::EMPTY);
///         span.into_remote().into()
///     }
///
///     fn inject(&self, context: &Context, carrier: &mut dyn Injector) {
///         if context.span().is_valid() {
///             carrier.set("x-trace", &format!("{}/{}", context.trace_id(), context.span_id()));
///         }
///     }
/// }
///
/// let headers = [("x-trace", "0af7651916cd43dd8448eb211c80319c/b7ad6b7169203331")];
/// let caller = InHouse.extract(&headers);
/// let mut outgoing: Vec<(String, String)> = Vec::new();
/// InHouse.inject(&caller, &mut outgoing);
/// assert_eq!(outgoing[0].1, headers[0].1);
/// ```
pub trait Propagator: Send + Sync + fmt::Debug + 'static {
    /// What the headers say in this format; [`Context::NONE`] where they say nothing, or nothing valid. The
    /// span is marked as [remote](crate::context::SpanContext::into_remote).
    fn extract(&self, carrier: &dyn Extractor) -> Context;

    /// Writes `context` to outgoing headers. What is not in the context leaves them as they are, but what
    /// is must not stand beside older headers of the same format.
    fn inject(&self, context: &Context, carrier: &mut dyn Injector);
}
