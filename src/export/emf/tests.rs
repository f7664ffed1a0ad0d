//! What is written, read by a strict reader of the specification.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    time::Duration,
};

use serde_json::{Value as JsonValue, json};

use super::*;
use crate::{
    export::wire::hostile,
    label::LabelSet,
    metric::{Registry, SeriesValue, Unit},
    pipeline::{Batch, DropReason, Encoder as _, Pipe},
    resource::Resource,
};

const LONG: Duration = Duration::from_secs(20);

/// An object whose keys are all different.
struct Unique(Vec<(String, JsonValue)>);

impl<'de> serde::Deserialize<'de> for Unique {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Unique;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Unique, A::Error> {
                let mut pairs = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, JsonValue>()? {
                    assert!(pairs.iter().all(|(other, _)| *other != key), "{key:?} twice");
                    pairs.push((key, value));
                }
                Ok(Unique(pairs))
            }
        }
        from.deserialize_map(Visitor)
    }
}

/// A document, as far as CloudWatch makes metrics of it.
#[derive(Debug)]
struct Document {
    root: BTreeMap<String, JsonValue>,
    aws: JsonValue,
    sets: Vec<BTreeMap<String, String>>,
    metrics: Vec<JsonValue>,
}

const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

fn read(line: &str) -> Document {
    assert!(line.len() <= 256 << 10, "{}", line.len());
    let Unique(pairs) = serde_json::from_str(line).unwrap();
    let mut root: BTreeMap<_, _> = pairs.into_iter().collect();
    let aws = root.remove("_aws").unwrap();
    let known = ["Timestamp", "LogGroupName", "LogStreamName", "CloudWatchMetrics"];
    assert!(aws.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{aws}");
    assert!(aws["Timestamp"].as_u64().unwrap() > 1_500_000_000_000);
    let [directive] = &aws["CloudWatchMetrics"].as_array().unwrap()[..] else { panic!("{aws}") };
    assert_eq!(directive.as_object().unwrap().len(), 3);
    assert!((1..=255).contains(&directive["Namespace"].as_str().unwrap().len()));
    let mut sets = Vec::new();
    for set in directive["Dimensions"].as_array().unwrap() {
        let names: BTreeSet<&str> =
            set.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(names.len(), set.as_array().unwrap().len());
        assert!(names.len() <= 30);
        let pairs = names.into_iter().map(|name| {
            assert!((1..=250).contains(&name.len()) && !name.starts_with(':'), "{name:?}");
            let value = root[name].as_str().unwrap();
            assert!((1..=1_024).contains(&value.len()) && !value.trim().is_empty(), "{value:?}");
            let is_plain = |byte: u8| (b' '..=b'~').contains(&byte);
            assert!(name.bytes().chain(value.bytes()).all(is_plain), "{name:?}: {value:?}");
            (name.to_owned(), value.to_owned())
        });
        sets.push(pairs.collect());
    }
    assert!(!sets.is_empty());
    let metrics = directive["Metrics"].as_array().unwrap().clone();
    assert!((1..=100).contains(&metrics.len()));
    for metric in &metrics {
        let name = metric["Name"].as_str().unwrap();
        assert!((1..=255).contains(&name.chars().count()) && !name.chars().any(char::is_control));
        assert!(UNITS.contains(&metric["Unit"].as_str().unwrap()), "{metric}");
        let numbers = |list: &JsonValue| {
            let list = list.as_array().unwrap();
            assert!((1..=100).contains(&list.len()));
            list.iter().for_each(number);
            list.len()
        };
        match &root[name] {
            JsonValue::Object(target) => {
                assert_eq!(numbers(&target["Values"]), numbers(&target["Counts"]));
            }
            target => number(target),
        }
    }
    Document { root, aws, sets, metrics }
}

impl Document {
    /// What is at the root, with numbers as floats.
    fn figures(&self) -> JsonValue {
        let float = |value: &JsonValue| value.as_f64().map_or(value.clone(), JsonValue::from);
        self.root.iter().map(|(key, value)| (key.clone(), float(value))).collect()
    }
}

fn number(value: &JsonValue) {
    let value = value.as_f64().unwrap();
    let size = value.abs();
    assert!(value == 0.0 || (2_f64.powi(-360)..=2_f64.powi(360)).contains(&size), "{value}");
}

fn emf() -> Emf {
    Emf::stdout("Shop")
}

fn encoder(emf: &Emf) -> Documents {
    let mut encoder = Documents::new(emf.options.clone());
    encoder.start(&Setup::new(Resource::service("shop").with("host.name", "h"))).unwrap();
    encoder
}

/// The documents of these points, and how many points are refused.
fn documents(emf: &Emf, points: Vec<DataPoint>) -> (Vec<Document>, usize) {
    let n = points.len();
    let payload = encoder(emf).encode(&Batch::from(points));
    assert_eq!(payload.len(), n);
    let mut bytes = Vec::new();
    let sent = streamed::send(
        &payload,
        "here",
        |_| false,
        |lines| {
            bytes.extend_from_slice(lines);
            Ok(())
        },
    );
    let text = String::from_utf8(bytes).unwrap();
    (text.lines().map(read).collect(), sent.err().map_or(0, |error| error.n_rejected()))
}

fn of(emf: &Emf, registry: &Registry) -> Vec<Document> {
    let (documents, n_refused) =
        documents(emf, registry.snapshot().data_points(Temporality::Delta));
    assert_eq!(n_refused, 0);
    documents
}

#[test]
fn series_of_the_same_labels_are_one_document() {
    let registry = Registry::new();
    let orders = registry.counter("orders", "").keys(&["route"]).build().unwrap();
    let sizes = registry.gauge("size", "").unit(Unit::Bytes).keys(&["route"]).build().unwrap();
    for (route, n) in [("/a", 3), ("/b", 4)] {
        orders.with_labels(&[("route", route)]).add(n);
        sizes.with_labels(&[("route", route)]).set(0.5 * n as f64);
    }
    registry.up_down_counter("jobs", "").unit(Unit::new("{job}")).build().unwrap().add(-2);
    let read = of(&emf(), &registry);
    let [jobs, a, b] = &read[..] else { panic!("{read:?}") };
    assert_eq!(jobs.figures(), json!({"service": "shop", "jobs": -2.0}));
    assert_eq!(jobs.metrics, [json!({"Name": "jobs", "Unit": "Count"})]);
    assert_eq!(a.figures(), json!({"service": "shop", "route": "/a", "orders": 3.0, "size": 1.5}));
    assert_eq!(b.figures(), json!({"service": "shop", "route": "/b", "orders": 4.0, "size": 2.0}));
    assert_eq!(json!(a.sets), json!([{"service": "shop", "route": "/a"}]));
    let metrics =
        [json!({"Name": "orders", "Unit": "Count"}), json!({"Name": "size", "Unit": "Bytes"})];
    assert_eq!(a.metrics, metrics);
    assert_eq!(a.aws.get("LogGroupName"), None);
}

#[test]
fn a_histogram_is_its_buckets_or_its_figures() {
    let registry = Registry::new();
    let times = registry.histogram("time", "").unit(Unit::Seconds).build().unwrap();
    registry.histogram("idle", "").build().unwrap();
    (0..10).for_each(|_| times.record(0.0));
    (0..5).for_each(|_| times.record(2.0));
    let read = of(&emf(), &registry);
    let [document] = &read[..] else { panic!("an empty histogram says nothing: {read:?}") };
    let target = &document.root["time"];
    assert_eq!(target["Counts"], json!([10, 5]));
    let known = ["Min", "Max", "Sum", "Count"].map(|name| target[name].as_f64().unwrap());
    assert_eq!(known, [0.0, 2.0, 10.0, 15.0]);
    let value = target["Values"][1].as_f64().unwrap();
    assert!(
        target["Values"][0].as_f64() == Some(0.0) && (value / 2.0 - 1.0).abs() < 0.01,
        "{target}"
    );
    assert_eq!(document.metrics, [json!({"Name": "time", "Unit": "Seconds"})]);

    let read = of(&emf().histograms(EmfHistograms::Figures), &registry);
    let [document] = &read[..] else { panic!("{read:?}") };
    assert_eq!(document.root["time.count"], json!(15));
    assert_eq!(document.root["idle.count"], json!(0));
    assert_eq!(document.root["time.p50"].as_f64(), Some(0.0));
    assert_eq!(document.root.get("idle.p50"), None);
    let unit = |name: &str| {
        let found = document.metrics.iter().find(|metric| metric["Name"] == name);
        found.unwrap()["Unit"].as_str().unwrap().to_owned()
    };
    assert_eq!((unit("time.count"), unit("time.max")), ("Count".into(), "Seconds".into()));
}

#[test]
fn what_is_too_much_for_a_document_is_in_the_next() {
    let registry = Registry::new();
    for n in 0..250 {
        registry.gauge(&format!("level.{n:03}"), "").build().unwrap().set(f64::from(n));
    }
    let read = of(&emf(), &registry);
    assert_eq!(read.iter().map(|one| one.metrics.len()).collect::<Vec<_>>(), [100, 100, 50]);
    let names: BTreeSet<&String> = read.iter().flat_map(|one| one.root.keys()).collect();
    assert_eq!(names.len(), 251);

    // Dimensions whose every character is escaped, and long names, which stand twice.
    let registry = Registry::new();
    for n in 0..100 {
        let name = format!("level.{n:03}.{}", "x".repeat(200));
        registry.gauge(&name, "").build().unwrap().set(1.0);
    }
    let mut points = registry.snapshot().data_points(Temporality::Delta);
    let labels = LabelSet::new((0..90).map(|n| (format!("k{n}"), "\"".repeat(1_024))));
    points.iter_mut().for_each(|point| point.set_labels(labels.clone()));
    let (read, n_refused) = documents(&emf(), points);
    assert_eq!(n_refused, 0);
    assert_eq!(read.iter().map(|one| one.metrics.len()).sum::<usize>(), 100);
    assert!(read.len() > 1 && read[0].root.len() > 60, "{}", read.len());

    // A histogram of 250 buckets is in three; many of 90 are too long for one.
    let registry = Registry::new();
    let wide = registry.histogram("wide", "").build().unwrap();
    (0..250).for_each(|n| wide.record(1.1_f64.powi(n)));
    let read = of(&emf(), &registry);
    // What is known of all is shared out: the ends are exact, and the sums add up.
    let known = |name: &str| -> Vec<f64> {
        read.iter().map(|one| one.root["wide"][name].as_f64().unwrap()).collect()
    };
    let wide = registry.snapshot();
    let wide = wide.value("wide", &[]).and_then(SeriesValue::as_histogram).unwrap();
    let (min, max) = (known("Min"), known("Max"));
    assert_eq!((min[0], max[2]), (wide.min().unwrap(), wide.max().unwrap()));
    assert!((0..2).all(|part| max[part] < min[part + 1] && min[part] < max[part]));
    assert!((known("Sum").iter().sum::<f64>() / wide.sum() - 1.0).abs() < 1e-9);
    assert_eq!(known("Count").iter().sum::<f64>(), 250.0);
    let counts = read.iter().map(|one| one.root["wide"]["Counts"].as_array().unwrap().len());
    assert_eq!(counts.collect::<Vec<_>>(), [100, 100, 50]);
    let registry = Registry::new();
    for n in 0..100 {
        let size = registry.histogram(&format!("size.{n}"), "").build().unwrap();
        (0..99).for_each(|n| size.record(1.234_567_890_123_4_f64.powi(n)));
    }
    let read = of(&emf(), &registry);
    assert!(read.len() > 1 && read.iter().map(|one| one.metrics.len()).sum::<usize>() == 100);
}

#[test]
fn what_is_too_much_for_a_set_of_dimensions_is_in_a_set_of_its_own() {
    let keys: Vec<String> = (0..40).map(|n| format!("key{n:02}")).collect();
    let labels = LabelSet::new(keys.iter().map(|key| (key.clone(), "v".to_owned())));
    let registry = Registry::new();
    registry.gauge("level", "").build().unwrap().set(1.0);
    let mut points = registry.snapshot().data_points(Temporality::Delta);
    points[0].set_labels(labels);
    let (read, _) = documents(&emf(), points.clone());
    assert_eq!(read[0].sets.iter().map(BTreeMap::len).collect::<Vec<_>>(), [30, 11]);
    let (read, _) = documents(&emf().dimensions([keys.clone(), vec!["key07".to_owned()]]), points);
    assert_eq!(read[0].sets.iter().map(BTreeMap::len).collect::<Vec<_>>(), [30, 10, 1]);
}

#[test]
fn sets_of_dimensions_are_those_that_a_series_has() {
    let registry = Registry::new();
    let hits = registry.counter("hits", "").keys(&["route", "code"]).build().unwrap();
    hits.with_labels(&[("route", "/a"), ("code", "200")]).inc();
    registry
        .gauge("load", "")
        .keys(&["cpu"])
        .build()
        .unwrap()
        .with_labels(&[("cpu", "1")])
        .set(1.0);
    let emf = emf()
        .dimensions([
            vec!["route"],
            vec!["route", "service"],
            vec!["nothing"],
            vec!["host", "route"],
        ])
        .resource_dimensions([("service.name", "service"), ("host.name", "host")]);
    let read = of(&emf, &registry);
    assert_eq!(
        json!(read[0].sets),
        json!([{"route": "/a"}, {"route": "/a", "service": "shop"}, {"route": "/a", "host": "h"}])
    );
    assert_eq!(read[0].root["code"], "200", "it can be searched for");
    // None of them fits.
    assert_eq!(json!(read[1].sets), json!([{"cpu": "1", "service": "shop", "host": "h"}]));
}

#[test]
fn a_series_without_labels_has_the_empty_set() {
    let registry = Registry::new();
    registry.gauge("load", "").build().unwrap().set(1.0);
    let none: [(&str, &str); 0] = [];
    let read = of(&emf().resource_dimensions(none), &registry);
    assert_eq!(json!(read[0].sets), json!([{}]));
}

#[test]
fn names_that_meet_are_told_apart() {
    let registry = Registry::new();
    registry.gauge("route", "").build().unwrap().set(2.0);
    let mut points = registry.snapshot().data_points(Temporality::Delta);
    let labels = [("route", "/a"), ("_aws", "x"), ("é", "1"), ("ü", "2")];
    points[0].set_labels(LabelSet::new(labels));
    let (read, _) = documents(&emf(), points);
    let expected = json!({
        "service": "shop", "route": "/a", "_aws_": "x", "_": "1", "__": "2", "route_": 2.0,
    });
    assert_eq!(read[0].figures(), expected);
    // The label stands in the place of the resource's dimension.
    let registry = Registry::new();
    let load = registry.gauge("load", "").keys(&["service"]).build().unwrap();
    load.with_labels(&[("service", "own")]).set(1.0);
    assert_eq!(json!(of(&emf(), &registry)[0].sets), json!([{"service": "own"}]));
}

#[test]
fn the_agents_group_stream_and_resolution_are_in_the_document() {
    let registry = Registry::new();
    registry.gauge("load", "").build().unwrap().set(1.0);
    let emf = Emf::agent("127.0.0.1:1", "My/Shop")
        .log_group("/g/1")
        .log_stream("s \"1\"")
        .high_resolution();
    let read = of(&emf, &registry);
    assert_eq!(
        (&read[0].aws["LogGroupName"], &read[0].aws["LogStreamName"]),
        (&json!("/g/1"), &json!("s \"1\""))
    );
    assert_eq!(read[0].metrics[0]["StorageResolution"], 1);
    assert_eq!(read[0].aws["CloudWatchMetrics"][0]["Namespace"], "My/Shop");
}

#[test]
fn a_value_that_cloudwatch_refuses_is_refused_here_and_a_tiny_one_is_zero() {
    let registry = Registry::new();
    let values = [f64::NAN, f64::INFINITY, -1e109, 1e108, 5e-324, -1e-109, 0.0, f64::NEG_INFINITY];
    for (n, value) in values.into_iter().enumerate() {
        registry.gauge(&format!("level.{n}"), "").build().unwrap().set(value);
    }
    let points = registry.snapshot().data_points(Temporality::Delta);
    let (read, n_refused) = documents(&emf(), points);
    assert_eq!(n_refused, 4);
    let expected = json!({
        "service": "shop", "level.3": 1e108, "level.4": 0.0, "level.5": 0.0, "level.6": 0.0,
    });
    assert_eq!(read[0].figures(), expected);
}

/// What the page says of a text.
fn shown(text: &str, most: usize) -> String {
    let plain = |c: char| if (' '..='~').contains(&c) { c } else { '_' };
    text.chars().map(plain).take(most).collect()
}

#[test]
fn hostile_texts_stay_where_they_are() {
    let name_of = |text: &str| match shown(text, 240) {
        name if name.is_empty() => "_".to_owned(),
        name if name == "_aws" => "_aws_".to_owned(),
        name => name.strip_prefix(':').map(|rest| format!("_{rest}")).unwrap_or(name),
    };
    for (name, text) in hostile::strings("embedded metric format") {
        let registry = Registry::new();
        registry.gauge("level", "").build().unwrap().set(1.0);
        let mut points = registry.snapshot().data_points(Temporality::Delta);
        let resource = emf().resource_dimensions([("service.name", text.clone())]);
        points[0].set_labels(LabelSet::default());
        let (read, n_refused) = documents(&resource, points.clone());
        assert_eq!((read.len(), n_refused), (1, 0), "{name}");
        assert_eq!(read[0].root[&name_of(&text)], "shop", "{name}");
        points[0].set_labels(LabelSet::new([
            ("a value".to_owned(), text.clone()),
            (text.clone(), "key".to_owned()),
        ]));
        let (read, n_refused) = documents(&resource, points);
        assert_eq!((read.len(), n_refused), (1, 0), "{name}");
        assert_eq!(read[0].root[&name_of(&text)], "key", "{name}");
        if !text.is_empty() {
            // What the crate cuts of a value before is not asked for here.
            let kept = read[0].root["a value"].as_str().unwrap();
            let is_blank = kept == "_" && text.trim().is_empty();
            assert!(
                shown(&text, 1_024).starts_with(kept) && !kept.is_empty() || is_blank,
                "{name}: {kept:?}"
            );
        }
        assert_eq!(read[0].metrics[0]["Name"], "level", "{name}");
    }
}

#[test]
fn a_name_that_cloudwatch_does_not_take_stops_the_start() {
    let start = |emf: Emf| Pipe::start(Route::from(emf), &Setup::default()).map(drop);
    for wrong in ["", "  ", ":a", "a\nb", "é", &"x".repeat(256)] {
        let error = start(Emf::stdout(wrong)).unwrap_err();
        assert!(error.to_string().starts_with("emf: CloudWatch takes no namespace"), "{error}");
    }
    for wrong in ["", "a b", "a:b", "é", &"x".repeat(513)] {
        let error = start(emf().log_group(wrong)).unwrap_err();
        assert!(error.to_string().contains("log group"), "{error}");
    }
    for wrong in ["", "a:b", "a*", "é", &"x".repeat(513)] {
        let error = start(emf().log_stream(wrong)).unwrap_err();
        assert!(error.to_string().contains("log stream"), "{error}");
    }
    let good = Emf::stdout("My_Shop/Orders-1.2#a:b").log_group("/shop/metrics_1-2.#");
    start(good.log_stream("host [1]/i-1")).unwrap();
}

/// Lines as the agent reads them, until the connection ends.
fn accepted(agent: &TcpListener, n: usize) -> Vec<String> {
    let stream = agent.accept().unwrap().0;
    BufReader::new(stream).lines().take(n).map(Result::unwrap).collect()
}

#[test]
fn what_an_agent_did_not_take_waits_for_the_next() {
    let agent = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = agent.local_addr().unwrap();
    drop(agent);
    let registry = Registry::new();
    registry.gauge("load", "").build().unwrap().set(1.0);
    registry.gauge("odd", "").build().unwrap().set(f64::NAN);
    let route = Route::from(Emf::agent(place.to_string(), "Shop")).settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry.initial = Duration::from_millis(1);
    });
    let pipe = Pipe::start(route, &Setup::new(Resource::service("shop"))).unwrap();
    pipe.push(registry.snapshot().data_points(Temporality::Delta));
    assert!(!pipe.flush(Duration::from_millis(50)));
    let report = pipe.report();
    assert_eq!((report.delivered, report.held), (0, 2));
    let agent = TcpListener::bind(place).unwrap();
    let lines = accepted(&agent, 1);
    assert_eq!(read(&lines[0]).root["load"].as_f64(), Some(1.0));
    let report = pipe.shutdown(LONG);
    assert_eq!((report.delivered, report.dropped.get(DropReason::Rejected)), (1, 1), "{report}");
}

#[test]
fn the_bytes_of_a_document_are_those() {
    let registry = Registry::new();
    let orders = registry.counter("orders", "").keys(&["route"]).build().unwrap();
    orders.with_labels(&[("route", "/a")]).add(3);
    let points = registry.snapshot().data_points(Temporality::Delta);
    let millis = points[0].taken().timestamp().unix_nanos() / 1_000_000;
    let payload = encoder(&emf()).encode(&Batch::from(points));
    assert_eq!(
        str::from_utf8(payload.bytes()).unwrap(),
        format!(
            "{{\"_aws\":{{\"Timestamp\":{millis},\"CloudWatchMetrics\":[{{\"Namespace\":\"Shop\",\"Dimensions\":\
             [[\"service\",\"route\"]],\"Metrics\":[{{\"Name\":\"orders\",\"Unit\":\"Count\"}}]}}]}},\
             \"service\":\"shop\",\"route\":\"/a\",\"orders\":3}}\n"
        )
    );
}
