//! Names and labels: those of the page, legal whatever they were, with those of the target.

use proptest::prelude::*;

use super::*;
use crate::export::prometheus::{Format, Page, PageOptions};

/// The samples of an OpenMetrics page, by their keys.
fn page(families: Vec<Family>) -> BTreeMap<String, f64> {
    let snapshot = Snapshot::new(ticks(date(0)), ticks(date(10)), families);
    let options = PageOptions::default().without_created();
    let mut page = Page::with_options(Format::OpenMetrics, options);
    let bytes = page.render(&snapshot, &shop());
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| sample(line.split(" # ").next().unwrap())).collect()
}

/// The key and the value of a line.
fn sample(line: &str) -> (String, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let value = match value {
        "+Inf" => f64::INFINITY,
        value => value.parse().unwrap(),
    };
    let Some((name, labels)) = series.split_once('{') else {
        return (format!("{series}{{}}"), value);
    };
    let (mut rest, mut labels_read) = (labels.strip_suffix('}').unwrap(), BTreeMap::new());
    while let Some((key, after)) = rest.split_once("=\"") {
        let (mut text, mut chars) = (String::new(), after.char_indices());
        let end = loop {
            match chars.next().unwrap() {
                (_, '\\') => text.push(match chars.next().unwrap().1 {
                    'n' => '\n',
                    other => other,
                }),
                (at, '"') => break at,
                (_, other) => text.push(other),
            }
        };
        labels_read.insert(key.trim_start_matches(',').to_owned(), text);
        rest = &after[end + 1..];
    }
    let labels: Vec<_> =
        labels_read.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
    (format!("{name}{{{}}}", labels.join(",")), value)
}

fn values(all: &All) -> BTreeMap<String, f64> {
    all.iter().map(|(key, got)| (key.clone(), got.value())).collect()
}

#[test]
fn what_is_sent_is_what_a_scrape_of_the_page_has() {
    // [multiple_metric_types, real_world_scenario, complete_metric_family]
    let mut ends = Ends::new(|remote_write| remote_write);
    let sent = values(&ends.got(10, every_kind()));
    assert_eq!(sent, page(every_kind()));
    assert_eq!(sent["hits_total{code=\"200\"}"], 7.0);
    assert_eq!(sent["wait_seconds_bucket{le=\"1.0\",pool=\"io\"}"], 2.0);
    assert_eq!(sent["build_info{version=\"1.2\"}"], 1.0);
    let target =
        "target_info{service_instance_id=\"i-1\",service_name=\"shop\",service_namespace=\"eu\"}";
    assert_eq!(sent[target], 1.0);
}

proptest! {
    #[test]
    fn any_labels_are_sent_as_the_page_has_them(
        keys in proptest::collection::btree_set("\\PC{0,8}|le|job_name|a[._]b", 1..5),
        text in "\\PC{1,20}|[\\\\\"\n é]{1,5}",
        kind in prop_oneof![Just(Kind::Counter), Just(Kind::Gauge), Just(Kind::Histogram)],
    ) {
        // [unicode_in_labels, unicode_in_label_values, special_chars_in_label_values]
        let pairs: Vec<_> = keys.iter().map(|key| (&**key, &*text)).collect();
        let value = match kind {
            Kind::Counter => SeriesValue::Counter(3),
            Kind::Gauge => SeriesValue::Gauge(0.5),
            _ => histogram(&[1.0]),
        };
        let all = || vec![family("x", kind, Unit::NONE, "", vec![
            series(&pairs, value.clone()),
            series(&pairs[..1], value.clone()),
        ])];
        let taken = ["job", "instance"];
        prop_assume!(!keys.iter().any(|key| taken.contains(&&**key)));
        let mut points = Points::new(Options::default());
        points.start(&Setup::new(shop())).unwrap();
        let snapshot = Snapshot::new(ticks(date(0)), ticks(date(10)), all());
        let payload = points.encode(&Batch::from(snapshot.data_points(Temporality::Cumulative)));
        let series = decoded_v2(&[payload.head(), payload.bytes()].concat());
        prop_assert_eq!(values(&by_key(series)), page(all()));
    }
}

#[test]
fn long_names_and_many_labels_are_whole() {
    // [very_long_label_names, very_long_label_values, many_labels_per_series, huge_label_values,
    //  very_long_metric_name, label_values_may_be_empty]
    // A label value has at most 1,024 bytes, so that a longer one is cut before it comes here.
    let (key, value, name) = ("k".repeat(2_000), "v".repeat(1_024), "n".repeat(5_000));
    let many: Vec<(String, String)> =
        (0..200).map(|n| (format!("label{n:03}"), format!("value{n}"))).collect();
    let mut pairs: Vec<(&str, &str)> = many.iter().map(|(k, v)| (&**k, &**v)).collect();
    pairs.extend([(&*key, &*value), ("empty", "")]);
    let one = series(&pairs, SeriesValue::Gauge(1.0));
    let all = got(vec![family(&name, Kind::Gauge, Unit::NONE, "", vec![one])]);
    let got = only(&all);
    assert_eq!((got.name(), got.labels.len()), (&*name, 204));
    assert_eq!((&got.labels[&key], &*got.labels["label123"]), (&value, "value123"));
    assert!(!got.labels.contains_key("empty"), "an empty value is no label");
}

#[test]
fn a_label_of_the_target_is_not_replaced_by_one_of_a_series() {
    let pairs = [("job", "mine"), ("exported_job", "older"), ("instance", "x")];
    let all = got(vec![gauge(&pairs, 1.0)]);
    let labels: Vec<_> = only(&all).labels.iter().map(|(k, v)| (&**k, &**v)).collect();
    assert_eq!(
        labels,
        [
            ("__name__", "level"),
            ("exported_exported_job", "mine"),
            ("exported_instance", "x"),
            ("exported_job", "older"),
            ("instance", "i-1"),
            ("job", "eu/shop"),
        ]
    );
}

#[test]
fn the_target_is_the_service_or_what_was_chosen() {
    let target = |resource: Resource, change: fn(RemoteWrite) -> RemoteWrite| {
        let mut ends = Ends::new(change);
        ends.points.start(&Setup::new(resource)).unwrap();
        let payload = ends.encoded(1, vec![gauge(&[], 1.0)]);
        ends.send(&payload).unwrap();
        let body = snap::raw::Decoder::new().decompress_vec(&ends.server.request().body).unwrap();
        let labels = |name: &str| {
            let all = decoded_v2(&body);
            let one = all.into_iter().find(|one| one.name() == name);
            let get = |key| {
                let found = one.as_ref().and_then(|one| one.labels.get(key));
                found.cloned().unwrap_or_default()
            };
            (get("job"), get("instance"))
        };
        let of_level = labels("level");
        let of_info = labels("target_info");
        assert!(of_info == of_level || of_info == Default::default(), "{of_info:?}");
        of_level
    };
    let texts = |job: &str, instance: &str| (job.to_owned(), instance.to_owned());
    assert_eq!(target(shop(), |one| one), texts("eu/shop", "i-1"));
    assert_eq!(target(shop(), |one| one.job("a").instance("b")), texts("a", "b"));
    assert_eq!(target(shop(), |one| one.job("").instance("")), texts("", ""));
    let process = std::process::id();
    assert_eq!(target(Resource::service("shop"), |one| one), texts("shop", &process.to_string()));
    let on_host = Resource::service("shop").with("host.name", "h1");
    assert_eq!(target(on_host, |one| one), texts("shop", &format!("h1:{process}")));
    assert_eq!(target(Resource::default(), |one| one), texts("", &process.to_string()));
}

#[test]
fn the_resource_is_left_out_where_a_family_has_its_name_or_it_was_asked_for() {
    let names = |families: Vec<Family>, change: fn(RemoteWrite) -> RemoteWrite| {
        let all = Ends::new(change).got(1, families);
        all.values().filter(|one| one.name() == "target_info").count()
    };
    assert_eq!(names(vec![gauge(&[], 1.0)], |one| one), 1);
    assert_eq!(names(vec![gauge(&[], 1.0)], RemoteWrite::without_target_info), 0);
    let series = vec![series(&[], SeriesValue::Gauge(1.0))];
    let other = family("target", Kind::Gauge, Unit::NONE, "", series);
    assert_eq!(names(vec![other], |one| one), 0);
}

#[test]
fn series_whose_labels_become_equal_are_one() {
    let both = |kind, a: SeriesValue, b: SeriesValue| {
        let all = || {
            vec![family(
                "x",
                kind,
                Unit::NONE,
                "",
                vec![
                    series(&[("a.b", "1")], a.clone()),
                    series(&[("a_b", "1")], b.clone()),
                    series(&[("a_b", "2")], b.clone()),
                ],
            )]
        };
        let mut ends = Ends::new(|remote_write| remote_write);
        // Twice: what was learned of the family is known the second time.
        for second in [9, 10] {
            assert_eq!(values(&ends.got(second, all())), page(all()), "{second}");
        }
        let gone = ends.got(11, vec![gauge(&[], 1.0)]);
        assert_eq!(gone.len(), 2, "no end is sent twice, and none before its time: {gone:?}");
        let ended = ends.got(12, vec![gauge(&[], 1.0)]);
        assert_eq!(ended.values().filter(|one| one.is_stale()).count(), page(all()).len() - 1);
    };
    both(Kind::Counter, SeriesValue::Counter(2), SeriesValue::Counter(3));
    both(Kind::UpDownCounter, SeriesValue::UpDownCounter(2), SeriesValue::UpDownCounter(-3));
    both(Kind::Gauge, SeriesValue::Gauge(2.0), SeriesValue::Gauge(3.0));
    both(Kind::Histogram, histogram(&[1.0]), histogram(&[2.0]));
}

#[test]
fn series_that_become_equal_in_different_requests_are_sent_once() {
    let mut ends = Ends::new(|remote_write| remote_write.without_target_info());
    let x = |labels| {
        let one = series(labels, SeriesValue::Counter(1));
        vec![family("x", Kind::Counter, Unit::NONE, "", vec![one])]
    };
    for second in [1, 2] {
        let first = ends.got(second, x(&[("a.b", "1")]));
        assert_eq!(keys(&first), ["x_total{a_b=\"1\"}"]);
        let again = ends.encoded(second, x(&[("a_b", "1")]));
        assert!(again.bytes().is_empty());
    }
}

#[test]
fn a_family_whose_name_another_one_has_is_left_out() {
    let one = |name: &str, kind| {
        family(
            name,
            kind,
            Unit::NONE,
            "",
            vec![series(
                &[],
                match kind {
                    Kind::Counter => SeriesValue::Counter(1),
                    _ => SeriesValue::Gauge(2.0),
                },
            )],
        )
    };
    let all = vec![one("hits", Kind::Counter), one("hits_total", Kind::Gauge)];
    let mut ends = Ends::new(|remote_write| remote_write.without_target_info());
    for second in 1..4 {
        assert_eq!(only(&ends.got(second, all.clone())).value(), 1.0);
    }
    // When the one is gone, the other has its name.
    ends.got(4, vec![gauge(&[], 1.0)]);
    ends.got(5, vec![gauge(&[], 1.0)]);
    ends.got(6, vec![gauge(&[], 1.0)]);
    assert_eq!(
        only(
            &ends
                .got(7, vec![one("hits_total", Kind::Gauge), gauge(&[], 1.0)])
                .into_iter()
                .filter(|(key, _)| key.starts_with("hits"))
                .collect()
        )
        .value(),
        2.0
    );
}

#[test]
fn names_may_be_kept_as_they_are() {
    // [metric_name_with_colons]
    let mut ends = Ends::new(|remote_write| {
        remote_write.translation(Translation::NoTranslation).without_target_info()
    });
    let one = series(&[("http.route", "/")], SeriesValue::Counter(1));
    let payload = ends.encoded(1, vec![family("a:b.c", Kind::Counter, Unit::NONE, "", vec![one])]);
    ends.send(&payload).unwrap();
    let body = snap::raw::Decoder::new().decompress_vec(&ends.server.request().body).unwrap();
    let [got] = decoded_v2(&body).try_into().unwrap();
    assert_eq!((got.name(), &*got.labels["http.route"]), ("a:b.c", "/"));
}
