//! The demonstration: load with a fault in the middle, and what the telemetry says about it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};

use bellwether::{context::SpanId, export::Memory, metric::Window, trace::SpanRecord};
use tokio::{net::TcpListener, time::interval};

use super::{REQUEST_DURATION, announce, failing, routes, with_cause};

const LOAD: Duration = Duration::from_secs(10);
/// The seconds of the load in which a third of the requests fails.
const FAULT: std::ops::Range<u8> = 3..6;

pub(super) async fn run() -> Result<(), String> {
    let spans = Memory::<SpanRecord>::new();
    let telemetry = bellwether::builder("shop")
        .export(spans.clone())
        .alert_rule(failing())
        .on_transition(announce)
        .prometheus("127.0.0.1:0")
        .start()
        .map_err(with_cause)?;
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?.to_string();
    println!("shop on http://{address}, metrics on http://{}/metrics", telemetry.local_addrs()[0]);
    let server = tokio::spawn(axum::serve(listener, routes(address.clone())).into_future());

    let second = Arc::new(AtomicU8::new(0));
    let load: Vec<_> =
        (0..4).map(|_| tokio::spawn(load(address.clone(), second.clone()))).collect();
    let mut seconds = interval(Duration::from_secs(1));
    seconds.tick().await;
    for number in 1..=LOAD.as_secs() as u8 {
        seconds.tick().await;
        second.store(number, Relaxed);
        let fault =
            if FAULT.contains(&(number - 1)) { "  (a third of the requests fails)" } else { "" };
        let last = telemetry.window(Duration::from_secs(1));
        let rate = last.requests(REQUEST_DURATION).map_or(0.0, |requests| requests.rate());
        println!("{number:>2} s  {rate:>6.0} requests/s{fault}");
    }
    load.iter().for_each(|task| task.abort());

    print_routes(&telemetry.window(LOAD));
    server.abort();
    let report = telemetry.shutdown(Duration::from_secs(5));
    print_trace(&spans.records());
    println!("\n{report}");
    Ok(())
}

/// Sends requests one after the other, a pause of a millisecond between two.
async fn load(address: String, second: Arc<AtomicU8>) {
    let client = reqwest::Client::new();
    let mut pause = interval(Duration::from_millis(1));
    for number in 0_u64.. {
        pause.tick().await;
        let path = match number % 30 {
            _ if FAULT.contains(&second.load(Relaxed)) && number % 3 == 0 => "fail",
            0..=4 => "checkout",
            5 => "slow?ms=20",
            _ => "catalog",
        };
        let _ = client.get(format!("http://{address}/{path}")).send().await;
    }
}

fn print_routes(window: &Window) {
    println!(
        "\n{:<12} {:>9} {:>8} {:>9} {:>9} {:>9}",
        "route", "rate", "errors", "P50", "P90", "P99"
    );
    for (route, requests) in window.requests_by(REQUEST_DURATION, "http.route") {
        let [p50, p90, p99] = [requests.p50(), requests.p90(), requests.p99()]
            .map(|seconds| seconds.map_or("-".to_owned(), duration));
        println!(
            "{route:<12} {:>7.1}/s {:>6.1} % {p50:>9} {p90:>9} {p99:>9}",
            requests.rate(),
            requests.error_rate().unwrap_or(0.0) * 100.0,
        );
    }
}

/// Prints the last trace of a checkout as a tree.
fn print_trace(spans: &[SpanRecord]) {
    let Some(root) = spans.iter().rev().find(|span| span.name() == "checkout") else { return };
    println!("\ntrace {}", root.trace_id());
    print_span(spans, root, 1);
}

fn print_span(spans: &[SpanRecord], span: &SpanRecord, depth: usize) {
    let took = duration(span.end().since(span.start()).as_secs_f64());
    let (name, kind) = (span.name(), span.kind().as_str());
    println!(
        "{:indent$}{name} ({kind}) {took} {}",
        "",
        span.outcome().as_str(),
        indent = depth * 2
    );
    let id: Option<SpanId> = Some(span.span_id());
    let children = spans.iter().filter(|child| child.parent_span_id() == id);
    children.for_each(|child| print_span(spans, child, depth + 1));
}

/// In milliseconds, or in microseconds where those would be a fraction.
fn duration(seconds: f64) -> String {
    if seconds < 1e-3 {
        format!("{:.0} µs", seconds * 1e6)
    } else {
        format!("{:.2} ms", seconds * 1e3)
    }
}
