//! A snapshot as an `hdrhistogram::Histogram`, for tools that speak HDR.

use super::{HistogramSnapshot, snapshot::middle};
use crate::error::{Error, ErrorKind};

impl HistogramSnapshot {
    /// The same distribution in whole ticks, `ticks_per_unit` of them to the unit.
    ///
    /// Each value becomes the middle of its bucket, within 0.54 %; counts are exact, the sum is not
    /// kept. A thousand ticks to a second, for example, counts milliseconds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] if `significant_digits` is not in 1 to 5, or if a value is more
    /// than 2^62 ticks.
    ///
    /// # Examples
    ///
    /// ```
    /// let latency = bellwether::metric::Registry::new()
    ///     .histogram::<()>("latency", "", bellwether::Unit::Seconds)?;
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
        const MOST: f64 = (1u64 << 62) as f64;
        let refused = |what: String| Error::new(ErrorKind::InvalidOption, what);
        let highest = (self.max().unwrap_or(0.0) * ticks_per_unit).ceil();
        if highest.is_nan() || highest > MOST {
            return Err(refused(format!(
                "{highest:e} ticks are more than an HDR histogram can hold"
            )));
        }
        let highest = (highest as u64).max(2);
        let mut hdr = hdrhistogram::Histogram::new_with_max(highest, significant_digits).map_err(
            |error| refused(format!("{significant_digits} significant digits: {error}")),
        )?;
        for &(cell, count) in &self.cells {
            let value = middle(usize::from(cell));
            // Saturates at `highest`, to which the last bucket was rounded up.
            hdr.saturating_record_n((value * ticks_per_unit).round() as u64, count);
        }
        Ok(hdr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(HistogramSnapshot::default().to_hdr(1.0, 3).unwrap().len(), 0);
    }
}
