//! A span as OTLP's `Span`.

use super::{
    attribute,
    form::{Field, Fields, field},
};
use crate::{
    clock::Ticks,
    context::{Outcome, SpanContext},
    trace::{Event, Link, SpanKind, SpanRecord, Status},
};

const TRACE_ID: Field = field(1, "traceId");
const SPAN_ID: Field = field(2, "spanId");
const TRACE_STATE: Field = field(3, "traceState");
const PARENT_SPAN_ID: Field = field(4, "parentSpanId");
const NAME: Field = field(5, "name");
const KIND: Field = field(6, "kind");
const START: Field = field(7, "startTimeUnixNano");
const END: Field = field(8, "endTimeUnixNano");
const ATTRIBUTES: Field = field(9, "attributes");
const DROPPED_ATTRIBUTES: Field = field(10, "droppedAttributesCount");
const EVENTS: Field = field(11, "events");
const DROPPED_EVENTS: Field = field(12, "droppedEventsCount");
const LINKS: Field = field(13, "links");
const DROPPED_LINKS: Field = field(14, "droppedLinksCount");
const STATUS: Field = field(15, "status");
const FLAGS: Field = field(16, "flags");

/// The bit of the flags that says that the next one is known (`SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK`).
const KNOWS_REMOTE: u32 = 0x100;
/// The bit of a parent, or a link, of another process (`SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`).
const IS_REMOTE: u32 = 0x200;

/// Writes the fields of `span`.
#[inline]
pub(super) fn write<F: Fields>(fields: &mut F, span: &SpanRecord) {
    let (context, dates) = (span.context(), Dates::of(span));
    fields.trace_id(TRACE_ID, context.trace_id());
    fields.span_id(SPAN_ID, context.span_id());
    fields.some_text(TRACE_STATE, context.state().as_str());
    if let Some(parent) = span.parent_span_id() {
        fields.span_id(PARENT_SPAN_ID, parent);
    }
    fields.text(NAME, span.name());
    fields.small(KIND, kind(span.kind()));
    fields.fixed64(START, dates.start_nanos);
    fields.fixed64(END, dates.at(span.end()));
    attributes(fields, span);
    fields.some_count(DROPPED_ATTRIBUTES, span.dropped_attributes());
    if !span.events().is_empty() {
        fields.list(EVENTS, |fields| {
            span.events()
                .iter()
                .for_each(|event| fields.item(EVENTS, |to| write_event(to, event, &dates)));
        });
    }
    fields.some_count(DROPPED_EVENTS, span.dropped_events());
    if !span.links().is_empty() {
        fields.list(LINKS, |fields| {
            span.links().iter().for_each(|link| fields.item(LINKS, |to| write_link(to, link)));
        });
    }
    fields.some_count(DROPPED_LINKS, span.dropped_links());
    write_status(fields, span.status());
    let flags = u32::from(context.flags().to_u8()) | KNOWS_REMOTE;
    fields.fixed32(FLAGS, flags | if span.parent_is_remote() { IS_REMOTE } else { 0 });
}

/// Writes its attributes, and what OTLP has no field for.
#[inline]
fn attributes<F: Fields>(fields: &mut F, span: &SpanRecord) {
    let own = span.attributes();
    let (texts, items) = (span.truncated_texts(), span.dropped_array_items());
    let is_odd = matches!(span.outcome(), Outcome::Panic | Outcome::Cancelled);
    if texts | items == 0 && !is_odd {
        attribute::list(fields, ATTRIBUTES, own);
        return;
    }
    fields.list(ATTRIBUTES, |fields| {
        attribute::items(fields, ATTRIBUTES, own);
        if is_odd {
            let outcome = span.outcome().as_str();
            attribute::text_item(fields, ATTRIBUTES, "bellwether.outcome", outcome);
        }
        attribute::count_item(fields, ATTRIBUTES, "bellwether.truncated_texts", texts.into());
        attribute::count_item(fields, ATTRIBUTES, "bellwether.dropped_array_items", items.into());
    });
}

fn kind(kind: SpanKind) -> u32 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

#[inline]
fn write_status(fields: &mut impl Fields, status: &Status) {
    const MESSAGE: Field = field(2, "message");
    const CODE: Field = field(3, "code");
    match status {
        Status::Unset => {}
        Status::Ok => fields.message(STATUS, |fields| fields.small(CODE, 1)),
        Status::Error(description) => fields.message(STATUS, |fields| {
            fields.some_text(MESSAGE, description);
            fields.small(CODE, 2);
        }),
    }
}

#[inline]
fn write_event(fields: &mut impl Fields, event: &Event, dates: &Dates) {
    const ATTRIBUTES: Field = field(3, "attributes");
    fields.fixed64(field(1, "timeUnixNano"), dates.at(event.at()));
    fields.text(field(2, "name"), event.name());
    attribute::list(fields, ATTRIBUTES, event.attributes());
    fields.some_count(field(4, "droppedAttributesCount"), event.dropped_attributes());
}

fn write_link(fields: &mut impl Fields, link: &Link) {
    let context: &SpanContext = link.context();
    let remote = if context.is_remote() { IS_REMOTE } else { 0 };
    fields.trace_id(field(1, "traceId"), context.trace_id());
    fields.span_id(field(2, "spanId"), context.span_id());
    fields.some_text(field(3, "traceState"), context.state().as_str());
    attribute::list(fields, field(4, "attributes"), link.attributes());
    fields.some_count(field(5, "droppedAttributesCount"), link.dropped_attributes());
    let flags = u32::from(context.flags().to_u8()) | KNOWS_REMOTE | remote;
    fields.fixed32(field(6, "flags"), flags);
}

/// The dates of a span's instants: as far from the date of its start as the monotonic clock says. So the
/// duration is exact, and the wall clock is asked once.
struct Dates {
    start: Ticks,
    start_nanos: u64,
}

impl Dates {
    #[inline]
    fn of(span: &SpanRecord) -> Self {
        Self { start: span.start(), start_nanos: span.start().unix_nanos() }
    }

    #[inline]
    fn at(&self, instant: Ticks) -> u64 {
        if instant < self.start || !instant.is_comparable_with(self.start) {
            return instant.unix_nanos(); // An event that its user dated.
        }
        self.start_nanos.saturating_add(instant.settled_nanos_since(self.start))
    }
}
