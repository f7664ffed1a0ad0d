//! Snapshots written and read again, documents that are no snapshots, and snapshots merged.

mod merged;
mod refused;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::{
    parts::{AtMost, MAX_LEARNED_UNITS, Units},
    *,
};

use crate::{
    ErrorKind,
    clock::Ticks,
    context::{SpanId, TraceId},
    label::LabelSet,
    metric::Registry,
    snapshot::{
        exemplar::Exemplar,
        family::{Kind, Series, SeriesValue, SummarySnapshot},
        histogram::{BucketLayout, HistogramParts, HistogramSnapshot, PageBounds},
        merge::Gauges,
        unit::Unit,
    },
};

fn at(nanos: u64) -> Ticks {
    Ticks::of_unix_nanos(nanos)
}

fn family(name: &str, kind: Kind, series: Vec<Series>) -> Family {
    let (name, help) = (name.to_owned().into(), "".into());
    let (page_bounds, unit) = (PageBounds::default(), Unit::NONE);
    Family { name, kind, unit, help, page_bounds, begins_at_zero: true, series }
}

fn series(labels: &[(&'static str, &str)], started: u64, value: SeriesValue) -> Series {
    Series::new(LabelSet::new(labels.iter().copied()), value, at(started))
}

fn written(snapshot: &Snapshot) -> String {
    serde_json::to_string(snapshot).unwrap()
}

fn read(text: &str) -> Result<Snapshot, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Everything about a snapshot, times as nanoseconds.
fn texts(snapshot: &Snapshot) -> Vec<String> {
    let head = |family: &Family| {
        format!("{} {:?} {} {:?}", family.name(), family.kind(), family.unit(), family.help())
    };
    let mut texts =
        vec![format!("{} {}", snapshot.started().unix_nanos(), snapshot.taken().unix_nanos())];
    for family in snapshot.families() {
        texts.push(head(family));
        let row = |series: &Series| {
            let (labels, started) = (series.labels(), series.started().unix_nanos());
            let exemplar = series.exemplar().map(|one| {
                let labels: Vec<_> = one.labels().collect();
                format!("{} {:?} {}", one.value(), labels, one.taken().unix_nanos())
            });
            format!("{labels} @{started} {:?} {exemplar:?}", series.value())
        };
        texts.extend(family.series().iter().map(row));
    }
    texts
}

fn any_histogram() -> impl Strategy<Value = HistogramSnapshot> {
    let layout = prop_oneof![
        Just(BucketLayout::Exponential),
        prop::collection::btree_set(0u32..1000, 0..5).prop_map(|bounds| {
            let bounds: Vec<f64> = bounds.into_iter().map(|bound| f64::from(bound) / 8.0).collect();
            BucketLayout::Explicit(bounds.into())
        }),
        (1u8..=5).prop_map(|significant_digits| BucketLayout::Hdr { significant_digits }),
    ];
    let buckets = prop::collection::btree_map(0u32..5, 1u64..1 << 50, 0..4);
    (layout, buckets, 0.0f64..1e300, prop::option::of(any_exemplar())).prop_map(
        |(layout, buckets, sum, exemplar)| {
            let last = match &layout {
                BucketLayout::Explicit(bounds) => bounds.len() as u32,
                _ => 9,
            };
            let buckets = buckets.into_iter().filter(|bucket| bucket.0 <= last).collect();
            let exemplars = exemplar.into_iter().collect();
            let extremes = None;
            let parts = HistogramParts { layout, buckets, sum, extremes, exemplars };
            HistogramSnapshot::from_parts(parts).unwrap()
        },
    )
}

fn any_exemplar() -> impl Strategy<Value = Exemplar> {
    let of_trace = (1.0f64..1e3, 1u64.., 0u64..1 << 60).prop_map(|(value, id, taken)| {
        let trace_id = TraceId::from_u128(u128::from(id) << 7);
        Exemplar::new(value, trace_id, SpanId::from_u64(id), at(taken))
    });
    let labels = prop::sample::select(vec![&[][..], &[("order_id", "7"), ("who", "ü\"\n")]]);
    (of_trace, labels, prop::bool::ANY).prop_map(|(exemplar, labels, is_traced)| {
        match is_traced || labels.is_empty() {
            true => exemplar.with_labels(labels),
            false => {
                Exemplar::new(exemplar.value(), TraceId::INVALID, SpanId::INVALID, exemplar.taken())
                    .with_labels(labels)
            }
        }
    })
}

fn any_value() -> impl Strategy<Value = SeriesValue> {
    let summary = (any::<u64>(), -1e9f64..1e9, prop::option::of(any_histogram()));
    prop_oneof![
        any::<u64>().prop_map(SeriesValue::Counter),
        (0.0f64..).prop_map(SeriesValue::FloatCounter),
        any::<i64>().prop_map(SeriesValue::UpDownCounter),
        prop::num::f64::ANY.prop_map(SeriesValue::Gauge),
        any_histogram().prop_map(|histogram| SeriesValue::Histogram(Arc::new(histogram))),
        summary.prop_map(|(count, sum, window)| {
            let windows = window.map(|window| (Duration::from_secs(10), window));
            let windows = windows.into_iter().collect();
            SeriesValue::Summary(Arc::new(SummarySnapshot { count, sum, windows }))
        }),
        Just(SeriesValue::Info),
        any::<bool>().prop_map(SeriesValue::State),
    ]
}

fn kind_of(value: &SeriesValue) -> Kind {
    match value {
        SeriesValue::Counter(_) | SeriesValue::FloatCounter(_) => Kind::Counter,
        SeriesValue::UpDownCounter(_) => Kind::UpDownCounter,
        SeriesValue::Gauge(_) => Kind::Gauge,
        SeriesValue::Histogram(_) => Kind::Histogram,
        SeriesValue::Summary(_) => Kind::Summary,
        SeriesValue::Info => Kind::Info,
        SeriesValue::State(_) => Kind::StateSet,
    }
}

proptest! {
    #[test]
    fn a_snapshot_that_is_written_is_read_as_it_was(
        values in prop::collection::vec((any_value(), ".{1,9}", 0u64..1 << 62), 0..8),
        exemplar in prop::option::of(any_exemplar()),
        unit in prop::sample::select(vec!["", "s", "By", "1", "{item}", "ms"]),
        help in ".{0,20}",
    ) {
        let families = values.into_iter().enumerate().map(|(place, (value, label, started))| Family {
            unit: Unit::new(unit),
            help: help.clone().into(),
            ..family(&format!("f{place}x"), kind_of(&value), vec![
                series(&[("label", &label)], started, value.clone()).with_exemplar(
                    exemplar.clone().filter(|_| kind_of(&value) == Kind::Counter),
                ),
                series(&[], 7, value),
            ])
        });
        let snapshot = Snapshot::new(at(5), at(1 << 62), families.collect());
        let text = written(&snapshot);
        let again = read(&text).unwrap();
        prop_assert_eq!(texts(&again), texts(&snapshot));
        prop_assert_eq!(written(&again), text);
    }
}

#[test]
fn what_a_registry_recorded_is_read_elsewhere() {
    let registry = Registry::new();
    registry.counter("hits", "Hits").unit(Unit::new("{hit}")).build().unwrap().add(3);
    registry.gauge("load", "").unit(Unit::Ratio).build().unwrap().set(f64::INFINITY);
    let histogram = registry.histogram("size", "").unit(Unit::Bytes).build().unwrap();
    [0.0, 0.1, 1e-12, 1e15].into_iter().for_each(|size| histogram.record(size));
    let snapshot = registry.snapshot();
    let again = read(&written(&snapshot)).unwrap();
    assert_eq!(again.families()[0].unit(), Unit::new("{hit}"));
    assert_eq!(again.value("load", &[]).unwrap().as_f64(), f64::INFINITY);
    let size = |snapshot: &Snapshot| snapshot.value("size", &[]).unwrap().as_histogram().cloned();
    assert_eq!(size(&again), size(&snapshot));
    assert!(again.taken().unix_nanos().abs_diff(snapshot.taken().unix_nanos()) < 1_000_000_000);
}
