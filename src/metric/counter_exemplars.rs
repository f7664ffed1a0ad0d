//! Exemplars of counters: what was added last, with the span that added it or labels of one's own.

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
            /// The counter that keeps the newest addition in a span that is sampled as the
            /// [exemplar](crate::metric::Series::exemplar) of its series: the way from a count to a trace.
            /// Of two instruments of one name, the first says so for both.
            ///
            /// Each addition then asks whether the current span is sampled, and where it is takes a lock
            /// for a few nanoseconds, unless another thread has it: such an exemplar is left out. Other
            /// counters pay nothing for that.
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
                /// Where the current span is sampled, its trace is part of the exemplar. The counter need
                /// not [keep exemplars](Self::exemplars) by itself. It takes a lock and allocates.
                ///
                /// [`Histogram::record_with_exemplar`](crate::Histogram::record_with_exemplar) says which
                /// labels are kept. Where nothing is added, no exemplar is kept.
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

/// Keeps what was added to the series that `id` writes.
fn keep(id: u32, is_added: bool, n: f64, labels: &[(&str, &str)]) {
    if is_added && !is_disabled(id) {
        cells::keep_exemplar((Space::Sum, cells::series_id(id)), 0, n, labels);
    }
}
