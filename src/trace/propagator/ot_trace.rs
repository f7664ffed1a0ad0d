//! `ot-tracer-*` (OpenTelemetry's "OT Trace": the headers of OpenTracing's basic tracers).

use super::{
    Extractor, Injector, Propagator,
    fields::{first, remote, span_id, text, trace_id},
};
use crate::context::{Context, SpanContext, hex};

/// The headers of OpenTracing's basic tracers, which Lightstep's had too: `ot-tracer-traceid`,
/// `ot-tracer-spanid` and `ot-tracer-sampled`.
///
/// - Of a trace id the lower 64 bits go out, for which the format has room. Both lengths are read.
/// - Without `ot-tracer-sampled` the decision is left to the sampler of this process.
/// - Its headers of baggage, `ot-baggage-*`, are neither read nor written. For baggage add
///   [`BaggageHeader`](super::BaggageHeader).
///
/// # Examples
///
/// ```
/// use bellwether::trace::propagator::{OtTrace, Propagator};
///
/// let ids = [("ot-tracer-traceid", "8448eb211c80319c"), ("ot-tracer-spanid", "b7ad6b7169203331")];
/// let caller = OtTrace.extract(&ids);
/// assert_eq!(caller.trace_id().to_string(), "00000000000000008448eb211c80319c");
/// assert_eq!(caller.span().decided(), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the format leaves no choice")]
pub struct OtTrace;

const TRACE_ID: &str = "ot-tracer-traceid";
const SPAN_ID: &str = "ot-tracer-spanid";
const SAMPLED: &str = "ot-tracer-sampled";

impl Propagator for OtTrace {
    fn extract(&self, carrier: &dyn Extractor) -> Context {
        read(carrier).unwrap_or_default().into()
    }

    fn inject(&self, context: &Context, carrier: &mut dyn Injector) {
        let span = context.span();
        let low = span.trace_id().to_u128() as u64;
        if !span.is_valid() || low == 0 {
            return;
        }
        carrier.set(TRACE_ID, text(&hex::encode16(low)));
        carrier.set(SPAN_ID, text(&hex::encode16(span.span_id().to_u64())));
        match span.decided() {
            Some(is_sampled) => carrier.set(SAMPLED, if is_sampled { "true" } else { "false" }),
            None => carrier.remove(SAMPLED),
        }
    }
}

fn read(carrier: &dyn Extractor) -> Option<SpanContext> {
    let trace_id = trace_id(first(carrier, TRACE_ID)?)?;
    let span_id = span_id(first(carrier, SPAN_ID)?)?;
    let sampled = match first(carrier, SAMPLED) {
        None => None,
        Some(word) if word == b"1" || word.eq_ignore_ascii_case(b"true") => Some(true),
        Some(word) if word == b"0" || word.eq_ignore_ascii_case(b"false") => Some(false),
        Some(_) => return None,
    };
    Some(remote(trace_id, span_id, sampled))
}
