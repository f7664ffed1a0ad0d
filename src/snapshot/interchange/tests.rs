//! Snapshots written and read again, documents that are no snapshots, and snapshots merged.

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
    Family { name, kind, unit: Unit::NONE, help, page_bounds: PageBounds::default(), series }
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
            format!("{labels} @{started} {:?}", series.value())
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
    let exemplar = (1.0f64..1e3, 1u64.., 0u64..1 << 60).prop_map(|(value, id, taken)| Exemplar {
        value,
        trace_id: TraceId::from_u128(u128::from(id) << 7),
        span_id: SpanId::from_u64(id),
        taken: at(taken),
    });
    (layout, buckets, 0.0f64..1e300, prop::option::of(exemplar)).prop_map(
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
        unit in prop::sample::select(vec!["", "s", "By", "1", "{item}", "ms"]),
        help in ".{0,20}",
    ) {
        let families = values.into_iter().enumerate().map(|(place, (value, label, started))| Family {
            unit: Unit::new(unit),
            help: help.clone().into(),
            ..family(&format!("f{place}x"), kind_of(&value), vec![
                series(&[("label", &label)], started, value.clone()),
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
    registry.counter::<()>("hits", "Hits", Unit::new("{hit}")).unwrap().add(3);
    registry.gauge::<()>("load", "", Unit::Ratio).unwrap().set(f64::INFINITY);
    let histogram = registry.histogram::<()>("size", "", Unit::Bytes).unwrap();
    [0.0, 0.1, 1e-12, 1e15].into_iter().for_each(|size| histogram.record(size));
    let snapshot = registry.snapshot();
    let again = read(&written(&snapshot)).unwrap();
    assert_eq!(again.families()[0].unit(), Unit::new("{hit}"));
    assert_eq!(again.value("load", &[]).unwrap().as_f64(), f64::INFINITY);
    let size = |snapshot: &Snapshot| snapshot.value("size", &[]).unwrap().as_histogram().cloned();
    assert_eq!(size(&again), size(&snapshot));
    assert!(again.taken().unix_nanos().abs_diff(snapshot.taken().unix_nanos()) < 1_000_000_000);
}

/// A document of one family with one series.
fn document(family: &str, series: &str) -> String {
    format!(
        r#"{{"format": "bellwether.snapshot", "version": 1, "started": 1, "taken": 2, "families": [
            {{"name": "f", {family}, "unit": "", "help": "", "series": [{series}]}}]}}"#
    )
}

fn counter(labels: &str, value: &str) -> String {
    format!(r#"{{"labels": {{{labels}}}, "started": 1, "value": {value}}}"#)
}

#[test]
fn a_document_that_is_no_snapshot_is_an_error_that_names_the_place() {
    let good = document(r#""kind": "counter""#, &counter(r#""a": "b""#, r#"{"counter": 1}"#));
    assert!(read(&good).is_ok());
    let many_labels: Vec<_> = (0..200).map(|n| format!(r#""k{n}": """#)).collect();
    let one = |value: &str| (r#"{"counter": 1}"#, value.to_owned());
    let labels = |labels: String| (r#""a": "b""#, labels);
    for ((from, to), part) in [
        (("bellwether.snapshot", "x".to_owned()), r#"format "x" is not"#),
        (("\"version\": 1", "\"version\": 2".to_owned()), "version 2 is not 1"),
        (("\"taken\": 2", "\"taken\": 9999999999999999999".to_owned()), "a time after 2262"),
        (
            ("\"name\": \"f\"", "\"name\": \"9\"".to_owned()),
            r#"family "9": a name must start with"#,
        ),
        (
            ("\"kind\": \"counter\"", "\"kind\": \"timer\"".to_owned()),
            r#"family "f": there is no kind "timer""#,
        ),
        (
            ("\"kind\": \"counter\"", "\"kind\": \"gauge\"".to_owned()),
            "the value does not fit a gauge",
        ),
        (("\"unit\": \"\"", "\"unit\": \"a b\"".to_owned()), r#"family "f": unit "a b" is not"#),
        (("\"help\": \"\"", format!("\"help\": {:?}", "x".repeat(70_000))), "longer than 64 KiB"),
        (labels(r#""a b": """#.to_owned()), r#"label key "a b" may hold only"#),
        (labels(r#""a": "", "a": """#.to_owned()), r#"label key "a" is given twice"#),
        (labels(format!(r#""a": {:?}"#, "x".repeat(1025))), "a value longer than 1,024 bytes"),
        (labels(format!(r#""{}": """#, "x".repeat(1025))), "is longer than 1,024 bytes"),
        (labels(many_labels.join(",")), "at most 128 labels"),
        (one(r#"{"counter": 18446744073709551616}"#), "invalid"),
        (one(r#"{"float_counter": -0.5}"#), r#"series {a="b"}: -0.5 is no sum that only grows"#),
        (one(r#"{"float_counter": "NaN"}"#), "NaN is no sum that only grows"),
        (one(r#"{"float_counter": "one"}"#), "a number, or NaN, inf or -inf as text"),
        (one(r#"{"meter": 1}"#), "unknown variant `meter`"),
    ] {
        let text = good.replacen(from, &to, 1);
        assert_ne!(text, good, "{from}");
        let error = read(&text).expect_err(&to);
        assert!(error.contains(part), "{error}");
        assert!(error.len() < 500, "{error}");
    }
}

#[test]
fn a_histogram_that_cannot_be_is_an_error_that_names_its_series() {
    let histogram = |layout: &str, buckets: &str, sum: &str| {
        let value = format!(
            r#"{{"histogram": {{"layout": {layout}, "buckets": {buckets}, "sum": {sum}, "exemplars": []}}}}"#
        );
        read(&document(r#""kind": "histogram""#, &counter(r#""a": "b""#, &value)))
    };
    let max = u64::MAX;
    assert!(histogram(r#""exponential""#, "[[4482, 7]]", "1").is_ok());
    for (layout, buckets, sum, part) in [
        (r#""exponential""#, "[[4483, 7]]", "1", "a bucket that there is not"),
        (r#"{"explicit": [1.0]}"#, "[[2, 7]]", "1", "a bucket that there is not"),
        (r#"{"explicit": [2.0, 1.0]}"#, "[]", "0", "bounds ascend"),
        (r#"{"hdr": {"significant_digits": 9}}"#, "[]", "0", "significant digits are 1 to 5"),
        (r#""exponential""#, "[[5, 1], [5, 1]]", "1", "buckets do not ascend"),
        (r#""exponential""#, "[[5, 0]]", "1", "a bucket without values"),
        (r#""exponential""#, &format!("[[5, {max}], [6, 1]]"), "1", "more than 2^64 values"),
        (r#""exponential""#, "[[5, 1]]", "-1", "a sum that is negative"),
        (r#""exponential""#, "[[5, 1]]", r#""NaN""#, "a sum that is negative or no number"),
    ] {
        let error = histogram(layout, buckets, sum).unwrap_err();
        assert!(error.contains(part) && error.contains(r#"family "f", series {a="b"}"#), "{error}");
    }
}

#[test]
fn exemplars_may_be_left_out_and_those_that_cannot_be_are_named() {
    let histogram = |exemplars: &str| {
        let value = format!(
            r#"{{"histogram": {{"layout": "exponential", "buckets": [[5, 1]], "sum": 1{exemplars}}}}}"#
        );
        read(&document(r#""kind": "histogram""#, &counter(r#""a": "b""#, &value)))
    };
    let one = |value: &str, trace_id: u128| {
        format!(
            r#"{{"value": {value}, "trace_id": "{trace_id:032x}", "span_id": "00000000000000cd", "taken": 7}}"#
        )
    };
    let list = |exemplars: &[String]| format!(r#", "exemplars": [{}]"#, exemplars.join(","));
    let n_exemplars = |snapshot: Snapshot| {
        let value = snapshot.value("f", &[("a", "b")]).unwrap();
        value.as_histogram().unwrap().exemplars().len()
    };
    assert_eq!(histogram("").map(n_exemplars), Ok(0), "of a version without them");
    assert_eq!(histogram(&list(&[one("1", 5), one("3", 6)])).map(n_exemplars), Ok(2));
    for (exemplars, part) in [
        (vec![one("3", 5), one("1", 6)], "exemplar 1, of 1: a value below"),
        (vec![one("3.5", 5), one("4", 6)], "exemplar 1, of 4: the bucket of the one before"),
        (vec![one("\"NaN\"", 5)], "exemplar 0, of NaN: a value"),
        (vec![one("1", 0)], "exemplar 0, of 1: a trace id of zero"),
        (vec![one("1", 5).replace("cd\"", "\"")], "exemplar 0: "),
    ] {
        let error = histogram(&list(&exemplars)).map(n_exemplars).unwrap_err();
        assert!(error.contains(part) && error.contains(r#"family "f", series {a="b"}"#), "{error}");
    }
}

#[test]
fn two_of_one_name_and_two_of_one_label_set_are_errors() {
    let (hits, total) =
        (family("hits", Kind::Counter, Vec::new()), family("hits_total", Kind::Gauge, Vec::new()));
    let one = series(&[("a", "b")], 1, SeriesValue::Counter(1));
    for (families, part) in [
        (vec![hits.clone(), hits.clone()], r#"family "hits": is there twice"#),
        (vec![hits.clone(), total], r#""hits" and "hits_total" are both `hits_total`"#),
        (
            vec![family("f", Kind::Counter, vec![one.clone(), one])],
            r#"series {a="b"}: is there twice"#,
        ),
    ] {
        let error = read(&written(&Snapshot::new(at(1), at(2), families))).expect_err(part);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_list_is_not_read_beyond_its_limit() {
    let long = format!("[{}]", vec!["1"; 100].join(","));
    assert!(serde_json::from_str::<AtMost<u8, 100>>(&long).is_ok());
    let error = serde_json::from_str::<AtMost<u8, 99>>(&long).err().unwrap().to_string();
    assert!(error.contains("a list of at most 99"), "{error}");
}

#[test]
fn only_so_many_units_are_learned() {
    let mut units = Units(BTreeSet::new());
    let texts: Vec<_> = (0..=MAX_LEARNED_UNITS).map(|n| format!("{{u{n}}}")).collect();
    let results: Vec<_> = texts.iter().map(|text| units.learn(text)).collect();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), MAX_LEARNED_UNITS);
    assert!(results[MAX_LEARNED_UNITS].is_err());
    assert_eq!(units.learn("{u7}"), results[7], "a known one is no new one");
}

mod merged {
    use super::*;

    fn of(taken: u64, families: Vec<Family>) -> Snapshot {
        Snapshot::new(at(taken - 1), at(taken), families)
    }

    fn one(name: &str, value: SeriesValue) -> Vec<Family> {
        vec![family(name, kind_of(&value), vec![series(&[], 5, value)])]
    }

    fn values(snapshot: &Snapshot, name: &str) -> Vec<(String, f64)> {
        let series = snapshot.family(name).map_or(&[][..], Family::series);
        series.iter().map(|one| (one.labels().to_string(), one.value().as_f64())).collect()
    }

    #[test]
    fn gauges_become_what_is_asked_for() {
        let sources = [
            ("b", of(20, one("g", SeriesValue::Gauge(2.0)))),
            ("a", of(10, one("g", SeriesValue::Gauge(1.0)))),
        ];
        let merged = |gauges| values(&Snapshot::merge(&sources, gauges).unwrap(), "g");
        let row = |labels: &str, value: f64| (labels.to_owned(), value);
        assert_eq!(merged(Gauges::Last), [row("{}", 2.0)], "the last that was taken");
        assert_eq!(merged(Gauges::Sum), [row("{}", 3.0)]);
        let each = [row(r#"{instance="a"}"#, 1.0), row(r#"{instance="b"}"#, 2.0)];
        assert_eq!(merged(Gauges::Labelled("instance")), each);
        // In stages: the labels of the first stay.
        let first = Snapshot::merge(&sources, Gauges::Labelled("instance")).unwrap();
        let again = Snapshot::merge(&[("all", first)], Gauges::Labelled("instance")).unwrap();
        assert_eq!(values(&again, "g"), each);
    }

    #[test]
    fn what_cannot_be_added_up_is_an_error_that_names_both() {
        let seconds = |mut families: Vec<Family>| {
            families[0].unit = Unit::Seconds;
            families
        };
        let histogram = |layout| {
            let parts =
                HistogramParts { layout, buckets: vec![(1, 1)], ..HistogramParts::default() };
            SeriesValue::Histogram(Arc::new(HistogramSnapshot::from_parts(parts).unwrap()))
        };
        let explicit = BucketLayout::Explicit(vec![1.0].into());
        let (count, gauge) = (SeriesValue::Counter(u64::MAX), SeriesValue::Gauge(1.0));
        for (first, second, kind, part) in [
            (
                one("x", count.clone()),
                one("x", gauge.clone()),
                ErrorKind::Conflict,
                r#""x" of web-1 and "x" of web-2 are a Counter and a Gauge"#,
            ),
            (
                one("x", count.clone()),
                seconds(one("x", count.clone())),
                ErrorKind::Conflict,
                r#""x" of web-1 and "x" of web-2 have the units "" and "s""#,
            ),
            (
                one("x", count.clone()),
                one("x_total", gauge),
                ErrorKind::Conflict,
                r#""x" of web-1 and "x_total" of web-2 are both `x_total`"#,
            ),
            (
                one("x", histogram(explicit)),
                one("x", histogram(BucketLayout::Exponential)),
                ErrorKind::Conflict,
                "have histograms of two layouts in the series {}",
            ),
            (
                one("x", count),
                one("x", SeriesValue::Counter(1)),
                ErrorKind::InvalidOption,
                "have a sum that is too large in the series {}",
            ),
        ] {
            let sources = [("web-1", of(10, first)), ("web-2", of(20, second))];
            let error = Snapshot::merge(&sources, Gauges::Last).expect_err(part);
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
        let error = Snapshot::merge(&[], Gauges::Labelled("a b")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidName);
    }

    #[test]
    fn times_are_the_earliest_start_and_the_latest_taken() {
        let counter = |started| {
            let one = series(&[], started, SeriesValue::Counter(1));
            vec![family("c", Kind::Counter, vec![one])]
        };
        let sources =
            [("a", of(30, counter(7))), ("b", of(10, counter(9))), ("c", of(20, counter(8)))];
        let merged = Snapshot::merge(&sources, Gauges::Last).unwrap();
        assert_eq!((merged.started(), merged.taken()), (at(9), at(30)));
        assert_eq!(merged.family("c").unwrap().series()[0].started(), at(7));
        // Those of a clock of this process are brought onto the wall clock's.
        let registry = Registry::new();
        registry.counter::<()>("c", "", Unit::NONE).unwrap().inc();
        let live = registry.snapshot();
        let merged = Snapshot::merge(&[("live", live), sources[0].clone()], Gauges::Last).unwrap();
        assert_eq!(values(&merged, "c"), [("{}".to_owned(), 2.0)]);
        assert_eq!(merged.family("c").unwrap().series()[0].started(), at(7));
        assert!(merged.taken() > at(30));
    }

    type Recorded = Vec<(u8, u8, u32)>;

    /// A process that recorded these: a family, a label and an amount.
    fn process(taken: u64, recorded: &Recorded) -> Snapshot {
        let mut cells: BTreeMap<(u8, u8), Vec<u32>> = BTreeMap::new();
        for &(family, label, n) in recorded {
            cells.entry((family, label)).or_default().push(n);
        }
        let mut families: BTreeMap<u8, Vec<Series>> = BTreeMap::new();
        for ((name, label), amounts) in cells {
            let sum: u32 = amounts.iter().sum();
            let value = match name {
                0 => SeriesValue::Counter(sum.into()),
                1 => SeriesValue::UpDownCounter(-i64::from(sum)),
                2 => SeriesValue::Gauge(sum.into()),
                _ => {
                    let values: Vec<f64> = amounts.into_iter().map(f64::from).collect();
                    SeriesValue::Histogram(Arc::new(HistogramSnapshot::of(&values)))
                }
            };
            let one = series(&[("n", &label.to_string())], taken, value);
            families.entry(name).or_default().push(one);
        }
        let family = |(name, series): (u8, Vec<Series>)| {
            family(&format!("f{name}"), kind_of(series[0].value()), series)
        };
        of(taken, families.into_iter().map(family).collect())
    }

    proptest! {
        #[test]
        fn processes_merge_to_what_one_of_all_would_have_recorded(
            all in prop::collection::vec(
                prop::collection::vec((0u8..4, 0u8..3, 0u32..1000), 0..20), 1..5),
        ) {
            // Over the wire, as snapshots of other processes come.
            let sources: Vec<_> = (all.iter())
                .map(|recorded| ("p", read(&written(&process(10, recorded))).unwrap()))
                .collect();
            let merged = Snapshot::merge(&sources, Gauges::Sum).unwrap();
            let whole = process(10, &all.concat());
            prop_assert_eq!(texts(&merged), texts(&whole));
            // In stages, too.
            let (left, right) = sources.split_at(sources.len() / 2);
            let stages = [left, right].map(|part| ("", Snapshot::merge(part, Gauges::Sum).unwrap()));
            let staged = Snapshot::merge(&stages, Gauges::Sum).unwrap();
            prop_assert_eq!(&texts(&staged)[1..], &texts(&whole)[1..]);
        }
    }
}
