//! Attributes and values: OTLP's `KeyValue` and `AnyValue`.

use super::form::{Field, Fields, field};
use crate::{
    export::wire::span::last_of_each_key,
    label::{Array, KeyValue, Value},
};

const KEY: Field = field(1, "key");
const VALUE: Field = field(2, "value");

const STRING: Field = field(1, "stringValue");
const BOOL: Field = field(2, "boolValue");
const INT: Field = field(3, "intValue");
const DOUBLE: Field = field(4, "doubleValue");
const ARRAY: Field = field(5, "arrayValue");
const VALUES: Field = field(1, "values");

/// Writes the attributes as the items of a list, the last value of each key.
#[inline]
pub(super) fn items(fields: &mut impl Fields, list: Field, attributes: &[KeyValue]) {
    for attribute in last_of_each_key(attributes) {
        fields.item(list, |fields| {
            fields.text(KEY, &attribute.key);
            fields.message(VALUE, |fields| value(fields, &attribute.value));
        });
    }
}

/// Writes the list of attributes, if there are any.
#[inline]
pub(super) fn list(fields: &mut impl Fields, field: Field, attributes: &[KeyValue]) {
    if !attributes.is_empty() {
        fields.list(field, |fields| items(fields, field, attributes));
    }
}

/// Writes one attribute that is a text.
pub(super) fn text_item(fields: &mut impl Fields, list: Field, key: &str, text: &str) {
    fields.item(list, |fields| {
        fields.text(KEY, key);
        fields.message(VALUE, |fields| fields.text(STRING, text));
    });
}

/// Writes one attribute that is a whole number, unless that is zero.
pub(super) fn count_item(fields: &mut impl Fields, list: Field, key: &str, n: u64) {
    if n != 0 {
        fields.item(list, |fields| {
            fields.text(KEY, key);
            fields.message(VALUE, |fields| fields.int(INT, n.try_into().unwrap_or(i64::MAX)));
        });
    }
}

/// Writes the fields of an `AnyValue`.
#[inline]
pub(super) fn value(fields: &mut impl Fields, value: &Value) {
    match value {
        Value::String(text) => fields.text(STRING, text),
        Value::Bool(value) => fields.bool(BOOL, *value),
        Value::I64(value) => fields.int(INT, *value),
        Value::F64(value) => fields.double(DOUBLE, *value),
        Value::Array(array) => fields.message(ARRAY, |fields| {
            fields.list(VALUES, |fields| array_items(fields, array));
        }),
    }
}

#[inline(never)]
fn array_items<F: Fields>(fields: &mut F, array: &Array) {
    fn each<F: Fields, T>(fields: &mut F, items: &[T], write: impl Fn(&mut F, &T)) {
        items.iter().for_each(|item| fields.item(VALUES, |fields| write(fields, item)));
    }
    match array {
        Array::Strings(items) => each(fields, items, |fields, text| fields.text(STRING, text)),
        Array::Bools(items) => each(fields, items, |fields, value| fields.bool(BOOL, *value)),
        Array::I64s(items) => each(fields, items, |fields, value| fields.int(INT, *value)),
        Array::F64s(items) => each(fields, items, |fields, value| fields.double(DOUBLE, *value)),
    }
}
