//! A recorded span that has not ended.

use std::borrow::Cow;

use super::{
    Event, Link, SpanLimits, SpanRecord, Status,
    failure::{self, Texts},
    record::Open,
    seed::{Seed, Start},
    tracer::Tracer,
};
use crate::{
    clock::{self, Ticks},
    context::{Baggage, Outcome, SpanContext, TraceState},
    label::KeyValue,
};

/// A recorded span that has not ended. Its record's `end` is its start, and its `outcome` what somebody
/// said, or `Ok`.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) record: SpanRecord,
}

impl Active {
    /// Starts a span, not before `earliest`, in a record that is new or was used before.
    #[inline(always)] // As `Start::child`.
    pub(super) fn start(
        mut record: SpanRecord,
        tracer: &Tracer,
        start: Start,
        state: TraceState,
        seed: &mut Seed,
        earliest: Option<Ticks>,
    ) -> Self {
        let limits = &tracer.limits;
        let at = seed.start.unwrap_or_else(|| {
            let now = clock::now();
            earliest.map_or(now, |earliest| now.max(earliest))
        });
        record.begin(start.ids.with_state(state), limits.cut(seed.take_name()), at);
        let body = record.body_mut();
        body.parent = start.parent.span_id;
        body.parent_is_remote = start.parent.is_remote() && !start.is_root();
        body.kind = seed.kind;
        let was_panicking = std::thread::panicking();
        body.open = Open { tracer: tracer.id, limits: *limits, was_panicking };
        let mut active = Self { record };
        if !seed.attributes.is_empty() {
            active.set_first_attributes(std::mem::take(&mut seed.attributes));
        }
        if let Some(links) = seed.links.take() {
            active.set_first_links(*links);
        }
        active
    }

    #[cold]
    #[inline(never)]
    fn set_first_links(&mut self, links: Vec<Link>) {
        links.into_iter().for_each(|link| self.add_link(link.context, link.attributes));
    }

    /// Takes the entries of `baggage` with these keys as attributes, under their own keys.
    #[inline(always)]
    pub(super) fn take_from_baggage(&mut self, keys: &[Cow<'static, str>], baggage: &Baggage) {
        if !keys.is_empty() && !baggage.is_empty() {
            self.take_entries(keys, baggage);
        }
    }

    #[cold]
    #[inline(never)]
    fn take_entries(&mut self, keys: &[Cow<'static, str>], baggage: &Baggage) {
        for key in keys {
            if let Some(value) = baggage.get(key) {
                self.set_attribute(KeyValue::new(key.clone(), value.into_owned()));
            }
        }
    }

    #[cold] // Not that it were rare: the way past it is to stay short.
    #[inline(never)]
    fn set_first_attributes(&mut self, attributes: Vec<KeyValue>) {
        attributes.into_iter().for_each(|attribute| self.set_attribute(attribute));
    }

    /// The number of its tracer.
    #[inline]
    pub(super) fn tracer(&self) -> u64 {
        self.record.body().open.tracer
    }

    #[inline]
    pub(super) fn limits(&self) -> SpanLimits {
        self.record.body().open.limits
    }

    #[inline]
    pub(super) fn close(&mut self, at: Ticks) {
        let has_failed = self.record.has_failed();
        let body = self.record.body_mut();
        body.end = at.max(body.start);
        // A future that is dropped by the panic of another was cancelled, and said so.
        let unwinds = std::thread::panicking() && !body.open.was_panicking;
        if unwinds && body.outcome != Outcome::Cancelled {
            body.outcome = Outcome::Panic;
        } else if body.outcome == Outcome::Ok && has_failed {
            body.outcome = Outcome::Error;
        }
        self.record.weigh();
    }

    pub(super) fn set_name(&mut self, name: Cow<'static, str>) {
        self.record.body_mut().name = self.limits().cut(name);
    }

    pub(super) fn set_status(&mut self, status: Status) {
        self.record.set_status(match status {
            Status::Error(description) => Status::Error(self.limits().cut(description)),
            other => other,
        });
    }

    /// Sets the outcome.
    pub(super) fn set_outcome(&mut self, outcome: Outcome) {
        self.record.body_mut().outcome = outcome;
    }

    #[inline]
    pub(super) fn set_attribute(&mut self, attribute: KeyValue) {
        let body = self.record.body_mut();
        if !body.open.limits.allow(&attribute) {
            return self.set_long_attribute(attribute);
        }
        let is_same = |other: &&mut KeyValue| are_same(&other.key, &attribute.key);
        if let Some(same) = body.attributes.iter_mut().find(is_same) {
            same.value = attribute.value;
        } else if body.attributes.len() < body.open.limits.attributes as usize {
            body.attributes.push(attribute);
        } else {
            let dropped = &mut self.record.rare_mut().dropped;
            dropped.attributes = dropped.attributes.saturating_add(1);
        }
    }

    #[cold]
    #[inline(never)]
    fn set_long_attribute(&mut self, attribute: KeyValue) {
        let attribute = self.limits().cut_attribute(attribute);
        self.set_attribute(attribute);
    }

    /// The limits of an event that is about to be added, if there is room for one. Its attributes are
    /// gathered outside: whose they are may use spans.
    pub(super) fn room_for_event(&mut self) -> Option<SpanLimits> {
        let limits = self.limits();
        let rare = self.record.rare_mut();
        if rare.events.len() < limits.events as usize {
            return Some(limits);
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
        if let Some(limits) = self.room_for_event() {
            let (name, at) = (limits.cut(name), at.max(self.record.start()));
            self.record.rare_mut().events.push(Event { name, at, attributes });
        }
    }

    /// As [`room_for_event`](Self::room_for_event), for a link.
    pub(super) fn room_for_link(&mut self) -> Option<SpanLimits> {
        let limits = self.limits();
        let rare = self.record.rare_mut();
        if rare.links.len() < limits.links as usize {
            return Some(limits);
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

/// Who says that there was an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The user.
    Hand,
    /// The end of the span's work, which had it for a result.
    End,
    /// The end of something in the span, which began then. It need not be one of the span.
    Part(Ticks),
}

/// An error as a span keeps it.
pub(super) struct Told {
    pub(super) kind: &'static str,
    pub(super) at: Ticks,
    /// `None` if texts are off.
    pub(super) texts: Option<Texts>,
}

impl Active {
    /// Records an error. Its end says nothing anew of what was said before.
    pub(super) fn fail(&mut self, told: Told, by: By) {
        let Told { kind, at, texts } = told;
        let is_known = texts.as_ref().is_some_and(|texts| self.knows(kind, texts, by));
        if !matches!(by, By::Part(_)) {
            let description = texts.as_ref().and_then(|texts| texts.message.clone());
            self.set_failed(kind, description.unwrap_or_default().into(), by);
        }
        if let Some(texts) = texts.filter(|_| !is_known) {
            let attributes = self.limits().gather(texts.into_attributes(kind));
            self.add_event(Cow::Borrowed(failure::EVENT), at, attributes);
        }
    }

    /// Whether the newest event of an error is that of this one.
    fn knows(&self, kind: &str, texts: &Texts, by: By) -> bool {
        let newest = self.record.events().iter().rev().find(|event| event.name == failure::EVENT);
        newest.is_some_and(|event| {
            let may_be = match by {
                By::Hand => false,
                By::End => true,
                By::Part(start) => event.at >= start,
            };
            may_be && texts.are_in(&event.attributes, kind)
        })
    }

    fn set_failed(&mut self, kind: &'static str, description: Cow<'static, str>, by: By) {
        if by == By::Hand || *self.record.status() == Status::Unset {
            self.set_status(Status::Error(description));
        }
        let has_type = |other: &KeyValue| are_same(&other.key, failure::ERROR_TYPE);
        if by == By::Hand || !self.record.attributes().iter().any(has_type) {
            self.set_attribute(KeyValue::new(failure::ERROR_TYPE, kind));
        }
    }
}

/// Whether two keys are the same: few of one length end with the same byte.
#[inline]
fn are_same(a: &str, b: &str) -> bool {
    let last = |text: &str| text.as_bytes().last().copied();
    a.len() == b.len() && last(a) == last(b) && a == b
}
