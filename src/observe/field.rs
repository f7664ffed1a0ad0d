//! What can be a field of an observed function's span.

use std::borrow::Cow;

use crate::label::{ArrayItem, Text, Value};

/// A value that `fields(...)` of [`#[observe]`](macro@super::observe) takes: text, numbers, `bool`,
/// slices, arrays and vectors of them, and references.
///
/// Borrowed text is copied, and only where the span is recorded.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a span",
    label = "neither text nor a number nor a `bool`",
    note = "anything that can be shown becomes text: `key = value.to_string()`"
)]
pub trait Field {
    /// The value as the attribute of a span.
    fn to_value(&self) -> Value;
}

impl<F: Field + ?Sized> Field for &F {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

impl Field for str {
    fn to_value(&self) -> Value {
        self.into()
    }
}

impl Field for String {
    fn to_value(&self) -> Value {
        self.as_str().to_value()
    }
}

impl Field for Cow<'_, str> {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

impl Field for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl Field for Text {
    fn to_value(&self) -> Value {
        self.clone().into()
    }
}

impl<T: ArrayItem + Clone> Field for [T] {
    fn to_value(&self) -> Value {
        self.into()
    }
}

impl<T: ArrayItem + Clone> Field for Vec<T> {
    fn to_value(&self) -> Value {
        self.into()
    }
}

impl<T: ArrayItem + Clone, const N: usize> Field for [T; N] {
    fn to_value(&self) -> Value {
        self.into()
    }
}

macro_rules! copied {
    ($($ty:ty)*) => {
        $(impl Field for $ty {
            fn to_value(&self) -> Value {
                (*self).into()
            }
        })*
    };
}

copied!(bool char f32 f64 i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);
