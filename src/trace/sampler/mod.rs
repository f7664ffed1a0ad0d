//! Samplers: which spans are recorded, decided when a span starts.

mod parent;
mod ratio;
mod sampling;
mod tail;

use std::{borrow::Cow, fmt};

pub use parent::ParentBased;
pub use ratio::TraceIdRatio;
pub(super) use sampling::More;
pub use sampling::{Decision, Sampling};
pub(crate) use tail::P99;
pub(super) use tail::{Firsts, chooses};
pub use tail::{LocalTrace, Tail};

use super::{Link, SpanKind};
use crate::{
    context::{SpanContext, TraceId},
    label::KeyValue,
};

/// Decides, when a span starts, whether it is recorded and exported.
///
/// It is called on the thread that starts the span, for every span: it must not block. Spans that
/// it starts itself are not recorded. Whatever it decides, the trace of a valid parent is continued.
///
/// A panic in it does not come out where the span starts: the span is not recorded and its children
/// learn that, as by [`Sampling::DROP`]. It counts as [lost](super::Tracer::lost), and the first one of
/// a tracer is reported.
pub trait Sampler: Send + Sync + fmt::Debug + 'static {
    /// The decision on `span`.
    fn sample(&self, span: &Candidate<'_>) -> Sampling;

    /// Whether it runs none but this crate's code, which neither panics nor uses spans.
    #[doc(hidden)]
    fn is_ours(&self, _: Ours) -> bool {
        false
    }

    /// Whether it always decides children of spans of this process as their parents were.
    #[doc(hidden)]
    fn follows_local(&self, _: Ours) -> bool {
        false
    }

    /// What it decides about every root, if that is always the same.
    #[doc(hidden)]
    fn of_roots(&self, _: Ours) -> Option<bool> {
        None
    }
}

mod ours {
    /// Nobody else can name it, and so claim to be ours.
    #[derive(Clone, Copy, Debug)]
    pub struct Ours;
}
pub(super) use ours::Ours;

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

/// Records every span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to say about always")]
pub struct AlwaysOn;

/// Records no span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to say about never")]
pub struct AlwaysOff;

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

    /// The attributes that it starts with ([`SpanBuilder::attribute`](super::SpanBuilder::attribute)), in
    /// the order they were set; of two with one key the later holds.
    #[must_use]
    pub fn attributes(&self) -> &'a [KeyValue] {
        self.attributes
    }

    /// The links that it starts with ([`SpanBuilder::link`](super::SpanBuilder::link)).
    #[must_use]
    pub fn links(&self) -> &'a [Link] {
        self.links
    }
}

impl Sampler for Box<dyn Sampler> {
    fn sample(&self, span: &Candidate<'_>) -> Sampling {
        (**self).sample(span)
    }

    fn is_ours(&self, ours: Ours) -> bool {
        (**self).is_ours(ours)
    }

    fn follows_local(&self, ours: Ours) -> bool {
        (**self).follows_local(ours)
    }

    fn of_roots(&self, ours: Ours) -> Option<bool> {
        (**self).of_roots(ours)
    }
}

impl Sampler for AlwaysOn {
    #[inline]
    fn sample(&self, _span: &Candidate<'_>) -> Sampling {
        Sampling::SAMPLE
    }

    fn is_ours(&self, _: Ours) -> bool {
        true
    }

    fn of_roots(&self, _: Ours) -> Option<bool> {
        Some(true)
    }
}

impl Sampler for AlwaysOff {
    #[inline]
    fn sample(&self, _span: &Candidate<'_>) -> Sampling {
        Sampling::DROP
    }

    fn is_ours(&self, _: Ours) -> bool {
        true
    }

    fn of_roots(&self, _: Ours) -> Option<bool> {
        Some(false)
    }
}
