//! Services of tower (axum, hyper, tonic): each request has a span and is measured, by one layer.
//!
//! In an axum service it is one line, with the feature `axum` (`tests/integrations/tower/examples/orders.rs`
//! is the whole service, with a client):
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::{Router, routing::get};
//! use bellwether::integration::tower::ServerLayer;
//!
//! # async fn order() {}
//! let app: Router = Router::new().route("/orders/{id}", get(order)).layer(ServerLayer::axum());
//! # drop(app);
//! # }
//! ```
//!
//! For other services there is [`ServerLayer::new`] with a closure that finds the
//! [route](ServerLayer::route); tonic's `Server::layer` needs none. [`ClientLayer`] is for what sends
//! requests: a client of hyper-util, a `Channel` of tonic.
//!
//! # What is recorded
//!
//! By OpenTelemetry's semantic conventions (1.42). A request is gRPC if its content type is
//! `application/grpc`, and HTTP otherwise, gRPC-Web included.
//!
//! | | HTTP | gRPC |
//! | --- | --- | --- |
//! | span, server | `GET /orders/{id}`; without a route `GET`; of methods that nobody knows `HTTP` | `package.Service/Method`; of one that the server does not have `grpc` |
//! | span, client | `GET` | the same |
//! | metrics | those of [`HttpServer`], [`HttpClient`]: duration, in flight, body sizes | those of [`GrpcServer`], [`GrpcClient`]: duration, in flight |
//! | at the start, for samplers | `http.request.method`, `http.route`; without a route `url.path` | `rpc.system.name`, `rpc.method` |
//! | from the request | `url.path`, `url.scheme`, `server.address`, `server.port`, `network.protocol.version`, `http.request.method_original`, `http.request.body.size` | `server.address`, `server.port`, `network.protocol.version` |
//! | from a client's request | `url.full`, with credentials and signatures redacted | |
//! | if asked for | `url.query`, `user_agent.original`, `client.address`, `network.peer.address`, `network.peer.port` | the same |
//! | from the response | `http.response.status_code`, `http.response.body.size` | `rpc.response.status_code`, from trailers or from the head; where there is none, what clients make of the HTTP status |
//! | an error, with `error.type` | status from 500 on; of a client from 400 on | `UNKNOWN`, `DEADLINE_EXCEEDED`, `UNIMPLEMENTED`, `INTERNAL`, `UNAVAILABLE`, `DATA_LOSS`; of a client all but `OK` |
//!
//! The label `http.route` is the route, or `unmatched` where no route matched; `rpc.method` is `_OTHER`
//! where the server answers that it is not implemented. So a stranger who tries paths makes no series, unless
//! something before gRPC's router answers him with another status. Names of spans are kept, 4,096 of them, so
//! that a request allocates none. Two layers around one service measure each request twice.
//!
//! The size of a request is what its head says, and unknown where that says nothing. That of a response is
//! counted.
//!
//! # When a request ends
//!
//! Its time and its span end with the last byte of its response: where the body says that it is over, or
//! has given as many bytes as its length says. Where the head is all (`HEAD`, 204, 304, an empty body), it
//! is the end. So it is where what follows is no answer any more: another protocol (101, and `CONNECT`), and
//! events (`text/event-stream`), which may go on for hours and would count as slow.
//!
//! | what happens | outcome of the span | `error.type` |
//! | --- | --- | --- |
//! | the service fails, or the body does | error, with its text | the type of the error |
//! | the future is dropped before it has a response, or the body before its end | cancelled | `cancelled` |
//! | a handler or a body panics | panic; the panic goes on | `panic` |
//! | a client drops a body that it did not begin to read (HTTP) | as the status says | as the status says |
//! | the service is not ready | no request | |
//!
//! # The context
//!
//! A server's span continues what [`extract`](crate::extract) reads from the headers; a client's is a child
//! of what is current, and its context is written into the headers as [`inject`](crate::inject) does it. The
//! span is current, with the caller's baggage, whenever the handler, the response's future and its body are
//! polled, on whichever thread. Where no span is recorded, the caller's context goes on as it came.
//!
//! # With `#[observe]`
//!
//! A request is measured once. The layer offers it to the first observed future that begins directly in it
//! (not within another observed function): that is its handler, and records no duration of its own. It keeps
//! its span, as a child of the request's, and its `NAME.active`. What it calls records as ever, and so does
//! what comes after it, what its body does, and what is spawned. Functions that are not `async` are no
//! handlers and always record.
//!
//! What runs before the handler may be observed too, such as a check in a middleware: with
//! `#[observe(duration = always)]` it records its duration and leaves the offer to the handler. In a service
//! whose handlers are not observed, the first observed future that one calls would be taken for it:
//! [`ServerLayer::keep_handler_durations`] makes no offer.
//!
//! [`HttpServer`]: crate::bundle::HttpServer
//! [`HttpClient`]: crate::bundle::HttpClient
//! [`GrpcServer`]: crate::bundle::GrpcServer
//! [`GrpcClient`]: crate::bundle::GrpcClient

mod attributes;
mod body;
mod client;
mod exchange;
mod future;
mod grpc;
mod names;
mod server;
mod subject;

pub use body::ObservedBody;
pub use client::{ClientLayer, ClientService};
pub use future::ResponseFuture;
pub use server::{ServerLayer, ServerService};
