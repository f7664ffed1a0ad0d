//! What a webhook sends, received by a real HTTP server, and what it refuses to do.

#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use bellwether::{
    alert::{Alert, Notification, notify::Webhook},
    clock,
    pipeline::{Batch, Deadline, DropReason, Encoder as _, Pipe, SendResult, Sender as _, Setup},
    transport::Endpoint,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

/// A request as the server read it.
#[derive(Debug)]
struct Request {
    line: String,
    headers: Vec<(String, String)>, // Names in lower case.
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// An HTTP/1.1 server that gives each request the next of its answers, and then the last for ever.
struct Server {
    address: SocketAddr,
    requests: Receiver<Request>,
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
                while let Some(request) = read_request(&mut stream) {
                    let answer = answers.next().unwrap_or_else(|| last.clone());
                    let _ = sender.send(request);
                    let _ = stream.get_mut().write_all(answer.as_bytes());
                    if answer.contains("connection: close") {
                        break;
                    }
                }
            }
        });
        Self { address, requests }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::new(&self.url("/hook")).allow_plain_http().allow_private()
    }

    fn webhook(&self) -> Webhook {
        Webhook::new(self.endpoint())
    }

    fn next(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }
}

fn status(code: u16, headers: &str) -> String {
    format!("HTTP/1.1 {code} Something\r\ncontent-length: 0\r\nconnection: close\r\n{headers}\r\n")
}

fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    if stream.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { line: line.trim_end().to_owned(), headers, body: Vec::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body.resize(length, 0);
    stream.read_exact(&mut request.body).ok()?;
    Some(request)
}

fn demo(shard: &str, summary: &str) -> Alert {
    Alert::firing(
        "DemoHigh",
        &[
            ("cluster", "c1"),
            ("instance", "127.0.0.1:18081"),
            ("job", "demo"),
            ("severity", "critical"),
            ("shard", shard),
        ],
        &[("runbook_url", "https://example.test/rb"), ("summary", summary)],
    )
}

fn both() -> Vec<Alert> {
    vec![demo("a", "demo a is 10"), demo("b", "demo b is 11")]
}

fn export(webhook: &mut Webhook, notifications: Vec<Notification>) -> SendResult {
    let payload = webhook.encode(&Batch::from(notifications));
    webhook.send(&payload, &Deadline::after(PATIENCE))
}

fn one() -> Vec<Notification> {
    vec![Notification::new(vec![demo("a", "x")])]
}

/// The captured body of Alertmanager 0.33 (`conformance/alerting/captured-live/cap.jsonl`, third
/// line), but for the dates, the generator's URL, the grouping, which was by `cluster` too, and
/// `notification_reason`, which is no part of version 4.
fn captured() -> Value {
    let alert = |shard: &str, summary: &str, fingerprint: &str| {
        json!({
            "status": "firing",
            "labels": {
                "alertname": "DemoHigh", "cluster": "c1", "instance": "127.0.0.1:18081",
                "job": "demo", "severity": "critical", "shard": shard,
            },
            "annotations": {"runbook_url": "https://example.test/rb", "summary": summary},
            "startsAt": "a date",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "",
            "fingerprint": fingerprint,
        })
    };
    json!({
        "receiver": "all",
        "status": "firing",
        "alerts": [
            alert("a", "demo a is 10", "e18cf1dfb56884b0"),
            alert("b", "demo b is 11", "e190f1dfb56c6d87"),
        ],
        "groupLabels": {"alertname": "DemoHigh"},
        "commonLabels": {
            "alertname": "DemoHigh", "cluster": "c1", "instance": "127.0.0.1:18081",
            "job": "demo", "severity": "critical",
        },
        "commonAnnotations": {"runbook_url": "https://example.test/rb"},
        "externalURL": "http://vm:19093",
        "version": "4",
        "groupKey": "{}:{alertname=\"DemoHigh\"}",
        "truncatedAlerts": 0,
    })
}

/// Replaces the dates at `key`, which are checked for their form.
fn without_dates(mut body: Value, key: &str) -> Value {
    for alert in body["alerts"].as_array_mut().unwrap() {
        let date = alert[key].as_str().unwrap();
        let (day, time) = date.split_once('T').unwrap();
        assert!(day.len() == 10 && day.starts_with("20"), "{date}");
        assert!(time.ends_with('Z') && time.len() >= 9, "{date}");
        alert[key] = json!("a date");
    }
    body
}

#[test]
fn a_firing_alert_arrives_as_alertmanager_would_send_it() {
    let server = Server::answering(vec![status(200, "")]);
    let mut webhook = Webhook::new(server.endpoint().header("authorization", "Bearer 1234"))
        .receiver("all")
        .external_url("http://vm:19093");
    export(&mut webhook, vec![Notification::new(both())]).unwrap();

    let request = server.next();
    assert_eq!(request.line, "POST /hook HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("authorization"), Some("Bearer 1234"));
    assert!(request.header("user-agent").unwrap().starts_with("bellwether/"));
    assert_eq!(without_dates(request.json(), "startsAt"), captured());
}

#[test]
fn a_resolved_alert_tells_when() {
    let server = Server::answering(vec![status(202, "")]);
    let resolved = both().into_iter().map(Alert::resolved).collect();
    export(&mut server.webhook(), vec![Notification::new(resolved)]).unwrap();
    let body = without_dates(server.next().json(), "endsAt");
    assert_eq!(body["status"], "resolved");
    assert_eq!(body["alerts"][0]["status"], "resolved");
}

#[test]
fn a_group_with_one_alert_that_still_fires_is_firing() {
    let server = Server::answering(vec![status(200, "")]);
    let alerts = vec![demo("a", "x").resolved(), demo("b", "x")];
    export(&mut server.webhook(), vec![Notification::new(alerts)]).unwrap();
    let body = server.next().json();
    assert_eq!(body["status"], "firing");
    assert_eq!(body["alerts"][0]["status"], "resolved");
    assert_eq!(body["alerts"][1]["status"], "firing");
}

#[test]
fn hostile_texts_arrive_as_they_were() {
    let hostile = "\"},\u{0}\n\r\t\\ \u{2028} é 💥 </script>";
    let server = Server::answering(vec![status(200, "")]);
    let alert = Alert::firing("Odd \"name\"\n", &[("path", hostile)], &[("summary", hostile)]);
    export(&mut server.webhook(), vec![Notification::new(vec![alert])]).unwrap();
    let body = server.next().json();
    assert_eq!(body["alerts"][0]["labels"]["path"], hostile);
    assert_eq!(body["alerts"][0]["annotations"]["summary"], hostile);
    assert_eq!(body["groupKey"], r#"{}:{alertname="Odd \"name\"\n"}"#);
}

#[test]
fn each_status_is_a_delivery_another_try_or_a_refusal() {
    for code in [200, 201, 202, 204, 299] {
        let server = Server::answering(vec![status(code, "")]);
        assert!(export(&mut server.webhook(), one()).is_ok(), "{code}");
    }
    for code in [429, 500, 502, 503, 504, 599] {
        let server = Server::answering(vec![status(code, "")]);
        let error = export(&mut server.webhook(), one()).unwrap_err();
        assert!(error.is_retry(), "{code}: {error:?}");
        assert!(error.to_string().contains(&code.to_string()), "{error}");
    }
    for code in [300, 304, 400, 401, 403, 404, 410, 413, 422] {
        let server = Server::answering(vec![status(code, "")]);
        let error = export(&mut server.webhook(), one()).unwrap_err();
        assert_eq!((error.is_retry(), error.n_rejected()), (false, 1), "{code}: {error:?}");
        assert!(error.to_string().contains(&code.to_string()), "{error}");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    for code in [301, 302, 303, 307, 308] {
        let target = Server::answering(vec![status(200, "")]);
        let location = format!("location: {}\r\n", target.url("/latest/meta-data/"));
        let server = Server::answering(vec![status(code, &location)]);
        let error = export(&mut server.webhook(), one()).unwrap_err();
        assert_eq!((error.is_retry(), error.n_rejected()), (false, 1), "{code}: {error:?}");
        server.next();
        assert!(target.requests.try_recv().is_err(), "{code} was followed");
    }
}

#[test]
fn an_unavailable_receiver_gets_the_alert_once_it_is_back() {
    let server = Server::answering(vec![status(503, "retry-after: 0\r\n"), status(200, "")]);
    let pipe = Pipe::start(server.webhook().into(), &Setup::default()).unwrap();
    pipe.push(one());
    assert!(pipe.flush(PATIENCE));
    let report = pipe.shutdown(PATIENCE);
    assert_eq!((report.offered, report.delivered, report.retries), (1, 1, 1));
    assert_eq!(server.next().body, server.next().body);
    assert!(server.requests.try_recv().is_err());
}

#[test]
fn a_receiver_that_asks_for_time_gets_it() {
    let server = Server::answering(vec![status(429, "retry-after: 1\r\n"), status(200, "")]);
    let pipe = Pipe::start(server.webhook().into(), &Setup::default()).unwrap();
    pipe.push(one());
    server.next();
    let asked = clock::now();
    server.next();
    let waited = clock::now().since(asked);
    assert!(waited >= Duration::from_millis(900), "{waited:?}");
}

#[test]
fn what_is_refused_holds_back_nothing_and_is_counted() {
    let busy = status(503, "retry-after: 0\r\n");
    let server = Server::answering(vec![status(200, ""), status(400, ""), busy, status(200, "")]);
    let pipe = Pipe::start(server.webhook().into(), &Setup::default()).unwrap();
    let named = |name: &str| Notification::new(vec![Alert::firing(name, &[], &[])]);
    pipe.push(vec![named("A"), named("B"), named("C"), named("D")]);
    assert!(pipe.flush(PATIENCE));
    let report = pipe.shutdown(PATIENCE);
    assert_eq!((report.offered, report.delivered), (4, 3));
    assert_eq!(report.dropped.get(DropReason::Rejected), 1);
    let names: Vec<_> =
        (0..5).map(|_| server.next().json()["groupLabels"]["alertname"].clone()).collect();
    assert_eq!(names, ["A", "B", "C", "C", "D"]);
}

#[test]
fn a_receiver_that_never_answers_costs_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let endpoint = Endpoint::new(&url).allow_plain_http().allow_private();
    let mut webhook = Webhook::new(endpoint.timeout(Duration::from_millis(300)));
    let start = clock::now();
    let error = export(&mut webhook, one()).unwrap_err();
    let took = clock::now().since(start);
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(error.is_retry(), "{error:?}");
    assert!(error.to_string().contains("timed out"), "{error}");
}

#[test]
fn an_answer_without_an_end_is_not_waited_for() {
    let endless = "HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\nx".to_owned();
    let server = Server::answering(vec![endless]);
    let start = clock::now();
    export(&mut server.webhook(), one()).unwrap();
    let took = clock::now().since(start);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn that_nothing_listens_is_a_reason_to_try_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let mut webhook = Webhook::new(Endpoint::new(&url).allow_plain_http().allow_private());
    let error = export(&mut webhook, one()).unwrap_err();
    assert!(error.is_retry(), "{error:?}");
}

#[test]
fn a_server_on_the_own_machine_hears_nothing_unless_it_is_allowed() {
    let server = Server::answering(vec![status(200, "")]);
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "0"] {
        let url = format!("http://{host}:{port}/hook");
        let error =
            export(&mut Webhook::new(Endpoint::new(&url).allow_plain_http()), one()).unwrap_err();
        assert_eq!((error.is_retry(), error.n_rejected()), (false, 1), "{host}: {error:?}");
        assert!(error.to_string().contains("no public address"), "{host}: {error}");
    }
    let error = export(&mut Webhook::new(Endpoint::new(&server.url("/")).allow_private()), one())
        .unwrap_err();
    assert!(error.to_string().contains("plain http"), "{error}");
    assert!(server.requests.try_recv().is_err());
}
