//! Values of attributes that fit registers.

use std::mem;

use crate::label::Value;

/// A value that owns nothing: what it is, and its bits. Handed on so, it is written once, where it stays; a
/// value in memory that is copied right after waits for its own stores (bench span).
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain {
    kind: Kind,
    bits: u64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Bool,
    I64,
    F64,
}

impl Plain {
    /// `value`, or that again if it is none. Of most values it is known when the program is built.
    #[inline(always)]
    pub(super) fn of(value: Value) -> Result<Self, Value> {
        let (kind, bits) = match value {
            Value::Bool(value) => (Kind::Bool, u64::from(value)),
            Value::I64(value) => (Kind::I64, value.cast_unsigned()),
            Value::F64(value) => (Kind::F64, value.to_bits()),
            Value::String(_) | Value::Array(_) => return Err(value),
        };
        mem::forget(value); // Which has nothing to drop, but not every compiler sees it.
        Ok(Self { kind, bits })
    }

    /// Writes it to where nothing is that would have to be dropped.
    #[inline(always)]
    pub(super) fn write_to(self, place: &mut Value) {
        let Self { kind, bits } = self;
        // In each branch, so that no value is in memory before.
        match kind {
            Kind::Bool => mem::forget(mem::replace(place, Value::Bool(bits != 0))),
            Kind::I64 => mem::forget(mem::replace(place, Value::I64(bits.cast_signed()))),
            Kind::F64 => mem::forget(mem::replace(place, Value::F64(f64::from_bits(bits)))),
        }
    }
}

impl From<Plain> for Value {
    fn from(plain: Plain) -> Self {
        let mut value = Self::Bool(false);
        plain.write_to(&mut value);
        value
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn through(value: Value) -> Option<Value> {
        Plain::of(value).ok().map(Value::from)
    }

    proptest! {
        #[test]
        fn a_value_is_what_it_was(whole in any::<i64>(), number in any::<f64>(), flag in any::<bool>()) {
            prop_assert_eq!(through(whole.into()), Some(Value::I64(whole)));
            prop_assert_eq!(through(flag.into()), Some(Value::Bool(flag)));
            let Some(Value::F64(same)) = through(number.into()) else { panic!("{number}") };
            prop_assert_eq!(same.to_bits(), number.to_bits());
        }
    }

    #[test]
    fn texts_and_arrays_own_what_they_have() {
        assert_eq!((through("ann".into()), through([1, 2].into())), (None, None));
    }
}
