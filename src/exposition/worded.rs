//! Shown buckets with a text for each of their bounds, which families share.

use std::sync::Arc;

use super::ShownBuckets;
use crate::metric::{BucketLayout, PageBounds, Unit};

/// The buckets that are shown for histograms, and what stands for each bound.
#[derive(Debug)]
pub(crate) struct WordedBuckets<T> {
    pub(crate) shown: ShownBuckets,
    pub(crate) texts: Vec<T>,
}

/// All buckets that are in use.
#[derive(Debug)]
pub(crate) struct AllWorded<T>(Vec<Arc<WordedBuckets<T>>>);

impl<T> AllWorded<T> {
    /// The buckets of histograms of this layout and unit, with the bounds in `asked` or with their own; new
    /// ones get their texts from `text`.
    pub(crate) fn of(
        &mut self,
        layout: &BucketLayout,
        unit: Unit,
        asked: PageBounds,
        text: impl Fn(f64) -> T,
    ) -> Arc<WordedBuckets<T>> {
        if let Some(known) = self.0.iter().find(|known| known.shown.are(layout, unit, asked)) {
            return known.clone();
        }
        let shown = ShownBuckets::new(layout, unit, asked);
        let texts = shown.bounds().iter().map(|&bound| text(bound)).collect();
        let buckets = Arc::new(WordedBuckets { shown, texts });
        self.0.push(buckets.clone());
        buckets
    }

    /// Drops those that nobody uses.
    pub(crate) fn tidy(&mut self) {
        self.0.retain(|buckets| Arc::strong_count(buckets) > 1);
    }
}

impl<T> Default for AllWorded<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}
