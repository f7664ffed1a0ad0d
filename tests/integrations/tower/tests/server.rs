//! What the server's layer records of a request, in an axum service.

use axum::{Router, body::Body, extract::MatchedPath, http::StatusCode, routing};
use bellwether::{
    Counter,
    context::Outcome,
    integration::tower::ServerLayer,
    testing,
    trace::{SpanKind, Status},
};
use bellwether_tower_tests::{SERVED, attribute, fetch, get, served};
use http::{Method, Request, Version};

static ROWS: Counter = Counter::new("test.rows", "Rows read");

async fn order() -> &'static str {
    let _query = bellwether::span("query").enter();
    ROWS.inc();
    "order"
}

fn app() -> Router {
    routed().layer(ServerLayer::axum())
}

fn routed() -> Router {
    Router::new()
        .route("/orders/{id}", routing::any(order))
        .route("/fails", routing::get(|| async { StatusCode::BAD_GATEWAY }))
        .nest("/admin", Router::new().route("/users/{user}", routing::get(order)))
}

#[tokio::test]
async fn a_request_has_one_span_and_one_value_by_its_route() {
    let scope = testing::scope();
    assert_eq!(fetch(&app(), get("/orders/7?page=2")).await, (StatusCode::OK, "order".into()));
    let spans = scope.spans();
    assert_eq!(scope.span_tree().lines().count(), 2);
    let span = scope.span("GET /orders/{id}");
    assert_eq!((span.kind(), span.outcome()), (SpanKind::Server, Outcome::Ok));
    assert_eq!(span.status(), &Status::Unset);
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/orders/{id}"),
        ("url.path", "/orders/7"),
        ("url.scheme", "http"),
        ("http.response.status_code", "200"),
        ("http.response.body.size", "5"),
        ("http.request.body.size", "0"),
        ("network.protocol.version", "1.1"),
        ("url.query", ""),
        ("error.type", ""),
        ("user_agent.original", ""),
    ] {
        assert_eq!(attribute(&span, key), value, "{key}");
    }
    let query = scope.span("query");
    assert_eq!(query.parent_span_id(), Some(span.context().span_id()));
    assert_eq!(spans.len(), 2);
    scope.assert_value(SERVED, &served("/orders/{id}", "200", ""), 1.0);
    let size = scope.snapshot();
    let size = size.value("http.server.response.body.size", &served("/orders/{id}", "200", ""));
    assert_eq!(size.unwrap().as_histogram().unwrap().sum(), 5.0);
    let active = [("http.request.method", "GET"), ("url.scheme", "http")];
    scope.assert_value("http.server.active_requests", &active, 0.0);
}

#[tokio::test]
async fn a_nested_route_is_whole_and_an_unmatched_path_makes_no_series_of_its_own() {
    let scope = testing::scope();
    fetch(&app(), get("/admin/users/ann")).await;
    for path in ["/nothing", "/nothing/at/all", "/admin/none"] {
        assert_eq!(fetch(&app(), get(path)).await.0, StatusCode::NOT_FOUND);
    }
    scope.assert_value(SERVED, &served("/admin/users/{user}", "200", ""), 1.0);
    scope.assert_value(SERVED, &served("unmatched", "404", ""), 3.0);
    let spans = scope.spans();
    let unmatched: Vec<_> = spans.iter().filter(|span| span.name() == "GET").collect();
    assert_eq!(unmatched.len(), 3);
    assert_eq!(attribute(unmatched[0], "url.path"), "/nothing");
    assert_eq!(attribute(unmatched[0], "http.route"), "");
    assert_eq!(unmatched[0].status(), &Status::Unset);
}

#[tokio::test]
async fn the_status_is_an_error_from_500_on() {
    let scope = testing::scope();
    fetch(&app(), get("/fails")).await;
    let span = scope.span("GET /fails");
    assert_eq!((span.outcome(), span.status()), (Outcome::Error, &Status::Error("".into())));
    assert_eq!(attribute(&span, "error.type"), "502");
    scope.assert_value(SERVED, &served("/fails", "502", "502"), 1.0);
    let not_allowed = Request::put("/fails").body(Body::empty()).unwrap();
    assert_eq!(fetch(&app(), not_allowed).await.0, StatusCode::METHOD_NOT_ALLOWED);
    let span = scope.span("PUT /fails");
    assert_eq!((span.outcome(), span.status()), (Outcome::Ok, &Status::Unset));
}

#[tokio::test]
async fn a_method_that_nobody_knows_is_named_http_and_kept_as_it_came() {
    let scope = testing::scope();
    let purge = Method::from_bytes(b"PURGE").unwrap();
    let request = Request::builder().method(purge).uri("/orders/7").body(Body::empty()).unwrap();
    fetch(&app(), request).await;
    let span = scope.span("HTTP /orders/{id}");
    assert_eq!(attribute(&span, "http.request.method"), "_OTHER");
    assert_eq!(attribute(&span, "http.request.method_original"), "PURGE");
}

#[tokio::test]
async fn the_context_comes_in_and_goes_out_with_its_baggage() {
    async fn outgoing() -> String {
        tokio::task::yield_now().await;
        let mut headers: Vec<(String, String)> = Vec::new();
        bellwether::inject(&mut headers);
        let context = bellwether::current();
        format!("{} {headers:?}", context.baggage().get("tenant").unwrap_or_default())
    }
    let app = Router::new().route("/out", routing::get(outgoing)).layer(ServerLayer::axum());
    let request = Request::get("/out")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .header("baggage", "tenant=acme")
        .body(Body::empty())
        .unwrap();
    let scope = testing::scope();
    let (_, body) = fetch(&app, request).await;
    let body = String::from_utf8(body.to_vec()).unwrap();
    let span = scope.span("GET /out");
    assert_eq!(span.context().trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(span.parent_span_id().unwrap().to_string(), "b7ad6b7169203331");
    assert!(body.starts_with("acme "), "{body}");
    let id = span.context().span_id().to_string();
    assert!(body.contains(&format!("00-0af7651916cd43dd8448eb211c80319c-{id}-01")), "{body}");
    assert!(!bellwether::current().span().is_valid());
}

#[tokio::test]
async fn what_is_asked_for_is_on_the_span() {
    let layer = ServerLayer::axum()
        .query()
        .user_agent()
        .https()
        .peer(|request| request.extensions.get().copied());
    let app = routed().layer(layer);
    let peer: std::net::SocketAddr = "[::1]:4711".parse().unwrap();
    let request = Request::get("/orders/7?a=b&sig=secret")
        .version(Version::HTTP_2)
        .header("user-agent", "curl/8")
        .header("host", "shop.example:8443")
        .extension(peer)
        .body(Body::empty())
        .unwrap();
    let scope = testing::scope();
    fetch(&app, request).await;
    let span = scope.span("GET /orders/{id}");
    for (key, value) in [
        ("url.query", "a=b&sig=REDACTED"),
        ("url.scheme", "https"),
        ("user_agent.original", "curl/8"),
        ("server.address", "shop.example"),
        ("server.port", "8443"),
        ("network.peer.address", "::1"),
        ("network.peer.port", "4711"),
        ("client.address", "::1"),
        ("network.protocol.version", "2"),
    ] {
        assert_eq!(attribute(&span, key), value, "{key}");
    }
    let labels = served("/orders/{id}", "200", "").map(|(key, value)| match key {
        "url.scheme" => (key, "https"),
        _ => (key, value),
    });
    scope.assert_value(SERVED, &labels, 1.0);
}

#[tokio::test]
async fn odd_hosts_and_agents_are_no_reason_to_panic() {
    let app = routed().layer(ServerLayer::axum().user_agent());
    for (host, address, port) in [
        ("[::1]:80", "::1", "80"),
        ("[::1]", "::1", ""),
        ("a:b:99999", "a:b", ""),
        (":", "", ""),
        ("]:[", "", ""),
        ("user:pass@shop:1", "shop", "1"),
    ] {
        let scope = testing::scope();
        let request = Request::get("/orders/7").header("host", host);
        let agent = http::HeaderValue::from_bytes(b"\xff\xfe").unwrap();
        fetch(&app, request.header("user-agent", agent).body(Body::empty()).unwrap()).await;
        let span = scope.span("GET /orders/{id}");
        let found = (attribute(&span, "server.address"), attribute(&span, "server.port"));
        if host != "]:[" {
            assert_eq!((&*found.0, &*found.1), (address, port), "{host}");
        }
    }
}

#[tokio::test]
async fn what_is_skipped_leaves_no_trace() {
    let layer = ServerLayer::axum()
        .skip(|request| request.uri.path() == "/fails")
        .skip(|request| request.method == Method::PUT);
    let app = routed().layer(layer);
    let scope = testing::scope();
    assert_eq!(fetch(&app, get("/fails")).await.0, StatusCode::BAD_GATEWAY);
    fetch(&app, Request::put("/orders/7").body(Body::empty()).unwrap()).await;
    assert_eq!(scope.span_tree().lines().count(), 1); // The query of the `PUT`.
    fetch(&app, get("/orders/7")).await;
    scope.assert_value(SERVED, &served("/orders/{id}", "200", ""), 1.0);
    assert_eq!(scope.snapshot().family(SERVED).unwrap().series().len(), 1);
}

#[tokio::test]
async fn a_route_is_skipped_whatever_its_path() {
    let layer = ServerLayer::axum().skip(|request| {
        let route = request.extensions.get::<MatchedPath>();
        route.is_some_and(|route| route.as_str() == "/admin/users/{user}")
    });
    let app = routed().layer(layer);
    let scope = testing::scope();
    for path in ["/admin/users/ann", "/admin/users/bob", "/orders/7"] {
        fetch(&app, get(path)).await;
    }
    scope.assert_value(SERVED, &served("/orders/{id}", "200", ""), 1.0);
    assert_eq!(scope.snapshot().family(SERVED).unwrap().series().len(), 1);
}

#[tokio::test]
async fn closures_that_panic_cost_only_what_they_would_have_said() {
    let layer = ServerLayer::new()
        .route(|_| panic!("expected by the test"))
        .peer(|_| panic!("expected by the test"))
        .skip(|_| panic!("expected by the test"));
    let app = routed().layer(layer);
    let scope = testing::scope();
    assert_eq!(fetch(&app, get("/orders/7")).await.0, StatusCode::OK);
    scope.assert_value(SERVED, &served("unmatched", "200", ""), 1.0);
    assert_eq!(scope.span("GET").outcome(), Outcome::Ok);
}

#[tokio::test]
async fn a_layer_without_routes_has_no_label_of_one() {
    let app = routed().layer(ServerLayer::new());
    let scope = testing::scope();
    fetch(&app, get("/orders/7")).await;
    scope.assert_value(SERVED, &served("", "200", ""), 1.0);
    assert_eq!(attribute(&scope.span("GET"), "url.path"), "/orders/7");
}

#[test]
fn it_measures_also_where_no_span_is_recorded() {
    let before = bellwether::metric::Registry::global().snapshot();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { fetch(&app(), get("/orders/untraced")).await });
    let window = bellwether::metric::Registry::global().snapshot().since(&before);
    assert!(window.requests(SERVED).unwrap().count >= 1);
}
