//! `x-datadog-*` (Datadog, "Trace Context Propagation"; details as in its open tracers).
//!
//! ```text
//! x-datadog-trace-id: 9532127138774266268             the lower 64 bits, decimal
//! x-datadog-parent-id: 13235353014750950193           the span, decimal
//! x-datadog-sampling-priority: 1                      2 and 1 keep, 0 and -1 drop
//! x-datadog-origin: synthetics                        where the trace began
//! x-datadog-tags: _dd.p.dm=-4,_dd.p.tid=0af7651916cd43dd      the upper 64 bits, and others
//! ```
//!
//! What a span context has no place for is the entry `dd` of the trace state, as Datadog's tracers write
//! it to `tracestate`: `dd=s:2;o:synthetics;t.dm:-4`.

use super::{
    Extractor, Injector, Propagator,
    fields::{first, remote},
};
use crate::context::{Context, SpanContext, SpanId, TraceId, TraceState, hex, trim};

/// Datadog's headers: `x-datadog-trace-id`, `-parent-id`, `-sampling-priority`, `-origin` and `-tags`
/// ([trace context propagation](https://docs.datadoghq.com/tracing/trace_collection/trace_context_propagation/)).
///
/// - A priority above zero is sampled, others are not; without one, the decision is left to the sampler
///   of this process. While the decision here is the caller's, its priority goes on as it came, otherwise
///   it is 1 or 0 and the tag of who decided (`_dd.p.dm`) is dropped.
/// - Origin and tags go on. In between they are the entry `dd` of the trace state, which has room for 256
///   characters: tags that do not fit are dropped, and characters that it may not have are `_`.
/// - A trace id without a parent, or with parent 0, as synthetic tests send it, names the trace: the next
///   span is its root.
/// - Tags of more than 512 bytes are not read. If the upper half of the trace id in them is malformed, it
///   is zero.
///
/// # Examples
///
/// ```
/// use bellwether::trace::propagator::{Datadog, Propagator};
///
/// let headers = [
///     ("x-datadog-trace-id", "9532127138774266268"),
///     ("x-datadog-parent-id", "13235353014750950193"),
///     ("x-datadog-sampling-priority", "2"),
///     ("x-datadog-tags", "_dd.p.tid=0af7651916cd43dd"),
/// ];
/// let caller = Datadog.extract(&headers);
/// assert_eq!(caller.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
///
/// let mut outgoing: Vec<(String, String)> = Vec::new();
/// Datadog.inject(&caller, &mut outgoing);
/// assert_eq!(outgoing.len(), headers.len());
/// assert_eq!(outgoing[2].1, "2");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the format leaves no choice")]
pub struct Datadog;

const TRACE_ID: &str = "x-datadog-trace-id";
const PARENT_ID: &str = "x-datadog-parent-id";
const PRIORITY: &str = "x-datadog-sampling-priority";
const ORIGIN: &str = "x-datadog-origin";
const TAGS: &str = "x-datadog-tags";
/// The key in the trace state.
const MEMBER: &str = "dd";
/// What the names of tags that travel begin with.
const PREFIX: &str = "_dd.p.";
/// The tag of the upper half of the trace id, after the prefix.
const UPPER: &str = "tid";
/// The tag of how it was decided, after the prefix.
const DECIDED_BY: &str = "dm";
/// The most bytes of the header of tags, of Datadog's tracers too.
const MAX_TAGS_BYTES: usize = 512;
/// The most characters of a value in a trace state.
const MAX_MEMBER_BYTES: usize = 256;

impl Propagator for Datadog {
    fn extract(&self, carrier: &dyn Extractor) -> Context {
        read(carrier).unwrap_or_default().into()
    }

    fn inject(&self, context: &Context, carrier: &mut dyn Injector) {
        let span = context.span();
        let (upper, lower) = halves(span.trace_id());
        if lower == 0 {
            return; // The format cannot say it.
        }
        let member = Member::of(span.state());
        let decided = span.decided();
        let is_callers = decided.is_some_and(|sampled| member.decides(sampled));
        carrier.set(TRACE_ID, &lower.to_string());
        carrier.set(PARENT_ID, &span.span_id().to_u64().to_string());
        match decided {
            Some(_) if is_callers => carrier.set(PRIORITY, member.priority),
            Some(is_sampled) => carrier.set(PRIORITY, if is_sampled { "1" } else { "0" }),
            None => carrier.remove(PRIORITY),
        }
        set(carrier, ORIGIN, &member.origin.replace('~', "="));
        set(carrier, TAGS, &member.tags(upper, is_callers));
    }
}

fn set(carrier: &mut dyn Injector, name: &'static str, value: &str) {
    if value.is_empty() {
        carrier.remove(name);
    } else {
        carrier.set(name, value);
    }
}

fn halves(trace_id: TraceId) -> (u64, u64) {
    ((trace_id.to_u128() >> 64) as u64, trace_id.to_u128() as u64)
}

/// What the headers say; `None` if an id or the priority is malformed, or there is no trace.
fn read(carrier: &dyn Extractor) -> Option<SpanContext> {
    let lower = decimal(first(carrier, TRACE_ID)?).filter(|&lower| lower != 0)?;
    let span_id = SpanId::from_u64(first(carrier, PARENT_ID).map_or(Some(0), decimal)?);
    let priority = match first(carrier, PRIORITY) {
        Some(text) => Some(priority(text)?),
        None => None,
    };
    let tags = first(carrier, TAGS).filter(|tags| tags.len() <= MAX_TAGS_BYTES).unwrap_or_default();
    let upper = each_tag(tags).find(|(key, _)| *key == UPPER.as_bytes());
    let upper = upper.and_then(|(_, digits)| hex::decode16(digits.try_into().ok()?));
    let trace_id = TraceId::from_u128(u128::from(upper.unwrap_or(0)) << 64 | u128::from(lower));
    let span = remote(trace_id, span_id, priority.map(|priority| priority > 0));
    let origin = first(carrier, ORIGIN).unwrap_or_default();
    Some(span.with_state(state(priority, origin, tags)))
}

/// The number of one to twenty digits.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 20 {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn priority(text: &[u8]) -> Option<i8> {
    let (digits, sign) = text.strip_prefix(b"-").map_or((text, 1), |digits| (digits, -1));
    Some(sign * i8::try_from(decimal(digits)?).ok()?)
}

/// The tags that travel, as keys without the prefix, and values.
fn each_tag(tags: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    tags.split(|&byte| byte == b',').filter_map(|tag| {
        let equals = tag.iter().position(|&byte| byte == b'=')?;
        let key = trim(&tag[..equals]).strip_prefix(PREFIX.as_bytes())?;
        (!key.is_empty()).then_some((key, trim(&tag[equals + 1..])))
    })
}

/// The trace state that has what a span context has no place for; empty if that is nothing.
fn state(priority: Option<i8>, origin: &[u8], tags: &[u8]) -> TraceState {
    let mut member = String::new();
    if let Some(priority) = priority {
        push_field(&mut member, "s", &priority.to_string());
    }
    // The sampled flag says that already.
    let is_known = priority.is_none_or(|priority| (0..=1).contains(&priority));
    let n_known = if is_known { member.len() } else { 0 };
    if !origin.is_empty() {
        push_field(&mut member, "o", &encode(origin, is_in_value));
    }
    for (key, value) in each_tag(tags).filter(|(key, _)| *key != UPPER.as_bytes()) {
        push_field(
            &mut member,
            &format!("t.{}", encode(key, is_in_key)),
            &encode(value, is_in_value),
        );
    }
    if member.len() == n_known {
        return TraceState::EMPTY;
    }
    TraceState::EMPTY.with(MEMBER, &member).unwrap_or(TraceState::EMPTY)
}

/// Adds `;key:value`, if there is room for it.
fn push_field(member: &mut String, key: &str, value: &str) {
    let separator = if member.is_empty() { "" } else { ";" };
    if member.len() + separator.len() + key.len() + 1 + value.len() <= MAX_MEMBER_BYTES {
        member.extend([separator, key, ":", value]);
    }
}

/// With `_` for what may not stand there, and `~` for `=`, as Datadog's tracers write it.
fn encode(text: &[u8], is_allowed: impl Fn(u8) -> bool) -> String {
    let encoded = text.iter().map(|&byte| match byte {
        b'=' => '~',
        byte if is_allowed(byte) => byte.into(),
        _ => '_',
    });
    encoded.collect()
}

fn is_in_value(byte: u8) -> bool {
    matches!(byte, b' '..=b'}') && !matches!(byte, b',' | b';' | b'=')
}

fn is_in_key(byte: u8) -> bool {
    matches!(byte, b'!'..=b'}') && !matches!(byte, b',' | b';' | b'=' | b':')
}

/// The entry of the trace state, taken apart.
#[derive(Default)]
struct Member<'a> {
    priority: &'a str,
    origin: &'a str,
    fields: &'a str,
}

impl<'a> Member<'a> {
    fn of(state: &'a TraceState) -> Self {
        let fields = state.get(MEMBER).unwrap_or_default();
        let mut member = Self { fields, ..Self::default() };
        for (key, value) in member.each() {
            match key {
                "s" => member.priority = value,
                "o" => member.origin = value,
                _ => {}
            }
        }
        member
    }

    fn each(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.fields.split(';').filter_map(|field| field.split_once(':'))
    }

    /// Whether its priority says the same.
    fn decides(&self, sampled: bool) -> bool {
        priority(self.priority.as_bytes()).is_some_and(|priority| (priority > 0) == sampled)
    }

    /// The header of tags; empty if there are none. How it was decided is left out if it was decided
    /// otherwise since.
    fn tags(&self, upper: u64, is_callers: bool) -> String {
        let mut tags = String::new();
        if upper != 0 {
            push_tag(&mut tags, UPPER, &format!("{upper:016x}"));
        }
        for (key, value) in self.each() {
            let Some(key) = key.strip_prefix("t.") else { continue };
            if key != UPPER && (key != DECIDED_BY || is_callers) {
                push_tag(&mut tags, key, &value.replace('~', "="));
            }
        }
        tags
    }
}

fn push_tag(tags: &mut String, key: &str, value: &str) {
    let separator = if tags.is_empty() { "" } else { "," };
    if tags.len() + separator.len() + PREFIX.len() + key.len() + 1 + value.len() <= MAX_TAGS_BYTES {
        tags.extend([separator, PREFIX, key, "=", value]);
    }
}
