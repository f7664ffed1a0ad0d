//! Histograms as a whole: what is recorded, by whichever aggregation, and what is read.

use std::thread;

use proptest::prelude::*;

use crate::{
    ErrorKind, cells,
    clock::ManualClock,
    context::{self, SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    metric::{registry::Registry, *},
    snapshot::{Kind, SeriesValue, Unit, histogram::layout},
};

fn with(aggregation: Aggregation) -> Histogram {
    told(HistogramOptions::new().aggregation(aggregation))
}

fn told(options: HistogramOptions) -> Histogram {
    Registry::new().histogram_with("h", "", Unit::NONE, options).unwrap()
}

fn explicit(bounds: &[f64]) -> Aggregation {
    Aggregation::explicit(bounds).unwrap()
}

/// The aggregations that every property must hold for.
fn aggregations() -> [Aggregation; 4] {
    let (coarse, fine) = (1, 4);
    [
        Aggregation::Exponential,
        explicit(&[0.0, 0.5, 1.0, 10.0, 1e3]),
        Aggregation::Hdr { significant_digits: coarse },
        Aggregation::Hdr { significant_digits: fine },
    ]
}

mod distributions {
    use super::*;

    /// Numbers in (0, 1), the same in every run: Lehmer's generator with modulus 2^31 - 1.
    struct Uniform(u64);

    impl Uniform {
        fn next(&mut self) -> f64 {
            self.0 = self.0 * 48_271 % 0x7fff_ffff;
            self.0 as f64 / 2_147_483_647.0
        }

        /// Box and Muller's transformation of two uniform numbers to a normal one.
        fn normal(&mut self) -> f64 {
            (-2.0 * self.next().ln()).sqrt() * (std::f64::consts::TAU * self.next()).cos()
        }

        fn exponential(&mut self) -> f64 {
            -self.next().ln()
        }
    }

    type Draw = fn(&mut Uniform, usize) -> f64;

    const DISTRIBUTIONS: [(&str, Draw); 18] = [
        ("uniform", |u, _| u.next()),
        ("log-uniform over the range", |u, _| (69.0 * u.next() - 29.5).exp2()),
        ("normal", |u, _| 100.0 + 5.0 * u.normal()),
        ("narrow normal", |u, _| 1.0 + 1e-6 * u.normal()),
        ("log-normal", |u, _| 1e-3 * u.normal().exp()),
        ("wide log-normal", |u, _| (3.0 * u.normal()).exp()),
        ("exponential", |u, _| 0.02 * u.exponential()),
        ("Erlang of three", |u, _| u.exponential() + u.exponential() + u.exponential()),
        ("Pareto, shape 1.1", |u, _| u.next().powf(-1.0 / 1.1)),
        ("Pareto, shape 0.6", |u, _| u.next().powf(-1.0 / 0.6)),
        ("Weibull, shape 0.5", |u, _| 1e-6 + u.exponential().powi(2)),
        ("arcsine", |u, _| 1.5 + (std::f64::consts::TAU * u.next()).cos()),
        ("Cauchy", |u, _| 1e-6 + (std::f64::consts::PI * (u.next() - 0.5)).tan().abs()),
        (
            "two far modes",
            |u, n| if n % 10 == 0 { 30.0 + u.next() } else { 2e-4 + 1e-5 * u.next() },
        ),
        ("one value", |_, _| 0.1),
        ("powers of two", |u, _| 2f64.powi((20.0 * u.next()) as i32)),
        ("bounds and what is next to them", |u, n| {
            let bound = layout::upper_bound(layout::FIRST + (4_000.0 * u.next()) as usize);
            if n % 2 == 0 { bound } else { bound.next_up() }
        }),
        ("a ramp", |_, n| 1.0 + n as f64),
    ];

    fn nearest_rank(sorted: &[f64], q: f64) -> f64 {
        let rank = (q * sorted.len() as f64).ceil() as usize;
        sorted[rank.clamp(1, sorted.len()) - 1]
    }

    const QUANTILES: [f64; 8] = [0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0];

    #[test]
    fn quantiles_of_all_are_within_one_percent_of_the_sorted_values() {
        for (name, draw) in DISTRIBUTIONS {
            let histogram = with(Aggregation::Exponential);
            let mut uniform = Uniform(42);
            let mut values: Vec<f64> = (0..20_000).map(|n| draw(&mut uniform, n)).collect();
            values.iter().for_each(|&value| histogram.record(value));
            values.sort_by(f64::total_cmp);
            let snapshot = histogram.snapshot();
            assert_eq!(snapshot.count(), 20_000, "{name}");
            for q in QUANTILES {
                let (ours, exact) = (snapshot.quantile(q).unwrap(), nearest_rank(&values, q));
                assert!((ours / exact - 1.0).abs() < 0.01, "{name}, q {q}: {ours} for {exact}");
            }
        }
    }

    #[test]
    fn quantiles_of_all_in_ticks_have_the_digits_that_were_asked_for() {
        for (name, draw) in DISTRIBUTIONS {
            for significant_digits in 1..=5 {
                let histogram = with(Aggregation::Hdr { significant_digits });
                let mut uniform = Uniform(42);
                let mut ticks: Vec<f64> =
                    (0..2_000).map(|n| (1e6 * draw(&mut uniform, n)).round()).collect();
                ticks.iter().for_each(|&value| histogram.record(value));
                ticks.sort_by(f64::total_cmp);
                let snapshot = histogram.snapshot();
                let within = 10f64.powi(-i32::from(significant_digits));
                for q in QUANTILES {
                    let (ours, exact) = (snapshot.quantile(q).unwrap(), nearest_rank(&ticks, q));
                    assert!((ours - exact).abs() <= within * exact, "{name}: {ours} for {exact}");
                }
            }
        }
    }
}

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
fn a_registration_that_was_told_something_else_is_a_conflict() {
    let registry = Registry::new();
    let register = |options| registry.histogram_with::<()>("h", "", Unit::NONE, options);
    let bounded = HistogramOptions::new().aggregation(explicit(&[1.0, 2.0]));
    register(bounded).unwrap().record(1.5);
    register(bounded).unwrap().record(1.5);
    let ranged = bounded.range(0.0, 1.0, OutOfRange::Drop);
    for options in [HistogramOptions::new(), ranged, with_bounds(&[1.0])] {
        let error = register(options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{options:?}");
    }
    let illegal = HistogramOptions::new().aggregation(Aggregation::Hdr { significant_digits: 6 });
    assert_eq!(register(illegal).unwrap_err().kind(), ErrorKind::InvalidOption);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.value("h", &[]).unwrap().as_f64(), 2.0);
}

fn with_bounds(bounds: &[f64]) -> HistogramOptions {
    HistogramOptions::new().aggregation(explicit(bounds))
}

#[test]
fn a_histogram_that_recorded_nothing_shows_its_bounds() {
    let registry = Registry::new();
    let options = with_bounds(&[1.0, 2.0]);
    registry.histogram_with::<()>("h", "", Unit::NONE, options).unwrap();
    let snapshot = registry.snapshot();
    let histogram = snapshot.value("h", &[]).and_then(SeriesValue::as_histogram).unwrap();
    assert_eq!((histogram.count(), histogram.explicit_bounds()), (0, Some(&[1.0, 2.0][..])));
    assert_eq!(snapshot.family("h").unwrap().kind(), Kind::Histogram);
    let bound = told(options).bind(());
    assert_eq!(bound.snapshot(), *histogram);
}

#[test]
fn parts_that_are_no_histogram_are_refused() {
    let parts = |layout, buckets: &[(u32, u64)], sum| {
        let (buckets, extremes, exemplars) = (buckets.to_vec(), None, Vec::new());
        HistogramSnapshot::from_parts(HistogramParts { layout, buckets, sum, extremes, exemplars })
    };
    let exponential = || BucketLayout::Exponential;
    assert!(parts(exponential(), &[(0, 1), (4_482, 1)], 1e300).is_ok());
    for (layout, buckets, sum) in [
        (exponential(), &[(4_483, 1)][..], 1.0),
        (exponential(), &[(7, 1), (7, 1)], 1.0),
        (exponential(), &[(8, 1), (7, 1)], 1.0),
        (exponential(), &[(7, 0)], 1.0),
        (exponential(), &[(7, u64::MAX), (8, 1)], 1.0),
        (exponential(), &[(7, 1)], f64::NAN),
        (exponential(), &[(7, 1)], -1.0),
        (BucketLayout::Explicit(vec![2.0, 1.0].into()), &[], 0.0),
        (BucketLayout::Explicit(vec![1.0].into()), &[(2, 1)], 0.0),
        (BucketLayout::Hdr { significant_digits: 0 }, &[], 0.0),
        (BucketLayout::Hdr { significant_digits: 1 }, &[(976, 1)], 0.0),
    ] {
        assert!(parts(layout.clone(), buckets, sum).is_err(), "{layout:?} {buckets:?} {sum}");
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

mod exemplars {
    use std::time::Duration;

    use super::*;

    /// Makes a span current, and what was current before again when it is dropped.
    struct InSpan(SpanContext);

    impl InSpan {
        fn new(number: u64, flags: TraceFlags) -> Self {
            let trace_id = TraceId::from_u128(u128::from(number) << 64 | 7);
            let span_id = SpanId::from_u64(number);
            let mut context = SpanContext::new(trace_id, span_id, flags, TraceState::EMPTY);
            context::swap(&mut context);
            Self(context)
        }

        fn sampled(number: u64) -> Self {
            Self::new(number, TraceFlags::SAMPLED)
        }
    }

    impl Drop for InSpan {
        fn drop(&mut self) {
            context::swap(&mut self.0);
        }
    }

    /// Value and span of each exemplar.
    fn exemplars(histogram: &Histogram) -> Vec<(f64, u64)> {
        let snapshot = histogram.snapshot();
        let exemplars = snapshot.exemplars().iter();
        exemplars.map(|one| (one.value(), one.span_id().to_u64())).collect()
    }

    #[test]
    fn only_a_sampled_span_leaves_one() {
        for aggregation in aggregations() {
            let histogram = with(aggregation);
            histogram.record(1.0);
            {
                let _span = InSpan::new(1, TraceFlags::RANDOM);
                histogram.record(2.0);
            }
            assert_eq!(exemplars(&histogram), []);
            {
                let _span = InSpan::sampled(2);
                histogram.record(3.0);
                let _inner = InSpan::new(3, TraceFlags::RANDOM);
                histogram.record(5.0);
            }
            histogram.record(9.0);
            assert_eq!(exemplars(&histogram), [(3.0, 2)], "{aggregation:?}");
            let snapshot = histogram.snapshot();
            let one = &snapshot.exemplars()[0];
            assert_eq!(one.trace_id(), TraceId::from_u128(2 << 64 | 7));
        }
    }

    #[test]
    fn the_very_first_record_of_a_static_leaves_one() {
        let _scope = cells::enter(Some(cells::Storage::new(true)));
        static FIRST: Histogram = Histogram::new("test.exemplar.first", "");
        let _span = InSpan::sampled(1);
        FIRST.record(3.0);
        assert_eq!(exemplars(&FIRST), [(3.0, 1)]);
    }

    #[test]
    fn the_newest_of_each_bucket_is_shown_over_all_threads() {
        let clock = ManualClock::new();
        let explicit = with(explicit(&[4.0, 100.0]));
        let exponential = with(Aggregation::Exponential);
        for (number, value) in [(1, 3.3), (2, 57.0), (3, 3.5), (4, 99.0), (5, 60.0)] {
            clock.advance(Duration::from_secs(1));
            let _ = explicit.snapshot(); // From here on each bucket takes another one.
            let clock = clock.clone();
            thread::scope(|scope| {
                scope.spawn(|| {
                    let _clock = crate::clock::enter(Some(clock));
                    let _span = InSpan::sampled(number);
                    explicit.record(value);
                    exponential.record(value);
                });
            });
        }
        assert_eq!(exemplars(&explicit), [(3.5, 3), (60.0, 5)]);
        assert_eq!(exemplars(&exponential), [(3.5, 3), (60.0, 5), (99.0, 4)]);
        let snapshot = exponential.snapshot();
        let within = |lower, upper| snapshot.exemplar_within(lower, upper).map(|one| one.value());
        assert_eq!((within(4.0, 256.0), within(60.0, 98.0)), (Some(60.0), None));
    }

    #[test]
    fn what_is_not_recorded_leaves_none_and_what_is_clamped_shows_the_end() {
        let _span = InSpan::sampled(1);
        let options = HistogramOptions::new();
        let [clamped, dropped] = [OutOfRange::Clamp, OutOfRange::Drop]
            .map(|outside| told(options.range(1.0, 8.0, outside)));
        for value in [f64::NAN, -1.0, f64::INFINITY, 9.0] {
            dropped.record(value);
            clamped.record(value);
        }
        assert_eq!(exemplars(&dropped), []);
        assert_eq!(exemplars(&clamped), [(8.0, 1)]);
    }

    #[test]
    fn there_are_no_more_than_slots_for_them() {
        let histogram = with(Aggregation::Exponential);
        let _span = InSpan::sampled(1);
        (-300..300).for_each(|exponent| histogram.record(2f64.powi(exponent)));
        assert_eq!(exemplars(&histogram).len(), 64);
    }

    #[test]
    fn a_later_snapshot_without_an_earlier_one_has_only_new_ones() {
        let histogram = with(Aggregation::Exponential);
        let _span = InSpan::sampled(1);
        histogram.record(1.0);
        let earlier = histogram.snapshot();
        histogram.record(9.0);
        let later = histogram.snapshot().since(&earlier);
        assert_eq!(later.exemplars().iter().map(|one| one.value()).collect::<Vec<_>>(), [9.0]);
    }
}
