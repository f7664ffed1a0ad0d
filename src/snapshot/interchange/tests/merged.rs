//! Snapshots of several processes, added up.

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
        let parts = HistogramParts { layout, buckets: vec![(1, 1)], ..HistogramParts::default() };
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
    let sources = [("a", of(30, counter(7))), ("b", of(10, counter(9))), ("c", of(20, counter(8)))];
    let merged = Snapshot::merge(&sources, Gauges::Last).unwrap();
    assert_eq!((merged.started(), merged.taken()), (at(9), at(30)));
    assert_eq!(merged.family("c").unwrap().series()[0].started(), at(7));
    // Those of a clock of this process are brought onto the wall clock's.
    let registry = Registry::new();
    registry.counter("c", "").build().unwrap().inc();
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
