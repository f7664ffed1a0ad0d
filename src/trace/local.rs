//! The spans that this thread is in, and the buffer for those it has finished.
//!
//! One thread-local, `const` and without a destructor, so that spans work in every destructor and
//! exit hook. A second one with a destructor notes the end of the thread: it hands the buffer over
//! and frees the stack. After it, spans still work; each then goes to the sink by itself.
//!
//! A record is filled where it is, and moved as a pointer. Exported ones come back ([`spare`]), so that
//! none is allocated in the long run. Where no
//! span is recorded (no tracer, a muted thread) a frame only carries its parent's context on, and is
//! there only if somebody named a parent: what is current stays so by itself.
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
    sampler::Candidate,
    spare,
    stack::{Left, Place, Stack},
    start::{Ids, Seed, Start},
    tracer::{self, Buffer, Tracer},
};
use crate::{
    clock::{self, Ticks},
    context::{self, SpanContext},
};

thread_local! {
    static LOCAL: ManuallyDrop<RefCell<Local>> = const { ManuallyDrop::new(RefCell::new(Local {
        bound: None,
        own: None,
        is_deciding: false,
        stack: Stack::EMPTY,
        spare: Vec::new(),
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
    spare: Vec<SpanRecord>, // For the next spans, the hottest last.
    has_ended: bool,
}

/// This thread's tracer.
struct Bound {
    tracer: Arc<Tracer>,
    buffer: Option<Arc<Buffer>>, // None after the thread's end.
}

/// An end that found `LOCAL` borrowed.
enum Late {
    OnStack(Place, Ticks),
    Owned(Active, Ticks),
}

/// Starts a span and makes it current. Without a place, what was current still is.
///
/// The seed is lent: most of it is never looked at, and a copy of what was just written stalls.
#[inline]
pub(super) fn push_new(seed: &mut Seed) -> Option<Place> {
    let place = with_tracer(|cell, mut local| {
        if local.stack.is_full() {
            local.overflow();
            return None;
        }
        let current = context::current();
        let parent = seed.parent.as_ref().unwrap_or(&current);
        let ids = Ids::new(parent);
        let candidate = ids.candidate(parent, seed);
        let mut decision = local.bound.as_ref()?.tracer.decide(&candidate);
        if decision.is_none() {
            (local, decision) = ask(cell, local, &candidate)?;
        }
        let is_sampled = decision == Some(true);
        let start = Start::new(ids, parent, is_sampled);
        let local = &mut *local;
        let context = start.context.clone();
        let active = if start.is_sampled {
            // A child's reading may be some nanoseconds early, being another core's.
            let earliest = local.stack.innermost().map(|open| open.record.start());
            let record = local.record();
            Some(Active::start(record, &local.bound.as_ref()?.tracer, start, seed, earliest))
        } else {
            None
        };
        Some(local.stack.push(context, active))
    });
    if place.is_some() || seed.parent.is_none() { place } else { carry(seed) }
}

/// Makes the context of a parent current that nothing is recorded below.
#[cold]
#[inline(never)]
fn carry(seed: &mut Seed) -> Option<Place> {
    let parent = seed.parent.take()?;
    let changes = parent.is_valid() || context::current().is_valid();
    changes.then(|| push(Left::Unrecorded(parent)).ok()).flatten()
}

/// Starts a span without making it current.
pub(super) fn start(seed: &mut Seed) -> Option<Left> {
    let left = with_tracer(|cell, mut local| {
        let current = context::current();
        let parent = seed.parent.as_ref().unwrap_or(&current);
        let ids = Ids::new(parent);
        let candidate = ids.candidate(parent, seed);
        let mut decision = local.bound.as_ref()?.tracer.decide(&candidate);
        if decision.is_none() {
            (local, decision) = ask(cell, local, &candidate)?;
        }
        let is_sampled = decision == Some(true);
        let start = Start::new(ids, parent, is_sampled);
        let left = if start.is_sampled {
            let record = local.record();
            Left::Recorded(Active::start(record, &local.bound.as_ref()?.tracer, start, seed, None))
        } else {
            Left::Unrecorded(start.context)
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

/// Asks a sampler that is not ours, for which this thread's spans are free. It has the tracer
/// meanwhile, so that no count that threads share is touched.
#[cold] // Not that it were rare: the way past it is to stay short.
#[inline(never)]
fn ask<'a>(
    cell: &'a RefCell<Local>,
    mut local: RefMut<'a, Local>,
    candidate: &Candidate<'_>,
) -> Option<(RefMut<'a, Local>, Option<bool>)> {
    let bound = local.bound.take()?;
    local.is_deciding = true;
    drop(local);
    let is_sampled = bound.tracer.ask(candidate);
    let mut local = cell.try_borrow_mut().ok()?; // Nobody holds it across a call of a sampler.
    local.is_deciding = false;
    local.bound = Some(bound);
    Some((local, Some(is_sampled)))
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
            Left::Unrecorded(context) => local.stack.push(context, None),
            Left::Recorded(active) => {
                local.stack.push(active.record.context().clone(), Some(active))
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
    LOCAL.with(|cell| cell.try_borrow_mut().ok()?.stack.record_at(place).map(change))
}

/// The place of the span this thread is in.
pub(super) fn current_place() -> Option<Place> {
    LOCAL.with(|cell| cell.try_borrow().ok()?.stack.topmost())
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
    /// A record for a span that starts.
    #[inline]
    fn record(&mut self) -> SpanRecord {
        self.spare.pop().unwrap_or_else(|| self.more_records())
    }

    #[cold]
    #[inline(never)]
    fn more_records(&mut self) -> SpanRecord {
        if !self.has_ended
            && let Some(spare) = spare::take()
        {
            self.spare = spare;
        }
        self.spare.pop().unwrap_or_else(SpanRecord::empty)
    }

    /// Asks for a call at the end of the thread; if that is over, nothing is kept from now on.
    fn watch_end(&mut self) {
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
        self.spare = Vec::new();
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
fn file(local: RefMut<'_, Local>, mut active: Active, at: Option<Ticks>) {
    active.close(at.unwrap_or_else(clock::now));
    match &local.bound {
        Some(Bound { tracer, buffer: Some(buffer) }) if tracer.id == active.tracer() => {
            if buffer.push(active.record) || tracer.is_closed() {
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
        tracer.take_one(active.record);
    }
    drop(after);
}

/// Hands this thread's buffer over.
#[cold]
#[inline(never)]
fn hand_over(local: RefMut<'_, Local>) {
    if context::is_muted() {
        return; // A sink ends spans: it is not called within itself. They wait for the next time.
    }
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
