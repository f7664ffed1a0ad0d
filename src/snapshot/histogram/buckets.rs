//! How the buckets of a snapshot are divided: what their numbers mean.

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
    /// Bucket 0 holds zero, bucket 1 what is above zero and at most 2^-30, bucket 4,482 what is above
    /// 2^40. Between them are those of an OpenTelemetry exponential histogram at scale 6: bucket 2
    /// has the index -1,920 there.
    #[default]
    Exponential,
    /// A bucket up to and including each bound, and one beyond the last.
    Explicit(Cow<'static, [f64]>),
    /// The buckets of an HDR histogram whose lowest discernible value is one.
    Hdr {
        /// In 1 to 5.
        significant_digits: u8,
    },
}

impl BucketLayout {
    /// Why it is not legal: one that is read from elsewhere may be anything.
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

    /// The bucket that `value`, neither negative nor NaN, falls into.
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

    /// The number that stands for the values of `bucket` where they go to another layout: of ticks,
    /// the smallest, as HdrHistogram adds histograms of different digits up; else the middle.
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
    /// As far, relatively, from one bound as from the other; at an end of the range, the bound that
    /// there is. Of ticks, the middle of the smallest and the largest.
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

    /// Which exemplars stand for the same values as one of `value`: those of its bucket where the
    /// buckets are wide, of a third of its power of two where they are narrow. Ascends with the value.
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

/// The bucket of a number among `bounds`, however many.
pub(crate) fn explicit_bucket(bounds: &[f64], value: f64) -> usize {
    bounds.partition_point(|&bound| bound < value)
}
