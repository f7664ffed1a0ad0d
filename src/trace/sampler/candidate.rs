//! A span about to start.

use std::borrow::Cow;

use super::probability;
use crate::{
    context::{SpanContext, TraceId},
    label::{KeyValue, Value},
    trace::{Link, SpanKind},
};

/// A span about to start, as a sampler sees it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub(crate) parent: &'a SpanContext,
    pub(crate) trace_id: TraceId,
    pub(crate) name: &'a Cow<'static, str>, // Not read unless a sampler asks.
    pub(crate) kind: SpanKind,
    pub(crate) attributes: &'a [KeyValue],
    pub(crate) links: &'a [Link],
}

impl<'a> Candidate<'a> {
    /// A span about to start: to try a sampler with.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{
    ///     context::{SpanContext, TraceId},
    ///     trace::{SpanKind, sampler::{AlwaysOn, Candidate, Sampler, Sampling}},
    /// };
    ///
    /// let name = "checkout".into();
    /// let root = Candidate::new(&SpanContext::NONE, TraceId::random(), &name, SpanKind::Internal);
    /// assert_eq!(AlwaysOn.sample(&root), Sampling::SAMPLE);
    /// ```
    #[must_use]
    #[expect(
        clippy::ptr_arg,
        reason = "the tracer has the name as one, and reads it only if asked"
    )]
    pub const fn new(
        parent: &'a SpanContext,
        trace_id: TraceId,
        name: &'a Cow<'static, str>,
        kind: SpanKind,
    ) -> Self {
        Self { parent, trace_id, name, kind, attributes: &[], links: &[] }
    }

    /// With the attributes that it starts with.
    #[must_use]
    pub const fn with_attributes(self, attributes: &'a [KeyValue]) -> Self {
        Self { attributes, ..self }
    }

    /// With the links that it starts with.
    #[must_use]
    pub const fn with_links(self, links: &'a [Link]) -> Self {
        Self { links, ..self }
    }

    /// The parent, which is not valid for a root. A caller may have
    /// [decided](SpanContext::decided) about a root all the same.
    #[must_use]
    pub fn parent(&self) -> &'a SpanContext {
        self.parent
    }

    /// The trace it will belong to.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> SpanKind {
        self.kind
    }

    /// The attributes that it starts with
    /// ([`SpanBuilder::attribute`](crate::trace::SpanBuilder::attribute)), in the order they were set; of
    /// two with one key the later holds.
    #[must_use]
    pub fn attributes(&self) -> &'a [KeyValue] {
        self.attributes
    }

    /// The links that it starts with ([`SpanBuilder::link`](crate::trace::SpanBuilder::link)).
    #[must_use]
    pub fn links(&self) -> &'a [Link] {
        self.links
    }

    /// The value that it starts with for `key`, if it has one.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&'a Value> {
        self.attributes.iter().rev().find(|attribute| attribute.key == key).map(|it| &it.value)
    }

    /// Which of the service's operations it is: the text of the attribute `http.route`, or where it has
    /// none the name. Spans with one of these are one route to samplers that have a rate for each.
    #[must_use]
    pub fn route(&self) -> &'a str {
        if self.attributes.is_empty() {
            return self.name;
        }
        match self.attribute("http.route") {
            Some(Value::String(route)) => route,
            _ => self.name,
        }
    }

    /// The 56 random bits by which the trace is sampled: those that the trace state has (`ot=rv:…`), or the
    /// low ones of the trace id.
    #[must_use]
    #[inline]
    pub fn randomness(&self) -> u64 {
        probability::randomness(self.parent.state(), self.trace_id)
    }
}
