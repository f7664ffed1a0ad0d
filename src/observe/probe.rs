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
