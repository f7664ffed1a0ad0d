//! Orders: axum with our layer, an observed handler, logs of ours, and a client of reqwest.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use bellwether::{
    info,
    integration::{reqwest::TracedClient, tower::ServerLayer},
    observe,
};
use tokio::net::TcpListener;

#[derive(Clone)]
struct Stock {
    client: TracedClient,
    address: SocketAddr,
}

pub(crate) async fn serve(listener: TcpListener, stock: SocketAddr) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let stock = Stock { client: client.into(), address: stock };
    let app = Router::new()
        .route("/orders/{id}", get(place))
        .route("/estimates/{id}", get(estimate))
        .with_state(stock)
        .layer(ServerLayer::axum());
    axum::serve(listener, app).await.unwrap();
}

#[observe(name = "orders.place")]
async fn place(State(stock): State<Stock>, Path(id): Path<u32>) -> Result<String, StatusCode> {
    info!("order {id} is asked for", order.id = id);
    let state = stock.ask("/items/{id}", id).await?;
    info!("order {id} is {state}");
    Ok(format!("order {id}: {state}"))
}

async fn estimate(State(stock): State<Stock>, Path(id): Path<u32>) -> Result<String, StatusCode> {
    stock.ask("/prices/{id}", id).await
}

impl Stock {
    async fn ask(&self, template: &'static str, id: u32) -> Result<String, StatusCode> {
        let path = template.replace("{id}", &id.to_string());
        let url = format!("http://{}{path}", self.address);
        let sending = self.client.get(url).template(template).send();
        let response = sending.await.map_err(|_| StatusCode::BAD_GATEWAY)?;
        match response.status() {
            StatusCode::OK => response.text().await.map_err(|_| StatusCode::BAD_GATEWAY),
            status if status.is_server_error() => Err(StatusCode::BAD_GATEWAY),
            status => Err(status),
        }
    }
}
