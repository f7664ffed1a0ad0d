//! The buckets of a histogram that are shown, each as a sample with the label `le`.

use std::sync::Arc;

use crate::{
    cells::histogram::cuts::Cuts,
    metric::{BucketLayout, Exemplar, PageBounds, Unit},
    snapshot::histogram::ladder,
};

/// The buckets that are shown for histograms.
#[derive(Debug)]
pub(crate) struct ShownBuckets {
    /// How the histograms divide their values.
    layout: BucketLayout,
    unit: Unit,
    asked: PageBounds,
    bounds: Vec<f64>, // Invariant: ascending, and infinity.
    cuts: Arc<Cuts>,
}

impl ShownBuckets {
    /// The buckets of histograms of this layout and unit, with the bounds in `asked` or with their own.
    pub(crate) fn new(layout: &BucketLayout, unit: Unit, asked: PageBounds) -> Self {
        let mut bounds = match layout {
            BucketLayout::Explicit(bounds) => bounds.to_vec(),
            _ => ladder::bounds(unit, asked).into_owned(),
        };
        let cuts = Arc::new(Cuts::new(layout, &bounds));
        bounds.push(f64::INFINITY);
        Self { layout: layout.clone(), unit, asked, bounds, cuts }
    }

    /// Whether they belong to histograms of this layout and unit with the bounds in `asked`.
    pub(crate) fn are(&self, layout: &BucketLayout, unit: Unit, asked: PageBounds) -> bool {
        self.layout == *layout && (self.unit, self.asked) == (unit, asked)
    }

    /// Whether they belong to histograms of this layout.
    pub(crate) fn are_of(&self, layout: &BucketLayout) -> bool {
        self.layout == *layout
    }

    /// Whether the buckets are the histogram's own, so that it has no finer form.
    pub(crate) fn are_explicit(&self) -> bool {
        matches!(self.layout, BucketLayout::Explicit(_))
    }

    /// The bounds, ascending; the last one is infinity.
    pub(crate) fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// The cuts by which the values of a histogram are counted.
    pub(crate) fn cuts(&self) -> &Arc<Cuts> {
        &self.cuts
    }

    /// For each bucket, the newest of `exemplars`, which are sorted by value.
    pub(crate) fn exemplars<'a>(
        &'a self,
        mut exemplars: &'a [Exemplar],
    ) -> impl Iterator<Item = Option<&'a Exemplar>> {
        self.bounds.iter().map(move |&bound| {
            let end = exemplars.partition_point(|one| one.value() <= bound);
            let (within, above) = exemplars.split_at(end);
            exemplars = above;
            within.iter().max_by_key(|one| one.age())
        })
    }
}
