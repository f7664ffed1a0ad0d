//! The spans that a thread is in.
//!
//! The stack has a frame for each span that was entered, recorded or not. A frame that is left while others are above it becomes hollow, and goes when those above
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
}

struct Frame {
    previous: SpanContext, // What was current before.
    token: u64,            // The guard's; HOLLOW once it is gone.
    active: Option<Active>,
}

const HOLLOW: u64 = 0;

/// A frame as its guard knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    depth: u32,
    token: u64, // Never HOLLOW.
}

/// What a span that leaves the stack was.
pub(super) enum Left {
    Recorded(Active),
    /// One that is not recorded: its own context, or the parent's where there is no tracer.
    Unrecorded(SpanContext),
}

impl Stack {
    pub(super) const EMPTY: Self = Self { frames: Vec::new() };

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
    pub(super) fn push(&mut self, mut context: SpanContext, active: Option<Active>) -> Place {
        let depth = self.frames.len() as u32;
        // A parent that is none is carried too, and has a token all the same.
        let token = context.span_id().to_u64().max(HOLLOW + 1);
        context::swap(&mut context);
        self.frames.push(Frame { previous: context, token, active });
        Place { depth, token }
    }

    /// The innermost span, if it is recorded.
    #[inline]
    pub(super) fn innermost(&self) -> Option<&Active> {
        self.frames.last()?.active.as_ref()
    }

    pub(super) fn topmost(&self) -> Option<Place> {
        let depth = self.frames.len().checked_sub(1)?;
        Some(Place { depth: depth as u32, token: self.frames[depth].token })
    }

    pub(super) fn record_at(&mut self, place: Place) -> Option<&mut Active> {
        let frame = self.frames.get_mut(place.depth as usize)?;
        if frame.token == place.token { frame.active.as_mut() } else { None }
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
    pub(super) fn end(&mut self, place: Place) -> Option<Active> {
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
    fn pop(&mut self) -> Option<Active> {
        let active = self.pop_frame();
        while self.frames.last().is_some_and(|top| top.token == HOLLOW) {
            self.pop_frame();
        }
        active
    }

    /// Takes the topmost frame off, and makes current what was before it.
    #[inline]
    fn pop_frame(&mut self) -> Option<Active> {
        let top = self.frames.last_mut()?;
        context::swap(&mut top.previous);
        let active = top.active.take();
        self.frames.truncate(self.frames.len() - 1); // Not `pop`, which would move what was swapped.
        active
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
        let left = frame.active.take().map_or(Left::Unrecorded(context), Left::Recorded);
        Some(left)
    }
}
