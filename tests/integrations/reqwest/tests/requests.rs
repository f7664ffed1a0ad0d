//! Requests to a real server, and to none.

use std::{
    collections::HashMap,
    future::{pending, poll_fn},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use axum::{
    Router,
    extract::Request as Incoming,
    http::{HeaderMap, StatusCode, header::LOCATION},
    response::{IntoResponse, Response as Answer},
};
use bellwether::{
    context::Outcome,
    integration::reqwest::{Traced, TracedClient, noted_redirects},
    testing::{self, Scope},
    trace::{self, SpanKind, SpanRecord, Status},
};
use reqwest::{Client, Url, redirect::Policy};
use tokio::sync::Notify;

/// A server, and the headers of what it was asked.
struct Server {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    /// Notified when a request to `/hang` has come.
    hangs: Arc<Notify>,
}

impl Server {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, hangs) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
        let (of, notified) = (heard.clone(), hangs.clone());
        let app = Router::new().fallback(move |request: Incoming| {
            let path = request.uri().path().to_owned();
            of.lock().unwrap().push((path.clone(), request.headers().clone()));
            answer(path, notified.clone())
        });
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, heard, hangs }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The header of each request so far, with its path.
    fn heard(&self, header: &str) -> Vec<(String, String)> {
        let heard = self.heard.lock().unwrap();
        let text = |headers: &HeaderMap| {
            headers.get(header).map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        heard.iter().map(|(path, headers)| (path.clone(), text(headers))).collect()
    }

    /// The labels of what is measured of a request to it.
    fn labels(&self, status: &'static str, error: &'static str) -> HashMap<&'static str, String> {
        HashMap::from([
            ("http.request.method", "GET".to_owned()),
            ("server.address", self.address.ip().to_string()),
            ("server.port", self.address.port().to_string()),
            ("http.response.status_code", status.to_owned()),
            ("error.type", error.to_owned()),
        ])
    }
}

async fn answer(path: String, hangs: Arc<Notify>) -> Answer {
    match &*path {
        "/fails" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "/missing" => StatusCode::NOT_FOUND.into_response(),
        "/first" => (StatusCode::FOUND, [(LOCATION, "/second?token=s3cr3t")]).into_response(),
        "/second" => (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, "/here")]).into_response(),
        "/loop" => (StatusCode::FOUND, [(LOCATION, "/loop")]).into_response(),
        "/hang" => {
            hangs.notify_one();
            pending().await
        }
        _ => "hello".into_response(),
    }
}

/// The address of a server that ends its answer before the body has ended.
fn cut() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfour").unwrap();
    });
    address
}

fn client() -> TracedClient {
    TracedClient::from(Client::builder().no_proxy().build().unwrap())
}

/// The count of what is measured with these labels.
fn measured(scope: &Scope, labels: HashMap<&str, String>) -> f64 {
    let labels: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (*key, &**value)).collect();
    scope.value("http.client.request.duration", &labels)
}

fn attribute(span: &SpanRecord, key: &str) -> Option<String> {
    let found = span.attributes().iter().find(|attribute| attribute.key == key)?;
    Some(found.value.to_string())
}

/// All of a span that is text.
fn everything(span: &SpanRecord) -> String {
    format!("{span:?}")
}

#[tokio::test]
async fn a_request_has_a_span_below_the_current_one_and_the_server_gets_its_context() {
    let (scope, server) = (testing::scope(), Server::start().await);
    let outer = bellwether::span("order").enter();
    let response = client().get(server.url("/items/7?q=1")).template("/items/{id}").send().await;
    assert_eq!(response.unwrap().text().await.unwrap(), "hello");
    drop(outer);

    let tree = scope.span_tree();
    assert!(tree.starts_with("order ok\n  GET /items/{id} ok "), "{tree}");
    let span = scope.span("GET /items/{id}");
    assert_eq!(span.kind(), SpanKind::Client);
    let header = &server.heard("traceparent")[0].1;
    let expected = format!("00-{}-{}-0", span.trace_id(), span.span_id());
    assert!(header.starts_with(&expected), "{header} does not begin with {expected}");
    let port = server.address.port().to_string();
    for (key, expected) in [
        ("http.request.method", "GET"),
        ("server.address", "127.0.0.1"),
        ("server.port", &*port),
        ("url.full", &*server.url("/items/7?q=1")),
        ("url.template", "/items/{id}"),
        ("network.protocol.version", "1.1"),
        ("network.peer.address", "127.0.0.1"),
    ] {
        assert_eq!(attribute(&span, key).as_deref(), Some(expected), "{key}");
    }
    assert_eq!(attribute(&span, "http.response.status_code").as_deref(), Some("200"));
    assert_eq!(attribute(&span, "http.response.body.size").as_deref(), Some("5"));
    assert_eq!(attribute(&span, "error.type"), None);
    assert_eq!(attribute(&span, "http.request.resend_count"), None);
    assert_eq!(measured(&scope, server.labels("200", "")), 1.0);
}

#[tokio::test]
async fn a_single_request_is_traced_and_its_body_is_measured() {
    let (scope, server) = (testing::scope(), Server::start().await);
    let client = Client::builder().no_proxy().build().unwrap();
    let request = client.post(server.url("/")).body("four").traced().resend_count(2);
    request.map(|request| request.header("x-own", "kept")).send().await.unwrap();
    let span = scope.span("POST");
    assert_eq!(attribute(&span, "http.request.body.size").as_deref(), Some("4"));
    assert_eq!(attribute(&span, "http.request.resend_count").as_deref(), Some("2"));
    assert_eq!(server.heard("x-own")[0].1, "kept");
    let mut labels = server.labels("200", "");
    labels.insert("http.request.method", "POST".to_owned());
    let labels: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (*key, &**value)).collect();
    assert_eq!(scope.value("http.client.request.body.size", &labels), 1.0);
}

#[tokio::test]
async fn a_status_of_an_error_is_one_of_the_span_and_of_what_is_measured() {
    let (scope, server) = (testing::scope(), Server::start().await);
    for (path, status) in [("/fails", "500"), ("/missing", "404")] {
        let response = client().get(server.url(path)).template(path).send().await.unwrap();
        assert_eq!(response.status().as_str(), status);
        let span = scope.span(&format!("GET {path}"));
        assert_eq!(span.outcome(), Outcome::Error);
        assert_eq!(attribute(&span, "error.type").as_deref(), Some(status));
        assert_eq!(*span.status(), Status::Error("".into()));
        assert!(span.events().is_empty(), "{:?}", span.events());
        assert_eq!(measured(&scope, server.labels(status, status)), 1.0);
    }
}

#[tokio::test]
async fn a_connection_that_is_refused_is_an_error_with_a_kind_and_without_the_url() {
    let scope = testing::scope();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://joe77:pw88@127.0.0.1:{port}/x?q=visible&token=s3cr3t");
    let error = client().get(&url).send().await.unwrap_err();
    assert!(error.is_connect() && error.url().is_some(), "it is as reqwest gave it: {error:?}");

    let span = scope.span("GET");
    assert_eq!(span.outcome(), Outcome::Error);
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("connect"));
    assert_eq!(attribute(&span, "http.response.status_code"), None);
    let named = |event: &str| format!("{:?}", span.events()).contains(event);
    assert!(named("reqwest::") && !named("WithoutUrl"), "{:?}", span.events());
    let exception = span.events().iter().find(|event| event.name() == "exception").unwrap();
    let texts = format!("{exception:?}");
    assert!(texts.contains("error sending request") && texts.contains("refused"), "{texts}");
    for secret in ["joe77", "pw88", "s3cr3t"] {
        assert!(!everything(&span).contains(secret), "{secret} is in {span:?}");
    }
    let text = format!("{:?}", scope.snapshot());
    assert!(text.contains("connect") && !text.contains("s3cr3t"));
}

#[tokio::test]
async fn credentials_and_secrets_are_in_no_record() {
    let (scope, server) = (testing::scope(), Server::start().await);
    let url = format!("http://joe77:pw88@{}/a?sig=s3cr3t&q=1#token=frag", server.address);
    client().get(url).send().await.unwrap();
    let span = scope.span("GET");
    let shown = attribute(&span, "url.full").unwrap();
    assert!(shown.ends_with("/a?sig=REDACTED&q=1"), "{shown}");
    assert!(span.events().is_empty(), "no redirect: {:?}", span.events());
    for secret in ["joe77", "pw88", "s3cr3t", "frag"] {
        assert!(!everything(&span).contains(secret), "{secret} is in {span:?}");
    }
    let mut credentials = server.heard("authorization");
    assert!(credentials.remove(0).1.starts_with("Basic "), "they are sent all the same");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_a_timeout() {
    let (scope, server) = (testing::scope(), Server::start().await);
    let request = client().get(server.url("/hang?token=s3cr3t"));
    let request = request.map(|request| request.timeout(Duration::from_millis(50)));
    assert!(request.send().await.unwrap_err().is_timeout());
    let span = scope.span("GET");
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("timeout"));
    assert!(!everything(&span).contains("s3cr3t"), "{span:?}");
    assert_eq!(measured(&scope, server.labels("", "timeout")), 1.0);
}

#[tokio::test]
async fn a_future_that_is_dropped_is_a_cancelled_request() {
    let (scope, server) = (testing::scope(), Server::start().await);
    let sending = tokio::select! {
        biased;
        result = client().get(server.url("/hang")).send() => Some(result),
        () = server.hangs.notified() => None,
    };
    assert!(sending.is_none());
    let span = scope.span("GET");
    assert_eq!(span.outcome(), Outcome::Cancelled);
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("cancelled"));
    assert_eq!(measured(&scope, server.labels("", "cancelled")), 1.0);
    let labels = server.labels("", "");
    let labels: Vec<(&str, &str)> = ["http.request.method", "server.address", "server.port"]
        .map(|key| (key, &*labels[key]))
        .to_vec();
    scope.assert_value("http.client.active_requests", &labels, 0.0);
}

#[tokio::test]
async fn redirects_are_one_span_with_an_event_for_where_it_led() {
    let (scope, server) = (testing::scope(), Server::start().await);
    let response = client().get(server.url("/first")).send().await.unwrap();
    assert_eq!(response.url().as_str(), server.url("/here"));
    let span = scope.span("GET");
    let events = span.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(format!("{:?}", events[0]).contains("/here"), "{events:?}");
    let contexts = server.heard("traceparent");
    assert_eq!(contexts.len(), 3);
    assert!(contexts.iter().all(|(_, context)| *context == contexts[0].1));
    assert_eq!(measured(&scope, server.labels("200", "")), 1.0);
}

#[tokio::test]
async fn a_policy_notes_each_redirect_and_decides_as_before() {
    let (scope, server) = (testing::scope(), Server::start().await);
    let policy = noted_redirects(Policy::limited(3));
    let client = Client::builder().no_proxy().redirect(policy).build().unwrap();
    let client = TracedClient::from(client);
    client.get(server.url("/first")).template("/first").send().await.unwrap();
    let span = scope.span("GET /first");
    let events: Vec<String> = span.events().iter().map(|event| format!("{event:?}")).collect();
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0].contains("/second?token=REDACTED") && events[0].contains("302"));
    assert!(events[1].contains("/here") && events[1].contains("307"));

    let error = client.get(server.url("/loop")).template("/loop").send().await.unwrap_err();
    assert!(error.is_redirect());
    let span = scope.span("GET /loop");
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("redirect"));
    let redirects = span.events().iter().filter(|event| event.name() == "http.redirect");
    assert_eq!(redirects.count(), 4);
}

#[tokio::test]
async fn a_panic_while_it_is_sent_ends_the_request_at_once() {
    let (scope, server) = (testing::scope(), Server::start().await);
    let policy = Policy::custom(|_| panic!("expected by the test"));
    let client = Client::builder().no_proxy().redirect(policy).build().unwrap();
    let mut sending = Box::pin(TracedClient::from(client).get(server.url("/first")).send());
    let panicked = poll_fn(|context| {
        let poll = AssertUnwindSafe(|| sending.as_mut().poll(context));
        match catch_unwind(poll) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(_)) => Poll::Ready(false),
            Err(_) => Poll::Ready(true),
        }
    });
    assert!(panicked.await);
    let span = scope.span("GET");
    assert_eq!(span.outcome(), Outcome::Panic);
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("panic"));
    assert_eq!(measured(&scope, server.labels("", "panic")), 1.0);
    drop(sending);
    assert_eq!(scope.spans().len(), 1);
    assert!(!bellwether::current().span().is_valid());
    assert_eq!(measured(&scope, server.labels("", "panic")), 1.0);
}

#[tokio::test]
async fn a_request_to_nowhere_is_an_error_by_its_kind() {
    let scope = testing::scope();
    assert!(client().get("ftp://127.0.0.1/").send().await.unwrap_err().is_builder());
    assert_eq!(attribute(&scope.span("GET"), "error.type").as_deref(), Some("builder"));
    assert!(client().head("odd://nowhere/").send().await.unwrap_err().is_builder());
    assert_eq!(attribute(&scope.span("HEAD"), "server.port"), None, "nobody knows it");
}

#[tokio::test]
async fn a_request_can_last_until_its_body_has_ended() {
    let (scope, server) = (testing::scope(), Server::start().await);
    let client = client().until_body_ends();
    let response = client.get(server.url("/whole")).template("/whole").send().await.unwrap();
    assert!(scope.spans().is_empty(), "the body is still to come");
    assert_eq!(response.url().as_str(), server.url("/whole"));
    assert!(response.remote_addr().is_some());
    assert_eq!(response.text().await.unwrap(), "hello");
    let span = scope.span("GET /whole");
    assert_eq!(attribute(&span, "http.response.body.size").as_deref(), Some("5"));
    assert_eq!(span.outcome(), Outcome::Ok);
    assert_eq!(measured(&scope, server.labels("200", "")), 1.0);

    let cut = Server { address: cut(), ..server };
    let response = client.get(cut.url("/")).template("/cut").send().await.unwrap();
    assert!(response.bytes().await.is_err());
    let span = scope.span("GET /cut");
    assert_eq!(span.outcome(), Outcome::Error);
    let kind = attribute(&span, "error.type").unwrap();
    let kind = ["body", "decode"].into_iter().find(|known| *known == kind).unwrap();
    assert_eq!(measured(&scope, cut.labels("200", kind)), 1.0);

    let server = Server::start().await;
    let response = client.get(server.url("/left")).template("/left").send().await.unwrap();
    drop(response);
    assert_eq!(scope.span("GET /left").outcome(), Outcome::Cancelled);

    let response = client.head(server.url("/none")).send().await.unwrap();
    assert_eq!(scope.span("HEAD").outcome(), Outcome::Ok, "there is no body to come");
    drop(response);
}

#[tokio::test]
async fn what_a_muted_thread_sends_is_neither_traced_nor_measured() {
    let (scope, server) = (testing::scope(), Server::start().await);
    let sending = {
        let _muted = trace::mute();
        client().get(server.url("/")).send()
    };
    assert_eq!(sending.await.unwrap().status(), 200);
    assert!(scope.spans().is_empty());
    assert!(
        scope
            .snapshot()
            .family("http.client.request.duration")
            .is_none_or(|family| { family.series().is_empty() })
    );
    assert_eq!(server.heard("traceparent")[0].1, "");
}

#[tokio::test]
async fn a_request_that_cannot_be_built_is_none() {
    let scope = testing::scope();
    let error = client().get("no url").send().await.unwrap_err();
    assert!(error.is_builder());
    assert!(scope.spans().is_empty());
}

#[tokio::test]
async fn an_unknown_method_is_one_of_others() {
    let (scope, server) = (testing::scope(), Server::start().await);
    let method = reqwest::Method::from_bytes(b"PURGE").unwrap();
    client().request(method, server.url("/")).send().await.unwrap();
    let span = scope.span("HTTP");
    assert_eq!(attribute(&span, "http.request.method").as_deref(), Some("_OTHER"));
    assert_eq!(attribute(&span, "http.request.method_original").as_deref(), Some("PURGE"));
}

#[tokio::test]
async fn a_classifier_of_reqwests_own_retries_runs_in_the_span_of_the_request() {
    let (scope, server) = (testing::scope(), Server::start().await);
    let policy = reqwest::retry::for_host("127.0.0.1").no_budget().max_retries_per_request(2);
    let policy = policy.classify_fn(|attempt| {
        if attempt.status().is_some_and(|status| status.is_server_error()) {
            trace::add_event("http.retry", []);
            return attempt.retryable();
        }
        attempt.success()
    });
    let client = Client::builder().no_proxy().retry(policy).build().unwrap();
    TracedClient::from(client).get(server.url("/fails")).send().await.unwrap();
    let span = scope.span("GET");
    assert_eq!(server.heard("traceparent").len(), 3);
    assert!(span.events().iter().filter(|event| event.name() == "http.retry").count() >= 2);
    assert_eq!(measured(&scope, server.labels("500", "500")), 1.0);
}

#[tokio::test]
async fn a_client_is_a_service_below_a_layer_that_retries() {
    #[derive(Clone)]
    struct Twice(u8);

    impl tower::retry::Policy<reqwest::Request, reqwest::Response, reqwest::Error> for Twice {
        type Future = std::future::Ready<()>;

        fn retry(
            &mut self,
            _: &mut reqwest::Request,
            result: &mut Result<reqwest::Response, reqwest::Error>,
        ) -> Option<Self::Future> {
            let failed = result.as_ref().is_ok_and(|response| response.status().is_server_error());
            (failed && self.0 > 0).then(|| {
                self.0 -= 1;
                std::future::ready(())
            })
        }

        fn clone_request(&mut self, request: &reqwest::Request) -> Option<reqwest::Request> {
            request.try_clone()
        }
    }

    let (scope, server) = (testing::scope(), Server::start().await);
    let service = tower::retry::Retry::new(Twice(1), client());
    let url = Url::parse(&server.url("/fails")).unwrap();
    let request = reqwest::Request::new(reqwest::Method::GET, url);
    let response = tower::ServiceExt::oneshot(service, request).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(scope.spans().len(), 2);
    assert_eq!(measured(&scope, server.labels("500", "500")), 2.0);
    let contexts = server.heard("traceparent");
    assert_ne!(contexts[0].1, contexts[1].1, "each attempt has a span of its own");
}

#[tokio::test]
async fn nothing_is_left_current_between_polls() {
    let (scope, server) = (testing::scope(), Server::start().await);
    let mut sending = pin!(client().get(server.url("/hang")).send());
    let poll = sending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(poll, Poll::Pending));
    assert!(!bellwether::current().span().is_valid());
    drop(scope);
}
