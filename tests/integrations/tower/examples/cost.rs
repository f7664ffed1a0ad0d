//! What the layer adds to a request: `cargo run --release --example cost [REQUESTS]`.
//!
//! A router of axum is called in this process: bare, with a layer that only passes requests on (what axum
//! pays for any layer), and with one that observes them. Of many short rounds the fastest counts.

#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]

#[path = "../../../counting/mod.rs"]
mod counting;

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use axum::{Router, body::Body, routing::get};
use bellwether::{
    integration::tower::ServerLayer,
    pipeline::{Batch, Deadline, ExportResult, Exporter, Route},
    trace::{
        SpanRecord,
        sampler::{AlwaysOff, AlwaysOn},
    },
};
use http::Request;
use http_body::Body as _;
use tower_service::Service as _;

/// The requests of a round: so few that most rounds are not interrupted.
const ROUND: u64 = 1000;

fn router() -> Router {
    Router::new().route("/orders/{id}", get(|| async { "order" }))
}

fn poll<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

/// One request, and all of its response.
fn serve(app: &mut Router, with_parent: bool) {
    let mut request = Request::get("/orders/7");
    if with_parent {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        request = request.header("traceparent", parent);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response = poll(app.call(request)).expect("a router answers");
    let mut body = pin!(response.into_body());
    let mut task = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut task) {
        std::hint::black_box(frame.is_ok());
        if body.is_end_stream() {
            break;
        }
    }
}

/// Nanoseconds and allocations of one request.
fn measure(app: &mut Router, n: u64, with_parent: bool) -> (f64, f64) {
    let allocations = counting::allocations();
    let start = Instant::now();
    for _ in 0..n {
        serve(app, with_parent);
    }
    let time = start.elapsed().as_nanos() as f64;
    ((time / n as f64), (counting::allocations() - allocations) as f64 / n as f64)
}

fn compare(what: &str, n: u64, with_parent: bool) {
    let mut apps = [
        router(),
        router().layer(ServerLayer::axum().skip(|_| true)),
        router().layer(ServerLayer::axum()),
    ]
    .map(|app| app.with_state(())); // As it is served: otherwise axum makes its services at each call.
    let mut fastest = [(f64::INFINITY, 0.0); 3];
    for _ in 0..n / ROUND {
        for (app, fastest) in apps.iter_mut().zip(&mut fastest) {
            let measured = measure(app, ROUND, with_parent);
            fastest.0 = fastest.0.min(measured.0);
            fastest.1 = measured.1;
        }
    }
    let [bare, passing, observing] = fastest;
    println!(
        "{what:<33} {:>5.0} ns bare, {:>+5.0} ns and {:>+5.2} allocations for a layer, \
         {:>+5.0} ns and {:>+5.2} for what it observes",
        bare.0,
        passing.0 - bare.0,
        passing.1 - bare.1,
        observing.0 - passing.0,
        observing.1 - passing.1,
    );
}

fn main() {
    let n = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    compare("not started", n, false);
    for (what, is_on) in [("not sampled", false), ("sampled", true)] {
        let builder = bellwether::builder("cost").without_history();
        // Spans are thrown away as fast as they come: the queue is not what is measured.
        let builder = builder.export(Route::new(Nothing));
        let builder = if is_on { builder.sampler(AlwaysOn) } else { builder.sampler(AlwaysOff) };
        let telemetry = builder.start().expect("telemetry starts");
        compare(what, n, false);
        if is_on {
            compare("sampled, by the caller's headers", n, true);
        }
        telemetry.shutdown(Duration::from_secs(10));
    }
}

/// Throws spans away.
struct Nothing;

impl Exporter<SpanRecord> for Nothing {
    fn export(&mut self, _: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        Ok(())
    }
}
