//! What arrives, read by a strict reader of the format.

use std::{collections::BTreeMap, net::UdpSocket, time::Duration};

use super::*;
use crate::{
    export::wire::hostile,
    metric::{Registry, Unit},
    pipeline::{Batch, Encoder as _, Pipe, Setup},
    resource::Resource,
};

/// A line, taken apart as Datadog's documentation of its protocol says, and Etsy's README.
#[derive(Debug, PartialEq)]
struct Line {
    name: String,
    value: f64,
    form: String,
    rate: f64,
    tags: Vec<String>,
}

/// Reads a line of Datadog's dialect, or of one without tags.
fn read(line: &str) -> Line {
    assert!(!line.contains(|c: char| c.is_ascii_control()), "{line:?}");
    let (name, rest) = line.split_once(':').unwrap();
    assert!(!name.is_empty() && !name.contains(['|', '@', ' ', '#']), "{line}");
    let mut parts = rest.split('|');
    let value = parts.next().unwrap().parse().unwrap();
    let form = parts.next().unwrap();
    assert!(["c", "g", "ms", "h", "d"].contains(&form), "{line}");
    let mut read =
        Line { name: name.into(), value, form: form.into(), rate: 1.0, tags: Vec::new() };
    for part in parts {
        if let Some(rate) = part.strip_prefix('@') {
            read.rate = rate.parse().unwrap();
            assert!(read.rate > 0.0 && read.rate <= 1.0 && read.tags.is_empty(), "{line}");
        } else {
            let tags = part.strip_prefix('#').unwrap_or_else(|| panic!("{line}"));
            assert!(read.tags.is_empty(), "{line}");
            read.tags = tags.split(',').map(str::to_owned).collect();
        }
    }
    read
}

/// The lines of the points of `registry`.
fn lines(statsd: Statsd, registry: &Registry) -> Vec<String> {
    let points = registry.snapshot().data_points(Temporality::Delta);
    let mut encoder = Lines::new(statsd.options);
    let resource = Resource::service("shop");
    encoder.start(&Setup::new(resource)).unwrap();
    let payload = encoder.encode(&Batch::from(points));
    let mut lines = Vec::new();
    let result = packed::send(&payload, &mut (1 << 20), Split::Lines, |datagram| {
        lines.extend(String::from_utf8(datagram.to_vec()).unwrap().lines().map(str::to_owned));
        Ok(())
    });
    assert_eq!(result.err().map_or(0, |error| error.n_rejected()), 0);
    lines
}

fn statsd() -> Statsd {
    Statsd::udp("127.0.0.1:8125")
}

#[test]
fn each_kind_of_instrument_is_what_the_page_says() {
    let registry = Registry::new();
    registry.counter("orders", "").build().unwrap().add(3);
    registry.up_down_counter("in_flight", "").build().unwrap().add(-2);
    registry.gauge("load", "").build().unwrap().set(0.25);
    let times = registry.histogram("time", "").unit(Unit::Seconds).build().unwrap();
    (0..4).for_each(|_| times.record(0.5));
    assert_eq!(
        lines(statsd().prefix("shop."), &registry),
        [
            "shop.in_flight:0|g|#service:shop",
            "shop.in_flight:-2|g|#service:shop",
            "shop.load:0.25|g|#service:shop",
            "shop.orders:3|c|#service:shop",
            &lines(statsd(), &registry)[4].replace("time:", "shop.time:"),
        ]
    );
    let values = read(&lines(statsd(), &registry)[4]);
    assert_eq!((values.form.as_str(), values.rate), ("d", 0.25));
    assert!((values.value / 0.5 - 1.0).abs() < 0.0055, "{values:?}");
    let timers = lines(statsd().histograms(StatsdHistograms::Timers), &registry);
    assert!((read(&timers[4]).value / 500.0 - 1.0).abs() < 0.0055, "{timers:?}");
}

#[test]
fn figures_of_a_histogram_are_a_counter_and_gauges() {
    let registry = Registry::new();
    let sizes = registry.histogram("size", "").build().unwrap();
    [2.0, 3.0].into_iter().for_each(|value| sizes.record(value));
    let figures = lines(statsd().dialect(StatsdDialect::InName), &registry);
    let figures: BTreeMap<_, _> =
        figures.iter().map(|line| line.split_once(':').unwrap()).collect();
    assert_eq!((figures["size.count"], figures["size.sum"]), ("2|c", "5|g"));
    assert!(figures.contains_key("size.p99"), "{figures:?}");
}

#[test]
fn a_histogram_without_new_values_says_nothing_and_is_no_refusal() {
    let registry = Registry::new();
    let _idle = registry.histogram("idle", "").build().unwrap();
    registry.counter("orders", "").build().unwrap().inc();
    assert_eq!(lines(statsd(), &registry), ["orders:1|c|#service:shop"]);
}

#[test]
fn what_is_not_finite_is_refused_and_the_rest_is_not() {
    let registry = Registry::new();
    registry.gauge("bad", "").build().unwrap().set(f64::NAN);
    registry.gauge("good", "").build().unwrap().set(1.0);
    let mut encoder = Lines::new(statsd().options);
    let points = registry.snapshot().data_points(Temporality::Delta);
    let payload = encoder.encode(&Batch::from(points));
    let error = packed::send(&payload, &mut 1_432, Split::Lines, |datagram| {
        assert_eq!(datagram, b"good:1|g");
        Ok(())
    });
    assert_eq!(error.unwrap_err().n_rejected(), 1);
}

#[test]
fn hostile_texts_break_no_line_and_are_as_they_were_but_for_what_is_reserved() {
    for (which, text) in hostile::strings("statsd") {
        let registry = Registry::new();
        registry
            .counter("hits", "")
            .keys(&["k"])
            .build()
            .unwrap()
            .with_labels(&[("k", &text)])
            .inc();
        let [line] = lines(statsd(), &registry).try_into().unwrap();
        let read = read(&line);
        let snapshot = registry.snapshot();
        let kept =
            snapshot.family("hits").unwrap().series()[0].labels().get("k").map(str::to_owned);
        let wanted: String = kept
            .as_deref()
            .unwrap_or_default()
            .chars()
            .map(|c| if c.is_control() || ",|".contains(c) { '_' } else { c })
            .collect();
        let service = "service:shop".to_owned();
        let tags =
            if kept.is_none() { vec![service] } else { vec![service, format!("k:{wanted}")] };
        assert_eq!((read.value, read.tags), (1.0, tags), "{which}");
        for dialect in [StatsdDialect::Influx, StatsdDialect::Graphite, StatsdDialect::InName] {
            let [line] = lines(statsd().dialect(dialect), &registry).try_into().unwrap();
            assert_eq!((line.matches(':').count(), line.matches('|').count()), (1, 1), "{which}");
            assert!(
                !line.contains(|c: char| c.is_control() || c.is_whitespace()),
                "{which}: {line}"
            );
            let reserved =
                |c: char| c.is_control() || c.is_whitespace() || ":|@#,;=/~!^".contains(c);
            let kept = kept.as_deref().unwrap_or_default().replace(reserved, "_");
            let wanted = match (dialect, &*kept) {
                (StatsdDialect::InName, "") => "hits._:1|c".to_owned(),
                (StatsdDialect::InName, kept) => format!("hits.{}:1|c", kept.replace('.', "_")),
                (StatsdDialect::Influx, "") => "hits,service=shop:1|c".to_owned(),
                (StatsdDialect::Influx, kept) => {
                    format!("hits,service=shop,k={}:1|c", kept.replace('"', "_"))
                }
                (_, "") => "hits;service=shop:1|c".to_owned(),
                (_, kept) => format!("hits;service=shop;k={}:1|c", kept.replace('"', "_")),
            };
            // A label without a value is none.
            let wanted =
                wanted.replace("hits._:", if kept.is_empty() { "hits:" } else { "hits._:" });
            assert_eq!(line, wanted, "{which}");
        }
    }
}

#[test]
fn hostile_texts_of_the_resource_and_the_prefix_break_no_line() {
    let registry = Registry::new();
    registry.counter("hits", "").build().unwrap().inc();
    for (which, text) in hostile::strings("statsd: resource and prefix") {
        if text.len() > 100_000 {
            continue; // No datagram is as long.
        }
        for dialect in [
            StatsdDialect::Dogstatsd,
            StatsdDialect::Influx,
            StatsdDialect::Graphite,
            StatsdDialect::InName,
        ] {
            let statsd = statsd().dialect(dialect).prefix(text.clone());
            let statsd = statsd.resource_tags([("service.name", text.clone())]);
            let [line] = lines(statsd, &registry).try_into().unwrap();
            let n_marks = usize::from(dialect == StatsdDialect::Dogstatsd);
            assert_eq!(line.matches('|').count(), 1 + n_marks, "{which}: {line}");
            assert!(line.contains("hits") && line.contains("shop"), "{which}: {line}");
            assert!(!line.contains(char::is_control), "{which}: {line}");
            if dialect == StatsdDialect::Dogstatsd {
                assert!(read(&line).name.ends_with("hits"), "{which}: {line}");
            } else {
                assert_eq!(line.matches(':').count(), 1, "{which}: {line}");
            }
        }
    }
}

#[test]
fn a_daemon_without_tags_has_no_version_in_its_paths_unless_it_is_asked_for() {
    let registry = Registry::new();
    let hits = registry.counter("hits", "").keys(&["service"]).build().unwrap();
    hits.with_labels(&[("service", "mine")]).inc();
    let daemon = || statsd().dialect(StatsdDialect::InName);
    assert_eq!(lines(daemon(), &registry), ["hits.mine:1|c"]);
    let asked = daemon().resource_tags([("service.name", "app")]);
    assert_eq!(lines(asked, &registry), ["hits.shop.mine:1|c"]);
    // A label stands in the place of the resource's tag.
    assert_eq!(lines(statsd(), &registry), ["hits:1|c|#service:mine"]);
}

#[test]
fn more_than_a_datagram_may_have_is_an_error_at_the_start() {
    let start =
        |n| Pipe::start(Statsd::udp("127.0.0.1:8125").max_datagram(n).into(), &Setup::default());
    start(65_507).unwrap();
    let error = start(65_508).unwrap_err().to_string();
    assert!(error.ends_with("a datagram has at most 65507 bytes, not 65508"), "{error}");
}

#[test]
fn what_an_application_records_arrives_as_differences() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let place = receiver.local_addr().unwrap().to_string();
    let registry = Registry::new();
    let orders = registry.counter("orders", "").build().unwrap();
    let mut reader = crate::metric::Reader::delta(&registry);
    let pipe = Pipe::start(Statsd::udp(place).into(), &Setup::default()).unwrap();
    for n in [3, 4] {
        orders.add(n);
        pipe.push(reader.collect().data_points(Temporality::Delta));
        assert!(pipe.flush(Duration::from_secs(20)));
        let mut room = [0; 2_000];
        let length = receiver.recv(&mut room).unwrap();
        let line = read(str::from_utf8(&room[..length]).unwrap());
        assert_eq!((line.name.as_str(), line.value), ("orders", n as f64));
    }
    let report = pipe.shutdown(Duration::from_secs(20));
    assert_eq!((report.delivered, report.dropped.total()), (2, 0), "{report}");
}

#[cfg(unix)]
#[test]
fn an_agent_that_comes_late_gets_every_difference_once() {
    let path = std::env::temp_dir().join(format!("bellwether-statsd-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let registry = Registry::new();
    let orders = registry.counter("orders", "").build().unwrap();
    let mut reader = crate::metric::Reader::delta(&registry);
    let route = Route::from(Statsd::unix(&path))
        .settings(|settings| settings.retry.initial = Duration::from_millis(10));
    let pipe = Pipe::start(route, &Setup::default()).unwrap();
    for n in 1..=10 {
        orders.add(n);
        pipe.push(reader.collect().data_points(Temporality::Delta));
    }
    assert!(!pipe.flush(Duration::from_millis(50)), "nobody listens");
    let agent = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    assert!(pipe.flush(Duration::from_secs(20)));
    let report = pipe.shutdown(Duration::from_secs(20));
    assert_eq!((report.delivered, report.dropped.total()), (10, 0), "{report}");
    assert!(report.retries > 0);
    let mut room = [0; 9_000];
    agent.set_nonblocking(true).unwrap();
    let mut sum = 0.0;
    while let Ok(length) = agent.recv(&mut room) {
        let datagram = str::from_utf8(&room[..length]).unwrap();
        sum += datagram.lines().map(|line| read(line).value).sum::<f64>();
    }
    assert_eq!(sum, 55.0);
    std::fs::remove_file(&path).unwrap();
}
