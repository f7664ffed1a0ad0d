//! What is set on the span that this thread is in, be it one of a scope or of another library.

use std::borrow::Cow;

use super::{
    Status,
    active::{Active, By},
    as_error::AsError,
    failure::Failure,
    local, shared,
    span::{fail, fail_at},
};
use crate::{
    clock::{self, Ticks},
    label::{KeyValue, Value},
};

/// Sets the attribute `key` on the span this thread is in, if that is recorded; if not, `key` and
/// `value` are not converted.
pub fn set_attribute(key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
    match local::recorded_place() {
        Some(place) => local::set_attribute(place, KeyValue::new(key, value)),
        None if shared::is_current() => {
            let attribute = KeyValue::new(key, value); // A conversion may use spans.
            shared::with_current(|record| record.set_attribute(attribute));
        }
        None => {}
    }
}

/// Adds an event that happens now to the span this thread is in, if that is recorded.
pub fn add_event(
    name: impl Into<Cow<'static, str>>,
    attributes: impl IntoIterator<Item = KeyValue>,
) {
    // Looked for once: attributes may end it, and another span that takes its place gets no event of it.
    let Some(place) = local::recorded_place() else {
        return shared::add_event_to_current(name, attributes);
    };
    let (name, at) = (name.into(), clock::now());
    let Some(room) = local::with_record(place, Active::room_for_event).flatten() else { return };
    let gathered = room.gather(attributes);
    local::with_record(place, |record| record.add_event(name, at, gathered));
}

/// Sets the status of the span this thread is in, if that is recorded.
pub fn set_status(status: Status) {
    with_current(|record| record.set_status(status));
}

/// Notes that something in the span this thread is in has failed: that is its status, unless somebody set
/// one.
#[cfg(feature = "tracing")]
pub(crate) fn note_failed() {
    with_current(Active::note_failed);
}

/// Whether somebody said that the span this thread is in went well.
#[cfg(feature = "tracing")]
pub(crate) fn is_ok() -> bool {
    with_current(Active::is_ok).unwrap_or(false)
}

fn with_current<R>(change: impl FnOnce(&mut Active) -> R) -> Option<R> {
    match local::recorded_place() {
        Some(place) => local::with_record(place, change),
        None => shared::with_current(change),
    }
}

/// Records an error on the span this thread is in, if that is recorded; see
/// [`Span::record_error`](super::Span::record_error).
///
/// # Examples
///
/// ```
/// use bellwether::{testing, trace};
///
/// let scope = testing::scope();
/// {
///     let _span = bellwether::span("refund").enter();
///     if let Err(error) = "five".parse::<u64>() {
///         trace::record_error(&error);
///     }
/// }
/// let span = scope.span("refund");
/// assert_eq!(span.status(), &trace::Status::Error("invalid digit found in string".into()));
/// assert_eq!(span.attributes()[0].value.to_string(), "core::num::error::ParseIntError");
/// assert_eq!(span.events()[0].name(), "exception");
/// ```
pub fn record_error<K>(error: &(impl AsError<K> + ?Sized)) {
    error.describe(&mut |failure| fail_current(failure, By::Hand));
}

/// Records an error that something in the current span had for a result, which began at `start`: an
/// event, and nothing that says that the span has failed.
pub(crate) fn fail_part(failure: &Failure<'_>, start: Ticks) {
    fail_current(failure, By::Part(start));
}

fn fail_current(failure: &Failure<'_>, by: By) {
    match local::recorded_place() {
        Some(place) => fail_at(place, failure, by),
        None if shared::is_current() => fail(failure, by, |change| shared::with_current(change)),
        None => {}
    }
}
