//! What arrives, over HTTP and UDP, and what is left when nothing does.

use std::net::UdpSocket;

use super::*;
use crate::{
    export::wire::receiver::{Receiver, Request, answer},
    pipeline::{DropReason, Pipe, QueueReport, Retry},
};

/// Four points, the second of which no line can express.
fn points() -> Vec<DataPoint> {
    let registry = Registry::new();
    let paid = registry.counter("paid", "").keys(&["how"]).build().unwrap();
    paid.with_labels(&[("how", "by card")]).add(3);
    paid.with_labels(&[("how", "cash")]).add(2);
    registry.gauge("load", "").build().unwrap().set(0.25);
    registry.gauge("odd", "").build().unwrap().set(f64::NAN);
    registry.snapshot().data_points(Temporality::Cumulative)
}

fn plain(endpoint: Endpoint) -> Endpoint {
    endpoint.compression(Compression::None)
}

fn quick(influx: Influx) -> Route<DataPoint> {
    Route::from(influx).settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry = Retry { initial: Duration::from_millis(1), ..Retry::default() };
    })
}

/// What becomes of the points, with an exact account.
fn sent(influx: Influx) -> QueueReport {
    let setup = Setup::new(Resource::service("shop"));
    let pipe = Pipe::start(quick(influx), &setup).unwrap();
    pipe.push(points());
    let report = pipe.shutdown(LONG);
    let settled = report.delivered + report.held + report.dropped.total();
    assert_eq!((report.offered, settled), (4, 4), "{report}");
    report
}

fn rejected(report: &QueueReport) -> (u64, u64) {
    (report.delivered, report.dropped.get(DropReason::Rejected))
}

fn names(request: &Request) -> Vec<String> {
    let points = read(str::from_utf8(&request.body).unwrap()).unwrap();
    points.into_iter().map(|point| point.name).collect()
}

#[test]
fn each_api_has_its_path_its_query_and_its_credentials() {
    let server = Receiver::of_status(204);
    let endpoint = || plain(server.endpoint("/below"));
    let basic = endpoint().basic("ann", Secret::new("pass"));
    let v1 = Influx::v1(basic, "a b&c=é").retention_policy("a week");
    let v1 = v1.precision(InfluxPrecision::Microseconds);
    assert_eq!(rejected(&sent(v1)), (3, 1));
    let request = server.request();
    let line = "POST /below/write?db=a%20b%26c%3D%C3%A9&precision=u&rp=a%20week HTTP/1.1";
    assert_eq!(request.line, line);
    assert_eq!(request.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(request.header("authorization"), Some("Basic YW5uOnBhc3M="));
    assert_eq!(names(&request), ["load", "paid", "paid"]);
    let v2 = Influx::v2(endpoint(), "our org", "shop").token(Secret::new("s3cret=="));
    assert_eq!(format!("{v2:?}").matches("s3cret").count(), 0);
    assert_eq!(rejected(&sent(v2.precision(InfluxPrecision::Seconds))), (3, 1));
    let request = server.request();
    let line = "POST /below/api/v2/write?org=our%20org&bucket=shop&precision=s HTTP/1.1";
    assert_eq!(request.line, line);
    assert_eq!(request.header("authorization"), Some("Token s3cret=="));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it is what the test itself sent")]
fn bodies_are_compressed_unless_the_endpoint_says_otherwise() {
    use std::io::Read as _;
    let server = Receiver::of_status(204);
    sent(Influx::v1(server.endpoint(""), "shop"));
    let request = server.request();
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*request.body).read_to_string(&mut text).unwrap();
    assert_eq!(read(&text).unwrap().len(), 3);
}

#[test]
fn spans_and_logs_have_nanoseconds_whatever_the_precision_of_metrics_is() {
    let server = Receiver::of_status(204);
    let influx = Influx::v2(plain(server.endpoint("")), "o", "b");
    let influx = influx.precision(InfluxPrecision::Seconds);
    let pipe = Pipe::start(Route::<SpanRecord>::from(influx), &Setup::default()).unwrap();
    pipe.push(vec![SpanRecord::new("x")]);
    assert_eq!(pipe.shutdown(LONG).delivered, 1);
    let request = server.request();
    assert!(request.line.contains("&precision=ns "), "{}", request.line);
    assert_eq!(names(&request), ["spans"]);
}

#[test]
fn as_a_backend_it_takes_all_signals_but_those_that_it_is_to_leave_out() {
    let signals = |influx: Influx| {
        let mut routes = Routes::default();
        influx.routes(&mut routes);
        let (metrics, spans) =
            (routes.take::<DataPoint>().len(), routes.take::<SpanRecord>().len());
        [metrics, spans, routes.take::<LogRecord>().len()]
    };
    assert_eq!(signals(influx()), [1, 1, 1]);
    assert_eq!(signals(influx().without_metrics()), [0, 1, 1]);
    assert_eq!(signals(influx().without_spans()), [1, 0, 1]);
    assert_eq!(signals(influx().without_logs()), [1, 1, 0]);
}

#[test]
fn a_busy_server_gets_the_same_lines_again_and_an_outage_loses_none() {
    for status in [429, 500, 502, 503, 504] {
        let again = answer(status, "retry-after: 0\r\n", "");
        let server = Receiver::answering([again, String::new(), answer(204, "", "")]);
        let report = sent(Influx::v1(plain(server.endpoint("")), "shop"));
        assert_eq!((rejected(&report), report.retries), ((3, 1), 2), "{status}");
        let bodies: Vec<_> = server.rest().into_iter().map(|request| request.body).collect();
        assert!(bodies.len() == 3 && bodies.iter().all(|body| *body == bodies[0]), "{status}");
    }
}

#[test]
fn one_bad_line_is_sent_once_and_the_others_arrive() {
    // It has to name the line as it came, time included: so the server is asked first.
    let server = Receiver::of_status(204);
    let setup = Setup::new(Resource::service("shop"));
    let influx = Influx::v1(plain(server.endpoint("")), "shop");
    let pipe = Pipe::start(quick(influx), &setup).unwrap();
    let points = points();
    pipe.push(points.clone());
    assert!(pipe.flush(LONG));
    let lines = String::from_utf8(server.request().body).unwrap();
    let bad = lines.lines().find(|line| line.contains("cash")).unwrap();
    let body = format!("{{\"code\":\"invalid\",\"message\":\"unable to parse '{bad}': bad\"}}");
    let answers = [answer(400, "", &body), answer(204, "", "")];
    server.answer(answers.map(|text| Some(text.into_bytes())));
    pipe.push(points);
    let report = pipe.shutdown(LONG);
    assert_eq!(rejected(&report), (3 + 2, 1 + 2), "{report}");
    assert_eq!(names(&server.request()), ["load", "paid", "paid"]);
    assert_eq!(names(&server.request()), ["load", "paid"]);
    assert!(server.rest().is_empty());
}

#[test]
fn what_is_too_large_is_sent_in_halves() {
    let server = Receiver::answering([answer(413, "", ""), answer(204, "", "")]);
    assert_eq!(rejected(&sent(Influx::v1(plain(server.endpoint("")), "shop"))), (3, 1));
    let requests = server.rest();
    let names: Vec<_> = requests.iter().map(names).collect();
    assert_eq!(names, [vec!["load", "paid", "paid"], vec!["load"], vec!["paid", "paid"]]);
}

#[test]
fn records_without_a_line_alone_are_not_sent_at_all() {
    let server = Receiver::of_status(204);
    let influx = Influx::v1(server.endpoint(""), "shop");
    let pipe = Pipe::start(quick(influx), &Setup::default()).unwrap();
    pipe.push(points().split_off(1)[..1].to_vec());
    assert_eq!(rejected(&pipe.shutdown(LONG)), (0, 1));
    assert!(server.rest().is_empty());
}

#[test]
fn over_udp_lines_are_packed_and_one_that_no_datagram_takes_is_refused_alone() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(LONG)).unwrap();
    let place = receiver.local_addr().unwrap().to_string();
    let report = sent(Influx::udp(&place).max_datagram(140));
    assert_eq!(rejected(&report), (3, 1), "{report}");
    let mut room = [0; 2_000];
    let mut all = Vec::new();
    let mut n_datagrams = 0;
    while all.len() < 3 {
        let length = receiver.recv(&mut room).unwrap();
        assert!(length <= 140);
        n_datagrams += 1;
        all.extend(read(str::from_utf8(&room[..length]).unwrap()).unwrap());
    }
    assert_eq!((n_datagrams, &*all[1].name, all[1].tag("how")), (2, "paid", Some("by card")));
    // `load` alone fits.
    let report = sent(Influx::udp(&place).max_datagram(55));
    assert_eq!(rejected(&report), (1, 3), "{report}");
    assert_eq!(report.last_error.as_deref(), Some("a line is longer than a datagram may be"));
}
