//! What can be recorded as an error.

use std::{borrow::Cow, error::Error};

use super::failure::Failure;

/// What [`record_error`](super::record_error) and [`try_in_span`](super::InSpan::try_in_span) take for
/// an error:
///
/// - each [`Error`];
/// - text: `String`, `&str`, `Cow<str>`, `Box<str>`;
/// - `Box<dyn Error>`, also with `Send` and `Sync`, `anyhow::Error`, and what else is an
///   `AsRef` of such an error.
///
/// `Kind` is which of these it is, and is inferred. An `Arc<dyn Error + Send + Sync>` is two of them,
/// so that the compiler asks for a type: record what is in it, `record_error(&*error)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be recorded as an error",
    label = "neither an error nor a text",
    note = "anything that can be shown becomes text: `record_error(&error.to_string())`"
)]
pub trait AsError<Kind> {
    #[doc(hidden)]
    fn describe(&self, to: &mut dyn FnMut(&Failure<'_>));
}

/// The kinds of errors, so that no type is of two by the rules of coherence.
mod kind {
    #[derive(Debug)]
    pub struct Own;
    #[derive(Debug)]
    pub struct Text;
    #[derive(Debug)]
    pub struct Boxed;
    #[derive(Debug)]
    pub struct Referred;
}

impl<E: Error + ?Sized> AsError<kind::Own> for E {
    fn describe(&self, to: &mut dyn FnMut(&Failure<'_>)) {
        // Twice borrowed, so that one whose size is not known can be shown too.
        to(&Failure::new::<E>(Some(&self), Some(&self)));
    }
}

macro_rules! texts {
    ($($ty:ty),+) => {
        $(impl AsError<kind::Text> for $ty {
            fn describe(&self, to: &mut dyn FnMut(&Failure<'_>)) {
                to(&Failure::new::<$ty>(Some(&self), None));
            }
        })+
    };
}

texts!(str, &str, String, Cow<'_, str>, Box<str>);

macro_rules! boxed {
    ($($ty:ty),+) => {
        $(impl AsError<kind::Boxed> for $ty {
            fn describe(&self, to: &mut dyn FnMut(&Failure<'_>)) {
                to(&Failure::new::<$ty>(Some(&self), Some(&**self)));
            }
        })+
    };
}

boxed!(Box<dyn Error + '_>, Box<dyn Error + Send + '_>);

impl<E: AsRef<dyn Error + Send + Sync>> AsError<kind::Referred> for E {
    fn describe(&self, to: &mut dyn FnMut(&Failure<'_>)) {
        let error = self.as_ref();
        to(&Failure::new::<E>(Some(&error), Some(error)));
    }
}
