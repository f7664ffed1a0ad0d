//! The value of a series at an instant, whichever instrument recorded it.

use std::{borrow::Cow, sync::Arc};

use crate::snapshot::BucketLayout;

/// The form of all samples of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    /// Whole numbers without a sign.
    Whole,
    /// Whole numbers with a sign.
    Signed,
    /// Floating-point numbers; the bits are kept as they are.
    Float,
    /// Histograms, and everything else that has several numbers.
    Histogram,
}

impl Form {
    /// The number that the bits of a sample stand for; of a histogram its count.
    pub(crate) fn number(self, bits: u64) -> f64 {
        match self {
            Self::Whole | Self::Histogram => bits as f64,
            Self::Signed => bits.cast_signed() as f64,
            Self::Float => f64::from_bits(bits),
        }
    }
}

/// A sample.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sample<'a> {
    /// The bits of a whole number, or of a float.
    Bits(u64),
    /// A histogram in this layout.
    Histogram(LayoutId, &'a Cells),
}

/// The numbers of a histogram.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cells {
    /// The bits of the sum.
    pub(crate) sum: u64,
    /// The cells whose count is not zero: the number of the cell and its count, a whole number or the
    /// bits of a float.
    pub(crate) cells: Vec<(u64, u64)>, // Ascending.
}

/// What the cells of a histogram mean.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Layout {
    /// The number of values within each bound and above the bound before, and the number above all
    /// bounds. Not cumulative. Each tick keeps this of every histogram.
    Columns(Arc<[f64]>),
    /// The cells of a [`HistogramSnapshot`](crate::snapshot::HistogramSnapshot).
    Buckets(BucketLayout),
    /// A native histogram of Prometheus, or an exponential one of OpenTelemetry.
    #[cfg_attr(not(test), expect(dead_code, reason = "of what comes from elsewhere"))]
    Native(Native),
    /// The figures of a gauge over a minute; the sum is the last value.
    Minute,
}

/// How a native histogram divides its values. [`Native::cell`] names its cells.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Native {
    /// The scale; -53 if the buckets have custom `bounds`.
    pub(crate) schema: i32,
    /// The bits of the largest value that counts as zero.
    pub(crate) zero_threshold: u64,
    /// Whether counts are whole numbers, or floats.
    pub(crate) are_whole: bool,
    pub(crate) bounds: Cow<'static, [f64]>,
}

/// The index of a [`Layout`] in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayoutId(pub(super) u16);

/// The cells of [`Layout::Minute`].
pub(super) const MINUTE_MIN: u64 = 0;
pub(super) const MINUTE_MAX: u64 = 1;
pub(super) const MINUTE_MEAN: u64 = 2;

impl Layout {
    /// Whether counts are whole numbers.
    pub(super) fn are_whole(&self) -> bool {
        match self {
            Self::Columns(_) | Self::Buckets(_) => true,
            Self::Native(native) => native.are_whole,
            Self::Minute => false,
        }
    }
}

/// A cell of a native histogram, whose counts are floats or whole numbers of any size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NativeCell {
    /// The number of all values, which may differ from the sum of the buckets.
    Count,
    /// The values that count as zero.
    Zero,
    /// The bucket of this index, of values above zero.
    Positive(i32),
    /// The bucket of this index, of values below zero.
    Negative(i32),
}

#[cfg_attr(not(test), expect(dead_code, reason = "of what comes from elsewhere"))]
impl NativeCell {
    /// The number of the cell; small for indices near zero of either sign.
    pub(crate) fn number(self) -> u64 {
        let zigzag = |index: i32| u64::from((index << 1 ^ index >> 31).cast_unsigned());
        match self {
            Self::Count => 0,
            Self::Zero => 1,
            Self::Positive(index) => 2 + 2 * zigzag(index),
            Self::Negative(index) => 3 + 2 * zigzag(index),
        }
    }

    /// The cell of a number.
    pub(crate) fn of(number: u64) -> Self {
        let index = |zigzag: u64| {
            let zigzag = zigzag as u32;
            (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed())
        };
        match number {
            0 => Self::Count,
            1 => Self::Zero,
            n if n % 2 == 0 => Self::Positive(index(n / 2 - 1)),
            n => Self::Negative(index((n - 3) / 2)),
        }
    }
}

impl Sample<'_> {
    /// The sample as a number of a series of this form; of a histogram its count.
    pub(crate) fn number(self, form: Form) -> f64 {
        match self {
            Self::Bits(bits) => form.number(bits),
            Self::Histogram(_, cells) => cells.count() as f64,
        }
    }
}

impl Cells {
    /// The count of a cell.
    pub(crate) fn get(&self, cell: u64) -> u64 {
        let found = self.cells.binary_search_by_key(&cell, |&(number, _)| number);
        found.map_or(0, |place| self.cells[place].1)
    }

    /// Becomes a copy of `other`, and reuses its own memory.
    pub(crate) fn copy(&mut self, other: &Self) {
        self.sum = other.sum;
        self.cells.clone_from(&other.cells);
    }

    /// How many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + self.cells.capacity() * size_of::<(u64, u64)>()
    }

    /// The sum of whole counts.
    pub(crate) fn count(&self) -> u64 {
        self.cells.iter().fold(0, |sum: u64, cell| sum.wrapping_add(cell.1))
    }

    pub(crate) fn clear(&mut self) {
        self.sum = 0;
        self.cells.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_native_bucket_has_a_number_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        let indices = [0, 1, -1, 2, -2, 1 << 20, i32::MAX, i32::MIN];
        let buckets =
            indices.into_iter().flat_map(|n| [NativeCell::Positive(n), NativeCell::Negative(n)]);
        for cell in buckets.chain([NativeCell::Count, NativeCell::Zero]) {
            assert_eq!(NativeCell::of(cell.number()), cell);
            assert!(seen.insert(cell.number()));
        }
    }
}
