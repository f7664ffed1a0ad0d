//! Attribute values of spans, links and the resource.

use std::{borrow::Cow, fmt};

/// A key and a value: an attribute of a span or of the resource.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyValue {
    /// The key, usually in OpenTelemetry's style: dotted lowercase.
    pub key: Cow<'static, str>,
    /// The value.
    pub value: Value,
}

impl KeyValue {
    /// Pairs `key` with `value`.
    pub fn new(key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Text.
    String(Cow<'static, str>),
    /// True or false.
    Bool(bool),
    /// A whole number.
    I64(i64),
    /// A number.
    F64(f64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(value) => f.write_str(value),
            Self::Bool(value) => value.fmt(f),
            Self::I64(value) => value.fmt(f),
            Self::F64(value) => value.fmt(f),
        }
    }
}

impl From<&'static str> for Value {
    fn from(value: &'static str) -> Self {
        Self::String(Cow::Borrowed(value))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(Cow::Owned(value))
    }
}

impl From<Cow<'static, str>> for Value {
    fn from(value: Cow<'static, str>) -> Self {
        Self::String(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::F64(value)
    }
}

impl From<f32> for Value {
    fn from(value: f32) -> Self {
        Self::F64(value.into())
    }
}

macro_rules! whole_numbers {
    ($($exact:ty)* ; $($wide:ty)*) => {
        $(impl From<$exact> for Value {
            fn from(value: $exact) -> Self {
                Self::I64(value.into())
            }
        })*
        // A number beyond i64 is text: OpenTelemetry has no wider type.
        $(impl From<$wide> for Value {
            fn from(value: $wide) -> Self {
                value.try_into().map_or_else(|_| value.to_string().into(), Self::I64)
            }
        })*
    };
}

whole_numbers!(i8 i16 i32 i64 u8 u16 u32 ; u64 usize);

impl From<isize> for Value {
    fn from(value: isize) -> Self {
        Self::I64(value as i64) // isize is at most 64 bits wide.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_beyond_i64_is_its_decimal_text() {
        assert_eq!(Value::from(i64::MAX as u64), Value::I64(i64::MAX));
        assert_eq!(Value::from(u64::MAX).to_string(), "18446744073709551615");
        assert_eq!(Value::from(i64::MAX as u64 + 1).to_string(), "9223372036854775808");
        assert_eq!(Value::from(usize::MAX).to_string(), usize::MAX.to_string());
    }
}
