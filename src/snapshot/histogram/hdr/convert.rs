//! Snapshots as histograms of the crate `hdrhistogram`, and back.

use super::layout::TickBuckets;
use crate::{
    error::{Error, ErrorKind},
    snapshot::histogram::{
        aggregation::Aggregation, buckets::BucketLayout, data::HistogramSnapshot,
    },
};

impl HistogramSnapshot {
    /// The same distribution in whole ticks, `ticks_per_unit` of them to the unit.
    ///
    /// A histogram of [ticks](crate::Histogram::hdr) with as many digits is unchanged if there is one
    /// tick to the unit. Otherwise each bucket is counted whole where its middle lies (for ticks, its
    /// smallest number). That is within 0.54 % for exponential buckets; counts are exact. A thousand
    /// ticks to the second, for example, count milliseconds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] if `significant_digits` is not in 1 to 5, if `ticks_per_unit` is not
    /// a number above zero, or if a value is 2^64 ticks or more.
    pub fn in_ticks(&self, ticks_per_unit: f64, significant_digits: u8) -> Result<Self, Error> {
        const TOO_MANY: f64 = (1u128 << 64) as f64;
        let refused = |what: String| Err(Error::new(ErrorKind::InvalidOption, what));
        if let Some(fault) = (Aggregation::Hdr { significant_digits }).fault() {
            return refused(fault.to_owned());
        }
        if !(ticks_per_unit > 0.0 && ticks_per_unit.is_finite()) {
            return refused(format!("{ticks_per_unit} ticks to the unit"));
        }
        let layout = BucketLayout::Hdr { significant_digits };
        if *self.layout() == layout && ticks_per_unit == 1.0 {
            return Ok(self.clone());
        }
        let values = self
            .cells()
            .iter()
            .map(|&(bucket, count)| (self.layout().representative(bucket) * ticks_per_unit, count));
        if let Some((ticks, _)) = values.clone().find(|(ticks, _)| !(0.0..TOO_MANY).contains(ticks))
        {
            return refused(format!("{ticks:e} ticks are not what a histogram can hold"));
        }
        let sum = (self.sum() * ticks_per_unit).min(f64::MAX);
        let mut converted = Self::from_cells(layout, Vec::new(), sum);
        converted.fill(values);
        Ok(converted)
    }

    /// The same distribution as an `hdrhistogram::Histogram`, in ticks as by
    /// [`in_ticks`](Self::in_ticks). The sum is not kept.
    ///
    /// # Errors
    ///
    /// As [`in_ticks`](Self::in_ticks).
    ///
    /// # Examples
    ///
    /// ```
    /// let latency = bellwether::metric::Registry::new()
    ///     .histogram("latency", "").unit(bellwether::Unit::Seconds).build()?;
    /// latency.record(0.250);
    /// let microseconds = latency.snapshot().to_hdr(1e6, 3)?;
    /// assert!(microseconds.value_at_quantile(0.5).abs_diff(250_000) < 2_500);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn to_hdr(
        &self,
        ticks_per_unit: f64,
        significant_digits: u8,
    ) -> Result<hdrhistogram::Histogram<u64>, Error> {
        let ticks = self.in_ticks(ticks_per_unit, significant_digits)?;
        let buckets = TickBuckets::new(significant_digits);
        let highest =
            ticks.cells().last().map_or(0, |&(bucket, _)| buckets.highest(bucket as usize));
        let mut hdr = hdrhistogram::Histogram::new_with_max(highest.max(2), significant_digits)
            .map_err(|error| Error::new(ErrorKind::InvalidOption, error.to_string()))?;
        for &(bucket, count) in ticks.cells() {
            hdr.saturating_record_n(buckets.lowest(bucket as usize), count);
        }
        Ok(hdr)
    }

    /// The distribution in `hdr`, in ticks.
    ///
    /// Counts are exact. The sum is that of the middles of the buckets, like `hdr`'s own mean. If the
    /// lowest discernible value of `hdr` is not one, it does not tell single ticks apart; a value is
    /// then the largest that it may have been.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] if `hdr` keeps no significant digits.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::metric::HistogramSnapshot;
    ///
    /// let mut hdr = hdrhistogram::Histogram::<u64>::new(3).unwrap();
    /// hdr.record_n(1_500, 7).unwrap();
    /// let snapshot = HistogramSnapshot::from_hdr(&hdr)?;
    /// assert_eq!((snapshot.count(), snapshot.p50()), (7, Some(1_500.0)));
    /// assert_eq!(snapshot.to_hdr(1.0, 3)?.count_at(1_500), 7);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn from_hdr(hdr: &hdrhistogram::Histogram<u64>) -> Result<Self, Error> {
        let values = hdr.iter_recorded().map(|one| (one.value_iterated_to(), one.count_at_value()));
        Self::of_ticks(hdr.sigfig(), values)
    }

    /// The distribution of these ticks, each counted so many times.
    pub(crate) fn of_ticks(
        significant_digits: u8,
        values: impl Iterator<Item = (u64, u64)>,
    ) -> Result<Self, Error> {
        if let Some(fault) = (Aggregation::Hdr { significant_digits }).fault() {
            return Err(Error::new(ErrorKind::InvalidOption, fault.to_owned()));
        }
        let buckets = TickBuckets::new(significant_digits);
        let layout = BucketLayout::Hdr { significant_digits };
        let mut cells: Vec<(u32, u64)> = Vec::new();
        for (ticks, count) in values.filter(|&(_, count)| count > 0) {
            let bucket = buckets.bucket(ticks) as u32;
            match cells.last_mut() {
                Some(last) if last.0 == bucket => last.1 = last.1.saturating_add(count),
                _ => cells.push((bucket, count)),
            }
        }
        let sum = cells.iter().map(|&(bucket, count)| layout.middle(bucket) * count as f64).sum();
        Ok(Self::from_cells(layout, cells, sum))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{metric::Registry, snapshot::histogram::aggregation::HistogramOptions};

    #[test]
    fn counts_and_quantiles_are_kept() {
        let values: Vec<f64> = (1..=10_000).map(|n| f64::from(n) / 1000.0).collect();
        let snapshot = HistogramSnapshot::of(&values);
        let hdr = snapshot.to_hdr(1e6, 3).unwrap();
        assert_eq!(hdr.len(), snapshot.count());
        for q in [0.5, 0.9, 0.99, 1.0] {
            let (hdr, ours) =
                (hdr.value_at_quantile(q) as f64 / 1e6, snapshot.quantile(q).unwrap());
            assert!((hdr / ours - 1.0).abs() < 2e-3, "q {q}: {hdr} for {ours}");
        }
    }

    #[test]
    fn what_cannot_be_held_is_an_error() {
        let snapshot = HistogramSnapshot::of(&[1e12]);
        assert!(snapshot.to_hdr(1e12, 3).is_err());
        assert!(snapshot.to_hdr(1.0, 9).is_err());
        assert!(snapshot.to_hdr(f64::NAN, 3).is_err());
        assert!(snapshot.to_hdr(-1.0, 3).is_err());
        assert!(HistogramSnapshot::default().to_hdr(f64::INFINITY, 3).is_err());
        assert_eq!(HistogramSnapshot::default().to_hdr(1.0, 3).unwrap().len(), 0);
    }

    /// Ticks of every magnitude, small ones and neighbours of powers of two among them.
    fn ticks() -> impl Strategy<Value = u64> {
        let near_powers =
            (0u32..64, -3i64..=3).prop_map(|(n, d)| (1u64 << n).saturating_add_signed(d));
        let wide = (any::<u64>(), 0u32..64).prop_map(|(n, shift)| n >> shift);
        prop_oneof![near_powers, wide, 0u64..300_000, Just(u64::MAX)]
    }

    /// The buckets that are not empty: the fewest ticks of each, and its count.
    fn recorded(hdr: &hdrhistogram::Histogram<u64>) -> Vec<(u64, u64)> {
        let recorded = hdr.iter_recorded();
        recorded
            .map(|one| (hdr.lowest_equivalent(one.value_iterated_to()), one.count_at_value()))
            .collect()
    }

    proptest! {
        // Few, as one of theirs with five digits takes 50 MB.
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn buckets_and_quantiles_are_those_of_hdrhistogram(
            digits in 1u8..=5,
            values in prop::collection::vec(ticks(), 1..300),
        ) {
            let mut theirs = hdrhistogram::Histogram::<u64>::new_with_max(u64::MAX, digits).unwrap();
            let aggregation = Aggregation::Hdr { significant_digits: digits };
            let options = HistogramOptions::new().aggregation(aggregation);
            let ours =
                Registry::new().histogram("h", "").options(options).build().unwrap();
            for &value in &values {
                theirs.record(value).unwrap();
                ours.record_ticks(value);
            }
            let snapshot = ours.snapshot();
            let buckets = TickBuckets::new(digits);
            let own = snapshot.cells().iter().map(|&(b, n)| (buckets.lowest(b as usize), n));
            prop_assert_eq!(own.collect::<Vec<_>>(), recorded(&theirs));
            for q in [0.0, 0.1, 0.5, 0.9, 0.99, 1.0] {
                let theirs = theirs.value_at_quantile(q) as f64;
                prop_assert_eq!(snapshot.quantile(q), Some(theirs), "q {}", q);
            }
            prop_assert_eq!(recorded(&snapshot.to_hdr(1.0, digits).unwrap()), recorded(&theirs));
            let back = HistogramSnapshot::from_hdr(&theirs).unwrap();
            prop_assert!(back.buckets().eq(snapshot.buckets()));
        }
    }
}
