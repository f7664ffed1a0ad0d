//! The service, and what calls it.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::Path,
    handler::Handler,
    http::{HeaderValue, Request, StatusCode, Uri},
    routing::get,
};
use http_body_util::BodyExt as _;
use tower::Service as _;

pub const BODY: &str = r#"{"state":"paid","items":3}"#;

/// The handler of those that log nothing.
pub async fn order(Path(id): Path<u64>) -> &'static str {
    black_box(id);
    BODY
}

pub fn app<T: 'static>(handler: impl Handler<T, ()>) -> Router {
    Router::new().route("/orders/{id}", get(handler))
}

/// What is measured without telemetry.
pub fn bare() -> Box<dyn FnMut(u64)> {
    serve(app(order), |_| 0)
}

/// Has `app` answer requests. `settle` gets their total so far: it flushes, asserts that all of them were
/// counted, and returns how many records were lost.
pub fn serve(app: Router, mut settle: impl FnMut(u64) -> u64 + 'static) -> Box<dyn FnMut(u64)> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut app = app.with_state(());
    let requests = requests();
    let mut total = 0;
    Box::new(move |n| {
        runtime.block_on(async {
            for request in requests.iter().cycle().take(n as usize) {
                answer(&mut app, request).await;
            }
        });
        total += n;
        crate::LOST.store(settle(total), Ordering::Relaxed);
    })
}

async fn answer(app: &mut Router, (uri, trace): &(Uri, HeaderValue)) {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri.clone();
    request.headers_mut().insert("host", HeaderValue::from_static("shop.example"));
    request.headers_mut().insert("traceparent", trace.clone());
    let Ok(response) = app.call(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.expect("a body").data_ref().map_or(0, |data| data.len());
    }
    assert_eq!(length, BODY.len());
}

/// Paths and sampled traces, each another.
fn requests() -> Vec<(Uri, HeaderValue)> {
    let request = |n: u64| {
        let trace = format!("00-{:032x}-{:016x}-01", trace(n), n + 7);
        let uri = format!("/orders/{n}").try_into().expect("a path");
        (uri, trace.try_into().expect("a header"))
    };
    (1..=REQUESTS).map(request).collect()
}

const REQUESTS: u64 = 1000;

/// The id of the trace that the `n`th request belongs to.
pub const fn trace(n: u64) -> u128 {
    ((n * n + 1) as u128) << 64 | n as u128
}

/// Whether `id` came with a request.
fn is_known(id: u128) -> bool {
    (1..=REQUESTS).contains(&(id as u64)) && id == trace(id as u64)
}

/// What arrived at an exporter, with the id of the trace that its request belongs to.
#[derive(Clone, Debug, Default)]
pub struct Arrived(Arc<AtomicU64>);

impl Arrived {
    pub fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    /// Adds those that came with a request.
    pub fn add_known(&self, ids: impl Iterator<Item = u128>) {
        self.add(ids.filter(|id| is_known(*id)).count());
    }

    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
