//! Values outside a range.

use super::*;

#[test]
fn values_outside_the_range_are_clamped_or_dropped_and_counted() {
    let _scope = cells::enter(Some(cells::Storage::new(true)));
    let counted = |name: &str, labels: &[(&str, &str)]| {
        Registry::global().snapshot().value(name, labels).map_or(0.0, SeriesValue::as_f64)
    };
    for (n, aggregation) in (1..).zip(aggregations()) {
        let options = HistogramOptions::new().aggregation(aggregation);
        let [clamped, dropped] = [OutOfRange::Clamp, OutOfRange::Drop]
            .map(|outside| told(options.range(1.0, 8.0, outside)));
        for value in [0.5, 1.0, 8.0, 9.0, 1e300, -1.0, f64::NAN] {
            clamped.record(value);
            dropped.record(value);
        }
        let (clamped, dropped) = (clamped.snapshot(), dropped.snapshot());
        assert_eq!((clamped.count(), clamped.sum()), (5, 26.0), "{aggregation:?}");
        assert_eq!((dropped.count(), dropped.sum()), (2, 9.0), "{aggregation:?}");
        assert_eq!(counted("telemetry.measurements.clamped", &[]), 3.0 * f64::from(n));
        for (reason, each) in [("out_of_range", 3.0), ("negative", 2.0), ("nan", 2.0)] {
            let labels = [("reason", reason)];
            let count = counted("telemetry.measurements.rejected", &labels);
            assert_eq!(count, each * f64::from(n), "{reason}");
        }
    }
}

#[test]
fn a_value_outside_a_range_is_dropped_although_it_rounds_to_one_that_is_there() {
    let options = HistogramOptions::new().aggregation(Aggregation::Hdr { significant_digits: 3 });
    let ranged = told(options.range(1.2, 9.6, OutOfRange::Drop));
    [1.2, 9.6, 1.1, 9.9, 1.0, 5.0].into_iter().for_each(|value| ranged.record(value));
    let snapshot = ranged.snapshot();
    assert_eq!((snapshot.count(), snapshot.sum()), (3, 16.0));
}

#[test]
fn ranged_values_between_those_that_are_there_are_counted_in_every_form() {
    for aggregation in aggregations() {
        let options = HistogramOptions::new().aggregation(aggregation);
        let ranged = told(options.range(1.0, 8.0, OutOfRange::Drop));
        // So many that an exponential histogram counts by bucket.
        for _ in 0..100 {
            [1.0, 8.0, 4.0, 0.5, -0.0, 9.0].into_iter().for_each(|value| ranged.record(value));
        }
        let snapshot = ranged.snapshot();
        assert_eq!((snapshot.count(), snapshot.sum()), (300, 1300.0), "{aggregation:?}");
        assert_eq!((snapshot.min(), snapshot.max()), (Some(1.0), Some(8.0)), "{aggregation:?}");
    }
}
