//! The small service does what its twelve lines promise.
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
};

/// Its lines that are there for telemetry.
fn lines() -> usize {
    let numbered =
        |line: &&str| line.rsplit_once("// ").is_some_and(|(_, end)| end.parse::<u32>().is_ok());
    include_str!("../src/bin/observed.rs").lines().filter(numbered).count()
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n{trace}\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_service_has_spans_red_propagation_logs_with_ids_and_an_alert_in_twelve_lines() {
    assert_eq!(lines(), 12);
    let folder = std::env::temp_dir().join(format!("bellwether-twelve-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_observed"))
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    assert!(get(address.trim(), "/orders/7").contains("order 7"));
    assert!(get(address.trim(), "/orders/13").starts_with("HTTP/1.1 500"));

    // The alert comes by itself, a second after the fact.
    let mut alerts = BufReader::new(child.stderr.take().unwrap()).lines();
    let alert = alerts.by_ref().map(Result::unwrap).find(|line| line.contains("Failing"));
    let alert = alert.unwrap();
    assert!(alert.contains("FIRING"), "{alert}");
    let is_complete = |records: &[serde_json::Value]| {
        records.iter().filter(|of| of["signal"] == "spans").count() == 2
            && records.iter().filter(|of| of["signal"] == "logs").count() == 2
            && records.iter().any(|of| of["name"] == "http.server.request.duration")
    };
    let records = loop {
        let text = fs::read_to_string(folder.join("orders.jsonl")).unwrap();
        let whole = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        let records: Vec<serde_json::Value> = whole.collect();
        if is_complete(&records) {
            break records;
        }
        std::thread::yield_now();
    };
    child.kill().unwrap();
    child.wait().unwrap();
    let of = |signal: &'static str| records.iter().filter(move |record| record["signal"] == signal);
    for (span, log) in of("spans").zip(of("logs")) {
        assert_eq!(span["name"], "GET /orders/{id}");
        assert_eq!(span["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(span["parent_span_id"], "b7ad6b7169203331");
        assert_eq!((&log["trace_id"], &log["span_id"]), (&span["trace_id"], &span["span_id"]));
    }
    let served: u64 = of("metrics")
        .filter(|of| of["name"] == "http.server.request.duration")
        .map(|of| of["count"].as_u64().unwrap())
        .sum();
    assert_eq!(served, 2);
    fs::remove_dir_all(&folder).unwrap();
}
