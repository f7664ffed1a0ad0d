//! The layout of the buckets of a snapshot, and what their numbers mean.

use std::borrow::Cow;

use super::{
    aggregation::{Aggregation, bounds_fault},
    hdr, layout,
};

/// How the buckets of a [`HistogramSnapshot`](super::HistogramSnapshot) are divided.
///
/// Buckets are numbered from zero, in the order of their values.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum BucketLayout {
    /// Bucket 0 holds zero, bucket 1 the values above zero and at most 2^-30, bucket 4,482 the values
    /// above 2^40. Between them are the buckets of an OpenTelemetry exponential histogram at scale 6,
    /// where bucket 2 has the index -1,920.
    #[default]
    Exponential,
    /// One bucket for each bound, up to and including it, and one beyond the last.
    Explicit(Cow<'static, [f64]>),
    /// The buckets of an HDR histogram whose lowest discernible value is one.
    Hdr {
        /// From 1 to 5.
        significant_digits: u8,
    },
}

impl BucketLayout {
    /// Why it is not legal, if it is not: a layout that is read from elsewhere may be anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Exponential => None,
            Self::Explicit(bounds) => bounds_fault(bounds),
            &Self::Hdr { significant_digits } => Aggregation::Hdr { significant_digits }.fault(),
        }
    }

    /// How many buckets there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Exponential => layout::OVERFLOW + 1,
            Self::Explicit(bounds) => bounds.len() + 1,
            Self::Hdr { significant_digits } => hdr::TickBuckets::new(*significant_digits).len(),
        }
    }

    /// The bucket of `value`, which is neither negative nor NaN.
    pub(crate) fn bucket(&self, value: f64) -> u32 {
        let bucket = match self {
            Self::Exponential => layout::cell(value),
            Self::Explicit(bounds) => explicit_bucket(bounds, value),
            Self::Hdr { significant_digits } => {
                hdr::TickBuckets::new(*significant_digits).bucket(hdr::to_ticks(value))
            }
        };
        bucket as u32
    }

    /// The largest value below `bucket`.
    pub(crate) fn lower_bound(&self, bucket: u32) -> f64 {
        if bucket == 0 { 0.0 } else { self.upper_bound(bucket - 1) }
    }

    /// The largest value in `bucket`.
    pub(crate) fn upper_bound(&self, bucket: u32) -> f64 {
        let bucket = bucket as usize;
        match self {
            Self::Exponential => layout::upper_bound(bucket),
            Self::Explicit(bounds) => bounds.get(bucket).copied().unwrap_or(f64::INFINITY),
            Self::Hdr { significant_digits } => {
                hdr::TickBuckets::new(*significant_digits).highest(bucket) as f64
            }
        }
    }

    /// The number that stands for the values of `bucket` when they are converted to another layout. For
    /// ticks it is the smallest, as when HdrHistogram adds up histograms of different digits; otherwise
    /// the middle.
    pub(crate) fn representative(&self, bucket: u32) -> f64 {
        match self {
            Self::Hdr { significant_digits } => {
                hdr::TickBuckets::new(*significant_digits).lowest(bucket as usize) as f64
            }
            _ => self.middle(bucket),
        }
    }

    /// The number in the middle of `bucket`.
    ///
    /// It has the same relative distance to both bounds. At an end of the range it is the only bound.
    /// For ticks it is the middle between the smallest and the largest.
    pub(crate) fn middle(&self, bucket: u32) -> f64 {
        if let Self::Hdr { significant_digits } = self {
            let ticks = hdr::TickBuckets::new(*significant_digits);
            let (lowest, highest) = (ticks.lowest(bucket as usize), ticks.highest(bucket as usize));
            return (lowest + (highest - lowest).div_ceil(2)) as f64;
        }
        let (lower, upper) = (self.lower_bound(bucket), self.upper_bound(bucket));
        match (lower > 0.0, upper.is_finite()) {
            (true, true) => lower * (2.0 * (upper / (lower + upper))),
            (false, true) => upper,
            (_, false) => lower,
        }
    }

    /// The key of an exemplar of `value`. Exemplars with one key stand for the same values: those of a
    /// bucket if buckets are wide, those of a third of a power of two if they are narrow. Ascends with
    /// the value.
    pub(crate) fn exemplar_key(&self, value: f64) -> u32 {
        match self {
            Self::Explicit(_) => self.bucket(value),
            Self::Exponential | Self::Hdr { .. } => layout::exemplar_key(value),
        }
    }
}

impl From<Aggregation> for BucketLayout {
    fn from(aggregation: Aggregation) -> Self {
        match aggregation {
            Aggregation::Exponential => Self::Exponential,
            Aggregation::Explicit(bounds) => Self::Explicit(bounds.into()),
            Aggregation::Hdr { significant_digits } => Self::Hdr { significant_digits },
        }
    }
}

/// The index of the bucket of a number among `bounds`, which may be many.
pub(crate) fn explicit_bucket(bounds: &[f64], value: f64) -> usize {
    bounds.partition_point(|&bound| bound < value)
}
