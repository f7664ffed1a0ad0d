//! Stock: `tracing` is all it records by, besides a counter of `metrics`. It takes the caller's context from
//! the headers itself, and calls by tonic.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::get,
};
use bellwether::integration::{
    tower::{ClientLayer, ClientService},
    tracing::TracingSpanExt as _,
};
use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tonic::{Code, Request, Status, client::Grpc, transport::Channel};
use tower_layer::Layer as _;
use tracing::{Instrument as _, Span, field::Empty, info_span};

use crate::billing::Plain;

#[derive(Clone)]
struct Billing {
    traced: Grpc<ClientService<Channel>>,
    plain: Grpc<Channel>,
}

pub(crate) async fn serve(listener: TcpListener, billing: SocketAddr) {
    let channel = Channel::from_shared(format!("http://{billing}")).unwrap().connect_lazy();
    let layer = ClientLayer::new().server(&billing.to_string()).unwrap();
    let traced = Grpc::new(layer.layer(channel.clone()));
    let app = Router::new()
        .route("/items/{id}", get(item))
        .route("/prices/{id}", get(price))
        .with_state(Billing { traced, plain: Grpc::new(channel) });
    axum::serve(listener, app).await.unwrap();
}

type Answer = (StatusCode, String);

async fn item(State(billing): State<Billing>, Path(id): Path<u32>, head: HeaderMap) -> Answer {
    let span = info_span!("stock.item", otel.kind = "server", otel.status_code = Empty, item = id);
    span.set_parent(bellwether::extract(&head));
    let work = async {
        metrics::counter!("stock.lookups").increment(1);
        answer(reserve(id, billing).await)
    };
    work.instrument(span).await
}

#[tracing::instrument(name = "stock.reserve", skip(billing), err)]
async fn reserve(id: u32, mut billing: Billing) -> Result<Bytes, Status> {
    tracing::info!("{id} is reserved");
    billing.traced.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_static("/shop.Billing/Charge");
    let request = Request::new(Bytes::from(id.to_string()));
    billing.traced.unary(request, path, Plain).await.map(tonic::Response::into_inner)
}

/// As [`item`], and writes the headers of its own call itself.
async fn price(State(mut billing): State<Billing>, Path(id): Path<u32>, head: HeaderMap) -> Answer {
    let span = info_span!("stock.price", otel.kind = "server", otel.status_code = Empty);
    span.set_parent(bellwether::extract(&head));
    let work = async {
        billing.plain.ready().await.unwrap();
        let path = PathAndQuery::from_static("/shop.Billing/Estimate");
        let mut request = Request::new(Bytes::from(id.to_string()));
        bellwether::inject(request.metadata_mut().as_mut());
        answer(billing.plain.unary(request, path, Plain).await.map(tonic::Response::into_inner))
    };
    work.instrument(span).await
}

/// A server's error is one of the span too, as OpenTelemetry has it.
fn answer(answer: Result<Bytes, Status>) -> Answer {
    match answer {
        Ok(text) => (StatusCode::OK, String::from_utf8(text.into()).unwrap()),
        Err(status) if status.code() == Code::FailedPrecondition => {
            (StatusCode::CONFLICT, String::new())
        }
        Err(_) => {
            Span::current().record("otel.status_code", "ERROR");
            (StatusCode::INTERNAL_SERVER_ERROR, String::new())
        }
    }
}
