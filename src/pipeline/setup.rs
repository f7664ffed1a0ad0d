//! What an exporter gets before its first batch.

use crate::{label::Value, resource::Resource};

/// The resource of the telemetry, passed to each exporter once before its first batch.
///
/// # Examples
///
/// ```
/// use bellwether::{pipeline::Setup, resource::Resource};
///
/// let setup = Setup::new(Resource::service("shop"));
/// assert_eq!(setup.service_name(), "shop");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Setup {
    resource: Resource,
}

impl Setup {
    /// Creates the set-up of an exporter that sends for `resource`.
    #[must_use]
    pub fn new(resource: Resource) -> Self {
        Self { resource }
    }

    /// The attributes of the service and of its process.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The attribute `service.name`; empty if there is none.
    #[must_use]
    pub fn service_name(&self) -> &str {
        match self.resource.get("service.name") {
            Some(Value::String(name)) => name,
            _ => "",
        }
    }
}
