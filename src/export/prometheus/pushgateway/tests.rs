use std::time::Duration;

use super::{group::Group, *};
use crate::{
    error::ErrorKind,
    export::wire::{
        hostile,
        receiver::{Receiver, Request, answer},
    },
    label::LabelSet,
    metric::{Registry, Temporality},
    pipeline::{Batch, DropReason, Encoder as _, Pipe, QueueReport, Retry, Setup},
    resource::Resource,
};

const LONG: Duration = Duration::from_secs(20);

fn setup() -> Setup {
    Setup::new(Resource::service("nightly"))
}

/// Orders by `how`, and a load.
fn shop() -> Registry {
    let registry = Registry::new();
    let orders = registry.counter("orders", "Orders").keys(&["how"]).build().unwrap();
    orders.with_labels(&[("how", "card")]).add(3);
    orders.with_labels(&[("how", "cash")]).add(2);
    registry.gauge("load", "").build().unwrap().set(0.25);
    registry
}

fn points(registry: &Registry) -> Vec<DataPoint> {
    registry.snapshot().data_points(Temporality::Cumulative)
}

fn without_target(pushgateway: Pushgateway) -> Pushgateway {
    pushgateway.page(PageOptions::default().without_target_info())
}

fn quick(pushgateway: Pushgateway) -> Route<DataPoint> {
    Route::from(pushgateway).settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry = Retry { initial: Duration::from_millis(1), ..Retry::default() };
    })
}

/// What becomes of one reading of the shop.
fn sent(pushgateway: Pushgateway) -> QueueReport {
    let pipe = Pipe::start(quick(without_target(pushgateway)), &setup()).unwrap();
    pipe.push(points(&shop()));
    let report = pipe.shutdown(LONG);
    let settled = report.delivered + report.held + report.dropped.total();
    assert_eq!((report.offered, settled), (3, 3), "{report}");
    report
}

fn text(request: &Request) -> &str {
    str::from_utf8(&request.body).unwrap()
}

const PAGE: &str = "# TYPE load gauge\nload 0.25\n# HELP orders_total Orders\n# TYPE orders_total counter\n\
                    orders_total{how=\"card\"} 3\norders_total{how=\"cash\"} 2\n";

#[test]
fn a_reading_replaces_the_group_of_the_service_with_its_page() {
    let server = Receiver::of_status(200);
    assert_eq!(sent(Pushgateway::new(server.endpoint("/below"))).delivered, 3);
    let request = server.request();
    assert_eq!(request.line, "PUT /below/metrics/job/nightly HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(text(&request), PAGE);
    assert!(server.rest().is_empty(), "nothing is deleted unasked");
}

#[test]
fn the_resource_is_on_the_page_unless_it_is_left_out() {
    let server = Receiver::of_status(200);
    let pipe = Pipe::start(quick(Pushgateway::new(server.endpoint(""))), &setup()).unwrap();
    pipe.push(points(&shop()));
    assert_eq!(pipe.shutdown(LONG).delivered, 3);
    let info = "target_info{service_name=\"nightly\",";
    let request = server.request();
    assert!(text(&request).contains(info), "{}", text(&request));
}

#[test]
fn a_group_may_keep_what_others_pushed_and_may_be_deleted_at_the_end() {
    let server = Receiver::answering([answer(200, "", ""), answer(202, "", "")]);
    let pushgateway = Pushgateway::new(server.endpoint("")).job("report");
    let pushgateway = pushgateway.grouping("instance", "db-1").keep_others().delete_at_exit();
    assert_eq!(sent(pushgateway).delivered, 3);
    let lines = [(); 2].map(|()| server.request().line);
    let path = "/metrics/job/report/instance/db-1";
    assert_eq!(lines, [format!("POST {path} HTTP/1.1"), format!("DELETE {path} HTTP/1.1")]);
}

#[test]
fn a_deletion_that_fails_is_no_loss_of_records() {
    let server = Receiver::answering([answer(200, "", ""), answer(400, "", "no")]);
    let report = sent(Pushgateway::new(server.endpoint("")).delete_at_exit());
    assert_eq!((report.delivered, report.dropped.total()), (3, 0));
    let lines = [(); 2].map(|()| server.request().line);
    assert!(lines[1].starts_with("DELETE "), "{lines:?}");
}

/// The labels of a path, as the Pushgateway's README says: a value of `NAME@base64` is in the alphabet for URLs,
/// with any padding.
fn labels_of(path: &str) -> Vec<(String, String)> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let parts: Vec<&str> = path.strip_prefix("/metrics/").unwrap().split('/').collect();
    let pairs = parts.chunks(2).map(|pair| {
        let [name, value] = pair else { panic!("{path}") };
        assert!(!value.is_empty() && ![".", ".."].contains(value), "{path}");
        let Some(name) = name.strip_suffix("@base64") else {
            assert!(
                value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
            );
            return ((*name).to_owned(), (*value).to_owned());
        };
        let (mut bytes, mut bits, mut n_bits) = (Vec::new(), 0_u32, 0);
        for digit in value.trim_end_matches('=').bytes() {
            let place = ALPHABET.iter().position(|&other| other == digit).unwrap();
            (bits, n_bits) = (bits << 6 | u32::try_from(place).unwrap(), n_bits + 6);
            if n_bits >= 8 {
                n_bits -= 8;
                bytes.push(u8::try_from(bits >> n_bits & 255).unwrap());
            }
        }
        (name.to_owned(), String::from_utf8(bytes).unwrap())
    });
    pairs.collect()
}

#[test]
fn each_value_of_a_grouping_key_arrives_as_it_is() {
    let plain = ["a", "a.b~c-d_e", "", ".", "..", "a/b", "a b", "ü%2F", "?#\n\0", "x@base64"];
    let plain = plain.map(|value| (value.to_owned(), value.to_owned()));
    for (name, value) in hostile::strings("grouping keys").into_iter().chain(plain) {
        let options = Options { job: Some(format!("j{value}")), ..Options::default() };
        let options = Options { labels: vec![("instance".into(), value.clone())], ..options };
        let path = Group::new(&options, &Resource::default()).unwrap().path();
        let expected = [("job", format!("j{value}")), ("instance", value)];
        assert_eq!(
            labels_of(&path),
            expected.map(|(key, value)| (key.to_owned(), value)),
            "{name}"
        );
    }
}

#[test]
fn a_grouping_key_that_no_pushgateway_takes_stops_the_start() {
    let endpoint = || Endpoint::new("https://pushgateway.example.com");
    let start = |pushgateway: Pushgateway, resource: Resource| {
        Pipe::start(Route::from(pushgateway), &Setup::new(resource)).map(drop)
    };
    for (label, part) in [
        ("job", "method"),
        ("", "\"\""),
        ("1a", "\"1a\""),
        ("a.b", "\"a.b\""),
        ("__a", "\"__a\""),
        ("le", "\"le\""),
    ] {
        let error =
            start(Pushgateway::new(endpoint()).grouping(label, "x"), Resource::service("a"));
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert!(error.to_string().starts_with("pushgateway: "), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let error = start(Pushgateway::new(endpoint()), Resource::default()).unwrap_err();
    assert!(error.to_string().contains("service.name"), "{error}");
    start(Pushgateway::new(endpoint()).job("a"), Resource::default()).unwrap();
    start(Pushgateway::new(endpoint()).grouping("_a1", ""), Resource::service("a")).unwrap();
    let replaced = Pushgateway::new(endpoint()).grouping("a", "1").grouping("a", "2");
    assert_eq!(replaced.options.labels, [("a".to_owned(), "2".to_owned())]);
}

#[test]
fn labels_with_the_names_of_the_group_are_renamed() {
    let registry = Registry::new();
    let keys = ["in.stance", "job", "exported_job", "how"];
    let orders = registry.counter("orders", "").keys(&keys).build().unwrap();
    orders
        .with_labels(&[("in.stance", "x"), ("job", "y"), ("exported_job", "w"), ("how", "z")])
        .add(1);
    let pushgateway = without_target(Pushgateway::new("http://a")).grouping("in_stance", "1");
    let mut pages = Pages::new(pushgateway.options);
    pages.start(&setup()).unwrap();
    let page = pages.encode(&Batch::from(points(&registry)));
    let line = "orders_total{exported_exported_job=\"y\",exported_in_stance=\"x\",exported_job=\"w\",how=\"z\"} 1\n";
    let page = str::from_utf8(page.head()).unwrap();
    assert!(page.ends_with(line), "{page}");
}

#[test]
fn a_reading_that_comes_in_parts_is_whole_in_the_last_page() {
    let mut pages = Pages::new(without_target(Pushgateway::new("http://a")).options);
    pages.start(&setup()).unwrap();
    let registry = shop();
    let first = points(&registry);
    let mut encode = |points: &[DataPoint]| {
        let payload = pages.encode(&Batch::from(points.to_vec()));
        assert_eq!((payload.len(), payload.bytes()), (points.len(), &b""[..]));
        String::from_utf8(payload.head().to_vec()).unwrap()
    };
    assert_eq!(encode(&first[..2]).lines().filter(|line| !line.starts_with('#')).count(), 2);
    assert_eq!(encode(&first[2..]), PAGE);
    // Of two readings the later counts.
    registry.gauge("load", "").build().unwrap().set(0.5);
    let both = [first, points(&registry)].concat();
    assert_eq!(encode(&both), PAGE.replace("0.25", "0.5"));
}

#[test]
fn points_that_are_alike_are_one_and_differences_are_none() {
    let registry = shop();
    let mut all = points(&registry);
    for point in &mut all {
        point.set_labels(LabelSet::default()); // As a processor might.
    }
    let pushgateway = without_target(Pushgateway::new("http://a"));
    let mut pages = Pages::new(pushgateway.options);
    pages.start(&setup()).unwrap();
    let page = pages.encode(&Batch::from(all)).head().to_vec();
    assert!(page.ends_with(b"counter\norders_total 3\n"), "{}", String::from_utf8_lossy(&page));

    let server = Receiver::of_status(200);
    let pipe = Pipe::start(quick(Pushgateway::new(server.endpoint(""))), &setup()).unwrap();
    pipe.push(registry.snapshot().data_points(Temporality::Delta));
    let report = pipe.shutdown(LONG);
    assert_eq!((report.dropped.get(DropReason::Rejected), server.rest().len()), (3, 0));
}

#[test]
fn protobuf_has_native_histograms() {
    let registry = Registry::new();
    registry.histogram("size", "").build().unwrap().record(3.0);
    let server = Receiver::of_status(200);
    let route = quick(Pushgateway::new(server.endpoint("")).protobuf());
    let pipe = Pipe::start(route, &setup()).unwrap();
    pipe.push(points(&registry));
    assert_eq!(pipe.shutdown(LONG).delivered, 1);
    let request = server.request();
    let kind = request.header("content-type").unwrap().to_owned();
    assert!(kind.starts_with("application/vnd.google.protobuf"), "{kind}");
    let page = crate::export::prometheus::render(
        &registry.snapshot(),
        &Resource::service("nightly"),
        crate::export::prometheus::Format::Protobuf,
    );
    assert_eq!(request.body.len(), page.len());
}

#[test]
fn what_may_pass_is_pushed_again_and_nothing_else() {
    for status in [429, 500, 502, 503] {
        let again = answer(status, "retry-after: 0\r\n", "");
        let server = Receiver::answering([again, answer(200, "", "")]);
        assert_eq!(sent(Pushgateway::new(server.endpoint(""))).delivered, 3, "{status}");
        let pages: Vec<_> = server.rest().into_iter().map(|request| request.body).collect();
        assert_eq!(pages, [PAGE.as_bytes(), PAGE.as_bytes()]);
    }
    let server = Receiver::answering([String::new(), answer(200, "", "")]);
    assert_eq!(sent(Pushgateway::new(server.endpoint(""))).delivered, 3, "closed");
    for status in [301, 400, 401, 404, 405, 413] {
        let server = Receiver::answering([answer(status, "", "pushed metrics are invalid")]);
        let report = sent(Pushgateway::new(server.endpoint("")));
        assert_eq!(report.dropped.get(DropReason::Rejected), 3, "{status}");
        assert_eq!(server.rest().len(), 1, "{status}");
        let error = report.last_error.unwrap();
        let says = if status == 413 { "too large" } else { "pushed metrics are invalid" };
        assert!(
            error.contains(&server.endpoint("").to_string()) && error.contains(says),
            "{error}"
        );
    }
}

#[test]
fn an_answer_without_end_is_an_answer() {
    for body in ["x".repeat(1 << 20), "\0\u{1}<html>".to_owned()] {
        let server = Receiver::answering([answer(400, "", &body)]);
        let report = sent(Pushgateway::new(server.endpoint("")));
        assert_eq!(report.dropped.get(DropReason::Rejected), 3);
        assert!(report.last_error.unwrap().len() < 4_096);
    }
}
