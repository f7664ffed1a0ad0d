//! What a server says, and what becomes of the points: by a server of the test, and by a real one where
//! `BELLWETHER_INFLUX` has its URL.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use bellwether::{
    metric::{DataPoint, Registry, Temporality},
    pipeline::{DropReason, Pipe, QueueReport, Route, Setup},
    resource::Resource,
    transport::{Compression, Endpoint},
};
use bellwether_backend_influx_sketch::Influx;

const PATIENCE: Duration = Duration::from_secs(20);

struct Request {
    target: String,
    body: String,
}

/// A server that says `answers` in turn, each a status line's rest, headers and body, and then 204.
fn server(
    answers: &'static [(&'static str, &'static str, &'static str)],
) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        let mut answers = answers.iter();
        for stream in listener.incoming().map_while(Result::ok) {
            let Some(request) = read(&stream) else { continue };
            let (status, headers, body) = answers.next().copied().unwrap_or(("204 No", "", ""));
            let length = body.len();
            let _ = write!(
                &stream,
                "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let _ = sender.send(request);
        }
    });
    (url, requests)
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut target, mut length) = (String::new(), String::new(), 0);
    while reader.read_line(&mut line).ok()? > 0 && line != "\r\n" {
        if let Some(rest) = line.strip_prefix("POST ") {
            target = rest.split(' ').next()?.to_owned();
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        line.clear();
    }
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body).ok()?;
    Some(Request { target, body })
}

/// Four points, of which no line can express the last.
fn points() -> Vec<DataPoint> {
    let registry = Registry::new();
    let paid = registry.counter("paid", "").keys(&["how"]).build().unwrap();
    paid.with_labels(&[("how", "by card")]).add(3);
    paid.with_labels(&[("how", "cash")]).add(2);
    registry.gauge("load", "").build().unwrap().set(0.25);
    registry.gauge("odd", "").build().unwrap().set(f64::NAN);
    registry.snapshot().data_points(Temporality::Cumulative)
}

/// What becomes of the points at `url`.
fn delivered(url: &str, points: Vec<DataPoint>) -> QueueReport {
    let endpoint = Endpoint::new(url).allow_plain_http().allow_private();
    let influx = Influx::new(endpoint.compression(Compression::None), "shop");
    let route = Route::from(influx).settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry.initial = Duration::from_millis(1);
        settings.retry.max = Duration::from_millis(1);
    });
    let pipe = Pipe::start(route, &Setup::new(Resource::service("shop"))).unwrap();
    pipe.push(points);
    assert!(pipe.flush(PATIENCE));
    let report = pipe.shutdown(PATIENCE);
    let dropped: u64 = report.dropped.total();
    assert_eq!(report.offered, report.delivered + report.held + dropped, "{report:?}");
    report
}

#[test]
fn each_point_is_a_line_and_one_that_cannot_be_counts_as_rejected() {
    let (url, requests) = server(&[]);
    let report = delivered(&url, points());
    assert_eq!((report.delivered, report.dropped.get(DropReason::Rejected)), (3, 1));
    let request = requests.recv().unwrap();
    assert_eq!(request.target, "/write?db=shop&precision=ns");
    let mut lines: Vec<_> =
        request.body.lines().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "load,service.name=shop value=0.25",
            r"paid,service.name=shop,how=by\ card value=3i",
            "paid,service.name=shop,how=cash value=2i",
        ]
    );
}

#[test]
fn of_a_partial_write_the_dropped_points_count_as_rejected_and_none_is_sent_again() {
    let said = r#"{"error":"partial write: field type conflict: input field \"value\" on measurement \"paid\" is type integer, already exists as type float dropped=2"}"#;
    let (url, requests) = server(Box::leak(Box::new([("400 Bad", "", said)])));
    let report = delivered(&url, points());
    assert_eq!((report.delivered, report.dropped.get(DropReason::Rejected)), (1, 3));
    assert!(report.last_error.unwrap().contains("field type conflict"));
    assert!(requests.recv().is_ok() && requests.try_recv().is_err());
}

#[test]
fn what_is_wrong_as_a_whole_is_rejected_as_a_whole() {
    for status in ["400 Bad", "401 Who", "404 None"] {
        let (url, requests) = server(Box::leak(Box::new([(status, "", "unable to parse")])));
        let report = delivered(&url, points());
        assert_eq!(report.dropped.get(DropReason::Rejected), 4, "{status}");
        assert!(requests.recv().is_ok() && requests.try_recv().is_err());
    }
}

#[test]
fn a_busy_server_gets_the_same_lines_again() {
    for status in ["429 Slow", "503 Busy", "500 timeout"] {
        let answers = [(status, "retry-after: 0\r\n", "")];
        let (url, requests) = server(Box::leak(Box::new(answers)));
        let report = delivered(&url, points());
        assert_eq!((report.delivered, report.retries), (3, 1), "{status}");
        assert_eq!(requests.recv().unwrap().body, requests.recv().unwrap().body);
    }
}

#[test]
fn what_is_too_large_is_sent_in_halves() {
    let (url, requests) = server(&[("413 Large", "", "")]);
    let report = delivered(&url, points());
    assert_eq!((report.delivered, report.dropped.get(DropReason::Rejected)), (3, 1));
    let bodies: Vec<String> = requests.iter().take(3).map(|request| request.body).collect();
    assert_eq!(bodies[0], format!("{}{}", bodies[1], bodies[2]));
}

/// Asks the real server, and returns what it says.
fn query(address: &str, target: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {target} HTTP/1.0\r\nhost: {address}\r\n\r\n").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    said
}

#[test]
fn a_real_server_has_what_was_sent_and_says_what_it_dropped() {
    let Ok(url) = std::env::var("BELLWETHER_INFLUX") else {
        println!("SKIPPED: a real InfluxDB: BELLWETHER_INFLUX is unset");
        return;
    };
    let address = url.strip_prefix("http://").unwrap();
    query(address, "/query?q=CREATE+DATABASE+shop");
    // The measurement has another type already: of the points, those of `paid` are dropped.
    let typed = Registry::new();
    typed.gauge("paid", "").build().unwrap().set(0.5);
    let report = delivered(&url, typed.snapshot().data_points(Temporality::Cumulative));
    assert_eq!(report.delivered, 1);
    let report = delivered(&url, points());
    assert_eq!((report.delivered, report.dropped.get(DropReason::Rejected)), (1, 3));
    assert!(report.last_error.unwrap().contains("field type conflict"));
    let said = query(address, "/query?db=shop&q=SELECT+*+FROM+load");
    assert!(
        said.contains(r#""service.name","value"]"#) && said.contains(r#""shop",0.25]"#),
        "{said}"
    );
    let said = query(address, "/query?db=shop&q=SELECT+count(value)+FROM+paid");
    assert!(said.contains(",1]]"), "{said}");
}
