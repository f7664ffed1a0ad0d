//! Requests of a client of hyper's, to an axum service over a socket.
//!
//! Server and client are on one thread, so that both are in the scope of the test.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Body, http::StatusCode, routing};
use bellwether::{
    context::Outcome,
    integration::tower::{ClientLayer, ClientService, ServerLayer},
    observe,
    testing::{self, Scope},
    trace::{SpanKind, Status},
};
use bellwether_tower_tests::{SENT, SERVED, Script, Step, attribute, get, served, service, until};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tower_layer::Layer as _;
use tower_service::Service as _;

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn client() -> ClientService<Client<HttpConnector, Body>> {
    ClientLayer::new().layer(Client::builder(TokioExecutor::new()).build_http())
}

fn app() -> Router {
    Router::new()
        .route("/orders/{id}", routing::get(|| async { "order" }))
        .route("/none", routing::get(|| async { StatusCode::NOT_FOUND }))
        .route("/slow", routing::get(std::future::pending::<()>))
        .layer(ServerLayer::axum())
}

fn sent<'a>(port: &'a str, status: &'a str, error: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("http.request.method", "GET"),
        ("server.address", "127.0.0.1"),
        ("server.port", port),
        ("http.response.status_code", status),
        ("error.type", error),
    ]
}

/// Waits until so many spans have ended.
async fn ended(scope: &Scope, n: usize) {
    until(|| scope.spans().len() >= n).await;
}

#[tokio::test]
async fn a_request_is_one_trace_of_both_sides() {
    let scope = testing::scope();
    let address = serve(app()).await;
    let port = address.port().to_string();
    let request = get(&format!("http://{address}/orders/7?sig=secret"));
    let outer = bellwether::span("outer").enter();
    let response = client().call(request);
    drop(outer);
    let body = response.await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "order");
    ended(&scope, 3).await;
    let (server, client) = (scope.span("GET /orders/{id}"), scope.span("GET"));
    assert_eq!((client.kind(), client.outcome()), (SpanKind::Client, Outcome::Ok));
    assert_eq!(server.parent_span_id(), Some(client.context().span_id()));
    assert_eq!(client.parent_span_id(), Some(scope.span("outer").context().span_id()));
    let url = format!("http://{address}/orders/7?sig=REDACTED");
    for (key, value) in [
        ("http.request.method", "GET"),
        ("server.address", "127.0.0.1"),
        ("server.port", &*port),
        ("url.full", &*url),
        ("http.response.status_code", "200"),
        ("http.response.body.size", "5"),
    ] {
        assert_eq!(attribute(&client, key), value, "{key}");
    }
    scope.assert_value(SENT, &sent(&port, "200", ""), 1.0);
    scope.assert_value(SERVED, &served("/orders/{id}", "200", ""), 1.0);
    let active = &sent(&port, "", "")[..3];
    scope.assert_value("http.client.active_requests", active, 0.0);
}

#[tokio::test]
async fn a_status_is_an_error_of_the_client_from_400_on() {
    let scope = testing::scope();
    let address = serve(app()).await;
    client().call(get(&format!("http://{address}/none"))).await.unwrap();
    let span = scope.span("GET");
    assert_eq!((span.outcome(), span.status()), (Outcome::Error, &Status::Error("".into())));
    assert_eq!(attribute(&span, "error.type"), "404");
    scope.assert_value(SENT, &sent(&address.port().to_string(), "404", "404"), 1.0);
    assert_eq!(scope.span("GET /none").outcome(), Outcome::Ok);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_by_its_type() {
    let scope = testing::scope();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert!(client().call(get(&format!("http://{address}/"))).await.is_err());
    let kind = "hyper_util::client::legacy::client::Error";
    scope.assert_value(SENT, &sent(&address.port().to_string(), "", kind), 1.0);
    let span = scope.span("GET");
    assert_eq!(span.outcome(), Outcome::Error);
    assert!(
        matches!(span.status(), Status::Error(text) if !text.is_empty()),
        "{:?}",
        span.status()
    );
}

#[tokio::test]
async fn a_request_that_is_given_up_was_cancelled_on_both_sides() {
    let scope = testing::scope();
    let address = serve(app()).await;
    let slow = async { client().call(get(&format!("http://{address}/slow"))).await.is_ok() };
    let active = [("http.request.method", "GET"), ("url.scheme", "http")];
    let arrived = until(|| scope.value("http.server.active_requests", &active) == 1.0);
    tokio::select! {
        _ = slow => panic!("it answered"),
        () = arrived => {}
    }
    ended(&scope, 2).await;
    scope.assert_value(SENT, &sent(&address.port().to_string(), "", "cancelled"), 1.0);
    scope.assert_value(SERVED, &served("/slow", "", "cancelled"), 1.0);
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_no_cancellation_and_one_that_was_begun_is() {
    let mut client = ClientLayer::new()
        .layer(service(|_| Response::new(Script::new([Step::Data("a"), Step::Data("b")]))));
    let labels = |error| {
        [
            ("http.request.method", "GET"),
            ("server.address", "shop"),
            ("server.port", "443"),
            ("http.response.status_code", "200"),
            ("error.type", error),
        ]
    };
    let scope = testing::scope();
    drop(client.call(get("https://shop/")).await.unwrap());
    scope.assert_value(SENT, &labels(""), 1.0);
    let mut body = client.call(get("https://shop/")).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    scope.assert_value(SENT, &labels("cancelled"), 1.0);
}

#[tokio::test]
async fn a_request_without_a_host_has_that_of_its_header_or_none() {
    let mut client = ClientLayer::new().layer(service(|_| Response::new(Body::empty())));
    let scope = testing::scope();
    let request = Request::get("/x").header("host", "[::1]:8080").body(Body::empty()).unwrap();
    client.call(request).await.unwrap();
    client.call(get("/y")).await.unwrap();
    let odd = Request::get("/z").header("host", "a b").body(Body::empty()).unwrap();
    client.call(odd).await.unwrap();
    let series = |address, port| {
        [
            ("http.request.method", "GET"),
            ("server.address", address),
            ("server.port", port),
            ("http.response.status_code", "200"),
            ("error.type", ""),
        ]
    };
    scope.assert_value(SENT, &series("::1", "8080"), 1.0);
    scope.assert_value(SENT, &series("", ""), 2.0);
    let spans = scope.spans();
    assert_eq!(attribute(&spans[1], "url.path"), "/y");
    assert_eq!(attribute(&spans[0], "server.address"), "::1");
}

#[tokio::test]
async fn what_is_skipped_gets_no_headers() {
    let answer = |request: Request<Body>| {
        let traced = request.headers().contains_key("traceparent");
        Response::new(Body::from(traced.to_string()))
    };
    let layer = ClientLayer::new().skip(|request| request.uri.path() == "/health");
    let mut client = layer.layer(service(answer));
    let scope = testing::scope();
    for (path, expected) in [("/health", "false"), ("/orders", "true")] {
        let body = client.call(get(path)).await.unwrap().into_body();
        assert_eq!(body.collect().await.unwrap().to_bytes(), expected);
    }
    assert_eq!(scope.spans().len(), 1);
}

#[tokio::test]
async fn a_client_measures_nothing_of_the_function_that_uses_it() {
    #[observe(name = "tower.uses")]
    async fn uses() {
        let mut client = ClientLayer::new().layer(service(|_| Response::new(Body::empty())));
        client.call(get("https://shop/")).await.unwrap();
    }
    let scope = testing::scope();
    uses().await;
    scope.assert_value("tower.uses.duration", &[("outcome", "ok")], 1.0);
    let client = scope.span("GET");
    assert_eq!(client.parent_span_id(), Some(scope.span("tower.uses").context().span_id()));
}

#[tokio::test]
async fn over_a_socket_every_response_is_over_when_hyper_has_written_it() {
    let app = Router::new()
        .route("/", routing::get(|| async { "whole" }))
        .route(
            "/stream",
            routing::get(|| async {
                Body::new(Script::new([Step::Data("a"), Step::Wait, Step::Data("b")]))
            }),
        )
        .route("/upgrade", routing::get(|| async { StatusCode::SWITCHING_PROTOCOLS }))
        .layer(ServerLayer::axum());
    let scope = testing::scope();
    let address = serve(app).await;
    for (n, (method, path)) in
        [("GET", "/"), ("HEAD", "/"), ("GET", "/stream"), ("GET", "/upgrade")]
            .into_iter()
            .enumerate()
    {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        ended(&scope, n + 1).await;
    }
    let outcomes: Vec<_> = scope.spans().iter().map(|span| span.outcome()).collect();
    assert_eq!(outcomes, [Outcome::Ok; 4], "{}", scope.span_tree());
    scope.assert_value(SERVED, &served("/upgrade", "101", ""), 1.0);
    scope.assert_value(SERVED, &served("/stream", "200", ""), 1.0);
}

async fn echo(request: Request<Body>) -> Response<Body> {
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        let mut stream = TokioIo::new(upgraded.await.unwrap());
        let mut four = [0; 4];
        stream.read_exact(&mut four).await.unwrap();
        stream.write_all(&four).await.unwrap();
    });
    let head = Response::builder().status(101).header("connection", "upgrade");
    head.header("upgrade", "echo").body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_connection_that_becomes_another_protocol_works_and_does_not_count_as_slow() {
    let app = Router::new().route("/echo", routing::get(echo)).layer(ServerLayer::axum());
    let scope = testing::scope();
    let address = serve(app).await;
    let request = Request::get(format!("http://{address}/echo")).header("connection", "upgrade");
    let request = request.header("upgrade", "echo").body(Body::empty()).unwrap();
    let response = client().call(request).await.unwrap();
    ended(&scope, 2).await;
    scope.advance(Duration::from_secs(3600));
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    stream.write_all(b"ping").await.unwrap();
    let mut four = [0; 4];
    stream.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"ping");
    drop(stream);
    for span in scope.spans() {
        assert_eq!(span.outcome(), Outcome::Ok);
        assert_eq!(span.duration(), Duration::ZERO);
    }
    scope.assert_value(SERVED, &served("/echo", "101", ""), 1.0);
    scope.assert_value(SENT, &sent(&address.port().to_string(), "101", ""), 1.0);
}
