//! A scope of the process sees what a server does on threads of its own.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{net::SocketAddr, thread};

use axum::{Router, extract::Path, routing::get};
use bellwether::{Counter, Histogram, Labels, Unit, UpDownCounter, testing};

#[derive(Labels, Clone, Copy)]
struct Item<'a> {
    item: &'a str,
}

static SERVED: Counter = Counter::new("test.process.served", "");
static ITEMS: Counter<Item<'_>> = Counter::new("test.process.items", "");
static TOOK: Histogram = Histogram::new("test.process.took", "").unit(Unit::Seconds);
static OPEN: UpDownCounter = UpDownCounter::new("test.process.open", "");

async fn serve(Path(item): Path<String>) -> &'static str {
    let span = bellwether::span("serve").start();
    SERVED.inc();
    ITEMS.with(Item { item: &item }).inc();
    TOOK.record(0.5);
    OPEN.inc();
    bellwether::trace::InSpan::in_span(tokio::task::yield_now(), span).await;
    "ok"
}

/// A server on a runtime with threads of its own, as `axum::serve` spawns its tasks.
fn start(runtime: &tokio::runtime::Runtime) -> SocketAddr {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/{item}", get(serve));
    runtime.spawn(async move { axum::serve(listener, router).await });
    address
}

fn ask(address: SocketAddr, item: &str, n: usize) {
    let asking = |_| {
        let url = format!("http://{address}/{item}");
        thread::spawn(move || assert_eq!(reqwest::blocking::get(url).unwrap().status(), 200))
    };
    let threads: Vec<_> = (0..n).map(asking).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn what_a_server_records_on_its_own_threads_is_seen_from_the_beginning_of_the_scope_on() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(3).enable_all().build().unwrap();
    let address = start(&runtime);
    // The threads have tables, and the series have values, before the scope begins.
    ask(address, "old", 20);
    for n in [7, 5] {
        let scope = testing::process_scope();
        ask(address, "new", n);
        let n_seen = n as f64;
        scope.assert_value("test.process.served", &[], n_seen);
        scope.assert_value("test.process.items", &[("item", "new")], n_seen);
        scope.assert_value("test.process.items", &[("item", "old")], 0.0);
        scope.assert_value("test.process.took", &[], n_seen);
        scope.assert_value("test.process.open", &[], n_seen);
        let took = scope.snapshot();
        let took = took.value("test.process.took", &[]).unwrap().as_histogram().unwrap();
        assert_eq!((took.count(), took.sum()), (n as u64, n_seen / 2.0));
        assert_eq!(scope.span_tree(), "serve ok\n".repeat(n));
        SERVED.inc();
        scope.assert_value("test.process.served", &[], n_seen + 1.0);
        // A thread in a scope of its own is seen there and not here.
        let own = testing::scope();
        SERVED.inc();
        own.assert_value("test.process.served", &[], 1.0);
        scope.assert_value("test.process.served", &[], n_seen + 1.0);
    }
    assert_eq!(SERVED.value(), 20 + 7 + 5 + 2);
}

#[test]
#[should_panic(expected = "the nearest is \"test.process.ready\"")]
fn a_name_that_does_not_exist_is_not_zero() {
    static READY: Counter = Counter::new("test.process.ready", "");
    READY.inc();
    testing::process_scope().assert_value("test.process.raedy", &[], 0.0);
}
