//! A span from its start to its end, and the scope of a thread in it.

use std::{borrow::Cow, cell::RefCell, fmt, marker::PhantomData, mem, panic::AssertUnwindSafe};

use super::{
    Status,
    active::{Active, By, FailureRecord},
    as_error::AsError,
    failure::Failure,
    local,
    stack::{Left, Place},
    start,
};
use crate::{
    clock::{self, Ticks},
    context::{self, Context, Outcome, SpanContext},
    label::{KeyValue, Value},
};

/// A started span that is current nowhere: it may be moved to another thread, kept across awaits
/// ([`InSpan`](super::InSpan)), entered and left again. It ends when it is dropped.
///
/// Without a tracer it keeps nothing and only carries its parent's context on, which is its own then:
/// [`SpanContext::NONE`] where there was no parent. A span that the sampler did not want has a context
/// of its own and keeps nothing.
#[must_use = "the span ends when it is dropped"]
#[derive(Default)]
pub struct Span {
    pub(super) left: Option<Left>,
}

impl Span {
    /// No span: what is set on it goes nowhere.
    pub const NONE: Self = Self { left: None };

    /// Makes it current on this thread until the scope is dropped, which ends it, or
    /// [left](SpanScope::leave).
    pub fn enter(mut self) -> SpanScope {
        let stay = match self.left.take().map(local::push) {
            None => Stay::Nowhere,
            Some(Ok(place)) => Stay::At(place),
            Some(Err(left)) => Stay::Apart(Apart::new(left)),
        };
        SpanScope::of(stay)
    }

    /// Ends it now.
    pub fn end(self) {
        drop(self);
    }

    /// Ends it at `at`, where the clock was read already.
    pub fn end_at(mut self, at: Ticks) {
        if let Some(Left::Recorded(active, _)) = self.left.take() {
            local::finish(active, Some(at));
        }
    }

    /// Whether it is recorded; if not, what is set on it goes nowhere.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        matches!(self.left, Some(Left::Recorded(..)))
    }

    /// Its context, to be a parent elsewhere.
    #[must_use]
    pub fn context(&self) -> Context {
        match &self.left {
            None => Context::NONE,
            Some(Left::Unrecorded(context)) => context.clone(),
            Some(Left::Recorded(active, baggage)) => {
                Context::new(active.record.context().clone(), baggage.clone())
            }
        }
    }

    #[inline]
    fn may_record(&self) -> bool {
        self.is_recording()
    }

    fn put_attribute(&mut self, attribute: KeyValue) {
        self.with_record(|record| record.set_attribute(attribute));
    }

    fn add_bare_event(&mut self, name: &'static str) {
        let at = clock::now();
        self.with_record(|record| record.add_bare_event(name, at));
    }

    /// Calls `change` with its record, if there is one.
    #[inline]
    fn access<R>(&mut self, change: impl FnOnce(Option<&mut Active>) -> R) -> R {
        match &mut self.left {
            Some(Left::Recorded(active, _)) => change(Some(active)),
            _ => change(None),
        }
    }
}

impl Drop for Span {
    #[inline]
    fn drop(&mut self) {
        if let Some(Left::Recorded(active, _)) = self.left.take() {
            local::finish(active, None);
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.left {
            Some(Left::Recorded(active, _)) => active.name(),
            _ => Cow::Borrowed(""),
        };
        f.debug_struct("Span")
            .field("name", &name)
            .field("context", &self.context())
            .finish_non_exhaustive()
    }
}

/// A thread's stay in a span: while it lasts, the span is current on this thread. Dropping it ends
/// the span.
///
/// Scopes may be dropped in any order. One that is dropped before those made after it ends its span
/// at once; the others stay current and keep their parents.
#[must_use = "the span ends when its scope is dropped"]
pub struct SpanScope {
    stay: Stay,
    not_send: PhantomData<*const ()>, // It is a place on this thread's stack.
}

/// How a scope is in its span.
pub(super) enum Stay {
    /// There is no span.
    Nowhere,
    /// No span was recorded and no parent named: what is current stays so.
    Inherits,
    At(Place),
    /// A span that the thread's stack could not take: not current, but not lost. Boxed, being rare.
    Apart(Box<Apart>),
}

/// A span of a scope, which is of one thread and borrows it only while code of this crate runs.
pub(super) struct Apart(AssertUnwindSafe<RefCell<Span>>);

impl Apart {
    #[cold]
    #[inline(never)]
    fn new(left: Left) -> Box<Self> {
        Box::new(Self(AssertUnwindSafe(RefCell::new(Span { left: Some(left) }))))
    }

    /// The span that was just started and found no place. Its result is one register: a scope that is
    /// written to memory first costs a span a third more.
    #[cold]
    #[inline(never)]
    pub(super) fn taken() -> Option<Box<Self>> {
        local::take_apart().map(Self::new)
    }

    #[cold]
    fn may_record(&self) -> bool {
        self.0.try_borrow().is_ok_and(|span| span.may_record())
    }

    #[cold]
    fn access<R>(&self, change: impl FnOnce(Option<&mut Active>) -> R) -> R {
        match self.0.try_borrow_mut() {
            Ok(mut span) => span.access(change),
            Err(_) => change(None),
        }
    }

    fn with_record<R>(&self, change: impl FnOnce(&mut Active) -> R) -> Option<R> {
        self.access(|record| record.map(change))
    }

    #[cold]
    #[inline(never)]
    fn put_attribute(&self, attribute: KeyValue) {
        self.with_record(|record| record.set_attribute(attribute));
    }

    #[cold]
    #[inline(never)]
    fn add_bare_event(&self, name: &'static str) {
        let at = clock::now();
        self.with_record(|record| record.add_bare_event(name, at));
    }

    pub(super) fn into_span(self) -> Span {
        self.0.0.into_inner()
    }
}

impl SpanScope {
    #[inline(always)]
    pub(super) const fn of(stay: Stay) -> Self {
        Self { stay, not_send: PhantomData }
    }

    /// Ends the span now.
    pub fn end(self) {
        drop(self);
    }

    /// Ends the span at `at`, where the clock was read already.
    pub fn end_at(mut self, at: Ticks) {
        match mem::replace(&mut self.stay, Stay::Nowhere) {
            Stay::Nowhere | Stay::Inherits => {}
            Stay::At(place) => local::end(place, Some(at)),
            Stay::Apart(span) => span.into_span().end_at(at),
        }
    }

    /// Leaves the span without ending it.
    pub fn leave(mut self) -> Span {
        match mem::replace(&mut self.stay, Stay::Nowhere) {
            Stay::Nowhere => Span::NONE,
            Stay::Inherits => Span { left: start::current_to_carry().map(Left::Unrecorded) },
            Stay::At(place) => Span { left: local::leave(place) },
            Stay::Apart(span) => span.into_span(),
        }
    }

    /// Whether it is recorded; if not, what is set on it goes nowhere.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.with_record(|_| ()).is_some()
    }

    /// Its context, to be a parent elsewhere.
    #[must_use]
    pub fn context(&self) -> Context {
        match &self.stay {
            Stay::Nowhere => Context::NONE,
            Stay::Inherits => context::current(),
            Stay::At(place) => local::context_at(*place),
            Stay::Apart(span) => span.0.borrow().context(),
        }
    }

    /// Says how the operation ended. An error is the status too, where nobody set one.
    pub(crate) fn conclude(&self, outcome: Outcome) {
        self.with_record(|active| active.conclude(outcome));
    }

    /// Takes it away from where it lies.
    pub(crate) fn take(&mut self) -> Self {
        Self::of(mem::replace(&mut self.stay, Stay::Nowhere))
    }

    /// Ends the span at `at`, where the clock was read already, with the outcome of its operation.
    #[inline]
    pub(crate) fn end_with(&mut self, outcome: Outcome, at: Ticks) {
        match mem::replace(&mut self.stay, Stay::Nowhere) {
            Stay::Nowhere | Stay::Inherits => {}
            Stay::At(place) => end_at(place, outcome, at),
            Stay::Apart(span) => {
                span.with_record(|active| active.conclude(outcome));
                span.into_span().end_at(at);
            }
        }
    }

    /// Records an error that the work of the span had for a result.
    #[inline] // So that the scope stays in registers where there is none.
    pub(crate) fn fail(&self, failure: &Failure<'_>) {
        match &self.stay {
            Stay::At(place) => fail_at(*place, failure, By::End),
            Stay::Apart(span) => fail(failure, By::End, |change| span.with_record(change)),
            _ => {}
        }
    }

    /// Whether its span was recorded when it was entered: asked first, without a look at the thread's stack.
    #[inline]
    fn may_record(&self) -> bool {
        match &self.stay {
            Stay::At(place) => place.is_recorded(),
            Stay::Apart(span) => span.may_record(),
            _ => false,
        }
    }

    #[inline(always)] // So that what is known of the attribute is known here.
    fn put_attribute(&self, attribute: KeyValue) {
        match &self.stay {
            Stay::At(place) => local::set_attribute(*place, attribute),
            Stay::Apart(span) => span.put_attribute(attribute),
            _ => {}
        }
    }

    #[inline(always)]
    fn add_bare_event(&self, name: &'static str) {
        match &self.stay {
            Stay::At(place) => local::add_bare_event(*place, name),
            Stay::Apart(span) => span.add_bare_event(name),
            _ => {}
        }
    }

    /// As [`Span::access`].
    #[inline]
    fn access<R>(&self, change: impl FnOnce(Option<&mut Active>) -> R) -> R {
        match &self.stay {
            Stay::At(place) => local::access(*place, change),
            Stay::Apart(span) => span.access(change),
            _ => change(None),
        }
    }
}

impl Drop for SpanScope {
    #[inline]
    fn drop(&mut self) {
        if let Stay::At(place) = self.stay {
            local::end(place, None);
        }
    }
}

impl fmt::Debug for SpanScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanScope").field("context", &self.context()).finish_non_exhaustive()
    }
}

/// What can be set on a span, the same on an owned one and on a scope.
macro_rules! setters {
    ($type:ty, $self:ident: $($receiver:tt)+) => {
        impl $type {
            pub(super) fn with_record<R>(
                $($receiver)+,
                change: impl FnOnce(&mut Active) -> R,
            ) -> Option<R> {
                $self.access(|record| record.map(change))
            }

            /// Sets the attribute `key`, replacing one of that key. Where the span is not recorded, `key`
            /// and `value` are not converted.
            ///
            /// A text is copied, and allocates nothing if it has at most 22 bytes;
            /// [`Value::from_static`] is for long ones that live for ever.
            pub fn set_attribute(
                $($receiver)+,
                key: impl Into<Cow<'static, str>>,
                value: impl Into<Value>,
            ) {
                if $self.may_record() {
                    $self.put_attribute(KeyValue::new(key, value)); // A conversion may use spans.
                }
            }

            /// Adds an event that happens now. `attributes` are asked for if the span is recorded and
            /// has room for the event. If they are more than an event may have and do not know how many,
            /// they are asked for, and counted, up to twice that number.
            pub fn add_event(
                $($receiver)+,
                name: impl Into<Cow<'static, str>>,
                attributes: impl IntoIterator<Item = KeyValue>,
            ) {
                if !$self.may_record() {
                    return;
                }
                let (name, attributes) = (name.into(), attributes.into_iter());
                if let Cow::Borrowed(name) = name
                    && attributes.size_hint() == (0, Some(0))
                {
                    return $self.add_bare_event(name);
                }
                let at = clock::now();
                // What is iterated may use spans, this one too: first the attributes, then the span.
                if let Some(room) = $self.with_record(Active::room_for_event).flatten() {
                    let gathered = room.gather(attributes);
                    $self.with_record(|record| record.add_event(name, at, gathered));
                }
            }

            /// Links to a span that belongs with this one without being its parent. `attributes` are
            /// asked for as those of an event.
            pub fn add_link(
                $($receiver)+,
                context: impl Into<SpanContext>,
                attributes: impl IntoIterator<Item = KeyValue>,
            ) {
                if let Some(room) = $self.with_record(Active::room_for_link).flatten() {
                    let gathered = room.gather(attributes);
                    let context = context.into();
                    $self.with_record(|record| record.add_link(context, gathered));
                }
            }

            /// Sets the status. An error makes the outcome, if nobody sets another, an error.
            pub fn set_status($($receiver)+, status: Status) {
                $self.with_record(|record| record.set_status(status));
            }

            /// Sets how the operation ended; by default `Ok`, and always `Panic` if a panic that
            /// began inside unwinds through the span.
            pub fn set_outcome($($receiver)+, outcome: Outcome) {
                $self.with_record(|record| record.set_outcome(outcome));
            }

            /// Records an error: its text is the description of the status, `error.type` its type, and
            /// an event `exception` has both and what caused it. Another error later takes the place of
            /// the first in status and type, and has an event of its own.
            ///
            /// The text is formatted only if the span is recorded, and at most
            /// [`text_chars`](super::SpanLimits::text_chars) of it are kept. What
            /// [`Builder`](crate::Builder) says of error texts holds here too:
            /// [`redact_errors`](crate::Builder::redact_errors),
            /// [`without_error_texts`](crate::Builder::without_error_texts). A text that panics is left
            /// out.
            ///
            /// What `#[observe]` returns, or [`try_in_span`](super::InSpan::try_in_span) ends with, is
            /// recorded without this.
            pub fn record_error<K>($($receiver)+, error: &(impl AsError<K> + ?Sized)) {
                error.describe(&mut |failure| {
                    fail(failure, By::Hand, |change| $self.with_record(change));
                });
            }

            /// Replaces the name.
            pub fn set_name($($receiver)+, name: impl Into<Cow<'static, str>>) {
                if $self.may_record() {
                    let name = name.into();
                    $self.with_record(|record| record.set_name(name));
                }
            }
        }
    };
}

setters!(Span, self: &mut self);
setters!(SpanScope, self: &self);

/// Ends the span at `place` with the outcome of its operation.
#[inline]
pub(super) fn end_at(place: Place, outcome: Outcome, at: Ticks) {
    // A record is ok by itself, and there is one look at the stack less.
    if outcome != Outcome::Ok && place.is_recorded() {
        local::with_record(place, |active| active.conclude(outcome));
    }
    local::end(place, Some(at));
}

#[cold]
#[inline(never)]
pub(super) fn fail_at(place: Place, failure: &Failure<'_>, by: By) {
    fail(failure, by, |change| local::with_record(place, change));
}

/// Records an error on the span whose record `with` lends. The user's code that makes its texts may use
/// spans, this one too: it runs between two loans.
#[cold]
#[inline(never)]
pub(super) fn fail(
    failure: &Failure<'_>,
    by: By,
    mut with: impl FnMut(&mut dyn FnMut(&mut Active)) -> Option<()>,
) {
    let mut asked = None;
    with(&mut |active| asked = Some((active.limits(), active.tracer())));
    let Some((limits, tracer)) = asked else { return };
    let texts = failure.texts(limits, &local::error_texts(tracer));
    let mut record = Some(FailureRecord { kind: failure.kind(), at: clock::now(), texts });
    with(&mut |active| record.take().into_iter().for_each(|record| active.fail(record, by)));
}
