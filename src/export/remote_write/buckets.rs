//! The buckets of histograms with the texts of their bounds, which families share.

use std::sync::Arc;

use crate::{
    export::wire::number::{Room, put_canonical},
    exposition::ShownBuckets,
    metric::{BucketLayout, PageBounds, Unit},
};

/// The buckets that are shown for histograms.
#[derive(Debug)]
pub(super) struct Buckets {
    pub(super) shown: ShownBuckets,
    /// The value of `le` for each bound, as Prometheus 3 keeps it: `1.0`.
    pub(super) texts: Vec<String>,
}

/// All buckets that are in use.
#[derive(Debug, Default)]
pub(super) struct AllBuckets(Vec<Arc<Buckets>>);

impl AllBuckets {
    /// The buckets of histograms of this layout and unit, with the bounds in `asked` or with their own.
    pub(super) fn of(
        &mut self,
        layout: &BucketLayout,
        unit: Unit,
        asked: PageBounds,
    ) -> Arc<Buckets> {
        if let Some(known) = self.0.iter().find(|known| known.shown.are(layout, unit, asked)) {
            return known.clone();
        }
        let shown = ShownBuckets::new(layout, unit, asked);
        let text = |&bound: &f64| {
            let mut room = Room::default();
            let len = put_canonical(&mut room, bound);
            String::from_utf8_lossy(&room[..len]).into_owned()
        };
        let texts = shown.bounds().iter().map(text).collect();
        let buckets = Arc::new(Buckets { shown, texts });
        self.0.push(buckets.clone());
        buckets
    }

    /// Drops those that nobody uses.
    pub(super) fn tidy(&mut self) {
        self.0.retain(|buckets| Arc::strong_count(buckets) > 1);
    }
}
