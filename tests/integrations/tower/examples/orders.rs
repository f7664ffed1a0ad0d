//! A service of axum, observed in one line, and a client that calls it: `cargo run --example orders`.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::{ConnectInfo, Path},
    routing::get,
};
use bellwether::{
    integration::tower::{ClientLayer, ServerLayer},
    metric::Registry,
    observe,
    trace::SpanRecord,
};
use http::Request;
use http_body_util::BodyExt as _;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower_layer::Layer as _;
use tower_service::Service as _;

/// The handler: the layer measures it, so it has a span and no histogram of its own.
#[observe(name = "order", fields(id))]
async fn order(Path(id): Path<u32>) -> Json<Vec<u32>> {
    Json(items(id).await)
}

/// What the handler calls: a span, and `items.duration`.
#[observe(name = "items")]
async fn items(id: u32) -> Vec<u32> {
    tokio::time::sleep(Duration::from_millis(5)).await;
    vec![id, id + 1]
}

fn app() -> Router {
    Router::new().route("/orders/{id}", get(order)).route("/health", get(|| async { "up" })).layer(
        ServerLayer::axum()
            .skip(|request| request.uri.path() == "/health")
            .peer(|request| Some(request.extensions.get::<ConnectInfo<SocketAddr>>()?.0)),
    )
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let spans = bellwether::export::Memory::<SpanRecord>::new();
    let telemetry = bellwether::builder("orders").export(spans.clone()).start()?;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = app().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });

    let mut client = ClientLayer::new().layer(Client::builder(TokioExecutor::new()).build_http());
    for path in ["health", "orders/7", "orders/8", "nothing"] {
        let request = Request::get(format!("http://{address}/{path}")).body(Body::empty())?;
        let response = client.call(request).await?;
        println!("{path}: {}", response.status());
        response.into_body().collect().await?;
    }

    let report = telemetry.flush(Duration::from_secs(5));
    println!("{} spans:", report.totals().delivered);
    for span in spans.records() {
        println!("  {} {} {:?}", span.context().trace_id(), span.name(), span.kind());
    }
    let snapshot = Registry::global().snapshot();
    for family in ["http.server.request.duration", "http.client.request.duration", "items.duration"]
    {
        for series in snapshot.family(family).map_or(&[][..], |family| family.series()) {
            let count = series.value().as_histogram().map_or(0, |histogram| histogram.count());
            println!("{family} {:?}: {count}", series.labels());
        }
    }
    Ok(())
}
