//! Quantiles against sorted values.

use proptest::prelude::*;

use super::*;

fn nearest_rank(sorted: &[f64], q: f64) -> f64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

fn check(values: &mut [f64]) -> Result<(), TestCaseError> {
    let registry = Registry::new();
    let histogram = registry.histogram("h", "").build().unwrap();
    values.iter().for_each(|&value| histogram.record(value));
    let snapshot = histogram.snapshot();
    values.sort_by(f64::total_cmp);
    prop_assert_eq!(snapshot.count(), values.len() as u64);
    for q in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0] {
        let (ours, exact) = (snapshot.quantile(q).unwrap(), nearest_rank(values, q));
        prop_assert!((ours / exact - 1.0).abs() <= 0.01, "q {}: {} for {}", q, ours, exact);
    }
    let sum: f64 = values.iter().sum();
    prop_assert!((snapshot.sum() / sum - 1.0).abs() < 1e-9);
    Ok(())
}

proptest! {
    #[test]
    fn quantiles_are_within_one_percent_of_the_sorted_values(
        mut values in prop::collection::vec((-29.8f64..39.8).prop_map(f64::exp2), 1..600)
    ) {
        check(&mut values)?;
    }

    #[test]
    fn quantiles_of_close_values_are_within_one_percent(
        mut values in prop::collection::vec(0.9f64..1.1, 1..600)
    ) {
        check(&mut values)?;
    }

    #[test]
    fn a_merge_is_what_one_histogram_of_both_would_be(
        left in prop::collection::vec(0.0f64..1e3, 0..300),
        right in prop::collection::vec(0.0f64..1e3, 0..300),
    ) {
        let both: Vec<f64> = left.iter().chain(&right).copied().collect();
        let mut merged = HistogramSnapshot::of(&left);
        merged.merge(&HistogramSnapshot::of(&right));
        let whole = HistogramSnapshot::of(&both);
        prop_assert!(merged.buckets().eq(whole.buckets()));
        let rest = whole.since(&HistogramSnapshot::of(&left));
        prop_assert!(rest.buckets().eq(HistogramSnapshot::of(&right).buckets()));
    }
}

#[test]
fn values_out_of_range_are_counted_with_the_edge_as_their_quantile() {
    let registry = Registry::new();
    let histogram = registry.histogram("h", "").build().unwrap();
    for _ in 0..200 {
        [0.0, 1e-12, 1e15].into_iter().for_each(|value| histogram.record(value));
    }
    let snapshot = histogram.snapshot();
    assert_eq!((snapshot.count(), snapshot.quantile(0.1)), (600, Some(0.0)));
    assert_eq!(snapshot.quantile(0.5), Some(2f64.powi(-30)));
    assert_eq!(snapshot.quantile(1.0), Some(2f64.powi(40)));
    assert_eq!((snapshot.min(), snapshot.max()), (Some(0.0), Some(1e15)), "these are exact");
}
