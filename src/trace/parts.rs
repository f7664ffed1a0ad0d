//! What a span's record is made of: kind, status, events, links.

use std::borrow::Cow;

use crate::{clock::Ticks, context::SpanContext, label::KeyValue};

/// What a span's part in a call is, as OpenTelemetry defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpanKind {
    /// Work inside the process.
    #[default]
    Internal,
    /// Answers a request from outside.
    Server,
    /// Makes a request and waits for the answer.
    Client,
    /// Hands a message over to be worked on later.
    Producer,
    /// Works on a message.
    Consumer,
}

/// Whether the work of a span succeeded, as OpenTelemetry defines it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Status {
    /// Nobody said.
    #[default]
    Unset,
    /// Somebody said that it did.
    Ok,
    /// It failed, with a description, which may be empty.
    Error(Cow<'static, str>),
}

/// Something that happened at one instant of a span.
#[derive(Clone, Debug)]
pub struct Event {
    pub(crate) name: Cow<'static, str>,
    pub(crate) at: Ticks,
    pub(crate) attributes: Vec<KeyValue>,
    pub(super) dropped_attributes: u32,
}

/// A span of this or another trace that this one belongs with, without being its child.
#[derive(Clone, Debug)]
pub struct Link {
    pub(crate) context: SpanContext,
    pub(crate) attributes: Vec<KeyValue>,
    pub(super) dropped_attributes: u32,
}

impl SpanKind {
    /// The lowercase word: `internal`, `server`, `client`, `producer`, `consumer`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

impl Status {
    /// The lowercase word: `unset`, `ok`, `error`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error(_) => "error",
        }
    }
}

impl Event {
    /// An event that happens at `at`.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, at: Ticks, attributes: Vec<KeyValue>) -> Self {
        Self { name: name.into(), at, attributes, dropped_attributes: 0 }
    }

    /// The attributes, to be changed.
    pub fn attributes_mut(&mut self) -> &mut Vec<KeyValue> {
        &mut self.attributes
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it happened.
    #[must_use]
    pub fn at(&self) -> Ticks {
        self.at
    }

    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> &[KeyValue] {
        &self.attributes
    }

    /// How many further attributes were beyond the limit.
    #[must_use]
    pub fn dropped_attributes(&self) -> u32 {
        self.dropped_attributes
    }
}

impl Link {
    /// A link to the span of `context`.
    #[must_use]
    pub fn new(context: SpanContext, attributes: Vec<KeyValue>) -> Self {
        Self { context, attributes, dropped_attributes: 0 }
    }

    /// The attributes, to be changed.
    pub fn attributes_mut(&mut self) -> &mut Vec<KeyValue> {
        &mut self.attributes
    }

    /// The span linked to.
    #[must_use]
    pub fn context(&self) -> &SpanContext {
        &self.context
    }

    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> &[KeyValue] {
        &self.attributes
    }

    /// How many further attributes were beyond the limit.
    #[must_use]
    pub fn dropped_attributes(&self) -> u32 {
        self.dropped_attributes
    }
}
