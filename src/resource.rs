//! The resource: attributes of the service, sent with everything it exports.

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
        Self::default()
            .with("service.name", name.to_owned())
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
