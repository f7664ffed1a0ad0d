//! The current context, taken along to other threads and tasks.

use std::{fmt, marker::PhantomData};

use super::{
    local,
    stack::{Left, Place},
};
use crate::context::{self, Context};

impl Context {
    /// Makes this context current on this thread until the scope is dropped: spans that start there are
    /// children of its span, outgoing headers have its ids and its baggage.
    ///
    /// The span itself is not touched, and may have ended. While the context has the span that this thread
    /// is in anyway, only with other baggage, attributes still go to that span. A thread that is in 4,096
    /// scopes already stays in the context that it has.
    ///
    /// # Examples
    ///
    /// ```
    /// let context = bellwether::current();
    /// let baggage = context.baggage().with("tenant", "acme");
    /// let _scope = context.with_baggage(baggage).enter();
    /// assert_eq!(bellwether::current().baggage().get("tenant").as_deref(), Some("acme"));
    /// ```
    pub fn enter(&self) -> ContextScope {
        // Also where it is current: what made it so may be left first.
        let place = local::push(Left::Unrecorded(self.clone())).ok();
        ContextScope { place, not_send: PhantomData }
    }
}

/// A thread's stay in a context, made by [`Context::enter`]: what was current before is current again when
/// it is dropped. Scopes may be dropped in any order, as those of spans.
#[must_use = "the context is left when its scope is dropped"]
pub struct ContextScope {
    place: Option<Place>,             // None where the thread's stack is full.
    not_send: PhantomData<*const ()>, // It is a place on this thread's stack.
}

impl Drop for ContextScope {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            local::end(place, None);
        }
    }
}

impl fmt::Debug for ContextScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextScope").finish_non_exhaustive()
    }
}

/// A value that takes the context along in which it was wrapped: through a channel, a queue, an actor's
/// mailbox.
///
/// For closures that run on other threads there is [`carry`], for futures
/// [`in_current_span`](super::InSpan::in_current_span). To take a span itself along, move a
/// [`Span`](super::Span).
///
/// # Examples
///
/// ```
/// use bellwether::trace::Carried;
///
/// let (send, receive) = std::sync::mpsc::channel();
/// let order = bellwether::span("order").enter();
/// send.send(Carried::new("order 7"))?;
///
/// let worker = std::thread::spawn(move || {
///     let (order, _scope) = receive.recv().unwrap().enter();
///     let _packing = bellwether::span("packing").enter(); // A child of `order`.
///     order.len()
/// });
/// # worker.join().unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Carried<T> {
    value: T,
    context: Context,
}

impl<T> Carried<T> {
    /// `value` with the context that is current here.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self::with_context(value, context::current())
    }

    /// `value` with a context of its own, such as one that was [extracted](crate::extract).
    #[must_use]
    pub const fn with_context(value: T, context: Context) -> Self {
        Self { value, context }
    }

    /// The context.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// The value, while its context stays here.
    #[must_use]
    pub const fn value(&self) -> &T {
        &self.value
    }

    /// The value, and its context as the current one until the scope is dropped.
    pub fn enter(self) -> (T, ContextScope) {
        let scope = self.context.enter();
        (self.value, scope)
    }

    /// The value and the context.
    #[must_use]
    pub fn into_parts(self) -> (T, Context) {
        (self.value, self.context)
    }

    /// Another value made of this one, with the same context, which is current meanwhile.
    #[must_use]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Carried<U> {
        let value = {
            let _scope = self.context.enter();
            change(self.value)
        };
        Carried { value, context: self.context }
    }
}

/// The closure, to be run in the context that is current here: what `std::thread::spawn`,
/// `tokio::task::spawn_blocking`, a thread pool or `rayon::spawn` is given.
///
/// A closure that runs many times at once, as rayon's iterators take it, enters the context itself, by
/// [`Context::enter`].
///
/// # Examples
///
/// ```
/// let _report = bellwether::span("report").enter();
/// let trace = bellwether::current().trace_id();
/// let there = std::thread::spawn(bellwether::carry(|| bellwether::current().trace_id()));
/// assert_eq!(there.join().unwrap(), trace);
/// ```
pub fn carry<R, F: FnOnce() -> R>(work: F) -> impl FnOnce() -> R + use<R, F> {
    let carried = Carried::new(work);
    move || {
        let (work, _scope) = carried.enter();
        work()
    }
}
