//! What a histogram or a summary comes to, for formats that have numbers alone.

use crate::metric::{HistogramSnapshot, SummarySnapshot};

/// The names and values of the figures that there are, besides the count: `sum`, `min`, `max` and quantiles, `p50`
/// say. Those that are not finite are left out.
pub(crate) fn of_histogram(
    histogram: &HistogramSnapshot,
) -> impl Iterator<Item = (&'static str, f64)> {
    let figures = [
        ("sum", Some(histogram.sum())),
        ("min", histogram.min()),
        ("max", histogram.max()),
        ("p50", histogram.p50()),
        ("p90", histogram.p90()),
        ("p99", histogram.p99()),
    ];
    finite(figures)
}

/// As [`of_histogram`]; the quantiles are those of the shortest window.
pub(crate) fn of_summary(summary: &SummarySnapshot) -> impl Iterator<Item = (&'static str, f64)> {
    let window = summary.windows.first().map(|(_, window)| window);
    let figures = [
        ("sum", Some(summary.sum)),
        ("p50", window.and_then(HistogramSnapshot::p50)),
        ("p90", window.and_then(HistogramSnapshot::p90)),
        ("p99", window.and_then(HistogramSnapshot::p99)),
    ];
    finite(figures)
}

fn finite<const N: usize>(
    figures: [(&'static str, Option<f64>); N],
) -> impl Iterator<Item = (&'static str, f64)> {
    let finite =
        |(name, value): (_, Option<f64>)| Some((name, value?)).filter(|it| it.1.is_finite());
    figures.into_iter().filter_map(finite)
}

/// What stands for the values of a bucket. Of one without an end it is the other end.
#[cfg(any(feature = "statsd", feature = "emf", feature = "elasticsearch"))]
pub(crate) fn middle(lower: f64, upper: f64) -> f64 {
    match (lower.is_finite(), upper.is_finite()) {
        (true, true) => lower + (upper - lower) / 2.0,
        (true, false) => lower,
        _ => upper,
    }
}
