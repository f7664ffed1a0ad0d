//! One current context: what OpenTelemetry's API attaches to a thread is current for us too.
//!
//! The API's observer of contexts is called whenever another one becomes current on a thread: at each
//! `attach`, at each guard that is dropped, at each poll of a future `with_context`. It makes what has
//! changed current for us, by a frame as [`Context::enter`] makes one; nothing is asked where our context is
//! read. What has not changed stays: in a span of ours within one of OpenTelemetry, a context with only
//! another value leaves ours current.
//!
//! ```text
//! OpenTelemetry's stack   A ─── B ─── B with a value
//! levels here             │     │     └ the same span and baggage: no frame
//! our stack               A ─ s B       (s is a span of ours)
//! ```
//!
//! The API does not call when a guard is dropped that is not the newest. That shows at the next call: what
//! is current then is not what the level below is of, and levels are left until one is.

use std::{any::Any, cell::RefCell, sync::Arc};

use ::opentelemetry::{
    Context as TheirContext,
    baggage::BaggageExt as _,
    context::{ContextObserver, GlobalContextObserver, ObserverContextView},
    trace::{TraceContextExt as _, TraceState},
};

use super::{baggage, caller::Caller, ids};
use crate::{
    context::{self, Baggage, Context, Muted, SpanContext},
    diagnostics,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    trace::ContextScope,
};

/// Has the API call us whenever another context becomes current. The first call of a process counts, and
/// reports if somebody else observes already.
pub(super) fn observe() {
    static IS_SET: AtomicBool = AtomicBool::new(false);
    // Relaxed: it publishes nothing but itself.
    if IS_SET.load(Relaxed) || IS_SET.swap(true, Relaxed) {
        return;
    }
    GlobalContextObserver::set(Arc::new(Observer));
    if view(&TheirContext::new().with_value(Probe)).is_none() {
        diagnostics::report(
            "opentelemetry",
            format_args!("another observer of contexts is set: its current span is not ours"),
        );
    }
}

/// In a context that is made to see whose observer is called.
struct Probe;

/// Our view of a context that has more than ids, made once, when that is.
struct View(Context);

impl ObserverContextView for View {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn view(theirs: &TheirContext) -> Option<&Context> {
    let view = theirs.observer_view().as_ref()?.as_any().downcast_ref::<View>()?;
    Some(&view.0)
}

struct Observer;

impl ContextObserver for Observer {
    fn on_context_enter(&self, from: &TheirContext, to: &TheirContext) {
        keep(Level::enter(&Seen::of(from), to));
    }

    fn on_context_exit(&self, _: &TheirContext, to: &TheirContext) {
        let seen = Seen::of(to);
        let n_levels = with_levels(|levels| levels.len()).unwrap_or(0);
        let is_bottom = seen.is_none() && n_levels > HONEST_LEVELS;
        // One by one, so that each ends with the levels free: at the end of a thread, more may end with it.
        while let Some(left) = with_levels(Vec::pop).flatten() {
            drop(left);
            let is_there =
                |levels: &mut Vec<Level>| levels.last().is_some_and(|top| top.seen == seen);
            if !is_bottom && with_levels(is_there).unwrap_or(true) {
                return;
            }
        }
        if !seen.is_none() {
            // It was attached before we observed.
            keep(Level::enter(&Seen::default(), to));
        }
    }

    fn make_view(&self, theirs: &TheirContext) -> Option<Arc<dyn ObserverContextView>> {
        let has_more = !theirs.baggage().is_empty()
            || *theirs.span().span_context().trace_state() != TraceState::NONE
            || theirs.get::<Caller>().is_some()
            || theirs.get::<Probe>().is_some();
        has_more.then(|| Arc::new(View(converted(theirs))) as Arc<dyn ObserverContextView>)
    }
}

/// With more levels, an empty context that becomes current is taken for the one at the bottom, which always
/// is: else those that are lost by guards out of order could fill the stack. Arbitrary, far beyond honest
/// nesting.
const HONEST_LEVELS: usize = 1_024;

/// As many as the API's own stack may have.
const MOST_LEVELS: usize = u16::MAX as usize;

fn keep(level: Level) {
    with_levels(|levels| {
        if levels.len() < MOST_LEVELS {
            levels.push(level);
        }
    });
}

thread_local! {
    static LEVELS: RefCell<Vec<Level>> = const { RefCell::new(Vec::new()) };
}

fn with_levels<R>(change: impl FnOnce(&mut Vec<Level>) -> R) -> Option<R> {
    LEVELS
        .try_with(|levels| levels.try_borrow_mut().ok().map(|mut levels| change(&mut levels)))
        .ok()?
}

/// A context of the API that is attached to this thread.
struct Level {
    seen: Seen,
    _scope: Option<ContextScope>,
    _muted: Option<Muted>,
}

impl Level {
    fn enter(from: &Seen, to: &TheirContext) -> Self {
        let seen = Seen::of(to);
        let change = change(from, &seen, to);
        Self {
            seen,
            _scope: change.map(|context| context.enter()),
            _muted: to.is_telemetry_suppressed().then(context::mute),
        }
    }
}

/// What of a context of the API concerns us.
#[derive(Clone, Debug, PartialEq, Default)]
struct Seen {
    span: Option<ids::Span>,
    baggage: Baggage,
}

impl Seen {
    fn of(theirs: &TheirContext) -> Self {
        // A caller may say something about the trace that is to begin, and name no span.
        let is_said = |Caller(caller): &Caller| *caller.span() != SpanContext::NONE;
        let has_span = theirs.has_active_span() || theirs.get().is_some_and(is_said);
        Self {
            span: has_span.then(|| ids::Span::of(theirs.span().span_context())),
            baggage: match view(theirs) {
                Some(ours) => ours.baggage().clone(),
                None => baggage::to_ours(theirs),
            },
        }
    }

    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What is current for us where `to` is, where `from` was before; `None` if it is what is current.
fn change(from: &Seen, seen: &Seen, to: &TheirContext) -> Option<Context> {
    let (has_span, has_baggage) = (from.span != seen.span, from.baggage != seen.baggage);
    if !has_span && !has_baggage {
        return None;
    }
    let current = context::current();
    let span = if has_span { span_of(to) } else { current.span().clone() };
    let baggage = if has_baggage { &seen.baggage } else { current.baggage() };
    Some(Context::new(span, baggage.clone()))
}

/// The context of a span that starts in `theirs`; `None` if that is what is current.
///
/// It is as if `theirs` were attached: a context with the span that the API has for current stands for our
/// current context, which may be a span of ours within that.
pub(super) fn parent(theirs: &TheirContext) -> Option<Context> {
    let top = with_levels(|levels| levels.last().map(|top| top.seen.clone())).flatten();
    change(&top.unwrap_or_default(), &Seen::of(theirs), theirs)
}

/// As [`parent`], with what is current where that is it.
pub(super) fn context(theirs: &TheirContext) -> Context {
    parent(theirs).unwrap_or_else(context::current)
}

fn span_of(theirs: &TheirContext) -> SpanContext {
    match view(theirs) {
        Some(ours) => ours.span().clone(),
        None => converted(theirs).span().clone(),
    }
}

/// All of `theirs` that is ours too.
fn converted(theirs: &TheirContext) -> Context {
    let own = theirs.span();
    let own = own.span_context();
    let span = match theirs.get::<Caller>() {
        // What the caller said, as long as no span has begun since.
        Some(Caller(caller))
            if ids::Span::of(own) == ids::Span::of(&ids::to_theirs(caller.span(), false)) =>
        {
            caller.span().clone()
        }
        _ => ids::to_ours(own),
    };
    Context::new(span, baggage::to_ours(theirs))
}
