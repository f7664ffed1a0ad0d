//! What the targets have in common: headers out of bytes, and what must hold for whatever they say.

pub mod messages;
pub mod taken;

use bellwether::{
    context::Context,
    trace::propagator::{BaggageHeader, Propagator},
};

/// The lines of `data` are values of the headers `names`, one after the other and again from the first.
pub fn headers<'a>(names: &[&'static str], data: &'a [u8]) -> Vec<(&'static str, &'a [u8])> {
    let lines = data.split(|&byte| byte == b'\n');
    names.iter().copied().cycle().zip(lines).collect()
}

/// What is read goes out and comes in again as it was, in the format of `propagator` and of each of
/// `others`, which read the same headers.
pub fn check(
    propagator: &dyn Propagator,
    others: &[&dyn Propagator],
    names: &[&'static str],
    data: &[u8],
) {
    let first = read(propagator, names, data);
    for writer in [&[propagator], others].concat() {
        assert_eq!(through(writer, &first), first, "{writer:?}");
    }
}

/// As [`check`], for a format that cannot say all that it reads: from the second time on it is the same,
/// and the span and the decision always are, as far as `keeps` says.
pub fn check_lossy(
    propagator: &dyn Propagator,
    names: &[&'static str],
    data: &[u8],
    keeps: impl Fn(&Context, &Context) -> bool,
) {
    let first = read(propagator, names, data);
    let second = through(propagator, &first);
    assert!(keeps(&first, &second), "{first:?} became {second:?}");
    assert_eq!(through(propagator, &second), second);
}

/// Whether both have the same span and the same decision.
pub fn is_same_span(one: &Context, other: &Context) -> bool {
    let parts = |context: &Context| {
        let span = context.span();
        (span.trace_id(), span.span_id(), span.decided())
    };
    parts(one) == parts(other)
}

/// What the headers say, within the limits.
pub fn read(propagator: &dyn Propagator, names: &[&'static str], data: &[u8]) -> Context {
    let context = propagator.extract(&headers(names, data));
    let (span, baggage) = (context.span(), context.baggage());
    assert!(span.is_remote() || context.span() == Context::NONE.span());
    assert!(span.state().as_str().len() <= 8_192 && span.state().iter().count() <= 32);
    assert!(baggage.as_str().len() <= 8_192 && baggage.iter().count() <= 360);
    context
}

fn through(propagator: &dyn Propagator, context: &Context) -> Context {
    let mut headers: Vec<(String, String)> = Vec::new();
    propagator.inject(context, &mut headers);
    for (name, value) in &headers {
        assert!(
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        );
        assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{value:?}");
    }
    propagator.extract(&headers)
}

/// What a value of baggage says is what it said when it was put in.
pub fn check_value(value: &str) {
    let baggage = bellwether::context::Baggage::EMPTY.with("key", value);
    if !baggage.is_empty() {
        assert_eq!(baggage.get("key").as_deref(), Some(value));
        let context = Context::NONE.with_baggage(baggage);
        assert_eq!(through(&BaggageHeader, &context), context);
    }
}
