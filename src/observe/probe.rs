//! What the macros must know of a value whose type they cannot see.

use crate::context::Outcome;

/// A value whose outcome is asked: `(&Probe(&value)).__bellwether_outcome()`.
///
/// Method look-up tries `&Probe<Result<..>>` before `&&Probe<..>`, so that a `Result` finds
/// [`ResultValue`] and everything else [`AnyValue`]. That takes a method call, so the method has a name
/// that no trait in the user's scope has; all else is called by path.
#[derive(Debug)]
pub struct Probe<'a, T>(pub &'a T);

/// The outcome of a `Result`.
pub trait ResultValue {
    /// Error for an `Err`.
    fn __bellwether_outcome(&self) -> Outcome;
}

impl<T, E> ResultValue for Probe<'_, Result<T, E>> {
    #[inline]
    fn __bellwether_outcome(&self) -> Outcome {
        if self.0.is_ok() { Outcome::Ok } else { Outcome::Error }
    }
}

/// The outcome of any other value.
pub trait AnyValue {
    /// Always ok.
    fn __bellwether_outcome(&self) -> Outcome;
}

impl<T> AnyValue for &Probe<'_, T> {
    #[inline]
    fn __bellwether_outcome(&self) -> Outcome {
        Outcome::Ok
    }
}

/// A value of the type that an `async` block is to have, for code that is never reached.
pub fn never<T>() -> T {
    unreachable!("stands behind `if false`")
}

/// The product of the fields' cardinalities, if each has one and the product is at most `most`.
#[must_use]
pub const fn cardinality(fields: &[Option<usize>], most: usize) -> Option<usize> {
    let mut product: usize = 1;
    let mut place = 0;
    while place < fields.len() {
        let Some(radix) = fields[place] else { return None };
        match product.checked_mul(radix) {
            Some(wider) if wider <= most => product = wider,
            _ => return None,
        }
        place += 1;
    }
    Some(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_closed_up_to_the_limit() {
        assert_eq!(cardinality(&[], 10), Some(1));
        assert_eq!(cardinality(&[Some(2), Some(5)], 10), Some(10));
        assert_eq!(cardinality(&[Some(2), Some(6)], 10), None);
        assert_eq!(cardinality(&[Some(2), None], 10), None);
        assert_eq!(cardinality(&[Some(usize::MAX), Some(usize::MAX)], usize::MAX), None);
    }
}
