//! Records as rows: an object of JSON and a line break each.

use crate::{
    clock::Timestamp,
    error::Error,
    export::wire::{
        familiar::Familiar,
        json::{Json, Object},
        number::{Number, put_canonical},
    },
    label::{KeyValue, Value},
    pipeline::{Batch, Encoder, Payload, Setup, Signal},
};

/// A signal whose records are rows.
pub(crate) trait Row: Signal {
    /// The name of the format of its rows, with a number that changes with them.
    const FORMAT: &str;
    /// The name of its table, behind the prefix.
    const TABLE: &str;

    /// Writes the columns; `bounds` writes those of buckets.
    fn columns(&self, row: &mut Object<'_>, bounds: &mut Familiar);
}

/// Encodes records of one signal.
#[derive(Debug)]
pub(super) struct Rows {
    /// The columns of the resource, with a comma behind: they are the same in every row.
    resource: Vec<u8>,
    bounds: Familiar,
}

impl Default for Rows {
    fn default() -> Self {
        Self { resource: Vec::new(), bounds: Familiar::of(put_canonical) }
    }
}

impl<S: Row> Encoder<S> for Rows {
    fn encode(&mut self, batch: &Batch<S>) -> Payload {
        Payload::each(batch, |out, record| {
            Json::new(out).object(|row| {
                row.written(&self.resource);
                record.columns(row, &mut self.bounds);
            });
            out.push(b'\n');
        })
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        let mut object = Vec::new();
        Json::new(&mut object).object(|row| {
            row.field("ServiceName").str(setup.service_name());
            let attributes = setup.resource().attributes();
            map(row.field("ResourceAttributes"), attributes.iter());
        });
        self.resource = object[1..object.len() - 1].to_vec();
        Ok(())
    }

    fn format(&self) -> &str {
        S::FORMAT
    }
}

/// Writes attributes as a `Map(String, String)`.
pub(super) fn map<'a>(json: Json<'_>, attributes: impl Iterator<Item = &'a KeyValue>) {
    json.object(|map| attributes.for_each(|one| text(map.field(&one.key), &one.value)));
}

/// Writes a value as text.
pub(super) fn text(json: Json<'_>, value: &Value) {
    match value {
        Value::String(text) => json.str(text),
        Value::Bool(value) => json.plain(value),
        Value::I64(value) => json.plain(value),
        value => json.shown(value),
    }
}

/// Writes a time as seconds with nine digits behind the point, which says the same to servers of all time zones.
pub(super) fn time(json: Json<'_>, time: impl Into<Timestamp>) {
    const SECOND: u64 = 1_000_000_000;
    let nanos = time.into().unix_nanos();
    json.raw(|out| {
        out.push(b'"');
        Number::Whole(nanos / SECOND).put(out);
        let point = out.len();
        // With a digit before them, those of the fraction are nine.
        Number::Whole(SECOND + nanos % SECOND).put(out);
        out[point] = b'.';
        out.push(b'"');
    });
}

/// Writes a float, whatever it is.
pub(super) fn float(json: Json<'_>, value: f64) {
    match value {
        _ if value.is_finite() => json.float(value),
        _ if value.is_nan() => json.bare(b"nan"),
        _ if value > 0.0 => json.bare(b"inf"),
        _ => json.bare(b"-inf"),
    }
}
