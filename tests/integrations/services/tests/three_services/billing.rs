//! Billing: a gRPC service that records by OpenTelemetry's API and by `log`. `Charge` has our layer around
//! it; `Estimate` takes the caller's context by OpenTelemetry's propagator.
//!
//! There is no code generation: messages are bytes as they are.

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::mpsc::Sender,
    task::{Context, Poll},
};

use bellwether::integration::{opentelemetry::logger_provider, tower::ServerLayer};
use bytes::{Buf as _, BufMut as _, Bytes};
use opentelemetry::{
    Context as OtelContext, KeyValue, global,
    logs::{LogRecord as _, Logger as _, LoggerProvider as _, Severity},
    trace::{FutureExt as _, SpanKind, Status as SpanStatus, TraceContextExt as _, Tracer as _},
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, NamedService, UnaryService},
};

pub(crate) async fn serve(listener: TcpListener, waiting: Sender<()>) {
    let layer = ServerLayer::new().skip(|head| head.uri.path().ends_with("/Estimate"));
    let server = tonic::transport::Server::builder().layer(layer).add_service(Billing { waiting });
    server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
}

#[derive(Clone)]
struct Billing {
    waiting: Sender<()>,
}

async fn charge(order: u32, waiting: Sender<()>) -> Result<Response<Bytes>, Status> {
    let span = global::tracer("billing").start("billing.ledger");
    write(order, waiting).with_context(OtelContext::current_with_span(span)).await
}

async fn estimate(request: Request<Bytes>, waiting: Sender<()>) -> Result<Response<Bytes>, Status> {
    let headers: HashMap<String, String> = (request.metadata().as_ref().iter())
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    let caller = global::get_text_map_propagator(|propagator| propagator.extract(&headers));
    let tracer = global::tracer("billing");
    let builder = tracer.span_builder("shop.Billing/Estimate").with_kind(SpanKind::Server);
    let span = builder.start_with_context(&tracer, &caller);
    write(order_in(&request), waiting).with_context(caller.with_span(span)).await
}

/// Writes into the ledger, which takes more than one poll.
async fn write(order: u32, waiting: Sender<()>) -> Result<Response<Bytes>, Status> {
    tokio::task::yield_now().await;
    let meter = global::meter("billing");
    meter.u64_counter("billing.charges").build().add(1, &[KeyValue::new("currency", "EUR")]);
    meter.f64_histogram("billing.amount").build().record(f64::from(order), &[]);
    let logger = logger_provider().logger("billing");
    let mut record = logger.create_log_record();
    record.set_severity_number(Severity::Warn);
    record.set_body(format!("{order} is charged").into());
    logger.emit(record);
    tokio::task::yield_now().await;
    log::info!("{order} is in the ledger");
    match order {
        0 => {
            waiting.send(()).unwrap();
            std::future::pending().await
        }
        9 => Err(Status::failed_precondition("no money")),
        13 => {
            OtelContext::current().span().set_status(SpanStatus::error("the ledger is torn"));
            Err(Status::internal("the ledger is torn"))
        }
        _ => Ok(Response::new("paid".into())),
    }
}

fn order_in(request: &Request<Bytes>) -> u32 {
    str::from_utf8(request.get_ref()).unwrap().parse().unwrap()
}

impl NamedService for Billing {
    const NAME: &'static str = "shop.Billing";
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl tower_service::Service<http::Request<Body>> for Billing {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Boxed<Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = match request.uri().path() {
            "/shop.Billing/Charge" => Method::Charge(self.waiting.clone()),
            "/shop.Billing/Estimate" => Method::Estimate(self.waiting.clone()),
            path => panic!("{path}"),
        };
        Box::pin(async { Ok(Grpc::new(Plain).unary(method, request).await) })
    }
}

enum Method {
    Charge(Sender<()>),
    Estimate(Sender<()>),
}

impl UnaryService<Bytes> for Method {
    type Response = Bytes;
    type Future = Boxed<Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        match self {
            Self::Charge(waiting) => Box::pin(charge(order_in(&request), waiting.clone())),
            Self::Estimate(waiting) => Box::pin(estimate(request, waiting.clone())),
        }
    }
}

/// Bytes as messages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = from.remaining();
        Ok(Some(from.copy_to_bytes(length)))
    }
}
