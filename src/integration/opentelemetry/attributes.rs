//! OpenTelemetry's attributes as ours.

use std::{borrow::Cow, sync::Arc};

use ::opentelemetry::{
    Array as TheirArray, InstrumentationScope, KeyValue as TheirKeyValue, Value as TheirValue,
};

use crate::label::{Interner, KeyValue, Value};

/// Keys of attributes. The API hands them over as texts of its own, which to copy each time would be an
/// allocation each. The number is arbitrary: a program that names more makes them out of data.
static KEYS: Interner<2048> = Interner::new();

/// The longest key that is kept for ever; arbitrary.
const MAX_KEPT_BYTES: usize = 128;

pub(super) fn attribute(TheirKeyValue { key, value, .. }: &TheirKeyValue) -> KeyValue {
    KeyValue { key: key_of(key.as_str()), value: value_of(value) }
}

pub(super) fn attributes(theirs: &[TheirKeyValue]) -> Vec<KeyValue> {
    theirs.iter().map(attribute).collect()
}

/// The key, kept where there is room for it.
pub(super) fn key_of(key: &str) -> Cow<'static, str> {
    static_key(key).map_or_else(|| Cow::Owned(key.to_owned()), Cow::Borrowed)
}

/// The key as a text that lives for ever, if there is room for it.
pub(super) fn static_key(key: &str) -> Option<&'static str> {
    if key.len() > MAX_KEPT_BYTES { None } else { KEYS.text(KEYS.place(key)?) }
}

/// A copy of the value; of a text that is very long, only of its beginning, as of any text of ours.
pub(super) fn value_of(value: &TheirValue) -> Value {
    match value {
        TheirValue::Bool(value) => (*value).into(),
        TheirValue::I64(value) => (*value).into(),
        TheirValue::F64(value) => (*value).into(),
        TheirValue::String(text) => text.as_str().into(),
        TheirValue::Array(array) => match array {
            TheirArray::Bool(items) => items.into(),
            TheirArray::I64(items) => items.into(),
            TheirArray::F64(items) => items.into(),
            TheirArray::String(items) => {
                items.iter().map(|item| item.as_str()).collect::<Vec<_>>().into()
            }
            other => other.to_string().into(),
        },
        other => other.as_str().into_owned().into(),
    }
}

/// What is said of the library that records, as attributes: `otel.scope.name`, `otel.scope.version`, and
/// others by `otel.scope.` and their name.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    name: Cow<'static, str>,
    attributes: Arc<[KeyValue]>,
}

impl Scope {
    pub(super) fn of(scope: &InstrumentationScope) -> Self {
        let texts = [
            ("otel.scope.name", Some(scope.name()).filter(|name| !name.is_empty())),
            ("otel.scope.version", scope.version()),
            ("otel.scope.schema_url", scope.schema_url()),
        ];
        let texts = texts.into_iter().filter_map(|(key, text)| Some(KeyValue::new(key, text?)));
        let others = scope.attributes().take(MOST_OF_SCOPE).map(|other| {
            KeyValue::new(format!("otel.scope.{}", other.key.as_str()), value_of(&other.value))
        });
        Self { name: scope.name().to_owned().into(), attributes: texts.chain(others).collect() }
    }

    pub(super) fn name(&self) -> &Cow<'static, str> {
        &self.name
    }

    pub(super) fn attributes(&self) -> &[KeyValue] {
        &self.attributes
    }
}

/// The most attributes of a scope that are carried; arbitrary.
const MOST_OF_SCOPE: usize = 16;

#[cfg(test)]
mod tests {
    use ::opentelemetry::StringValue;

    use super::*;

    #[test]
    fn every_kind_of_value_is_carried() {
        for (theirs, ours) in [
            (TheirValue::from(true), Value::from(true)),
            (TheirValue::from(-7), Value::from(-7)),
            (TheirValue::from(0.5), Value::from(0.5)),
            (TheirValue::from("text"), Value::from("text")),
            (TheirValue::Array(vec![true, false].into()), Value::from([true, false])),
            (TheirValue::Array(vec![1_i64, 2].into()), Value::from([1, 2])),
            (TheirValue::Array(vec![1.5, 2.5].into()), Value::from([1.5, 2.5])),
            (
                TheirValue::Array(vec![StringValue::from("a"), StringValue::from("b")].into()),
                Value::from(["a", "b"]),
            ),
        ] {
            assert_eq!(value_of(&theirs), ours);
        }
    }

    #[test]
    fn a_key_is_kept_once_and_a_long_one_is_copied() {
        let key = String::from("test.kept.once");
        let [Cow::Borrowed(one), Cow::Borrowed(other)] = [key_of(&key), key_of(&key)] else {
            panic!("it was copied");
        };
        assert!(std::ptr::eq(one, other));
        let long = "k".repeat(MAX_KEPT_BYTES + 1);
        assert!(matches!(key_of(&long), Cow::Owned(copy) if copy == long));
    }
}
