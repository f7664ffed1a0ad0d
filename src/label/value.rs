//! Attributes of spans, events, links and the resource: keys and values.

use std::{borrow::Cow, fmt};

use super::{
    array::{Array, ArrayItem, word_of},
    text::Text,
};

/// A key and a value: an attribute of a span or of the resource.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyValue {
    /// The key, usually in OpenTelemetry's style: dotted lowercase.
    pub key: Cow<'static, str>,
    /// The value.
    pub value: Value,
}

impl KeyValue {
    /// A place for another.
    pub(crate) const EMPTY: Self = Self { key: Cow::Borrowed(""), value: Value::Bool(false) };

    /// Pairs `key` with `value`.
    pub fn new(key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        Self { key: key.into(), value: value.into() }
    }

    /// Whether it may have memory on the heap. A key may have some and be empty.
    #[inline(always)] // It is known of most when the program is built.
    pub(crate) fn owns(&self) -> bool {
        let value_owns = match &self.value {
            Value::String(text) => text.heap_bytes() > 0,
            Value::Array(_) => true,
            Value::Bool(_) | Value::I64(_) | Value::F64(_) => false,
        };
        value_owns || matches!(self.key, Cow::Owned(_))
    }

    /// The bytes that it has on the heap; static text costs nothing.
    pub(crate) fn heap_bytes(&self) -> usize {
        owned_bytes(&self.key) + self.value.heap_bytes()
    }
}

/// The bytes of `text` on the heap; static text costs nothing.
#[expect(clippy::ptr_arg, reason = "whether it is owned is the question")]
pub(crate) fn owned_bytes(text: &Cow<'static, str>) -> usize {
    match text {
        Cow::Borrowed(_) => 0,
        Cow::Owned(text) => text.len(),
    }
}

/// The value of an attribute.
///
/// Numbers, `bool` and texts of at most 22 bytes are in place. Longer texts are copied, unless they are
/// [static](Self::from_static) or owned by the caller.
///
/// # Examples
///
/// ```
/// use bellwether::{label::Value, span};
///
/// let (user, host) = (String::from("ann"), "eu-1");
/// let order = span("order").enter();
/// order.set_attribute("user", &user);
/// order.set_attribute("host", host);
/// order.set_attribute("items", 3);
/// order.set_attribute("sizes", [36, 41]);
/// order.set_attribute("statement", Value::from_static("SELECT id FROM orders WHERE name = ?"));
/// assert_eq!(Value::from(u64::MAX), Value::from("18446744073709551615")); // Beyond `i64`: text.
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Text.
    String(Text),
    /// True or false.
    Bool(bool),
    /// A whole number.
    I64(i64),
    /// A number.
    F64(f64),
    /// Several values of one type.
    Array(Box<Array>),
}

// Attributes are moved into records: what a `String` takes.
const _: () = assert!(size_of::<Value>() == 24);

impl Value {
    /// A text that lives for ever, such as a literal: it is not copied, however long it is.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self::String(Text::from_static(text))
    }

    /// The bytes that it has on the heap; static text costs nothing.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::String(text) => text.heap_bytes(),
            Self::Array(array) => array.bytes(),
            Self::Bool(_) | Self::I64(_) | Self::F64(_) => 0,
        }
    }
}

/// As OpenTelemetry represents values in text: an array is JSON, and numbers that are none are `NaN`,
/// `Infinity` and `-Infinity` ("AnyValue representation for non-OTLP protocols").
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(value) => f.write_str(value),
            Self::Bool(value) => value.fmt(f),
            Self::I64(value) => value.fmt(f),
            Self::F64(value) => match word_of(*value) {
                Some(word) => f.write_str(word),
                None => value.fmt(f),
            },
            Self::Array(value) => value.fmt(f),
        }
    }
}

macro_rules! from {
    ($($ty:ty)* => $variant:ident) => {
        $(impl From<$ty> for Value {
            #[inline]
            fn from(value: $ty) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

// A borrowed text is copied, of whatever lifetime it is; a `Cow` that borrows is a pointer.
from!(Text &str &String String Box<str> Cow<'static, str> char => String);
from!(bool => Bool);
from!(i8 i16 i32 i64 u8 u16 u32 => I64);
from!(f32 f64 => F64);

macro_rules! wide {
    ($($ty:ty)*) => {
        // A number beyond i64 is text: OpenTelemetry has no wider type.
        $(impl From<$ty> for Value {
            #[inline]
            fn from(value: $ty) -> Self {
                i64::try_from(value).map_or_else(|_| Self::String(Text::of_number(value)), Self::I64)
            }
        })*
    };
}

wide!(isize u64 usize i128 u128);

impl From<Array> for Value {
    fn from(array: Array) -> Self {
        Self::Array(Box::new(array))
    }
}

impl<T: ArrayItem> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        T::array(items).into()
    }
}

impl<T: ArrayItem, const N: usize> From<[T; N]> for Value {
    fn from(items: [T; N]) -> Self {
        T::array(items).into()
    }
}

impl<T: ArrayItem + Clone> From<&[T]> for Value {
    fn from(items: &[T]) -> Self {
        T::array_of(items).into()
    }
}

impl<T: ArrayItem + Clone> From<&Vec<T>> for Value {
    fn from(items: &Vec<T>) -> Self {
        Self::from(items.as_slice())
    }
}

impl<T: ArrayItem + Clone, const N: usize> From<&[T; N]> for Value {
    fn from(items: &[T; N]) -> Self {
        Self::from(items.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_beyond_i64_is_its_decimal_text() {
        assert_eq!(Value::from(i64::MAX as u64), Value::I64(i64::MAX));
        assert_eq!(Value::from(i128::from(i64::MIN)), Value::I64(i64::MIN));
        let text = |value: Value| matches!(&value, Value::String(_)).then(|| value.to_string());
        assert_eq!(text(u64::MAX.into()).as_deref(), Some("18446744073709551615"));
        assert_eq!(text((i64::MAX as u64 + 1).into()).as_deref(), Some("9223372036854775808"));
        assert_eq!(text(usize::MAX.into()), Some(usize::MAX.to_string()));
        assert_eq!(text(u128::MAX.into()), Some(u128::MAX.to_string()));
        assert_eq!(text(i128::MIN.into()), Some(i128::MIN.to_string()));
    }

    #[test]
    fn texts_of_any_lifetime_and_owner_are_values() {
        let local = String::from("ann");
        let borrowed: &str = &local;
        let values: [Value; 6] = [
            borrowed.into(),
            (&local).into(),
            local.clone().into(),
            Cow::<'static, str>::Borrowed("ann").into(),
            Box::<str>::from(borrowed).into(),
            Value::from_static("ann"),
        ];
        assert!(values.iter().all(|value| *value == Value::String("ann".into())));
        assert_eq!(Value::from('a'), Value::from("a"));
    }

    #[test]
    fn arrays_slices_and_vectors_are_one_array() {
        let array = Value::from(vec!["a", "b"]);
        assert_eq!(Value::from(["a", "b"]), array);
        assert_eq!(Value::from(&["a", "b"]), array);
        assert_eq!(Value::from(&["a", "b"][..]), array);
        assert_eq!(Value::from(&vec!["a".to_owned(), "b".to_owned()]), array);
        assert_eq!(array.to_string(), r#"["a","b"]"#);
        assert_ne!(array, Value::from("a"));
    }

    #[test]
    fn a_value_prints_as_opentelemetry_has_it_and_nan_equals_nothing() {
        let print = |value: Value| value.to_string();
        let printed =
            [print(true.into()), print((-7).into()), print(0.5.into()), print("t".into())];
        assert_eq!(printed, ["true", "-7", "0.5", "t"]);
        let words = [f64::NAN, f64::INFINITY, -f64::INFINITY].map(|number| print(number.into()));
        assert_eq!(words, ["NaN", "Infinity", "-Infinity"]);
        assert_ne!(Value::from(f64::NAN), Value::from(f64::NAN));
        assert_eq!(format!("{:?}", Value::from("t")), r#"String("t")"#);
    }

    #[test]
    fn what_is_in_place_or_static_weighs_nothing() {
        let weight = |value: Value| KeyValue::new("k", value).heap_bytes();
        assert_eq!(weight("x".repeat(22).into()), 0);
        assert_eq!(weight(Value::from_static("a text that is longer than one in place")), 0);
        assert_eq!(weight("x".repeat(23).into()), 23);
        assert_eq!(weight(vec![1, 2].into()), size_of::<Array>() + 16);
        assert_eq!(KeyValue::new("k".repeat(3), 1).heap_bytes(), 3);
    }
}
