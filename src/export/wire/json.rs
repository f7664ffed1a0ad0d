//! Writes JSON (RFC 8259), straight into a buffer, without an allocation per field.
//!
//! - Text: `"`, `\` and all control characters are escaped. So are U+007F, U+2028 and U+2029: they are
//!   legal, but some readers take them for line breaks or noise. A `str` has no lone surrogates or
//!   bytes.
//! - Numbers: whole numbers are exact, also beyond 2^53; readers that turn them into doubles round
//!   them. Fractions have the shortest form that reads back as the same double.
//! - NaN and the infinities are `null`, because JSON has no words for them.
//! - Keys are written unchanged: the caller must keep them unique.

use crate::{
    label::{Array, Value},
    util::escape::escape,
};

/// A value under construction: exactly one of its methods is called.
pub(crate) struct Json<'a>(&'a mut Vec<u8>);

impl<'a> Json<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self(out)
    }

    pub(crate) fn null(self) {
        self.0.extend_from_slice(b"null");
    }

    pub(crate) fn bool(self, value: bool) {
        self.0.extend_from_slice(if value { b"true" } else { b"false" });
    }

    pub(crate) fn u64(self, value: u64) {
        // Digits by hand: the machinery of `fmt` takes longer than the rest of a field.
        let (mut digits, mut rest) = ([0; 20], value);
        let mut begin = digits.len();
        loop {
            begin -= 1;
            digits[begin] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.0.extend_from_slice(&digits[begin..]);
    }

    pub(crate) fn i64(self, value: i64) {
        if value < 0 {
            self.0.push(b'-');
        }
        self.u64(value.unsigned_abs());
    }

    pub(crate) fn f64(self, value: f64) {
        if value.is_finite() {
            // `Debug` writes exponents where `Display` would write three hundred digits.
            print(self.0, format_args!("{value:?}"));
        } else {
            self.null();
        }
    }

    /// Writes a finite number so that it reads as a float even if it is whole, without the machinery of `fmt`.
    #[cfg(any(feature = "clickhouse", feature = "elasticsearch"))]
    pub(crate) fn float(self, value: f64) {
        let mut room = super::number::Room::default();
        let length = super::number::put_canonical(&mut room, value);
        self.0.extend_from_slice(&room[..length]);
    }

    /// Writes a whole number as [`u64`](Self::u64) does, where there are many of them.
    #[cfg(any(feature = "clickhouse", feature = "elasticsearch"))]
    pub(crate) fn whole(self, value: u64) {
        super::number::Number::Whole(value).put(self.0);
    }

    pub(crate) fn optional_f64(self, value: Option<f64>) {
        self.f64(value.unwrap_or(f64::NAN));
    }

    pub(crate) fn str(self, text: &str) {
        self.0.push(b'"');
        escape(text, |piece| self.0.extend_from_slice(piece.as_bytes()));
        self.0.push(b'"');
    }

    /// Writes `value` as it prints, without escapes: for ids and words of our own.
    pub(crate) fn plain(self, value: impl std::fmt::Display) {
        print(self.0, format_args!("\"{value}\""));
    }

    /// Writes `value` as text, as it prints.
    #[cfg(feature = "clickhouse")]
    pub(crate) fn shown(self, value: impl std::fmt::Display) {
        struct Escaped<'a>(&'a mut Vec<u8>);
        impl std::fmt::Write for Escaped<'_> {
            fn write_str(&mut self, text: &str) -> std::fmt::Result {
                escape(text, |piece| self.0.extend_from_slice(piece.as_bytes()));
                Ok(())
            }
        }
        self.0.push(b'"');
        // Writing to a Vec cannot fail.
        let _ = std::fmt::write(&mut Escaped(self.0), format_args!("{value}"));
        self.0.push(b'"');
    }

    /// Writes `text` without escapes: digits, ids and words of our own.
    pub(crate) fn bare(self, text: &[u8]) {
        self.0.push(b'"');
        self.0.extend_from_slice(text);
        self.0.push(b'"');
    }

    /// Writes what `write` writes as text: a number with more digits than some readers keep.
    #[cfg(feature = "otlp")]
    pub(crate) fn quoted(self, write: impl FnOnce(Json<'_>)) {
        self.0.push(b'"');
        write(Json(self.0));
        self.0.push(b'"');
    }

    pub(crate) fn value(self, value: &Value) {
        match value {
            Value::String(text) => self.str(text),
            Value::Bool(value) => self.bool(*value),
            Value::I64(value) => self.i64(*value),
            Value::F64(value) => self.f64(*value),
            Value::Array(array) => self.items(array),
        }
    }

    fn items(self, array: &Array) {
        match array {
            Array::Strings(texts) => self.array(texts, |json, text| json.str(text)),
            Array::Bools(bools) => self.array(bools, |json, value| json.bool(*value)),
            Array::I64s(numbers) => self.array(numbers, |json, value| json.i64(*value)),
            Array::F64s(numbers) => self.array(numbers, |json, value| json.f64(*value)),
        }
    }

    /// Writes what `write` writes, which is JSON.
    #[cfg(any(feature = "clickhouse", feature = "elasticsearch", feature = "emf"))]
    pub(crate) fn raw(self, write: impl FnOnce(&mut Vec<u8>)) {
        write(self.0);
    }

    pub(crate) fn object(self, fields: impl FnOnce(&mut Object<'_>)) {
        self.0.push(b'{');
        fields(&mut Object { out: self.0, is_empty: true });
        self.0.push(b'}');
    }

    pub(crate) fn array<I: IntoIterator>(self, items: I, mut each: impl FnMut(Json<'_>, I::Item)) {
        self.0.push(b'[');
        for (place, item) in items.into_iter().enumerate() {
            if place > 0 {
                self.0.push(b',');
            }
            each(Json(self.0), item);
        }
        self.0.push(b']');
    }
}

/// The fields of an object under construction.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl Object<'_> {
    /// Adds fields that were written before, without the brackets around them.
    #[cfg(feature = "clickhouse")]
    pub(crate) fn written(&mut self, fields: &[u8]) {
        if fields.is_empty() {
            return;
        }
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(fields);
    }

    /// Begins the field `key`; write its value with the result.
    pub(crate) fn field(&mut self, key: &str) -> Json<'_> {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        Json(self.out).str(key);
        self.out.push(b':');
        Json(self.out)
    }
}

fn print(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    // Writing to a Vec cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(Json<'_>)) -> String {
        let mut out = Vec::new();
        write(Json::new(&mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_written_as_json() {
        let text = written(|json| {
            json.object(|object| {
                object.field("null").null();
                object.field("q\"").bool(true);
                object.field("n").u64(u64::MAX);
                object.field("i").i64(i64::MIN);
                object
                    .field("a")
                    .array([1.5, f64::NAN, f64::INFINITY, -0.0, 1e300], |json, x| json.f64(x));
                object.field("e").object(|_| {});
            });
        });
        assert_eq!(
            text,
            r#"{"null":null,"q\"":true,"n":18446744073709551615,"i":-9223372036854775808,"#
                .to_owned()
                + r#""a":[1.5,null,null,-0.0,1e300],"e":{}}"#
        );
    }

    #[test]
    fn every_control_character_and_line_break_is_escaped() {
        for code in (0..0x20).chain(0x7f..0xa0).chain([0x2028, 0x2029]) {
            let text = char::from_u32(code).unwrap().to_string();
            let line = written(|json| json.str(&text));
            assert!(line.is_ascii() && line.bytes().all(|byte| byte >= 0x20), "{line:?}");
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text in ".*", raw in proptest::collection::vec(any::<char>(), 0..20)) {
            let all = text + &raw.into_iter().collect::<String>();
            let line = written(|json| json.str(&all));
            prop_assert!(!line.contains(['\n', '\r']));
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), all);
        }

        #[test]
        fn any_number_reads_back(float in any::<f64>(), signed in any::<i64>(), unsigned in any::<u64>()) {
            let line = written(|json| json.f64(float));
            if float.is_finite() {
                // The standard library's parser is exact; serde_json's is only by a feature.
                prop_assert_eq!(line.parse::<f64>().unwrap().to_bits(), float.to_bits());
                prop_assert!(serde_json::from_str::<f64>(&line).is_ok());
            } else {
                prop_assert_eq!(line, "null");
            }
            let line = written(|json| json.i64(signed));
            prop_assert_eq!(serde_json::from_str::<i64>(&line).unwrap(), signed);
            let line = written(|json| json.u64(unsigned));
            prop_assert_eq!(serde_json::from_str::<u64>(&line).unwrap(), unsigned);
        }
    }
}
