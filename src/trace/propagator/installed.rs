//! The propagators of the process.

use std::sync::Arc;

use super::{Extractor, Injector, Propagator, Propagators, baggage, w3c};
use crate::{
    context::{self, Context},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// Reads the caller's context from its headers; [`Context::NONE`] if they have no valid one.
///
/// # Examples
///
/// ```
/// let headers = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
/// let caller = bellwether::extract(&headers);
/// assert_eq!(caller.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
/// assert!(caller.span().is_remote() && caller.span().is_sampled());
/// ```
#[must_use]
pub fn extract<C: Extractor + ?Sized>(carrier: &C) -> Context {
    match others() {
        None => Context::new(w3c::read(carrier), baggage::read(carrier)),
        Some(propagators) => propagators.extract(&carrier),
    }
}

/// Writes the current context to outgoing headers; outside of any span, and without baggage, it leaves
/// them as they are.
///
/// Where no span is recorded, the current context is the one that a span was given as its parent: what
/// [`extract`] read of a caller goes on, ids, flags, state and baggage.
///
/// # Examples
///
/// ```
/// use std::collections::HashMap;
///
/// let mut headers: HashMap<String, String> = HashMap::new();
/// bellwether::inject(&mut headers);
/// assert!(headers.is_empty()); // No span is current here.
/// ```
pub fn inject<C: Injector + ?Sized>(carrier: &mut C) {
    inject_context(&context::current(), carrier);
}

/// Writes `context` to outgoing headers. Without a span, or without baggage, it leaves the headers of
/// that as they are.
pub fn inject_context<C: Injector + ?Sized>(context: &Context, mut carrier: &mut C) {
    match others() {
        None => {
            w3c::write(context.span(), carrier);
            baggage::write(context.baggage(), carrier);
        }
        Some(propagators) => propagators.inject(context, &mut carrier),
    }
}

/// Makes `propagators` those of the process; `None` are the default ones.
pub(crate) fn install(propagators: Option<Propagators>) {
    let mut installed = INSTALLED.lock();
    // Relaxed: what it announces is read under the lock.
    ARE_OTHERS.store(propagators.is_some(), Relaxed);
    *installed = propagators.map(Arc::new);
}

/// Those of the process, if they are not the default ones.
#[inline]
fn others() -> Option<Arc<Propagators>> {
    if ARE_OTHERS.load(Relaxed) { INSTALLED.lock().clone() } else { None }
}

static ARE_OTHERS: AtomicBool = AtomicBool::new(false);
/// No lock is taken inside it.
static INSTALLED: Mutex<Option<Arc<Propagators>>> = Mutex::new(None);
