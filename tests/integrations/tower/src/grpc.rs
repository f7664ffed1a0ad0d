//! A gRPC service without code generation: its messages are bytes as they are.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf as _, BufMut as _, Bytes};
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, NamedService, ServerStreamingService, UnaryService},
};

/// Bytes as messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

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

/// `test.Orders`: `Get` answers, `Fail` with the status whose number is the message, `List` streams three
/// messages, `Never` never answers, `Panic` panics.
#[derive(Clone, Copy, Debug, Default)]
pub struct Orders;

impl NamedService for Orders {
    const NAME: &'static str = "test.Orders";
}

type Answering = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

impl tower_service::Service<http::Request<Body>> for Orders {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Answering {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        Box::pin(async move {
            let mut grpc = Grpc::new(Plain);
            Ok(match &*method {
                "List" => grpc.server_streaming(List, request).await,
                "Get" | "Fail" | "Never" | "Panic" => grpc.unary(Unary(method), request).await,
                // As generated code answers.
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

struct Unary(String);

impl UnaryService<Bytes> for Unary {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let method = self.0.clone();
        Box::pin(async move {
            drop(bellwether::span("handle").enter());
            match &*method {
                "Get" => Ok(Response::new(request.into_inner())),
                "Fail" => {
                    let number = str::from_utf8(request.get_ref()).ok();
                    let number = number.and_then(|number| number.parse::<i32>().ok());
                    Err(Status::new(number.unwrap_or(2).into(), "asked for"))
                }
                "Never" => std::future::pending().await,
                _ => panic!("expected by the test"),
            }
        })
    }
}

struct List;

impl ServerStreamingService<Bytes> for List {
    type Response = Bytes;
    type ResponseStream =
        futures_util::stream::Iter<std::array::IntoIter<Result<Bytes, Status>, 3>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        let messages = ["a", "b", "c"].map(|text| Ok(Bytes::from_static(text.as_bytes())));
        ready(Ok(Response::new(futures_util::stream::iter(messages))))
    }
}
