//! How many lines a series has, and what the lines of a histogram or summary say beside the labels.

use std::{
    mem::{Discriminant, discriminant},
    slice,
    time::Duration,
};

use super::{
    Format,
    number::{push, put_canonical, put_f64},
};
use crate::metric::{
    BucketLayout, HistogramSnapshot, Reading, SeriesValue, SummarySnapshot, Unit,
    histogram::{
        ladder,
        octaves::{OctaveCounts, places_within},
    },
};

/// What the series of a family have in common beside their kind; as a rule a family has one.
#[derive(Debug)]
pub(super) enum Shape {
    /// One line, with a value of this kind.
    Value(Discriminant<SeriesValue>),
    /// One line that is always the same.
    Constant,
    /// A line for each bucket, for the sum and for the count.
    Buckets(Buckets),
    /// A line for each quantile of each window, for the sum and for the count.
    Windows(Vec<Window>),
}

/// The buckets that a page shows of a histogram.
#[derive(Debug)]
pub(super) struct Buckets {
    /// Ascending, without infinity.
    pub(super) bounds: Vec<f64>,
    /// The `le` of each bound, and `+Inf`.
    pub(super) texts: Vec<String>,
    /// How the histogram divides its values.
    layout: BucketLayout,
    /// For each bound the last cell that is not above it; none for one that is below all cells.
    last_cells: Vec<Option<u32>>,
    /// The same in places of an [`OctaveCounts`], where the layout is that of one: how many lie within
    /// each bound, and within infinity.
    places_within: Vec<usize>,
}

/// One sliding window of a summary.
#[derive(Debug)]
pub(super) struct Window {
    length: Duration,
    /// `10s`, `1m`.
    pub(super) text: String,
}

/// The quantiles that a page shows of each window, and their texts.
pub(super) const QUANTILES: [(f64, &str); 3] = [(0.5, "0.5"), (0.9, "0.9"), (0.99, "0.99")];

impl Shape {
    pub(super) fn of(value: &SeriesValue, unit: Unit, format: Format) -> Self {
        match value {
            SeriesValue::Histogram(histogram) => {
                Self::Buckets(Buckets::of(histogram, unit, format))
            }
            SeriesValue::Summary(summary) => {
                let window = |(length, _): &(Duration, _)| Window::new(*length);
                Self::Windows(summary.windows.iter().map(window).collect())
            }
            SeriesValue::Info => Self::Constant,
            _ => Self::Value(discriminant(value)),
        }
    }

    /// Whether a series with this value has this shape.
    #[inline(always)]
    pub(super) fn fits(&self, reading: Reading<'_>) -> bool {
        match (self, reading) {
            (Self::Value(kind), Reading::Counter(sum)) => {
                *kind == discriminant(&SeriesValue::Counter(sum))
            }
            (Self::Value(kind), Reading::Value(value)) => *kind == discriminant(value),
            (Self::Buckets(buckets), Reading::Octaves(_)) => {
                buckets.layout == BucketLayout::Exponential
            }
            (_, Reading::Value(value)) => self.fits_in_parts(value),
            _ => false,
        }
    }

    #[inline(never)]
    fn fits_in_parts(&self, value: &SeriesValue) -> bool {
        match (self, value) {
            (Self::Buckets(buckets), SeriesValue::Histogram(histogram)) => {
                buckets.layout == *histogram.layout()
            }
            (Self::Windows(windows), SeriesValue::Summary(summary)) => fit(windows, summary),
            (Self::Constant, SeriesValue::Info) => true,
            _ => false,
        }
    }
}

impl Buckets {
    fn of(histogram: &HistogramSnapshot, unit: Unit, format: Format) -> Self {
        let (bounds, layout) = (shown_bounds(histogram, unit), histogram.layout().clone());
        let put = if format == Format::OpenMetrics { put_canonical } else { put_f64 };
        let text = |&bound: &f64| {
            let mut text = Vec::new();
            push(&mut text, put, bound);
            String::from_utf8(text).unwrap_or_default()
        };
        let last_cells: Vec<_> =
            bounds.iter().map(|&bound| layout.last_bucket_within(bound)).collect();
        Self {
            bounds: bounds.to_vec(),
            texts: bounds.iter().chain(slice::from_ref(&f64::INFINITY)).map(text).collect(),
            places_within: places_within(&last_cells),
            last_cells,
            layout,
        }
    }

    /// Whether the buckets are the histogram's own, so that protobuf shows it in no other form.
    pub(super) fn are_explicit(&self) -> bool {
        matches!(self.layout, BucketLayout::Explicit(_))
    }

    /// The cumulative count of each bucket, that up to infinity last.
    pub(super) fn counts<'a>(&'a self, histogram: &'a HistogramSnapshot) -> Counts<'a> {
        let (cells, last_cells) = (histogram.cells(), self.last_cells.iter());
        Counts { cells, last_cells, below: 0, total: Some(histogram.count()) }
    }

    /// As [`counts`](Self::counts).
    pub(super) fn octave_counts<'a>(
        &'a self,
        octaves: &'a OctaveCounts,
    ) -> impl Iterator<Item = u64> + 'a {
        octaves.before(&self.places_within)
    }
}

/// The cumulative counts of a histogram's buckets.
pub(super) struct Counts<'a> {
    /// Those that are not counted yet.
    cells: &'a [(u32, u64)],
    last_cells: slice::Iter<'a, Option<u32>>,
    below: u64,
    total: Option<u64>,
}

impl Iterator for Counts<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        let Some(last) = self.last_cells.next() else { return self.total.take() };
        while let [(cell, count), rest @ ..] = self.cells
            && Some(*cell) <= *last
        {
            self.below += count;
            self.cells = rest;
        }
        Some(self.below)
    }
}

impl Window {
    fn new(length: Duration) -> Self {
        let seconds = length.as_secs();
        let text = match seconds {
            _ if length.subsec_nanos() != 0 => format!("{}ms", length.as_millis()),
            1.. if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
            1.. if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
            _ => format!("{seconds}s"),
        };
        Self { length, text }
    }
}

/// The bounds that a page shows of a histogram: its own if it was told any, else the ladder of its
/// unit.
fn shown_bounds(histogram: &HistogramSnapshot, unit: Unit) -> &[f64] {
    histogram.explicit_bounds().unwrap_or_else(|| ladder::bounds(unit))
}

fn fit(windows: &[Window], summary: &SummarySnapshot) -> bool {
    windows.iter().map(|window| window.length).eq(summary.windows.iter().map(|window| window.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_the_texts_of_durations() {
        for (millis, text) in [
            (10_000, "10s"),
            (60_000, "1m"),
            (300_000, "5m"),
            (90_000, "90s"),
            (7_200_000, "2h"),
            (1_500, "1500ms"),
            (0, "0s"),
        ] {
            assert_eq!(Window::new(Duration::from_millis(millis)).text, text);
        }
    }
}
