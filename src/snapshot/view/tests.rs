//! Views over registries and over snapshots made by hand, against a naive twin.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    ErrorKind,
    clock::Ticks,
    label::LabelSet,
    metric::Registry,
    snapshot::{
        family::{Family, Series, SeriesValue, Snapshot, SummarySnapshot},
        histogram::{HistogramSnapshot, PageBounds},
    },
};

fn views<const N: usize>(views: [View; N]) -> Views {
    Views::new(views).unwrap()
}

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

fn snapshot(families: Vec<Family>) -> Snapshot {
    Snapshot::new(at(1), at(100), families)
}

/// Every series as text: name, labels, start and value.
fn texts(snapshot: &Snapshot) -> Vec<String> {
    let text = |family: &Family, series: &Series| {
        let (name, labels) = (family.name(), series.labels());
        let value = match series.value() {
            SeriesValue::Histogram(histogram) => {
                format!("{:?}", histogram.buckets().collect::<Vec<_>>())
            }
            value => value.as_f64().to_string(),
        };
        format!("{name}{labels} @{} {value}", series.started().unix_nanos())
    };
    let of_family = |family| family_texts(family, text);
    snapshot.families().iter().flat_map(of_family).collect()
}

fn family_texts(family: &Family, text: impl Fn(&Family, &Series) -> String) -> Vec<String> {
    family.series().iter().map(|series| text(family, series)).collect()
}

fn counters(name: &str, values: &[(&'static str, u64)]) -> Family {
    let one = |&(route, n): &(&'static str, u64)| {
        series(&[("route", route), ("user", &n.to_string())], n, SeriesValue::Counter(n))
    };
    family(name, Kind::Counter, values.iter().map(one).collect())
}

#[test]
fn labels_are_dropped_or_kept_and_what_becomes_equal_is_added_up_from_the_earliest_start() {
    let all = snapshot(vec![counters("hits", &[("/", 3), ("/", 5), ("/a", 9)])]);
    for view in [
        View::new("hits").drop_labels(["us*"]),
        View::new("*").keep_labels(["route"]),
        View::new("h?ts").keep_labels(["*"]).drop_labels(["user"]),
    ] {
        let shown = texts(&views([view.clone()]).apply(all.clone()));
        assert_eq!(shown, [r#"hits{route="/"} @3 8"#, r#"hits{route="/a"} @9 9"#], "{view:?}");
    }
    assert_eq!(
        texts(&views([View::new("hits").keep_labels([""; 0])]).apply(all)),
        ["hits{} @3 17"]
    );
}

#[test]
fn what_no_view_selects_is_the_same_snapshot() {
    let all = snapshot(vec![counters("hits", &[("/", 3)])]);
    for view in [
        View::new("other"),
        View::new("hits").kind(Kind::Gauge),
        View::new("hits").unit("s"),
        View::new("hit"),
        View::new("Hits"),
    ] {
        let shown = views([view.clone().drop()]).apply(all.clone());
        assert!(std::ptr::eq(shown.families(), all.families()), "{view:?}");
    }
}

#[test]
fn each_view_that_selects_an_instrument_makes_a_family_and_dropping_makes_none() {
    let all =
        || snapshot(vec![counters("debug", &[("/", 1)]), counters("hits", &[("/", 3), ("/", 4)])]);
    let shown = views([
        View::new("*").drop(),
        View::new("hits").keep_labels(["route"]),
        View::new("hits").rename("hits.all").keep_labels([""; 0]),
    ]);
    assert_eq!(texts(&shown.apply(all())), [r#"hits{route="/"} @3 7"#, "hits.all{} @3 7"]);
    let both = views([
        View::new("*").drop_labels(["user"]),
        View::new("h*").drop_labels(["route"]),
        View::new("debug").rename("x"),
    ]);
    let expected = [r#"debug{route="/"} @1 1"#, "hits{} @3 7", r#"x{route="/", user="1"} @1 1"#];
    assert_eq!(texts(&both.apply(all())), expected);
}

#[test]
fn families_that_get_one_name_are_added_up() {
    let families = vec![counters("a", &[("/", 1)]), counters("b", &[("/", 1), ("/b", 2)])];
    let shown = views([View::new("b").rename("a")]).apply(snapshot(families));
    let expected = [r#"a{route="/", user="1"} @1 2"#, r#"a{route="/b", user="2"} @2 2"#];
    assert_eq!(texts(&shown), expected);
}

#[test]
fn of_two_that_cannot_share_a_name_the_one_that_kept_it_stands() {
    let gauge = |name| family(name, Kind::Gauge, vec![series(&[], 1, SeriesValue::Gauge(2.0))]);
    let bytes = Family { unit: Unit::Bytes, ..counters("hits", &[("/", 1)]) };
    for (other, name) in [
        (gauge("a"), "z"),                           // Another kind.
        (gauge("a"), "z_total"),                     // Another name, and the same on a page.
        (Family { name: "a".into(), ..bytes }, "z"), // Another unit, and so another page name.
    ] {
        let shown = views([View::new("a").rename(name)])
            .apply(snapshot(vec![other, counters("z", &[("/", 1)])]));
        assert_eq!(texts(&shown), [r#"z{route="/", user="1"} @1 1"#], "{name}");
    }
    let shown = views([View::new("*").rename("x")])
        .apply(snapshot(vec![gauge("b"), counters("a", &[("/", 1)])]));
    assert_eq!(texts(&shown), [r#"x{route="/", user="1"} @1 1"#], "the first by its old name");
}

#[test]
fn of_gauges_that_become_equal_the_one_that_started_last_holds() {
    let gauge = |n: u64, started| {
        let label = n.to_string();
        series(&[("n", &label)], started, SeriesValue::Gauge(n as f64))
    };
    for (all, holds) in [([(1, 5), (2, 9), (3, 7)], "@9 2"), ([(1, 5), (2, 5), (3, 5)], "@5 3")] {
        let gauges = all.iter().map(|&(n, started)| gauge(n, started)).collect();
        let shown = views([View::new("g").drop_labels(["n"])]).apply(snapshot(vec![family(
            "g",
            Kind::Gauge,
            gauges,
        )]));
        assert_eq!(texts(&shown), [format!("g{{}} {holds}")]);
    }
}

#[test]
fn a_state_set_keeps_the_label_of_its_states_under_the_new_name() {
    let state = |host, state, holds| {
        series(&[("host", host), ("door", state)], 1, SeriesValue::State(holds))
    };
    let states = vec![
        state("a", "open", true),
        state("a", "shut", false),
        state("b", "open", false),
        state("b", "shut", false),
    ];
    let doors = snapshot(vec![family("door", Kind::StateSet, states)]);
    let shown = views([View::new("door").rename("gate").keep_labels([""; 0])]).apply(doors);
    assert_eq!(texts(&shown), [r#"gate{gate="open"} @1 1"#, r#"gate{gate="shut"} @1 0"#]);
}

#[test]
fn a_summary_keeps_the_windows_that_all_of_its_parts_have() {
    let window =
        |seconds, values: &[f64]| (Duration::from_secs(seconds), HistogramSnapshot::of(values));
    let part = |host, count, windows| {
        let summary = SummarySnapshot { count, sum: count as f64, windows };
        series(&[("host", host)], 1, SeriesValue::Summary(Arc::new(summary)))
    };
    let parts = vec![
        part("a", 3, vec![window(10, &[1.0]), window(60, &[1.0, 2.0])]),
        part("b", 4, vec![window(60, &[4.0])]),
    ];
    let shown = views([View::new("s").keep_labels([""; 0])]).apply(snapshot(vec![family(
        "s",
        Kind::Summary,
        parts,
    )]));
    let Some(SeriesValue::Summary(summary)) = shown.value("s", &[]) else { panic!("{shown:?}") };
    assert_eq!((summary.count, summary.sum), (7, 7.0));
    assert_eq!(summary.windows, [window(60, &[1.0, 2.0, 4.0])]);
}

#[test]
fn the_mark_of_the_overflow_series_stays_unless_no_label_does() {
    let all = || {
        let overflow = series(&[("otel.metric.overflow", "true")], 1, SeriesValue::Counter(7));
        let mut hits = counters("hits", &[("/", 3)]);
        hits.series.push(overflow);
        snapshot(vec![hits])
    };
    let shown = texts(&views([View::new("*").keep_labels(["route"])]).apply(all()));
    assert_eq!(shown, [r#"hits{otel.metric.overflow="true"} @1 7"#, r#"hits{route="/"} @3 3"#]);
    assert_eq!(texts(&views([View::new("*").keep_labels([""; 0])]).apply(all())), ["hits{} @1 10"]);
}

#[test]
fn a_registry_is_read_through_its_views_and_another_list_shows_it_otherwise() {
    let registry = Registry::new();
    registry.counter("a", "").build().unwrap().add(2);
    registry.set_views(views([View::new("a").rename("b")]));
    assert_eq!(registry.snapshot().value("b", &[]).map(SeriesValue::as_f64), Some(2.0));
    assert!(registry.snapshot().family("a").is_none());
    registry.set_views(Views::default());
    assert_eq!(registry.snapshot().value("a", &[]).map(SeriesValue::as_f64), Some(2.0));
}

#[test]
fn an_instrument_is_told_the_first_buckets_and_the_first_limit_that_are_for_it() {
    let views = views([
        View::new("http.*").limit(7),
        View::new("*.size").unit("By").bounds([1.0, 2.0]),
        View::new("*").hdr(3).limit(9),
    ]);
    let size = views.for_instrument("http.size", Kind::Histogram, Unit::Bytes);
    assert_eq!(size.aggregation(), Some(Aggregation::Explicit(&[1.0, 2.0])));
    assert_eq!(size.limit(), Some(7));
    let seconds = views.for_instrument("size", Kind::Histogram, Unit::Seconds);
    let hdr = Aggregation::Hdr { significant_digits: 3 };
    assert_eq!((seconds.aggregation(), seconds.limit()), (Some(hdr), Some(9)));
    let counter = views.for_instrument("size", Kind::Counter, Unit::Bytes);
    assert_eq!((counter.aggregation(), counter.limit()), (None, Some(9)));
}

#[test]
fn a_view_chooses_the_bounds_of_a_page_and_leaves_the_histogram_as_fine_as_it_is() {
    let registry = Registry::new();
    let latency = registry.histogram("latency", "").unit(Unit::Seconds).build().unwrap();
    latency.record(0.3);
    let shown = |view: View| {
        registry.set_views(views([view, View::new("*").page_powers_of_two()]));
        registry.snapshot().family("latency").unwrap().page_bounds()
    };
    let own = PageBounds::explicit(&[0.1, 2.5]).unwrap();
    assert_eq!(shown(View::new("late*").page_bounds([0.1, 2.5])), own);
    assert_eq!(shown(View::new("other").page_bounds([0.1, 2.5])), PageBounds::PowersOfTwo);
    let renamed = View::new("latency").rename("wait").page_bounds([0.1]);
    assert_eq!(shown(renamed), PageBounds::PowersOfTwo);
    let renamed = registry.snapshot();
    assert_eq!(
        renamed.family("wait").unwrap().page_bounds(),
        PageBounds::explicit(&[0.1]).unwrap()
    );
    let p50 = renamed.value("wait", &[]).unwrap().as_histogram().unwrap().p50().unwrap();
    assert!((p50 / 0.3 - 1.0).abs() < 0.01);
}

#[test]
fn a_view_that_is_not_legal_is_named_with_its_option() {
    for (view, text) in [
        (View::new("c").hdr(9), "view of \"c\": hdr: must be from 1 to 5 digits"),
        (View::new("").drop(), "view of \"\": instrument: must not be empty"),
        (View::new("c").limit(0), "view of \"c\": limit: must be at least 1"),
        (View::new("c").rename("9"), "view of \"c\": rename: must start with"),
        (View::new("c").bounds([2.0, 1.0]), "view of \"c\": bounds: bounds ascend"),
        (View::new("c").page_bounds([2.0, 1.0]), "view of \"c\": page_bounds: bounds ascend"),
        (View::new("c").bounds([f64::NAN]), "view of \"c\": bounds: a bound is finite"),
    ] {
        let error = Views::new([View::new("a").rename("b"), view]).unwrap_err();
        assert!(error.to_string().starts_with(text), "{error}");
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_view_is_read_from_a_map() {
    let read = |json: &str| serde_json::from_str::<View>(json).map_err(|error| error.to_string());
    let map = r#"{"instrument": "http.*", "kind": "histogram", "unit": "s", "rename": "web",
        "keep_labels": ["route"], "bounds": [0.5, 1], "page_bounds": [0.1], "limit": 9}"#;
    let view = View::new("http.*").kind(Kind::Histogram).unit("s").rename("web");
    let view = view.keep_labels(["route"]).bounds([0.5, 1.0]).page_bounds([0.1]).limit(9);
    assert_eq!(read(map).unwrap(), view);
    let map = r#"{"instrument": "a", "drop": true, "drop_labels": ["k"], "hdr": 3}"#;
    assert_eq!(read(map).unwrap(), View::new("a").drop().drop_labels(["k"]).hdr(3));
    let map = r#"{"instrument": "a", "exponential": true}"#;
    assert_eq!(read(map).unwrap(), View::new("a").exponential());
    let map = r#"{"instrument": "a", "page_bounds": "powers_of_two"}"#;
    assert_eq!(read(map).unwrap(), View::new("a").page_powers_of_two());
    for (json, part) in [
        (r#"{"instrument": "a", "dropp": true}"#, "unknown field `dropp`"),
        (r#"{"instrument": "a", "rename": "9"}"#, "view of \"a\": rename: must start"),
        (r#"{"instrument": "a", "hdr": 3, "bounds": [1]}"#, "only one of"),
        (r#"{"instrument": "a", "hdr": 3, "exponential": true}"#, "only one of"),
        (r#"{"instrument": "a", "kind": "timer"}"#, "\"timer\" is no kind; kinds are counter, "),
        (r#"{"drop": true}"#, "missing field `instrument`"),
        (r#"{"instrument": "a", "page_bounds": [2, 1]}"#, "page_bounds: bounds ascend"),
        (r#"{"instrument": "a", "page_bounds": "x"}"#, "page_bounds: \"x\" is neither"),
        ("\"a drop\"", "invalid type: string"),
    ] {
        let error = read(json).expect_err(json);
        assert!(error.contains(part), "{error}");
    }
}

/// A view of which the naive twin knows what it does.
fn any_view() -> impl Strategy<Value = View> {
    let name = prop::sample::select(vec!["*", "a", "b", "a*", "?"]);
    let keys = || prop::collection::vec(prop::sample::select(vec!["k", "l", "m"]), 0..3);
    let rename = prop::option::of(prop::sample::select(vec!["a", "c"]));
    (name, prop::option::weighted(0.3, keys()), keys(), rename, prop::bool::weighted(0.2)).prop_map(
        |(name, keep, drop_labels, rename, drop)| {
            let view = View::new(name).drop_labels(drop_labels);
            let view = if let Some(keys) = keep { view.keep_labels(keys) } else { view };
            let view = if let Some(name) = rename { view.rename(name) } else { view };
            if drop { view.drop() } else { view }
        },
    )
}

type Cells = BTreeMap<(String, BTreeMap<String, String>), (u64, u64)>;

/// Names, labels, sums and starts by definition, for names and keys without patterns but those above.
fn naive(views: &[View], all: &Cells) -> Cells {
    let mut shown = Cells::new();
    for ((name, labels), (n, started)) in all {
        let is_of = |view: &&View| match view.instrument.0.as_str() {
            "*" | "?" => true,
            "a*" => name == "a",
            exact => exact == name,
        };
        let selecting: Vec<_> = views.iter().filter(is_of).collect();
        let mut streams: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        if selecting.is_empty() {
            streams.insert(name.clone(), labels.clone());
        }
        for view in selecting.into_iter().filter(|view| !view.drop) {
            let stream = streams.entry(view.rename.clone().unwrap_or_else(|| name.clone()));
            let has = |keys: &[Pattern], key: &str| keys.iter().any(|pattern| pattern.0 == key);
            stream.or_insert_with(|| labels.clone()).retain(|key, _| {
                view.keep_labels.as_ref().is_none_or(|keys| has(keys, key))
                    && !has(&view.drop_labels, key)
            });
        }
        for stream in streams {
            let (sum, first) = shown.entry(stream).or_insert((0, u64::MAX));
            *sum += n;
            *first = (*first).min(*started);
        }
    }
    shown
}

fn cells(snapshot: &Snapshot) -> Cells {
    let owned = |labels: &LabelSet| {
        labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let mut cells = Cells::new();
    for family in snapshot.families() {
        for series in family.series() {
            let n = match series.value() {
                SeriesValue::Counter(n) => *n,
                value => value.as_histogram().unwrap().count(),
            };
            let key = (family.name().to_owned(), owned(series.labels()));
            let before = cells.insert(key, (n, series.started().unix_nanos()));
            assert!(before.is_none(), "labels are unique");
        }
    }
    cells
}

proptest! {
    #[test]
    fn views_show_what_their_definition_says(
        list in prop::collection::vec(any_view(), 0..4),
        all in prop::collection::btree_map(("[ab]", "[12]", "[12]", "[12]"), (1u64..100, 1u64..9), 0..12),
        is_histogram: bool,
    ) {
        let mut by_name: BTreeMap<String, Vec<Series>> = BTreeMap::new();
        for ((name, k, l, m), (n, started)) in &all {
            let value = match is_histogram {
                true => SeriesValue::Histogram(Arc::new(HistogramSnapshot::of(&vec![*n as f64; *n as usize]))),
                false => SeriesValue::Counter(*n),
            };
            let labels = [("k", k.as_str()), ("l", l), ("m", m)];
            by_name.entry(name.clone()).or_default().push(series(&labels, *started, value));
        }
        let kind = if is_histogram { Kind::Histogram } else { Kind::Counter };
        let families = by_name.into_iter().map(|(name, series)| family(&name, kind, series)).collect();
        let all = snapshot(families);
        let views = Views::new(list.clone()).unwrap();
        let before = cells(&all);
        for _ in 0..2 { // The second time by what is remembered of the first.
            let shown = views.apply(all.clone());
            prop_assert_eq!(cells(&shown), naive(&list, &before));
            for family in shown.families() {
                prop_assert!(family.series().is_sorted_by(|a, b| a.labels() < b.labels()));
            }
        }
    }
}
