//! What an integration knows of a span, set on it in one go.

use super::{active::Active, plain::Plain};
use crate::label::{KeyValue, Value};

/// A recorded span, lent for as long as attributes are set on it. What makes their values must not be the
/// user's: it could use spans.
pub(crate) struct Filling<'a>(pub(super) &'a mut Active);

impl Filling<'_> {
    /// Replaces the name.
    pub(crate) fn name(&mut self, name: &'static str) {
        self.0.set_name(name.into());
    }

    /// A text that is copied.
    #[inline(never)] // Once, so that the code around it stays small.
    pub(crate) fn text(&mut self, key: &'static str, text: &str) {
        self.0.set_attribute(KeyValue::new(key, text));
    }

    /// A text that lives for ever.
    #[inline(never)]
    pub(crate) fn fixed(&mut self, key: &'static str, text: &'static str) {
        self.0.set_attribute(KeyValue::new(key, Value::from_static(text)));
    }

    /// A text that is there already.
    pub(crate) fn owned(&mut self, key: &'static str, text: String) {
        self.0.set_attribute(KeyValue::new(key, text));
    }

    /// A whole number; one beyond `i64` is text.
    #[inline(never)]
    pub(crate) fn number(&mut self, key: &'static str, number: u64) {
        match Plain::of(number.into()) {
            Ok(number) => self.0.set_plain(key, number),
            Err(number) => self.0.set_attribute(KeyValue::new(key, number)),
        }
    }
}
