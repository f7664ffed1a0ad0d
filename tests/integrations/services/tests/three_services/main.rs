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
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rules are the library's own"
)]

mod billing;
mod orders;
mod page;
mod shop;
mod stock;
mod tree;

use shop::Shop;

const ORDERED: &str = "\
GET /orders/{id}: server, ok
  orders.place: internal, ok
    GET /items/{id}: client, ok
      stock.item: server remote, ok
        stock.reserve: internal, ok
          shop.Billing/Charge: client, ok
            shop.Billing/Charge: server remote, ok
              billing.ledger: internal, ok
";

#[test]
fn one_trace_crosses_three_services_and_its_logs_have_its_ids() {
    let shop = Shop::open();
    assert_eq!(shop.get("/orders/7"), "200 order 7: paid");
    let (spans, logs) = shop.records();
    assert!(spans.iter().all(|span| span.trace_id() == spans[0].trace_id()));
    assert_eq!(tree::of_spans(&spans), ORDERED);
    let expected = "\
info in orders.place: order 7 is asked for
info in stock.reserve: 7 is reserved
warn in billing.ledger: 7 is charged
info in billing.ledger: 7 is in the ledger
info in orders.place: order 7 is paid
";
    assert_eq!(tree::of_logs(&spans, &logs), expected);
}

#[test]
fn each_operation_is_measured_once_and_all_figures_are_on_one_page() {
    let shop = Shop::open();
    let before = shop.page();
    shop.get("/orders/7");
    shop.records();
    // All that counts: no operation has a second histogram, and no handler one of its own.
    let expected = r#"billing_amount_count{otel_scope_name="billing"} 1
billing_charges_total{currency="EUR",otel_scope_name="billing"} 1
http_client_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",server_address="127.0.0.1"} 1
http_client_response_body_size_bytes_count{http_request_method="GET",http_response_status_code="200",server_address="127.0.0.1"} 1
http_server_request_body_size_bytes_count{http_request_method="GET",http_response_status_code="200",http_route="/orders/{id}",url_scheme="http"} 1
http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",http_route="/orders/{id}",url_scheme="http"} 1
http_server_response_body_size_bytes_count{http_request_method="GET",http_response_status_code="200",http_route="/orders/{id}",url_scheme="http"} 1
log_records_total{level="info",target="three_services::billing"} 1
log_records_total{level="info",target="three_services::orders"} 2
log_records_total{level="info",target="three_services::stock"} 1
log_records_total{level="warn",target="billing"} 1
rpc_client_call_duration_seconds_count{rpc_method="shop.Billing/Charge",rpc_response_status_code="OK",rpc_system_name="grpc",server_address="127.0.0.1"} 1
rpc_server_call_duration_seconds_count{rpc_method="shop.Billing/Charge",rpc_response_status_code="OK",rpc_system_name="grpc"} 1
stock_lookups_total 1
"#;
    assert_eq!(page::grown(&before, &shop.page()), expected);
}

#[test]
fn headers_that_a_service_writes_and_reads_by_its_own_library_continue_the_trace() {
    let shop = Shop::open();
    assert_eq!(shop.get("/estimates/7"), "200 paid");
    let (spans, logs) = shop.records();
    let expected = "\
GET /estimates/{id}: server, ok
  GET /prices/{id}: client, ok
    stock.price: server remote, ok
      shop.Billing/Estimate: server remote, ok
";
    assert_eq!(tree::of_spans(&spans), expected);
    let expected = "\
warn in shop.Billing/Estimate: 7 is charged
info in shop.Billing/Estimate: 7 is in the ledger
";
    assert_eq!(tree::of_logs(&spans, &logs), expected);
}

#[test]
fn an_error_of_the_last_service_is_one_all_the_way_up() {
    let shop = Shop::open();
    assert_eq!(shop.get("/orders/13"), "502 ");
    let expected = "\
GET /orders/{id}: server, error 502
  orders.place: internal, error http::status::StatusCode
    GET /items/{id}: client, error 500
      stock.item: server remote, error
        stock.reserve: internal, error _OTHER
          shop.Billing/Charge: client, error INTERNAL
            shop.Billing/Charge: server remote, error INTERNAL
              billing.ledger: internal, error
";
    assert_eq!(tree::of_spans(&shop.records().0), expected);
}

#[test]
fn what_is_the_callers_fault_is_an_error_of_those_who_call_alone() {
    let shop = Shop::open();
    assert_eq!(shop.get("/orders/9"), "409 ");
    let expected = "\
GET /orders/{id}: server, ok
  orders.place: internal, error http::status::StatusCode
    GET /items/{id}: client, error 409
      stock.item: server remote, ok
        stock.reserve: internal, error _OTHER
          shop.Billing/Charge: client, error FAILED_PRECONDITION
            shop.Billing/Charge: server remote, ok
              billing.ledger: internal, ok
";
    assert_eq!(tree::of_spans(&shop.records().0), expected);
}

#[test]
fn a_caller_that_goes_away_cancels_the_work_of_all_three() {
    let shop = Shop::open();
    let before = shop.page();
    let caller = shop.send("/orders/0", "");
    shop.wait_until_one_waits();
    drop(caller);
    let expected = "\
GET /orders/{id}: server, cancelled cancelled
  orders.place: internal, cancelled
    GET /items/{id}: client, cancelled cancelled
      stock.item: server remote, ok
        stock.reserve: internal, ok
          shop.Billing/Charge: client, cancelled cancelled
            shop.Billing/Charge: server remote, cancelled cancelled
              billing.ledger: internal, ok
";
    assert_eq!(tree::of_spans(&shop.records().0), expected);
    let after = shop.page();
    let active: Vec<&str> = after.lines().filter(|line| line.contains("_active")).collect();
    assert!(active.iter().all(|line| line.starts_with('#') || line.ends_with(" 0")), "{active:?}");
    assert_eq!(active.iter().filter(|line| !line.starts_with('#')).count(), 5, "{active:?}");
    let grown = page::grown(&before, &after);
    let measured: Vec<&str> = grown.lines().filter(|line| line.contains("_duration_")).collect();
    let expected = [
        r#"http_client_request_duration_seconds_count{error_type="cancelled",http_request_method="GET",server_address="127.0.0.1"} 1"#,
        r#"http_server_request_duration_seconds_count{error_type="cancelled",http_request_method="GET",http_route="/orders/{id}",url_scheme="http"} 1"#,
        r#"rpc_client_call_duration_seconds_count{error_type="cancelled",rpc_method="shop.Billing/Charge",rpc_system_name="grpc",server_address="127.0.0.1"} 1"#,
        r#"rpc_server_call_duration_seconds_count{error_type="cancelled",rpc_method="shop.Billing/Charge",rpc_system_name="grpc"} 1"#,
    ];
    assert_eq!(measured, expected);
}

#[test]
fn requests_that_take_turns_on_the_same_threads_stay_apart() {
    let shop = Shop::open();
    let trace = |id: usize| format!("{:032x}", 0x0af7_6519_0000 + id);
    let callers: Vec<_> = (1..=8)
        .map(|id| {
            let headers = format!("traceparent: 00-{}-b7ad6b7169203331-01\r\n", trace(id));
            shop.send(&format!("/orders/{}", 100 + id), &headers)
        })
        .collect();
    for (caller, id) in callers.into_iter().zip(1..) {
        assert_eq!(shop::answer(caller), format!("200 order {}: paid", 100 + id));
    }
    let (spans, logs) = shop.records();
    assert_eq!((spans.len(), logs.len()), (8 * 8, 8 * 5));
    for id in 1..=8 {
        let of_trace = |of: bellwether::context::TraceId| of.to_string() == trace(id);
        let spans: Vec<_> =
            spans.iter().filter(|span| of_trace(span.trace_id())).cloned().collect();
        assert_eq!(tree::of_spans(&spans), ORDERED.replacen("server", "server remote", 1));
        let logs: Vec<_> = logs.iter().filter(|log| log.trace_id().is_some_and(of_trace)).collect();
        assert_eq!(logs.len(), 5);
        let order = (100 + id).to_string();
        assert!(logs.iter().all(|log| log.body().to_string().contains(&order)));
    }
}
