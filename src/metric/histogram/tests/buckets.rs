//! What is counted in which bucket, and merged.

use super::*;

proptest! {
    #[test]
    fn explicit_buckets_count_what_a_loop_counts(
        bounds in prop::collection::btree_set(0u32..2_000, 0..40),
        values in prop::collection::vec(0u32..2_100, 0..300),
    ) {
        let halves = |n: u32| f64::from(n) / 2.0;
        let bounds: Vec<f64> = bounds.into_iter().map(halves).collect();
        let values: Vec<f64> = values.into_iter().map(halves).collect();
        let histogram = with(explicit(&bounds));
        values.iter().for_each(|&value| histogram.record(value));
        let snapshot = histogram.snapshot();
        let up_to = |&bound: &f64| values.iter().filter(|&&value| value <= bound).count() as u64;
        let naive: Vec<u64> = bounds.iter().map(up_to).collect();
        prop_assert_eq!(snapshot.cumulative(&bounds), naive);
        prop_assert_eq!(snapshot.count(), values.len() as u64);
        prop_assert_eq!(snapshot.sum(), values.iter().sum::<f64>());
        prop_assert_eq!(snapshot.explicit_bounds(), Some(&*bounds));
    }

    #[test]
    fn a_merge_is_what_one_histogram_of_both_would_be_and_parts_come_back(
        left in prop::collection::vec(0.0f64..1e4, 0..200),
        right in prop::collection::vec(0.0f64..1e4, 0..200),
    ) {
        for aggregation in aggregations() {
            let of = |values: &[f64]| {
                let histogram = with(aggregation);
                values.iter().for_each(|&value| histogram.record(value));
                histogram.snapshot()
            };
            let mut merged = of(&left);
            merged.merge(&of(&right));
            let whole = of(&[&*left, &right].concat());
            prop_assert!(merged.buckets().eq(whole.buckets()));
            prop_assert_eq!(merged.count(), whole.count());
            prop_assert!(whole.since(&of(&left)).buckets().eq(of(&right).buckets()));
            prop_assert_eq!(HistogramSnapshot::from_parts(whole.parts()).unwrap(), whole);
        }
    }

    #[test]
    fn a_merge_of_unlike_histograms_loses_no_count(
        left in prop::collection::vec(0.0f64..1e4, 1..50),
        right in prop::collection::vec(0.0f64..1e4, 1..50),
    ) {
        for (one, other) in aggregations().iter().flat_map(|&a| aggregations().map(|b| (a, b))) {
            let [mut merged, added] = [(one, &left), (other, &right)].map(|(aggregation, values)| {
                let histogram = with(aggregation);
                values.iter().for_each(|&value| histogram.record(value));
                histogram.snapshot()
            });
            let (sum, layout) = (merged.sum() + added.sum(), merged.layout().clone());
            merged.merge(&added);
            prop_assert_eq!(merged.count(), (left.len() + right.len()) as u64);
            prop_assert_eq!((merged.sum(), merged.layout()), (sum, &layout));
        }
    }
}

#[test]
fn counts_of_all_threads_are_exact() {
    for aggregation in aggregations() {
        let histogram = with(aggregation);
        thread::scope(|scope| {
            for thread in 0..4 {
                let histogram = &histogram;
                scope.spawn(move || {
                    (0..5_000).for_each(|n| histogram.record(f64::from(n * 4 + thread)));
                });
            }
        });
        let snapshot = histogram.snapshot();
        assert_eq!((snapshot.count(), snapshot.sum()), (20_000, 199_990_000.0), "{aggregation:?}");
        assert_eq!(snapshot.buckets().map(|(.., count)| count).sum::<u64>(), 20_000);
    }
}

#[test]
fn the_smallest_and_the_largest_value_are_exact_since_the_series_began() {
    for aggregation in aggregations() {
        let histogram = with(aggregation);
        let histogram = &histogram;
        let extremes = || (histogram.snapshot().min(), histogram.snapshot().max());
        assert_eq!(extremes(), (None, None), "{aggregation:?}");
        (0..10).for_each(|_| histogram.record(8.0));
        assert_eq!(extremes(), (Some(8.0), Some(8.0)), "{aggregation:?}");
        // Far beyond a log, on several threads.
        thread::scope(|scope| {
            for thread in 0..4 {
                let record = move |n: u32| f64::from(20 + (n * 7 + thread * 13) % 5_000);
                scope.spawn(move || (0..1_000).for_each(|n| histogram.record(record(n))));
            }
        });
        assert_eq!(extremes().0, Some(8.0), "{aggregation:?}");
        [5_019.0, 5_020.0, 3.0, 0.0].into_iter().for_each(|value| histogram.record(value));
        assert_eq!(extremes(), (Some(0.0), Some(5_020.0)), "{aggregation:?}");
        let before = histogram.snapshot();
        histogram.record(100.0);
        let since = histogram.snapshot().since(&before);
        assert!(since.max() <= Some(1_000.0), "of a difference it is a bucket's: {since:?}");
    }
}

#[test]
fn quantiles_of_explicit_buckets_are_interpolated() {
    let histogram = with(explicit(&[1.0, 2.0, 4.0]));
    // Two values in (0, 1], none in (1, 2], six in (2, 4], two beyond.
    for value in [0.1, 1.0, 2.5, 3.0, 3.0, 3.5, 4.0, 4.0, 5.0, 9.0] {
        histogram.record(value);
    }
    let snapshot = histogram.snapshot();
    for (q, value) in [(0.0, 0.0), (0.1, 0.5), (0.2, 1.0), (0.5, 3.0), (0.8, 4.0), (0.9, 4.0)] {
        assert_eq!(snapshot.quantile(q), Some(value), "{q}");
    }
    assert_eq!((snapshot.min(), snapshot.max()), (Some(0.1), Some(9.0)), "these are exact");
    let unbounded = with(explicit(&[]));
    unbounded.record(1.0);
    assert_eq!((unbounded.snapshot().count(), unbounded.snapshot().p50()), (1, None));
}

#[test]
fn numbers_that_are_no_measurements_are_in_no_bucket() {
    for aggregation in aggregations() {
        let histogram = with(aggregation);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -0.0, 2.0] {
            histogram.record(value);
        }
        let snapshot = histogram.snapshot();
        assert_eq!((snapshot.count(), snapshot.sum()), (2, 2.0), "{aggregation:?}");
    }
}

#[test]
fn the_largest_numbers_have_a_bucket_and_leave_the_sum_a_number() {
    for aggregation in aggregations() {
        let histogram = with(aggregation);
        (0..200).for_each(|_| histogram.record(f64::MAX));
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.count(), 200);
        assert!(snapshot.sum().is_finite(), "{aggregation:?}");
    }
}

#[test]
fn ticks_are_recorded_exactly_and_as_values_elsewhere() {
    let ticks = (1 << 53) + 1; // The first number that is no f64.
    let hdr = with(Aggregation::Hdr { significant_digits: 5 });
    [ticks, ticks, u64::MAX].into_iter().for_each(|ticks| hdr.record_ticks(ticks));
    assert_eq!(hdr.snapshot().count(), 3);
    let exponential = with(Aggregation::Exponential);
    let bounded = with(explicit(&[10.0]));
    for histogram in [&exponential, &bounded] {
        [3, 3, 12].into_iter().for_each(|ticks| histogram.record_ticks(ticks));
        assert_eq!((histogram.snapshot().count(), histogram.snapshot().sum()), (3, 18.0));
    }
}

#[test]
fn counts_that_are_too_many_stay_at_the_largest_number() {
    let parts = |bucket| HistogramParts {
        buckets: vec![(bucket, u64::MAX - 1)],
        ..HistogramParts::default()
    };
    let [mut merged, other] =
        [7, 8].map(|bucket| HistogramSnapshot::from_parts(parts(bucket)).unwrap());
    merged.merge(&other);
    merged.merge(&other);
    assert_eq!(merged.count(), u64::MAX);
    assert_eq!(merged.cumulative(&[1.0, f64::INFINITY]), [u64::MAX; 2]);
    assert!(merged.p99().unwrap() <= merged.max().unwrap());
}
