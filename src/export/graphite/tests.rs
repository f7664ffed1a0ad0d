//! What arrives, read by a strict reader of the plain-text protocol.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    time::Duration,
};

use super::*;
use crate::{
    export::wire::hostile,
    metric::{Reader, Registry, Temporality},
    pipeline::{Batch, Encoder as _, Pipe, Setup},
    resource::Resource,
};

const LONG: Duration = Duration::from_secs(20);

/// The path without its tags, the tags, and the value of a line: as carbon takes it apart.
fn read(line: &str) -> (String, BTreeMap<String, String>, f64) {
    assert!(line.len() <= 16_384, "carbon closes the connection at {} bytes", line.len());
    let parts: Vec<&str> = line.split(' ').collect();
    let [path, value, time] = parts[..] else { panic!("{line:?}") };
    assert!(!path.contains(|c: char| c.is_whitespace() || c.is_control()), "{line:?}");
    assert!(time.parse::<u64>().unwrap() > 1_600_000_000, "{line}");
    assert!(!(path.ends_with("\"}") && path.contains('{')), "it is of OpenMetrics: {line}");
    let mut parts = path.split(';');
    let name = parts.next().unwrap().to_owned();
    let tag = |part: &str| {
        let (key, value) = part.split_once('=').unwrap();
        assert!(!key.is_empty() && !value.is_empty() && !value.starts_with('~'), "{line}");
        assert_ne!(key, "name", "it is the path's: {line}");
        (key.to_owned(), value.to_owned())
    };
    let mut tags = BTreeMap::new();
    for (key, value) in parts.map(tag) {
        assert_eq!(tags.insert(key, value), None, "a tag twice: {line}");
    }
    (name, tags, value.parse().unwrap())
}

/// The lines of the points of `registry`, and how many are refused.
fn lines(graphite: Graphite, registry: &Registry) -> (Vec<String>, usize) {
    let points = registry.snapshot().data_points(Temporality::Cumulative);
    let mut encoder = Lines::new(graphite.options);
    encoder.start(&Setup::new(Resource::service("shop"))).unwrap();
    let payload = encoder.encode(&Batch::from(points));
    let text = String::from_utf8(payload.bytes().to_vec()).unwrap();
    let sent = streamed::send(&payload, "here", |_| false, |_| Ok(()));
    let n_refused = sent.err().map_or(0, |it| it.n_rejected());
    (text.lines().map(str::to_owned).collect(), n_refused)
}

fn graphite() -> Graphite {
    Graphite::new("127.0.0.1:2003")
}

#[test]
fn each_kind_of_instrument_is_what_the_page_says() {
    let registry = Registry::new();
    registry
        .counter("orders", "")
        .keys(&["route"])
        .build()
        .unwrap()
        .with_labels(&[("route", "/a b.c")])
        .add(3);
    registry.gauge("load", "").build().unwrap().set(-0.25);
    registry.gauge("bad", "").build().unwrap().set(f64::INFINITY);
    registry.histogram("time", "").build().unwrap().record(2.0);
    let (tagged, n_refused) = lines(graphite().prefix("prod."), &registry);
    assert_eq!(n_refused, 1);
    let read: BTreeMap<_, _> = tagged
        .iter()
        .map(|line| read(line))
        .map(|(name, mut tags, value)| {
            assert_eq!(tags.remove("service").as_deref(), Some("shop"));
            (name, (tags, value))
        })
        .collect();
    let (tags, orders) = &read["prod.orders"];
    assert_eq!((tags["route"].as_str(), *orders), ("/a_b.c", 3.0));
    assert_eq!((read["prod.load"].1, read["prod.time.count"].1), (-0.25, 1.0));
    assert!((read["prod.time.p99"].1 / 2.0 - 1.0).abs() < 0.0055);
    let (untagged, _) = lines(graphite().untagged(), &registry);
    let names: Vec<_> = untagged.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert!(names.contains(&"orders._a_b_c") && names.contains(&"time.sum"), "{names:?}");
}

#[test]
fn hostile_texts_break_no_line_and_are_as_they_were_but_for_what_is_reserved() {
    for (which, text) in hostile::strings("graphite") {
        let registry = Registry::new();
        let hits = registry.counter("hits", "").keys(&["k"]).build().unwrap();
        hits.with_labels(&[("k", &text)]).inc();
        let snapshot = registry.snapshot();
        let kept =
            snapshot.family("hits").unwrap().series()[0].labels().get("k").map(str::to_owned);
        let (tagged, _) = lines(graphite(), &registry);
        let [line] = &tagged[..] else { panic!("{which}: {tagged:?}") };
        let (_, tags, value) = read(line);
        let reserved = |c: char| c == ';' || c == '"' || c.is_control() || c.is_whitespace();
        let wanted = kept.map(|text| text.replace(reserved, "_"));
        let wanted = wanted.map(|text| match text.strip_prefix('~') {
            Some(rest) => format!("_{rest}"),
            None => text,
        });
        assert_eq!((value, tags.get("k")), (1.0, wanted.as_ref()), "{which}");
        let (untagged, _) = lines(graphite().untagged(), &registry);
        assert_eq!((untagged.len(), untagged[0].matches(' ').count()), (1, 2), "{which}");
    }
}

#[test]
fn hostile_texts_of_the_resource_and_the_prefix_break_no_line() {
    let registry = Registry::new();
    registry.counter("hits", "").build().unwrap().inc();
    for (which, text) in hostile::strings("graphite: resource and prefix") {
        let mut encoder = graphite()
            .prefix(text.clone())
            .resource_tags([("service.name", text.clone()), ("host.name", "host".to_owned())])
            .encoder();
        let resource = Resource::service("shop").with("host.name", text.clone());
        encoder.start(&Setup::new(resource)).unwrap();
        let points = registry.snapshot().data_points(Temporality::Cumulative);
        let payload = encoder.encode(&Batch::from(points));
        if text.len() > 16_000 {
            assert!(payload.bytes().is_empty(), "{which}: carbon takes no such line");
            continue;
        }
        if text.is_empty() {
            continue; // A tag without a key is the user's own.
        }
        let lines = str::from_utf8(payload.bytes()).unwrap();
        let [line] = lines.lines().collect::<Vec<_>>()[..] else { panic!("{which}") };
        let (name, tags, _) = read(line);
        assert!(name.ends_with("hits") && tags.len() == 2, "{which}: {line}");
        assert!(tags.values().any(|value| value == "shop"), "{which}: {line}");
    }
}

#[test]
fn a_label_that_has_the_name_of_another_tag_hides_nothing_and_is_there_once() {
    let registry = Registry::new();
    let hits = registry.counter("hits", "").keys(&["service", "name", "host"]).build().unwrap();
    for name in ["a", "b"] {
        hits.with_labels(&[("service", "mine"), ("name", name), ("host", "{\"x\":\"y\"}")]).inc();
    }
    let (lines, _) = lines(graphite(), &registry);
    let tags: Vec<_> = lines.iter().map(|line| read(line).1).collect();
    assert_eq!([&tags[0]["name_"], &tags[1]["name_"]], ["a", "b"]);
    assert!(tags.iter().all(|tags| tags["service"] == "mine" && tags["host"] == "{_x_:_y_}"));
}

#[test]
fn a_line_that_carbon_would_close_the_connection_at_is_refused_and_the_others_are_sent() {
    let registry = Registry::new();
    let keys: Vec<String> = (0..20).map(|n| format!("k{n:02}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let long = registry.histogram("long", "").keys(&keys).build().unwrap();
    let value = "x".repeat(1_000);
    let pairs: Vec<_> = keys.iter().map(|key| (*key, &*value)).collect();
    long.with_labels(&pairs).record(1.0);
    registry.counter("short", "").build().unwrap().inc();
    let (lines, n_refused) = lines(graphite(), &registry);
    assert_eq!((lines.len(), n_refused), (1, 1));
    assert_eq!(read(&lines[0]).0, "short");
}

#[test]
fn carbon_that_goes_away_and_comes_back_gets_every_total() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let registry = Registry::new();
    let orders = registry.counter("orders", "").build().unwrap();
    let mut reader = Reader::cumulative(&registry);
    let route = Route::from(Graphite::new(address.to_string()))
        .settings(|settings| settings.retry.initial = Duration::from_millis(10));
    let pipe = Pipe::start(route, &Setup::default()).unwrap();
    let mut send = |n| {
        orders.add(n);
        pipe.push(reader.collect().data_points(Temporality::Cumulative));
    };
    let line = |listener: &TcpListener| {
        let mut line = String::new();
        BufReader::new(listener.accept().unwrap().0).read_line(&mut line).unwrap();
        read(line.trim_end()).2
    };
    send(1);
    assert!(pipe.flush(LONG));
    assert_eq!(line(&listener), 1.0); // And closes the connection.
    drop(listener);
    send(2);
    assert!(!pipe.flush(Duration::from_millis(50)), "nobody listens");
    let listener = TcpListener::bind(address).unwrap();
    assert!(pipe.flush(LONG));
    assert_eq!(line(&listener), 3.0);
    let report = pipe.shutdown(LONG);
    assert_eq!((report.delivered, report.dropped.total()), (2, 0), "{report}");
}
