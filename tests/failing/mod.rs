//! Errors of all kinds, and what a span is to say of them.
#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    error::Error,
    fmt::{self, Display},
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use bellwether::{
    context::Outcome,
    label::KeyValue,
    trace::{Event, SpanRecord, Status},
};

/// An error with everything.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) text: String,
    pub(crate) cause: Option<Box<Fault>>,
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

pub(crate) fn fault(text: &str) -> Fault {
    Fault { text: text.into(), cause: None }
}

pub(crate) fn caused(text: &str, cause: Fault) -> Fault {
    Fault { text: text.into(), cause: Some(cause.into()) }
}

/// The names of the types.
pub(crate) const FAULT: &str = concat!(env!("CARGO_CRATE_NAME"), "::failing::Fault");
pub(crate) const ANY: &str = concat!(env!("CARGO_CRATE_NAME"), "::failing::Any");

/// No `Error`, but text.
pub(crate) struct Shown;

impl Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("shown")
    }
}

/// Neither.
#[derive(Debug)]
pub(crate) struct Plain;

/// An error that borrows.
#[derive(Debug)]
pub(crate) struct Borrowed<'a>(pub(crate) &'a str);

impl Display for Borrowed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Borrowed<'_> {}

/// As `anyhow::Error` is: text, no `Error`, and a `dyn Error` inside.
pub(crate) struct Any(pub(crate) Box<dyn Error + Send + Sync>);

impl Display for Any {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

impl std::ops::Deref for Any {
    type Target = dyn Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl AsRef<dyn Error + Send + Sync> for Any {
    fn as_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Any {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    attributes.iter().find(|one| one.key == key).map(|one| one.value.to_string())
}

/// Type, text and causes of an event.
pub(crate) fn told(event: &Event) -> (String, String, String) {
    assert_eq!(event.name(), "exception");
    let [kind, message, causes] = ["type", "message", "stacktrace"]
        .map(|key| attribute(event.attributes(), &format!("exception.{key}")).unwrap_or_default());
    (kind, message, causes)
}

/// Asserts that the span says of one error: this type, text and causes.
#[track_caller]
pub(crate) fn assert_failed(span: &SpanRecord, kind: &str, text: &str, causes: &str) {
    assert_eq!(span.outcome(), Outcome::Error);
    assert_eq!(span.status(), &Status::Error(text.to_owned().into()));
    assert_eq!(attribute(span.attributes(), "error.type").as_deref(), Some(kind));
    let told: Vec<_> = span.events().iter().map(told).collect();
    let kind = if kind == "_OTHER" { "" } else { kind };
    assert_eq!(told, [(kind.to_owned(), text.to_owned(), causes.to_owned())]);
}
