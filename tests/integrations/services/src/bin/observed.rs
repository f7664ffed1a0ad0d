//! A service of axum that has spans, rates, errors and durations, propagation, logs with ids and an alert:
//! for the lines that end in a number.

use axum::{Router, extract::Path, http::StatusCode, routing::get};
use bellwether::alert::{Rule, notify, series}; // 1
use bellwether::{export::File, info, integration::tower::ServerLayer}; // 2
use std::{error::Error, time::Duration};

async fn order(Path(id): Path<u32>) -> Result<String, StatusCode> {
    info!("order {id} is asked for", order.id = id); // 3
    if id == 13 { Err(StatusCode::INTERNAL_SERVER_ERROR) } else { Ok(format!("order {id}")) }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let failed = series("http.server.request.duration").label("error.type", "500"); // 4
    let rule = Rule::new("Failing", failed.increase(Duration::from_secs(60)).above(0.0)); // 5
    let _telemetry = bellwether::builder("orders") // 6
        .prometheus("127.0.0.1:0") // 7
        .export(File::open("orders.jsonl")?) // 8
        .alert_rule(rule) // 9
        .notify(notify::stderr()) // 10
        .start()?; // 11
    let app = Router::new().route("/orders/{id}", get(order)).layer(ServerLayer::axum()); // 12
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
