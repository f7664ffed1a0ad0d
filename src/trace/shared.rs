//! A span that several threads may be in at once, and that starts when it is first needed: one of another
//! library.
//!
//! Its record is not on a thread's stack, as it is for spans of scopes, but behind a lock of its own; where
//! a thread is in it, the stack has its context. No code of users runs under the lock: a sampler is asked
//! between two holds of it.

use std::{borrow::Cow, cell::RefCell, mem, sync::Arc, thread};

use super::{
    AsError, Span, SpanBuilder, Status,
    active::{Active, By},
    local, span,
    stack::{Left, Place},
};
use crate::{
    clock,
    context::{self, Context, SpanContext, SpanId},
    label::KeyValue,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// A span that several threads may be in at once.
pub(crate) struct SharedSpan {
    state: Mutex<State>,
    /// Read without the lock, by threads that are still in it. Relaxed: it publishes nothing but itself.
    has_ended: AtomicBool,
}

enum State {
    /// Not started: its parent may still change.
    Pending(SpanBuilder, Option<Status>),
    /// Its sampler is being asked.
    Starting,
    Started(Span),
    Ended(Context),
}

/// So many attributes wait for the start; with more, the span starts and its limits count them.
const MOST_PENDING: usize = 128;

/// How often another thread is let go on that is asking the sampler: arbitrary, and far more often than
/// any of ours needs.
const PATIENCE: usize = 1000;

impl SharedSpan {
    /// A span that starts when it is entered, or when somebody asks for its context.
    pub(crate) fn new(builder: SpanBuilder, status: Option<Status>) -> Self {
        let state = Mutex::new(State::Pending(builder, status));
        Self { state, has_ended: AtomicBool::new(false) }
    }

    /// Replaces the parent; `false` if the span has started.
    pub(crate) fn set_parent(&self, parent: Context) -> bool {
        self.change_pending(|builder, _| builder.replace_parent(parent)).is_some()
    }

    /// Whether what is set on it goes anywhere.
    pub(crate) fn is_open_to_content(&self) -> bool {
        match &*self.state.lock() {
            State::Pending(..) | State::Starting => true,
            State::Started(span) => span.is_recording(),
            State::Ended(_) => false,
        }
    }

    /// Its context, to be a parent. It has a parent of its own from now on.
    pub(crate) fn context(&self) -> Context {
        match &*self.state.lock() {
            State::Started(span) => return span.context(),
            State::Ended(context) => return context.clone(),
            State::Pending(..) | State::Starting => {}
        }
        self.with_span(|span| span.context()).unwrap_or_default()
    }

    /// Sets attributes. If it has not started, its sampler sees them.
    pub(crate) fn set_attributes(&self, attributes: Vec<KeyValue>) {
        let mut attributes = Some(attributes);
        self.change_pending(|builder, _| {
            if builder.n_attributes() < MOST_PENDING {
                builder.add_attributes(attributes.take().unwrap_or_default());
            }
        });
        if let Some(attributes) = attributes {
            self.with(|active| {
                attributes.into_iter().for_each(|attribute| active.set_attribute(attribute));
            });
        }
    }

    /// Replaces the name.
    pub(crate) fn set_name(&self, name: String) {
        let mut name = Some(name);
        self.change_pending(|builder, _| {
            builder.replace_name(name.take().unwrap_or_default());
        });
        if let Some(name) = name {
            self.with(|active| active.set_name(name.into()));
        }
    }

    /// Sets the kind, if it has not started.
    pub(crate) fn set_kind(&self, kind: super::SpanKind) {
        self.change_pending(|builder, _| builder.replace_kind(kind));
    }

    /// Sets the status.
    pub(crate) fn set_status(&self, status: Status) {
        let mut status = Some(status);
        self.change_pending(|_, pending| *pending = status.take());
        if let Some(status) = status {
            self.with(|active| active.set_status(status));
        }
    }

    /// Notes that something in it has failed: that is its status, unless somebody set one.
    pub(crate) fn note_failed(&self) {
        self.with(Active::note_failed);
    }

    /// Whether somebody said that it went well.
    pub(crate) fn is_ok(&self) -> bool {
        self.with(Active::is_ok).unwrap_or(false)
    }

    /// As [`Span::record_error`].
    pub(crate) fn record_error<K>(&self, error: &(impl AsError<K> + ?Sized)) {
        error.describe(&mut |failure| {
            span::fail(failure, By::Hand, |change| self.with(change));
        });
    }

    /// Adds an event that happens now.
    pub(crate) fn add_event(
        &self,
        name: impl Into<Cow<'static, str>>,
        attributes: impl IntoIterator<Item = KeyValue>,
    ) {
        let (name, at) = (name.into(), clock::now());
        // Between two holds of the lock, for the attributes may be code of users.
        let Some(room) = self.with(Active::room_for_event).flatten() else { return };
        let gathered = room.gather(attributes);
        self.with(|active| active.add_event(name, at, gathered));
    }

    /// Links to a span that belongs with this one without being its parent.
    pub(crate) fn add_link(&self, context: SpanContext) {
        self.with(|active| active.link(context, Vec::new()));
    }

    /// Ends it, if it has not ended. What another thread does in it goes on, and is no longer recorded.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        if matches!(&*state, State::Pending(..)) {
            drop(state);
            self.with_span(|_| ());
            state = self.state.lock();
        }
        let context = match &*state {
            State::Started(span) => span.context(),
            State::Pending(..) | State::Starting => Context::NONE, // Whoever starts it finds it ended.
            State::Ended(_) => return,
        };
        let before = mem::replace(&mut *state, State::Ended(context));
        self.has_ended.store(true, Relaxed);
        drop(state); // A sink may be called where the span ends.
        drop(before);
    }

    /// Has it never start.
    pub(crate) fn discard(&self) {
        *self.state.lock() = State::Ended(Context::NONE);
    }

    /// Calls `change` with its record, if it has one.
    pub(super) fn with<R>(&self, change: impl FnOnce(&mut Active) -> R) -> Option<R> {
        self.with_span(|span| span.with_record(change)).flatten()
    }

    fn change_pending<R>(
        &self,
        change: impl FnOnce(&mut SpanBuilder, &mut Option<Status>) -> R,
    ) -> Option<R> {
        match &mut *self.state.lock() {
            State::Pending(builder, status) => Some(change(builder, status)),
            _ => None,
        }
    }

    /// Calls `change` with the span, which is started if it has not been; none if it has ended, or if
    /// another thread is still asking for its sampler.
    fn with_span<R>(&self, change: impl FnOnce(&mut Span) -> R) -> Option<R> {
        for _ in 0..PATIENCE {
            let mut state = self.state.lock();
            match &mut *state {
                State::Started(span) => return Some(change(span)),
                State::Ended(_) => return None,
                State::Pending(..) => {
                    let pending = mem::replace(&mut *state, State::Starting);
                    drop(state);
                    self.start(pending);
                }
                State::Starting => {
                    drop(state);
                    thread::yield_now();
                }
            }
        }
        None
    }

    fn start(&self, pending: State) {
        let State::Pending(builder, status) = pending else { return };
        let mut span = builder.start(); // Asks the user's sampler.
        if let Some(status) = status {
            span.set_status(status);
        }
        let mut state = self.state.lock();
        match &*state {
            State::Starting => drop(mem::replace(&mut *state, State::Started(span))), // Owns nothing.
            _ => {
                drop(state); // It was ended meanwhile, and ends here.
                drop(span);
            }
        }
    }
}

/// The last that knows it ends it.
impl Drop for SharedSpan {
    fn drop(&mut self) {
        self.end();
    }
}

/// Which stay in a span is meant: numbers of the caller's.
pub(crate) type Key = (u64, u64);

/// A thread's stay in a span.
struct Stay {
    key: Key,
    span_id: SpanId,
    span: Arc<SharedSpan>,
    place: Option<Place>, // None where the thread's stack was full.
}

/// The most stays of a thread, as many as its stack has frames; beyond them spans do not become current.
const MOST_STAYS: usize = 4096;

thread_local! {
    // What a thread leaves behind here is dropped with it: after that, spans are recorded, but not current.
    static STAYS: RefCell<Vec<Stay>> = const { RefCell::new(Vec::new()) };
}

/// Makes the span current on this thread, until [`exit`].
pub(crate) fn enter(key: Key, span: Arc<SharedSpan>) {
    leave_ended();
    let context = span.context();
    if context.is_none() && context::ids() == context.span().ids() {
        return; // Nothing runs, and nothing is handed on.
    }
    let span_id = context.span_id();
    let place = local::push(Left::Unrecorded(context)).ok();
    let mut stay = Some(Stay { key, span_id, span, place });
    let _ = STAYS.try_with(|stays| {
        if let Ok(mut stays) = stays.try_borrow_mut()
            && stays.len() < MOST_STAYS
        {
            stays.extend(stay.take());
        }
    });
    if let Some(stay) = stay {
        stay.leave();
    }
}

/// Leaves the newest stay of this key; what is current stays so if there is none.
pub(crate) fn exit(key: Key) {
    let innermost = |stays: &[Stay]| {
        let last = stays.last()?;
        (last.key == key).then(|| stays.len() - 1)
    };
    if let Some(stay) = take(innermost) {
        return stay.leave();
    }
    leave_ended();
    if let Some(stay) = take(|stays| stays.iter().rposition(|stay| stay.key == key)) {
        stay.leave();
    }
}

/// Leaves the innermost stays whose spans have ended: those of an exit that never came, or came on another
/// thread. Before anything else happens on this thread, they are current still.
pub(crate) fn leave_ended() {
    let ended = |stays: &[Stay]| {
        let last = stays.last()?;
        last.span.has_ended.load(Relaxed).then(|| stays.len() - 1)
    };
    while let Some(stay) = take(ended) {
        stay.leave();
    }
}

fn take(find: impl FnOnce(&[Stay]) -> Option<usize>) -> Option<Stay> {
    let taken = STAYS.try_with(|stays| {
        let mut stays = stays.try_borrow_mut().ok()?;
        let at = find(&stays)?;
        Some(stays.remove(at))
    });
    taken.ok().flatten()
}

impl Stay {
    fn leave(self) {
        if let Some(place) = self.place {
            local::end(place, None);
        }
    }
}

/// So many spans that a thread has made lately are at hand without asking whose they are: arbitrary, more
/// than most threads are in at once.
const MOST_RECENT: usize = 8;

struct Recent {
    spans: [Option<(Key, Arc<SharedSpan>)>; MOST_RECENT],
    next: usize,
}

thread_local! {
    static RECENT: RefCell<Recent> =
        const { RefCell::new(Recent { spans: [const { None }; MOST_RECENT], next: 0 }) };
}

/// Keeps a span at hand that this thread has made.
pub(crate) fn remember(key: Key, span: &Arc<SharedSpan>) {
    let mut before = None;
    let _ = RECENT.try_with(|recent| {
        let Ok(mut recent) = recent.try_borrow_mut() else { return };
        let place = recent.next % MOST_RECENT;
        before = recent.spans[place].replace((key, Arc::clone(span)));
        recent.next = place + 1;
    });
    drop(before); // The last owner ends it, where a sink may be called.
}

/// The span of this key, if this thread has made it lately and it has not ended. Keys are used again.
pub(crate) fn recall(key: Key) -> Option<Arc<SharedSpan>> {
    let found = RECENT.try_with(|recent| {
        let recent = recent.try_borrow().ok()?;
        let (_, span) = recent.spans.iter().flatten().find(|(known, _)| *known == key)?;
        (!span.has_ended.load(Relaxed)).then(|| Arc::clone(span))
    });
    found.ok().flatten()
}

/// As [`recall`], for the last time.
pub(crate) fn forget(key: Key) -> Option<Arc<SharedSpan>> {
    let found = RECENT.try_with(|recent| {
        let mut recent = recent.try_borrow_mut().ok()?;
        let is_it = |one: &Option<(Key, _)>| one.as_ref().is_some_and(|(known, _)| *known == key);
        let place = recent.spans.iter().position(is_it)?;
        recent.next = place; // The next one finds its cache line at hand.
        recent.spans[place].take()
    });
    let (_, span) = found.ok().flatten()?;
    (!span.has_ended.load(Relaxed)).then_some(span)
}

/// The span that this thread is in, if it is one of these and recorded.
pub(super) fn current() -> Option<Arc<SharedSpan>> {
    let ids = context::ids();
    if !ids.is_recorded() {
        return None;
    }
    let found = STAYS.try_with(|stays| {
        let stays = stays.try_borrow().ok()?;
        let stay = stays.iter().rev().find(|stay| stay.span_id == ids.span_id)?;
        Some(Arc::clone(&stay.span))
    });
    found.ok().flatten()
}

/// Adds an event that happens now to such a span.
pub(super) fn add_event_to_current(
    name: impl Into<Cow<'static, str>>,
    attributes: impl IntoIterator<Item = KeyValue>,
) {
    if let Some(span) = current() {
        span.add_event(name, attributes);
    }
}

/// Whether there is such a span.
pub(super) fn is_current() -> bool {
    current().is_some()
}

/// Calls `change` with the record of the span that this thread is in, if it is one of these.
pub(super) fn with_current<R>(change: impl FnOnce(&mut Active) -> R) -> Option<R> {
    current()?.with(change)
}
