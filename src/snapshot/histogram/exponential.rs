//! The exponential buckets of OpenTelemetry and of Prometheus' native histograms, at any scale.
//!
//! At scale `s` the bucket with index `i` holds (b^i, b^(i+1)] with b = 2^(2^-s). One scale coarser,
//! two neighbours are one bucket, and its index is the finer index shifted right. So what was recorded
//! at scale 6 is exact at every coarser scale.

use super::{buckets::BucketLayout, data::HistogramSnapshot, layout};

/// The counts of a distribution by exponential buckets.
///
/// # Examples
///
/// ```
/// use bellwether::metric::{Registry, Unit};
///
/// let latency = Registry::new().histogram("latency", "").unit(Unit::Seconds).build()?;
/// [0.0, 1.0, 1.5, 2.0, 9.0].into_iter().for_each(|value| latency.record(value));
/// let buckets = latency.snapshot().exponential(0).unwrap();
/// assert_eq!(buckets.zero_count(), 1);
/// assert_eq!(buckets.buckets(), [(-1, 1), (0, 2), (3, 1)]); // (1/2, 1], (1, 2], (8, 16]
/// assert_eq!(buckets.dense(), (-1, vec![1, 2, 0, 0, 1]));
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ExponentialBuckets {
    scale: i32, // In COARSEST..=FINEST.
    zero_count: u64,
    buckets: Vec<(i32, u64)>, // Ascending; counts not zero.
}

/// The scale at which histograms record.
const FINEST: i32 = layout::PER_OCTAVE.trailing_zeros() as i32;
/// At this scale, one bucket holds all values above one, and another one all values up to one.
const COARSEST: i32 = -10;
/// The finest scale at which the indices of all numbers have 32 bits.
const FINEST_INDEX: i32 = 20;

impl HistogramSnapshot {
    /// The counts by exponential buckets at `scale`; at 6 if that is finer, and at -10 if it is
    /// coarser.
    ///
    /// Exact for a histogram with exponential buckets: values in (0, 2^-30] count as zero, and values
    /// beyond 2^40 are in the bucket right above it. For a histogram of ticks, each bucket is counted
    /// whole where its middle lies. `None` if the bounds are explicit.
    #[must_use]
    pub fn exponential(&self, scale: i32) -> Option<ExponentialBuckets> {
        let mut finest = ExponentialBuckets { scale: FINEST, zero_count: 0, buckets: Vec::new() };
        for &(bucket, count) in self.cells() {
            let cell = match self.layout() {
                BucketLayout::Exponential => bucket as usize,
                BucketLayout::Hdr { .. } => layout::cell(self.layout().middle(bucket)),
                BucketLayout::Explicit(_) => return None,
            };
            finest.count(cell, count);
        }
        Some(finest.downscaled(scale))
    }
}

impl ExponentialBuckets {
    /// The scale.
    #[must_use]
    pub fn scale(&self) -> i32 {
        self.scale
    }

    /// How many values are at most [`zero_threshold`](Self::zero_threshold).
    #[must_use]
    pub fn zero_count(&self) -> u64 {
        self.zero_count
    }

    /// The largest value that counts as zero: 2^-30.
    #[must_use]
    pub fn zero_threshold(&self) -> f64 {
        layout::upper_bound(layout::UNDERFLOW)
    }

    /// The buckets that are not empty, ascending: (index, count).
    #[must_use]
    pub fn buckets(&self) -> &[(i32, u64)] {
        &self.buckets
    }

    /// The index of the first bucket, and the counts from there to the last one, including empty ones.
    #[must_use]
    pub fn dense(&self) -> (i32, Vec<u64>) {
        let ends = self.buckets.first().zip(self.buckets.last());
        let Some((&(first, _), &(last, _))) = ends else { return (0, Vec::new()) };
        let mut counts = vec![0; (last - first) as usize + 1];
        for &(index, count) in &self.buckets {
            counts[(index - first) as usize] = count;
        }
        (first, counts)
    }

    /// The same counts at a coarser scale; unchanged if `scale` is not coarser.
    #[must_use]
    pub fn downscaled(mut self, scale: i32) -> Self {
        let scale = scale.clamp(COARSEST, self.scale);
        let shift = self.scale - scale;
        self.scale = scale;
        for bucket in &mut self.buckets {
            bucket.0 >>= shift;
        }
        self.buckets.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 = kept.1.saturating_add(if same { next.1 } else { 0 });
            same
        });
        self
    }

    /// The same counts at the finest scale at which at most `most` buckets reach from the first to the
    /// last.
    ///
    /// At the coarsest scale there are two, so `most` is taken as at least two.
    #[must_use]
    pub fn within(self, most: usize) -> Self {
        let ends = self.buckets.first().zip(self.buckets.last());
        let Some((&(first, _), &(last, _))) = ends else { return self };
        let fits = |shift: &i32| most.max(2) > ((last >> shift) - (first >> shift)) as usize;
        let scale = self.scale;
        let shift = (0..scale - COARSEST).find(fits).unwrap_or(scale - COARSEST);
        self.downscaled(scale - shift)
    }

    /// Counts the values of a cell of the layout; cells must come in ascending order.
    fn count(&mut self, cell: usize, count: u64) {
        if cell < layout::FIRST {
            self.zero_count = self.zero_count.saturating_add(count);
            return;
        }
        let first = layout::MIN_EXPONENT * layout::PER_OCTAVE as i32;
        let index = first + (cell - layout::FIRST) as i32;
        match self.buckets.last_mut() {
            Some(last) if last.0 == index => last.1 = last.1.saturating_add(count),
            _ => self.buckets.push((index, count)),
        }
    }
}

/// The index of the bucket of `value` at `scale`, by exact arithmetic.
///
/// `None` if `value` is not a positive finite number, or if `scale` is not in -10 to 20.
///
/// # Examples
///
/// ```
/// use bellwether::metric::exponential_index;
///
/// assert_eq!(exponential_index(4.0, 0), Some(1)); // (2, 4]
/// assert_eq!(exponential_index(4f64.next_up(), 0), Some(2));
/// assert_eq!(exponential_index(4f64.next_up(), 20), Some(2 << 20));
/// assert_eq!(exponential_index(0.0, 3), None);
/// ```
#[must_use]
pub fn exponential_index(value: f64, scale: i32) -> Option<i32> {
    if !(value > 0.0 && value.is_finite() && (COARSEST..=FINEST_INDEX).contains(&scale)) {
        return None;
    }
    let (exponent, mantissa) = split(value);
    // A power of two is an upper bound, so it belongs to the bucket before the one that begins there.
    let is_power = mantissa == 1 << 127;
    let octave = exponent - i32::from(is_power);
    Some(match u32::try_from(scale) {
        Err(_) => octave >> -scale,
        Ok(bits) if is_power => (octave << bits) + (1 << bits) - 1,
        Ok(bits) => (octave << bits) + log2_bits(mantissa, bits),
    })
}

/// `value` as 2^exponent x mantissa, whose 128 bits are a number in [1, 2).
fn split(value: f64) -> (i32, u128) {
    let bits = value.to_bits();
    let (field, fraction) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
    // Subnormal numbers have no leading one.
    let (field, significand) = if field == 0 { (1, fraction) } else { (field, fraction | 1 << 52) };
    let leading = significand.leading_zeros() as i32;
    (field - 1023 + 11 - leading, u128::from(significand) << (64 + leading))
}

/// The first `bits` bits of the logarithm to base two of a mantissa above one.
///
/// Squaring doubles a logarithm: if the square is two or more, the next bit is a one. The squares are
/// cut to 128 bits; after at most 20 squarings, the error is below 2^-105 of the value. It never
/// changes the result: no `f64` other than a power of two is so near to the bound of a bucket. There
/// are 2^72 pairs of a mantissa and a bound, and their distances are spread evenly from 2^-53
/// downwards.
fn log2_bits(mut mantissa: u128, bits: u32) -> i32 {
    let mut logarithm = 0;
    for _ in 0..bits {
        let square = high_half_of_square(mantissa);
        let is_two_or_more = square >> 127 != 0;
        logarithm = logarithm << 1 | i32::from(is_two_or_more);
        mantissa = if is_two_or_more { square } else { square << 1 };
    }
    logarithm
}

/// The upper 128 bits of the square, cut: at most two units too small.
fn high_half_of_square(number: u128) -> u128 {
    let (high, low) = (number >> 64, number & u128::from(u64::MAX));
    high * high + ((high * low) >> 63)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_cells_are_the_buckets_of_scale_six(exponent in -30.0f64..40.0) {
            let value = exponent.exp2();
            let counts = HistogramSnapshot::of(&[value]).exponential(6).unwrap();
            let index = exponential_index(value, 6).unwrap();
            prop_assert_eq!(counts.buckets(), [(index, 1)]);
        }

        #[test]
        fn a_coarser_scale_is_what_it_would_have_recorded(
            values in prop::collection::vec((-29.0f64..39.0).prop_map(f64::exp2), 1..50),
            scale in -10i32..=6,
        ) {
            let mut naive = std::collections::BTreeMap::new();
            for &value in &values {
                *naive.entry(exponential_index(value, scale).unwrap()).or_insert(0u64) += 1;
            }
            let counts = HistogramSnapshot::of(&values).exponential(scale).unwrap();
            prop_assert_eq!(counts.scale(), scale);
            prop_assert!(counts.buckets().iter().copied().eq(naive));
            let (offset, dense) = counts.dense();
            prop_assert_eq!(dense.iter().sum::<u64>(), values.len() as u64);
            prop_assert_eq!(offset, counts.buckets()[0].0);
        }

        #[test]
        fn a_scale_that_fits_is_the_finest_that_does(
            values in prop::collection::vec((-29.0f64..39.0).prop_map(f64::exp2), 1..50),
            most in 2usize..200,
        ) {
            let finest = HistogramSnapshot::of(&values).exponential(6).unwrap();
            let fitting = finest.clone().within(most);
            prop_assert!(fitting.dense().1.len() <= most);
            if fitting.scale() < 6 {
                prop_assert!(finest.downscaled(fitting.scale() + 1).dense().1.len() > most);
            }
        }
    }

    #[test]
    fn the_ends_of_the_range_are_zero_and_the_bucket_above() {
        let counts = HistogramSnapshot::of(&[0.0, 1e-12, 1e13, 1e14]).exponential(6).unwrap();
        assert_eq!((counts.zero_count(), counts.buckets()), (2, &[(40 * 64, 2)][..]));
        assert_eq!(counts.zero_threshold(), 2f64.powi(-30));
        assert_eq!(HistogramSnapshot::default().exponential(6).unwrap().dense(), (0, vec![]));
    }
}
