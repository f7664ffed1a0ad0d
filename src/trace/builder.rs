//! A span about to start.

use std::{borrow::Cow, mem::ManuallyDrop};

use super::{
    Link, SpanKind, local,
    seed::{self, Parent, Seed},
    span::{Apart, Span, SpanScope, Stay},
    start,
};
use crate::{
    clock::Ticks,
    context::{Context, SpanContext},
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
    let name = name.into();
    let kind = SpanKind::Internal;
    SpanBuilder {
        seed: Seed {
            name,
            kind,
            parent: Parent::Current,
            start: None,
            attributes: Vec::new(),
            links: None,
        },
    }
}

/// A span about to start.
///
/// What a sampler decides by is set here; the rest is set on the started span, where it costs
/// nothing if the span is not recorded.
#[derive(Clone, Debug)]
#[must_use = "a span starts with `start` or `enter`"]
pub struct SpanBuilder {
    pub(super) seed: Seed,
}

impl SpanBuilder {
    /// The kind; by default [`SpanKind::Internal`].
    #[inline]
    pub fn kind(mut self, kind: SpanKind) -> Self {
        self.seed.kind = kind;
        self
    }

    /// The parent, and the baggage that is current in the span; by default what is current on this thread.
    /// A context without a span makes this one a root, of the trace that the caller named, if it did. A
    /// [`SpanContext`] has no baggage. If the caller's request came with an id
    /// ([`RequestId`](super::propagator::RequestId)), it becomes the attribute `http.request.id`.
    ///
    /// Where no span is recorded (disabled, not started, shut down, on a muted thread), the parent
    /// itself is what is current in the scope, so that what a caller sent goes on as it came; a root
    /// has no context then.
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
    pub fn parent(mut self, parent: impl Into<Context>) -> Self {
        let parent = parent.into();
        if !parent.baggage().is_empty() && start::is_active() {
            self.seed.note_request(&parent);
        }
        self.seed.parent = Parent::Given(parent);
        self
    }

    /// Starts a new trace, whatever is current; the baggage stays.
    #[inline]
    pub fn root(mut self) -> Self {
        self.seed.parent = Parent::None;
        self
    }

    /// An attribute that the span starts with, which a sampler can decide by. What it need not see is
    /// better set on the started span: there it costs nothing if the span is not recorded. Where nothing
    /// is recorded at all (disabled, not started, shut down), it is not kept.
    ///
    /// # Examples
    ///
    /// ```
    /// let _request = bellwether::span("GET /orders").attribute("http.route", "/orders").enter();
    /// ```
    #[inline]
    pub fn attribute(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        if start::is_active() {
            self.put(KeyValue::new(key, value)); // A conversion may use spans.
        }
        self
    }

    fn put(&mut self, attribute: KeyValue) {
        if self.seed.attributes.capacity() == 0 {
            self.seed.attributes = local::take_attributes();
        }
        self.seed.attributes.push(attribute);
    }

    /// As [`attribute`](Self::attribute), where the builder lies: it is large, and most that move it leave
    /// it in memory.
    #[cfg(feature = "tower")]
    #[inline]
    pub(crate) fn begin_with(&mut self, key: &'static str, value: impl Into<Value>) {
        if start::is_active() {
            self.put(KeyValue::new(key, value));
        }
    }

    /// A link to a span that belongs with this one without being its parent, such as that of a message's
    /// producer; samplers see it. Where nothing is recorded at all, it is not kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::trace::SpanKind;
    ///
    /// # let messages: Vec<Vec<(String, String)>> = Vec::new();
    /// let producers = messages.iter().map(|headers| bellwether::extract(headers));
    /// let batch = bellwether::span("process orders").kind(SpanKind::Consumer);
    /// let batch = producers.fold(batch, |batch, producer| batch.link(producer));
    /// let _batch = batch.enter();
    /// ```
    pub fn link(mut self, context: impl Into<SpanContext>) -> Self {
        if start::is_active() {
            let link = Link::new(context.into(), Vec::new());
            self.seed.links.get_or_insert_default().0.push(link);
        }
        self
    }

    /// When it started, where that was read already; by default the clock is read.
    ///
    /// # Examples
    ///
    /// A span of what is over already, such as the time that a message waited in a queue:
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use bellwether::clock::{Ticks, Timestamp};
    ///
    /// let sent = SystemTime::now() - Duration::from_millis(250);
    /// let (sent, taken) = (Timestamp::from(sent), Timestamp::now());
    /// bellwether::span("orders wait").start_at(sent.into()).start().end_at(taken.into());
    /// # let _: Ticks = taken.into();
    /// ```
    #[inline]
    pub fn start_at(mut self, at: Ticks) -> Self {
        self.seed.start = Some(at);
        self
    }

    /// Starts the span and makes it current on this thread until the scope is dropped, which ends
    /// it.
    #[inline(always)]
    pub fn enter(self) -> SpanScope {
        SpanScope::of(self.stay())
    }

    /// Starts the span and enters it.
    #[inline(always)] // So that a builder is written to memory only where a span may start.
    pub(super) fn stay(self) -> Stay {
        let mut stay = Stay::Inherits;
        // Part by part: as a whole it would be copied, and be in memory also where no span starts.
        let Seed { name, kind, parent, start, attributes, links } = self.seed;
        if start::may_start(&parent) {
            let seed = Seed { name, kind, parent, start, attributes, links };
            let mut seed = ManuallyDrop::new(seed);
            if let Some(place) = start::push_new(&mut seed) {
                stay = Stay::At(place);
            } else if let Some(span) = Apart::taken() {
                stay = Stay::Apart(span);
            }
            if seed.owns() {
                clear(&mut seed);
            }
        } else {
            seed::discard(name, parent, attributes, links);
        }
        stay
    }

    /// Starts the span, to be moved to where its work is; current nowhere yet.
    #[must_use = "the span ends when it is dropped"]
    pub fn start(self) -> Span {
        Span { left: start::start(self.seed) }
    }
}

/// What changes a span in place that another library is about to start.
#[cfg(feature = "tracing")]
impl SpanBuilder {
    pub(crate) fn replace_parent(&mut self, parent: Context) {
        if !parent.baggage().is_empty() && start::is_active() {
            self.seed.note_request(&parent);
        }
        self.seed.parent = Parent::Given(parent);
    }

    pub(crate) fn replace_name(&mut self, name: impl Into<Cow<'static, str>>) {
        self.seed.name = name.into();
    }

    pub(crate) fn replace_kind(&mut self, kind: SpanKind) {
        self.seed.kind = kind;
    }

    /// Adds an attribute, which is made already.
    #[inline]
    pub(crate) fn add_attribute(&mut self, key: &'static str, value: Value) {
        if self.seed.attributes.capacity() == 0 {
            self.seed.attributes = local::take_attributes();
        }
        self.seed.attributes.push(KeyValue { key: Cow::Borrowed(key), value });
    }

    pub(crate) fn add_attributes(&mut self, attributes: Vec<KeyValue>) {
        self.seed.attributes.extend(attributes);
    }

    pub(crate) fn n_attributes(&self) -> usize {
        self.seed.attributes.len()
    }
}

/// Leaves nothing in a seed that would have to be dropped. The memory for attributes is kept.
#[cold] // Not that it were rare: the way past it is to stay short.
#[inline(never)]
fn clear(seed: &mut Seed) {
    let Seed { name, parent, attributes, links, .. } = seed.take();
    local::keep_attributes(attributes);
    drop((name, parent, links));
}
