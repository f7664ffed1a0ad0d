//! What the lines of a histogram or summary say beside the labels.

use std::{sync::Arc, time::Duration};

use super::{
    Format,
    buffer::Buffer,
    number::{put_canonical, put_f64, put_u64},
};
use crate::{
    cells::histogram::cuts::Cuts,
    metric::{BucketLayout, Exemplar, PageBounds, Unit},
    snapshot::histogram::ladder,
};

/// The buckets that a page shows of histograms.
#[derive(Debug)]
pub(super) struct Buckets {
    /// How the histograms divide their values.
    layout: BucketLayout,
    unit: Unit,
    asked: PageBounds,
    /// Ascending, and infinity.
    pub(super) bounds: Vec<f64>,
    /// For each bound `le="0.5"} `, the end of a line before its number.
    pub(super) texts: Vec<Buffer>,
    pub(super) cuts: Arc<Cuts>,
}

/// All the buckets of a page; families share them.
#[derive(Debug, Default)]
pub(super) struct AllBuckets(Vec<Arc<Buckets>>);

impl AllBuckets {
    /// The buckets of histograms of this layout and unit, which show the bounds that were `asked` for
    /// or their own.
    pub(super) fn of(
        &mut self,
        layout: &BucketLayout,
        unit: Unit,
        asked: PageBounds,
        format: Format,
    ) -> Arc<Buckets> {
        let known = self
            .0
            .iter()
            .find(|known| known.layout == *layout && (known.unit, known.asked) == (unit, asked));
        if let Some(known) = known {
            return known.clone();
        }
        let buckets = Arc::new(Buckets::new(layout, unit, asked, format));
        self.0.push(buckets.clone());
        buckets
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Buckets {
    fn new(layout: &BucketLayout, unit: Unit, asked: PageBounds, format: Format) -> Self {
        let mut bounds = match layout {
            BucketLayout::Explicit(bounds) => bounds.to_vec(),
            _ => ladder::bounds(unit, asked).into_owned(),
        };
        let cuts = Arc::new(Cuts::new(layout, &bounds));
        bounds.push(f64::INFINITY);
        let put = if format == Format::OpenMetrics { put_canonical } else { put_f64 };
        let text = |&bound: &f64| {
            let mut text = Buffer::default();
            text.push(b"le=\"");
            text.number(put, bound);
            text.push(b"\"} ");
            text
        };
        let texts = bounds.iter().map(text).collect();
        Self { layout: layout.clone(), unit, asked, bounds, texts, cuts }
    }

    /// Whether they are those of histograms of this layout.
    pub(super) fn are_of(&self, layout: &BucketLayout) -> bool {
        self.layout == *layout
    }

    /// Whether the buckets are the histogram's own, so that protobuf shows it in no other form.
    pub(super) fn are_explicit(&self) -> bool {
        matches!(self.layout, BucketLayout::Explicit(_))
    }

    /// For each bucket the newest of `exemplars`, which are sorted by value.
    pub(super) fn exemplars<'a>(
        &'a self,
        mut exemplars: &'a [Exemplar],
    ) -> impl Iterator<Item = Option<&'a Exemplar>> {
        self.bounds.iter().map(move |&bound| {
            let end = exemplars.partition_point(|one| one.value() <= bound);
            let (within, above) = exemplars.split_at(end);
            exemplars = above;
            within.iter().max_by_key(|one| one.taken())
        })
    }
}

/// The quantiles that a page shows of each window of a summary, and their texts.
pub(super) const QUANTILES: [(f64, &[u8]); 3] = [(0.5, b"0.5"), (0.9, b"0.9"), (0.99, b"0.99")];

/// Appends the length of a window: `10s`, `1m`.
pub(super) fn push_window(to: &mut Buffer, length: Duration) {
    let seconds = length.as_secs();
    let (number, unit): (u64, &[u8]) = match seconds {
        _ if length.subsec_nanos() != 0 => (length.as_millis() as u64, b"ms"),
        1.. if seconds.is_multiple_of(3600) => (seconds / 3600, b"h"),
        1.. if seconds.is_multiple_of(60) => (seconds / 60, b"m"),
        _ => (seconds, b"s"),
    };
    to.number(put_u64, number);
    to.push(unit);
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
            let mut buffer = Buffer::default();
            push_window(&mut buffer, Duration::from_millis(millis));
            assert_eq!(buffer.as_slice(), text.as_bytes());
        }
    }
}
