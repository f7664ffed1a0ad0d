//! The spans that this thread is in, and the buffer for those it has finished.
//!
//! One thread-local, `const` and without a destructor, so that spans work in every destructor and
//! exit hook. A second one with a destructor notes the end of the thread: it hands the buffer over
//! and frees the stack. After it, spans still work; each then goes to the sink by itself.
//!
//! A record is filled where it is, and moved as a pointer. Exported ones come back ([`Stock`]), so that
//! none is allocated in the long run. Where no span is recorded (no tracer, a muted thread) a frame only
//! carries its parent's context on, and is there only if somebody named a parent: what is current stays
//! so by itself.
//!
//! Everything here is borrowed only while code of this crate runs. Samplers and sinks are called
//! outside; only an allocator can start spans in that time, which are not recorded, or end some,
//! which end when the thread looks for its tracer next.

use std::{
    cell::{RefCell, RefMut},
    marker::PhantomData,
    mem::{self, ManuallyDrop},
    sync::Arc,
};

use super::{
    SpanRecord,
    active::Active,
    buffer::Buffer,
    sampler::Candidate,
    stack::{Left, Place, Stack},
    start::{Seed, Start},
    stock::Stock,
    tracer::{self, Tracer},
};
use crate::{
    clock::{self, Ticks},
    context::{self, Ids, SpanContext, TraceId},
    label::KeyValue,
};

thread_local! {
    static LOCAL: ManuallyDrop<RefCell<Local>> = const { ManuallyDrop::new(RefCell::new(Local {
        bound: None,
        own: None,
        is_deciding: false,
        stack: Stack::EMPTY,
        stock: Stock::EMPTY,
        has_ended: false,
    })) };
    // What ended while `LOCAL` was borrowed.
    static LATE: ManuallyDrop<RefCell<Vec<Late>>> =
        const { ManuallyDrop::new(RefCell::new(Vec::new())) };
    static END: End = const { End };
}

struct Local {
    bound: Option<Bound>, // Holds for the state of the tracers that this thread is tuned to.
    own: Option<Arc<Tracer>>, // The tracer that this thread entered; None is the process's.
    is_deciding: bool,    // While a sampler runs, which has `bound`.
    stack: Stack,
    stock: Stock,
    has_ended: bool,
}

/// This thread's tracer.
struct Bound {
    tracer: Arc<Tracer>,
    buffer: Option<Buffer>, // None after the thread's end.
}

/// An end that found `LOCAL` borrowed.
enum Late {
    OnStack(Place, Ticks),
    Owned(Active, Ticks),
}

/// Whether any tracer runs.
#[inline(always)]
pub(super) fn is_active() -> bool {
    tracer::active() != 0
}

/// Whether a span that is entered may change anything: whether a tracer runs, or a parent is to be
/// current.
#[inline(always)]
pub(super) fn may_start(seed: &Seed) -> bool {
    let carries = |parent: &SpanContext| parent.is_valid() || context::ids().is_valid();
    is_active() || seed.parent.as_ref().is_some_and(carries)
}

/// Starts a span and makes it current. Without a place, what was current still is.
///
/// The seed is lent: most of it is never looked at, and a copy of what was just written stalls.
#[inline]
pub(super) fn push_new(seed: &mut Seed) -> Option<Place> {
    let place = with_tracer(|cell, mut local| {
        let own = &mut *local;
        if own.stack.is_full() {
            own.overflow();
            return None;
        }
        // Most spans are children of the current one, and do as it does.
        if seed.parent.is_none() {
            let parent = context::ids();
            let tracer = &own.bound.as_ref()?.tracer;
            if parent.is_valid()
                && let Some(is_sampled) = tracer.foresees(&parent)
            {
                let start = Start::child(parent, is_sampled);
                if !is_sampled {
                    return Some(own.stack.push(start.ids, None));
                }
                // A child's reading may be some nanoseconds early, being another core's.
                let earliest = own.stack.innermost().map(|open| open.record.start());
                let (record, state) = (own.stock.take(), context::state());
                let active = Active::start(record, tracer, start, state, seed, earliest);
                return Some(own.stack.push(start.ids, Some(active)));
            }
        }
        push_any(cell, local, seed)
    });
    match (place, &seed.parent) {
        (None, Some(parent)) if parent.is_valid() || context::ids().is_valid() => carry(seed),
        _ => place,
    }
}

/// As [`push_new`], for a root, for a parent that is named, and for samplers that have to be asked.
#[inline(never)] // The way past it is to stay short.
fn push_any<'a>(
    cell: &'a RefCell<Local>,
    local: RefMut<'a, Local>,
    seed: &mut Seed,
) -> Option<Place> {
    let start = Start::below(seed.parent_ids());
    let state = seed.state(&start); // Before the sampler, which may leave the current span.
    let (mut local, start) = decide(cell, local, seed, start)?;
    let local = &mut *local;
    let active = if start.ids.flags().is_sampled() {
        let earliest = local.stack.innermost().map(|open| open.record.start());
        let record = local.stock.take();
        let tracer = &local.bound.as_ref()?.tracer;
        Some(Active::start(record, tracer, start, state.clone(), seed, earliest))
    } else {
        None
    };
    Some(local.stack.push_other(start.ids, state, active))
}

/// Room for the attributes of a builder.
#[cold] // Not that it were rare: builders without attributes are to stay short.
#[inline(never)]
pub(super) fn take_attributes() -> Vec<KeyValue> {
    LOCAL.with(|cell| {
        cell.try_borrow_mut().map(|mut local| local.stock.take_attributes()).unwrap_or_default()
    })
}

/// Keeps the room of a builder that has started its span, or none.
#[cold]
#[inline(never)]
pub(super) fn keep_attributes(attributes: Vec<KeyValue>) {
    LOCAL.with(|cell| match cell.try_borrow_mut() {
        Ok(mut local) if !local.has_ended => local.stock.keep_attributes(attributes),
        _ => {}
    });
}

/// Makes the context of a parent current that nothing is recorded below.
#[cold]
#[inline(never)]
fn carry(seed: &mut Seed) -> Option<Place> {
    push(Left::Unrecorded(seed.parent.take()?)).ok()
}

/// Starts a span without making it current.
pub(super) fn start(seed: &mut Seed) -> Option<Left> {
    let left = with_tracer(|cell, local| {
        let start = Start::below(seed.parent_ids());
        let state = seed.state(&start); // As in `push_any`.
        let (mut local, start) = decide(cell, local, seed, start)?;
        let left = if start.ids.flags().is_sampled() {
            let record = local.stock.take();
            let tracer = &local.bound.as_ref()?.tracer;
            Left::Recorded(Active::start(record, tracer, start, state, seed, None))
        } else {
            Left::Unrecorded(start.ids.with_state(state))
        };
        let after = local.release_after_end();
        drop(local);
        drop(after);
        Some(left)
    });
    left.or_else(|| {
        let parent = seed.parent.take();
        parent.or_else(current_valid).map(Left::Unrecorded)
    })
}

/// The current context to carry elsewhere, if there is one.
pub(super) fn current_valid() -> Option<SpanContext> {
    Some(context::current()).filter(SpanContext::is_valid)
}

/// The span that starts, and whether it is sampled.
#[inline(always)] // So that ids stay in registers.
fn decide<'a>(
    cell: &'a RefCell<Local>,
    mut local: RefMut<'a, Local>,
    seed: &Seed,
    start: Start,
) -> Option<(RefMut<'a, Local>, Start)> {
    let tracer = &local.bound.as_ref()?.tracer;
    let is_sampled = match tracer.foresees(&start.parent) {
        Some(is_sampled) => is_sampled,
        None => {
            let asked = Asked { trace_id: start.ids.trace_id, is_root: start.parent == Ids::NONE };
            match asked.decided(tracer, seed) {
                Some(is_sampled) => is_sampled,
                None => {
                    let is_sampled;
                    (local, is_sampled) = asked.ask(cell, local, seed)?;
                    is_sampled
                }
            }
        }
    };
    Some((local, start.decided(is_sampled)))
}

/// A span that a sampler is asked about.
#[derive(Clone, Copy)]
struct Asked {
    trace_id: TraceId,
    is_root: bool,
}

impl Asked {
    /// The decision of a sampler that can be asked at once.
    #[inline]
    fn decided(self, tracer: &Tracer, seed: &Seed) -> Option<bool> {
        self.with_candidate(seed, |candidate| tracer.decide(candidate))
    }

    /// The decision of a sampler that is not ours. It is asked with this thread's spans free; it has the
    /// tracer meanwhile, so that no count that threads share is touched.
    #[cold] // Not that it were rare: the way past it is to stay short.
    #[inline(never)]
    fn ask<'a>(
        self,
        cell: &'a RefCell<Local>,
        mut local: RefMut<'a, Local>,
        seed: &Seed,
    ) -> Option<(RefMut<'a, Local>, bool)> {
        let bound = local.bound.take()?;
        local.is_deciding = true;
        drop(local);
        let is_sampled = self.with_candidate(seed, |candidate| bound.tracer.ask(candidate));
        let mut local = cell.try_borrow_mut().ok()?; // Nobody holds it across a call of a sampler.
        local.is_deciding = false;
        local.bound = Some(bound);
        Some((local, is_sampled))
    }

    #[inline]
    fn with_candidate<R>(self, seed: &Seed, ask: impl FnOnce(&Candidate<'_>) -> R) -> R {
        let Self { trace_id, is_root } = self;
        let (name, kind, attributes) = (&seed.name, seed.kind, &*seed.attributes);
        match &seed.parent {
            _ if is_root => {
                ask(&Candidate { parent: &SpanContext::NONE, trace_id, name, kind, attributes })
            }
            Some(parent) => ask(&Candidate { parent, trace_id, name, kind, attributes }),
            None => {
                let parent = &context::current();
                ask(&Candidate { parent, trace_id, name, kind, attributes })
            }
        }
    }
}

/// Makes a started span current; gives it back if this thread's stack cannot take it.
pub(super) fn push(span: Left) -> Result<Place, Left> {
    LOCAL.with(|cell| {
        let Ok(mut local) = cell.try_borrow_mut() else { return Err(span) };
        if local.stack.is_full() {
            return Err(span);
        }
        if local.stack.is_new() {
            local.watch_end();
        }
        Ok(match span {
            Left::Unrecorded(context) => {
                local.stack.push_other(context.ids(), context.into_state(), None)
            }
            Left::Recorded(active) => {
                let context = active.record.context();
                let (ids, state) = (context.ids(), context.state().clone());
                local.stack.push_other(ids, state, Some(active))
            }
        })
    })
}

/// Takes a span off the stack, still open.
pub(super) fn leave(place: Place) -> Option<Left> {
    LOCAL.with(|cell| {
        let Ok(mut local) = cell.try_borrow_mut() else {
            end_late(Late::OnStack(place, clock::now()));
            return None;
        };
        let left = local.stack.leave(place);
        let after = local.release_after_end();
        drop(local);
        drop(after);
        left
    })
}

/// Ends a span on the stack.
#[inline]
pub(super) fn end(place: Place, at: Option<Ticks>) {
    LOCAL.with(|cell| {
        let Ok(mut local) = cell.try_borrow_mut() else {
            return end_late(Late::OnStack(place, at.unwrap_or_else(clock::now)));
        };
        match local.stack.end(place) {
            Some(active) => file(local, active, at),
            None => {
                let after = local.release_after_end();
                drop(local);
                drop(after);
            }
        }
    });
}

/// Ends a span that is on no stack.
#[inline]
pub(super) fn finish(active: Active, at: Option<Ticks>) {
    LOCAL.with(|cell| match cell.try_borrow_mut() {
        Ok(local) => file(local, active, at),
        Err(_) => end_late(Late::Owned(active, at.unwrap_or_else(clock::now))),
    });
}

/// Notes an end for the time when this thread's spans are free again.
#[cold]
fn end_late(end: Late) {
    LATE.with(|late| {
        // Borrowed only by an allocation in here; an end in that is one too many.
        let Ok(mut late) = late.try_borrow_mut() else { return };
        late.push(end);
        context::tune(0);
    });
}

/// Ends what ended while this thread's spans were borrowed.
#[cold]
fn settle_late() {
    let ends = LATE.with(|late| late.try_borrow_mut().map(|mut late| mem::take(&mut *late)));
    for late in ends.into_iter().flatten() {
        match late {
            Late::OnStack(place, at) => end(place, Some(at)),
            Late::Owned(active, at) => finish(active, Some(at)),
        }
    }
}

/// Calls `change` with the record of the span at `place`, if it has one.
pub(super) fn with_record<R>(place: Place, change: impl FnOnce(&mut Active) -> R) -> Option<R> {
    access(place, |record| record.map(change))
}

/// As [`with_record`]; without a record `change` is called too.
#[inline]
pub(super) fn access<R>(place: Place, change: impl FnOnce(Option<&mut Active>) -> R) -> R {
    LOCAL.with(|cell| match cell.try_borrow_mut() {
        Ok(mut local) => change(local.stack.record_at(place)),
        Err(_) => change(None),
    })
}

/// The place of the span this thread is in, if that is recorded.
pub(super) fn recorded_place() -> Option<Place> {
    LOCAL.with(|cell| cell.try_borrow().ok()?.stack.topmost()).filter(|place| place.is_recorded())
}

/// The context of the span at `place`.
pub(super) fn context_at(place: Place) -> SpanContext {
    LOCAL.with(|cell| {
        cell.try_borrow().map_or(SpanContext::NONE, |local| local.stack.context_at(place))
    })
}

/// Makes `tracer` that of this thread until the guard is dropped; `None` is the process's.
///
/// For scopes of tests. Guards must be dropped in the reverse order of their making.
#[must_use = "the tracer is left when this is dropped"]
pub fn enter(tracer: Option<Arc<Tracer>>) -> Entered {
    let is_counted = tracer.is_some();
    if is_counted {
        tracer::count_entered(1);
    }
    Entered { previous: replace_own(tracer), is_counted, not_send: PhantomData }
}

/// The tracer of this thread until it is dropped.
///
/// Made by [`enter`].
#[derive(Debug)]
pub struct Entered {
    previous: Option<Arc<Tracer>>,
    is_counted: bool,
    not_send: PhantomData<*const ()>, // It puts back what this thread had.
}

fn replace_own(tracer: Option<Arc<Tracer>>) -> Option<Arc<Tracer>> {
    context::tune(0);
    LOCAL.with(|cell| mem::replace(&mut cell.try_borrow_mut().ok()?.own, tracer))
}

impl Drop for Entered {
    fn drop(&mut self) {
        replace_own(self.previous.take());
        if self.is_counted {
            tracer::count_entered(-1);
        }
    }
}

/// Calls `record` if this thread may have a tracer.
#[inline]
fn with_tracer<R>(
    record: impl for<'a> FnOnce(&'a RefCell<Local>, RefMut<'a, Local>) -> Option<R>,
) -> Option<R> {
    let active = tracer::active();
    if active == 0 {
        return None;
    }
    LOCAL.with(|cell| {
        if context::tuned() != active && !bind(cell, active) {
            return None;
        }
        record(cell, cell.try_borrow_mut().ok()?)
    })
}

/// Finds this thread's tracer anew, and its buffer there; `false` if the thread is to have none.
#[cold]
#[inline(never)]
fn bind(cell: &RefCell<Local>, active: u64) -> bool {
    settle_late();
    let Ok(mut local) = cell.try_borrow_mut() else { return false };
    if context::is_muted() || local.is_deciding {
        return false;
    }
    local.watch_end();
    let tracer = local.own.clone().or_else(tracer::installed);
    let is_same = |bound: &Bound| tracer.as_ref().is_some_and(|new| new.id == bound.tracer.id);
    let mut before = None;
    if !local.bound.as_ref().is_some_and(is_same) {
        let buffer = |tracer: &Arc<Tracer>| (!local.has_ended).then(|| tracer.add_thread());
        let bound = tracer.map(|tracer| Bound { buffer: buffer(&tracer), tracer });
        before = mem::replace(&mut local.bound, bound);
    }
    if !local.has_ended {
        context::tune(active);
    }
    drop(local); // The last owner of a tracer runs code of its sink.
    if let Some(before) = before {
        before.retire();
    }
    true
}

impl Local {
    /// Asks for a call at the end of the thread; if that is over, nothing is kept from now on.
    fn watch_end(&mut self) {
        self.stock.number();
        self.has_ended |= END.try_with(|_| ()).is_err();
    }

    /// After the thread's end nobody comes to free what is left here. The tracer that it had is to be
    /// dropped when this is not borrowed: its last owner runs code of its sink.
    #[inline]
    fn release_after_end(&mut self) -> Option<Bound> {
        if !self.has_ended || !self.stack.is_empty() {
            return None;
        }
        self.stack = Stack::EMPTY;
        self.stock.give_back();
        self.bound.take()
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
fn file(mut local: RefMut<'_, Local>, mut active: Active, at: Option<Ticks>) {
    active.close(at.unwrap_or_else(clock::now));
    match &mut local.bound {
        Some(Bound { tracer, buffer: Some(buffer) }) if tracer.id == active.tracer() => {
            if buffer.is_inherited() {
                tracer.replace_thread(buffer);
            }
            if active.has_cuts() {
                tracer.count_cuts(&active.record);
            }
            let must_hand_over = match buffer.push(active.record) {
                Ok(is_full) => is_full || tracer.is_closed(),
                Err(span) => {
                    tracer.take_later(span);
                    true
                }
            };
            if must_hand_over {
                hand_over(local);
            }
        }
        _ => file_elsewhere(local, active),
    }
}

/// Files the record of a span of another tracer than this thread's, or of a thread at its end.
#[cold]
#[inline(never)]
fn file_elsewhere(mut local: RefMut<'_, Local>, active: Active) {
    let after = local.release_after_end();
    drop(local);
    if let Some(tracer) = tracer::find(active.tracer()) {
        if active.has_cuts() {
            tracer.count_cuts(&active.record);
        }
        tracer.take_one(active.record);
    }
    drop(after);
}

/// Hands this thread's buffer over.
#[cold]
#[inline(never)]
fn hand_over(mut local: RefMut<'_, Local>) {
    if context::is_muted() {
        return; // A sink ends spans: it is not called within itself. They wait for the next time.
    }
    let Some(Bound { tracer, buffer: Some(buffer) }) = &local.bound else { return };
    let (tracer, shared) = (Arc::clone(tracer), Arc::clone(buffer.shared()));
    let take = |batch: &mut Vec<SpanRecord>| {
        if let Some(Bound { buffer: Some(buffer), .. }) = &mut local.bound {
            buffer.take(batch);
        }
        drop(local); // A sink must find the thread's spans free.
    };
    shared.hand_over(take, |batch| tracer.hand_over(batch));
}

impl Bound {
    fn retire(self) {
        if let Some(buffer) = self.buffer {
            self.tracer.remove_thread(buffer);
        }
    }
}

/// Notes the end of its thread.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        settle_late();
        LOCAL.with(|cell| {
            let Ok(mut local) = cell.try_borrow_mut() else { return };
            local.has_ended = true;
            context::tune(0);
            let (bound, own) = (local.bound.take(), local.own.take());
            local.release_after_end();
            drop(local);
            drop(own);
            if let Some(bound) = bound {
                bound.retire();
            }
        });
    }
}
