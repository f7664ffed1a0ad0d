//! Calls of gRPC over a socket, with the layers of both sides.
//!
//! Server and client are on one thread, so that both are in the scope of the test.

use std::net::SocketAddr;

use bellwether::{
    bundle::GrpcCode,
    context::Outcome,
    integration::tower::{ClientLayer, ClientService, ServerLayer},
    testing::{self, Scope},
    trace::{SpanKind, SpanRecord, Status},
};
use bellwether_tower_tests::{
    SENT, SERVED, attribute,
    grpc::{Orders, Plain},
    until,
};
use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, transport::Channel};
use tower_layer::Layer as _;

const ANSWERED: &str = "rpc.server.call.duration";
const CALLED: &str = "rpc.client.call.duration";

/// Starts a server, and connects to it.
async fn connected() -> (tonic::client::Grpc<ClientService<Channel>>, SocketAddr) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder().layer(ServerLayer::new()).add_service(Orders);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let channel =
        Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let layer = ClientLayer::new().server(&address.to_string()).unwrap();
    (tonic::client::Grpc::new(layer.layer(channel)), address)
}

type Client = tonic::client::Grpc<ClientService<Channel>>;

async fn call(
    client: &mut Client,
    path: &'static str,
    message: &'static str,
) -> Result<Response<Bytes>, tonic::Status> {
    client.ready().await.unwrap();
    let request = Request::new(Bytes::from_static(message.as_bytes()));
    client.unary(request, PathAndQuery::from_static(path), Plain).await
}

/// The spans of the server and of the client, once both have ended.
async fn both(scope: &Scope, n: usize) -> (Vec<SpanRecord>, Vec<SpanRecord>) {
    let of = |kind| {
        let spans = scope.spans().into_iter();
        spans.filter(move |span| span.kind() == kind).collect::<Vec<_>>()
    };
    until(|| of(SpanKind::Server).len() >= n && of(SpanKind::Client).len() >= n).await;
    (of(SpanKind::Server), of(SpanKind::Client))
}

fn answered<'a>(method: &'a str, code: &'a str, error: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("rpc.system.name", "grpc"),
        ("rpc.method", method),
        ("rpc.response.status_code", code),
        ("error.type", error),
    ]
}

fn called<'a>(port: &'a str, code: &'a str, error: &'a str) -> [(&'a str, &'a str); 6] {
    let [system, method, code, error] = answered("test.Orders/Fail", code, error);
    [system, method, ("server.address", "127.0.0.1"), ("server.port", port), code, error]
}

#[tokio::test]
async fn a_call_is_one_trace_of_both_sides_and_measured_as_a_call() {
    let scope = testing::scope();
    let (mut client, address) = connected().await;
    let answer = call(&mut client, "/test.Orders/Get", "seven").await.unwrap();
    assert_eq!(answer.into_inner(), "seven");
    let (server, client) = both(&scope, 1).await;
    let (server, client) = (&server[0], &client[0]);
    assert_eq!((server.name(), client.name()), ("test.Orders/Get", "test.Orders/Get"));
    assert_eq!(server.parent_span_id(), Some(client.context().span_id()));
    assert_eq!(scope.span("handle").parent_span_id(), Some(server.context().span_id()));
    for span in [server, client] {
        assert_eq!((span.outcome(), span.status()), (Outcome::Ok, &Status::Unset));
        for (key, value) in [
            ("rpc.system.name", "grpc"),
            ("rpc.method", "test.Orders/Get"),
            ("rpc.response.status_code", "OK"),
            ("server.address", "127.0.0.1"),
            ("server.port", &*address.port().to_string()),
            ("error.type", ""),
            ("http.request.method", ""),
            ("http.request.body.size", ""),
        ] {
            assert_eq!(attribute(span, key), value, "{key}");
        }
    }
    scope.assert_value(ANSWERED, &answered("test.Orders/Get", "OK", ""), 1.0);
    scope.assert_value("rpc.server.call.active", &[("rpc.system.name", "grpc")], 0.0);
    for http in [SERVED, SENT] {
        assert!(scope.snapshot().family(http).is_none_or(|family| family.series().is_empty()));
    }
}

#[tokio::test]
async fn each_status_is_an_error_by_the_rules_of_its_side() {
    let scope = testing::scope();
    let (mut client, address) = connected().await;
    let port = address.port().to_string();
    let numbers = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "13", "14", "15", "16"];
    for number in numbers {
        assert!(call(&mut client, "/test.Orders/Fail", number).await.is_err());
    }
    let (server, client) = both(&scope, numbers.len()).await;
    for number in numbers {
        let code = GrpcCode::from(number.parse::<i32>().unwrap());
        let of = |spans: &[SpanRecord]| {
            let is =
                |span: &&SpanRecord| attribute(span, "rpc.response.status_code") == code.as_str();
            spans.iter().find(is).cloned().unwrap()
        };
        let (served, sent) = (of(&server), of(&client));
        let is_error = code.is_server_error();
        assert_eq!(served.outcome() == Outcome::Error, is_error, "{code:?}");
        assert_eq!(served.status() == &Status::Error("".into()), is_error, "{code:?}");
        assert_eq!(sent.outcome(), Outcome::Error);
        assert_eq!(attribute(&sent, "error.type"), code.as_str());
        let error = if is_error { code.as_str() } else { "" };
        scope.assert_value(ANSWERED, &answered("test.Orders/Fail", code.as_str(), error), 1.0);
        scope.assert_value(CALLED, &called(&port, code.as_str(), code.as_str()), 1.0);
    }
}

#[tokio::test]
async fn methods_that_the_server_does_not_have_are_one_series() {
    let scope = testing::scope();
    let (mut client, _) = connected().await;
    for path in ["/test.Orders/Made", "/test.Orders/Up", "/test.Nobody/Get"] {
        let status = call(&mut client, path, "").await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unimplemented);
    }
    scope.assert_value(ANSWERED, &answered("_OTHER", "UNIMPLEMENTED", "UNIMPLEMENTED"), 3.0);
    let (server, _) = both(&scope, 3).await;
    assert!(server.iter().all(|span| span.name() == "grpc"));
    assert_eq!(attribute(&server[0], "rpc.method"), "_OTHER");
    assert_eq!(attribute(&server[0], "rpc.method_original"), "test.Orders/Made");
}

#[tokio::test]
async fn a_stream_ends_with_its_trailers() {
    let scope = testing::scope();
    let (mut client, _) = connected().await;
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/test.Orders/List");
    let stream = client.server_streaming(Request::new(Bytes::new()), path, Plain).await.unwrap();
    let mut stream = stream.into_inner();
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        let open = scope.spans().iter().all(|span| span.kind() != SpanKind::Client);
        assert!(open, "the client's span ends with the trailers");
        messages.push(message);
    }
    assert_eq!(messages, ["a", "b", "c"]);
    both(&scope, 1).await;
    scope.assert_value(ANSWERED, &answered("test.Orders/List", "OK", ""), 1.0);
}

#[tokio::test]
async fn a_stream_that_the_client_drops_was_cancelled_by_it() {
    let scope = testing::scope();
    let (mut client, _) = connected().await;
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/test.Orders/List");
    let stream = client.server_streaming(Request::new(Bytes::new()), path, Plain).await.unwrap();
    drop(stream);
    let (_, client) = both(&scope, 1).await;
    assert_eq!(client[0].outcome(), Outcome::Cancelled);
    assert_eq!(attribute(&client[0], "error.type"), "cancelled");
}

#[tokio::test]
async fn a_call_that_is_given_up_is_cancelled_on_both_sides() {
    let scope = testing::scope();
    let (mut client, _) = connected().await;
    let never = call(&mut client, "/test.Orders/Never", "");
    let active = [("rpc.system.name", "grpc")];
    let arrived = until(|| scope.value("rpc.server.call.active", &active) == 1.0);
    tokio::select! {
        _ = never => panic!("it answered"),
        () = arrived => {}
    }
    let (server, client) = both(&scope, 1).await;
    assert_eq!(
        (server[0].outcome(), client[0].outcome()),
        (Outcome::Cancelled, Outcome::Cancelled)
    );
    scope.assert_value(ANSWERED, &answered("test.Orders/Never", "", "cancelled"), 1.0);
    scope.assert_value("rpc.server.call.active", &[("rpc.system.name", "grpc")], 0.0);
}

#[tokio::test]
async fn a_handler_that_panics_is_a_panic_there_and_an_error_here() {
    let scope = testing::scope();
    let (mut client, _) = connected().await;
    assert!(call(&mut client, "/test.Orders/Panic", "").await.is_err());
    let (server, client) = both(&scope, 1).await;
    assert_eq!((server[0].outcome(), client[0].outcome()), (Outcome::Panic, Outcome::Error));
    scope.assert_value(ANSWERED, &answered("test.Orders/Panic", "", "panic"), 1.0);
}

#[tokio::test]
async fn a_response_that_says_no_status_has_the_one_that_clients_make_up() {
    use axum::{Router, body::Body, http::StatusCode, routing};
    use bellwether_tower_tests::send;

    let app = Router::new()
        .route("/a.B/Plain", routing::post(|| async { "no trailers" }))
        .route("/a.B/Busy", routing::post(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .layer(ServerLayer::axum());
    let scope = testing::scope();
    for path in ["/a.B/Plain", "/a.B/Busy", "/a.B/None"] {
        let request = http::Request::post(path).header("content-type", "application/grpc");
        let response = send(&app, request.body(Body::empty()).unwrap()).await;
        http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    }
    scope.assert_value(ANSWERED, &answered("a.B/Plain", "UNKNOWN", "UNKNOWN"), 1.0);
    scope.assert_value(ANSWERED, &answered("a.B/Busy", "UNAVAILABLE", "UNAVAILABLE"), 1.0);
    scope.assert_value(ANSWERED, &answered("_OTHER", "UNIMPLEMENTED", "UNIMPLEMENTED"), 1.0);
}
