//! A counter that also knows its rate over the last minutes.

use std::{fmt, marker::PhantomData, time::Duration};

use super::{
    counter::add,
    handle::Handle,
    instrument::{Instrument, pairs},
    recorded::{Known, recorded},
    typed::{With, typed_instrument},
};
use crate::{
    cells::{self, Baseline, SPANS, Space, per_second},
    clock,
    label::{AnyKeys, Dynamic, Labels, NoLabels},
    series::is_disabled,
    snapshot::{Kind, Unit},
};

typed_instrument! {
    /// A meter of events: a counter, and its rates per second over the last 10 s, 1 min and 5 min.
    ///
    /// Marking an event adds to a [`Counter`](crate::Counter). Every snapshot has the rates as a gauge
    /// `NAME.rate`. For each series of the counter it has three series, with the label `window`:
    /// `10s`, `1m` or `5m`. A throughput may have no label of its own with this key. Do not add up the
    /// rates of several processes; add up the counters. Each snapshot leaves a reading behind, once a
    /// second under a started telemetry, and rates are computed from these. So they cost nothing while
    /// events are marked.
    ///
    /// The family of the rates is registered and removed with that of the counter. A series keeps at
    /// most 39 readings of 16 bytes each.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::{label::Dynamic, metric::Throughput, testing};
    ///
    /// static ORDERS: Throughput = Throughput::new("shop.orders", "Orders accepted");
    /// static SENT: Throughput<Dynamic> = Throughput::dynamic("mail.sent", "Mails", &["to"]);
    ///
    /// let scope = testing::scope();
    /// for _ in 0..30 {
    ///     ORDERS.mark(5);
    ///     SENT.with_labels(&[("to", "acme")]).mark(2);
    ///     scope.advance(Duration::from_secs(1));
    ///     let _ = scope.snapshot(); // As a tick would.
    /// }
    /// assert_eq!(ORDERS.count(), 150);
    /// assert_eq!(ORDERS.rate(Duration::from_secs(10)), 5.0);
    /// scope.assert_value("shop.orders.rate", &[("window", "10s")], 5.0);
    /// scope.assert_value("mail.sent.rate", &[("to", "acme"), ("window", "10s")], 2.0);
    /// ```
    Throughput, BoundThroughput(()), Kind::Counter, of_rates
}

recorded! {
    Throughput, BoundThroughput {
        #[inline]
        /// Counts `n` events.
        fn mark(n: u64) = |to, _| add(to, n);
    }
}

/// The events that a [`Throughput`] counted within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    count: u64,
    covers: Duration,
}

impl<L> Throughput<L> {
    /// How many events were counted so far, in the scope of this thread.
    #[must_use]
    pub fn count(&self) -> u64
    where
        L: NoLabels,
    {
        self.bind(L::NONE).count()
    }

    /// Events per second over the last `window`; as [`BoundThroughput::rate`].
    #[must_use]
    pub fn rate(&self, window: Duration) -> f64
    where
        L: NoLabels,
    {
        self.bind(L::NONE).rate(window)
    }

    /// The events of the last `window`; as [`BoundThroughput::window`].
    #[must_use]
    pub fn window(&self, window: Duration) -> Marked
    where
        L: NoLabels,
    {
        self.bind(L::NONE).window(window)
    }

    /// The last 10 s, 1 min and 5 min, read at one instant.
    #[must_use]
    pub fn windows(&self) -> [Marked; 3]
    where
        L: NoLabels,
    {
        self.bind(L::NONE).windows()
    }
}

impl BoundThroughput {
    /// How many events were counted so far, in the scope of this thread.
    #[must_use]
    pub fn count(&self) -> u64 {
        cells::current_storage().reader().sum(self.0.series_id())
    }

    /// Events per second over the last `window`; [`window`](Self::window) also returns the time
    /// actually covered. Zero while no time has passed.
    #[must_use]
    pub fn rate(&self, window: Duration) -> f64 {
        self.window(window).rate()
    }

    /// The events of the last `window`, of at most 5 minutes. A longer window goes back as far as
    /// there are readings.
    ///
    /// It reads the clock and the series, under a lock; it is not for the hot path.
    #[must_use]
    pub fn window(&self, window: Duration) -> Marked {
        let [marked] = self.read([window]);
        marked
    }

    /// The last 10 s, 1 min and 5 min, read at one instant.
    #[must_use]
    pub fn windows(&self) -> [Marked; 3] {
        self.read(SPANS.map(|(span, _)| span))
    }

    fn read<const N: usize>(&self, windows: [Duration; N]) -> [Marked; N] {
        let id = self.0.series_id();
        if is_disabled(id) {
            return windows.map(|_| Marked { count: 0, covers: Duration::ZERO });
        }
        let storage = cells::current_storage();
        let reader = storage.reader();
        let zero = self.0.made().max(reader.removed_at(Space::Sum, id));
        let (now, count) = (clock::now(), reader.sum(id));
        let since = (storage.started(), zero);
        let before = storage.sliding().sums_before(id, since, (now, count), windows);
        before.map(|Baseline { value, age, .. }| Marked {
            count: count.saturating_sub(value), // Another thread may have read later.
            covers: age,
        })
    }
}

impl Marked {
    /// How many events were counted.
    #[must_use]
    pub fn count(self) -> u64 {
        self.count
    }

    /// The time that they cover. It is shorter than the window if the process is younger. With a
    /// reading each second it is up to a tenth longer, and longer still after a gap.
    #[must_use]
    pub fn covers(self) -> Duration {
        self.covers
    }

    /// Events per second; zero while no time has passed.
    #[must_use]
    pub fn rate(self) -> f64 {
        per_second(self.count, self.covers)
    }
}
