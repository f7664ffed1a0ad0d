//! Each kind of family on each kind of page, and names that are not plain.

use std::time::Duration;

use super::*;
use crate::{
    clock::ManualClock,
    context::{SpanId, TraceId},
    export::prometheus::{Escaping, Page as Kept, PageOptions, Translation},
    metric::{BucketLayout, Exemplar, Registry, SummarySnapshot},
    testing,
};

fn one(name: &str, kind: Kind, labels: &[(&str, &str)], value: SeriesValue) -> Family {
    family(name, kind, Unit::NONE, "", vec![series(labels, value)])
}

fn summary() -> SeriesValue {
    let window =
        |seconds, values: &[f64]| (Duration::from_secs(seconds), HistogramSnapshot::of(values));
    let windows = vec![window(10, &[]), window(60, &[1.0, 1.0, 1.0]), window(300, &[1.0, 4.0])];
    SeriesValue::Summary(Arc::new(SummarySnapshot { count: 7, sum: 9.5, windows }))
}

/// A histogram with exemplars at these values, each a second after the one before.
pub(super) fn with_exemplars(values: &[f64], exemplars: &[f64]) -> SeriesValue {
    let clock = ManualClock::new();
    let exemplar = |&value: &f64| {
        clock.advance(Duration::from_secs(1));
        let (trace_id, span_id) = (TraceId::from_u128(0xab), SpanId::from_u64(0xcd));
        Exemplar::new(value, trace_id, span_id, clock.now())
    };
    let exemplars = exemplars.iter().map(exemplar).collect();
    SeriesValue::Histogram(Arc::new(HistogramSnapshot::of(values).with_exemplars(exemplars)))
}

fn with(translation: Translation, dialect: impl Into<Dialect>, families: Vec<Family>) -> String {
    let options = PageOptions::default().translation(translation);
    let mut page = Kept::with_options(dialect, options);
    String::from_utf8(page.render(&snapshot(families), &Resource::default()).to_vec()).unwrap()
}

#[test]
fn a_counter_of_fractions_is_a_counter() {
    let families = vec![one("cpu.time", Kind::Counter, &[], SeriesValue::FloatCounter(1.25))];
    assert_eq!(
        page(families.clone(), Format::Text),
        "# TYPE cpu_time_total counter\ncpu_time_total 1.25\n"
    );
    assert_eq!(
        page(families, Format::OpenMetrics),
        "# TYPE cpu_time counter\ncpu_time_total 1.25\ncpu_time_created 1577836800.000\n# EOF\n"
    );
}

#[test]
fn a_summary_has_quantiles_for_each_window() {
    let families = vec![one("wait", Kind::Summary, &[("pool", "io")], summary())];
    let expected = r#"# TYPE wait summary
wait{pool="io",window="10s",quantile="0.5"} NaN
wait{pool="io",window="10s",quantile="0.9"} NaN
wait{pool="io",window="10s",quantile="0.99"} NaN
wait{pool="io",window="1m",quantile="0.5"} 0.9946132
"#;
    let text = page(families.clone(), Format::Text);
    let near = HistogramSnapshot::of(&[1.0]).quantile(0.5).unwrap();
    let expected = expected.replace("0.9946132", &near.to_string());
    assert!(text.starts_with(&expected), "{text}");
    assert!(text.contains(r#"wait{pool="io",window="5m",quantile="0.99"} 3.97"#), "{text}");
    assert!(text.ends_with("wait_sum{pool=\"io\"} 9.5\nwait_count{pool=\"io\"} 7\n"), "{text}");
    let open = page(families, Format::OpenMetrics);
    assert_eq!(open, format!("{text}wait_created{{pool=\"io\"}} 1577836800.000\n# EOF\n"));
}

#[test]
fn labels_of_a_summary_do_not_meet_its_own() {
    let labels = [("quantile", "a"), ("window", "b")];
    let text = page(vec![one("wait", Kind::Summary, &labels, summary())], Format::Text);
    assert!(text.ends_with("wait_count{exported_quantile=\"a\",exported_window=\"b\"} 7\n"));
}

#[test]
fn an_info_is_always_one() {
    let labels = [("version", "1.2")];
    for name in ["build", "build.info"] {
        let families = vec![one(name, Kind::Info, &labels, SeriesValue::Info)];
        assert_eq!(
            page(families.clone(), Format::Text),
            "# TYPE build_info gauge\nbuild_info{version=\"1.2\"} 1\n"
        );
        assert_eq!(
            page(families, Format::OpenMetrics),
            "# TYPE build info\nbuild_info{version=\"1.2\"} 1\n# EOF\n"
        );
    }
}

#[test]
fn a_state_set_has_its_own_name_for_a_label() {
    let state = |state, holds| series(&[("link.state", state)], SeriesValue::State(holds));
    let families = vec![family(
        "link.state",
        Kind::StateSet,
        Unit::Seconds, // A state has none.
        "",
        vec![state("up", true), state("down", false)],
    )];
    let lines = "link_state{link_state=\"down\"} 0\nlink_state{link_state=\"up\"} 1\n";
    let text = page(families.clone(), Format::Text);
    assert_eq!(text, format!("# TYPE link_state gauge\n{lines}"));
    let open = page(families.clone(), Format::OpenMetrics);
    assert_eq!(open, format!("# TYPE link_state stateset\n{lines}# EOF\n"));
    let dialect = Dialect::new(Format::OpenMetrics, Escaping::AllowUtf8);
    let quoted = with(Translation::NoTranslation, dialect, families);
    assert!(quoted.contains("{\"link.state\",\"link.state\"=\"up\"} 1\n"), "{quoted}");
}

#[test]
fn the_states_of_one_thing_stand_together() {
    let state = |link, state| {
        series(&[("a.link", state), ("port", link)], SeriesValue::State(link == state))
    };
    let all = ["1", "2"].into_iter().flat_map(|link| ["1", "2"].map(|up| state(link, up)));
    let families = vec![family("a.link", Kind::StateSet, Unit::NONE, "", all.collect())];
    let expected = r#"# TYPE a_link stateset
a_link{port="1",a_link="1"} 1
a_link{port="1",a_link="2"} 0
a_link{port="2",a_link="1"} 0
a_link{port="2",a_link="2"} 1
# EOF
"#;
    assert_eq!(page(families, Format::OpenMetrics), expected);
}

#[test]
fn exemplars_stand_beside_their_buckets() {
    let value = with_exemplars(&[0.3, 0.4, 5.0, 100.0], &[0.3, 0.4, 100.0]);
    let series = vec![series(&[], value)];
    let families = vec![family("t", Kind::Histogram, Unit::Seconds, "", series)];
    let read = Page::read(&page(families.clone(), Format::OpenMetrics), Format::OpenMetrics);
    let found: Vec<_> = (read.samples.iter())
        .filter_map(|sample| {
            let exemplar = sample.exemplar.as_ref()?;
            Some((sample.labels["le"].as_str(), exemplar.value, exemplar.seconds))
        })
        .collect();
    // Of two in one bucket, the later in the list.
    assert_eq!(found, [("0.5", 0.4, 1_577_836_802.0), ("+Inf", 100.0, 1_577_836_803.0)]);
    let exemplar = read.samples.iter().find_map(|sample| sample.exemplar.clone()).unwrap();
    assert_eq!(exemplar.labels["trace_id"], "000000000000000000000000000000ab");
    assert_eq!(exemplar.labels["span_id"], "00000000000000cd");
    assert!(!page(families, Format::Text).contains(" # "), "text has no exemplars");
}

#[test]
fn a_value_that_readers_refuse_costs_its_own_lines_only() {
    let mut sums = vec![];
    for (name, value) in [("a", f64::NAN), ("b", -1.0), ("c", f64::INFINITY), ("d", 2.0)] {
        sums.push(series(&[("k", name)], SeriesValue::FloatCounter(value)));
    }
    let mut negative = HistogramSnapshot::of(&[1.0]);
    negative =
        negative.since(&HistogramSnapshot::from_cells(BucketLayout::Exponential, vec![], 3.0));
    assert_eq!((negative.count(), negative.sum()), (1, -2.0));
    let negative = SeriesValue::Histogram(Arc::new(negative));
    let families = vec![
        family("x", Kind::Counter, Unit::NONE, "", sums),
        one("h", Kind::Histogram, &[], negative),
    ];
    for format in BOTH {
        let read = Page::read(&page(families.clone(), format), format);
        let of = |name: &str| read.samples.iter().filter(|s| s.name == name).collect::<Vec<_>>();
        let values: Vec<f64> = of("x_total").iter().map(|sample| sample.value).collect();
        assert_eq!(values, [f64::INFINITY, 2.0]);
        assert_eq!(of("h_bucket").last().unwrap().value, 1.0);
        assert_eq!(of("h_sum").len(), usize::from(format == Format::Text));
    }
}

/// What the page says of a counter with a dotted name and key, by the scheme.
fn dotted(translation: Translation, format: Format, escaping: Escaping) -> Vec<String> {
    let families =
        vec![one("shop.sent", Kind::Counter, &[("http.route", "/a\"b")], SeriesValue::Counter(5))];
    let text = with(translation, Dialect::new(format, escaping), families);
    text.lines().map(str::to_owned).collect()
}

#[test]
fn names_that_are_not_plain_are_quoted_or_escaped_as_asked() {
    let none = Translation::NoTranslation;
    for (escaping, lines) in [
        (
            Escaping::AllowUtf8,
            ["# TYPE \"shop.sent\" counter", r#"{"shop.sent","http.route"="/a\"b"} 5"#],
        ),
        (Escaping::Underscores, ["# TYPE shop_sent counter", r#"shop_sent{http_route="/a\"b"} 5"#]),
        (
            Escaping::Dots,
            ["# TYPE shop_dot_sent counter", r#"shop_dot_sent{http_dot_route="/a\"b"} 5"#],
        ),
        (
            Escaping::Values,
            ["# TYPE U__shop_2e_sent counter", r#"U__shop_2e_sent{U__http_2e_route="/a\"b"} 5"#],
        ),
    ] {
        assert_eq!(dotted(none, Format::Text1, escaping), lines);
        // A plain name stays as it is, whatever is asked for.
        let plain = Translation::UnderscoreEscapingWithSuffixes;
        assert_eq!(
            dotted(plain, Format::Text1, escaping),
            ["# TYPE shop_sent_total counter", r#"shop_sent_total{http_route="/a\"b"} 5"#]
        );
    }
    assert_eq!(
        dotted(none, Format::OpenMetrics, Escaping::AllowUtf8),
        [
            "# TYPE \"shop.sent\" counter",
            r#"{"shop.sent_total","http.route"="/a\"b"} 5"#,
            r#"{"shop.sent_created","http.route"="/a\"b"} 1577836800.000"#,
            "# EOF"
        ]
    );
    // 0.0.4 has no quotes.
    let old = dotted(none, Format::Text, Escaping::AllowUtf8);
    assert_eq!(old, dotted(none, Format::Text1, Escaping::Underscores));
}

#[test]
fn a_family_whose_name_is_taken_gets_its_full_name_or_is_left_out() {
    let gauge = |name: &str, unit, value| {
        family(name, Kind::Gauge, unit, "", vec![series(&[], SeriesValue::Gauge(value))])
    };
    let families = vec![gauge("a.b", Unit::Seconds, 1.0), gauge("a_b", Unit::Bytes, 2.0)];
    let plain = Translation::UnderscoreEscapingWithoutSuffixes;
    assert_eq!(
        with(plain, Format::Text, families),
        "# TYPE a_b gauge\na_b 1\n# TYPE a_b_bytes gauge\na_b_bytes 2\n"
    );
    let families = vec![
        gauge("a.b", Unit::NONE, 1.0),
        one("a.b.c", Kind::Counter, &[], SeriesValue::Counter(3)),
        gauge("a_b", Unit::NONE, 2.0),
        gauge("a_b_c_created", Unit::NONE, 4.0),
    ];
    let text = page(families, Format::Text);
    assert_eq!(
        text,
        "# TYPE a_b gauge\na_b 1\n# TYPE a_b_c_total counter\na_b_c_total 3\n# TYPE a_b_c_created gauge\na_b_c_created 4\n"
    );
}

#[test]
fn a_page_that_is_kept_says_what_a_new_one_says() {
    let labels = |i: u64| format!("{}", i * 7919 % 100);
    let state = |round: u64| {
        let counters = (0..100).filter(|i| !(i + round).is_multiple_of(5)).map(|i| {
            let value = (i * 37 * round).pow(1 + (round % 4) as u32);
            series(&[("k", &labels(i))], SeriesValue::Counter(value))
        });
        let values: Vec<f64> = (0..round * 300).map(|i| 0.001 * i as f64).collect();
        let mut families = vec![
            family("c", Kind::Counter, Unit::NONE, "C", counters.collect()),
            one("h", Kind::Histogram, &[], with_exemplars(&values, &values[..round as usize / 2])),
            one("s", Kind::Summary, &[], summary()),
        ];
        if round % 3 == 2 {
            families.remove((round % 2) as usize);
        }
        if round % 4 == 3 {
            let merged = [("a.b", "1"), ("a_b", "1")]
                .map(|label| series(&[label], SeriesValue::Gauge(round as f64)));
            families.push(family("g", Kind::Gauge, Unit::NONE, "", merged.to_vec()));
        }
        families
    };
    for format in [Format::Text, Format::OpenMetrics, Format::Protobuf] {
        let mut kept = Kept::new(format);
        for round in [1, 1, 2, 3, 4, 3, 2, 9, 11, 1, 8, 8] {
            let (snapshot, resource) = (snapshot(state(round)), Resource::service("s"));
            let fresh = super::super::render(&snapshot, &resource, format);
            assert_eq!(kept.render(&snapshot, &resource), fresh, "round {round}");
        }
    }
}

proptest::proptest! {
    /// Numbers grow and shrink by digits, so that texts move, stay, and come back to where they were.
    #[test]
    fn what_moves_on_a_kept_page_is_written_again(
        rounds in proptest::collection::vec(proptest::collection::vec(0u64..3, 24), 2..8),
    ) {
        for format in BOTH {
            let mut kept = Kept::new(format);
            for round in &rounds {
                let series = round.iter().enumerate().map(|(i, size)| {
                    let value = match i % 3 {
                        0 => SeriesValue::FloatCounter([1.5, -1.0, 0.125][*size as usize]),
                        _ => SeriesValue::FloatCounter([7.0, 10.0, 123_456.0][*size as usize]),
                    };
                    let label = "k".repeat(i % 5 * 20);
                    series(&[("i", &i.to_string()), ("l", &label)], value)
                });
                let counters = family("c", Kind::Counter, Unit::NONE, "", series.collect());
                let values: Vec<f64> = round.iter().map(|size| *size as f64).collect();
                let histogram = with_exemplars(&values, &values[..usize::from(round[0] == 1)]);
                let snapshot = snapshot(vec![counters, one("h", Kind::Histogram, &[], histogram)]);
                let fresh = super::super::render(&snapshot, &Resource::default(), format);
                assert_eq!(kept.render(&snapshot, &Resource::default()), fresh);
            }
        }
    }
}

#[test]
fn the_rates_of_a_throughput_are_on_a_page_that_is_read_in_place() {
    let scope = testing::scope();
    let registry = Registry::new();
    let sent = registry.throughput("sent", "").keys(&["to"]).build().unwrap();
    sent.with_labels(&[("to", "a")]).mark(20);
    scope.advance(Duration::from_secs(10));
    let mut page = Kept::new(Format::Text);
    let page = page.render_registry(&registry, &Resource::default());
    let page = String::from_utf8_lossy(page);
    let lines: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
    let rate = |window| format!(r#"sent_rate_per_second{{to="a",window="{window}"}} 2"#);
    let rates = ["10s", "1m", "5m"].map(rate);
    for line in [r#"sent_total{to="a"} 20"#, &rates[0], &rates[1], &rates[2]] {
        assert!(lines.contains(&line), "{line} in {page}");
    }
}
