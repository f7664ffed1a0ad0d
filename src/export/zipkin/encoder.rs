//! Spans as bytes: a record is the object of a span, the head is the endpoint of the service.

use std::borrow::Cow;

use super::span;
use crate::{
    error::Error,
    export::wire::json::Json,
    pipeline::{Batch, Encoder, Payload, Setup},
    resource::Resource,
    trace::SpanRecord,
};

/// Encodes spans.
#[derive(Debug)]
pub(super) struct Spans {
    keys: Vec<Cow<'static, str>>, // Of the attributes of the resource that are tags.
    /// The local endpoint.
    head: Vec<u8>,
    tags: Vec<(String, String)>,
}

impl Spans {
    /// An encoder whose spans have these attributes of the resource as tags.
    pub(super) fn new(keys: Vec<Cow<'static, str>>) -> Self {
        Self { keys, head: Vec::new(), tags: Vec::new() }
    }

    fn read(&mut self, service: &str, resource: &Resource) {
        let name = if service.is_empty() { UNKNOWN } else { service };
        self.head.clear();
        Json::new(&mut self.head).object(|object| object.field("serviceName").str(name));
        let tag = |key: &Cow<'static, str>| {
            resource.get(key).map(|value| (key.to_string(), value.to_string()))
        };
        self.tags = self.keys.iter().filter_map(tag).collect();
    }
}

impl Encoder<SpanRecord> for Spans {
    fn encode(&mut self, batch: &Batch<SpanRecord>) -> Payload {
        let mut payload = Payload::with_head(&*self.head);
        for record in batch {
            payload.record(|bytes| {
                Json::new(bytes).object(|object| span::fields(object, record, &self.tags));
            });
        }
        payload
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        self.read(setup.service_name(), setup.resource());
        Ok(())
    }

    fn format(&self) -> &str {
        "zipkin.spans.1"
    }
}

/// The list that is posted: each span with the endpoint in front of its other fields.
pub(super) fn list(payload: &Payload) -> Vec<u8> {
    const FIELD: &[u8] = b"{\"localEndpoint\":";
    let each = FIELD.len() + payload.head().len() + 2;
    let mut list = Vec::with_capacity(2 + payload.bytes().len() + payload.len() * each);
    list.push(b'[');
    for (place, record) in payload.records().enumerate() {
        if place > 0 {
            list.push(b',');
        }
        list.extend_from_slice(FIELD);
        list.extend_from_slice(payload.head());
        list.push(b',');
        list.extend_from_slice(record.get(1..).unwrap_or_default()); // Without its `{`.
    }
    list.push(b']');
    list
}

/// The service of a resource that names none, as OpenTelemetry has it.
const UNKNOWN: &str = "unknown_service";
