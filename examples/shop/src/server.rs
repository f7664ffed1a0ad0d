//! The HTTP server: connections, and around each request a server span and the bundle's figures.

use std::{convert::Infallible, future::Future, pin::pin, sync::Arc, time::Duration};

use bellwether::{
    InSpan as _,
    bundle::HttpServer,
    extract, span,
    trace::{Span, SpanKind, Status, set_attribute, set_status},
};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::routes::{Route, Shop};

/// The histogram in which [`HttpServer`] has the requests.
pub(crate) const REQUEST_DURATION: &str = "http.server.request.duration";

static SERVER: HttpServer = HttpServer::new();

/// How long requests that are under way have at the end.
const LAST_REQUESTS: Duration = Duration::from_secs(30);

/// Serves until `end`, then ends what is under way.
pub(crate) async fn serve(listener: TcpListener, shop: Arc<Shop>, end: impl Future<Output = ()>) {
    let connections = GracefulShutdown::new();
    let mut end = pin!(end);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut end => break,
        };
        match accepted {
            Ok((stream, _)) => serve_connection(stream, &shop, &connections),
            // Too many open files, for one: others may close soon.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
    drop(listener);
    let _ = timeout(LAST_REQUESTS, connections.shutdown()).await;
}

fn serve_connection(stream: TcpStream, shop: &Arc<Shop>, connections: &GracefulShutdown) {
    let _ = stream.set_nodelay(true);
    let shop = shop.clone();
    let service = service_fn(move |request| {
        let shop = shop.clone();
        async move { Ok::<_, Infallible>(answer(&shop, request).await) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::spawn(connections.watch(connection));
}

/// Answers a request, measured: its duration contains its span.
async fn answer(shop: &Shop, request: Request<Incoming>) -> Response<String> {
    let route = Route::of(request.uri().path());
    let served = SERVER.start(request.method().as_str(), route.map_or("", Route::pattern));
    let response = async {
        let response = shop.answer(route, &request).await;
        let status = response.status();
        set_attribute("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            set_attribute("error.type", status.as_str());
            set_status(Status::Error("".into()));
        }
        response
    };
    let response = response.in_span(server_span(&request, route)).await;
    served.end(response.status().as_u16());
    response
}

/// A span with OpenTelemetry's attributes of a request, a child of the caller's.
fn server_span(request: &Request<Incoming>, route: Option<Route>) -> Span {
    let method = match request.method().as_str() {
        known @ ("CONNECT" | "DELETE" | "GET" | "HEAD" | "OPTIONS" | "PATCH" | "POST" | "PUT"
        | "TRACE") => known,
        _ => "_OTHER",
    };
    let name = match (method, route) {
        ("_OTHER", _) => "HTTP".to_owned(),
        (method, Some(route)) => format!("{method} {}", route.pattern()),
        (method, None) => method.to_owned(),
    };
    let parent = extract(request.headers());
    let mut span = span(name).kind(SpanKind::Server).parent(parent).start();
    span.set_attribute("http.request.method", method);
    span.set_attribute("url.scheme", "http");
    span.set_attribute("url.path", request.uri().path());
    if let Some(query) = request.uri().query() {
        span.set_attribute("url.query", query);
    }
    if let Some(route) = route {
        span.set_attribute("http.route", route.pattern());
    }
    span
}
