//! Attributes and labels as fields: texts in `labels`, numbers in `numeric_labels`, as Elastic's own agents have
//! them.
//!
//! Each key is one field, never a path: a dot in it would make an object of what another document has as a text,
//! and one of the two would be refused. So `.` is `_`, and so is what a field's name cannot have.

use super::fields::{Form, of_attribute};
use crate::{
    export::wire::json::{Json, Object},
    label::{Array, KeyValue, LabelSet, Value},
};

/// The most bytes of a label's key. Arbitrary: each is a field of the mapping, which the whole cluster keeps in
/// memory.
const MOST_KEY: usize = 256;

/// Where an attribute is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    /// It is a field of the schema.
    Field(&'static str),
    Labels,
    Numbers,
}

/// Writes attributes: those that are fields of the schema as these, and all others as labels.
pub(super) fn attributes(object: &mut Object<'_>, attributes: &[KeyValue]) {
    let (mut has_labels, mut has_numbers) = (false, false);
    for (attribute, section) in each(attributes) {
        match section {
            Section::Field(name) => object.field(name).value(&attribute.value),
            Section::Labels => has_labels = true,
            Section::Numbers => has_numbers = true,
        }
    }
    let mut write = |name, wanted| {
        object.field(name).object(|labels| {
            for (attribute, _) in each(attributes).filter(|(_, section)| *section == wanted) {
                let mut room = [0; MOST_KEY];
                value(labels.field(shown(&attribute.key, &mut room)), &attribute.value);
            }
        });
    };
    if has_labels {
        write("labels", Section::Labels);
    }
    if has_numbers {
        write("numeric_labels", Section::Numbers);
    }
}

/// Writes the labels of a series.
pub(super) fn labels(object: &mut Object<'_>, set: &LabelSet) {
    if set.is_empty() {
        return;
    }
    object.field("labels").object(|labels| {
        for (place, (key, value)) in set.iter().enumerate() {
            let is_plain = key.len() <= MOST_KEY && key.bytes().all(|byte| of_key(byte) == byte);
            if is_plain || set.iter().skip(place + 1).all(|(later, _)| !is_one_field(key, later)) {
                let mut room = [0; MOST_KEY];
                labels.field(shown(key, &mut room)).str(value);
            }
        }
    });
}

/// The name of the field that a label of this key is: what is searched for.
pub(super) fn field_name(key: &str) -> String {
    shown(key, &mut [0; MOST_KEY]).to_owned()
}

/// Whether a value is a number, which is kept apart from texts: a field has one type for ever.
pub(super) fn is_number(value: &Value) -> bool {
    match value {
        Value::I64(_) => true,
        Value::F64(value) => value.is_finite(),
        Value::Array(array) => match &**array {
            Array::I64s(_) => true,
            Array::F64s(values) => values.iter().all(|value| value.is_finite()),
            Array::Strings(_) | Array::Bools(_) => false,
        },
        Value::String(_) | Value::Bool(_) => false,
    }
}

/// The attributes that are written, and where. Of several that would be one field the last is.
fn each(attributes: &[KeyValue]) -> impl Iterator<Item = (&KeyValue, Section)> {
    attributes.iter().enumerate().filter_map(|(place, attribute)| {
        let section = section_of(attribute);
        let is_last = attributes[place + 1..].iter().all(|later| {
            later.key != attribute.key
                && match section {
                    Section::Field(_) => true,
                    _ => !is_one_field(&later.key, &attribute.key) || section_of(later) != section,
                }
        });
        is_last.then_some((attribute, section))
    })
}

fn section_of(attribute: &KeyValue) -> Section {
    let field = of_attribute(&attribute.key);
    match (field, &attribute.value) {
        (Some((name, Form::Keyword)), Value::String(_))
        | (Some((name, Form::Long)), Value::I64(_)) => Section::Field(name),
        (_, value) if is_number(value) => Section::Numbers,
        _ => Section::Labels,
    }
}

/// Writes a label: a number as it is, all else as text.
fn value(json: Json<'_>, value: &Value) {
    match value {
        Value::String(text) => json.str(text),
        Value::Bool(value) => json.bare(word(*value)),
        Value::I64(value) => json.i64(*value),
        Value::F64(value) if value.is_finite() => json.float(*value),
        Value::F64(_) => json.plain(value),
        Value::Array(array) => match &**array {
            Array::Strings(texts) => json.array(texts, |json, text| json.str(text)),
            Array::Bools(values) => json.array(values, |json, value| json.bare(word(*value))),
            Array::I64s(values) => json.array(values, |json, value| json.i64(*value)),
            Array::F64s(values) if values.iter().all(|value| value.is_finite()) => {
                json.array(values, |json, value| json.float(*value));
            }
            Array::F64s(values) => {
                json.array(values, |json, number| json.plain(Value::F64(*number)));
            }
        },
    }
}

fn word(value: bool) -> &'static [u8] {
    if value { b"true" } else { b"false" }
}

/// The name of the field of a key.
fn shown<'a>(key: &str, room: &'a mut [u8; MOST_KEY]) -> &'a str {
    let key = cut(key);
    let name = &mut room[..key.len()];
    name.copy_from_slice(key.as_bytes());
    name.iter_mut().for_each(|byte| *byte = of_key(*byte));
    str::from_utf8(name).unwrap_or("_")
}

/// Whether two keys are one field.
fn is_one_field(a: &str, b: &str) -> bool {
    let (a, b) = (cut(a), cut(b));
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| of_key(a) == of_key(b))
}

/// The key, as much of it as is shown; `_` in place of one of spaces alone, which no field can have.
fn cut(key: &str) -> &str {
    if key.trim().is_empty() {
        return "_";
    }
    if key.len() <= MOST_KEY {
        return key;
    }
    let end = (0..=MOST_KEY).rev().find(|end| key.is_char_boundary(*end)).unwrap_or(0);
    if key[..end].trim().is_empty() { "_" } else { &key[..end] }
}

/// A byte of a key, in a field's name.
fn of_key(byte: u8) -> u8 {
    match byte {
        b'.' | b'*' | b'"' | b'\\' | 0..0x20 | 0x7f => b'_',
        byte => byte,
    }
}
