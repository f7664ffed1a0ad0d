//! `X-Request-ID`, the id that proxies and callers give a request.

use std::borrow::Cow;

use super::{Extractor, Injector, Propagator, fields::first};
use crate::context::{Baggage, Context};

/// The header `X-Request-ID`, joined to the trace.
///
/// The id that came in goes out unchanged with every request that is made meanwhile, and the span that is
/// started with the caller's context as its parent has it as the attribute `http.request.id`. So the trace
/// is found by the id that a proxy has in its log. There is no standard for this header; an id is 1 to 256
/// printable ASCII characters without spaces, and another one is ignored.
///
/// In between it is a [local](Baggage::with_local) entry of the baggage, `http.request.id`: the header
/// `baggage` does not have it.
///
/// Add it to other propagators: it has no span.
///
/// # Examples
///
/// ```
/// use bellwether::{
///     inject, span,
///     trace::propagator::{Propagators, RequestId},
/// };
///
/// let propagators = Propagators::default().with(RequestId::new().generated());
/// let telemetry = bellwether::builder("shop").propagators(propagators).start()?;
///
/// let caller = bellwether::extract(&[("X-Request-ID", "7b5dc8e3-1")]);
/// let _request = span("GET /").parent(caller).enter();
/// let mut outgoing: Vec<(String, String)> = Vec::new();
/// inject(&mut outgoing);
/// assert!(outgoing.contains(&("x-request-id".into(), "7b5dc8e3-1".into())));
/// // For a log, or for the answer to the caller.
/// let id = RequestId::new().of(&bellwether::current()).map(|id| id.into_owned());
/// assert_eq!(id.as_deref(), Some("7b5dc8e3-1"));
/// # drop(telemetry);
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RequestId {
    absent: Absent,
}

/// What goes out where no id came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Absent {
    #[default]
    Nothing,
    TraceId,
}

const HEADER: &str = "x-request-id";
/// The most bytes of an id: a few times what any known form has, and little to keep.
const MAX_BYTES: usize = 256;

impl RequestId {
    /// An id goes out if one came in.
    #[must_use]
    pub const fn new() -> Self {
        Self { absent: Absent::Nothing }
    }

    /// Where no id came in, the trace id goes out, as 32 hex digits.
    #[must_use]
    pub const fn generated(self) -> Self {
        Self { absent: Absent::TraceId }
    }

    /// The id that goes out with `context`.
    #[must_use]
    pub fn of<'a>(&self, context: &'a Context) -> Option<Cow<'a, str>> {
        context.baggage().request_id().or_else(|| match self.absent {
            Absent::TraceId if context.span().is_valid() => {
                Some(context.trace_id().to_string().into())
            }
            _ => None,
        })
    }
}

impl Propagator for RequestId {
    fn extract(&self, carrier: &dyn Extractor) -> Context {
        let id = first(carrier, HEADER).filter(|id| is_legal(id));
        let id = id.and_then(|id| std::str::from_utf8(id).ok());
        let baggage = id.map_or(Baggage::EMPTY, Baggage::of_request_id);
        Context::NONE.with_baggage(baggage)
    }

    fn inject(&self, context: &Context, carrier: &mut dyn Injector) {
        if let Some(id) = self.of(context) {
            carrier.set(HEADER, &id);
        }
    }
}

fn is_legal(id: &[u8]) -> bool {
    (1..=MAX_BYTES).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}
