//! The two forms of OTLP's messages: protobuf, and JSON.
//!
//! Each message is described once, as calls of [`Fields`], with the number that a field has in protobuf and
//! the name that it has in JSON. The forms are types, so that each description is compiled once for each.

use crate::{
    context::{SpanId, TraceId},
    export::wire::{
        json::Json,
        protobuf::{Guess, Protobuf},
    },
};

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// In protobuf.
    pub(super) number: u8,
    /// In JSON.
    pub(super) name: &'static str,
}

pub(super) const fn field(number: u8, name: &'static str) -> Field {
    Field { number, name }
}

/// A form that messages are written in.
pub(super) trait Form: Send + 'static {
    /// What writes the fields of a message.
    type Writer<'a>: Fields;

    /// Appends the fields of a message, without anything around them.
    fn fields(out: &mut Vec<u8>, write: impl FnOnce(&mut Self::Writer<'_>));

    /// Appends a message as an item of the list `field`, as it stands behind another one.
    fn item(out: &mut Vec<u8>, field: Field, write: impl FnOnce(&mut Self::Writer<'_>));
}

/// A message under construction. Fields whose value is the default are left out by whoever writes them.
pub(super) trait Fields {
    fn text(&mut self, field: Field, text: &str);
    fn bool(&mut self, field: Field, value: bool);
    /// An `int64`.
    fn int(&mut self, field: Field, value: i64);
    /// A `uint32`, or an enum's number.
    fn small(&mut self, field: Field, value: u32);
    /// A `sint32`.
    fn zigzag(&mut self, field: Field, value: i32);
    fn fixed32(&mut self, field: Field, value: u32);
    fn fixed64(&mut self, field: Field, value: u64);
    fn sfixed64(&mut self, field: Field, value: i64);
    fn double(&mut self, field: Field, value: f64);
    fn trace_id(&mut self, field: Field, id: TraceId);
    fn span_id(&mut self, field: Field, id: SpanId);
    fn message(&mut self, field: Field, write: impl FnOnce(&mut Self));
    /// Repeated messages: `write` writes each as an [`item`](Self::item) of the same field.
    fn list(&mut self, field: Field, write: impl FnOnce(&mut Self));
    fn item(&mut self, field: Field, write: impl FnOnce(&mut Self));
    /// Repeated `fixed64`.
    fn fixed64s(&mut self, field: Field, values: impl Iterator<Item = u64>);
    /// Repeated `uint64`.
    fn counts(&mut self, field: Field, values: impl Iterator<Item = u64>);
    fn doubles(&mut self, field: Field, values: &[f64]);

    /// Writes a text, unless it is empty.
    fn some_text(&mut self, field: Field, text: &str) {
        if !text.is_empty() {
            self.text(field, text);
        }
    }

    /// Writes a count, unless it is zero.
    fn some_count(&mut self, field: Field, n: u32) {
        if n != 0 {
            self.small(field, n);
        }
    }
}

/// Protobuf, as `opentelemetry-proto` numbers its fields.
#[derive(Debug)]
pub(super) struct Binary;

impl Form for Binary {
    type Writer<'a> = Protobuf<'a>;

    #[inline]
    fn fields(out: &mut Vec<u8>, write: impl FnOnce(&mut Protobuf<'_>)) {
        write(&mut Protobuf(out));
    }

    #[inline]
    fn item(out: &mut Vec<u8>, field: Field, write: impl FnOnce(&mut Protobuf<'_>)) {
        Protobuf(out).message(field.number, Guess::Long, write);
    }
}

impl Fields for Protobuf<'_> {
    #[inline]
    fn text(&mut self, field: Field, text: &str) {
        self.bytes(field.number, text.as_bytes());
    }

    #[inline]
    fn bool(&mut self, field: Field, value: bool) {
        self.varint(field.number, value.into());
    }

    #[inline]
    fn int(&mut self, field: Field, value: i64) {
        self.varint(field.number, value.cast_unsigned());
    }

    #[inline]
    fn small(&mut self, field: Field, value: u32) {
        self.varint(field.number, value.into());
    }

    fn zigzag(&mut self, field: Field, value: i32) {
        Self::zigzag(self, field.number, value.into());
    }

    #[inline]
    fn fixed32(&mut self, field: Field, value: u32) {
        Self::fixed32(self, field.number, value);
    }

    #[inline]
    fn fixed64(&mut self, field: Field, value: u64) {
        Self::fixed64(self, field.number, value);
    }

    fn sfixed64(&mut self, field: Field, value: i64) {
        Self::fixed64(self, field.number, value.cast_unsigned());
    }

    #[inline]
    fn double(&mut self, field: Field, value: f64) {
        Self::double(self, field.number, value);
    }

    #[inline]
    fn trace_id(&mut self, field: Field, id: TraceId) {
        self.id(field.number, id.to_u128().to_be_bytes());
    }

    #[inline]
    fn span_id(&mut self, field: Field, id: SpanId) {
        self.id(field.number, id.to_u64().to_be_bytes());
    }

    #[inline]
    fn message(&mut self, field: Field, write: impl FnOnce(&mut Self)) {
        Self::message(self, field.number, Guess::Short, write);
    }

    #[inline]
    fn list(&mut self, _field: Field, write: impl FnOnce(&mut Self)) {
        write(self);
    }

    #[inline]
    fn item(&mut self, field: Field, write: impl FnOnce(&mut Self)) {
        Self::message(self, field.number, Guess::Short, write);
    }

    fn fixed64s(&mut self, field: Field, values: impl Iterator<Item = u64>) {
        self.packed(field.number, |to| {
            values.for_each(|value| to.0.extend_from_slice(&value.to_le_bytes()));
        });
    }

    fn counts(&mut self, field: Field, values: impl Iterator<Item = u64>) {
        self.packed(field.number, |to| values.for_each(|value| to.number(value)));
    }

    fn doubles(&mut self, field: Field, values: &[f64]) {
        self.packed(field.number, |to| {
            values.iter().for_each(|value| to.0.extend_from_slice(&value.to_le_bytes()));
        });
    }
}

/// JSON, as OTLP maps protobuf to it: ids in hex, numbers of 64 bits as texts, enums as numbers.
#[derive(Debug)]
pub(super) struct Text;

impl Form for Text {
    type Writer<'a> = TextFields<'a>;

    fn fields(out: &mut Vec<u8>, write: impl FnOnce(&mut TextFields<'_>)) {
        write(&mut TextFields { out, is_empty: true });
    }

    fn item(out: &mut Vec<u8>, field: Field, write: impl FnOnce(&mut TextFields<'_>)) {
        TextFields { out, is_empty: false }.item(field, write);
    }
}

/// The fields of an object, or the items of an array.
#[derive(Debug)]
pub(super) struct TextFields<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl TextFields<'_> {
    fn separate(&mut self) {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
    }

    fn value(&mut self, field: Field) -> Json<'_> {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(field.name.as_bytes());
        self.out.extend_from_slice(b"\":");
        Json::new(self.out)
    }

    fn within(&mut self, [open, close]: [u8; 2], write: impl FnOnce(&mut Self)) {
        self.out.push(open);
        self.is_empty = true;
        write(self);
        self.out.push(close);
        self.is_empty = false;
    }
}

/// A number of 64 bits, as text.
fn long(json: Json<'_>, value: u64) {
    json.quoted(|json| json.u64(value));
}

/// A number, or the word that JSON has none for.
fn real(json: Json<'_>, value: f64) {
    match value {
        f64::INFINITY => json.bare(b"Infinity"),
        f64::NEG_INFINITY => json.bare(b"-Infinity"),
        _ if value.is_nan() => json.bare(b"NaN"),
        _ => json.f64(value),
    }
}

impl Fields for TextFields<'_> {
    fn text(&mut self, field: Field, text: &str) {
        self.value(field).str(text);
    }

    fn bool(&mut self, field: Field, value: bool) {
        self.value(field).bool(value);
    }

    fn int(&mut self, field: Field, value: i64) {
        self.value(field).quoted(|json| json.i64(value));
    }

    fn small(&mut self, field: Field, value: u32) {
        self.value(field).u64(value.into());
    }

    fn zigzag(&mut self, field: Field, value: i32) {
        self.value(field).i64(value.into());
    }

    fn fixed32(&mut self, field: Field, value: u32) {
        self.small(field, value);
    }

    fn fixed64(&mut self, field: Field, value: u64) {
        long(self.value(field), value);
    }

    fn sfixed64(&mut self, field: Field, value: i64) {
        self.int(field, value);
    }

    fn double(&mut self, field: Field, value: f64) {
        real(self.value(field), value);
    }

    fn trace_id(&mut self, field: Field, id: TraceId) {
        self.value(field).plain(id);
    }

    fn span_id(&mut self, field: Field, id: SpanId) {
        self.value(field).plain(id);
    }

    fn message(&mut self, field: Field, write: impl FnOnce(&mut Self)) {
        let _ = self.value(field);
        self.within(*b"{}", write);
    }

    fn list(&mut self, field: Field, write: impl FnOnce(&mut Self)) {
        let _ = self.value(field);
        self.within(*b"[]", write);
    }

    fn item(&mut self, _field: Field, write: impl FnOnce(&mut Self)) {
        self.separate();
        self.within(*b"{}", write);
    }

    fn fixed64s(&mut self, field: Field, values: impl Iterator<Item = u64>) {
        self.value(field).array(values, long);
    }

    fn counts(&mut self, field: Field, values: impl Iterator<Item = u64>) {
        self.value(field).array(values, long);
    }

    fn doubles(&mut self, field: Field, values: &[f64]) {
        self.value(field).array(values, |json, value| real(json, *value));
    }
}
