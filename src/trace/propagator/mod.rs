//! Propagators: the context in the headers of requests and messages, read from incoming ones and written
//! to outgoing ones.
//!
//! [`extract`] and [`inject`] use the propagators of the process: [`TraceContext`] and [`BaggageHeader`], unless
//! telemetry was started with [others](crate::Builder::propagators), or the environment variable
//! `OTEL_PROPAGATORS` names others ([`Propagators::from_env`]).
//!
//! | | headers | in `OTEL_PROPAGATORS` | what the format cannot say, or is not carried on |
//! | --- | --- | --- | --- |
//! | [`TraceContext`] | `traceparent`, `tracestate` | `tracecontext` | that the receiver is to decide on sampling: that goes out as not sampled; a decision without ids |
//! | [`BaggageHeader`] | `baggage` | `baggage` | entries that are [local](crate::context::Baggage::with_local) |
//! | [`B3`] | `b3`, or `x-b3-traceid`, `-spanid`, `-sampled`, `-flags` | `b3`, `b3multi` | the trace state; the parent's id |
//! | [`Jaeger`] | `uber-trace-id` | `jaeger` | that the receiver is to decide; the trace state; `uberctx-*` |
//! | [`Datadog`] | `x-datadog-trace-id`, `-parent-id`, `-sampling-priority`, `-origin`, `-tags` | `datadog` | the trace state of others; tags beyond 256 characters |
//! | [`XRay`] | `x-amzn-trace-id` | `xray` | the trace state; `Self`, `Lineage` and other fields |
//! | [`OtTrace`] | `ot-tracer-traceid`, `-spanid`, `-sampled` | `ottrace` | the upper half of the trace id; the trace state; `ot-baggage-*` |
//! | [`RequestId`] | `x-request-id` | | it has no span |
//!
//! The random flag is W3C's alone. Where a context came in by one format and goes out by another, what
//! neither can say is lost, and nothing else.
//!
//! A header that is malformed says nothing, and the next propagator is asked. Of W3C's headers, two of
//! `traceparent` are none, and all of `tracestate` and of `baggage` are one list; of others, the first one
//! of a name counts. Trace ids of 64 bits are the lower half of ours.
//!
//! # Carriers
//!
//! Headers are maps and lists of pairs of texts, `http::HeaderMap` with the feature `http`, lists of names
//! and bytes as messages have them (Kafka, the fields of Redis), and the [`Environment`] of a process; with the
//! features `nats` and `rabbitmq`, the headers of `async-nats` and the tables of `lapin`. Others are an
//! [`Extractor`] and an [`Injector`] of a few lines.
//!
//! ```
//! // The headers of a message, as bytes.
//! let mut message: Vec<(String, Vec<u8>)> = Vec::new();
//! let publish = bellwether::span("orders publish").enter();
//! bellwether::inject(&mut message);
//! drop(publish);
//!
//! // Where it is read.
//! let producer = bellwether::extract(&message);
//! let _process = bellwether::span("orders process").parent(producer).enter();
//! ```

#[cfg(feature = "rabbitmq")]
mod amqp;
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
#[cfg(feature = "nats")]
mod nats;
mod ot_trace;
mod request_id;
#[cfg(test)]
mod tests;
mod w3c;
mod xray;

use std::fmt;

pub use b3::B3;
pub use baggage::BaggageHeader;
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
/// Names are matched without regard to case. Implemented for maps and lists of pairs, for
/// [`Environment`], and with the feature `http` for `http::HeaderMap`.
///
/// # Examples
///
/// A table of AMQP, of which some values are texts:
///
/// ```
/// use std::collections::BTreeMap;
/// use bellwether::trace::propagator::Extractor;
///
/// enum Value {
///     Text(Vec<u8>),
///     Number(i64),
/// }
/// struct Table(BTreeMap<String, Value>);
///
/// impl Extractor for Table {
///     fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8])) {
///         for (key, value) in &self.0 {
///             match value {
///                 Value::Text(text) if key.eq_ignore_ascii_case(name) => each(text),
///                 _ => {}
///             }
///         }
///     }
/// }
///
/// let parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_vec();
/// let table = Table(BTreeMap::from([
///     ("traceparent".into(), Value::Text(parent)),
///     ("x-death".into(), Value::Number(1)),
/// ]));
/// assert!(bellwether::extract(&table).span().is_sampled());
/// ```
pub trait Extractor {
    /// Calls `each` with every value of the header `name`, which is lower case, in their order.
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8]));
}

/// Outgoing headers.
///
/// Names are matched without regard to case. Implemented for maps and lists of pairs, for
/// [`Environment`] and [`Command`](std::process::Command), and with the feature `http` for
/// `http::HeaderMap`.
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
