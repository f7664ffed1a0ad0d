//! Exemplars of counters: the newest addition, with the span that made it or with labels of its own.

use super::{BoundCounter, BoundFloatCounter, Counter, FloatCounter};
use crate::{
    cells::{self, Space},
    label::{Dynamic, Labels, NoLabels},
    metric::{
        instrument::pairs,
        recorded::{Target, recorded},
        typed::With,
    },
    series::is_disabled,
};

macro_rules! exemplars {
    ($counter:ident, $bound:ident, $number:ty, $add:path, $is_added:expr) => {
        impl<L> $counter<L> {
            /// Lets the counter keep exemplars: the newest addition in a sampled span becomes the
            /// [exemplar](crate::metric::Series::exemplar) of its series. It leads from a count to a
            /// trace. If two instruments have one name, the first decides for both.
            ///
            /// Each addition then checks whether the current span is sampled. If it is, the addition
            /// takes a lock for a few nanoseconds; if another thread holds the lock, this exemplar is
            /// left out. Other counters pay nothing for exemplars.
            ///
            /// # Panics
            ///
            /// As [`unit`](Self::unit).
            ///
            /// # Examples
            ///
            /// ```
            /// use bellwether::{Counter, testing};
            ///
            /// static ORDERS: Counter = Counter::new("shop.orders", "Orders accepted").exemplars();
            ///
            /// let scope = testing::scope(); // Every span is sampled.
            /// let span = bellwether::span("order").enter();
            /// ORDERS.inc();
            /// drop(span);
            /// let snapshot = scope.snapshot();
            /// let series = &snapshot.family("shop.orders").unwrap().series()[0];
            /// assert_eq!(series.exemplar().unwrap().span_id(), scope.span("order").span_id());
            /// ```
            #[must_use]
            pub const fn exemplars(mut self) -> Self {
                self.instrument.exemplars();
                self
            }
        }

        recorded! {
            $counter, $bound {
                #[inline]
                /// Adds `n`, and keeps it as the exemplar of the series, with `labels` of its own.
                ///
                /// If the current span is sampled, its trace is part of the exemplar. The counter need
                /// not [keep exemplars](Self::exemplars) by itself. The call takes a lock and allocates.
                ///
                /// [`Histogram::record_with_exemplar`](crate::Histogram::record_with_exemplar) says
                /// which labels are kept. If nothing is added, no exemplar is kept.
                fn add_with_exemplar(n: $number, labels: &[(&str, &str)]) = |to, _| {
                    $add(to, n);
                    keep(to.recording_id(), $is_added(n), n as f64, labels);
                };
            }
        }
    };
}

exemplars!(Counter, BoundCounter, u64, super::add, |n: u64| n > 0);
exemplars!(FloatCounter, BoundFloatCounter, f64, super::add_float, |n: f64| n > 0.0
    && n.is_finite());

/// Keeps an exemplar of what was added to the series with the writing id `id`.
fn keep(id: u32, is_added: bool, n: f64, labels: &[(&str, &str)]) {
    if is_added && !is_disabled(id) {
        cells::keep_exemplar((Space::Sum, cells::series_id(id)), 0, n, labels);
    }
}
