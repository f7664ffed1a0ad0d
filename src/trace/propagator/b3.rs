//! B3, in one header or in several (openzipkin/b3-propagation).
//!
//! ```text
//! b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90
//!     trace id (32, or 16)             span id (16)     |  parent id (16), which is ignored
//!                                                       0 not sampled, 1 sampled, d debug
//! ```

use super::{
    Extractor, Injector, Propagator,
    debug::{is_debug, with_debug},
    fields::{first, remote, span_id, text, trace_id},
};
use crate::context::{Context, SpanContext, SpanId, TraceId, hex};

/// Zipkin's headers: `b3`, or `x-b3-traceid`, `x-b3-spanid`, `x-b3-sampled` and `x-b3-flags`
/// ([B3](https://github.com/openzipkin/b3-propagation), with OpenTelemetry's requirements for it).
///
/// Both encodings are read, whichever is written; where `b3` is valid, the others are not looked at.
/// Headers of the other encoding are left as they are. For both to be written, add both propagators.
///
/// - A decision without ids (`b3: 0`) is that about the trace that begins here.
/// - Ids without a decision leave it to the sampler of this process.
/// - Debug (`d`, `x-b3-flags: 1`) is sampled, and goes on as debug from the spans that are sampled here.
///   In between it is the entry `b3=d` of the trace state.
/// - The parent id is neither used nor written.
///
/// # Examples
///
/// ```
/// use bellwether::trace::propagator::{B3, Propagator};
///
/// let headers = [("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1")];
/// let caller = B3::single().extract(&headers);
/// assert!(caller.span().is_sampled());
///
/// let mut outgoing: Vec<(String, String)> = Vec::new();
/// B3::multi().inject(&caller, &mut outgoing);
/// assert_eq!(outgoing[2], ("x-b3-sampled".into(), "1".into()));
/// assert_eq!(B3::single().extract(&[("b3", "0")]).span().decided(), Some(false));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct B3 {
    writes: Encoding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Encoding {
    Single,
    Multi,
}

const SINGLE: &str = "b3";
const TRACE_ID: &str = "x-b3-traceid";
const SPAN_ID: &str = "x-b3-spanid";
const PARENT_ID: &str = "x-b3-parentspanid";
const SAMPLED: &str = "x-b3-sampled";
const FLAGS: &str = "x-b3-flags";

impl B3 {
    /// Writes the header `b3`.
    #[must_use]
    pub const fn single() -> Self {
        Self { writes: Encoding::Single }
    }

    /// Writes the headers `x-b3-*`.
    #[must_use]
    pub const fn multi() -> Self {
        Self { writes: Encoding::Multi }
    }
}

impl Propagator for B3 {
    fn extract(&self, carrier: &dyn Extractor) -> Context {
        let span = first(carrier, SINGLE).and_then(parse).or_else(|| read(carrier));
        span.unwrap_or_default().into()
    }

    fn inject(&self, context: &Context, carrier: &mut dyn Injector) {
        let span = context.span();
        let state = State::of(span);
        if !span.is_valid() && state.is_none() {
            return;
        }
        match self.writes {
            Encoding::Single => write_single(span, state, carrier),
            Encoding::Multi => write_multi(span, state, carrier),
        }
    }
}

/// The sampling state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Deny,
    Accept,
    Debug,
}

impl State {
    fn of(span: &SpanContext) -> Option<Self> {
        match span.decided()? {
            _ if is_debug(span) => Some(Self::Debug),
            true => Some(Self::Accept),
            false => Some(Self::Deny),
        }
    }

    const fn of_letter(letter: u8) -> Option<Self> {
        match letter {
            b'0' => Some(Self::Deny),
            b'1' => Some(Self::Accept),
            b'd' => Some(Self::Debug),
            _ => None,
        }
    }

    const fn letter(self) -> u8 {
        match self {
            Self::Deny => b'0',
            Self::Accept => b'1',
            Self::Debug => b'd',
        }
    }

    const fn is_sampled(self) -> bool {
        !matches!(self, Self::Deny)
    }

    /// Without ids.
    fn alone(self) -> SpanContext {
        self.mark(SpanContext::decision(self.is_sampled()))
    }

    fn mark(self, span: SpanContext) -> SpanContext {
        if self == Self::Debug { with_debug(span) } else { span }
    }
}

fn caller(trace_id: TraceId, span_id: SpanId, state: Option<State>) -> SpanContext {
    let span = remote(trace_id, span_id, state.map(State::is_sampled));
    state.map_or(span.clone(), |state| state.mark(span))
}

/// What the header `b3` says; `None` if it is malformed.
fn parse(header: &[u8]) -> Option<SpanContext> {
    if let &[letter] = header {
        return State::of_letter(letter).map(State::alone);
    }
    let mut fields = header.split(|&byte| byte == b'-');
    let (trace_id, span_id) = (trace_id(fields.next()?)?, span_id(fields.next()?)?);
    let state = match (fields.next(), fields.next(), fields.next()) {
        (None, ..) => None,
        (Some(&[letter]), None, None) => Some(State::of_letter(letter)?),
        (Some(&[letter]), Some(parent), None) if is_parent(parent) => {
            Some(State::of_letter(letter)?)
        }
        // Not yet decided, as Zipkin's own tracers write it.
        (Some(parent), None, None) if is_parent(parent) => None,
        _ => return None,
    };
    Some(caller(trace_id, span_id, state))
}

/// Whether it is an id; zero is none, and says so.
fn is_parent(digits: &[u8]) -> bool {
    digits.try_into().ok().and_then(hex::decode16).is_some()
}

/// What the headers `x-b3-*` say; `None` if that is nothing, or anything is malformed.
fn read(carrier: &dyn Extractor) -> Option<SpanContext> {
    let state = match (first(carrier, FLAGS), first(carrier, SAMPLED)) {
        (Some(b"1"), _) => Some(State::Debug),
        (_, None) => None,
        // The words are those of tracers from before the specification.
        (_, Some(b"1")) => Some(State::Accept),
        (_, Some(b"0")) => Some(State::Deny),
        (_, Some(word)) if word.eq_ignore_ascii_case(b"true") => Some(State::Accept),
        (_, Some(word)) if word.eq_ignore_ascii_case(b"false") => Some(State::Deny),
        _ => return None,
    };
    match (first(carrier, TRACE_ID), first(carrier, SPAN_ID)) {
        (None, None) => state.map(State::alone),
        (Some(trace), Some(span)) => Some(caller(trace_id(trace)?, span_id(span)?, state)),
        _ => None,
    }
}

fn write_single(span: &SpanContext, state: Option<State>, carrier: &mut dyn Injector) {
    let mut header = *b"00000000000000000000000000000000-0000000000000000-0";
    let mut end = header.len();
    header[..32].copy_from_slice(&hex::encode32(span.trace_id().to_u128()));
    header[33..49].copy_from_slice(&hex::encode16(span.span_id().to_u64()));
    match state {
        Some(state) => header[50] = state.letter(),
        None => end = 49,
    }
    let start = if span.is_valid() { 0 } else { 50 };
    carrier.set(SINGLE, text(&header[start..end]));
}

fn write_multi(span: &SpanContext, state: Option<State>, carrier: &mut dyn Injector) {
    let ids = span.is_valid().then(|| (span.trace_id().to_u128(), span.span_id().to_u64()));
    match ids {
        Some((trace_id, span_id)) => {
            carrier.set(TRACE_ID, text(&hex::encode32(trace_id)));
            carrier.set(SPAN_ID, text(&hex::encode16(span_id)));
        }
        None => [TRACE_ID, SPAN_ID].into_iter().for_each(|name| carrier.remove(name)),
    }
    let (sampled, flags) = match state {
        Some(State::Debug) => (None, Some("1")),
        Some(State::Accept) => (Some("1"), None),
        Some(State::Deny) => (Some("0"), None),
        None => (None, None),
    };
    for (name, value) in [(SAMPLED, sampled), (FLAGS, flags), (PARENT_ID, None)] {
        match value {
            Some(value) => carrier.set(name, value),
            None => carrier.remove(name),
        }
    }
}
