//! The Prometheus page under a route of the application's own server, here axum's: four lines.
//!
//! `cargo run --example own_router` starts the server, scrapes it once, and ends.
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use axum::{
    Router,
    http::{
        HeaderMap,
        header::{ACCEPT, CONTENT_TYPE},
    },
    routing::get,
};
use bellwether::Counter;
use tokio::{net::TcpListener, task::spawn_blocking};

static ORDERS: Counter = Counter::new("shop.orders", "Orders accepted");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = Arc::new(bellwether::builder("shop").start()?);

    let metrics = async move |headers: HeaderMap| {
        let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
        let (content_type, page) = telemetry.prometheus_page(accept);
        ([(CONTENT_TYPE, content_type)], page)
    };
    let app =
        Router::new().route("/metrics", get(metrics)).route("/orders", get(async || ORDERS.inc()));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, app).await });

    spawn_blocking(move || ask(address, "/orders")).await??;
    let answer = spawn_blocking(move || ask(address, "/metrics")).await??;
    println!("{answer}");
    assert!(answer.contains("shop_orders_total 1\n"));
    Ok(())
}

/// What the server answers to a scraper that reads OpenMetrics.
fn ask(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    let accept = "accept: application/openmetrics-text; version=1.0.0";
    write!(stream, "GET {path} HTTP/1.1\r\nhost: shop\r\n{accept}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(1 << 20).read_to_string(&mut answer)?;
    Ok(answer)
}
