//! `X-Amzn-Trace-Id` (AWS X-Ray, "Tracing header").
//!
//! ```text
//! Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1
//!        |        24 digits
//!        8 digits: the seconds of the start, in ids that AWS makes
//! ```

use super::{
    Extractor, Injector, Propagator,
    fields::{first, remote, span_id, text},
};
use crate::context::{Context, SpanContext, SpanId, TraceId, hex, trim};

/// AWS X-Ray's header `X-Amzn-Trace-Id`
/// ([tracing header](https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader)).
///
/// - `Root` without `Parent`, as load balancers write it, names the trace: the next span is its root.
/// - Without `Sampled`, or with `Sampled=?`, the decision is left to the sampler of this process. That a
///   caller's request for the decision (`?`) is not answered.
/// - A decision alone (`Sampled=0`) is that about the trace that begins here.
/// - Fields may stand in any order. `Self`, `Lineage` and others are ignored, and not passed on.
///
/// Trace ids of this crate are random, also where AWS has the time.
///
/// # Examples
///
/// ```
/// use bellwether::trace::propagator::{Propagator, XRay};
///
/// let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
/// let caller = XRay.extract(&[("X-Amzn-Trace-Id", header)]);
/// assert_eq!(caller.trace_id().to_string(), "5759e988bd862e3fe1be46a994272793");
///
/// let mut outgoing: Vec<(String, String)> = Vec::new();
/// XRay.inject(&caller, &mut outgoing);
/// assert_eq!(outgoing[0].1, header);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the format leaves no choice")]
pub struct XRay;

const HEADER: &str = "x-amzn-trace-id";
/// The most bytes that are looked at: the fields that we read have 74, others are a few times that.
const MAX_BYTES: usize = 1024;

impl Propagator for XRay {
    fn extract(&self, carrier: &dyn Extractor) -> Context {
        first(carrier, HEADER).and_then(parse).unwrap_or_default().into()
    }

    fn inject(&self, context: &Context, carrier: &mut dyn Injector) {
        let span = context.span();
        let mut header = [0; 74];
        let mut n = 0;
        let mut push = |piece: &[u8]| {
            header[n..n + piece.len()].copy_from_slice(piece);
            n += piece.len();
        };
        if span.trace_id().is_valid() {
            let id = hex::encode32(span.trace_id().to_u128());
            [b"Root=1-", &id[..8], b"-", &id[8..]].into_iter().for_each(&mut push);
        }
        if span.is_valid() {
            push(b";Parent=");
            push(&hex::encode16(span.span_id().to_u64()));
        }
        if let Some(is_sampled) = span.decided() {
            push(if is_sampled { b";Sampled=1" } else { b";Sampled=0" });
        }
        let header = header[..n].strip_prefix(b";").unwrap_or(&header[..n]);
        if !header.is_empty() {
            carrier.set(HEADER, text(header));
        }
    }
}

/// What the header says; `None` if that is nothing, or a field that we read is malformed or there twice.
fn parse(header: &[u8]) -> Option<SpanContext> {
    if header.len() > MAX_BYTES {
        return None;
    }
    let (mut root, mut parent, mut sampled) = (None, None, None);
    for field in header.split(|&byte| byte == b';').map(trim).filter(|field| !field.is_empty()) {
        let equals = field.iter().position(|&byte| byte == b'=')?;
        let (key, value) = (&field[..equals], &field[equals + 1..]);
        let was = match key {
            b"Root" => root.replace(trace_id(value)?).is_some(),
            b"Parent" => parent.replace(span_id(value)?).is_some(),
            b"Sampled" => sampled.replace(decision(value)?).is_some(),
            _ => false,
        };
        if was {
            return None;
        }
    }
    let sampled = sampled.flatten();
    match (root, parent) {
        (Some(trace_id), parent) => {
            Some(remote(trace_id, parent.unwrap_or(SpanId::INVALID), sampled))
        }
        (None, None) => sampled.map(SpanContext::decision),
        (None, Some(_)) => None,
    }
}

/// `1-5759e988-bd862e3fe1be46a994272793`
fn trace_id(root: &[u8]) -> Option<TraceId> {
    let root: &[u8; 35] = root.try_into().ok()?;
    if !root.starts_with(b"1-") || root[10] != b'-' {
        return None;
    }
    let mut digits = [0; 32];
    digits[..8].copy_from_slice(&root[2..10]);
    digits[8..].copy_from_slice(&root[11..]);
    Some(TraceId::from_u128(hex::decode32(&digits)?)).filter(|id| id.is_valid())
}

/// Whether it is sampled; `Some(None)` if that is for us to decide.
fn decision(sampled: &[u8]) -> Option<Option<bool>> {
    match sampled {
        b"1" => Some(Some(true)),
        b"0" => Some(Some(false)),
        b"?" => Some(None),
        _ => None,
    }
}
