//! Exemplars in the parts of a snapshot, and in sums of snapshots, against a naive twin.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::{
    clock::Ticks,
    context::{SpanId, TraceId},
    metric::registry::Registry,
    snapshot::{BucketLayout, Exemplar, HistogramParts, HistogramSnapshot, Unit},
};

fn exemplar(value: f64, taken: u64) -> Exemplar {
    let (trace_id, span_id) = (TraceId::from_u128(0xab), SpanId::from_u64(0xcd));
    Exemplar::new(value, trace_id, span_id, Ticks::of_unix_nanos(taken))
}

fn parts(layout: &BucketLayout, exemplars: Vec<Exemplar>) -> HistogramParts {
    HistogramParts { layout: layout.clone(), exemplars, ..HistogramParts::default() }
}

fn explicit() -> BucketLayout {
    BucketLayout::Explicit(vec![0.0, 1.0, 10.0, 10.5].into())
}

/// Which values share a place with `value`, told by a loop.
fn place(layout: &BucketLayout, value: f64) -> i32 {
    match layout {
        BucketLayout::Explicit(bounds) => {
            bounds.iter().filter(|&&bound| bound < value).count() as i32
        }
        _ if value == 0.0 => i32::MIN,
        _ => {
            let exponent = (-1_080..1_030).find(|&exponent| value <= 2f64.powi(exponent)).unwrap();
            let quarter = 2f64.powi(exponent - 1) / 4.0;
            let part = [5.0, 6.0, 8.0].iter().position(|part| value <= quarter * part).unwrap();
            3 * exponent + part as i32
        }
    }
}

/// The newest of each place, ascending.
fn newest(layout: &BucketLayout, all: &[Exemplar]) -> Vec<Exemplar> {
    let mut places: BTreeMap<i32, Exemplar> = BTreeMap::new();
    for one in all {
        let kept = places.entry(place(layout, one.value())).or_insert_with(|| one.clone());
        if one.taken() > kept.taken() {
            *kept = one.clone();
        }
    }
    places.into_values().collect()
}

fn any_values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        Just(0.0),
        prop::sample::select(vec![0.5, 1.0, 2.0, 10.0, 10.5, f64::MIN_POSITIVE, f64::MAX]),
        0.0f64..20.0,
        (-40i32..60).prop_map(|exponent| 2f64.powi(exponent)),
    ];
    prop::collection::vec(value, 0..40)
}

proptest! {
    #[test]
    fn a_sum_has_the_newest_exemplar_of_each_bucket(
        values in any_values(), n_first in 0usize..40, order in any::<u64>()
    ) {
        let layouts = [explicit(), BucketLayout::Exponential, BucketLayout::Hdr { significant_digits: 2 }];
        for layout in layouts {
            // No two at once: the times are the places in another order.
            let taken = |place: usize| (place as u64 + 1).wrapping_mul(order | 1) >> 1;
            let all: Vec<_> =
                values.iter().enumerate().map(|(place, &value)| exemplar(value, taken(place))).collect();
            let (first, second) = all.split_at(n_first.min(all.len()));
            let snapshot = |exemplars| {
                HistogramSnapshot::from_parts(parts(&layout, newest(&layout, exemplars))).unwrap()
            };
            let mut sum = snapshot(first);
            sum.merge(&snapshot(second));
            prop_assert_eq!(sum.exemplars(), newest(&layout, &all));
            prop_assert_eq!(HistogramSnapshot::from_parts(sum.parts()).unwrap(), sum);
        }
    }
}

#[test]
fn a_default_that_takes_on_other_bounds_keeps_one_exemplar_a_bucket() {
    let own = vec![exemplar(3.0, 1), exemplar(5.0, 2), exemplar(9.0, 3)];
    let mut sum = HistogramSnapshot::from_parts(parts(&BucketLayout::Exponential, own)).unwrap();
    let other = HistogramParts { buckets: vec![(0, 1)], ..parts(&explicit(), Vec::new()) };
    sum.merge(&HistogramSnapshot::from_parts(other).unwrap());
    assert_eq!(sum.exemplars(), [exemplar(9.0, 3)]);
}

#[test]
fn exemplars_of_two_processes_are_compared_by_date() {
    let latency = Registry::new().histogram("latency", "").unit(Unit::Seconds).build().unwrap();
    let here = || {
        let exemplar = Exemplar { taken: crate::clock::now(), ..exemplar(1.0, 0) };
        let parts = HistogramParts { exemplars: vec![exemplar], ..latency.snapshot().parts() };
        HistogramSnapshot::from_parts(parts).unwrap()
    };
    let now = crate::clock::unix_nanos();
    for (there, newest_is_there) in
        [(now - 3_600_000_000_000, false), (now + 3_600_000_000_000, true)]
    {
        let there = parts(&BucketLayout::Exponential, vec![exemplar(0.9, there)]);
        let there = HistogramSnapshot::from_parts(there).unwrap();
        for (mut sum, other) in [(here(), there.clone()), (there, here())] {
            sum.merge(&other);
            let expected = if newest_is_there { 0.9 } else { 1.0 };
            assert_eq!(sum.exemplars().iter().map(Exemplar::value).collect::<Vec<_>>(), [expected]);
        }
    }
}

#[test]
fn an_exemplar_that_cannot_be_is_named() {
    let no_trace = Exemplar { trace_id: TraceId::INVALID, ..exemplar(1.0, 1) };
    let no_span = Exemplar { span_id: SpanId::INVALID, ..exemplar(1.0, 1) };
    let good = exemplar(0.25, 1);
    for (exemplars, text) in [
        (vec![good.clone(), no_trace], "exemplar 1, of 1: a trace id of zero"),
        (vec![no_span], "exemplar 0, of 1: a span id of zero"),
        (vec![exemplar(f64::NAN, 1)], "exemplar 0, of NaN: a value that is negative or no number"),
        (vec![exemplar(-0.5, 1)], "exemplar 0, of -0.5: a value that is negative or no number"),
        (vec![exemplar(f64::INFINITY, 1)], "exemplar 0, of inf: a value that is negative"),
        (
            vec![exemplar(3.0, 1), good.clone()],
            "exemplar 1, of 0.25: a value below that of the one before",
        ),
        (vec![good, exemplar(0.75, 2)], "exemplar 1, of 0.75: the bucket of the one before"),
    ] {
        let error = HistogramSnapshot::from_parts(parts(&explicit(), exemplars)).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
}
