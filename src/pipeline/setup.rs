//! What an exporter may know before its first batch.

use crate::{label::Value, resource::Resource};

/// Who is speaking: handed to each exporter once, before its first batch.
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
    /// The set-up of an exporter that `resource` sends by.
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
