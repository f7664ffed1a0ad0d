//! A finished span, as exporters see it.

use std::{borrow::Cow, mem, time::Duration};

use super::{
    content::{ALIGNED_COST, Content, Rare, UNDESCRIBED},
    limits::{Cuts, SpanLimits},
    parts::{Event, Link, SpanKind, Status},
    sampler::Probability,
    spare::Spare,
};
use crate::{
    clock::{self, Ticks},
    context::{Outcome, SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    label::{KeyValue, Value, owned_bytes},
    pipeline::Signal,
};

/// A span that has ended.
#[derive(Clone, Debug)]
pub struct SpanRecord(Box<Body>); // A pointer: a record is moved from hand to hand and never copied.

/// What a record holds: two cache lines, which are filled in place, and used again for another span.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Body {
    pub(super) context: SpanContext,
    pub(super) parent: SpanId, // Not valid for a root.
    pub(super) start: Ticks,
    pub(super) end: Ticks,
    pub(super) name: Cow<'static, str>,
    content: Option<Box<Content>>,
    rare: Option<Box<Rare>>,
    pub(super) origin: &'static Origin,
    /// What the record weighs, once that was added up; zero before, and when it may have changed.
    weight: u32,
    /// What `content` and `rare` weigh where the span has nothing of them.
    room: u16,
    /// The number of the thread that took it for this span.
    pub(super) thread: u16,
    status: StatusCode,
    pub(super) outcome: Outcome,
    pub(super) kind: SpanKind,
    pub(super) parent_is_remote: bool,
    /// Of a span that has not ended: whether a panic was under way at the start, which is not this span's.
    pub(super) was_panicking: bool,
    /// Whether the span has any of `content`.
    has_content: bool,
    /// What few spans are: [`RARE`](Self::RARE) and its like, added up.
    pub(super) marks: u8,
    /// Whether an attribute may own memory: if none does, they are neither weighed nor dropped one by one.
    pub(super) owns_attributes: bool,
}

const _: () = assert!(size_of::<Body>() == 128);

/// What a span has to know of its tracer, which may end before it.
#[derive(Debug)]
pub(super) struct Origin {
    /// The tracer's number, which is never used again; zero is none's.
    pub(super) tracer: u64,
    pub(super) limits: &'static SpanLimits,
}

/// The attribute of a span that was exported before its end. OpenTelemetry has no word for it.
const IS_OPEN: &str = "bellwether.span.open";

/// Exported ones, for the next spans of any thread.
pub(super) static SPARE: Spare<SpanRecord> = Spare::new();

/// A [`Status`] without its description.
#[derive(Clone, Copy, Debug)]
enum StatusCode {
    Unset,
    Ok,
    Error,
}

impl Origin {
    const NONE: &Self = &Self { tracer: 0, limits: &SpanLimits::DEFAULT };

    /// Kept for ever: a process has few tracers.
    pub(super) fn new(tracer: u64, limits: SpanLimits) -> &'static Self {
        Box::leak(Box::new(Self { tracer, limits: limits.shared() }))
    }
}

/// Without the room of former spans, which is this one's alone.
impl Clone for Body {
    fn clone(&self) -> Self {
        Self {
            context: self.context.clone(),
            name: self.name.clone(),
            content: self.content.as_ref().filter(|_| self.has_content).cloned(),
            rare: self.rare.as_ref().filter(|_| self.has_rare()).cloned(),
            weight: 0,
            room: 0,
            ..*self
        }
    }
}

/// As it starts, and as its span fills it.
impl SpanRecord {
    /// No span's, to be begun.
    pub(super) fn empty() -> Self {
        Self(Box::new(Body {
            context: SpanContext::NONE,
            parent: SpanId::INVALID,
            start: Ticks::ORIGIN,
            end: Ticks::ORIGIN,
            name: Cow::Borrowed(""),
            content: None,
            rare: None,
            origin: Origin::NONE,
            weight: 0,
            room: 0,
            thread: 0,
            status: StatusCode::Unset,
            outcome: Outcome::Ok,
            kind: SpanKind::Internal,
            parent_is_remote: false,
            was_panicking: false,
            has_content: false,
            marks: 0,
            owns_attributes: false,
        }))
    }

    /// Makes it the record of a span that has just started. It is new, or [clean](Self::clean), so that
    /// nothing of it has to be looked at.
    #[inline(always)] // Filled where it is: a copy right after stalls on the stores (bench span).
    pub(super) fn begin(&mut self, context: SpanContext, name: Cow<'static, str>, start: Ticks) {
        let body = &mut *self.0;
        mem::forget(mem::replace(&mut body.context, context));
        mem::forget(mem::replace(&mut body.name, name));
        body.parent = SpanId::INVALID;
        (body.start, body.end) = (start, start);
        body.weight = 0;
        (body.status, body.outcome) = (StatusCode::Unset, Outcome::Ok);
        (body.kind, body.parent_is_remote) = (SpanKind::Internal, false);
    }

    /// Drops what it holds, for another span of the thread of this number. The room that it has for
    /// attributes and events stays.
    pub(super) fn clean(&mut self, thread: u16) {
        let body = &mut *self.0;
        (body.context, body.name, body.thread) = (SpanContext::NONE, Cow::Borrowed(""), thread);
        body.weight = 0; // That of the former span.
        if body.has_content || body.marks != 0 {
            body.clear();
        }
    }

    #[inline(always)]
    pub(super) fn body(&self) -> &Body {
        &self.0
    }

    #[inline(always)]
    pub(super) fn body_mut(&mut self) -> &mut Body {
        &mut self.0
    }

    /// Adds up what it weighs, once for all who ask.
    #[inline]
    pub(super) fn weigh(&mut self) {
        self.0.weight = u32::try_from(self.0.add_up()).unwrap_or(u32::MAX);
    }

    /// Whether anything has to be seen to at the end: cuts to count, a record to take back.
    #[inline]
    pub(super) fn has_marks(&self) -> bool {
        self.0.marks != 0
    }

    pub(super) fn mark(&mut self, mark: u8) {
        self.0.marks |= mark;
    }

    /// The attributes and events, to be changed; made where there are none.
    #[inline(always)]
    pub(super) fn content_mut(&mut self) -> &mut Content {
        let body = &mut *self.0;
        (body.weight, body.has_content) = (0, true);
        body.content.get_or_insert_with(new_content)
    }

    /// What few spans have, to be changed; made where there is none.
    pub(super) fn rare_mut(&mut self) -> &mut Rare {
        let body = &mut *self.0;
        body.weight = 0;
        body.marks |= Body::RARE;
        body.rare.get_or_insert_with(|| Box::new(Rare::new()))
    }

    #[inline]
    fn content(&self) -> Option<&Content> {
        if self.0.has_content { self.0.content.as_deref() } else { None }
    }

    #[inline]
    fn rare(&self) -> Option<&Rare> {
        if self.0.has_rare() { self.0.rare.as_deref() } else { None }
    }

    /// A record that the span's owner has in place of this one: what is asked of an open span.
    pub(super) fn stand_in(&self) -> Self {
        let mut record = Self::empty();
        record.begin(self.0.context.clone(), self.0.name.clone(), self.0.start);
        let body = &mut *record.0;
        (body.parent, body.parent_is_remote) = (self.0.parent, self.0.parent_is_remote);
        (body.kind, body.origin, body.thread) = (self.0.kind, self.0.origin, self.0.thread);
        body.was_panicking = self.0.was_panicking;
        record
    }

    /// A copy of an open span's record, as if the span ended now, and with the mark that it has not.
    pub(super) fn as_it_stands(&self, now: Ticks) -> Self {
        let mut record = self.clone();
        record.0.end = now.max(record.0.start);
        record.mark(Body::UNFINISHED);
        record.set_attribute(IS_OPEN, true);
        record.weigh();
        record
    }

    /// The record as it is exported before its end, for tests.
    #[cfg(test)]
    pub(crate) fn left_open(mut self) -> Self {
        self.mark(Body::UNFINISHED);
        self
    }

    /// Changes the status.
    pub fn set_status(&mut self, status: Status) {
        self.0.weight = 0;
        self.0.status = match status {
            Status::Unset => StatusCode::Unset,
            Status::Ok => StatusCode::Ok,
            Status::Error(_) => StatusCode::Error,
        };
        // Without a description there is nothing to keep, unless another was kept before.
        if matches!(&status, Status::Error(text) if self.0.has_rare() || !text.is_empty()) {
            self.rare_mut().error = status;
        }
    }

    /// Whether its parent is not of this process.
    pub(crate) fn is_local_root(&self) -> bool {
        self.0.parent_is_remote || !self.0.parent.is_valid()
    }

    /// Marks it as sampled, with the trace state that says with what probability.
    pub(super) fn export(&mut self, state: TraceState) {
        self.0.context = self.0.context.clone().with_state(state).into_sampled();
    }

    /// Whether there is an error, by the status.
    #[inline]
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.0.status, StatusCode::Error)
    }

    fn cuts(&self) -> Cuts {
        self.rare().map_or(Cuts::NONE, |rare| rare.cuts)
    }

    /// What was beyond the limits, with the attributes of events and links.
    pub(super) fn all_cuts(&self) -> Cuts {
        let mut cuts = self.cuts();
        let of_events = self.events().iter().map(Event::dropped_attributes);
        let of_links = self.links().iter().map(Link::dropped_attributes);
        let more = of_events.chain(of_links).fold(0, u32::saturating_add);
        cuts.attributes = cuts.attributes.saturating_add(more);
        cuts
    }
}

#[cold]
#[inline(never)]
fn new_content() -> Box<Content> {
    Box::new(Content::EMPTY)
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
        let mut record = Self::empty();
        record.begin(context, name.into(), clock::now());
        record
    }

    /// The record with these ids, flags and state.
    #[must_use]
    pub fn with_context(mut self, context: SpanContext) -> Self {
        (self.0.context, self.0.weight) = (context, 0);
        self
    }

    /// The record of a child of `parent`: in its trace, with its flags and state.
    #[must_use]
    pub fn with_parent(mut self, parent: &SpanContext) -> Self {
        let (trace_id, span_id) = (parent.trace_id(), self.span_id());
        self.0.context =
            SpanContext::new(trace_id, span_id, parent.flags(), parent.state().clone());
        (self.0.parent, self.0.parent_is_remote) = (parent.span_id(), parent.is_remote());
        self.0.weight = 0;
        self
    }

    /// The record with this kind.
    #[must_use]
    pub fn with_kind(mut self, kind: SpanKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// The record of a span from `start` to `end`, or to `start` if that is later.
    #[must_use]
    pub fn with_times(mut self, start: Ticks, end: Ticks) -> Self {
        (self.0.start, self.0.end) = (start, end.max(start));
        self
    }

    /// Changes the name.
    pub fn set_name(&mut self, name: impl Into<Cow<'static, str>>) {
        self.0.weight = 0;
        self.0.name = name.into();
    }

    /// Changes how the operation ended.
    pub fn set_outcome(&mut self, outcome: Outcome) {
        self.0.outcome = outcome;
    }

    /// Sets the attribute `key`, in place of what it was.
    pub fn set_attribute(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        let attribute = KeyValue::new(key, value);
        let attributes = self.attributes_mut();
        attributes.retain(|other| other.key != attribute.key);
        attributes.push(attribute);
    }

    /// The attributes, to be changed; of two with one key the later holds.
    pub fn attributes_mut(&mut self) -> &mut Vec<KeyValue> {
        self.0.owns_attributes = true;
        &mut self.content_mut().attributes
    }

    /// Keeps the events for which `keep` is true, which may change them.
    pub fn retain_events(&mut self, keep: impl FnMut(&mut Event) -> bool) {
        if self.0.has_content {
            self.content_mut().events.retain(keep);
        }
    }

    /// Keeps the links for which `keep` is true, which may change them.
    pub fn retain_links(&mut self, keep: impl FnMut(&mut Link) -> bool) {
        if self.0.has_rare() {
            self.rare_mut().links.retain(keep);
        }
    }

    /// Adds an event.
    pub fn add_event(&mut self, event: Event) {
        self.content_mut().events.push(event);
    }

    /// Adds a link.
    pub fn add_link(&mut self, link: Link) {
        self.rare_mut().links.push(link);
    }
}

impl Body {
    /// The span has some of `rare`.
    const RARE: u8 = 1;
    /// The record is among those that are watched, and this one stands in for it.
    pub(super) const WATCHED: u8 = 1 << 1;
    /// The record is a copy that was made before the end.
    const UNFINISHED: u8 = 1 << 2;

    #[inline]
    fn has_rare(&self) -> bool {
        self.marks & Self::RARE != 0
    }

    /// Drops what it holds beside what every span has. The room for more stays.
    fn clear(&mut self) {
        let mut room = 0;
        if let Some(content) = &mut self.content {
            content.clear(self.owns_attributes);
            room += content.weight(false);
        }
        let has_rare = self.has_rare();
        if let Some(rare) = &mut self.rare {
            if has_rare {
                rare.clear();
            }
            room += rare.weight();
        }
        self.room = u16::try_from(room).unwrap_or(u16::MAX); // What is spare is bounded far below.
        (self.has_content, self.marks, self.owns_attributes) = (false, 0, false);
    }

    /// With the room for more that it has from former spans.
    #[inline]
    fn add_up(&self) -> usize {
        let texts = owned_bytes(&self.name) + self.context.state().as_str().len();
        let own = size_of::<Self>() + ALIGNED_COST + texts;
        let is_bare = !self.has_content && !self.has_rare();
        own + if is_bare { self.room.into() } else { self.add_up_content() }
    }

    #[inline(never)]
    fn add_up_content(&self) -> usize {
        let content = self.content.as_ref().map_or(0, |it| it.weight(self.owns_attributes));
        content + self.rare.as_ref().map_or(0, |rare| rare.weight())
    }
}

/// As it is read.
impl SpanRecord {
    /// The ids, flags and trace state.
    #[must_use]
    pub fn context(&self) -> &SpanContext {
        &self.0.context
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.0.context.trace_id()
    }

    /// With what probability the trace was sampled, as its trace state says (`ot=th:…`): its
    /// [adjusted count](Probability::adjusted_count) is how many spans this one stands for. `None` if nobody
    /// knows.
    #[must_use]
    pub fn probability(&self) -> Option<Probability> {
        Probability::of_state(self.0.context.state())
    }

    /// The span.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        self.0.context.span_id()
    }

    /// The parent; `None` for a root.
    #[must_use]
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.0.parent.is_valid().then_some(self.0.parent)
    }

    /// Whether the parent is a span of another process.
    #[must_use]
    pub fn parent_is_remote(&self) -> bool {
        self.0.parent_is_remote
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> SpanKind {
        self.0.kind
    }

    /// When it started.
    #[must_use]
    pub fn start(&self) -> Ticks {
        self.0.start
    }

    /// Whether the span had not ended when it was exported, which
    /// [`Builder::export_open_spans`](crate::Builder::export_open_spans) chooses. The record then says how
    /// the span stood at [`end`](Self::end), and has the attribute `bellwether.span.open`. When the span
    /// ends, another record with the same ids comes.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.marks & Body::UNFINISHED != 0
    }

    /// When it ended, never before its start.
    #[must_use]
    pub fn end(&self) -> Ticks {
        self.0.end
    }

    /// The time from its start to its end. It is the same whenever it is asked for, so that all exporters of a
    /// span give the same duration; [`Ticks::since`] may differ a little in the first seconds of a process.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.nanos())
    }

    /// The [`duration`](Self::duration) in nanoseconds.
    pub(crate) fn nanos(&self) -> u64 {
        self.0.end.settled_nanos_since(self.0.start)
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> &Status {
        match (self.0.status, self.rare()) {
            (StatusCode::Unset, _) => &Status::Unset,
            (StatusCode::Ok, _) => &Status::Ok,
            (StatusCode::Error, Some(rare)) => &rare.error,
            (StatusCode::Error, None) => &UNDESCRIBED,
        }
    }

    /// How the operation ended. Of a span that [is open](Self::is_open), what was said so far, or `Ok`.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// The attributes, in the order they were set; of two with one key the later holds.
    #[must_use]
    pub fn attributes(&self) -> &[KeyValue] {
        self.content().map_or(&[], |content| &content.attributes)
    }

    /// The events, in order.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        self.content().map_or(&[], |content| content.events.as_slice())
    }

    /// The links.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        self.rare().map_or(&[], |rare| rare.links.as_slice())
    }

    /// How many attributes were beyond the limit, of the span itself.
    #[must_use]
    pub fn dropped_attributes(&self) -> u32 {
        self.cuts().attributes
    }

    /// How many events were beyond the limit.
    #[must_use]
    pub fn dropped_events(&self) -> u32 {
        self.cuts().events
    }

    /// How many links were beyond the limit.
    #[must_use]
    pub fn dropped_links(&self) -> u32 {
        self.cuts().links
    }

    /// How many texts were cut because they were too long: names, keys, values and items of arrays, the
    /// description of the status; of the span, its events and its links. A text that was replaced later
    /// is counted too.
    #[must_use]
    pub fn truncated_texts(&self) -> u32 {
        self.cuts().texts
    }

    /// How many items of arrays were beyond the limit, of the span, its events and its links.
    #[must_use]
    pub fn dropped_array_items(&self) -> u32 {
        self.cuts().array_items
    }
}

/// The memory it holds, with what is reserved; static text weighs nothing.
impl Signal for SpanRecord {
    const NAME: &'static str = "spans";
    type RouteOptions = ();

    #[inline]
    fn weight(&self) -> usize {
        match self.0.weight {
            0 => self.0.add_up(),
            known => known as usize,
        }
    }

    /// Whether it failed.
    #[inline]
    fn is_urgent(&self) -> bool {
        self.outcome() != Outcome::Ok || matches!(self.status(), Status::Error(_))
    }

    fn recycle(records: Vec<Self>, bytes: usize) {
        let thread = records.first().map_or(0, |record| record.0.thread);
        SPARE.keep(thread.into(), records, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_has_no_memory_of_former_spans() {
        let mut record = SpanRecord::new("first");
        record.set_attribute("key", 1);
        record.set_status(Status::Error("no".into()));
        assert!(record.clone().0.content.is_some() && record.clone().0.rare.is_some());
        record.clean(1);
        assert!(record.0.content.is_some() && record.0.rare.is_some());
        let clone = record.clone();
        assert!(clone.0.content.is_none() && clone.0.rare.is_none());
    }
}
