//! A recorded span that has not ended.

use std::{borrow::Cow, mem};

use super::{
    Event, Link, SpanRecord, Status,
    failure::{self, Texts},
    limits::{Cuts, Gathered, Room, SpanLimits},
    plain::Plain,
    record::Body,
    seed::{Seed, Start},
    tracer::Tracer,
    watched,
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
        let at = seed.start.unwrap_or_else(|| {
            let now = clock::now();
            earliest.map_or(now, |earliest| now.max(earliest))
        });
        record.begin(start.ids.with_state(state), seed.take_name(), at);
        let body = record.body_mut();
        body.parent = start.parent.span_id;
        body.parent_is_remote = start.parent.is_remote() && !start.is_root();
        body.kind = seed.kind;
        let was_panicking = std::thread::panicking();
        (body.origin, body.was_panicking) = (tracer.origin, was_panicking);
        let is_long = body.name.len() > tracer.origin.limits.text_chars;
        let mut active = Self { record };
        if is_long {
            let name = mem::take(&mut active.record.body_mut().name);
            active.set_name(name);
        }
        if !seed.attributes.is_empty() {
            active.set_first_attributes(&mut seed.attributes);
        }
        if let Some(links) = seed.links.take() {
            active.set_first_links(links.0);
        }
        active
    }

    #[cold]
    #[inline(never)]
    fn set_first_links(&mut self, links: Vec<Link>) {
        links.into_iter().for_each(|link| self.link(link.context, link.attributes));
    }

    /// Does what some tracers do besides about a span that starts. It is the last thing at a start: where
    /// others watch the span, its record is no longer here.
    #[inline(always)] // By value: what lends its address is no longer in a register.
    pub(super) fn completed(self, tracer: &Tracer, baggage: &Baggage) -> Self {
        if tracer.has_extras() { self.with_extras(tracer, baggage) } else { self }
    }

    #[cold]
    #[inline(never)]
    fn with_extras(mut self, tracer: &Tracer, baggage: &Baggage) -> Self {
        self.take_from_baggage(tracer.baggage_keys(), baggage);
        if tracer.wants_to_watch(self.record.span_id()) {
            self.watch();
        }
        self
    }

    /// Takes the entries of `baggage` with these keys as attributes, under their own keys.
    fn take_from_baggage(&mut self, keys: &[Cow<'static, str>], baggage: &Baggage) {
        for key in keys {
            if let Some(value) = baggage.get(key) {
                self.set_attribute(KeyValue::new(key.clone(), value.into_owned()));
            }
        }
    }

    #[cold] // Not that it were rare: the way past it is to stay short.
    #[inline(never)]
    fn set_first_attributes(&mut self, attributes: &mut Vec<KeyValue>) {
        if !self.may_take_over(attributes) {
            return attributes.drain(..).for_each(|attribute| self.set_attribute(attribute));
        }
        self.record.body_mut().owns_attributes |= attributes.iter().any(KeyValue::owns);
        self.record.content_mut().attributes.append(attributes);
    }

    /// Whether all of these first attributes are within the limits, and each has a key of its own.
    fn may_take_over(&self, attributes: &[KeyValue]) -> bool {
        let limits = self.limits();
        let is_kept = |(place, KeyValue { key, value }): (usize, &KeyValue)| {
            let is_new = !attributes[..place].iter().any(|other| are_same(&other.key, key));
            is_new && limits.allow(key, value)
        };
        attributes.len() <= limits.attributes as usize && attributes.iter().enumerate().all(is_kept)
    }

    /// The number of its tracer.
    #[inline]
    pub(super) fn tracer(&self) -> u64 {
        self.record.body().origin.tracer
    }

    #[inline]
    pub(super) fn limits(&self) -> &'static SpanLimits {
        self.record.body().origin.limits
    }

    #[inline]
    pub(super) fn close(&mut self, at: Ticks) {
        let has_failed = self.record.has_failed();
        let body = self.record.body_mut();
        body.end = at.max(body.start);
        // A future that is dropped by the panic of another was cancelled, and said so.
        let unwinds = std::thread::panicking() && !body.was_panicking;
        if unwinds && body.outcome != Outcome::Cancelled {
            body.outcome = Outcome::Panic;
        } else if body.outcome == Outcome::Ok && has_failed {
            body.outcome = Outcome::Error;
        }
        self.record.weigh();
    }

    // Of a watched span the record is elsewhere: each setter asks for that first.

    pub(super) fn set_name(&mut self, name: Cow<'static, str>) {
        if self.is_watched() {
            return self.reach(|active| active.set_name(name));
        }
        self.record.body_mut().name = self.within_limit(name);
    }

    pub(super) fn set_status(&mut self, status: Status) {
        if self.is_watched() {
            return self.reach(|active| active.set_status(status));
        }
        let status = match status {
            Status::Error(description) => Status::Error(self.within_limit(description)),
            other => other,
        };
        self.record.set_status(status);
    }

    /// `text`, cut if it is too long.
    #[inline]
    fn within_limit(&mut self, text: Cow<'static, str>) -> Cow<'static, str> {
        if text.len() <= self.limits().text_chars { text } else { self.cut(text) }
    }

    #[cold]
    #[inline(never)]
    fn cut(&mut self, mut text: Cow<'static, str>) -> Cow<'static, str> {
        let mut cuts = Cuts::NONE;
        self.limits().cut_text(&mut text, &mut cuts);
        self.count_any(cuts);
        text
    }

    /// Sets the outcome.
    pub(super) fn set_outcome(&mut self, outcome: Outcome) {
        if self.is_watched() {
            return self.reach(|active| active.set_outcome(outcome));
        }
        self.record.body_mut().outcome = outcome;
    }

    /// Sets the outcome of the span's work. An error is the status too, where nobody set one.
    pub(super) fn conclude(&mut self, outcome: Outcome) {
        if self.is_watched() {
            return self.reach(|active| active.conclude(outcome));
        }
        self.set_outcome(outcome);
        if outcome == Outcome::Error && *self.record.status() == Status::Unset {
            self.set_status(Status::Error(Cow::Borrowed("")));
        }
    }

    /// Notes that something in it has failed: that is its status, unless somebody set one.
    #[cfg(feature = "tracing")]
    pub(super) fn note_failed(&mut self) {
        if self.is_watched() {
            return self.reach(Self::note_failed);
        }
        if *self.record.status() == Status::Unset {
            self.set_status(Status::Error(Cow::Borrowed("")));
        }
    }

    /// Whether somebody said that it went well.
    #[cfg(feature = "tracing")]
    pub(super) fn is_ok(&mut self) -> bool {
        if self.is_watched() {
            return self.reach(Self::is_ok);
        }
        *self.record.status() == Status::Ok
    }

    /// Sets an attribute.
    #[inline(always)] // So that an attribute is copied once, from where it was made to where it stays.
    pub(super) fn set_attribute(&mut self, attribute: KeyValue) {
        if self.is_watched() || !self.limits().allow(&attribute.key, &attribute.value) {
            return self.set_other_attribute(attribute);
        }
        let owns = attribute.owns();
        if let Some(place) = self.place_for(&attribute.key) {
            mem::forget(mem::replace(place, attribute));
            self.record.body_mut().owns_attributes |= owns;
        }
    }

    /// Sets an attribute that may be too long, or is one of a watched span.
    #[cold]
    #[inline(never)]
    fn set_other_attribute(&mut self, mut attribute: KeyValue) {
        if self.is_watched() {
            return self.reach(|active| active.set_attribute(attribute));
        }
        let mut cuts = Cuts::NONE;
        self.limits().cut(&mut attribute, &mut cuts);
        if let Some(place) = self.place_for(&attribute.key) {
            *place = attribute;
            self.record.body_mut().owns_attributes = true;
            self.count_any(cuts);
        }
    }

    /// As [`set_attribute`](Self::set_attribute), of what fits registers.
    #[inline(always)]
    pub(super) fn set_plain(&mut self, key: &'static str, value: Plain) {
        if self.is_watched() || key.len() > self.limits().text_chars {
            return self.set_other_attribute(KeyValue { key: key.into(), value: value.into() });
        }
        if let Some(place) = self.place_for(key) {
            mem::forget(mem::replace(&mut place.key, Cow::Borrowed(key)));
            value.write_to(&mut place.value);
        }
    }

    /// The place for an attribute of this key, if there is one: where that is already, or behind the others.
    /// It holds nothing that would have to be dropped.
    #[inline(always)]
    fn place_for(&mut self, key: &str) -> Option<&mut KeyValue> {
        let most = self.limits().attributes as usize;
        let attributes = self.record.attributes();
        let known = attributes.iter().position(|other| are_same(&other.key, key));
        if known.is_some() || attributes.len() >= most {
            return self.place_of(known);
        }
        let attributes = &mut self.record.content_mut().attributes;
        attributes.push(KeyValue::EMPTY);
        attributes.last_mut()
    }

    /// The place of a known attribute, emptied; of another one that there is no room for it is counted.
    #[cold]
    #[inline(never)]
    fn place_of(&mut self, known: Option<usize>) -> Option<&mut KeyValue> {
        let Some(known) = known else {
            self.count(Cuts { attributes: 1, ..Cuts::NONE });
            return None;
        };
        let place = self.record.content_mut().attributes.get_mut(known)?;
        *place = KeyValue::EMPTY;
        Some(place)
    }

    /// Room for an event that is about to be added, if there may be one. Its attributes are gathered
    /// outside: whose they are may use spans.
    pub(super) fn room_for_event(&mut self) -> Option<Room> {
        if self.is_watched() {
            return self.reach(Self::room_for_event);
        }
        let limits = self.limits();
        self.has_room_for_event().then(|| {
            let attributes = self.record.content_mut().events.take_room();
            Room { limits, most: limits.event_attributes as usize, attributes }
        })
    }

    #[inline]
    fn has_room_for_event(&mut self) -> bool {
        let most = self.limits().events as usize;
        let has_room = self.record.content_mut().events.as_slice().len() < most;
        if !has_room {
            self.count(Cuts { events: 1, ..Cuts::NONE });
        }
        has_room
    }

    /// Adds an event without attributes.
    #[inline(always)] // Called from one place.
    pub(super) fn add_bare_event(&mut self, name: &'static str, at: Ticks) {
        if self.is_watched() || name.len() > self.limits().text_chars {
            return self.add_event(Cow::Borrowed(name), at, Gathered::NOTHING);
        }
        if self.has_room_for_event() {
            let at = at.max(self.record.start());
            let event = self.record.content_mut().events.add_bare();
            (event.name, event.at) = (Cow::Borrowed(name), at);
        }
    }

    /// Adds an event; there may be no more room by now.
    pub(super) fn add_event(&mut self, name: Cow<'static, str>, at: Ticks, gathered: Gathered) {
        if self.is_watched() {
            return self.reach(|active| active.add_event(name, at, gathered));
        }
        if self.has_room_for_event() {
            let Gathered { attributes, cuts } = gathered;
            let event = self.put_event(name, at);
            (event.attributes, event.dropped_attributes) = (attributes, cuts.attributes);
            self.count_any(cuts);
        }
    }

    #[inline]
    fn put_event(&mut self, name: Cow<'static, str>, at: Ticks) -> &mut Event {
        let name = self.within_limit(name);
        let at = at.max(self.record.start());
        let event = self.record.content_mut().events.add();
        (event.name, event.at) = (name, at);
        event
    }

    /// As [`room_for_event`](Self::room_for_event), for a link.
    pub(super) fn room_for_link(&mut self) -> Option<Room> {
        if self.is_watched() {
            return self.reach(Self::room_for_link);
        }
        let limits = self.limits();
        self.has_room_for_link().then(|| {
            let attributes = self.record.rare_mut().links.take_room();
            Room { limits, most: limits.link_attributes as usize, attributes }
        })
    }

    fn has_room_for_link(&mut self) -> bool {
        let most = self.limits().links as usize;
        let has_room = self.record.rare_mut().links.as_slice().len() < most;
        if !has_room {
            self.count(Cuts { links: 1, ..Cuts::NONE });
        }
        has_room
    }

    /// Adds a link with attributes that are there already.
    pub(super) fn link(&mut self, context: SpanContext, attributes: Vec<KeyValue>) {
        if let Some(room) = self.room_for_link() {
            let gathered = room.gather(attributes);
            self.add_link(context, gathered);
        }
    }

    /// Adds a link; there may be no more room by now.
    pub(super) fn add_link(&mut self, context: SpanContext, gathered: Gathered) {
        if self.is_watched() {
            return self.reach(|active| active.add_link(context, gathered));
        }
        if self.has_room_for_link() {
            let Gathered { attributes, cuts } = gathered;
            let link = self.record.rare_mut().links.add();
            *link = Link { context, attributes, dropped_attributes: cuts.attributes };
            self.count_any(cuts);
        }
    }

    /// Counts what was beyond the limits, if anything was. An event and a link have the count of their own
    /// attributes.
    fn count_any(&mut self, cuts: Cuts) {
        if cuts != Cuts::NONE {
            self.count(Cuts { attributes: 0, ..cuts });
        }
    }

    /// Counts what was beyond the limits.
    #[cold]
    #[inline(never)]
    fn count(&mut self, cuts: Cuts) {
        self.record.rare_mut().cuts.add(cuts);
    }
}

/// A watched span, whose record is where others can read it.
impl Active {
    /// Moves the record to where others can read it.
    fn watch(&mut self) {
        let stand_in = self.record.stand_in();
        let record = mem::replace(&mut self.record, stand_in);
        match watched::keep(self.record.span_id(), record) {
            Ok(()) => self.record.mark(Body::WATCHED),
            Err(record) => self.record = record,
        }
    }

    /// The name, also of a watched span.
    pub(super) fn name(&self) -> Cow<'static, str> {
        let own = &self.record.body().name;
        if !self.is_watched() {
            return own.clone();
        }
        let id = self.record.span_id();
        watched::with(id, |kept| kept.map(|kept| kept.body().name.clone()))
            .unwrap_or_else(|| own.clone())
    }

    #[inline]
    fn is_watched(&self) -> bool {
        self.record.body().marks & Body::WATCHED != 0
    }

    /// Calls `change` with the record of a watched span in place.
    #[cold]
    #[inline(never)]
    fn reach<R>(&mut self, change: impl FnOnce(&mut Self) -> R) -> R {
        watched::with(self.record.span_id(), |kept| match kept {
            Some(kept) => {
                mem::swap(&mut self.record, kept);
                let result = change(self);
                mem::swap(&mut self.record, kept);
                result
            }
            // It was given up: nobody sees what is set now.
            None => {
                self.record.body_mut().marks &= !Body::WATCHED;
                let result = change(self);
                self.record.mark(Body::WATCHED);
                result
            }
        })
    }

    /// Takes the record of a watched span back, with the end that the record in its place was given; `false`
    /// if it is not there any more, because the span was given up, or is one of a process that this one was
    /// forked from.
    #[cold]
    pub(super) fn take_back(&mut self) -> bool {
        if !self.is_watched() {
            return true;
        }
        let Some(record) = watched::take(self.record.span_id()) else { return false };
        let stood_in = mem::replace(&mut self.record, record);
        self.close(stood_in.end());
        true
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
pub(super) struct FailureRecord {
    pub(super) kind: &'static str,
    pub(super) at: Ticks,
    /// `None` if texts are off.
    pub(super) texts: Option<Texts>,
}

impl Active {
    /// Records an error. Its end says nothing anew of what was said before.
    pub(super) fn fail(&mut self, failure: FailureRecord, by: By) {
        if self.is_watched() {
            return self.reach(|active| active.fail(failure, by));
        }
        let FailureRecord { kind, at, texts } = failure;
        let is_known = texts.as_ref().is_some_and(|texts| self.knows(kind, texts, by));
        if !matches!(by, By::Part(_)) {
            let description = texts.as_ref().and_then(|texts| texts.message.clone());
            self.set_failed(kind, description.unwrap_or_default().into(), by);
        }
        if let Some(texts) = texts {
            self.count_any(Cuts { texts: texts.n_cut, ..Cuts::NONE });
            if !is_known && let Some(room) = self.room_for_event() {
                let gathered = room.gather(texts.into_attributes(kind));
                self.add_event(Cow::Borrowed(failure::EVENT), at, gathered);
            }
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
