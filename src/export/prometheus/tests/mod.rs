//! Pages written by hand from the specifications, and pages read back by an independent reader.

mod exemplars_tests;
mod generated;
mod kinds;
mod protobuf;
mod reader;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use super::{Dialect, Format};
use crate::{
    clock::{ManualClock, Ticks},
    export::wire::hostile,
    label::LabelSet,
    metric::{
        BucketLayout, Family, HistogramSnapshot, Kind, PageBounds, Series, SeriesValue, Snapshot,
        Unit,
    },
    resource::Resource,
};
use reader::Page;

const BOTH: [Format; 2] = [Format::Text, Format::OpenMetrics];

/// 1577836800 s after the epoch.
fn started() -> Ticks {
    static STARTED: LazyLock<Ticks> = LazyLock::new(|| ManualClock::new().now());
    *STARTED
}

fn snapshot(families: Vec<Family>) -> Snapshot {
    Snapshot::new(started(), started(), families)
}

fn family(name: &str, kind: Kind, unit: Unit, help: &str, series: Vec<Series>) -> Family {
    let (name, help) = (name.to_owned().into(), help.to_owned().into());
    Family {
        name,
        kind,
        unit,
        help,
        page_bounds: PageBounds::default(),
        begins_at_zero: true,
        series,
    }
}

fn series(labels: &[(&str, &str)], value: SeriesValue) -> Series {
    let labels = LabelSet::new(labels.iter().map(|&(key, value)| (key.to_owned(), value)));
    Series::new(labels, value, started())
}

fn counter(labels: &[(&str, &str)], value: u64) -> Family {
    let series = vec![series(labels, SeriesValue::Counter(value))];
    family("hits", Kind::Counter, Unit::NONE, "", series)
}

fn histogram(values: &[f64]) -> SeriesValue {
    SeriesValue::Histogram(Arc::new(HistogramSnapshot::of(values)))
}

fn page(families: Vec<Family>, dialect: impl Into<Dialect>) -> String {
    render(&snapshot(families), &Resource::default(), dialect)
}

fn render(snapshot: &Snapshot, resource: &Resource, dialect: impl Into<Dialect>) -> String {
    String::from_utf8(super::render(snapshot, resource, dialect)).unwrap()
}

/// One of each kind, without histograms.
fn small() -> Vec<Family> {
    let gauge = |value| vec![series(&[], SeriesValue::Gauge(value))];
    vec![
        family(
            "shop.orders",
            Kind::Counter,
            Unit::NONE,
            "Orders \"accepted\"\nby C:\\shop",
            vec![
                series(&[("tier", "b\"\\\n")], SeriesValue::Counter(u64::MAX)),
                series(&[("tier", "a")], SeriesValue::Counter(0)),
            ],
        ),
        family(
            "queue.length",
            Kind::UpDownCounter,
            Unit::new("{item}"),
            "Queued",
            vec![series(&[], SeriesValue::UpDownCounter(-3))],
        ),
        family("cpu", Kind::Gauge, Unit::Ratio, "Busy", gauge(0.25)),
        family("sent", Kind::Counter, Unit::Bytes, "Sent", vec![]),
        family("worst", Kind::Gauge, Unit::NONE, "", gauge(f64::NEG_INFINITY)),
    ]
}

#[test]
fn a_small_page_in_text() {
    let resource = Resource::default().with("service.name", "shop").with("host.cpus", 8);
    let expected = r#"# HELP target_info Attributes of the entity that speaks.
# TYPE target_info gauge
target_info{host_cpus="8",service_name="shop"} 1
# HELP cpu_ratio Busy
# TYPE cpu_ratio gauge
cpu_ratio 0.25
# HELP queue_length Queued
# TYPE queue_length gauge
queue_length -3
# HELP shop_orders_total Orders "accepted"\nby C:\\shop
# TYPE shop_orders_total counter
shop_orders_total{tier="a"} 0
shop_orders_total{tier="b\"\\\n"} 18446744073709551615
# TYPE worst gauge
worst -Inf
"#;
    assert_eq!(render(&snapshot(small()), &resource, Format::Text), expected);
}

#[test]
fn a_small_page_in_openmetrics() {
    let resource = Resource::default().with("service.name", "shop");
    let expected = r#"# HELP target Attributes of the entity that speaks.
# TYPE target info
target_info{service_name="shop"} 1
# HELP cpu_ratio Busy
# TYPE cpu_ratio gauge
# UNIT cpu_ratio ratio
cpu_ratio 0.25
# HELP queue_length Queued
# TYPE queue_length gauge
queue_length -3
# HELP shop_orders Orders \"accepted\"\nby C:\\shop
# TYPE shop_orders counter
shop_orders_total{tier="a"} 0
shop_orders_created{tier="a"} 1577836800.000
shop_orders_total{tier="b\"\\\n"} 18446744073709551615
shop_orders_created{tier="b\"\\\n"} 1577836800.000
# TYPE worst gauge
worst -Inf
# EOF
"#;
    assert_eq!(render(&snapshot(small()), &resource, Format::OpenMetrics), expected);
}

#[test]
fn a_histogram_in_text() {
    let values = [0.0, 0.0001, 0.00015, 0.1, 0.1012, 0.7, 60.0, 100.0];
    let series = vec![series(&[("route", "/")], histogram(&values))];
    let page = page(
        vec![family("req.duration", Kind::Histogram, Unit::Seconds, "", series)],
        Format::Text,
    );
    let expected = [
        ("0.0001", 2),
        ("0.00025", 3),
        ("0.0005", 3),
        ("0.001", 3),
        ("0.0025", 3),
        ("0.005", 3),
        ("0.01", 3),
        ("0.025", 3),
        ("0.05", 3),
        ("0.075", 3),
        ("0.1", 4),
        ("0.25", 5),
        ("0.5", 5),
        ("0.75", 6),
        ("1", 6),
        ("2.5", 6),
        ("5", 6),
        ("7.5", 6),
        ("10", 6),
        ("25", 6),
        ("60", 7),
        ("+Inf", 8),
    ];
    let buckets = expected.map(|(bound, count)| {
        format!("req_duration_seconds_bucket{{route=\"/\",le=\"{bound}\"}} {count}\n")
    });
    let expected = [
        "# TYPE req_duration_seconds histogram\n",
        &buckets.concat(),
        "req_duration_seconds_sum{route=\"/\"} 160.90145\n",
        "req_duration_seconds_count{route=\"/\"} 8\n",
    ];
    assert_eq!(page, expected.concat());
}

#[test]
fn a_histogram_shows_the_bounds_that_were_asked_for_and_its_own_before_those() {
    let shown = |value: SeriesValue, unit, page_bounds| {
        let of = family("h", Kind::Histogram, unit, "", vec![series(&[], value)]);
        let text = page(vec![Family { page_bounds, ..of }], Format::Text);
        let samples = Page::read(&text, Format::Text).samples;
        samples.iter().filter_map(|s| s.labels.get("le").cloned()).collect::<Vec<_>>()
    };
    let own = || {
        let layout = BucketLayout::Explicit([0.3, 0.4][..].into());
        SeriesValue::Histogram(Arc::new(HistogramSnapshot::from_cells(layout, vec![(1, 2)], 0.7)))
    };
    let asked = PageBounds::Explicit(&[0.3, 7.0]);
    assert_eq!(shown(histogram(&[1.0]), Unit::Seconds, asked), ["0.3", "7", "+Inf"]);
    assert_eq!(shown(histogram(&[1.0]), Unit::Bytes, asked), ["0.3", "7", "+Inf"]);
    assert_eq!(shown(own(), Unit::Seconds, asked), ["0.3", "0.4", "+Inf"]);
    let none = PageBounds::Explicit(&[]);
    assert_eq!(shown(histogram(&[1.0]), Unit::Seconds, none), ["+Inf"]);
    let powers = shown(histogram(&[1.0]), Unit::Seconds, PageBounds::PowersOfTwo);
    assert_eq!((&*powers[0], &*powers[20], powers.len()), ("6.103515625e-05", "64", 22));
    let millis = shown(histogram(&[1.0]), Unit::new("ms"), PageBounds::ByUnit);
    assert_eq!((&*millis[0], &*millis[10], &*millis[20]), ("0.1", "100", "60000"));
}

#[test]
fn a_histogram_in_openmetrics() {
    let series = vec![series(&[], histogram(&[1.0, 4.0, 5.0, 1e12]))];
    let sizes = family("size", Kind::Histogram, Unit::Bytes, "Sizes", series);
    let page = page(vec![sizes], Format::OpenMetrics);
    let lines: Vec<&str> = page.lines().collect();
    assert_eq!(lines.len(), 3 + 21 + 4 + 1);
    assert_eq!(lines[2], "# UNIT size_bytes bytes");
    let first = [r#"size_bytes_bucket{le="1.0"} 1"#, r#"size_bytes_bucket{le="4.0"} 2"#];
    assert_eq!(lines[3..5], first);
    assert_eq!(lines[13], r#"size_bytes_bucket{le="1.048576e+06"} 3"#);
    assert_eq!(
        lines[23..],
        [
            r#"size_bytes_bucket{le="1.099511627776e+12"} 4"#,
            r#"size_bytes_bucket{le="+Inf"} 4"#,
            "size_bytes_sum 1.00000000001e+12",
            "size_bytes_count 4",
            "size_bytes_created 1577836800.000",
            "# EOF",
        ]
    );
}

#[test]
fn a_bucket_has_the_values_up_to_its_bound_and_none_that_are_far_above_it() {
    let mut values: Vec<f64> = (0..4000).map(|i| 1.013f64.powi(i - 1500)).collect();
    values.extend([0.0, 1e-300, 1.0, 1024.0, 1e300]);
    // Powers of two are exact.
    for (unit, suffix, excess) in [(Unit::Seconds, "_seconds", 1.011), (Unit::NONE, "", 1.0)] {
        let series = vec![series(&[], histogram(&values))];
        let text = page(vec![family("x", Kind::Histogram, unit, "", series)], Format::Text);
        let page = Page::read(&text, Format::Text);
        let mut buckets = page.samples.iter().filter(|s| s.name == format!("x{suffix}_bucket"));
        for bucket in buckets.clone() {
            let bound: f64 = bucket.labels["le"].parse().unwrap();
            let within = |bound| values.iter().filter(|&&value| value <= bound).count() as f64;
            assert!(within(bound) <= bucket.value, "{bound}");
            assert!(bucket.value <= within(bound * excess), "{bound}");
        }
        assert_eq!(buckets.next_back().unwrap().labels["le"], "+Inf");
    }
}

#[test]
fn an_empty_snapshot_is_an_empty_page() {
    assert_eq!(page(vec![], Format::Text), "");
    assert_eq!(page(vec![], Format::OpenMetrics), "# EOF\n");
}

#[test]
fn keys_that_become_one_share_it() {
    let labels = [("a.b", "1"), ("a_b", "3"), ("a-b", "0"), ("c", "\"")];
    assert_eq!(
        page(vec![counter(&labels, 1)], Format::Text).lines().last(),
        Some(r#"hits_total{a_b="0;1;3",c="\""} 1"#)
    );
}

#[test]
fn reserved_and_illegal_keys_get_a_prefix() {
    let labels = [("__name__", "n"), ("le", "5"), ("9a", "d"), ("", "e"), ("é", "u")];
    assert_eq!(
        page(vec![counter(&labels, 1)], Format::Text).lines().last(),
        Some(r#"hits_total{key_="e",key_9a="d",exported_name_="n",le="5",_="u"} 1"#)
    );
    let series = vec![series(&[("le", "5")], histogram(&[]))];
    let text = page(vec![family("x", Kind::Histogram, Unit::NONE, "", series)], Format::Text);
    assert_eq!(text.lines().last(), Some(r#"x_count{exported_le="5"} 0"#));
    assert!(text.contains(r#"x_bucket{exported_le="5",le="1"} 0"#), "{text}");
}

#[test]
fn series_with_the_same_labels_on_the_page_become_one() {
    let both = |kind, a, b| {
        let series = vec![series(&[("a.b", "1")], a), series(&[("a_b", "1")], b)];
        let text = page(vec![family("x", kind, Unit::NONE, "", series)], Format::Text);
        Page::read(&text, Format::Text).samples.last().unwrap().value
    };
    let counters = (SeriesValue::Counter(2), SeriesValue::Counter(3));
    assert_eq!(both(Kind::Counter, counters.0, counters.1), 5.0);
    let up_downs = (SeriesValue::UpDownCounter(2), SeriesValue::UpDownCounter(-3));
    assert_eq!(both(Kind::UpDownCounter, up_downs.0, up_downs.1), -1.0);
    let gauges = (SeriesValue::Gauge(2.0), SeriesValue::Gauge(3.0));
    assert_eq!(both(Kind::Gauge, gauges.0, gauges.1), 3.0);
    assert_eq!(both(Kind::Histogram, histogram(&[1.0]), histogram(&[2.0])), 2.0);

    let joined = vec![
        series(&[("a.b", "1"), ("a_b", "2;3")], SeriesValue::Counter(2)),
        series(&[("a.b", "1;2"), ("a_b", "3")], SeriesValue::Counter(3)),
    ];
    let text = page(vec![family("x", Kind::Counter, Unit::NONE, "", joined)], Format::Text);
    assert_eq!(text, "# TYPE x_total counter\nx_total{a_b=\"1;2;3\"} 5\n");
}

#[test]
fn a_family_of_the_users_takes_the_place_of_target_info() {
    let resource = Resource::default().with("service.name", "shop");
    for name in ["target", "target.info"] {
        let series = vec![series(&[], SeriesValue::Gauge(7.0))];
        let families = vec![family(name, Kind::Gauge, Unit::NONE, "", series)];
        for format in BOTH {
            let page = Page::read(&render(&snapshot(families.clone()), &resource, format), format);
            assert_eq!(page.samples.len(), 1, "{name}");
            assert_eq!(page.samples[0].value, 7.0, "{name}");
        }
    }
}

#[test]
fn no_string_breaks_a_page() {
    for (which, hostile) in hostile::strings("on a page") {
        for format in BOTH {
            // As a value: equal, but for the cut at 1,024 bytes that every label value has; an empty
            // one is no label.
            let hits = counter(&[("key", &hostile)], 7);
            let kept = hits.series[0].labels.get("key").map(str::to_owned);
            assert_eq!(kept.is_none(), hostile.is_empty(), "{which}");
            let read = Page::read(&page(vec![hits], format), format);
            let sample = read.only("hits_total");
            let shown: Vec<_> = sample.labels.iter().collect();
            let expected: Vec<_> =
                kept.iter().map(|kept| ("key".to_owned(), kept.clone())).collect();
            assert_eq!(sample.value, 7.0, "{which}");
            assert!(
                shown.into_iter().eq(expected.iter().map(|(key, value)| (key, value))),
                "{which}"
            );

            // As help: equal, in full.
            let series = vec![series(&[], SeriesValue::Counter(7))];
            let hits = family("hits", Kind::Counter, Unit::NONE, &hostile, series);
            let read = Page::read(&page(vec![hits], format), format);
            assert_eq!(read.only("hits_total").value, 7.0, "{which}");
            let helped = if format == Format::Text { "hits_total" } else { "hits" };
            let expected = (!hostile.is_empty()).then_some(&hostile);
            assert_eq!(read.help.get(helped), expected, "{which}");

            // As a key: some legal key, with the value.
            let read = Page::read(&page(vec![counter(&[(&hostile, "v")], 7)], format), format);
            let values: Vec<&String> = read.only("hits_total").labels.values().collect();
            assert_eq!(values, ["v"], "{which}");

            // As key and value of the resource.
            let resource = Resource::default().with(hostile.clone(), hostile.clone());
            let read = Page::read(&render(&snapshot(vec![]), &resource, format), format);
            let values: Vec<&String> = read.only("target_info").labels.values().collect();
            assert_eq!(values, [&hostile], "{which}");
        }
    }
}

#[test]
fn no_name_or_unit_breaks_a_page() {
    let strings = hostile::strings("on a page");
    // A megabyte on each of a histogram's lines takes long and tells nothing more.
    for (which, hostile) in strings.into_iter().filter(|(_, text)| text.len() < 100_000) {
        let unit: &'static str = hostile.clone().leak();
        for (kind, value) in [
            (Kind::Counter, SeriesValue::Counter(7)),
            (Kind::Gauge, SeriesValue::Gauge(7.0)),
            (Kind::Histogram, histogram(&[1.0; 7])),
        ] {
            for format in BOTH {
                let of = |name| {
                    family(name, kind, Unit::new(unit), "", vec![series(&[], value.clone())])
                };
                for name in [hostile.as_str(), "x"] {
                    let read = Page::read(&page(vec![of(name)], format), format);
                    let mut values = read.samples.iter().filter(|s| !s.name.ends_with("_created"));
                    assert_eq!(values.next_back().unwrap().value, 7.0, "{which}");
                }
            }
        }
    }
}

#[test]
fn every_page_of_many_series_reads_back() {
    let mut expected = BTreeMap::new();
    let mut many = Vec::new();
    for i in 0..500_u64 {
        let (a, b) = ((i % 7).to_string(), i.to_string());
        many.push(series(&[("a.a", &a), ("b", &b)], SeriesValue::Counter(i)));
        expected.insert((a, b), i as f64);
    }
    many.push(series(&[("otel.metric.overflow", "true")], SeriesValue::Counter(9)));
    for format in BOTH {
        let families = vec![family("hits", Kind::Counter, Unit::NONE, "Hits", many.clone())];
        let read = Page::read(&page(families, format), format);
        let hits = read.samples.iter().filter(|sample| sample.name == "hits_total");
        let (overflow, hits): (Vec<_>, Vec<_>) =
            hits.partition(|sample| sample.labels.contains_key("otel_metric_overflow"));
        assert_eq!(overflow[0].value, 9.0);
        let hits = hits.iter().map(|s| ((s.labels["a_a"].clone(), s.labels["b"].clone()), s.value));
        assert_eq!(hits.collect::<BTreeMap<_, _>>(), expected);
    }
}
