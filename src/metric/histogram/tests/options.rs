//! The options of histograms, and values that a histogram refuses.

use super::*;

#[test]
fn a_registration_that_was_told_something_else_is_a_conflict() {
    let registry = Registry::new();
    let register = |options| registry.histogram("h", "").options(options).build();
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
    registry.histogram("h", "").options(options).build().unwrap();
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
