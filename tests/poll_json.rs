//! A JSON document is polled from a real HTTP server that answers well, badly, late and not at all.

#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use bellwether::{
    Unit, clock,
    collect::{JsonPoll, Registered, Source, poll::JsonField},
    metric::{Registry, Snapshot},
    transport::Endpoint,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// An HTTP/1.1 server that gives each request the next of its answers, and then the last for ever.
struct Server {
    address: SocketAddr,
    /// The head of each request, in lower case.
    requests: Receiver<String>,
}

impl Server {
    fn answering(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::channel();
        thread::spawn(move || {
            let last = answers.last().cloned().unwrap();
            let mut answers = answers.into_iter();
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let _ = sender.send(head(&mut stream));
                let answer = answers.next().unwrap_or_else(|| last.clone());
                let _ = stream.get_mut().write_all(answer.as_bytes());
            }
        });
        Self { address, requests }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::new(&format!("http://{}/stats?key=canary", self.address))
            .allow_plain_http()
            .allow_private()
            .timeout(Duration::from_secs(5))
    }

    fn poll(&self) -> JsonPoll {
        polled(self.endpoint())
    }

    fn next(&self) -> String {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }
}

fn polled(endpoint: Endpoint) -> JsonPoll {
    JsonPoll::new("upstream", endpoint)
        .limit(4096)
        .field(JsonField::gauge("/level", "upstream.level").unit(Unit::Bytes))
}

fn head(stream: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while stream.read_line(&mut head).is_ok_and(|length| length > 2) {}
    head.to_ascii_lowercase()
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn good(body: &str) -> String {
    answer("200 OK", body)
}

/// Read by [`Registered::refresh`] alone.
fn registered(poll: JsonPoll, registry: &Registry) -> Registered {
    let source = Source::new("upstream", poll).cached_for(Duration::from_secs(3600));
    source.register(registry).unwrap()
}

fn level(snapshot: &Snapshot) -> Option<f64> {
    snapshot.value("upstream.level", &[]).map(|value| value.as_f64())
}

fn failures(snapshot: &Snapshot, reason: &str) -> f64 {
    let labels = [("source", "upstream"), ("reason", reason)];
    snapshot.value("telemetry.source.failures", &labels).map_or(0.0, |value| value.as_f64())
}

fn count(snapshot: &Snapshot, name: &str) -> f64 {
    snapshot.value(name, &[("source", "upstream")]).map_or(0.0, |value| value.as_f64())
}

#[test]
fn a_document_is_asked_for_and_its_field_is_a_series() {
    let server = Server::answering(vec![good(r#"{"level": 42}"#)]);
    let registry = Registry::new();
    let poll = polled(server.endpoint().header("authorization", "Bearer 1234"));
    registered(poll, &registry).keep();
    assert_eq!(level(&registry.snapshot()), Some(42.0));
    let request = server.next();
    assert!(request.starts_with("get /stats?key=canary http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\naccept: application/json\r\n"), "{request}");
    assert!(request.contains("\r\nauthorization: bearer 1234\r\n"), "{request}");
    assert!(server.requests.try_recv().is_err(), "one reading is one request");
}

#[test]
fn each_bad_answer_is_counted_by_its_reason_and_the_last_good_value_stands() {
    let huge = format!(r#"{{"level": 2, "x": "{}"}}"#, "x".repeat(5000));
    let deep = "[".repeat(4000);
    for (bad, reason) in [
        (answer("500 Broken", r#"{"level": 2}"#), "status"),
        (answer("404 Not Found", r#"{"level": 2}"#), "status"),
        ("HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n".to_owned(), "status"),
        (good("<html>"), "parse"),
        (good(""), "parse"),
        (good(r#"{"level": 2"#), "parse"),
        (good("{\"level\": 2}\u{0}"), "parse"),
        (good(&deep), "parse"),
        (good(&huge), "too_large"),
        (good("{}"), "missing"),
        (good("[]"), "missing"),
        (good(r#"{"level": {}}"#), "not_a_number"),
        ("not http\r\n\r\n".to_owned(), "connection"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned(), "connection"),
    ] {
        let server = Server::answering(vec![good(r#"{"level": 1}"#), bad.clone()]);
        let registry = Registry::new();
        let upstream = registered(server.poll(), &registry);
        upstream.refresh();
        upstream.refresh();
        let snapshot = registry.snapshot();
        assert_eq!(failures(&snapshot, reason), 1.0, "{reason}: {bad:.100}");
        assert_eq!(level(&snapshot), Some(1.0), "{bad:.100}");
        assert_eq!(count(&snapshot, "telemetry.source.readings"), 2.0);
    }
}

#[test]
fn a_server_that_never_answers_or_never_ends_costs_the_time_out() {
    let drip = "HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n{".to_owned();
    let silent = String::new();
    for answer in [silent, drip] {
        // It keeps the connection open.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            head(&mut stream);
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            stream.read_line(&mut String::new()) // Until the client gives up.
        });
        let registry = Registry::new();
        let endpoint = Endpoint::new(&format!("http://{address}/")).allow_plain_http();
        let endpoint = endpoint.allow_private().timeout(Duration::from_millis(300));
        let upstream = registered(JsonPoll::new("upstream", endpoint), &registry);
        let start = clock::now();
        upstream.refresh();
        let took = clock::now().since(start);
        assert!(took < Duration::from_secs(3), "{took:?}");
        assert_eq!(failures(&registry.snapshot(), "timeout"), 1.0);
        drop(upstream);
        let _ = server.join().unwrap();
    }
}

#[test]
fn that_nothing_listens_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let registry = Registry::new();
    let endpoint = Endpoint::new(&url).allow_plain_http().allow_private();
    let poll = JsonPoll::new("upstream", endpoint);
    registered(poll, &registry).refresh();
    assert_eq!(failures(&registry.snapshot(), "connection"), 1.0);
}

#[test]
fn a_server_on_the_own_machine_hears_nothing_unless_it_is_allowed() {
    let server = Server::answering(vec![good("{}")]);
    let port = server.address.port();
    let registry = Registry::new();
    let endpoint = Endpoint::new(&format!("http://localhost:{port}/")).allow_plain_http();
    registered(JsonPoll::new("upstream", endpoint), &registry).refresh();
    assert_eq!(failures(&registry.snapshot(), "forbidden"), 1.0);
    assert!(server.requests.try_recv().is_err());
}

#[test]
fn a_repeated_time_stamp_is_dropped_and_counted() {
    let stamped = |stamp: u64, level: u64| good(&format!(r#"{{"at": {stamp}, "level": {level}}}"#));
    let server = Server::answering(vec![stamped(7, 1), stamped(7, 2), stamped(8, 3), good("{}")]);
    let registry = Registry::new();
    let upstream = registered(server.poll().stamp("/at"), &registry);
    for (expected, duplicates) in [(1.0, 0.0), (1.0, 1.0), (3.0, 1.0), (3.0, 1.0)] {
        upstream.refresh();
        let snapshot = registry.snapshot();
        assert_eq!(level(&snapshot), Some(expected));
        assert_eq!(count(&snapshot, "telemetry.source.duplicates"), duplicates);
    }
    assert_eq!(
        failures(&registry.snapshot(), "missing"),
        1.0,
        "no time stamp where one was promised"
    );
}

#[test]
fn a_poll_asks_at_its_interval_on_a_thread_of_its_own() {
    let answers = vec![good(r#"{"level": 1}"#), answer("503 Busy", ""), good(r#"{"level": 2}"#)];
    let server = Server::answering(answers);
    let registry = Registry::new();
    let poll = server.poll().every(Duration::from_millis(5));
    let upstream = Source::from(poll).register(&registry).unwrap();
    // Who asks for the next has read the one before.
    (0..2).for_each(|_| drop(server.next()));
    assert!(level(&registry.snapshot()).is_some_and(|level| level >= 1.0));
    (0..2).for_each(|_| drop(server.next()));
    let snapshot = registry.snapshot();
    assert_eq!((level(&snapshot), failures(&snapshot, "status")), (Some(2.0), 1.0));
    drop(upstream);
    assert!(registry.snapshot().family("upstream.level").is_none());
    // The server hears no more once the request that is under way is done.
    while server.requests.recv_timeout(Duration::from_millis(500)).is_ok() {}
}
