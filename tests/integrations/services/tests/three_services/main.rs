//! Three services that call each other over sockets, each instrumented in another way, are one trace.
//!
//! ```text
//! caller ──HTTP──► orders: axum, ServerLayer, #[observe], info!, a TracedClient of reqwest
//!                    └──HTTP──► stock: tracing alone, with our layer; a Channel of tonic; metrics::counter!
//!                                 └──gRPC──► billing: OpenTelemetry's API; log::info!
//! ```
//!
//! All are in one process, so that one telemetry has what they record; but each has a thread and a runtime of
//! its own, and nothing of a trace goes from one to the other but headers.

mod billing;
mod orders;
mod page;
mod shop;
mod stock;
mod tree;

use shop::Shop;

#[test]
fn one_trace_crosses_three_services_and_each_operation_is_measured_once() {
    let shop = Shop::open();
    let before = shop.page();
    assert_eq!(shop.get("/orders/7"), "200 order 7: paid");
    let (spans, logs) = shop.records();
    println!("{}", tree::of_spans(&spans));
    println!("{}", tree::of_logs(&spans, &logs));
    println!("{}", page::grown(&before, &shop.page()));
    panic!("look");
}
