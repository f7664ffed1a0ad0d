//! The example service under load: every request counted, every caller's trace continued, and a
//! report at the end that equals the file.
//!
//! `BELLWETHER_SHOP_REQUESTS` sets how many requests there are; 5,000 by default.
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![cfg(unix)] // The service is ended by SIGTERM.

use std::{
    collections::{BTreeMap, HashMap},
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

const CONNECTIONS: u64 = 4;
/// Longer than any answer takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

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
        let output = Command::new(example()).args(&arguments).output().unwrap();
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

/// The trace id in every header that is not valid.
const GARBAGE_TRACE: &str = "dddddddddddddddddddddddddddddddd";

fn send(address: &str, client: u64, requests: u64) -> Vec<Sent> {
    let http = http_client();
    (0..requests)
        .map(|number| {
            let path = match number % 10 {
                0..=2 => "/checkout",
                3 => "/fail",
                4 => "/slow?ms=1",
                _ => "/catalog",
            };
            let request = http.get(format!("http://{address}{path}"));
            let (trace, span) = (
                format!("{:032x}", u128::from(client) << 64 | u128::from(number + 1)),
                format!("{:016x}", number + 1),
            );
            let (request, parent) = match number % 7 {
                0 => (request, None),
                1 => (request.header("traceparent", format!("00-{GARBAGE_TRACE}-{span}-0g")), None),
                2 => (request.header("traceparent", format!("00-{GARBAGE_TRACE}-{span}")), None),
                _ => {
                    let header = format!("00-{trace}-{span}-01");
                    (request.header("traceparent", header), Some((trace, span)))
                }
            };
            let answer = request.send().unwrap();
            let status = answer.status().as_u16();
            answer.text().unwrap();
            Sent { path, status, parent }
        })
        .collect()
}

/// A client that goes past a proxy which the environment may name.
fn http_client() -> reqwest::blocking::Client {
    let builder = reqwest::blocking::Client::builder().no_proxy();
    builder.pool_max_idle_per_host(1).timeout(PATIENCE).build().unwrap()
}

/// Requests by route and status: each sent one, and an inner one for each checkout.
fn expected_counts(sent: &[Sent]) -> BTreeMap<(String, String), u64> {
    let mut counts = BTreeMap::new();
    for Sent { path, status, .. } in sent {
        let route = path.split('?').next().unwrap().to_owned();
        if route == "/checkout" {
            *counts.entry(("/inventory".to_owned(), "200".to_owned())).or_default() += 1;
        }
        *counts.entry((route, status.to_string())).or_default() += 1;
    }
    counts
}

fn check_spans(sent: &[Sent], spans: &[serde_json::Value]) {
    let text =
        |span: &serde_json::Value, key: &str| span[key].as_str().unwrap_or_default().to_owned();
    let mut traces: HashMap<String, Vec<&serde_json::Value>> = HashMap::new();
    for span in spans {
        assert_eq!(text(span, "kind"), "server");
        assert!(
            span["duration_nanos"].as_u64().is_some()
                && span["start_unix_nanos"].as_u64().is_some()
        );
        traces.entry(text(span, "trace_id")).or_default().push(span);
    }
    assert!(!traces.contains_key(GARBAGE_TRACE), "a header that is not valid starts a new trace");
    let mut continued = 0;
    for Sent { path, parent, .. } in sent {
        let Some((trace, parent)) = parent else { continue };
        continued += 1;
        let spans = &traces[trace];
        let child = spans.iter().find(|span| text(span, "parent_span_id") == *parent);
        let child = child.unwrap_or_else(|| panic!("no child of {parent} in {trace}: {spans:?}"));
        assert_eq!(format!("/{}", text(child, "name")), path.split('?').next().unwrap());
        if *path == "/checkout" {
            let grandchild = spans.iter().find(|span| text(span, "name") == "inventory").unwrap();
            assert_eq!(text(grandchild, "parent_span_id"), text(child, "span_id"));
        }
        assert_eq!(spans.len(), if *path == "/checkout" { 2 } else { 1 });
        let outcome = if *path == "/fail" { "error" } else { "ok" };
        assert_eq!(text(child, "outcome"), outcome);
    }
    let fresh = sent.len() - continued;
    assert_eq!(traces.len(), continued + fresh, "each other request has a trace of its own");
}

fn read_spans(path: &Path) -> Vec<serde_json::Value> {
    let file = BufReader::new(std::fs::File::open(path).unwrap());
    file.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

/// The example, serving.
struct Shop {
    process: Child,
    stdout: BufReader<ChildStdout>,
    address: String,
    metrics: String,
}

impl Shop {
    fn start(spans: &Path) -> Self {
        let mut process = Command::new(example())
            .args(["--listen", "127.0.0.1:0", "--telemetry", "127.0.0.1:0", "--spans"])
            .arg(spans)
            .env("NO_PROXY", "127.0.0.1") // For its calls to itself.
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
        let page = http_client().get(format!("http://{}", self.metrics)).send().unwrap();
        let page = page.text().unwrap();
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

/// The program, as its source is now: `cargo test --test shop` alone would not build it.
fn example() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--example", "shop", "--message-format", "json"]);
    build.args(if cfg!(debug_assertions) { &[][..] } else { &["--release"] });
    let output = build.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    // Where it lies depends on flags and variables; the last artifact tells.
    let messages = String::from_utf8(output.stdout).unwrap();
    let messages = messages.lines().map(|line| serde_json::from_str(line).unwrap());
    let mut program = messages
        .filter_map(|message: serde_json::Value| Some(message["executable"].as_str()?.into()));
    program.next_back().unwrap()
}

/// A path for a file of this process, where there is none: the shop appends.
fn scratch_file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("shop-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path); // A process that had the same id left it.
    path
}
