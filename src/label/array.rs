//! Arrays as the values of attributes.

use std::{borrow::Cow, fmt};

use super::text::Text;
use crate::util::escape::escape;

/// The items of an attribute that is an array: all of one type, as OpenTelemetry has them.
///
/// It prints as JSON.
///
/// # Examples
///
/// ```
/// use bellwether::label::{Array, Value};
///
/// let Value::Array(array) = Value::from(["ann", "bob"]) else { unreachable!() };
/// assert_eq!(*array, Array::from(vec!["ann", "bob"]));
/// assert_eq!((array.len(), array.to_string().as_str()), (2, r#"["ann","bob"]"#));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Array {
    /// Texts.
    Strings(Box<[Text]>),
    /// True or false.
    Bools(Box<[bool]>),
    /// Whole numbers.
    I64s(Box<[i64]>),
    /// Numbers.
    F64s(Box<[f64]>),
}

impl Array {
    /// How many items it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Strings(items) => items.len(),
            Self::Bools(items) => items.len(),
            Self::I64s(items) => items.len(),
            Self::F64s(items) => items.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Strings(texts) => {
                    size_of_val(&**texts) + texts.iter().map(Text::heap_bytes).sum::<usize>()
                }
                Self::Bools(items) => items.len(),
                Self::I64s(items) => size_of_val(&**items),
                Self::F64s(items) => size_of_val(&**items),
            }
    }

    /// Leaves at most `items` items, and of each text at most `chars` characters; how many items were
    /// dropped, and how many texts cut.
    pub(crate) fn truncate(&mut self, items: usize, chars: usize) -> (usize, usize) {
        let dropped = match self {
            Self::Strings(all) => keep_first(all, items),
            Self::Bools(all) => keep_first(all, items),
            Self::I64s(all) => keep_first(all, items),
            Self::F64s(all) => keep_first(all, items),
        };
        let cut = match self {
            Self::Strings(texts) => {
                texts.iter_mut().map(|text| usize::from(text.truncate(chars))).sum()
            }
            _ => 0,
        };
        (dropped, cut)
    }
}

/// How many of `all` are more than `n`; they are dropped, and their memory is given back.
fn keep_first<T>(all: &mut Box<[T]>, n: usize) -> usize {
    let dropped = all.len().saturating_sub(n);
    if dropped > 0 {
        *all = std::mem::take(all).into_iter().take(n).collect();
    }
    dropped
}

impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strings(texts) => list(f, texts, |f, text| {
                let mut result = f.write_str("\"");
                escape(text, |piece| result = result.and_then(|()| f.write_str(piece)));
                result.and_then(|()| f.write_str("\""))
            }),
            Self::Bools(bools) => list(f, bools, |f, value| write!(f, "{value}")),
            Self::I64s(numbers) => list(f, numbers, |f, number| write!(f, "{number}")),
            Self::F64s(numbers) => list(f, numbers, |f, number| match word_of(*number) {
                Some(word) => write!(f, "\"{word}\""),
                None => write!(f, "{number:?}"),
            }),
        }
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    each: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_str("[")?;
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            f.write_str(",")?;
        }
        each(f, item)?;
    }
    f.write_str("]")
}

/// The word for a number that JSON has none for (OpenTelemetry, "AnyValue representation for non-OTLP
/// protocols").
pub(super) fn word_of(number: f64) -> Option<&'static str> {
    match number {
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => number.is_nan().then_some("NaN"),
    }
}

/// What an [`Array`] is made of: texts, `bool`, whole numbers and fractions.
///
/// Whole numbers become texts, all of them, if one is beyond `i64`. The trait cannot be implemented for
/// other types.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an item of an attribute",
    label = "neither text nor a number nor a `bool`",
    note = "anything that can be shown becomes text: `items.map(|item| item.to_string())`"
)]
pub trait ArrayItem: Sized + sealed::Sealed {
    /// The array of these items.
    #[doc(hidden)]
    fn array(items: impl IntoIterator<Item = Self>) -> Array;

    /// The array of copies of these items.
    #[doc(hidden)]
    fn array_of(items: &[Self]) -> Array
    where
        Self: Clone,
    {
        Self::array(items.iter().cloned())
    }
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! items {
    ($($ty:ty)* => $variant:ident) => {
        $(impl sealed::Sealed for $ty {}

        impl ArrayItem for $ty {
            fn array(items: impl IntoIterator<Item = Self>) -> Array {
                Array::$variant(items.into_iter().map(Into::into).collect())
            }
        })*
    };
}

items!(Text &str &String Box<str> Cow<'static, str> char => Strings);
items!(bool => Bools);
items!(i8 i16 i32 i64 u8 u16 u32 => I64s);
items!(f32 f64 => F64s);

impl sealed::Sealed for String {}

impl ArrayItem for String {
    fn array(items: impl IntoIterator<Item = Self>) -> Array {
        Array::Strings(items.into_iter().map(Into::into).collect())
    }

    /// Without a copy of each that is copied again.
    fn array_of(items: &[Self]) -> Array {
        Array::Strings(items.iter().map(Into::into).collect())
    }
}

macro_rules! wide_items {
    ($($ty:ty)*) => {
        $(impl sealed::Sealed for $ty {}

        impl ArrayItem for $ty {
            fn array(items: impl IntoIterator<Item = Self>) -> Array {
                let items: Vec<Self> = items.into_iter().collect();
                let exact = items.iter().map(|&item| i64::try_from(item)).collect();
                match exact {
                    Ok(exact) => Array::I64s(exact),
                    Err(_) => Array::Strings(items.into_iter().map(Text::of_number).collect()),
                }
            }
        })*
    };
}

wide_items!(isize u64 usize i128 u128);

impl<T: ArrayItem> From<Vec<T>> for Array {
    fn from(items: Vec<T>) -> Self {
        T::array(items)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_array_prints_as_json(
            texts in prop::collection::vec(any::<String>(), 0..5),
            numbers in prop::collection::vec(any::<i64>(), 0..5),
            floats in prop::collection::vec(any::<f64>(), 0..5),
            bools in prop::collection::vec(any::<bool>(), 0..5),
        ) {
            let json = |array: Array| serde_json::from_str::<serde_json::Value>(&array.to_string());
            prop_assert_eq!(json(Array::from(texts.clone())).unwrap(), serde_json::json!(texts));
            prop_assert_eq!(json(Array::from(numbers.clone())).unwrap(), serde_json::json!(numbers));
            prop_assert_eq!(json(Array::from(bools.clone())).unwrap(), serde_json::json!(bools));
            let read = json(Array::from(floats.clone())).unwrap();
            for (read, float) in read.as_array().unwrap().iter().zip(floats) {
                match word_of(float) {
                    Some(word) => prop_assert_eq!(read, word),
                    None => prop_assert_eq!(read, float),
                }
            }
        }

        #[test]
        fn a_cut_array_has_its_first_items_and_their_first_characters(
            texts in prop::collection::vec(".{0,30}", 0..6), items in 0usize..7, chars in 0usize..31,
        ) {
            let naive: Vec<String> =
                texts.iter().take(items).map(|text| text.chars().take(chars).collect()).collect();
            let cut = texts.iter().take(items).filter(|text| text.chars().count() > chars).count();
            let mut array = Array::from(texts.clone());
            prop_assert_eq!(array.truncate(items, chars), (texts.len() - naive.len(), cut));
            prop_assert_eq!(array, Array::from(naive));
        }
    }

    #[test]
    fn items_have_one_type_whatever_they_are_made_of() {
        let numbers = Array::I64s([1, 2].into());
        assert_eq!(Array::from(vec![1u8, 2]), numbers);
        assert_eq!(Array::from(vec![1u64, 2]), numbers);
        assert_eq!(Array::from(vec![1usize, 2]), numbers);
        assert_eq!(Array::from(vec![1i128, 2]), numbers);
        assert_eq!(Array::from(vec![0.5f32]), Array::F64s([0.5].into()));
        let texts = Array::Strings(["a".into(), "b".into()].into());
        assert_eq!(Array::from(vec!["a", "b"]), texts);
        assert_eq!(Array::from(vec!['a', 'b']), texts);
        assert_eq!(Array::from(vec!["a".to_owned(), "b".to_owned()]), texts);
    }

    #[test]
    fn all_whole_numbers_are_text_if_one_is_beyond_i64() {
        let array = Array::from(vec![7, u64::MAX]);
        assert_eq!(array.to_string(), r#"["7","18446744073709551615"]"#);
    }

    #[test]
    fn nan_in_an_array_equals_nothing() {
        assert_ne!(Array::from(vec![f64::NAN]), Array::from(vec![f64::NAN]));
        assert_eq!(Array::from(vec![f64::NAN, 1.0]).to_string(), r#"["NaN",1.0]"#);
    }
}
