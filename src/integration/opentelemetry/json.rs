//! Values of log records of any shape, as OpenTelemetry represents them where there is no other form for
//! them ("AnyValue representation for non-OTLP protocols"): lists and maps are JSON, bytes are base 64.

use std::fmt::{self, Write as _};

use ::opentelemetry::{Key, logs::AnyValue};

use crate::{label::Value, log, util::escape::escape};

/// The value; of a list whose items are of one type, an array. Long ones end beyond the limit of texts.
pub(super) fn value_of(theirs: AnyValue) -> Value {
    match theirs {
        AnyValue::Int(value) => value.into(),
        AnyValue::Double(value) => value.into(),
        AnyValue::Boolean(value) => value.into(),
        AnyValue::String(text) => text.as_str().into(),
        AnyValue::Bytes(bytes) => log::print(format_args!("{}", Base64(&bytes))),
        AnyValue::ListAny(items) => {
            let list = List { items: &items, depth: 1 };
            array_of(&items).unwrap_or_else(|| log::print(format_args!("{list}")))
        }
        other => log::print(format_args!("{}", Json { value: &other, depth: 0 })),
    }
}

fn array_of(items: &[AnyValue]) -> Option<Value> {
    fn all<'a, T>(
        items: &'a [AnyValue],
        each: impl FnMut(&'a AnyValue) -> Option<T>,
    ) -> Option<Vec<T>> {
        items.iter().map(each).collect()
    }
    match items.first()? {
        AnyValue::Int(_) => all(items, |item| match item {
            AnyValue::Int(value) => Some(*value),
            _ => None,
        })
        .map(Value::from),
        AnyValue::Double(_) => all(items, |item| match item {
            AnyValue::Double(value) => Some(*value),
            _ => None,
        })
        .map(Value::from),
        AnyValue::Boolean(_) => all(items, |item| match item {
            AnyValue::Boolean(value) => Some(*value),
            _ => None,
        })
        .map(Value::from),
        AnyValue::String(_) => all(items, |item| match item {
            AnyValue::String(text) => Some(text.as_str()),
            _ => None,
        })
        .map(Value::from),
        _ => None,
    }
}

/// What is nested deeper is `null`. Arbitrary, far beyond honest records; each level is a call.
const MOST_DEEP: usize = 64;

/// A value as JSON. A stranger may have made it, so nothing is made of it that is not printed.
struct Json<'a> {
    value: &'a AnyValue,
    depth: usize,
}

struct List<'a> {
    items: &'a [AnyValue],
    depth: usize,
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let depth = self.depth + 1;
        match self.value {
            AnyValue::ListAny(_) | AnyValue::Map(_) if depth > MOST_DEEP => f.write_str("null"),
            AnyValue::Int(value) => value.fmt(f),
            AnyValue::Boolean(value) => value.fmt(f),
            AnyValue::Double(value) => number(f, *value),
            AnyValue::String(text) => quoted(f, text.as_str()),
            AnyValue::Bytes(bytes) => write!(f, "\"{}\"", Base64(bytes)),
            AnyValue::ListAny(items) => List { items, depth }.fmt(f),
            AnyValue::Map(entries) => {
                let mut entries: Vec<(&Key, &AnyValue)> = entries.iter().collect();
                entries.sort_unstable_by_key(|(key, _)| *key);
                f.write_char('{')?;
                for (place, (key, value)) in entries.into_iter().enumerate() {
                    if place > 0 {
                        f.write_char(',')?;
                    }
                    quoted(f, key.as_str())?;
                    f.write_char(':')?;
                    Json { value, depth }.fmt(f)?;
                }
                f.write_char('}')
            }
            other => quoted(f, &format!("{other:?}")),
        }
    }
}

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (place, value) in self.items.iter().enumerate() {
            if place > 0 {
                f.write_char(',')?;
            }
            Json { value, depth: self.depth }.fmt(f)?;
        }
        f.write_char(']')
    }
}

fn number(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    if value.is_finite() { write!(f, "{value:?}") } else { write!(f, "\"{}\"", Value::from(value)) }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    let mut result = Ok(());
    escape(text, |piece| result = result.and_then(|()| f.write_str(piece)));
    result?;
    f.write_char('"')
}

/// Bytes in base 64 (RFC 4648, section 4).
struct Base64<'a>(&'a [u8]);

impl fmt::Display for Base64<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for three in self.0.chunks(3) {
            let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
            let bits = bits << (8 * (3 - three.len()));
            for place in 0..4 {
                let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
                f.write_char(if place > three.len() { '=' } else { digit.into() })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn printed(value: AnyValue) -> String {
        value_of(value).to_string()
    }

    fn list(items: impl IntoIterator<Item = AnyValue>) -> AnyValue {
        AnyValue::ListAny(Box::new(items.into_iter().collect()))
    }

    #[test]
    fn plain_values_keep_their_type() {
        assert_eq!(value_of(AnyValue::from(-7_i64)), Value::from(-7));
        assert_eq!(value_of(AnyValue::from(0.5)), Value::from(0.5));
        assert_eq!(value_of(AnyValue::from(true)), Value::from(true));
        assert_eq!(value_of(AnyValue::from("text")), Value::from("text"));
        assert_eq!(value_of(list([1.into(), 2.into()])), Value::from([1, 2]));
        assert_eq!(value_of(list(["a".into()])), Value::from(["a"]));
        assert_eq!(value_of(list([true.into()])), Value::from([true]));
        assert_eq!(value_of(list([0.5.into()])), Value::from([0.5]));
    }

    #[test]
    fn bytes_are_base_64() {
        // The vectors of RFC 4648, section 10.
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(printed(AnyValue::from(bytes.as_bytes())), text);
        }
        assert_eq!(printed(AnyValue::from(&[0xfb, 0xff][..])), "+/8=");
    }

    #[test]
    fn lists_and_maps_are_json_with_their_keys_in_order() {
        let inner = HashMap::from([
            (Key::from("z"), AnyValue::from(f64::NAN)),
            (Key::from("a\"b"), AnyValue::from(1.0)),
            (Key::from("bytes"), AnyValue::from(&b"foo"[..])),
        ]);
        let value = list([AnyValue::Map(Box::new(inner)), 7.into(), "\n".into(), list([])]);
        assert_eq!(printed(value), r#"[{"a\"b":1.0,"bytes":"Zm9v","z":"NaN"},7,"\n",[]]"#);
    }

    #[test]
    fn what_is_nested_too_deep_is_null_and_what_is_huge_ends() {
        let deep = (0..1_000).fold(AnyValue::from(1), |inner, _| list([inner]));
        assert_eq!(printed(deep), format!("{}null{}", "[".repeat(64), "]".repeat(64)));
        let huge = list((0..1_000_000).map(|n| if n == 0 { "x".into() } else { n.into() }));
        assert!(printed(huge).len() <= 1 << 20);
    }
}
