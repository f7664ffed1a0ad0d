//! The service under load: every request counted, every caller's trace continued, and a report at the
//! end that equals the file.
//!
//! `BELLWETHER_SHOP_REQUESTS` sets how many requests there are; 5,000 by default.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![cfg(unix)] // The service is ended by SIGTERM.

mod http;

use std::{
    collections::{BTreeMap, HashMap},
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
};

use serde_json::Value;

const CONNECTIONS: u64 = 4;
/// What `#[observe]` names the work inside of each route.
const WORK: [(&str, &str); 5] = [
    ("/catalog", "catalog.list_products"),
    ("/checkout", "checkout.place_order"),
    ("/fail", "payment.charge_card"),
    ("/inventory", "inventory.count"),
    ("/slow", "report.answer_slowly"),
];

#[test]
fn every_request_is_counted_and_every_callers_trace_continued() {
    let spans_path = scratch_file("spans.jsonl");
    let mut shop = Shop::start(&spans_path);
    let requests = std::env::var("BELLWETHER_SHOP_REQUESTS").map_or(5_000, |n| n.parse().unwrap());
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|client| {
            let address = shop.address.clone();
            thread::spawn(move || send(&address, client, requests / CONNECTIONS))
        })
        .collect();
    let sent: Vec<Sent> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    assert_eq!(shop.counts(), expected_counts(&sent));

    let report = shop.terminate();
    let spans = read_spans(&spans_path);
    let _ = std::fs::remove_file(&spans_path);
    let last = report.lines().last().unwrap();
    let n = spans.len();
    assert_eq!(last, format!("offered={n} delivered={n} held=0 spooled=0 dropped=0"));
    check_spans(&sent, &spans);
}

#[test]
fn what_cannot_be_set_up_is_one_clear_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    for (arguments, names) in [
        (vec!["--listen", &taken], taken.as_str()),
        (vec!["--listen", free, "--telemetry", &taken], &taken),
        (vec!["--listen", free, "--telemetry", "no address"], "no address"),
        (vec!["--listen", "no address"], "no address"),
        (vec!["--listen", free, "--spans", "/no/such/folder/spans"], "/no/such/folder/spans"),
        (vec!["--listen"], "--listen"),
        (vec!["--lisp"], "--lisp"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_shop")).args(&arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
        assert!(stderr.contains(names) && !stderr.contains("panic"), "{arguments:?}: {stderr}");
    }
}

/// One request that was answered.
struct Sent {
    path: &'static str,
    status: u16,
    /// The trace and span ids that were sent, where they were valid.
    parent: Option<(String, String)>,
}

impl Sent {
    fn route(&self) -> &'static str {
        self.path.split('?').next().unwrap()
    }
}

/// The trace id in every header that is not valid.
const GARBAGE_TRACE: &str = "dddddddddddddddddddddddddddddddd";

fn send(address: &str, client: u64, requests: u64) -> Vec<Sent> {
    let mut connection = http::Connection::open(address);
    (0..requests)
        .map(|number| {
            let path = match number % 10 {
                0..=2 => "/checkout",
                3 => "/fail",
                4 => "/slow?ms=1",
                _ => "/catalog",
            };
            let (trace, span) = (
                format!("{:032x}", u128::from(client) << 64 | u128::from(number + 1)),
                format!("{:016x}", number + 1),
            );
            let (header, parent) = match number % 7 {
                0 => (None, None),
                1 => (Some(format!("00-{GARBAGE_TRACE}-{span}-0g")), None),
                2 => (Some(format!("00-{GARBAGE_TRACE}-{span}")), None),
                _ => (Some(format!("00-{trace}-{span}-01")), Some((trace, span))),
            };
            let status = connection.get(path, header.as_deref()).0;
            Sent { path, status, parent }
        })
        .collect()
}

/// Requests by route and status: each sent one, and an inner one for each checkout.
fn expected_counts(sent: &[Sent]) -> BTreeMap<(String, String), u64> {
    let mut counts = BTreeMap::new();
    for request in sent {
        let (route, status) = (request.route().to_owned(), request.status);
        if route == "/checkout" {
            *counts.entry(("/inventory".to_owned(), "200".to_owned())).or_default() += 1;
        }
        *counts.entry((route, status.to_string())).or_default() += 1;
    }
    counts
}

fn check_spans(sent: &[Sent], spans: &[Value]) {
    let mut traces: HashMap<&str, Vec<&Value>> = HashMap::new();
    for span in spans {
        assert!(
            span["duration_nanos"].as_u64().is_some()
                && span["start_unix_nanos"].as_u64().is_some()
        );
        traces.entry(text(span, "trace_id")).or_default().push(span);
    }
    assert!(!traces.contains_key(GARBAGE_TRACE), "a header that is not valid starts a new trace");
    assert_eq!(traces.len(), sent.len(), "each request without a valid header has its own trace");
    for request in sent {
        let Some((trace, parent)) = &request.parent else { continue };
        let spans = &traces[trace.as_str()];
        let server = child(spans, parent);
        check_request(server, request);
        let route = request.route();
        let work = child(spans, text(server, "span_id"));
        assert_eq!(text(work, "name"), work_of(route));
        assert_eq!(text(work, "outcome"), text(server, "outcome"));
        match route {
            "/checkout" => check_checkout(spans, work),
            _ => assert_eq!(spans.len(), 2),
        }
    }
    let selects = spans.iter().filter(|span| text(span, "name") == "SELECT carts").count();
    let checkouts = sent.iter().filter(|request| request.route() == "/checkout").count();
    assert_eq!(selects, checkouts.div_ceil(4), "each fourth cart is not in the cache");
}

/// The server's span of a request has OpenTelemetry's attributes.
fn check_request(span: &Value, request: &Sent) {
    let route = request.route();
    assert_eq!(text(span, "name"), format!("GET {route}"));
    assert_eq!(text(span, "kind"), "server");
    assert_eq!(text(span, "outcome"), if route == "/fail" { "error" } else { "ok" });
    let attributes = &span["attributes"];
    assert_eq!(attributes["http.request.method"], "GET");
    assert_eq!(attributes["url.path"], route);
    assert_eq!(attributes["http.route"], route);
    assert_eq!(attributes["http.response.status_code"], request.status);
}

/// The cache, now and then the database, the inventory by HTTP, and the database.
fn check_checkout(spans: &[&Value], work: &Value) {
    let order = text(work, "span_id");
    let mut calls: Vec<_> =
        spans.iter().filter(|span| text(span, "parent_span_id") == order).collect();
    calls.sort_by_key(|span| span["start_unix_nanos"].as_u64());
    let names: Vec<_> = calls.iter().map(|span| text(span, "name")).collect();
    let without_select: Vec<_> =
        names.iter().copied().filter(|name| *name != "SELECT carts").collect();
    assert_eq!(without_select, ["HGETALL carts", "GET", "INSERT orders"]);
    assert!(calls.iter().all(|span| text(span, "kind") == "client"));
    assert_eq!(calls[0]["attributes"]["db.system.name"], "redis");
    let insert = &calls.last().unwrap()["attributes"];
    assert_eq!(insert["db.system.name"], "postgresql");
    assert_eq!(insert["db.operation.name"], "INSERT");

    let call = calls.iter().find(|span| text(span, "name") == "GET").unwrap();
    assert_eq!(call["attributes"]["http.response.status_code"], 200);
    let inventory = child(spans, text(call, "span_id"));
    assert_eq!(text(inventory, "name"), "GET /inventory");
    assert_eq!(text(inventory, "kind"), "server");
    let count = child(spans, text(inventory, "span_id"));
    assert_eq!(text(count, "name"), work_of("/inventory"));
    assert_eq!(spans.len(), 4 + calls.len());
}

fn text<'a>(span: &'a Value, key: &str) -> &'a str {
    span[key].as_str().unwrap_or_default()
}

fn work_of(route: &str) -> &'static str {
    WORK.iter().find(|(known, _)| *known == route).unwrap().1
}

/// The only child of `parent`.
fn child<'a>(spans: &[&'a Value], parent: &str) -> &'a Value {
    let mut children = spans.iter().filter(|span| text(span, "parent_span_id") == parent);
    let child = children.next().unwrap_or_else(|| panic!("no child of {parent}: {spans:?}"));
    assert!(children.next().is_none(), "a second child of {parent}: {spans:?}");
    child
}

fn read_spans(path: &Path) -> Vec<Value> {
    let file = BufReader::new(std::fs::File::open(path).unwrap());
    file.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

/// The service.
struct Shop {
    process: Child,
    stdout: BufReader<ChildStdout>,
    address: String,
    metrics: String,
}

impl Shop {
    fn start(spans: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_shop"))
            .args(["--listen", "127.0.0.1:0", "--telemetry", "127.0.0.1:0", "--spans"])
            .arg(spans)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        // Whole before a line can be wrong: a drop ends the process.
        let mut shop = Self { process, stdout, address: String::new(), metrics: String::new() };
        (shop.address, shop.metrics) = (shop.read_address(), shop.read_address());
        shop
    }

    fn read_address(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().split(" on http://").nth(1).unwrap().to_owned()
    }

    /// Requests by route and status, as the page tells.
    fn counts(&self) -> BTreeMap<(String, String), u64> {
        let (address, path) = self.metrics.split_once('/').unwrap();
        let (_, page) = http::Connection::open(address).get(&format!("/{path}"), None);
        let counts = page.lines().filter_map(|line| {
            let rest = line.strip_prefix("http_server_request_duration_seconds_count{")?;
            let (labels, count) = rest.split_once("} ").unwrap();
            let label = |key: &str| {
                let value = labels.split(',').find_map(|label| label.strip_prefix(key)).unwrap();
                value.trim_matches(['=', '"']).to_owned()
            };
            let (route, status) = (label("http_route"), label("http_response_status_code"));
            Some(((route, status), count.parse().unwrap()))
        });
        counts.collect()
    }

    /// Ends the service by SIGTERM and gives what it printed.
    fn terminate(&mut self) -> String {
        // The shell's own `kill`: not every machine has the program.
        let kill = format!("kill -TERM {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let mut report = String::new();
        self.stdout.read_to_string(&mut report).unwrap();
        assert!(self.process.wait().unwrap().success(), "{report}");
        report
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A path for a file of this process, where there is none: the shop appends.
fn scratch_file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("shop-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path); // A process that had the same id left it.
    path
}
