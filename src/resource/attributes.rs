//! Attributes by key, each once.

use std::borrow::Cow;

use crate::label::{KeyValue, Value};

/// The attributes of the entity that records, sent with everything it exports.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Resource {
    attributes: Vec<KeyValue>, // Invariant: sorted by key, keys unique.
}

impl Resource {
    /// The resource of the service `name`: `service.name`, and the SDK's own attributes as
    /// OpenTelemetry names them.
    #[must_use]
    pub fn service(name: &str) -> Self {
        Self::of_sdk().with("service.name", name.to_owned())
    }

    /// What the SDK says of itself.
    pub(super) fn of_sdk() -> Self {
        Self::default()
            .with("telemetry.sdk.language", "rust")
            .with("telemetry.sdk.name", "bellwether")
            .with("telemetry.sdk.version", env!("CARGO_PKG_VERSION"))
    }

    /// The resource with `key` set to `value`.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        let attribute = KeyValue::new(key, value);
        match self.attributes.binary_search_by(|other| other.key.cmp(&attribute.key)) {
            Ok(found) => self.attributes[found] = attribute,
            Err(place) => self.attributes.insert(place, attribute),
        }
        self
    }

    /// The resource with the attributes of `other` that it lacks.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        let mut attributes = self.attributes;
        for theirs in &other.attributes {
            if let Err(place) = attributes.binary_search_by(|own| own.key.cmp(&theirs.key)) {
                attributes.insert(place, theirs.clone());
            }
        }
        Self { attributes }
    }

    /// The value of the attribute `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        let found = self.attributes.binary_search_by(|other| other.key.as_ref().cmp(key)).ok()?;
        Some(&self.attributes[found].value)
    }

    /// The attributes, sorted by key.
    #[must_use]
    pub fn attributes(&self) -> &[KeyValue] {
        &self.attributes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_resource_or_another_has_the_keys_of_both_sorted() {
        let one = Resource::default().with("b", 1).with("d", 1);
        let other = Resource::default().with("a", 2).with("b", 2).with("e", 2);
        let both = one.or(&other);
        let pairs: Vec<_> =
            both.attributes().iter().map(|each| format!("{}{}", each.key, each.value)).collect();
        assert_eq!(pairs, ["a2", "b1", "d1", "e2"]);
        assert_eq!(both.get("a"), Some(&2.into()));
    }
}
