//! From payloads to requests: what stands once before the records, and how they become one body.
//!
//! The head of a payload has the resource and the scope. A body is a short prefix and the records: these are
//! copied once, and only those of metrics are looked at, because neighbours of one metric become one.

use std::iter;

use super::{
    attribute,
    form::{Binary, Field, Fields, Form, Text, field},
    metric::{PointRecord, data_name},
    signal::{Encoding, Names},
};
use crate::{
    export::wire::protobuf::{Protobuf, length_of_length, read_number, split},
    pipeline::Payload,
    resource::Resource,
};

const RESOURCE: Field = field(1, "resource");
const SCOPE: Field = field(1, "scope");

/// The tags of field 1 and of field 2, when these are behind their lengths.
const FIRST: u8 = 1 << 3 | 2;
const SECOND: u8 = 2 << 3 | 2;

/// What closes a request in JSON, from the list of the records outwards.
const CLOSING: &[u8] = b"]}]}]}";

/// What is said once for all records of `resource`: in protobuf the fields of the resource and of the scope,
/// in JSON everything before the records.
pub(super) fn head(resource: &Resource, names: &Names, encoding: Encoding) -> Vec<u8> {
    let mut head = Vec::new();
    match encoding {
        Encoding::Protobuf => Binary::fields(&mut head, |fields| {
            write_resource(fields, resource);
            write_scope(fields);
        }),
        Encoding::Json => {
            head.extend_from_slice(format!("{{\"{}\":[{{", names.resources).as_bytes());
            Text::fields(&mut head, |fields| write_resource(fields, resource));
            head.extend_from_slice(format!(",\"{}\":[{{", names.scopes).as_bytes());
            Text::fields(&mut head, |fields| write_scope(fields));
            head.extend_from_slice(format!(",\"{}\":[", names.records).as_bytes());
        }
    }
    head
}

fn write_resource(fields: &mut impl Fields, resource: &Resource) {
    const ATTRIBUTES: Field = field(1, "attributes");
    fields.message(RESOURCE, |fields| attribute::list(fields, ATTRIBUTES, resource.attributes()));
}

fn write_scope(fields: &mut impl Fields) {
    fields.message(SCOPE, |fields| {
        fields.text(field(1, "name"), "bellwether");
        fields.text(field(2, "version"), env!("CARGO_PKG_VERSION"));
    });
}

/// The body of the request with the records of `payload`; `None` if the payload is none of this form.
pub(super) fn body(payload: &Payload, names: &Names, encoding: Encoding) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    match names.has_points {
        true => write(&mut body, payload.head(), payload.records(), names, encoding)?,
        // They stand one behind the other already.
        false => write(&mut body, payload.head(), iter::once(payload.bytes()), names, encoding)?,
    }
    Some(body)
}

/// Appends the request with `records`; `None` if they are none of this form. Where they are no points, each item may
/// be several records.
pub(super) fn write<'a>(
    body: &mut Vec<u8>,
    head: &[u8],
    mut records: impl Iterator<Item = &'a [u8]> + Clone,
    names: &Names,
    encoding: Encoding,
) -> Option<()> {
    match (encoding, names.has_points) {
        (Encoding::Protobuf, false) => {
            framed(body, head, records.clone().map(<[u8]>::len).sum(), |body| {
                records.for_each(|record| body.extend_from_slice(record));
            })
        }
        (Encoding::Protobuf, true) => {
            let metrics = metrics(records)?;
            framed(body, head, metrics.iter().map(Metric::len).sum(), |body| {
                metrics.iter().for_each(|metric| metric.write(body));
            })
        }
        (Encoding::Json, false) => {
            let len = records.clone().map(<[u8]>::len).sum::<usize>();
            body.reserve(head.len() + len + CLOSING.len());
            body.extend_from_slice(head);
            // Each has a comma before it.
            body.extend_from_slice(records.next()?.get(1..)?);
            records.for_each(|record| body.extend_from_slice(record));
            body.extend_from_slice(CLOSING);
            Some(())
        }
        (Encoding::Json, true) => {
            body.extend_from_slice(head);
            for (place, metric) in metrics(records)?.iter().enumerate() {
                if place > 0 {
                    body.push(b',');
                }
                metric.write_json(body)?;
            }
            body.extend_from_slice(CLOSING);
            Some(())
        }
    }
}

/// Appends a request in protobuf whose records take `len` bytes, which `write` appends.
fn framed(
    body: &mut Vec<u8>,
    head: &[u8],
    len: usize,
    write: impl FnOnce(&mut Vec<u8>),
) -> Option<()> {
    let (resource, scope) = split_head(head)?;
    let of_scope = scope.len() + len;
    let of_resource = resource.len() + 1 + length_of_length(of_scope) + of_scope;
    body.reserve(1 + length_of_length(of_resource) + of_resource);
    open(body, FIRST, of_resource);
    body.extend_from_slice(resource);
    open(body, SECOND, of_scope);
    body.extend_from_slice(scope);
    write(body);
    Some(())
}

/// The field of the resource, and that of the scope.
fn split_head(head: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = head.strip_prefix(&[FIRST])?;
    let len = usize::try_from(read_number(&mut rest)?).ok()?;
    split(&mut rest, len)?;
    Some(head.split_at(head.len() - rest.len()))
}

fn open(body: &mut Vec<u8>, tag: u8, len: usize) {
    body.push(tag);
    Protobuf(body).number(len as u64);
}

/// Neighbours in a payload that are of one metric.
struct Metric<'a> {
    of: PointRecord<'a>,
    points: Vec<&'a [u8]>,
}

/// The metrics of `records`, in order.
fn metrics<'a>(records: impl Iterator<Item = &'a [u8]>) -> Option<Vec<Metric<'a>>> {
    let mut metrics: Vec<Metric<'_>> = Vec::new();
    for record in records {
        let record = PointRecord::of(record)?;
        match metrics.last_mut() {
            Some(last) if last.of.key == record.key => last.points.push(record.points),
            _ => metrics.push(Metric { of: record, points: vec![record.points] }),
        }
    }
    Some(metrics)
}

impl Metric<'_> {
    fn len_of_data(&self) -> usize {
        self.of.data.len() + self.points.iter().map(|points| points.len()).sum::<usize>()
    }

    fn len_of_metric(&self) -> usize {
        let data = self.len_of_data();
        self.of.metric.len() + 1 + length_of_length(data) + data
    }

    /// With its own tag and length.
    fn len(&self) -> usize {
        let metric = self.len_of_metric();
        1 + length_of_length(metric) + metric
    }

    fn write(&self, body: &mut Vec<u8>) {
        open(body, SECOND, self.len_of_metric());
        body.extend_from_slice(self.of.metric);
        open(body, self.of.data_field << 3 | 2, self.len_of_data());
        body.extend_from_slice(self.of.data);
        self.points.iter().for_each(|points| body.extend_from_slice(points));
    }

    fn write_json(&self, body: &mut Vec<u8>) -> Option<()> {
        body.push(b'{');
        body.extend_from_slice(self.of.metric);
        body.extend_from_slice(b",\"");
        body.extend_from_slice(data_name(self.of.data_field)?.as_bytes());
        body.extend_from_slice(b"\":{");
        body.extend_from_slice(self.of.data);
        if !self.of.data.is_empty() {
            body.push(b',');
        }
        body.extend_from_slice(b"\"dataPoints\":[");
        for (place, points) in self.points.iter().enumerate() {
            body.extend_from_slice(if place == 0 { points.get(1..)? } else { points });
        }
        body.extend_from_slice(b"]}}");
        Some(())
    }
}
