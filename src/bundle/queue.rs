//! A queue: whether its consumer keeps up, and how far behind it is.

use std::time::Duration;

use bellwether_macros::Labels;

use super::{Begun, Bound, set};
use crate::{
    context::{self, Outcome},
    metric::{
        BoundCounter, BoundGauge, BoundHistogram, BoundUpDownCounter, Counter, Gauge, Held,
        Histogram, Unit, UpDownCounter, Window,
    },
};

/// A queue of messages or jobs, by its name: a queue of this process, or its end of a broker's queue.
///
/// Records `queue.in`, `queue.out` and `queue.dropped`, `queue.length`, `queue.lag` (the time from
/// entering to leaving), `queue.oldest.age`, `queue.processing.duration` by `outcome`, and
/// `queue.processing.active`, all by `queue.name`. A [`Ticket`] that travels with the message does most
/// of it. For a broker's queue, whose messages come from elsewhere, set its [length](Self::set_length)
/// and [the age of the oldest](Self::set_oldest), and count with [`take`](Self::take), or with
/// [`take_sent`](Self::take_sent) where a message says when it was sent. The spans of its messages are a
/// [`producer_span`](Self::producer_span), which is the parent of a [`consumer_span`](Self::consumer_span) in another
/// process, or linked to a [`batch_span`](Self::batch_span).
///
/// # What to alert on
///
/// The consumer is behind: messages are old when they come out, or do not come out at all.
///
/// ```promql
/// histogram_quantile(0.99, sum by (le, queue_name) (rate(queue_lag_seconds_bucket[5m]))) > 30
///
/// sum by (queue_name) (queue_length) > 0 and sum by (queue_name) (rate(queue_out_total[5m])) == 0
///
/// max by (queue_name) (queue_oldest_age_seconds) > 60
/// ```
///
/// It will not catch up: more comes in than goes out.
///
/// ```promql
/// sum by (queue_name) (rate(queue_in_total[15m]))
///   > 1.1 * sum by (queue_name) (rate(queue_out_total[15m]))
/// ```
///
/// Messages are lost, or fail:
///
/// ```promql
/// sum by (queue_name) (increase(queue_dropped_total[5m])) > 0
///
/// sum by (queue_name) (rate(queue_processing_duration_seconds_count{outcome=~"error|panic"}[5m]))
///   / sum by (queue_name) (rate(queue_processing_duration_seconds_count[5m])) > 0.05
/// ```
///
/// # Examples
///
/// ```
/// use std::{collections::VecDeque, time::Duration};
/// use bellwether::{bundle::Queue, context::Outcome, testing};
///
/// static JOBS: Queue = Queue::new("jobs");
///
/// let scope = testing::scope();
/// let mut queue = VecDeque::from([("job", JOBS.enter())]);
/// assert_eq!(JOBS.length(), 1);
/// scope.advance(Duration::from_secs(2));
///
/// let (_job, ticket) = queue.pop_front().unwrap();
/// let processing = ticket.leave();
/// assert_eq!(JOBS.length(), 0);
/// processing.end(Outcome::Ok);
///
/// scope.assert_value("queue.out", &[("queue.name", "jobs")], 1.0);
/// let snapshot = scope.snapshot();
/// let lag = snapshot.value("queue.lag", &[("queue.name", "jobs")]).unwrap();
/// assert_eq!(lag.as_histogram().unwrap().sum(), 2.0);
/// ```
#[derive(Debug)]
pub struct Queue {
    name: &'static str,
    offered: Counter<Named>,
    taken: Counter<Named>,
    dropped: Counter<Named>,
    length: UpDownCounter<Named>,
    lag: Histogram<Named>,
    oldest: Gauge<Named>,
    processing: Histogram<Processed>,
    active: UpDownCounter<Named>,
    bound: Bound<Series>,
    spans: Bound<SpanNames>,
}

/// What the spans of a queue's messages are called.
#[derive(Debug)]
pub(super) struct SpanNames {
    pub(super) send: String,
    pub(super) process: String,
}

/// A message's stay in a queue. If it is dropped without [`leave`](Self::leave), the message was
/// dropped.
#[derive(Debug)]
#[must_use = "a ticket that is dropped stands for a message that was dropped"]
pub struct Ticket {
    series: &'static Series,
    begun: Begun,
    waiting: Option<Held>, // `None` once the message has left.
}

/// A message being processed. If it is dropped without [`end`](Self::end), the outcome is `cancelled`,
/// or `panic` if a panic unwinds.
#[derive(Debug)]
#[must_use = "work that is dropped without an outcome was cancelled"]
pub struct Processing {
    series: &'static Series,
    begun: Begun,
    outcome: Option<Outcome>,
    _active: Held,
}

impl Queue {
    /// A queue for a static, by its name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        let message = Unit::new("{message}");
        Self {
            name,
            offered: Counter::new("queue.in", "Messages that came in").unit(message),
            taken: Counter::new("queue.out", "Messages that were taken out").unit(message),
            dropped: Counter::new("queue.dropped", "Messages that nobody took").unit(message),
            length: UpDownCounter::new("queue.length", "Messages in the queue").unit(message),
            lag: Histogram::new("queue.lag", "Time from the way in to the way out")
                .unit(Unit::Seconds),
            oldest: Gauge::new("queue.oldest.age", "Age of the oldest message, as told")
                .unit(Unit::Seconds),
            processing: Histogram::new("queue.processing.duration", "Time to process a message")
                .unit(Unit::Seconds),
            active: UpDownCounter::new("queue.processing.active", "Messages being processed")
                .unit(message),
            bound: Bound::new(),
            spans: Bound::new(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn span_names(&self) -> &'static SpanNames {
        let name = self.name;
        let of = |verb: &str| format!("{verb} {name}");
        self.spans.get(|| SpanNames { send: of("send"), process: of("process") })
    }

    /// Counts a message in. Keep the ticket with the message, so that its time in the queue is known.
    pub fn enter(&self) -> Ticket {
        let series = self.series();
        series.offered.inc();
        Ticket { series, begun: Begun::now(), waiting: Some(series.length.hold()) }
    }

    /// Counts a message out that came in elsewhere, `lag` ago if that is known.
    pub fn take(&self, lag: Option<Duration>) -> Processing {
        let series = self.series();
        if let Some(lag) = lag {
            series.lag.record(lag.as_secs_f64());
        }
        series.process()
    }

    /// Sets the length of a queue that counts by itself, instead of tickets.
    pub fn set_length(&self, n: u64) {
        set(&self.series().length, n);
    }

    /// Sets the age of the oldest message; zero for an empty queue.
    pub fn set_oldest(&self, age: Duration) {
        self.series().oldest.set(age.as_secs_f64());
    }

    /// How many messages are in it, in the scope of this thread.
    #[must_use]
    pub fn length(&self) -> i64 {
        self.series().length.value()
    }

    /// How many messages a second its consumers took within a window; `None` if the window has no
    /// length or the queue had no message yet.
    #[must_use]
    pub fn speed(&self, window: &Window) -> Option<f64> {
        window.rate("queue.out", &[("queue.name", self.name)])
    }

    fn series(&self) -> &'static Series {
        let queue = self.name;
        let processing = |outcome| self.processing.bind(Processed { queue, outcome });
        self.bound.get(|| Series {
            offered: self.offered.bind(Named { queue }),
            taken: self.taken.bind(Named { queue }),
            dropped: self.dropped.bind(Named { queue }),
            length: self.length.bind(Named { queue }),
            lag: self.lag.bind(Named { queue }),
            oldest: self.oldest.bind(Named { queue }),
            processing: OUTCOMES.map(processing),
            active: self.active.bind(Named { queue }),
        })
    }
}

impl Ticket {
    /// Counts the message out, and begins to process it.
    pub fn leave(mut self) -> Processing {
        self.waiting = None;
        self.series.lag.record(self.begun.seconds());
        self.series.process()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.waiting.is_some() {
            self.series.dropped.inc();
        }
    }
}

impl Processing {
    /// Ends the work.
    pub fn end(mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Processing {
    fn drop(&mut self) {
        let outcome = self.outcome.unwrap_or_else(|| self.begun.abandoned());
        self.series.processing[outcome as usize].record(self.begun.seconds());
    }
}

/// The series of one queue.
#[derive(Debug)]
struct Series {
    offered: BoundCounter,
    taken: BoundCounter,
    dropped: BoundCounter,
    length: BoundUpDownCounter,
    lag: BoundHistogram,
    oldest: BoundGauge,
    processing: [BoundHistogram; OUTCOMES.len()],
    active: BoundUpDownCounter,
}

impl Series {
    fn process(&'static self) -> Processing {
        self.taken.inc();
        context::note_measured();
        Processing { series: self, begun: Begun::now(), outcome: None, _active: self.active.hold() }
    }
}

/// In the order of their indices.
const OUTCOMES: [Outcome; 4] = [Outcome::Ok, Outcome::Error, Outcome::Panic, Outcome::Cancelled];

#[derive(Labels, Debug)]
struct Named {
    #[label(name = "queue.name")]
    queue: &'static str,
}

#[derive(Labels, Debug)]
struct Processed {
    #[label(name = "queue.name")]
    queue: &'static str,
    outcome: Outcome,
}

#[cfg(test)]
mod tests {
    use std::panic;

    use super::*;
    use crate::testing;

    static QUEUE: Queue = Queue::new("test");
    const NAMED: &[(&str, &str)] = &[("queue.name", "test")];
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn messages_are_counted_in_and_out_with_the_time_in_between() {
        let scope = testing::scope();
        let tickets = [QUEUE.enter(), QUEUE.enter(), QUEUE.enter()];
        scope.advance(SECOND * 2);
        let [first, second, _dropped] = tickets;
        assert_eq!(QUEUE.length(), 3);
        let (first, second) = (first.leave(), second.leave());
        assert_eq!(QUEUE.length(), 1);
        scope.assert_value("queue.processing.active", NAMED, 2.0);
        scope.advance(SECOND);
        first.end(Outcome::Ok);
        second.end(Outcome::Error);
        for (name, value) in
            [("queue.in", 3.0), ("queue.out", 2.0), ("queue.lag", 2.0), ("queue.length", 1.0)]
        {
            scope.assert_value(name, NAMED, value);
        }
        for outcome in ["ok", "error"] {
            let labels = [NAMED[0], ("outcome", outcome)];
            scope.assert_value("queue.processing.duration", &labels, 1.0);
        }
        scope.assert_value("queue.processing.active", NAMED, 0.0);
    }

    #[test]
    fn a_message_that_nobody_takes_was_dropped() {
        let scope = testing::scope();
        drop(QUEUE.enter());
        scope.assert_value("queue.dropped", NAMED, 1.0);
        assert_eq!((QUEUE.length(), scope.value("queue.out", NAMED)), (0, 0.0));
    }

    #[test]
    fn work_that_panics_or_is_dropped_is_over_and_told_apart() {
        let scope = testing::scope();
        let panicking = panic::catch_unwind(|| {
            let _work = QUEUE.enter().leave();
            panic::resume_unwind(Box::new(()));
        });
        assert!(panicking.is_err());
        drop(QUEUE.take(Some(SECOND * 5)));
        for outcome in ["panic", "cancelled"] {
            let labels = [NAMED[0], ("outcome", outcome)];
            scope.assert_value("queue.processing.duration", &labels, 1.0);
        }
        scope.assert_value("queue.processing.active", NAMED, 0.0);
        scope.assert_value("queue.lag", NAMED, 2.0);
    }

    #[test]
    fn a_brokers_queue_is_as_long_and_old_as_told() {
        let scope = testing::scope();
        QUEUE.set_length(40);
        QUEUE.set_length(30);
        QUEUE.set_oldest(SECOND * 7);
        scope.assert_value("queue.length", NAMED, 30.0);
        scope.assert_value("queue.oldest.age", NAMED, 7.0);
    }

    #[test]
    fn the_speed_of_the_consumers_is_what_they_took_in_a_window() {
        let scope = testing::scope();
        let earlier = scope.snapshot();
        (0..20).for_each(|_| QUEUE.take(None).end(Outcome::Ok));
        scope.advance(SECOND * 10);
        assert_eq!(QUEUE.speed(&scope.snapshot().since(&earlier)), Some(2.0));
    }
}
