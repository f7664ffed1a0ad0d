//! Attributes of measurements as labels.

use std::borrow::Cow;

use ::opentelemetry::{KeyValue as TheirKeyValue, Value as TheirValue};

use super::attributes::{Scope, static_key, value_of};
use crate::label::Value;

/// The labels of a measurement: those of the scope, and its attributes as text.
pub(super) struct Texts<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl<'a> Texts<'a> {
    pub(super) fn of(scope: &'a Scope, attributes: &'a [TheirKeyValue]) -> Self {
        let of_scope = scope.attributes().iter();
        let of_scope = of_scope.map(|own| (&*own.key, text_of(&own.value)));
        let others = attributes.iter().map(|theirs| {
            let text = match &theirs.value {
                TheirValue::String(text) => Cow::Borrowed(text.as_str()),
                other => Cow::Owned(value_of(other).to_string()),
            };
            (theirs.key.as_str(), text)
        });
        Self(of_scope.chain(others).collect())
    }

    pub(super) fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(key, text)| (*key, &**text)).collect()
    }

    /// The same, if there is room for all keys among those that are kept for ever.
    pub(super) fn with_static_keys(&self) -> Option<Vec<(&'static str, &str)>> {
        self.0.iter().map(|(key, text)| Some((static_key(key)?, &**text))).collect()
    }
}

fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text.as_str()),
        other => Cow::Owned(other.to_string()),
    }
}
