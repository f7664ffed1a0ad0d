//! The spans that a thread is in.
//!
//! The stack is two vectors: a frame for each span that was entered, recorded or not, and the record
//! of each recorded one. Records are boxes, so that entering, leaving and moving a span moves a
//! pointer. A frame that is left while others are above it becomes hollow, and goes when those above
//! have gone; the context below it becomes current only then. So guards may be dropped in any order,
//! and a span never hands its place to an ancestor that has ended. A guard that is leaked keeps its
//! frame, and its context current, until a thread's frames reach the limit.

use super::active::Active;
use crate::context::{self, SpanContext};

/// The most frames of a thread: arbitrary, far beyond honest nesting, and at 250 bytes each a bound
/// for recursion with spans and for leaked guards.
const MAX_FRAMES: usize = 4096;

pub(super) struct Stack {
    frames: Vec<Frame>,
    records: Vec<Option<Box<Active>>>, // Of the frames with a record, in their order.
}

struct Frame {
    previous: SpanContext, // What was current before.
    token: u64,            // The guard's; HOLLOW once it is gone.
    record: u32,           // The place in `records`, or NO_RECORD.
}

const HOLLOW: u64 = 0;
const NO_RECORD: u32 = u32::MAX;

/// A frame as its guard knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    depth: u32,
    token: u64, // Never HOLLOW.
}

/// What a span that leaves the stack was.
pub(super) enum Left {
    Recorded(Box<Active>),
    /// One that is not recorded: its own context, or the parent's where there is no tracer.
    Unrecorded(SpanContext),
}

impl Stack {
    pub(super) const EMPTY: Self = Self { frames: Vec::new(), records: Vec::new() };

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.frames.len() >= MAX_FRAMES
    }

    /// Whether it has no memory yet.
    #[inline]
    pub(super) fn is_new(&self) -> bool {
        self.frames.capacity() == 0
    }

    /// Makes `context` current, with the record of its span if there is one.
    #[inline(always)] // Where a span starts: what was just written is moved as little as may be.
    pub(super) fn push(&mut self, mut context: SpanContext, active: Option<Box<Active>>) -> Place {
        let depth = self.frames.len() as u32;
        // A parent that is none is carried too, and has a token all the same.
        let token = context.span_id().to_u64().max(HOLLOW + 1);
        let mut record = NO_RECORD;
        if active.is_some() {
            record = self.records.len() as u32;
            self.records.push(active);
        }
        context::swap(&mut context);
        self.frames.push(Frame { previous: context, token, record });
        Place { depth, token }
    }

    /// The record that was begun last, if its span is open.
    #[inline]
    pub(super) fn innermost(&self) -> Option<&Active> {
        self.records.last()?.as_deref()
    }

    pub(super) fn topmost(&self) -> Option<Place> {
        let depth = self.frames.len().checked_sub(1)?;
        Some(Place { depth: depth as u32, token: self.frames[depth].token })
    }

    pub(super) fn record_at(&mut self, place: Place) -> Option<&mut Active> {
        let frame = self.frames.get(place.depth as usize)?;
        let record = (frame.token == place.token).then_some(frame.record)?;
        self.records.get_mut(record as usize)?.as_deref_mut()
    }

    pub(super) fn context_at(&self, place: Place) -> SpanContext {
        let depth = place.depth as usize;
        match self.frames.get(depth) {
            Some(frame) if frame.token == place.token => {}
            _ => return SpanContext::NONE,
        }
        match self.frames.get(depth + 1) {
            Some(above) => above.previous.clone(),
            None => context::current(),
        }
    }

    /// Takes a span off, still open.
    pub(super) fn leave(&mut self, place: Place) -> Option<Left> {
        if !self.is_topmost(place) {
            return self.hollow_out(place);
        }
        let context = context::current();
        Some(self.pop().map_or(Left::Unrecorded(context), Left::Recorded))
    }

    /// Takes a span off that ends; its record.
    #[inline]
    pub(super) fn end(&mut self, place: Place) -> Option<Box<Active>> {
        if self.is_topmost(place) {
            return self.pop();
        }
        match self.hollow_out(place) {
            Some(Left::Recorded(active)) => Some(active),
            _ => None,
        }
    }

    #[inline]
    fn is_topmost(&self, place: Place) -> bool {
        place.depth as usize + 1 == self.frames.len()
            && self.frames.last().is_some_and(|frame| frame.token == place.token)
    }

    /// Takes the topmost frame off, and the hollow ones below it; its record.
    #[inline]
    fn pop(&mut self) -> Option<Box<Active>> {
        let active = self.pop_frame();
        while self.frames.last().is_some_and(|top| top.token == HOLLOW) {
            self.pop_frame();
        }
        active
    }

    /// Takes the topmost frame off, and makes current what was before it.
    #[inline]
    fn pop_frame(&mut self) -> Option<Box<Active>> {
        let top = self.frames.last_mut()?;
        context::swap(&mut top.previous);
        let record = top.record;
        self.frames.truncate(self.frames.len() - 1); // Not `pop`, which would move what was swapped.
        if record == NO_RECORD { None } else { self.records.pop().flatten() }
    }

    /// Takes away a frame that is not the topmost.
    #[cold]
    fn hollow_out(&mut self, place: Place) -> Option<Left> {
        let context = self.context_at(place);
        let frame = self.frames.get_mut(place.depth as usize)?;
        if frame.token != place.token {
            return None;
        }
        frame.token = HOLLOW;
        match self.records.get_mut(frame.record as usize) {
            Some(record) => record.take().map(Left::Recorded),
            None => Some(Left::Unrecorded(context)),
        }
    }
}
