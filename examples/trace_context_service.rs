//! A service that hands trace context on: the one that the W3C's test suite of Trace Context drives
//! (github.com/w3c/trace-context, `test/`).
//!
//! `POST /test` takes a JSON list `[{"url": URL, "arguments": [...]}, ...]`. In its order, each URL gets a
//! `POST` of its arguments, with the headers of a span of its own; then the caller is answered.
//!
//! `cargo run --release --example trace_context_service -- 127.0.0.1:5000` serves until it is killed;
//! `OTEL_PROPAGATORS` chooses other headers. Without an address it calls itself, prints the trace, and
//! ends.
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]

use std::time::Duration;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, HeaderName},
    },
    routing::post,
};
use bellwether::{
    InSpan as _,
    export::Memory,
    extract, span,
    trace::{SpanKind, SpanRecord, inject_context},
};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let spans = Memory::<SpanRecord>::new();
    match std::env::args().nth(1) {
        Some(address) => {
            let _telemetry = bellwether::builder("trace-context-service").start()?;
            serve(TcpListener::bind(&address).await?).await
        }
        None => {
            let telemetry =
                bellwether::builder("trace-context-service").export(spans.clone()).start()?;
            demonstrate().await?;
            telemetry.shutdown(Duration::from_secs(5));
            print(&spans.records());
            Ok(())
        }
    }
}

/// Serves until the future is dropped.
pub(crate) async fn serve(listener: TcpListener) -> Result<(), Failure> {
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let app = Router::new().route("/test", post(test)).with_state(client);
    Ok(axum::serve(listener, app).await?)
}

type Answer = (StatusCode, [(HeaderName, HeaderValue); 1], String);

/// One request: all that is done for it is in its span, and every call in one below.
async fn test(State(client): State<Client>, headers: HeaderMap, body: Bytes) -> Answer {
    let request = span("POST /test").kind(SpanKind::Server).parent(extract(&headers)).start();
    let work = async {
        let Ok(Value::Array(calls)) = serde_json::from_slice(&body) else {
            return answer(StatusCode::BAD_REQUEST, json!("the body is no JSON list"));
        };
        let mut statuses = Vec::new();
        for target in &calls {
            match call(&client, target).await {
                Ok(status) => statuses.push(status.as_u16()),
                Err(error) => return answer(StatusCode::BAD_GATEWAY, json!(error.to_string())),
            }
        }
        answer(StatusCode::OK, json!(statuses))
    };
    work.in_span(request).await
}

async fn call(client: &Client, target: &Value) -> Result<StatusCode, Failure> {
    let url = target["url"].as_str().ok_or("a call has no URL")?;
    let call = span("POST").kind(SpanKind::Client).start();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    inject_context(&call.context(), &mut headers);
    let arguments = target.get("arguments").cloned().unwrap_or_else(|| json!([]));
    let sent = client.post(url).headers(headers).body(arguments.to_string()).send();
    Ok(sent.in_span(call).await?.status())
}

fn answer(status: StatusCode, body: Value) -> Answer {
    let content_type = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (status, content_type, body.to_string())
}

/// A caller's trace through three requests to this service.
async fn demonstrate() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/test", listener.local_addr()?);
    let server = tokio::spawn(serve(listener));
    let inner = json!([{"url": url, "arguments": []}, {"url": url, "arguments": []}]);
    let answer = Client::builder()
        .no_proxy()
        .build()?
        .post(&url)
        .header("traceparent", CALLER)
        .header("tracestate", "rojo=00f067aa0ba902b7")
        .body(json!([{"url": url, "arguments": inner}]).to_string())
        .send()
        .await?;
    assert_eq!((answer.status(), answer.text().await?.as_str()), (StatusCode::OK, "[200]"));
    server.abort();
    Ok(())
}

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn print(spans: &[SpanRecord]) {
    println!("caller {CALLER}");
    print_below(spans, "b7ad6b7169203331", 1);
    let in_trace = |span: &&SpanRecord| {
        CALLER.contains(&span.trace_id().to_string()) && !span.context().state().is_empty()
    };
    assert_eq!((spans.len(), spans.iter().filter(in_trace).count()), (7, 7));
}

fn print_below(spans: &[SpanRecord], parent: &str, depth: usize) {
    let is_child =
        |span: &&SpanRecord| span.parent_span_id().is_some_and(|id| id.to_string() == parent);
    for span in spans.iter().filter(is_child) {
        let id = span.span_id().to_string();
        println!("{:indent$}{} {id}", "", span.name(), indent = 2 * depth);
        print_below(spans, &id, depth + 1);
    }
}
