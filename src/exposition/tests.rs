//! Names, labels and samples against OpenTelemetry's "Prometheus and OpenMetrics Compatibility" and
//! Prometheus' UTF-8 names and their escaping.

use std::{sync::Arc, time::Duration};

use super::{Translation::*, key::label_name, *};
use crate::{
    cells::histogram::cuts::BucketCounts,
    clock::Ticks,
    label::LabelSet,
    metric::{BucketLayout, HistogramSnapshot, Kind, PageBounds, SeriesValue, Unit},
    series::Reading,
    snapshot::SummarySnapshot,
};

const KINDS: [Kind; 7] = [
    Kind::Counter,
    Kind::UpDownCounter,
    Kind::Gauge,
    Kind::Histogram,
    Kind::Summary,
    Kind::Info,
    Kind::StateSet,
];

fn naming(translation: Translation, escaping: Escaping, model: Model) -> Naming {
    Naming { translation, escaping, model }
}

/// The names of a family's samples, and that of the family where it is another one.
fn all_names(what: (&str, Kind, &'static str), naming: Naming) -> String {
    let (name, kind, unit) = what;
    let names = FamilyName::new((name, kind, Unit::new(unit)), naming);
    names.claims(kind).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_strategy_has_its_names() {
    let what = ("shop.sent", Kind::Counter, Unit::Bytes);
    for (translation, name, stem) in [
        (UnderscoreEscapingWithSuffixes, "shop_sent_bytes_total", "shop_sent_bytes"),
        (UnderscoreEscapingWithoutSuffixes, "shop_sent", "shop_sent"),
        (NoUtf8EscapingWithSuffixes, "shop.sent_bytes_total", "shop.sent_bytes"),
        (NoTranslation, "shop.sent", "shop.sent"),
    ] {
        let of = |model| FamilyName::new(what, naming(translation, Escaping::AllowUtf8, model));
        let pair = |of: &FamilyName| {
            (of.family().to_owned(), of.sample(Part::Value, Kind::Counter).into_owned())
        };
        assert_eq!(pair(&of(Model::Prometheus)), (name.to_owned(), name.to_owned()));
        let expected = (stem.to_owned(), format!("{stem}_total"));
        assert_eq!(pair(&of(Model::OpenMetrics)), expected, "{translation:?}");
    }
}

#[test]
fn a_sample_has_one_name_in_both_models_and_every_scheme() {
    for (escaping, expected) in [
        (Escaping::AllowUtf8, "shop.sent_total"),
        (Escaping::Dots, "shop_dot_sent__total"),
        (Escaping::Values, "U__shop_2e_sent__total"),
        (Escaping::Underscores, "shop_sent_total"),
    ] {
        for model in [Model::Prometheus, Model::OpenMetrics] {
            let naming = naming(NoUtf8EscapingWithSuffixes, escaping, model);
            let names = FamilyName::new(("shop.sent", Kind::Counter, Unit::NONE), naming);
            assert_eq!(names.sample(Part::Value, Kind::Counter), expected);
        }
    }
}

#[test]
fn names_that_keep_their_dots_get_units_and_suffixes_once() {
    let naming = naming(NoUtf8EscapingWithSuffixes, Escaping::AllowUtf8, Model::Prometheus);
    for (name, kind, unit, expected) in [
        ("respønse.time", Kind::Gauge, "ms", "respønse.time_milliseconds"),
        ("response.time.seconds", Kind::Gauge, "s", "response.time.seconds"),
        ("sent.bytes", Kind::Gauge, "By/s", "sent.bytes_per_second"),
        ("requêsts", Kind::Gauge, "1/s", "requêsts_per_second"),
        ("cpu_usagé", Kind::Gauge, "1", "cpu_usagé_ratio"),
        ("cpu_usage_ratio", Kind::Gauge, "1", "cpu_usage_ratio"),
        ("a..b", Kind::Gauge, "", "a..b"),
        ("up", Kind::StateSet, "s", "up"),
    ] {
        assert_eq!(all_names((name, kind, unit), naming), expected);
    }
    for name in ["cpu", "cpu_total", "cpu.total", "cpu_seconds_total", "cpu.seconds"] {
        let what = (name, Kind::Counter, Unit::Seconds);
        let seconds = FamilyName::new(what, naming).family().replace('.', "_");
        assert_eq!(seconds, "cpu_seconds_total", "{name}");
    }
}

#[test]
fn each_kind_has_the_names_of_its_samples() {
    let plain = |model| naming(UnderscoreEscapingWithSuffixes, Escaping::Underscores, model);
    for (kind, prometheus, open) in [
        (Kind::Counter, "x_y_total_created x_y_total", "x_y_total x_y_created x_y"),
        (Kind::Gauge, "x_y", "x_y"),
        (Kind::UpDownCounter, "x_y", "x_y"),
        (Kind::StateSet, "x_y", "x_y"),
        (Kind::Info, "x_y_info", "x_y_info x_y"),
        (
            Kind::Histogram,
            "x_y_bucket x_y_count x_y_sum x_y_created x_y",
            "x_y_bucket x_y_count x_y_sum x_y_created x_y",
        ),
        (Kind::Summary, "x_y_count x_y_sum x_y_created x_y", "x_y_count x_y_sum x_y_created x_y"),
    ] {
        assert_eq!(all_names(("x.y", kind, ""), plain(Model::Prometheus)), prometheus);
        assert_eq!(all_names(("x.y", kind, ""), plain(Model::OpenMetrics)), open);
    }
}

#[test]
fn what_openmetrics_calls_a_family_and_its_samples_is_what_registration_claims() {
    let plain = naming(UnderscoreEscapingWithSuffixes, Escaping::Underscores, Model::OpenMetrics);
    for name in ["x", "x.total", "x_info", "x..bytes", "total", "9", "a/b-", "x.seconds"] {
        for (kind, unit) in KINDS.iter().flat_map(|&kind| ["", "s", "By/s"].map(|u| (kind, u))) {
            let names = FamilyName::new((name, kind, Unit::new(unit)), plain);
            let mut here: Vec<_> = names.claims(kind).collect();
            let mut there = crate::snapshot::claimed_names(name, kind, Unit::new(unit));
            here.sort();
            there.sort();
            assert_eq!(here, there, "{name} {kind:?} {unit}");
        }
    }
}

#[test]
fn the_unit_is_told_where_the_name_ends_in_it() {
    let unit = |translation, name, kind, unit| {
        let naming = naming(translation, Escaping::AllowUtf8, Model::OpenMetrics);
        let unit = Unit::new(unit);
        FamilyName::new((name, kind, unit), naming).unit(unit, kind)
    };
    let default = UnderscoreEscapingWithSuffixes;
    let some = |word: &str| Some(word.to_owned());
    assert_eq!(unit(default, "x", Kind::Counter, "s"), some("seconds"));
    assert_eq!(unit(default, "x", Kind::Gauge, "By/s"), some("bytes_per_second"));
    assert_eq!(unit(default, "x.bytes", Kind::Gauge, "By/s"), some("bytes_per_second"));
    assert_eq!(unit(default, "x", Kind::Gauge, "1"), some("ratio"));
    assert_eq!(unit(default, "x", Kind::Gauge, "{item}"), None);
    assert_eq!(unit(default, "seconds", Kind::Gauge, "s"), None, "no name before it");
    assert_eq!(unit(default, "x", Kind::Info, "s"), None);
    assert_eq!(unit(NoTranslation, "x", Kind::Gauge, "s"), None);
    assert_eq!(unit(NoTranslation, "x_seconds", Kind::Gauge, "s"), some("seconds"));
}

#[test]
fn keys_become_names_that_every_prometheus_reads() {
    for (key, expected) in [
        ("service.name", "service_name"),
        ("http.response.status_code", "http_response_status_code"),
        ("plain_key", "plain_key"),
        ("a..b", "a_b"),
        ("a__b._c", "a_b_c"),
        ("a.", "a_"),
        (".a", "_a"),
        ("_a", "_a"),
        ("_", "_"),
        ("é", "_"),
        ("9a", "key_9a"),
        ("9..a", "key_9_a"),
        ("", "key_"),
        ("__name__", "exported_name_"),
        ("__a.b", "exported_a_b"),
        ("__", "exported_"),
        ("job", "job"),
        ("instance", "instance"),
        ("otel_scope_name", "otel_scope_name"),
        ("otel.scope.version", "otel_scope_version"),
        ("a:b", "a_b"),
    ] {
        assert_eq!(label_name(key), expected, "{key}");
    }
}

fn labels_of(kind: Kind, translation: Translation, escaping: Escaping) -> LabelNaming<'static> {
    LabelNaming { kind, translation, escaping, family: ("shop.mode", "shop_mode") }
}

fn joined(naming: LabelNaming<'_>, labels: &[(&'static str, &'static str)]) -> String {
    let labels = LabelSet::new(labels.iter().copied());
    let joined = naming.joined(labels.iter());
    joined.iter().map(|(name, value)| format!("{name}={value} ")).collect()
}

#[test]
fn keys_that_a_kind_needs_for_itself_are_reserved_there_alone() {
    let labels = [("le", "1"), ("quantile", "2"), ("window", "3"), ("job", "4")];
    for translation in [UnderscoreEscapingWithSuffixes, NoTranslation] {
        let of = |kind| joined(labels_of(kind, translation, Escaping::AllowUtf8), &labels);
        assert_eq!(of(Kind::Histogram), "job=4 exported_le=1 quantile=2 window=3 ");
        assert_eq!(of(Kind::Summary), "job=4 le=1 exported_quantile=2 exported_window=3 ");
        assert_eq!(of(Kind::Gauge), "job=4 le=1 quantile=2 window=3 ");
    }
}

#[test]
fn values_of_keys_that_become_one_are_joined_in_the_order_of_the_keys() {
    let naming = labels_of(Kind::Gauge, UnderscoreEscapingWithSuffixes, Escaping::Underscores);
    let labels = [("a_b", "3"), ("a.b", "1"), ("c", "x"), ("a-b", "0"), ("a..b", "2")];
    assert_eq!(joined(naming, &labels), "a_b=0;2;1;3 c=x ");
    let utf8 = LabelNaming { translation: NoTranslation, escaping: Escaping::AllowUtf8, ..naming };
    assert_eq!(joined(utf8, &labels), "a-b=0 a..b=2 a.b=1 a_b=3 c=x ");
}

#[test]
fn keys_in_utf8_are_escaped_as_the_reader_asks() {
    let labels = [("http.route", "/"), ("__name__", "n"), ("", "e"), ("花", "f"), ("a:b", "c")];
    for (escaping, expected) in [
        (Escaping::AllowUtf8, "key_=e exported___name__=n a:b=c http.route=/ 花=f "),
        (Escaping::Underscores, "key_=e exported___name__=n a_b=c http_route=/ _=f "),
        // What `dots` makes of `花` is reserved.
        (Escaping::Dots, "key_=e exported___name__=n a__b=c http_dot_route=/ exported___=f "),
        (
            Escaping::Values,
            "key_=e exported___name__=n U__a_3a_b=c U__http_2e_route=/ U___82b1_=f ",
        ),
    ] {
        let naming = labels_of(Kind::Gauge, NoTranslation, escaping);
        assert_eq!(joined(naming, &labels), expected, "{escaping:?}");
    }
}

#[test]
fn the_label_of_a_state_has_the_familys_name_and_comes_last() {
    let naming = labels_of(Kind::StateSet, UnderscoreEscapingWithSuffixes, Escaping::Underscores);
    assert_eq!(joined(naming, &[("shop.mode", "on"), ("z", "1")]), "z=1 shop_mode=on ");
    let gauge = LabelNaming { kind: Kind::Gauge, ..naming };
    assert_eq!(joined(gauge, &[("shop.mode", "on"), ("z", "1")]), "shop_mode=on z=1 ");
}

#[test]
fn label_sets_are_ambiguous_where_their_names_are() {
    let naming = labels_of(Kind::Gauge, UnderscoreEscapingWithSuffixes, Escaping::Underscores);
    let names =
        |keys: &[&'static str]| naming.names(&LabelSet::new(keys.iter().map(|&key| (key, "x"))));
    assert!(names(&["a.b", "a_b"]).are_joined());
    assert!(!names(&["a.b", "c"]).are_joined());
    assert!(names(&["a.b", "c"]).are_ambiguous_with(&names(&["a_b", "c"])));
    assert!(!names(&["a.b", "c"]).are_ambiguous_with(&names(&["a_b"])));
    assert!(!names(&["a"]).are_ambiguous_with(&names(&["b"])));
}

proptest::proptest! {
    #[test]
    fn every_name_is_legal_and_has_no_run_of_underscores(
        name in "\\PC*|[a-z._0-9é/-]*",
        unit in "\\PC*|[a-zA-Z%/{}._0-9-]*",
    ) {
        let unit = Unit::new(unit.leak());
        for (kind, translation) in KINDS.iter().flat_map(|&kind| {
            [(kind, UnderscoreEscapingWithSuffixes), (kind, UnderscoreEscapingWithoutSuffixes)]
        }) {
            for model in [Model::Prometheus, Model::OpenMetrics] {
                let naming = naming(translation, Escaping::Underscores, model);
                for claim in FamilyName::new((&name, kind, unit), naming).claims(kind) {
                    assert!(is_plain_name(&claim), "{claim:?}");
                    // A name without a single letter or digit is `_`.
                    let is_sign = name.chars().all(|c| !c.is_ascii_alphanumeric());
                    assert!(is_sign || !claim.contains("__"), "{claim:?}");
                }
            }
        }
        let label = label_name(&name);
        assert!(is_plain_key(&label) && !label.contains("__"), "{label:?}");
        assert_eq!(label_name(&label), label, "a name stays");
    }
}

/// The samples of a value, each with the name of its part and what its labels add.
fn samples(tell: impl FnOnce(&mut dyn FnMut(Sample))) -> Vec<String> {
    let mut told = Vec::new();
    tell(&mut |sample| {
        let extra = match sample.extra {
            Extra::None => String::new(),
            Extra::Bound(place) => format!("[{place}]"),
            Extra::Quantile(WindowLength { number, unit }, place) => {
                format!("[{number}{unit} {}]", QUANTILES[place].1)
            }
        };
        told.push(format!("{:?}{extra} {}", sample.part, sample.number.as_f64()));
    });
    told
}

#[test]
fn a_value_that_is_one_number_is_one_sample() {
    let of = |value: SeriesValue| samples(|each| number_samples(&value, each));
    assert_eq!(of(SeriesValue::Counter(7)), ["Value 7"]);
    assert_eq!(of(SeriesValue::FloatCounter(0.5)), ["Value 0.5"]);
    assert_eq!(of(SeriesValue::UpDownCounter(-7)), ["Value -7"]);
    assert_eq!(of(SeriesValue::Gauge(-0.5)), ["Value -0.5"]);
    assert_eq!(of(SeriesValue::Gauge(f64::NAN)), ["Value NaN"]);
    assert_eq!(of(SeriesValue::State(true)), ["Value 1"]);
    assert_eq!(of(SeriesValue::State(false)), ["Value 0"]);
    assert_eq!(of(SeriesValue::Info), ["Value 1"]);
    for no_sum in [-0.5, f64::NAN] {
        assert!(of(SeriesValue::FloatCounter(no_sum)).is_empty(), "readers refuse it");
    }
    assert!(of(SeriesValue::Histogram(Arc::default())).is_empty());
}

#[test]
fn a_histogram_is_cumulative_buckets_a_sum_and_a_count() {
    let of = |values: &[f64], model| {
        let histogram = HistogramSnapshot::of(values);
        let shown = ShownBuckets::new(histogram.layout(), Unit::Seconds, PageBounds::PowersOfTwo);
        let mut counts = BucketCounts::default();
        counts.read_snapshot(&histogram, shown.cuts());
        let place = |bound| shown.bounds().iter().position(|&b| b == bound).expect("a bound");
        let told = samples(|each| {
            bucket_samples(&counts, &mut *each);
            sum_samples((counts.sum(), counts.count()), model, each);
        });
        let last = shown.bounds().len() - 1;
        (told, [place(1.0), place(2.0), last])
    };
    let (told, [one, two, last]) = of(&[1.0, 1.5, 8.0], Model::OpenMetrics);
    assert_eq!(told[one], format!("Bucket[{one}] 1"));
    assert_eq!(told[two], format!("Bucket[{two}] 2"));
    assert_eq!(told[last..], [&format!("Bucket[{last}] 3"), "Sum 10.5", "Count 3"]);
    // A sum that may fall is no counter.
    let (told, [.., last]) = of(&[-1.0], Model::OpenMetrics);
    assert_eq!(told[last..], [format!("Bucket[{last}] 1")]);
    let (told, [.., last]) = of(&[-1.0], Model::Prometheus);
    assert_eq!(told[last..], [&format!("Bucket[{last}] 1"), "Sum -1", "Count 1"]);
}

#[test]
fn bounds_are_the_histograms_own_where_it_has_some() {
    let layout = BucketLayout::Explicit(vec![0.5, 2.0].into());
    let shown = ShownBuckets::new(&layout, Unit::Seconds, PageBounds::default());
    assert_eq!(shown.bounds(), [0.5, 2.0, f64::INFINITY]);
    assert!(shown.are_explicit() && shown.are_of(&layout));
    assert!(!shown.are(&layout, Unit::Bytes, PageBounds::default()));
}

#[test]
fn a_summary_is_the_quantiles_of_its_windows_a_sum_and_a_count() {
    let window =
        |length, values: &[f64]| (Duration::from_secs(length), HistogramSnapshot::of(values));
    let windows = vec![window(10, &[]), window(60, &[0.0])];
    let summary = SummarySnapshot { count: 3, sum: 4.5, windows };
    let told = samples(|each| {
        quantile_samples(&summary, &mut *each);
        sum_samples((summary.sum, summary.count), Model::OpenMetrics, each);
    });
    assert_eq!(
        told,
        [
            "Value[10s 0.5] NaN",
            "Value[10s 0.9] NaN",
            "Value[10s 0.99] NaN",
            "Value[1m 0.5] 0",
            "Value[1m 0.9] 0",
            "Value[1m 0.99] 0",
            "Sum 4.5",
            "Count 3",
        ]
    );
}

#[test]
fn windows_have_the_texts_of_durations() {
    for (millis, number, unit) in [
        (10_000, 10, "s"),
        (60_000, 1, "m"),
        (300_000, 5, "m"),
        (90_000, 90, "s"),
        (7_200_000, 2, "h"),
        (1_500, 1_500, "ms"),
        (0, 0, "s"),
    ] {
        let length = WindowLength::new(Duration::from_millis(millis));
        assert_eq!(length, WindowLength { number, unit });
    }
}

#[test]
fn series_that_become_one_are_added_and_began_with_the_first_of_them() {
    for order in [[3, 5], [5, 3]] {
        let [mut first, second] = order
            .map(|nanos| Merged::new(Ticks::of_unix_nanos(nanos), None, Reading::Counter(nanos)));
        first.add(second, None);
        assert_eq!(first.started().unix_nanos(), 3);
        assert!(matches!(first.reading(), Reading::Counter(8)));
    }
    let histogram = HistogramSnapshot::of(&[0.5]);
    let shown = ShownBuckets::new(histogram.layout(), Unit::Seconds, PageBounds::default());
    let value = SeriesValue::Histogram(Arc::new(histogram.clone()));
    let mut counts = BucketCounts::default();
    counts.read_snapshot(&histogram, shown.cuts());
    let whole = || Reading::Value(&value);
    for [a, b] in [[whole(), Reading::Buckets(&counts)], [Reading::Buckets(&counts), whole()]] {
        let [mut first, second] =
            [a, b].map(|each| Merged::new(Ticks::of_unix_nanos(0), None, each));
        first.add(second, Some(shown.cuts()));
        let Reading::Buckets(both) = first.reading() else { panic!("counted by the buckets") };
        assert_eq!((both.count(), both.sum()), (2, 1.0));
    }
}
