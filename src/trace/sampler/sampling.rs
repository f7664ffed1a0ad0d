//! What a sampler answers.

use std::borrow::Cow;

use crate::{
    context::TraceState,
    label::{KeyValue, Value},
};

/// What becomes of a span that starts, as a [`Sampler`](super::Sampler) decides it.
///
/// # Examples
///
/// ```
/// use bellwether::trace::sampler::Sampling;
///
/// let sampling = Sampling::SAMPLE.with_attribute("sampler.rule", "checkout");
/// assert!(sampling.is_sampled() && sampling.is_recorded());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    decision: Decision,
    state: Option<TraceState>,
    attributes: Option<Box<Attributes>>, // Few decisions have any, and all are handed on.
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Attributes(Vec<KeyValue>);

/// What becomes of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decision {
    /// It is not recorded, and its children learn that.
    Drop,
    /// It is recorded, but not sampled: processors and a tail sampler see it, and it is exported only if
    /// that keeps it. Headers say that it is not sampled.
    Record,
    /// It is recorded and exported.
    RecordAndSample,
}

/// What a decision says besides.
#[derive(Debug)]
pub(in crate::trace) struct More {
    pub(in crate::trace) attributes: Vec<KeyValue>,
    pub(in crate::trace) state: Option<TraceState>,
}

impl Sampling {
    /// [`Decision::Drop`].
    pub const DROP: Self = Self::new(Decision::Drop);
    /// [`Decision::Record`].
    pub const RECORD: Self = Self::new(Decision::Record);
    /// [`Decision::RecordAndSample`].
    pub const SAMPLE: Self = Self::new(Decision::RecordAndSample);

    /// The decision alone.
    #[must_use]
    pub const fn new(decision: Decision) -> Self {
        Self { decision, state: None, attributes: None }
    }

    /// [`SAMPLE`](Self::SAMPLE) or [`DROP`](Self::DROP).
    #[must_use]
    pub const fn from_sampled(sampled: bool) -> Self {
        if sampled { Self::SAMPLE } else { Self::DROP }
    }

    /// With an attribute that the span gets if it is recorded, after those that it starts with.
    #[must_use]
    pub fn with_attribute(
        mut self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<Value>,
    ) -> Self {
        self.attributes.get_or_insert_default().0.push(KeyValue::new(key, value));
        self
    }

    /// With the trace state that the span has, and hands on to its children and in headers; by default its
    /// parent's.
    #[must_use]
    pub fn with_state(mut self, state: TraceState) -> Self {
        self.state = Some(state);
        self
    }

    /// The decision.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        self.decision
    }

    /// Whether the span is recorded.
    #[must_use]
    #[inline]
    pub const fn is_recorded(&self) -> bool {
        !matches!(self.decision, Decision::Drop)
    }

    /// Whether the span is recorded and exported.
    #[must_use]
    #[inline]
    pub const fn is_sampled(&self) -> bool {
        matches!(self.decision, Decision::RecordAndSample)
    }

    /// The attributes that it adds.
    #[must_use]
    pub fn attributes(&self) -> &[KeyValue] {
        self.attributes.as_ref().map_or(&[], |attributes| &attributes.0)
    }

    /// The trace state, if it is another than the parent's.
    #[must_use]
    pub fn state(&self) -> Option<&TraceState> {
        self.state.as_ref()
    }

    /// What it says besides, if it does.
    #[inline(always)]
    pub(in crate::trace) fn into_more(self) -> Option<More> {
        if self.state.is_none() && self.attributes.is_none() {
            return None;
        }
        let attributes = self.attributes.map(|attributes| attributes.0).unwrap_or_default();
        Some(More { attributes, state: self.state })
    }
}

impl From<Decision> for Sampling {
    fn from(decision: Decision) -> Self {
        Self::new(decision)
    }
}
