//! A finished span, as exporters see it.

use std::{borrow::Cow, mem};

use crate::{
    clock::{self, Ticks},
    context::{Outcome, SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    label::{KeyValue, Value},
    pipeline::Signal,
};

/// A span that has ended.
#[derive(Clone, Debug)]
pub struct SpanRecord {
    pub(crate) context: SpanContext,
    pub(crate) parent: SpanId, // Not valid for a root.
    pub(crate) start: Ticks,
    pub(crate) end: Ticks,
    pub(crate) name: Cow<'static, str>,
    pub(crate) attributes: Vec<KeyValue>,
    rare: Option<Box<Rare>>,
    status: StatusCode,
    pub(crate) outcome: Outcome,
    pub(crate) kind: SpanKind,
    pub(crate) parent_is_remote: bool,
}

/// What few spans have, apart: a record is moved and streamed through memory, and what it costs is
/// its size (bench span).
#[derive(Clone, Debug)]
pub(crate) struct Rare {
    /// What an erroneous span's status is; an error, whatever the span's status.
    error: Status,
    pub(crate) events: Vec<Event>,
    pub(crate) links: Vec<Link>,
    pub(crate) dropped: Dropped,
}

/// Two cache lines.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<SpanRecord>() == 128);

/// A [`Status`] without its description.
#[derive(Clone, Copy, Debug)]
enum StatusCode {
    Unset,
    Ok,
    Error,
}

static UNDESCRIBED: Status = Status::Error(Cow::Borrowed(""));
static NONE_DROPPED: Dropped = Dropped { attributes: 0, events: 0, links: 0 };

/// How much of a span was beyond its limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dropped {
    pub(crate) attributes: u32,
    pub(crate) events: u32,
    pub(crate) links: u32,
}

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
}

/// A span of this or another trace that this one belongs with, without being its child.
#[derive(Clone, Debug)]
pub struct Link {
    pub(crate) context: SpanContext,
    pub(crate) attributes: Vec<KeyValue>,
}

/// As it starts, and as its span fills it.
impl SpanRecord {
    /// No span's.
    pub(crate) const EMPTY: Self = Self::begun(SpanContext::NONE, Cow::Borrowed(""), Ticks::ORIGIN);

    /// The record of a span named `name` that has just started.
    #[inline(always)] // Built where it goes: a copy right after stalls on the stores (bench span).
    pub(crate) const fn begun(context: SpanContext, name: Cow<'static, str>, start: Ticks) -> Self {
        Self {
            context,
            parent: SpanId::INVALID,
            start,
            end: start,
            name,
            attributes: Vec::new(),
            rare: None,
            status: StatusCode::Unset,
            outcome: Outcome::Ok,
            kind: SpanKind::Internal,
            parent_is_remote: false,
        }
    }

    /// Moves the record out, and leaves one that owns nothing.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Self {
        mem::replace(self, Self::EMPTY)
    }

    /// The rare part, made where there is none.
    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_with(|| Box::new(Rare::new()))
    }

    /// Changes the status.
    pub fn set_status(&mut self, status: Status) {
        self.status = match status {
            Status::Unset => StatusCode::Unset,
            Status::Ok => StatusCode::Ok,
            Status::Error(_) => StatusCode::Error,
        };
        // Without a description there is nothing to keep, unless another was kept before.
        if matches!(&status, Status::Error(text) if self.rare.is_some() || !text.is_empty()) {
            self.rare_mut().error = status;
        }
    }

    /// Whether there is an error, by the status.
    #[inline]
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.status, StatusCode::Error)
    }

    #[inline]
    fn dropped(&self) -> &Dropped {
        self.rare.as_ref().map_or(&NONE_DROPPED, |rare| &rare.dropped)
    }
}

impl Rare {
    fn new() -> Self {
        Self {
            error: UNDESCRIBED.clone(),
            events: Vec::new(),
            links: Vec::new(),
            dropped: NONE_DROPPED,
        }
    }
}

/// As tests and [processors](crate::pipeline::Processor) make and change it.
impl SpanRecord {
    /// A record of a sampled root span with ids of its own, which starts and ends now.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::{context::Outcome, trace::{SpanKind, SpanRecord}};
    ///
    /// let mut span = SpanRecord::new("GET /orders").with_kind(SpanKind::Server);
    /// span.set_outcome(Outcome::Error);
    /// span.set_attribute("http.response.status_code", 500);
    /// assert!(span.parent_span_id().is_none() && span.context().is_sampled());
    /// ```
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        let (trace_id, span_id) = (TraceId::random(), SpanId::random());
        let context = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, TraceState::EMPTY);
        Self::begun(context, name.into(), clock::now())
    }

    /// The record of a child of `parent`: in its trace, with its flags and state.
    #[must_use]
    pub fn with_parent(mut self, parent: &SpanContext) -> Self {
        let (trace_id, span_id) = (parent.trace_id(), self.span_id());
        self.context = SpanContext::new(trace_id, span_id, parent.flags(), parent.state().clone());
        (self.parent, self.parent_is_remote) = (parent.span_id(), parent.is_remote());
        self
    }

    /// The record with this kind.
    #[must_use]
    pub fn with_kind(self, kind: SpanKind) -> Self {
        Self { kind, ..self }
    }

    /// The record of a span from `start` to `end`, or to `start` if that is later.
    #[must_use]
    pub fn with_times(self, start: Ticks, end: Ticks) -> Self {
        Self { start, end: end.max(start), ..self }
    }

    /// Changes the name.
    pub fn set_name(&mut self, name: impl Into<Cow<'static, str>>) {
        self.name = name.into();
    }

    /// Changes how the operation ended.
    pub fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// Sets the attribute `key`, in place of what it was.
    pub fn set_attribute(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        let attribute = KeyValue::new(key, value);
        self.attributes.retain(|other| other.key != attribute.key);
        self.attributes.push(attribute);
    }

    /// The attributes, to be changed; of two with one key the later holds.
    pub fn attributes_mut(&mut self) -> &mut Vec<KeyValue> {
        &mut self.attributes
    }

    /// Keeps the events for which `keep` is true, which may change them.
    pub fn retain_events(&mut self, keep: impl FnMut(&mut Event) -> bool) {
        if let Some(rare) = &mut self.rare {
            rare.events.retain_mut(keep);
        }
    }

    /// Keeps the links for which `keep` is true, which may change them.
    pub fn retain_links(&mut self, keep: impl FnMut(&mut Link) -> bool) {
        if let Some(rare) = &mut self.rare {
            rare.links.retain_mut(keep);
        }
    }

    /// Adds an event.
    pub fn add_event(&mut self, event: Event) {
        self.rare_mut().events.push(event);
    }

    /// Adds a link.
    pub fn add_link(&mut self, link: Link) {
        self.rare_mut().links.push(link);
    }
}

/// As it is read.
impl SpanRecord {
    /// The ids, flags and trace state.
    #[must_use]
    pub fn context(&self) -> &SpanContext {
        &self.context
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.context.trace_id()
    }

    /// The span.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        self.context.span_id()
    }

    /// The parent; `None` for a root.
    #[must_use]
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.parent.is_valid().then_some(self.parent)
    }

    /// Whether the parent is a span of another process.
    #[must_use]
    pub fn parent_is_remote(&self) -> bool {
        self.parent_is_remote
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> SpanKind {
        self.kind
    }

    /// When it started.
    #[must_use]
    pub fn start(&self) -> Ticks {
        self.start
    }

    /// When it ended, never before its start.
    #[must_use]
    pub fn end(&self) -> Ticks {
        self.end
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> &Status {
        match (self.status, &self.rare) {
            (StatusCode::Unset, _) => &Status::Unset,
            (StatusCode::Ok, _) => &Status::Ok,
            (StatusCode::Error, Some(rare)) => &rare.error,
            (StatusCode::Error, None) => &UNDESCRIBED,
        }
    }

    /// How the operation ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The attributes, in the order they were set; of two with one key the later holds.
    #[must_use]
    pub fn attributes(&self) -> &[KeyValue] {
        &self.attributes
    }

    /// The events, in order.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        self.rare.as_ref().map_or(&[], |rare| &rare.events)
    }

    /// The links.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        self.rare.as_ref().map_or(&[], |rare| &rare.links)
    }

    /// How many attributes were beyond the limit, of the span itself.
    #[must_use]
    pub fn dropped_attributes(&self) -> u32 {
        self.dropped().attributes
    }

    /// How many events were beyond the limit.
    #[must_use]
    pub fn dropped_events(&self) -> u32 {
        self.dropped().events
    }

    /// How many links were beyond the limit.
    #[must_use]
    pub fn dropped_links(&self) -> u32 {
        self.dropped().links
    }
}

/// The memory it holds, by what is in use and not by what is reserved: static text weighs nothing.
impl Signal for SpanRecord {
    const NAME: &'static str = "spans";
    type RouteOptions = ();

    #[inline]
    fn weight(&self) -> usize {
        let mut bytes = size_of::<Self>() + owned(&self.name) + weigh_state(&self.context);
        if !self.attributes.is_empty() {
            bytes += weight_of(&self.attributes);
        }
        bytes + self.rare.as_ref().map_or(0, |rare| rare.weight())
    }
}

impl Rare {
    fn weight(&self) -> usize {
        let mut bytes = size_of::<Self>();
        if let Status::Error(description) = &self.error {
            bytes += owned(description);
        }
        for event in &self.events {
            bytes += size_of::<Event>() + owned(&event.name) + weight_of(&event.attributes);
        }
        for link in &self.links {
            bytes += size_of::<Link>() + weigh_state(&link.context) + weight_of(&link.attributes);
        }
        bytes
    }
}

fn weigh_state(context: &SpanContext) -> usize {
    context.state().as_str().len()
}

fn weight_of(attributes: &[KeyValue]) -> usize {
    let weight = |attribute: &KeyValue| {
        let value_bytes = match &attribute.value {
            Value::String(text) => owned(text),
            _ => 0,
        };
        size_of::<KeyValue>() + owned(&attribute.key) + value_bytes
    };
    attributes.iter().map(weight).sum()
}

/// The bytes on the heap; static text costs nothing.
#[expect(clippy::ptr_arg, reason = "whether it is owned is the question")]
fn owned(text: &Cow<'static, str>) -> usize {
    match text {
        Cow::Borrowed(_) => 0,
        Cow::Owned(text) => text.len(),
    }
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
        Self { name: name.into(), at, attributes }
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
}

impl Link {
    /// A link to the span of `context`.
    #[must_use]
    pub fn new(context: SpanContext, attributes: Vec<KeyValue>) -> Self {
        Self { context, attributes }
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
}
