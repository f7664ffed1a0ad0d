//! The native form of a histogram: exponential buckets, as fine as a limit on their number allows.

use crate::{
    metric::{BucketLayout, HistogramSnapshot},
    snapshot::histogram::layout,
};

/// A histogram's buckets of one schema; reused from series to series for its memory.
#[derive(Debug, Default)]
pub(crate) struct Native {
    /// Each power of two has 2^schema buckets.
    pub(crate) schema: i32,
    /// How many values are at most [`ZERO_THRESHOLD`].
    pub(crate) zero_count: u64,
    /// (index, count), ascending, no count zero: a bucket with index i ends at 2^(i / 2^schema),
    /// which belongs to it.
    pub(crate) buckets: Vec<(i32, u64)>,
}

/// Up to this value, a value counts as zero: it is where the first regular cell begins.
pub(crate) const ZERO_THRESHOLD: f64 = 1.0 / (1u64 << -layout::MIN_EXPONENT) as f64;

/// The coarsest schema that Prometheus has.
const MIN_SCHEMA: i32 = -4;

impl Native {
    /// Sets it to the form of `histogram` with at most `limit` buckets, or with the fewest possible.
    pub(crate) fn read(&mut self, histogram: &HistogramSnapshot, limit: usize) {
        self.exponential(histogram);
        while self.buckets.len() > limit && self.schema > MIN_SCHEMA {
            self.halve();
        }
    }

    /// Reads the buckets as they were recorded. Values beyond the last regular cell, whose size is not
    /// known, are in the bucket above it.
    fn exponential(&mut self, histogram: &HistogramSnapshot) {
        self.schema = layout::PER_OCTAVE.ilog2() as i32;
        self.zero_count = 0;
        self.buckets.clear();
        let first_index = layout::MIN_EXPONENT * layout::PER_OCTAVE as i32 + 1;
        for &(bucket, count) in histogram.cells() {
            let cell = match histogram.layout() {
                BucketLayout::Exponential => bucket as usize,
                // A bucket of ticks is counted whole where its middle lies.
                other => layout::cell(other.middle(bucket)),
            };
            let Some(place) = cell.checked_sub(layout::FIRST) else {
                self.zero_count = self.zero_count.saturating_add(count);
                continue;
            };
            let index = first_index + place as i32;
            match self.buckets.last_mut() {
                Some(last) if last.0 == index => last.1 = last.1.saturating_add(count),
                _ => self.buckets.push((index, count)),
            }
        }
    }

    /// Merges each two neighbouring buckets: those that end at 2i - 1 and 2i.
    fn halve(&mut self) {
        self.schema -= 1;
        for (index, _) in &mut self.buckets {
            *index = (*index + 1) >> 1;
        }
        self.buckets.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            kept.1 += if same { later.1 } else { 0 };
            same
        });
    }

    /// The runs of buckets without a gap: the distance from the end of the run before, or for the first
    /// from 0, and the length.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (i32, u32)> {
        let mut end = 0;
        self.buckets.chunk_by(|a, b| a.0 + 1 == b.0).map(move |run| {
            let offset = run[0].0 - end;
            end = run[0].0 + run.len() as i32;
            (offset, run.len() as u32)
        })
    }

    /// Each count minus the one before; the first minus 0.
    pub(crate) fn deltas(&self) -> impl Iterator<Item = i64> {
        let mut before = 0;
        self.buckets.iter().map(move |&(_, count)| {
            let delta = count.wrapping_sub(before).cast_signed();
            before = count;
            delta
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(values: &[f64], limit: usize) -> Native {
        let mut native = Native::default();
        native.read(&HistogramSnapshot::of(values), limit);
        native
    }

    /// The bucket of `value` by the definition, with a logarithm.
    fn index(value: f64, schema: i32) -> i32 {
        (value.log2() * f64::from(schema).exp2()).ceil() as i32
    }

    #[test]
    fn a_bucket_ends_at_a_power_of_its_base() {
        let native = native(&[1.0, 1.5, 2.0, 0.0, 1e-300], 160);
        assert_eq!((native.schema, native.zero_count), (6, 2));
        assert_eq!(native.buckets, [(0, 1), (index(1.5, 6), 1), (64, 1)]);
        assert_eq!(native.spans().collect::<Vec<_>>(), [(0, 1), (37, 1), (25, 1)]);
        assert_eq!(native.deltas().collect::<Vec<_>>(), [1, 0, 0]);
    }

    #[test]
    fn values_beyond_the_range_are_in_the_bucket_above_it() {
        assert_eq!(native(&[1e300], 160).buckets, [(40 * 64 + 1, 1)]);
        assert_eq!(native(&[1e300], 0).buckets, [(3, 1)], "(2^32, 2^48] at schema -4");
    }

    proptest::proptest! {
        #[test]
        fn every_value_is_in_its_bucket(
            logs in proptest::collection::vec(-29.9f64..39.9, 0..200),
            limit in 1usize..200,
        ) {
            let values: Vec<f64> = logs.iter().map(|log| log.exp2()).collect();
            let native = native(&values, limit);
            let mut expected = std::collections::BTreeMap::new();
            for value in &values {
                *expected.entry(index(*value, native.schema)).or_insert(0u64) += 1;
            }
            assert_eq!(native.buckets, expected.into_iter().collect::<Vec<_>>());
            assert!(native.buckets.len() <= limit || native.schema == MIN_SCHEMA);
            let finer: std::collections::BTreeSet<_> =
                values.iter().map(|value| index(*value, native.schema + 1)).collect();
            assert!(native.schema == 6 || finer.len() > limit, "no coarser than it has to be");

            let mut end = 0;
            let mut indices = Vec::new();
            for (offset, len) in native.spans() {
                indices.extend(end + offset..end + offset + len as i32);
                end += offset + len as i32;
            }
            assert!(indices.iter().eq(native.buckets.iter().map(|(index, _)| index)));
        }
    }
}
