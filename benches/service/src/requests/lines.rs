//! Metrics by the facade `metrics` with its recorder for Prometheus ([`super::red`]), and tracing's spans as
//! lines of JSON to a sink.
//!
//! tower-http's `TraceLayer` makes the span, with the trace's id of `traceparent` as a field, and a line at
//! `info` once the response is there, which is all that is left of the span: there is no exporter of spans,
//! no id of the span itself, and nothing that a call to another service could send on. So it does less than
//! the others. A log line is `tracing::info!`; the list of spans in it has the trace's id.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    extract::{Path, Request},
};
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tracing::{Level, Span};
use tracing_subscriber::fmt::MakeWriter;

use super::{
    app::{self, Arrived, BODY},
    red,
};

/// Counts lines, keeps the first one and drops the others.
#[derive(Clone, Debug, Default)]
pub struct Sink {
    lines: Arrived,
    first: Arc<OnceLock<Vec<u8>>>,
}

impl Sink {
    pub fn take(&self, line: &[u8]) {
        self.lines.add(1);
        self.first.get_or_init(|| line.to_owned());
    }

    /// Asserts that there are so many lines, and that the first one has a trace's id.
    pub fn assert_lines(&self, n: u64) {
        assert_eq!(self.lines.get(), n);
        let first = String::from_utf8_lossy(self.first.get().map_or(b"", Vec::as_slice));
        let id = format!("\"{:032x}\"", app::trace(1));
        assert!(first.contains(&id), "{first}");
    }
}

impl io::Write for &Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.take(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

pub fn plain() -> Box<dyn FnMut(u64)> {
    measured(app::app(app::order), 1)
}

pub fn logged() -> Box<dyn FnMut(u64)> {
    measured(app::app(order), 2)
}

/// With so many lines a request.
fn measured(app: Router, lines: u64) -> Box<dyn FnMut(u64)> {
    let sink = Sink::default();
    let json = tracing_subscriber::fmt().json().with_current_span(false);
    json.with_max_level(Level::INFO).with_writer(sink.clone()).init();
    let (red, handle) = red::by_facade();
    let trace = TraceLayer::new_for_http()
        .make_span_with(span)
        .on_request(())
        .on_response(DefaultOnResponse::new().level(Level::INFO));
    app::serve(app.layer(red).layer(trace), move |total| {
        red::assert_counted(&handle, total);
        sink.assert_lines(lines * total);
        0
    })
}

fn span(request: &Request) -> Span {
    let parent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    tracing::info_span!(
        "request",
        method = request.method().as_str(),
        path = request.uri().path(),
        trace_id = parent.and_then(|parent| parent.split('-').nth(1)),
    )
}

async fn order(Path(id): Path<u64>) -> &'static str {
    tracing::info!(order.id = id, "order {id} is asked for");
    BODY
}
