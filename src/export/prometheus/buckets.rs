//! The texts of the buckets that a page shows for histograms.

use std::sync::Arc;

use super::{Format, buffer::Buffer};
use crate::{
    export::wire::number::{put_canonical, put_f64},
    exposition::ShownBuckets,
    metric::{BucketLayout, PageBounds, Unit},
};

/// The buckets that a page shows for histograms.
#[derive(Debug)]
pub(super) struct Buckets {
    pub(super) shown: ShownBuckets,
    /// For each bound `le="0.5"} `: the end of a line, before its number.
    pub(super) texts: Vec<Buffer>,
}

/// All the buckets of a page; families share them.
#[derive(Debug, Default)]
pub(super) struct AllBuckets(Vec<Arc<Buckets>>);

impl AllBuckets {
    /// The buckets of histograms of this layout and unit, with the bounds in `asked` or with their own.
    pub(super) fn of(
        &mut self,
        layout: &BucketLayout,
        unit: Unit,
        asked: PageBounds,
        format: Format,
    ) -> Arc<Buckets> {
        let known = self.0.iter().find(|known| known.shown.are(layout, unit, asked));
        if let Some(known) = known {
            return known.clone();
        }
        let buckets = Arc::new(Buckets::new(ShownBuckets::new(layout, unit, asked), format));
        self.0.push(buckets.clone());
        buckets
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Buckets {
    fn new(shown: ShownBuckets, format: Format) -> Self {
        let put = if format == Format::OpenMetrics { put_canonical } else { put_f64 };
        let text = |&bound: &f64| {
            let mut text = Buffer::default();
            text.push(b"le=\"");
            text.number(put, bound);
            text.push(b"\"} ");
            text
        };
        let texts = shown.bounds().iter().map(text).collect();
        Self { shown, texts }
    }
}
