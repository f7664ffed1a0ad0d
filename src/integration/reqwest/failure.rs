//! Why a request has no response: a word for the label, and a text without its URL.

use std::{error::Error, fmt};

/// A word from a small set.
pub(super) fn kind(error: &::reqwest::Error) -> &'static str {
    match error {
        error if error.is_timeout() => "timeout",
        error if error.is_connect() => "connect",
        error if error.is_redirect() => "redirect",
        error if error.is_decode() => "decode",
        error if error.is_body() => "body",
        error if error.is_builder() => "builder",
        _ => "request",
    }
}

/// An error that is shown without its URL, in which secrets may be. Its causes are shown if none of them
/// has one.
#[derive(Debug)]
pub(super) struct WithoutUrl {
    text: String,
    cause: Option<Text>,
}

/// The text of a cause, and what caused that.
#[derive(Debug)]
struct Text {
    text: String,
    cause: Option<Box<Text>>,
}

impl WithoutUrl {
    /// What `error` says without its URL, and the error as it was.
    pub(super) fn of(error: ::reqwest::Error) -> (Self, ::reqwest::Error) {
        let url = error.url().cloned();
        let error = error.without_url();
        let (text, cause) =
            (error.to_string(), error.source().and_then(|cause| Text::of(cause, 0)));
        let error = match url {
            Some(url) => error.with_url(url),
            None => error,
        };
        (Self { text, cause }, error)
    }
}

impl Text {
    /// The texts of `error` and its causes, unless it has a URL.
    fn of(error: &(dyn Error + 'static), depth: usize) -> Option<Self> {
        /// Arbitrary: more than reqwest nests, and an end for a chain that has none.
        const DEEPEST: usize = 8;
        let has_url = error.downcast_ref::<::reqwest::Error>().is_some_and(|e| e.url().is_some());
        if has_url || depth == DEEPEST {
            return None;
        }
        let cause = error.source().and_then(|cause| Self::of(cause, depth + 1));
        Some(Self { text: error.to_string(), cause: cause.map(Box::new) })
    }
}

impl fmt::Display for WithoutUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for WithoutUrl {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Text {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}
