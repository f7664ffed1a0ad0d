//! The messages of a queue between two processes: their spans, which the context in their headers joins, and their lag.

use super::{Processing, Queue};
use crate::{
    clock::Timestamp,
    trace::{SpanBuilder, SpanKind, extract, propagator::Extractor, span},
};

/// Spans are named and have the attributes that OpenTelemetry's conventions for messaging say.
impl Queue {
    /// A span for sending a message, `send NAME`: while it is entered, [`inject`](crate::inject) writes its context into
    /// the headers of the message.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use bellwether::{bundle::Queue, context::Outcome};
    ///
    /// static ORDERS: Queue = Queue::new("orders");
    ///
    /// // One service sends …
    /// let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
    /// let sending = ORDERS.producer_span().enter();
    /// bellwether::inject(&mut headers);
    /// let sent = SystemTime::now();
    /// drop(sending);
    ///
    /// // … and another one reads.
    /// let work = ORDERS.take_sent(sent);
    /// let _span = ORDERS.consumer_span(&headers).enter();
    /// work.end(Outcome::Ok);
    /// ```
    pub fn producer_span(&self) -> SpanBuilder {
        let kind = SpanKind::Producer;
        self.span_of(&self.span_names().send, kind).attribute(TYPE, "send")
    }

    /// A span for the work on one message, `process NAME`: a child of the span that sent it, by the message's headers,
    /// with its baggage. Without headers of a span it is a root.
    ///
    /// So the trace goes on through the queue. Where the work should be a trace of its own that says where it comes
    /// from, because messages wait for hours say, a [`batch_span`](Self::batch_span) of one message is linked instead.
    pub fn consumer_span<C: Extractor + ?Sized>(&self, headers: &C) -> SpanBuilder {
        let kind = SpanKind::Consumer;
        let builder = self.span_of(&self.span_names().process, kind).attribute(TYPE, "process");
        builder.parent(extract(headers))
    }

    /// A span for the work on several messages at once, `process NAME`: linked to the span that sent each, by the
    /// message's headers. Its parent is the current span, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use bellwether::{bundle::Queue, context::Outcome};
    /// # static ORDERS: Queue = Queue::new("orders");
    /// # let messages: Vec<(Vec<(String, String)>, String)> = Vec::new();
    /// let _span = ORDERS.batch_span(messages.iter().map(|(headers, _body)| headers)).enter();
    /// for (_headers, _body) in &messages {
    ///     ORDERS.take(None).end(Outcome::Ok);
    /// }
    /// ```
    pub fn batch_span<C: Extractor>(&self, headers: impl IntoIterator<Item = C>) -> SpanBuilder {
        let kind = SpanKind::Consumer;
        let mut builder = self.span_of(&self.span_names().process, kind).attribute(TYPE, "process");
        let mut n_messages = 0_i64;
        for headers in headers {
            n_messages += 1;
            let producer = extract(&headers);
            if producer.span().is_valid() {
                builder = builder.link(producer);
            }
        }
        builder.attribute("messaging.batch.message_count", n_messages)
    }

    /// Counts a message out that came in elsewhere, at `sent` by the clock of whoever put it in: the time since then is
    /// its lag. A clock that is ahead of ours makes it zero.
    ///
    /// What says when a message was sent: the place of an entry of a Redis stream (its first half, in milliseconds), the
    /// property `timestamp` of AMQP (in seconds), the time of a message of JetStream or Kafka; or a header of yours.
    pub fn take_sent(&self, sent: impl Into<Timestamp>) -> Processing {
        self.take(Some(Timestamp::now().since(sent.into())))
    }

    fn span_of(&self, name: &'static str, kind: SpanKind) -> SpanBuilder {
        span(name).kind(kind).attribute("messaging.destination.name", self.name())
    }
}

const TYPE: &str = "messaging.operation.type";

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::{context::Outcome, testing};

    static QUEUE: Queue = Queue::new("orders");

    /// The headers of a message that a span sent, and what of the span is in them.
    fn sent() -> Vec<(String, Vec<u8>)> {
        let mut headers = Vec::new();
        let _sending = QUEUE.producer_span().enter();
        crate::inject(&mut headers);
        headers
    }

    #[test]
    fn the_work_on_a_message_is_a_child_of_what_sent_it() {
        let scope = testing::scope();
        let headers = sent();
        QUEUE.consumer_span(&headers).enter().end();
        let spans = scope.spans();
        let [send, process] = &spans[..] else { panic!("{spans:?}") };
        assert_eq!((send.name(), send.kind()), ("send orders", SpanKind::Producer));
        assert_eq!((process.name(), process.kind()), ("process orders", SpanKind::Consumer));
        assert_eq!(process.trace_id(), send.trace_id());
        assert_eq!(process.parent_span_id(), Some(send.span_id()));
        for (span, operation) in [(send, "send"), (process, "process")] {
            let attribute = |key: &str| {
                let found = span.attributes().iter().find(|one| one.key == key);
                found.map(|one| one.value.to_string())
            };
            assert_eq!(attribute("messaging.destination.name").as_deref(), Some("orders"));
            assert_eq!(attribute(TYPE).as_deref(), Some(operation));
        }
    }

    #[test]
    fn the_work_on_a_batch_is_linked_to_what_sent_each() {
        let scope = testing::scope();
        let messages = [sent(), Vec::new(), sent()];
        QUEUE.batch_span(&messages).enter().end();
        let spans = scope.spans();
        let [first, second, process] = &spans[..] else { panic!("{spans:?}") };
        assert_ne!(process.trace_id(), first.trace_id());
        assert_eq!(process.parent_span_id(), None);
        let linked: Vec<_> = process.links().iter().map(|link| link.context().span_id()).collect();
        assert_eq!(linked, [first.span_id(), second.span_id()]);
        let count = process.attributes().iter().find(|one| one.key.ends_with("message_count"));
        assert_eq!(count.unwrap().value.to_string(), "3");
    }

    #[test]
    fn the_lag_is_the_time_since_a_message_was_sent() {
        let scope = testing::scope();
        let sent = SystemTime::from(Timestamp::now());
        scope.advance(Duration::from_secs(3));
        QUEUE.take_sent(sent).end(Outcome::Ok);
        QUEUE.take_sent(sent + Duration::from_secs(60)).end(Outcome::Ok);
        let snapshot = scope.snapshot();
        let lag = snapshot.value("queue.lag", &[("queue.name", "orders")]).unwrap();
        let lag = lag.as_histogram().unwrap();
        assert_eq!((lag.count(), lag.sum(), lag.min()), (2, 3.0, Some(0.0)));
    }
}
