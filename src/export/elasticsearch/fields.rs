//! Which attributes are fields of the Elastic Common Schema, and what each document has of its resource.

use std::borrow::Cow;

use crate::{
    export::wire::json::{Json, Object},
    label::Value,
    pipeline::Setup,
};

/// The version of the Elastic Common Schema that the names are of.
const ECS_VERSION: &str = "8.11.0";

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Keyword,
    Long,
}

/// Attributes of OpenTelemetry's conventions that the schema has under the same name; none of these is written
/// otherwise.
pub(super) const SHARED: &[(&str, Form)] = &[
    ("client.address", Form::Keyword),
    ("client.port", Form::Long),
    ("destination.address", Form::Keyword),
    ("destination.port", Form::Long),
    ("error.type", Form::Keyword),
    ("http.request.method", Form::Keyword),
    ("http.response.status_code", Form::Long),
    ("network.transport", Form::Keyword),
    ("network.type", Form::Keyword),
    ("server.address", Form::Keyword),
    ("server.port", Form::Long),
    ("source.address", Form::Keyword),
    ("source.port", Form::Long),
    ("url.domain", Form::Keyword),
    ("url.fragment", Form::Keyword),
    ("url.full", Form::Keyword),
    ("url.original", Form::Keyword),
    ("url.path", Form::Keyword),
    ("url.query", Form::Keyword),
    ("url.scheme", Form::Keyword),
    ("user.email", Form::Keyword),
    ("user.id", Form::Keyword),
    ("user.name", Form::Keyword),
    ("user_agent.name", Form::Keyword),
    ("user_agent.original", Form::Keyword),
];

/// The field of the schema that an attribute is, and what it takes.
pub(super) fn of_attribute(key: &str) -> Option<(&'static str, Form)> {
    let at = SHARED.binary_search_by(|(name, _)| (*name).cmp(key)).ok()?;
    Some(SHARED[at])
}

/// Attributes of the resource, and the fields that they are.
pub(super) const OF_RESOURCE: &[(&str, &str)] = &[
    ("service.name", "service.name"),
    ("service.version", "service.version"),
    ("service.instance.id", "service.node.name"),
    ("deployment.environment.name", "service.environment"),
    ("host.name", "host.name"),
    ("host.id", "host.id"),
    ("host.arch", "host.architecture"),
    ("os.type", "host.os.platform"),
    ("os.name", "host.os.name"),
    ("os.version", "host.os.version"),
    ("process.pid", "process.pid"),
    ("process.executable.name", "process.name"),
    ("container.id", "container.id"),
    ("k8s.pod.name", "kubernetes.pod.name"),
    ("k8s.pod.uid", "kubernetes.pod.uid"),
    ("k8s.namespace.name", "kubernetes.namespace"),
    ("k8s.node.name", "kubernetes.node.name"),
    ("k8s.container.name", "kubernetes.container.name"),
    ("k8s.deployment.name", "kubernetes.deployment.name"),
    ("k8s.cluster.name", "orchestrator.cluster.name"),
    ("cloud.provider", "cloud.provider"),
    ("cloud.region", "cloud.region"),
    ("cloud.availability_zone", "cloud.availability_zone"),
    ("cloud.account.id", "cloud.account.id"),
    ("faas.name", "faas.name"),
    ("faas.version", "faas.version"),
];

/// What each document has of its resource and of its data stream: fields that go before the last brace of an object
/// that is not empty. `stream` is the type, the dataset and the namespace.
pub(super) fn of_resource(
    setup: &Setup,
    stream: Option<[&str; 3]>,
    labels: &[(Cow<'_, str>, String)],
) -> Vec<u8> {
    let mut out = Vec::new();
    Json::new(&mut out).object(|object| {
        object.field("ecs.version").bare(ECS_VERSION.as_bytes());
        if let Some([of, dataset, namespace]) = stream {
            object.field("data_stream.type").str(of);
            object.field("data_stream.dataset").str(dataset);
            object.field("data_stream.namespace").str(namespace);
        }
        for (key, field) in OF_RESOURCE {
            if let Some(value) = setup.resource().get(key) {
                put(object, field, value);
            }
        }
        for (key, name) in labels {
            if let Some(value) = setup.resource().get(key) {
                object.field(name).str(&value.to_string());
            }
        }
    });
    out[0] = b',';
    out.pop();
    out
}

fn put(object: &mut Object<'_>, field: &str, value: &Value) {
    match value {
        Value::I64(number) if field == "process.pid" => object.field(field).i64(*number),
        _ if field == "process.pid" => {} // A text there would make the document one that is refused.
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => object.field(field).str(text),
        value => object.field(field).str(&value.to_string()),
    }
}
