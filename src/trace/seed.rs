//! What a span starts from: the options of its builder, and its ids.

use std::{borrow::Cow, mem};

use super::{Link, SpanKind, sampler::More};
use crate::{
    clock::Ticks,
    context::{
        self, Attached, Context, Ids, REQUEST_ID, SpanContext, SpanId, TraceFlags, TraceId,
        TraceState,
    },
    label::KeyValue,
    util::random,
};

/// The options of a span's builder.
#[derive(Clone, Debug)]
pub(super) struct Seed {
    pub(super) name: Cow<'static, str>,
    pub(super) kind: SpanKind,
    pub(super) parent: Parent,
    pub(super) start: Option<Ticks>, // None is now.
    pub(super) attributes: Vec<KeyValue>,
    /// None for none, as nearly every span has: a word less to write than an empty vector's three.
    pub(super) links: Option<Box<Links>>,
}

/// Drops the parts of a seed that may own something. Few do, and only for those is a part in memory.
#[inline(always)]
pub(super) fn discard(
    name: Cow<'static, str>,
    parent: Parent,
    attributes: Vec<KeyValue>,
    links: Option<Box<Links>>,
) {
    let is_given = matches!(parent, Parent::Given(_));
    if is_given || matches!(name, Cow::Owned(_)) || attributes.capacity() > 0 || links.is_some() {
        return discard_slow(name, parent, attributes, links);
    }
    mem::forget((name, parent, attributes, links));
}

#[cold]
#[inline(never)]
fn discard_slow(
    name: Cow<'static, str>,
    parent: Parent,
    attributes: Vec<KeyValue>,
    links: Option<Box<Links>>,
) {
    drop((name, parent, attributes, links));
}

/// The links that a span starts with.
#[derive(Clone, Debug, Default)]
pub(super) struct Links(pub(super) Vec<Link>);

/// Whose child a span is to be.
#[derive(Clone, Debug)]
pub(super) enum Parent {
    /// Of the current context.
    Current,
    /// Nobody's; the baggage stays.
    None,
    /// Of this one, whose baggage it has.
    Given(Context),
}

/// A span about to start: its ids and those of its parent.
#[derive(Clone, Copy)]
pub(super) struct Start {
    /// As its parent was, before that is decided; a root is not sampled.
    pub(super) ids: Ids,
    /// For a root those of no span, with what a caller said about it: a decision, the trace's id.
    pub(super) parent: Ids,
}

impl Start {
    /// A child of `parent`, or a root if that is not valid.
    #[inline(always)]
    pub(super) fn below(parent: Ids) -> Self {
        if parent.is_valid() {
            return Self::child(parent);
        }
        let root = Self::root();
        if parent.bits.is_none() { root } else { root.of_caller(parent) }
    }

    /// As `parent` was decided, if it is of this process.
    #[inline(always)]
    pub(super) fn child(parent: Ids) -> Self {
        let [span] = random::numbers();
        let span_id = SpanId::from_u64(span);
        let span_id = if span_id.is_valid() { span_id } else { SpanId::random() };
        Self { ids: parent.child(span_id), parent }
    }

    #[inline(always)]
    fn root() -> Self {
        let [high, low, span] = random::numbers();
        let (trace_id, span_id) = (TraceId::from_halves(high, low), SpanId::from_u64(span));
        // Zeros come once in 2^64 spans.
        let trace_id = if trace_id.is_valid() { trace_id } else { TraceId::random() };
        let span_id = if span_id.is_valid() { span_id } else { SpanId::random() };
        Self { ids: Ids::new(trace_id, span_id, TraceFlags::RANDOM), parent: Ids::NONE }
    }

    /// The root of the trace that `caller` named, if it did.
    #[inline(always)] // A call would have the ids of all roots written to memory.
    fn of_caller(self, caller: Ids) -> Self {
        let mut ids = self.ids;
        if caller.trace_id.is_valid() {
            // Whether that is random is the caller's to say.
            let flags = caller.flags().to_u8() & TraceFlags::RANDOM.to_u8();
            ids = Ids::new(caller.trace_id, ids.span_id, TraceFlags::from_u8(flags));
        }
        Self { ids, parent: Ids { span_id: SpanId::INVALID, ..caller } }
    }

    /// Its ids when that is decided.
    #[inline(always)]
    pub(super) fn decided(self, recorded: bool, sampled: bool, held: bool) -> Self {
        Self { ids: self.ids.decided(recorded, sampled, held), ..self }
    }

    #[inline(always)]
    pub(super) fn is_root(&self) -> bool {
        !self.parent.span_id.is_valid()
    }
}

impl Seed {
    /// Whether there is anything to drop.
    #[inline(always)]
    pub(super) fn owns(&self) -> bool {
        matches!(self.parent, Parent::Given(_))
            || matches!(self.name, Cow::Owned(_))
            || self.attributes.capacity() > 0
            || self.links.is_some()
    }

    /// All of it, in whose place is nothing that would have to be dropped.
    pub(super) fn take(&mut self) -> Self {
        let Self { kind, start, .. } = *self;
        Self {
            name: self.take_name(),
            kind,
            parent: mem::replace(&mut self.parent, Parent::None),
            start,
            attributes: mem::take(&mut self.attributes),
            links: self.links.take(),
        }
    }

    /// The name, in whose place is one that owns nothing.
    #[inline(always)]
    pub(super) fn take_name(&mut self) -> Cow<'static, str> {
        mem::replace(&mut self.name, Cow::Borrowed(""))
    }

    /// The ids of the parent, which is the current context if none is set.
    #[inline(always)]
    pub(super) fn parent_ids(&self) -> Ids {
        match &self.parent {
            Parent::Current => context::ids(),
            Parent::None => Ids::NONE,
            Parent::Given(parent) => parent.span().ids(),
        }
    }

    /// What is attached to a span that starts: the baggage of its parent, and the trace state if a parent
    /// or a caller said anything about the trace.
    pub(super) fn attached(&self, start: &Start) -> Attached {
        let mut attached = match &self.parent {
            Parent::Current | Parent::None => context::attached(),
            Parent::Given(parent) => {
                let (state, baggage) = (parent.span().state().clone(), parent.baggage().clone());
                Attached { state, baggage }
            }
        };
        if start.is_root() && start.parent.bits.is_none() {
            attached.state = TraceState::EMPTY;
        }
        attached
    }

    /// The context of a parent that nothing is recorded below; `None` if that is what is current.
    pub(super) fn take_parent(&mut self) -> Option<Context> {
        match mem::replace(&mut self.parent, Parent::Current) {
            Parent::Current => None,
            Parent::None => Some(context::current().with_span(SpanContext::NONE)),
            Parent::Given(parent) => Some(parent),
        }
    }

    /// Notes the id that the request came with whose caller is `parent`.
    #[cold]
    #[inline(never)]
    pub(super) fn note_request(&mut self, parent: &Context) {
        let is_own = parent.span().is_valid() && !parent.span().is_remote();
        if let Some(id) = parent.baggage().request_id().filter(|_| !is_own) {
            self.attributes.push(KeyValue::new(REQUEST_ID, id.into_owned()));
        }
    }

    /// Adds what a sampler said besides its decision.
    #[cold]
    pub(super) fn take_over(&mut self, more: More, state: &mut TraceState) {
        self.attributes.extend(more.attributes);
        if let Some(given) = more.state {
            *state = given;
        }
    }
}
