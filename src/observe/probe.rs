//! What the macros must know of a value whose type they cannot see.

use std::ops::Deref;

use crate::context::Outcome;

/// A value whose outcome is asked: `Probe(&value).__bellwether_outcome()`.
///
/// Method look-up tries the methods of `Probe<Result<..>>` before those that it derefs to, so that a
/// `Result` answers for itself and everything else as [`AnyValue`]. No trait has to be in scope for
/// that; the method has a name that none in the user's scope has.
#[derive(Debug)]
pub struct Probe<'a, T>(pub &'a T);

impl<T, E> Probe<'_, Result<T, E>> {
    /// Error for an `Err`.
    #[inline]
    #[must_use]
    pub fn __bellwether_outcome(&self) -> Option<Outcome> {
        Some(if self.0.is_ok() { Outcome::Ok } else { Outcome::Error })
    }
}

impl<T> Deref for Probe<'_, T> {
    type Target = AnyValue;

    #[inline]
    fn deref(&self) -> &AnyValue {
        &AnyValue(())
    }
}

/// A value that is no `Result`.
#[derive(Debug)]
pub struct AnyValue(());

impl AnyValue {
    /// It says nothing.
    #[inline]
    #[must_use]
    pub fn __bellwether_outcome(&self) -> Option<Outcome> {
        None
    }
}

/// Values that `?` takes: whether it will leave with them.
pub trait Question {
    /// Whether it is an error, or nothing.
    fn leaves(&self) -> bool;
}

impl<T> Question for Option<T> {
    #[inline]
    fn leaves(&self) -> bool {
        self.is_none()
    }
}

impl<T, E> Question for Result<T, E> {
    #[inline]
    fn leaves(&self) -> bool {
        self.is_err()
    }
}

impl<B, C> Question for std::ops::ControlFlow<B, C> {
    #[inline]
    fn leaves(&self) -> bool {
        self.is_break()
    }
}

impl<T, E> Question for std::task::Poll<Result<T, E>> {
    #[inline]
    fn leaves(&self) -> bool {
        matches!(self, Self::Ready(Err(_)))
    }
}

impl<T, E> Question for std::task::Poll<Option<Result<T, E>>> {
    #[inline]
    fn leaves(&self) -> bool {
        matches!(self, Self::Ready(Some(Err(_))))
    }
}

/// A value of the type that its place asks for, in code that is never reached.
pub fn never<T>() -> T {
    unreachable!("stands where nothing leads")
}
