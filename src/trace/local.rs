//! The spans that this thread is in, and the buffer for those it has finished.
//!
//! One thread-local, `const` and without a destructor, so that spans work in every destructor and
//! exit hook. A second one with a destructor notes the end of the thread: it hands the buffer over
//! and frees the stack. After it, spans still work; each then goes to the sink by itself.
//!
//! The stack is two vectors: a frame for each span that was entered, recorded or not, and the record
//! of each recorded one. Records are boxes, so that entering, leaving and moving a span moves a
//! pointer; a span that ends leaves its box to the next one, so that none is allocated. A frame that is left while others are above it becomes hollow, and goes
//! when those above have gone; the context below it becomes current only then. So guards may be
//! dropped in any order, and a span never hands its place to an ancestor that has ended. A guard
//! that is leaked keeps its frame, and its context current, until a thread's frames reach the limit.
//!
//! Everything here is borrowed only while code of this crate runs, except for samplers; what a
//! sampler or an allocator does with spans in that time is not recorded.

use std::{
    cell::{RefCell, RefMut},
    marker::PhantomData,
    mem::{self, ManuallyDrop},
    sync::Arc,
};

use super::{
    SpanBuilder,
    active::Active,
    sampler::{Candidate, Decision},
    tracer::{self, Buffer, Tracer},
};
use crate::{
    clock::{self, Ticks},
    context::{self, SpanContext, SpanId, TraceFlags, TraceId},
    util::random,
};

/// The most frames of a thread: arbitrary, far beyond honest nesting, and at 250 bytes each a bound
/// for recursion with spans and for leaked guards.
const MAX_FRAMES: usize = 4096;

/// The most boxes that a thread keeps for its next spans: arbitrary, more than are open at once in
/// ordinary nesting.
const MAX_SPARE: usize = 64;

thread_local! {
    static LOCAL: ManuallyDrop<RefCell<Local>> = const { ManuallyDrop::new(RefCell::new(Local {
        seen: 0,
        bound: None,
        choice: Choice::Process,
        frames: Vec::new(),
        records: Vec::new(),
        spare: Vec::new(),
        has_ended: false,
    })) };
    static END: End = const { End };
}

struct Local {
    seen: u64, // The value of `ACTIVE` for which `bound` holds; 0 is none.
    bound: Option<Bound>,
    choice: Choice,
    frames: Vec<Frame>,
    records: Vec<Option<Box<Active>>>, // Of the frames with a record, in their order.
    #[expect(clippy::vec_box, reason = "the boxes go to spans and come back")]
    spare: Vec<Box<Active>>, // Empty ones, the hottest last.
    has_ended: bool,
}

/// This thread's tracer.
struct Bound {
    tracer: Arc<Tracer>,
    buffer: Option<Arc<Buffer>>, // None after the thread's end.
}

/// Which tracer this thread wants.
enum Choice {
    Process,
    Own(Arc<Tracer>),
    Nobody,
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
    Unsampled(SpanContext),
}

/// Starts a span and makes it current.
///
/// The builder is lent: most of it is never looked at, and a copy of what was just written stalls.
#[inline]
pub(super) fn push_new(builder: &mut SpanBuilder) -> Option<Place> {
    with_tracer(|local| {
        if local.frames.len() >= MAX_FRAMES {
            local.overflow();
            return None;
        }
        let depth = local.frames.len();
        let tracer = &local.bound.as_ref()?.tracer;
        let current = context::current();
        let start = Start::new(tracer, builder.parent.as_ref().unwrap_or(&current), builder);
        let token = start.context.span_id().to_u64();
        let mut record = NO_RECORD;
        let mut context = start.context.clone();
        if start.is_sampled {
            // A child's reading may be some nanoseconds early, being another core's.
            let open = local.records.last().and_then(Option::as_ref);
            let earliest = open.map(|open| open.record.start);
            let mut active = local.spare.pop().unwrap_or_default();
            active.start(tracer, start, builder, earliest);
            record = local.records.len() as u32;
            local.records.push(Some(active));
        }
        context::swap(&mut context);
        local.frames.push(Frame { previous: context, token, record });
        Some(Place { depth: depth as u32, token })
    })
}

/// Starts a span without making it current.
pub(super) fn start(builder: &mut SpanBuilder) -> Option<Left> {
    with_tracer(|local| {
        let tracer = &local.bound.as_ref()?.tracer;
        let current = context::current();
        let start = Start::new(tracer, builder.parent.as_ref().unwrap_or(&current), builder);
        let left = if start.is_sampled {
            let mut active = local.spare.pop().unwrap_or_default();
            active.start(tracer, start, builder, None);
            Left::Recorded(active)
        } else {
            Left::Unsampled(start.context)
        };
        local.release_after_end();
        Some(left)
    })
}

/// Makes a started span current; gives it back if this thread's stack cannot take it.
pub(super) fn push(span: Left) -> Result<Place, Left> {
    LOCAL.with(|cell| {
        let Ok(mut local) = cell.try_borrow_mut() else { return Err(span) };
        if local.frames.len() >= MAX_FRAMES {
            return Err(span);
        }
        if local.frames.capacity() == 0 {
            local.watch_end();
        }
        let depth = local.frames.len() as u32;
        let (mut context, record) = match span {
            Left::Unsampled(context) => (context, NO_RECORD),
            Left::Recorded(active) => {
                let context = active.record.context.clone();
                local.records.push(Some(active));
                (context, (local.records.len() - 1) as u32)
            }
        };
        let token = context.span_id().to_u64();
        context::swap(&mut context);
        local.frames.push(Frame { previous: context, token, record });
        Ok(Place { depth, token })
    })
}

/// Takes a span off the stack, still open.
pub(super) fn leave(place: Place) -> Option<Left> {
    LOCAL.with(|cell| {
        let mut local = cell.try_borrow_mut().ok()?;
        let left = local.remove(place);
        local.release_after_end();
        left
    })
}

/// Ends a span on the stack.
#[inline]
pub(super) fn end(place: Place, at: Option<Ticks>) {
    LOCAL.with(|cell| {
        let Ok(mut local) = cell.try_borrow_mut() else { return };
        let active = if local.is_topmost(place) {
            local.pop()
        } else if let Some(Left::Recorded(active)) = local.hollow_out(place) {
            Some(active)
        } else {
            None
        };
        match active {
            Some(active) => file(local, active, at),
            None => local.release_after_end(),
        }
    });
}

/// Ends a span that is on no stack.
#[inline]
pub(super) fn finish(active: Box<Active>, at: Option<Ticks>) {
    LOCAL.with(|cell| match cell.try_borrow_mut() {
        Ok(local) => file(local, active, at),
        Err(_) => {
            if let Some(tracer) = tracer::find(active.tracer) {
                tracer.lose(1);
            }
        }
    });
}

/// Calls `change` with the record of the span at `place`, if it has one.
pub(super) fn with_record<R>(place: Place, change: impl FnOnce(&mut Active) -> R) -> Option<R> {
    LOCAL.with(|cell| {
        let mut local = cell.try_borrow_mut().ok()?;
        let frame = local.frames.get(place.depth as usize)?;
        let record = (frame.token == place.token).then_some(frame.record)?;
        local.records.get_mut(record as usize)?.as_deref_mut().map(change)
    })
}

/// Calls `change` with the record of the span this thread is in, if it has one.
pub(super) fn with_current<R>(change: impl FnOnce(&mut Active) -> R) -> Option<R> {
    LOCAL.with(|cell| {
        let mut local = cell.try_borrow_mut().ok()?;
        let record = local.frames.last()?.record;
        local.records.get_mut(record as usize)?.as_deref_mut().map(change)
    })
}

/// The context of the span at `place`.
pub(super) fn context_at(place: Place) -> SpanContext {
    LOCAL.with(|cell| {
        let Ok(local) = cell.try_borrow() else { return SpanContext::NONE };
        local.context_at(place)
    })
}

/// The tracer of this thread until it is dropped.
///
/// Made by [`enter`](super::enter).
#[derive(Debug)]
pub struct Entered {
    previous: Choice,
    is_counted: bool,
    not_send: PhantomData<*const ()>, // It puts back what this thread had.
}

pub(super) fn enter(tracer: Option<Arc<Tracer>>) -> Entered {
    choose(tracer.map_or(Choice::Process, Choice::Own))
}

/// Leaves this thread without a tracer until the guard is dropped.
pub(super) fn mute() -> Entered {
    choose(Choice::Nobody)
}

fn choose(choice: Choice) -> Entered {
    let is_counted = matches!(choice, Choice::Own(_));
    if is_counted {
        tracer::count_entered(1);
    }
    Entered { previous: replace_choice(choice), is_counted, not_send: PhantomData }
}

fn replace_choice(choice: Choice) -> Choice {
    LOCAL.with(|cell| match cell.try_borrow_mut() {
        Ok(mut local) => {
            local.seen = 0;
            mem::replace(&mut local.choice, choice)
        }
        // Within a sampler nothing is recorded anyway.
        Err(_) => Choice::Nobody,
    })
}

impl Drop for Entered {
    fn drop(&mut self) {
        replace_choice(mem::replace(&mut self.previous, Choice::Nobody));
        if self.is_counted {
            tracer::count_entered(-1);
        }
    }
}

/// Calls `record` if this thread has a tracer.
#[inline]
fn with_tracer<R>(record: impl FnOnce(&mut Local) -> Option<R>) -> Option<R> {
    let active = tracer::active();
    if active == 0 {
        return None;
    }
    LOCAL.with(|cell| {
        let mut local = cell.try_borrow_mut().ok()?;
        if local.seen != active {
            drop(local);
            bind(cell, active);
            local = cell.try_borrow_mut().ok()?;
        }
        record(&mut local)
    })
}

/// Finds this thread's tracer anew, and its buffer there.
#[cold]
#[inline(never)]
fn bind(cell: &RefCell<Local>, active: u64) {
    let Ok(mut local) = cell.try_borrow_mut() else { return };
    local.watch_end();
    let tracer = match &local.choice {
        Choice::Process => tracer::installed(),
        Choice::Own(tracer) => Some(Arc::clone(tracer)),
        Choice::Nobody => None,
    };
    let is_same = |bound: &Bound| tracer.as_ref().is_some_and(|new| new.id == bound.tracer.id);
    let mut before = None;
    if !local.bound.as_ref().is_some_and(is_same) {
        let buffer = |tracer: &Arc<Tracer>| (!local.has_ended).then(|| tracer.add_thread());
        let bound = tracer.map(|tracer| Bound { buffer: buffer(&tracer), tracer });
        before = mem::replace(&mut local.bound, bound);
    }
    if !local.has_ended {
        local.seen = active;
    }
    drop(local); // The last owner of a tracer runs code of its sink.
    if let Some(before) = before {
        before.retire();
    }
}

impl Local {
    /// Asks for a call at the end of the thread; if that is over, nothing is kept from now on.
    fn watch_end(&mut self) {
        self.has_ended |= END.try_with(|_| ()).is_err();
    }

    /// After the thread's end nobody comes to free what is left here.
    #[inline]
    fn release_after_end(&mut self) {
        if self.has_ended && self.frames.is_empty() {
            self.bound = None;
            self.frames = Vec::new();
            self.records = Vec::new();
            self.spare = Vec::new();
        }
    }

    #[inline]
    fn is_topmost(&self, place: Place) -> bool {
        place.depth as usize + 1 == self.frames.len()
            && self.frames.last().is_some_and(|frame| frame.token == place.token)
    }

    fn remove(&mut self, place: Place) -> Option<Left> {
        if !self.is_topmost(place) {
            return self.hollow_out(place);
        }
        let context = context::current();
        Some(self.pop().map_or(Left::Unsampled(context), Left::Recorded))
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
            None => Some(Left::Unsampled(context)),
        }
    }

    fn context_at(&self, place: Place) -> SpanContext {
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

    #[cold]
    fn overflow(&self) {
        if let Some(bound) = &self.bound {
            bound.tracer.lose(1);
        }
    }
}

/// Puts the record of a span that ends now, or ended at `at`, where it belongs.
///
/// Consumes the borrow: a sink must find the thread's spans free.
#[inline]
fn file(mut local: RefMut<'_, Local>, mut active: Box<Active>, at: Option<Ticks>) {
    active.close(at.unwrap_or_else(clock::now));
    match &local.bound {
        Some(Bound { tracer, buffer: Some(buffer) }) if tracer.id == active.tracer => {
            let must_hand_over = buffer.push(&mut active.record) || tracer.is_closed();
            if local.spare.len() < MAX_SPARE {
                local.spare.push(active);
            }
            if must_hand_over {
                hand_over(local);
            }
        }
        _ => file_elsewhere(local, &mut active),
    }
}

/// Files the record of a span of another tracer than this thread's, or of a thread at its end.
#[cold]
#[inline(never)]
fn file_elsewhere(mut local: RefMut<'_, Local>, active: &mut Active) {
    local.release_after_end();
    drop(local);
    if let Some(tracer) = tracer::find(active.tracer) {
        tracer.take_one(active.record.take());
    }
}

/// Hands this thread's buffer over.
#[cold]
#[inline(never)]
fn hand_over(local: RefMut<'_, Local>) {
    if let Some(Bound { tracer, buffer: Some(buffer) }) = &local.bound {
        let (tracer, buffer) = (Arc::clone(tracer), Arc::clone(buffer));
        drop(local); // A sink must find the thread's spans free.
        tracer.take_full(&buffer);
    }
}

impl Bound {
    fn retire(self) {
        if let Some(buffer) = &self.buffer {
            self.tracer.remove_thread(buffer);
        }
    }
}

/// Notes the end of its thread.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        LOCAL.with(|cell| {
            let Ok(mut local) = cell.try_borrow_mut() else { return };
            local.has_ended = true;
            local.seen = 0;
            let bound = local.bound.take();
            let choice = mem::replace(&mut local.choice, Choice::Process);
            if local.frames.is_empty() {
                local.release_after_end();
            }
            drop(local);
            drop(choice);
            if let Some(bound) = bound {
                bound.retire();
            }
        });
    }
}

impl std::fmt::Debug for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Process => "Process",
            Self::Own(_) => "Own",
            Self::Nobody => "Nobody",
        })
    }
}

/// A span about to start: its context and what was decided about it.
pub(super) struct Start {
    pub(super) context: SpanContext,
    pub(super) parent: SpanId,
    pub(super) parent_is_remote: bool,
    is_sampled: bool,
}

impl Start {
    #[inline(always)] // Built where it goes: a copy right after stalls on the stores (bench span).
    fn new(tracer: &Tracer, parent: &SpanContext, builder: &SpanBuilder) -> Self {
        let is_root = !parent.is_valid();
        let (trace_id, span_id, random) = if is_root {
            let [high, low, span] = random::numbers();
            let trace_id = TraceId::from_halves(high, low);
            // Zeros come once in 2^64 spans.
            let trace_id = if trace_id.is_valid() { trace_id } else { TraceId::random() };
            (trace_id, SpanId::from_u64(span), TraceFlags::RANDOM.to_u8())
        } else {
            let [span] = random::numbers();
            let random = parent.flags().to_u8() & TraceFlags::RANDOM.to_u8();
            (parent.trace_id(), SpanId::from_u64(span), random)
        };
        let span_id = if span_id.is_valid() { span_id } else { SpanId::random() };
        let none = &SpanContext::NONE;
        let candidate = Candidate {
            parent: if is_root { none } else { parent },
            trace_id,
            name: &builder.name,
            kind: builder.kind,
        };
        let is_sampled = tracer.sampler.sample(&candidate) == Decision::RecordAndSample;
        let flags = TraceFlags::from_u8(random).with_sampled(is_sampled);
        let state = if is_root { Default::default() } else { parent.state().clone() };
        Self {
            context: SpanContext::new(trace_id, span_id, flags, state),
            parent: if is_root { SpanId::INVALID } else { parent.span_id() },
            parent_is_remote: !is_root && parent.is_remote(),
            is_sampled,
        }
    }
}
