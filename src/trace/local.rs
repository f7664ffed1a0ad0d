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
//! Everything here is borrowed only while code of this crate runs. Samplers (`start.rs`) and sinks are
//! called outside; only an allocator can start spans in that time, which are not recorded, or end some,
//! which end when the thread looks for its tracer next.

use std::{
    borrow::Cow,
    cell::{RefCell, RefMut},
    marker::PhantomData,
    mem::{self, ManuallyDrop},
    sync::Arc,
};

use super::{
    SpanRecord,
    active::Active,
    buffer::Buffer,
    failure::ErrorTexts,
    head::Head,
    plain::Plain,
    stack::{Left, Place, Stack},
    stock::Stock,
    tracer::{self, Tracer},
};
use crate::{
    clock::{self, Ticks},
    context::{self, Attached, Context},
    label::KeyValue,
};

thread_local! {
    static LOCAL: ManuallyDrop<RefCell<Local>> = const { ManuallyDrop::new(RefCell::new(Local {
        bound: None,
        own: None,
        is_deciding: false,
        stack: Stack::EMPTY,
        apart: None,
        stock: Stock::EMPTY,
        has_ended: false,
    })) };
    // What ended while `LOCAL` was borrowed.
    static LATE: ManuallyDrop<RefCell<Vec<Late>>> =
        const { ManuallyDrop::new(RefCell::new(Vec::new())) };
    static END: End = const { End };
}

pub(super) struct Local {
    /// Holds for the state of the tracers that this thread is tuned to.
    pub(super) bound: Option<Bound>,
    own: Option<Arc<Tracer>>, // The tracer that this thread entered; None is the process's.
    /// While a sampler runs, which has `bound`.
    pub(super) is_deciding: bool,
    pub(super) stack: Stack,
    /// A span for which there was no frame, until its scope takes it.
    pub(super) apart: Option<Left>,
    pub(super) stock: Stock,
    has_ended: bool,
}

/// This thread's tracer.
pub(super) struct Bound {
    pub(super) tracer: Arc<Tracer>,
    pub(super) head: Arc<Head>,
    buffer: Option<Buffer>, // None after the thread's end.
}

impl Bound {
    /// Counts a recorded span that starts on this thread; `false` if too many are open, so that it is
    /// lost.
    #[inline(always)]
    pub(super) fn count_start(&self) -> bool {
        match &self.buffer {
            Some(buffer) => buffer.count_start(|| self.tracer.heed_open()) || self.lose(),
            None => {
                self.tracer.count_open(1);
                true
            }
        }
    }

    #[cold]
    fn lose(&self) -> bool {
        self.tracer.lose(1);
        false
    }
}

/// An end that found `LOCAL` borrowed.
enum Late {
    OnStack(Place, Ticks),
    Owned(Active, Ticks),
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
    LOCAL.with(|cell| {
        if let Ok(mut local) = cell.try_borrow_mut() {
            local.keep_attributes(attributes);
        }
    });
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
                let (span, baggage) = context.into_parts();
                let (ids, state) = (span.ids(), span.into_state());
                local.stack.push_other(ids, Attached { state, baggage }, None)
            }
            Left::Recorded(active, baggage) => {
                let span = active.record.context();
                let (ids, state) = (span.ids(), span.state().clone());
                local.stack.push_other(ids, Attached { state, baggage }, Some(active))
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

/// Keeps a context for which there is no frame, unless there is a span.
pub(super) fn set_apart(left: Left) {
    LOCAL.with(|cell| {
        if let Ok(mut local) = cell.try_borrow_mut() {
            local.apart.get_or_insert(left);
        }
    });
}

/// The span that was started and for which there was no frame.
pub(super) fn take_apart() -> Option<Left> {
    LOCAL.with(|cell| cell.try_borrow_mut().ok()?.apart.take())
}

/// What is kept of the texts of errors by the tracer of this number; nothing if it is gone.
pub(super) fn error_texts(tracer: u64) -> ErrorTexts {
    let own = LOCAL.with(|cell| {
        let local = cell.try_borrow().ok()?;
        let own = local.bound.as_ref().filter(|bound| bound.tracer.id() == tracer)?;
        Some(own.tracer.error_texts.clone())
    });
    own.or_else(|| Some(tracer::find(tracer)?.error_texts.clone())).unwrap_or(ErrorTexts::Off)
}

/// As [`with_record`]; without a record `change` is called too.
#[inline]
pub(super) fn access<R>(place: Place, change: impl FnOnce(Option<&mut Active>) -> R) -> R {
    LOCAL.with(|cell| match cell.try_borrow_mut() {
        Ok(mut local) => change(local.stack.record_at(place)),
        Err(_) => change(None),
    })
}

/// Sets an attribute of the span at `place`, if that is recorded.
#[inline(always)]
pub(super) fn set_attribute(place: Place, KeyValue { key, value }: KeyValue) {
    match (key, Plain::of(value)) {
        (Cow::Borrowed(key), Ok(value)) => set_plain(place, key, value),
        (key, Ok(value)) => set_any(place, KeyValue { key, value: value.into() }),
        (key, Err(value)) => set_any(place, KeyValue { key, value }),
    }
}

#[inline(never)] // Called where attributes are set, with all that it needs in registers.
fn set_plain(place: Place, key: &'static str, value: Plain) {
    with_record(place, |record| record.set_plain(key, value));
}

#[inline(never)]
fn set_any(place: Place, attribute: KeyValue) {
    with_record(place, |record| record.set_attribute(attribute));
}

/// Adds an event without attributes that happens now to the span at `place`, if that is recorded.
#[inline(never)]
pub(super) fn add_bare_event(place: Place, name: &'static str) {
    let at = clock::now();
    with_record(place, |record| record.add_bare_event(name, at));
}

/// The place of the span this thread is in, if that is recorded.
pub(super) fn recorded_place() -> Option<Place> {
    LOCAL.with(|cell| cell.try_borrow().ok()?.stack.topmost()).filter(|place| place.is_recorded())
}

/// The context of the span at `place`.
pub(super) fn context_at(place: Place) -> Context {
    LOCAL
        .with(|cell| cell.try_borrow().map_or(Context::NONE, |local| local.stack.context_at(place)))
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
pub(super) fn with_tracer<R>(
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
    let is_same = |bound: &Bound| tracer.as_ref().is_some_and(|new| new.id() == bound.tracer.id());
    let (mut before, mut head_before) = (None, None);
    match &mut local.bound {
        Some(bound) if is_same(bound) => {
            head_before = Some(mem::replace(&mut bound.head, bound.tracer.head()));
        }
        _ => {
            let buffer = |tracer: &Arc<Tracer>| (!local.has_ended).then(|| tracer.add_thread());
            let bound =
                tracer.map(|tracer| Bound { head: tracer.head(), buffer: buffer(&tracer), tracer });
            before = mem::replace(&mut local.bound, bound);
        }
    }
    if !local.has_ended {
        context::tune(active);
    }
    drop(local); // The last owner of a tracer runs code of its sink, and that of a head of its sampler.
    drop(head_before);
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

    /// Keeps the room of what has started, or none.
    pub(super) fn keep_attributes(&mut self, attributes: Vec<KeyValue>) {
        if !self.has_ended {
            self.stock.keep_attributes(attributes);
        }
    }

    /// After the thread's end nobody comes to free what is left here. The tracer that it had is to be
    /// dropped when this is not borrowed: its last owner runs code of its sink.
    #[inline]
    pub(super) fn release_after_end(&mut self) -> Option<Bound> {
        if !self.has_ended || !self.stack.is_empty() {
            return None;
        }
        self.stack = Stack::EMPTY;
        self.stock.give_back();
        self.bound.take()
    }
}

/// Puts the record of a span that ends now, or ended at `at`, where it belongs.
///
/// Consumes the borrow: a sink must find the thread's spans free.
#[inline]
fn file(mut local: RefMut<'_, Local>, mut active: Active, at: Option<Ticks>) {
    active.close(at.unwrap_or_else(clock::now));
    match &mut local.bound {
        Some(Bound { tracer, buffer: Some(buffer), .. }) if tracer.id() == active.tracer() => {
            if buffer.is_inherited() {
                tracer.replace_thread(buffer);
            }
            buffer.count_end();
            if active.record.has_marks() && !settle(tracer, &mut active) {
                return;
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

/// Sees to what few spans need at their end; `false` if one was given up before, and is counted as ended.
#[cold]
#[inline(never)]
fn settle(tracer: &Tracer, active: &mut Active) -> bool {
    let is_there = active.take_back();
    if !is_there {
        tracer.count_open(1);
    } else {
        tracer.count_cuts(&active.record);
    }
    is_there
}

/// Files the record of a span of another tracer than this thread's, or of a thread at its end.
#[cold]
#[inline(never)]
fn file_elsewhere(mut local: RefMut<'_, Local>, mut active: Active) {
    let is_there = active.take_back(); // Also where its tracer is gone.
    let after = local.release_after_end();
    drop(local);
    if is_there && let Some(tracer) = tracer::find(active.tracer()) {
        tracer.count_open(-1);
        if active.record.has_marks() {
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
    let Some(Bound { tracer, buffer: Some(buffer), .. }) = &local.bound else { return };
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
