//! A span from its start to its end: the builder, the span, and the scope of a thread in it.

use std::{borrow::Cow, fmt, marker::PhantomData};

use super::{
    SpanKind, Status,
    local::{self, Left, Place},
};
use crate::{
    clock::Ticks,
    context::{Outcome, SpanContext},
    label::{KeyValue, Value},
};

/// Begins a span named `name`; nothing happens before it is [started](SpanBuilder::start) or
/// [entered](SpanBuilder::enter).
///
/// # Examples
///
/// ```
/// let order = bellwether::span("order").enter();
/// order.set_attribute("items", 3);
/// {
///     let _payment = bellwether::span("payment").enter(); // A child of `order`.
/// }
/// ```
#[inline]
pub fn span(name: impl Into<Cow<'static, str>>) -> SpanBuilder {
    SpanBuilder { name: name.into(), kind: SpanKind::Internal, parent: None, start: None }
}

/// A span about to start.
///
/// What a sampler decides by is set here; the rest is set on the started span, where it costs
/// nothing if the span is not recorded.
#[derive(Clone, Debug)]
#[must_use = "a span starts with `start` or `enter`"]
pub struct SpanBuilder {
    pub(super) name: Cow<'static, str>,
    pub(super) kind: SpanKind,
    pub(super) parent: Option<SpanContext>, // None is the current one.
    pub(super) start: Option<Ticks>,        // None is now.
}

impl SpanBuilder {
    /// The kind; by default [`SpanKind::Internal`].
    #[inline]
    pub fn kind(mut self, kind: SpanKind) -> Self {
        self.kind = kind;
        self
    }

    /// The parent; by default what is current on this thread. A parent that is not valid makes the
    /// span a root.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::trace::SpanKind;
    ///
    /// # let headers: Vec<(String, String)> = Vec::new();
    /// let caller = bellwether::extract(&headers);
    /// let _request = bellwether::span("GET /").kind(SpanKind::Server).parent(caller).enter();
    /// ```
    #[inline]
    pub fn parent(mut self, parent: SpanContext) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Starts a new trace, whatever is current.
    #[inline]
    pub fn root(self) -> Self {
        self.parent(SpanContext::NONE)
    }

    /// When it started, where that was read already; by default the clock is read.
    #[inline]
    pub fn start_at(mut self, at: Ticks) -> Self {
        self.start = Some(at);
        self
    }

    /// Starts the span and makes it current on this thread until the scope is dropped, which ends
    /// it.
    #[inline]
    pub fn enter(mut self) -> SpanScope {
        SpanScope { place: local::push_new(&mut self), detached: None, not_send: PhantomData }
    }

    /// Starts the span, to be moved to where its work is; current nowhere yet.
    #[must_use = "the span ends when it is dropped"]
    pub fn start(mut self) -> Span {
        Span { left: local::start(&mut self) }
    }
}

/// A started span that is current nowhere: it may be moved to another thread, kept across awaits
/// ([`InSpan`](super::InSpan)), entered and left again. It ends when it is dropped.
///
/// Without a tracer it is nothing: every call does nothing, and its context is
/// [`SpanContext::NONE`]. A span that the sampler did not want has a context and keeps nothing.
#[must_use = "the span ends when it is dropped"]
#[derive(Default)]
pub struct Span {
    left: Option<Left>,
}

impl Span {
    /// A span that is none.
    pub const NONE: Self = Self { left: None };

    /// Makes it current on this thread until the scope is dropped, which ends it, or
    /// [left](SpanScope::leave).
    pub fn enter(mut self) -> SpanScope {
        let (place, detached) = match self.left.take().map(local::push) {
            None => (None, None),
            Some(Ok(place)) => (Some(place), None),
            Some(Err(left)) => (None, Some(Self { left: Some(left) })),
        };
        SpanScope { place, detached: detached.map(Box::new), not_send: PhantomData }
    }

    /// Ends it now.
    pub fn end(self) {
        drop(self);
    }

    /// Ends it at `at`, where the clock was read already.
    pub fn end_at(mut self, at: Ticks) {
        if let Some(Left::Recorded(active)) = self.left.take() {
            local::finish(active, Some(at));
        }
    }

    /// Whether it is recorded; if not, what is set on it goes nowhere.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        matches!(self.left, Some(Left::Recorded(_)))
    }

    /// Its context, to be a parent elsewhere.
    #[must_use]
    pub fn context(&self) -> &SpanContext {
        match &self.left {
            None => &SpanContext::NONE,
            Some(Left::Unsampled(context)) => context,
            Some(Left::Recorded(active)) => &active.record.context,
        }
    }

    fn with_record(&mut self, change: impl FnOnce(&mut super::active::Active)) {
        if let Some(Left::Recorded(active)) = &mut self.left {
            change(active);
        }
    }
}

impl Drop for Span {
    #[inline]
    fn drop(&mut self) {
        if let Some(Left::Recorded(active)) = self.left.take() {
            local::finish(active, None);
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.left {
            Some(Left::Recorded(active)) => active.record.name(),
            _ => "",
        };
        f.debug_struct("Span")
            .field("name", &name)
            .field("context", self.context())
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
    place: Option<Place>,
    /// A span that the thread's stack could not take: not current, but not lost. Boxed, being rare.
    detached: Option<Box<Span>>,
    not_send: PhantomData<*const ()>, // It is a place on this thread's stack.
}

impl SpanScope {
    /// Ends the span now.
    pub fn end(self) {
        drop(self);
    }

    /// Ends the span at `at`, where the clock was read already.
    pub fn end_at(mut self, at: Ticks) {
        if let Some(place) = self.place.take() {
            local::end(place, Some(at));
        }
        if let Some(span) = self.detached.take() {
            span.end_at(at);
        }
    }

    /// Leaves the span without ending it.
    pub fn leave(mut self) -> Span {
        if let Some(span) = self.detached.take() {
            return *span;
        }
        Span { left: self.place.take().and_then(local::leave) }
    }

    /// Whether it is recorded; if not, what is set on it goes nowhere.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.place.and_then(|place| local::with_record(place, |_| ())).is_some()
    }

    /// Its context, to be a parent elsewhere.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        match &self.detached {
            Some(span) => span.context().clone(),
            None => self.place.map_or(SpanContext::NONE, local::context_at),
        }
    }

    /// Says how the operation ended. An error is the status too, where nobody set one.
    pub(crate) fn conclude(&self, outcome: Outcome) {
        self.with_record(|active| {
            active.record.outcome = outcome;
            if outcome == Outcome::Error && *active.record.status() == Status::Unset {
                active.set_status(Status::Error(Cow::Borrowed("")));
            }
        });
    }

    fn with_record(&self, change: impl FnOnce(&mut super::active::Active)) {
        if let Some(place) = self.place {
            local::with_record(place, change);
        }
    }
}

impl Drop for SpanScope {
    #[inline]
    fn drop(&mut self) {
        if let Some(place) = self.place {
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
            /// Sets the attribute `key`, replacing one of that key.
            pub fn set_attribute(
                $($receiver)+,
                key: impl Into<Cow<'static, str>>,
                value: impl Into<Value>,
            ) {
                let attribute = KeyValue::new(key, value);
                $self.with_record(|record| record.set_attribute(attribute));
            }

            /// Adds an event that happens now.
            pub fn add_event(
                $($receiver)+,
                name: impl Into<Cow<'static, str>>,
                attributes: impl IntoIterator<Item = KeyValue>,
            ) {
                let name = name.into();
                $self.with_record(|record| record.add_event(name, attributes));
            }

            /// Links to a span that belongs with this one without being its parent.
            pub fn add_link(
                $($receiver)+,
                context: SpanContext,
                attributes: impl IntoIterator<Item = KeyValue>,
            ) {
                $self.with_record(|record| record.add_link(context, attributes));
            }

            /// Sets the status. An error makes the outcome, if nobody sets another, an error.
            pub fn set_status($($receiver)+, status: Status) {
                $self.with_record(|record| record.set_status(status));
            }

            /// Sets how the operation ended; by default `Ok`, and always `Panic` if a panic that
            /// began inside unwinds through the span.
            pub fn set_outcome($($receiver)+, outcome: Outcome) {
                $self.with_record(|record| record.record.outcome = outcome);
            }

            /// Replaces the name.
            pub fn set_name($($receiver)+, name: impl Into<Cow<'static, str>>) {
                let name = name.into();
                $self.with_record(|record| record.set_name(name));
            }
        }
    };
}

setters!(Span, self: &mut self);
setters!(SpanScope, self: &self);

/// Sets the attribute `key` on the span this thread is in, if that is recorded.
pub fn set_attribute(key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
    let attribute = KeyValue::new(key, value);
    local::with_current(|record| record.set_attribute(attribute));
}

/// Adds an event that happens now to the span this thread is in, if that is recorded.
pub fn add_event(
    name: impl Into<Cow<'static, str>>,
    attributes: impl IntoIterator<Item = KeyValue>,
) {
    let name = name.into();
    local::with_current(|record| record.add_event(name, attributes));
}

/// Sets the status of the span this thread is in, if that is recorded.
pub fn set_status(status: Status) {
    local::with_current(|record| record.set_status(status));
}
