//! What the macros must know of a value whose type they cannot see: whether it is an `Err`, and what can
//! be said of the error.
//!
//! The code around a value may settle its type only later: of `let n = text.parse()?` a line further
//! down. So nothing may be asked that needs the type at once, as the choice of a method does, and no
//! bound may be put on it that it may turn out not to meet. Each question here is a trait with a
//! parameter, and has two answers: [`Yes`] for the types that it is about, [`No`] for every type. What
//! the macros pass for the parameter is a literal `0`, an integer of no type yet:
//!
//! - If only `No` fits the value, the compiler takes that, as it does whenever one implementation is left.
//! - If both fit, it can take none. An integer that nothing decides is an `i32` in the end, which is
//!   `Yes`.
//!
//! A type that nothing decides either is `()` or `!` in the end, and answers `Yes` too, to say the same
//! as by `No`.
//!
//! This happens when all types are known (Rust reference, "Integer literal expressions"). In a generic
//! function it counts what that knows of its parameters.

use std::{error::Error, fmt::Display, ops::Deref, task::Poll};

use crate::trace::Failure;

/// What an integer literal becomes if nothing decides.
type Yes = i32;
/// Any other type of integers.
type No = u8;

/// `!`, which has no name of its own in this place.
type Never = <fn() -> ! as Returns>::Value;

/// What a function returns.
pub trait Returns {
    /// The type of it.
    type Value;
}

impl<T> Returns for fn() -> T {
    type Value = T;
}

/// What a value at the end of an operation says of how that went; nothing if it is no `Result`.
pub type Said<'a> = Option<Result<(), Failure<'a>>>;

/// A value at the end of an operation, and the answers to the four questions about its type.
pub trait Ending<Answers> {
    /// What it says.
    fn said(&self) -> Said<'_>;
}

impl<T, A, B, C, D> Ending<(A, B, C, D)> for T
where
    T: IsResult<A> + IsShown<B> + IsError<C> + HoldsError<D>,
{
    #[inline]
    fn said(&self) -> Said<'_> {
        self.has_failed().map(|has_failed| match has_failed {
            false => Ok(()),
            true => Err(T::failure(self.text(), self.error().or_else(|| self.held()))),
        })
    }
}

/// The question for every type that it is not about.
macro_rules! no_answer {
    ($question:ident: $($body:tt)*) => {
        impl<T> $question<No> for T { $($body)* }
        impl $question<Yes> for () { $($body)* }
        impl $question<Yes> for Never { $($body)* }
    };
}

/// Whether it is a `Result`.
pub trait IsResult<Answer> {
    /// Whether it is an `Err`, if it is a `Result`.
    fn has_failed(&self) -> Option<bool>;
    /// Its error, with what is known of that.
    fn failure<'a>(
        text: Option<&'a dyn Display>,
        error: Option<&'a (dyn Error + 'a)>,
    ) -> Failure<'a>;
}

impl<T, E> IsResult<Yes> for Result<T, E> {
    #[inline]
    fn has_failed(&self) -> Option<bool> {
        Some(self.is_err())
    }

    fn failure<'a>(
        text: Option<&'a dyn Display>,
        error: Option<&'a (dyn Error + 'a)>,
    ) -> Failure<'a> {
        Failure::new::<E>(text, error)
    }
}

no_answer! {
    IsResult:
    #[inline]
    fn has_failed(&self) -> Option<bool> {
        None
    }

    fn failure<'a>(
        text: Option<&'a dyn Display>,
        error: Option<&'a (dyn Error + 'a)>,
    ) -> Failure<'a> {
        Failure::new::<Self>(text, error)
    }
}

/// Whether it is a `Result` whose error can be shown.
pub trait IsShown<Answer> {
    /// The error's text, if it is an `Err`.
    fn text(&self) -> Option<&dyn Display>;
}

impl<T, E: Display> IsShown<Yes> for Result<T, E> {
    fn text(&self) -> Option<&dyn Display> {
        self.as_ref().err().map(|error| error as _)
    }
}

no_answer! {
    IsShown:
    fn text(&self) -> Option<&dyn Display> {
        None
    }
}

/// Whether it is a `Result` whose error is an [`Error`].
pub trait IsError<Answer> {
    /// The error, if it is an `Err`.
    fn error(&self) -> Option<&dyn Error>;
}

impl<T, E: Error> IsError<Yes> for Result<T, E> {
    fn error(&self) -> Option<&dyn Error> {
        self.as_ref().err().map(|error| error as _)
    }
}

no_answer! {
    IsError:
    fn error(&self) -> Option<&dyn Error> {
        None
    }
}

/// Whether it is a `Result` whose error is a pointer to a `dyn Error`, which itself is none: a `Box`, or
/// `anyhow::Error`.
pub trait HoldsError<Answer> {
    /// The error, if it is an `Err`.
    fn held(&self) -> Option<&dyn Error>;
}

impl<T, E: Deref<Target: DynError>> HoldsError<Yes> for Result<T, E> {
    fn held(&self) -> Option<&dyn Error> {
        self.as_ref().err().map(|error| (**error).as_error())
    }
}

no_answer! {
    HoldsError:
    fn held(&self) -> Option<&dyn Error> {
        None
    }
}

/// A `dyn Error`, whatever it promises of threads. Its lifetime is any: that one is another does not
/// make the compiler take another implementation.
pub trait DynError {
    /// The error.
    fn as_error<'a>(&'a self) -> &'a (dyn Error + 'a);
}

macro_rules! dyn_errors {
    ($($ty:ty),+) => {
        $(impl DynError for $ty {
            fn as_error<'a>(&'a self) -> &'a (dyn Error + 'a) {
                self
            }
        })+
    };
}

dyn_errors!(
    dyn Error + '_,
    dyn Error + Send + '_,
    dyn Error + Sync + '_,
    dyn Error + Send + Sync + '_
);

/// Values that `?` takes: whether it will leave with them, and with which error.
pub trait Question<Answers> {
    /// Whether it is an error, or nothing.
    fn leaves(&self) -> bool;
    /// The error, if it is one.
    fn failure(&self) -> Option<Failure<'_>>;
}

impl<T, A> Question<A> for Option<T> {
    #[inline]
    fn leaves(&self) -> bool {
        self.is_none()
    }

    fn failure(&self) -> Option<Failure<'_>> {
        None
    }
}

impl<T, E, A> Question<A> for Result<T, E>
where
    Self: Ending<A>,
{
    #[inline]
    fn leaves(&self) -> bool {
        self.is_err()
    }

    fn failure(&self) -> Option<Failure<'_>> {
        self.said()?.err()
    }
}

impl<B, C, A> Question<A> for std::ops::ControlFlow<B, C> {
    #[inline]
    fn leaves(&self) -> bool {
        self.is_break()
    }

    fn failure(&self) -> Option<Failure<'_>> {
        None
    }
}

impl<T, E, A> Question<A> for Poll<Result<T, E>>
where
    Result<T, E>: Question<A>,
{
    #[inline]
    fn leaves(&self) -> bool {
        matches!(self, Self::Ready(Err(_)))
    }

    fn failure(&self) -> Option<Failure<'_>> {
        match self {
            Self::Ready(result) => Question::failure(result),
            Self::Pending => None,
        }
    }
}

impl<T, E, A> Question<A> for Poll<Option<Result<T, E>>>
where
    Result<T, E>: Question<A>,
{
    #[inline]
    fn leaves(&self) -> bool {
        matches!(self, Self::Ready(Some(Err(_))))
    }

    fn failure(&self) -> Option<Failure<'_>> {
        match self {
            Self::Ready(Some(result)) => Question::failure(result),
            _ => None,
        }
    }
}

/// A value of the type that its place asks for, in code that is never reached.
pub fn never<T>() -> T {
    unreachable!("stands where nothing leads")
}
