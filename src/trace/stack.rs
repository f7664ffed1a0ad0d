//! The spans that a thread is in.
//!
//! The stack has a frame for each span that was entered, recorded or not. A frame that is left while
//! others are above it becomes hollow, and goes when those above have gone; the context below it becomes
//! current only then. So guards may be dropped in any order, and a span never hands its place to an
//! ancestor that has ended. A guard that is leaked keeps its frame, and its context current, until a
//! thread's frames reach the limit.

use std::num::NonZeroU64;

use super::active::Active;
use crate::context::{self, Attached, Baggage, Bits, Context, Ids, SpanId, TraceId};

/// The most frames of a thread: arbitrary, far beyond honest nesting, and at 64 bytes and a record each a
/// bound for recursion with spans and for leaked guards. A span beyond is its scope's alone.
const MAX_FRAMES: usize = 4096;

pub(super) struct Stack {
    frames: Vec<Frame>, // Those beyond `len` are empty, and filled in place.
    len: usize,
}

/// A span, and what was current before it.
#[derive(Default)]
struct Frame {
    span: SpanId,
    bits: u32, // As `Bits` gives them, so that a frame fits a cache line.
    /// Whether `trace` was current before; if not, it is the same.
    has_trace: bool,
    /// Whether `attached` was attached before; if not, it is the same.
    has_attached: bool,
    /// Whether it has the span of the frame below, only with something else attached.
    is_transparent: bool,
    token: u64, // The guard's; HOLLOW once it is gone.
    active: Option<Active>,
    trace: TraceId,
    attached: Attached,
}

const _: () = assert!(size_of::<Frame>() == 64);

impl Frame {
    /// Makes another trace current, and keeps the one that was.
    #[inline(always)]
    fn enter_trace(&mut self, trace: TraceId) {
        self.has_trace = true;
        self.trace = context::replace_trace(trace);
    }

    /// Attaches something else, and keeps what was.
    #[inline(always)]
    fn attach(&mut self, attached: Attached) {
        if !attached.is_none() || context::has_attached() {
            self.has_attached = true;
            self.attached = attached;
            context::swap_attached(&mut self.attached);
        }
    }

    /// Makes current what was before.
    #[inline(always)]
    fn put_back(&mut self) {
        context::replace_span(self.span, Bits::from_u32(self.bits));
        if self.has_trace {
            self.has_trace = false;
            context::set_trace(self.trace);
        }
        if self.has_attached {
            self.detach();
        }
    }

    #[cold] // Not that it were rare: the way past it is to stay short.
    #[inline(never)]
    fn detach(&mut self) {
        self.has_attached = false;
        context::swap_attached(&mut self.attached);
        self.attached = Attached::NONE;
    }
}

const HOLLOW: u64 = 0;

/// A frame as its guard knows it. An optional place is two words in registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    depth: u32,        // With `RECORDED`, if the span is recorded.
    token: NonZeroU64, // Never HOLLOW.
}

const RECORDED: u32 = 1 << 31;

impl Place {
    #[inline(always)]
    fn new(depth: usize, is_recorded: bool, token: NonZeroU64) -> Self {
        Self { depth: depth as u32 | if is_recorded { RECORDED } else { 0 }, token }
    }

    #[inline(always)]
    fn depth(self) -> usize {
        (self.depth & !RECORDED) as usize
    }

    /// Whether the span that was entered is recorded.
    #[inline(always)]
    pub(super) fn is_recorded(self) -> bool {
        self.depth & RECORDED != 0
    }
}

/// What a span that leaves the stack was.
pub(super) enum Left {
    /// With the baggage that is current in it.
    Recorded(Active, Baggage),
    /// One that is not recorded: its own context, or the parent's where there is no tracer.
    Unrecorded(Context),
}

impl Left {
    fn new(active: Option<Active>, context: Context) -> Self {
        match active {
            Some(active) => Self::Recorded(active, context.into_parts().1),
            None => Self::Unrecorded(context),
        }
    }
}

impl Stack {
    pub(super) const EMPTY: Self = Self { frames: Vec::new(), len: 0 };

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len >= MAX_FRAMES
    }

    /// Whether it has no memory yet.
    #[inline]
    pub(super) fn is_new(&self) -> bool {
        self.frames.capacity() == 0
    }

    /// Makes a child of what is current current, with its record if there is one.
    #[inline(always)] // Where a span starts: what was just written is moved as little as may be.
    pub(super) fn push(&mut self, ids: Ids, active: Option<Active>) -> Place {
        let depth = self.len;
        if depth == self.frames.len() {
            self.grow();
        }
        // A parent that is none is carried too, and has a token all the same.
        let token = NonZeroU64::new(ids.span_id.to_u64()).unwrap_or(NonZeroU64::MIN);
        let frame = &mut self.frames[depth];
        let (span, bits) = context::replace_span(ids.span_id, ids.bits);
        (frame.span, frame.bits) = (span, bits.to_u32());
        frame.token = token.get();
        frame.is_transparent = false;
        let is_recorded = active.is_some();
        frame.active = active;
        self.len = depth + 1;
        Place::new(depth, is_recorded, token)
    }

    /// Makes a root current where nothing is attached.
    #[inline(always)]
    pub(super) fn push_root(&mut self, ids: Ids, active: Option<Active>) -> Place {
        let place = self.push(ids, active);
        self.frames[place.depth()].enter_trace(ids.trace_id);
        place
    }

    /// Makes `ids` current, which may be of another trace, with what is attached to them.
    #[inline(always)]
    pub(super) fn push_other(
        &mut self,
        ids: Ids,
        attached: Attached,
        active: Option<Active>,
    ) -> Place {
        let is_transparent = active.is_none() && ids == context::ids();
        let place = self.push(ids, active);
        let frame = &mut self.frames[self.len - 1];
        frame.is_transparent = is_transparent;
        frame.enter_trace(ids.trace_id);
        frame.attach(attached);
        place
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.frames.resize_with((2 * self.len).max(16), Frame::default);
    }

    /// The innermost span, if it is recorded.
    #[inline]
    pub(super) fn innermost(&self) -> Option<&Active> {
        let mut frame = self.top()?;
        if frame.is_transparent {
            frame = self.frames.get(self.depth_of_span()?)?;
        }
        frame.active.as_ref()
    }

    /// The depth of the frame whose span is the current one.
    fn depth_of_span(&self) -> Option<usize> {
        self.frames[..self.len].iter().rposition(|frame| !frame.is_transparent)
    }

    #[inline]
    fn top(&self) -> Option<&Frame> {
        self.frames.get(self.len.checked_sub(1)?)
    }

    pub(super) fn topmost(&self) -> Option<Place> {
        let depth = self.depth_of_span()?;
        let frame = &self.frames[depth];
        let token = NonZeroU64::new(frame.token)?;
        Some(Place::new(depth, frame.active.is_some(), token))
    }

    pub(super) fn record_at(&mut self, place: Place) -> Option<&mut Active> {
        let frame = self.frames.get_mut(place.depth())?;
        if frame.token == place.token.get() { frame.active.as_mut() } else { None }
    }

    pub(super) fn context_at(&self, place: Place) -> Context {
        let depth = place.depth();
        match self.frames.get(depth) {
            Some(frame) if frame.token == place.token.get() => {}
            _ => return Context::NONE,
        }
        let above = &self.frames[depth + 1..self.len];
        let mut ids = context::ids();
        if let Some(Frame { span, bits, .. }) = above.first() {
            (ids.span_id, ids.bits) = (*span, Bits::from_u32(*bits));
        }
        if let Some(frame) = above.iter().find(|frame| frame.has_trace) {
            ids.trace_id = frame.trace;
        }
        let attached = match above.iter().find(|frame| frame.has_attached) {
            Some(frame) => frame.attached.clone(),
            None => context::attached(),
        };
        attached.to(ids)
    }

    /// Takes a span off, still open.
    pub(super) fn leave(&mut self, place: Place) -> Option<Left> {
        if !self.is_topmost(place) {
            return self.hollow_out(place);
        }
        let (ids, attached) = (context::ids(), context::attached());
        Some(match self.pop() {
            Some(active) => Left::Recorded(active, attached.baggage),
            None => Left::Unrecorded(attached.to(ids)),
        })
    }

    /// Takes a span off that ends; its record.
    #[inline]
    pub(super) fn end(&mut self, place: Place) -> Option<Active> {
        if self.is_topmost(place) {
            return self.pop();
        }
        match self.hollow_out(place) {
            Some(Left::Recorded(active, _)) => Some(active),
            _ => None,
        }
    }

    #[inline]
    fn is_topmost(&self, place: Place) -> bool {
        place.depth() + 1 == self.len
            && self.top().is_some_and(|frame| frame.token == place.token.get())
    }

    /// Takes the topmost frame off, and the hollow ones below it; its record.
    #[inline]
    fn pop(&mut self) -> Option<Active> {
        let active = self.pop_frame();
        while self.top().is_some_and(|top| top.token == HOLLOW) {
            self.pop_frame();
        }
        active
    }

    /// Takes the topmost frame off, and makes current what was before it.
    #[inline]
    fn pop_frame(&mut self) -> Option<Active> {
        self.len = self.len.checked_sub(1)?;
        let frame = self.frames.get_mut(self.len)?;
        frame.put_back();
        frame.token = HOLLOW;
        frame.active.take()
    }

    /// Takes away a frame that is not the topmost.
    #[cold]
    fn hollow_out(&mut self, place: Place) -> Option<Left> {
        let context = self.context_at(place);
        let frame = self.frames.get_mut(place.depth())?;
        if frame.token != place.token.get() {
            return None;
        }
        frame.token = HOLLOW;
        Some(Left::new(frame.active.take(), context))
    }
}
