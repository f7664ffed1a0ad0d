//! A recorded span that has not ended.

use std::borrow::Cow;

use super::{
    Event, Link, SpanLimits, SpanRecord, Status,
    start::{Seed, Start},
    tracer::Tracer,
};
use crate::{
    clock::{self, Ticks},
    context::{Outcome, SpanContext},
    label::KeyValue,
};

/// A recorded span that has not ended: what will be its record, and what has to be known at its end.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) record: SpanRecord, // `end` is its start, and `outcome` what somebody said, or Ok.
    pub(super) tracer: u64,
    limits: SpanLimits,
    was_panicking: bool, // Whether a panic was under way at the start: that one is not this span's.
}

/// No span's yet.
impl Default for Active {
    fn default() -> Self {
        Self {
            record: SpanRecord::EMPTY,
            tracer: 0,
            limits: SpanLimits::default(),
            was_panicking: false,
        }
    }
}

impl Active {
    /// Starts a span, not before `earliest`, in a box that is new or whose record was taken.
    #[inline(always)] // As `Start::new`.
    pub(super) fn start(
        &mut self,
        tracer: &Tracer,
        start: Start,
        seed: &mut Seed,
        earliest: Option<Ticks>,
    ) {
        self.tracer = tracer.id;
        self.limits = tracer.limits;
        self.was_panicking = std::thread::panicking();
        let at = seed.start.unwrap_or_else(|| {
            let now = clock::now();
            earliest.map_or(now, |earliest| now.max(earliest))
        });
        let name = self.limits.cut(std::mem::take(&mut seed.name));
        let record = &mut self.record;
        *record = SpanRecord::begun(start.context, name, at);
        record.parent = start.parent;
        record.parent_is_remote = start.parent_is_remote;
        record.kind = seed.kind;
    }

    #[inline]
    pub(super) fn close(&mut self, at: Ticks) {
        let record = &mut self.record;
        record.end = at.max(record.start);
        // A future that is dropped by the panic of another was cancelled, and said so.
        let unwinds = !self.was_panicking && std::thread::panicking();
        if unwinds && record.outcome != Outcome::Cancelled {
            record.outcome = Outcome::Panic;
        } else if record.outcome == Outcome::Ok && record.has_failed() {
            record.outcome = Outcome::Error;
        }
    }

    pub(super) fn set_name(&mut self, name: Cow<'static, str>) {
        self.record.name = self.limits.cut(name);
    }

    pub(super) fn set_status(&mut self, status: Status) {
        self.record.set_status(match status {
            Status::Error(description) => Status::Error(self.limits.cut(description)),
            other => other,
        });
    }

    pub(super) fn set_attribute(&mut self, attribute: KeyValue) {
        let attribute = self.limits.cut_attribute(attribute);
        let attributes = &mut self.record.attributes;
        if let Some(same) = attributes.iter_mut().find(|other| other.key == attribute.key) {
            same.value = attribute.value;
        } else if attributes.len() < self.limits.attributes as usize {
            attributes.push(attribute);
        } else {
            let dropped = &mut self.record.rare_mut().dropped;
            dropped.attributes = dropped.attributes.saturating_add(1);
        }
    }

    /// The limits of an event that is about to be added, if there is room for one. Its attributes are
    /// gathered outside: whose they are may use spans.
    pub(super) fn room_for_event(&mut self) -> Option<SpanLimits> {
        let rare = self.record.rare_mut();
        if rare.events.len() < self.limits.events as usize {
            return Some(self.limits);
        }
        rare.dropped.events = rare.dropped.events.saturating_add(1);
        None
    }

    /// Adds an event; there may be no more room by now.
    pub(super) fn add_event(
        &mut self,
        name: Cow<'static, str>,
        at: Ticks,
        attributes: Vec<KeyValue>,
    ) {
        if self.room_for_event().is_some() {
            let (name, at) = (self.limits.cut(name), at.max(self.record.start));
            self.record.rare_mut().events.push(Event { name, at, attributes });
        }
    }

    /// As [`room_for_event`](Self::room_for_event), for a link.
    pub(super) fn room_for_link(&mut self) -> Option<SpanLimits> {
        let rare = self.record.rare_mut();
        if rare.links.len() < self.limits.links as usize {
            return Some(self.limits);
        }
        rare.dropped.links = rare.dropped.links.saturating_add(1);
        None
    }

    /// Adds a link; there may be no more room by now.
    pub(super) fn add_link(&mut self, context: SpanContext, attributes: Vec<KeyValue>) {
        if self.room_for_link().is_some() {
            self.record.rare_mut().links.push(Link { context, attributes });
        }
    }
}
