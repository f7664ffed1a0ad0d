//! fastrace, with metrics by the facade `metrics` and its recorder for Prometheus ([`super::red`]).
//!
//! `FastraceLayer` of fastrace-axum makes the root span from `traceparent`. The reporter counts and drops; it
//! is called every two milliseconds, because at its default, every second, the bounded channel to it
//! overflows. A log line is `log::info!` through logforth, whose authors are fastrace's: as JSON, with the
//! trace's id by its diagnostic, or as an event in the span, which is not a line but has less to format.

use std::time::Duration;

use axum::extract::Path;
use fastrace::collector::{Config, Reporter, SpanRecord};
use fastrace_axum::FastraceLayer;
use logforth::{
    Append, Diagnostic, Error, Layout as _,
    append::FastraceEvent,
    bridge::log::LogBridge,
    diagnostic::FastraceDiagnostic,
    layout::JsonLayout,
    record::{Level, LevelFilter, Record},
};
use metrics_exporter_prometheus::PrometheusHandle;

use super::{
    app::{self, Arrived, BODY},
    lines::Sink,
    red,
};

struct Null {
    spans: Arrived,
    events: Arrived,
}

impl Reporter for Null {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        self.spans.add_known(spans.iter().map(|span| span.trace_id.0));
        self.events.add(spans.iter().map(|span| span.events.len()).sum());
    }
}

pub fn plain() -> Box<dyn FnMut(u64)> {
    let (spans, _) = reported();
    let (red, handle) = red::by_facade();
    let app = app::app(app::order).layer(red).layer(FastraceLayer::default());
    app::serve(app, move |total| settle(&handle, &spans, total))
}

pub fn logged() -> Box<dyn FnMut(u64)> {
    let (spans, _) = reported();
    let (red, handle) = red::by_facade();
    let sink = Sink::default();
    let lines = Lines { layout: JsonLayout::default(), sink: sink.clone() };
    logger(lines);
    let app = app::app(order).layer(red).layer(FastraceLayer::default());
    app::serve(app, move |total| {
        sink.assert_lines(total);
        settle(&handle, &spans, total)
    })
}

pub fn event() -> Box<dyn FnMut(u64)> {
    let (spans, events) = reported();
    let (red, handle) = red::by_facade();
    logger(FastraceEvent::default());
    let app = app::app(order).layer(red).layer(FastraceLayer::default());
    app::serve(app, move |total| {
        let lost = settle(&handle, &spans, total);
        lost + total - events.get()
    })
}

async fn order(Path(id): Path<u64>) -> &'static str {
    log::info!("order.id" = id; "order {id} is asked for");
    BODY
}

fn reported() -> (Arrived, Arrived) {
    let (spans, events) = (Arrived::default(), Arrived::default());
    let reporter = Null { spans: spans.clone(), events: events.clone() };
    fastrace::set_reporter(reporter, Config::default().report_interval(Duration::from_millis(2)));
    (spans, events)
}

fn logger(append: impl Append) {
    let logger = logforth::core::builder().dispatch(|dispatch| {
        dispatch
            .filter(LevelFilter::MoreSevereEqual(Level::Info))
            .diagnostic(FastraceDiagnostic::default())
            .append(append)
    });
    let bridge = LogBridge::new(logger.build());
    log::set_boxed_logger(Box::new(bridge)).expect("the first logger");
    log::set_max_level(log::LevelFilter::Info);
}

/// Formats each record as JSON.
#[derive(Debug)]
struct Lines {
    layout: JsonLayout,
    sink: Sink,
}

impl Append for Lines {
    fn append(&self, record: &Record<'_>, ids: &[Box<dyn Diagnostic>]) -> Result<(), Error> {
        self.sink.take(&self.layout.format(record, ids)?);
        Ok(())
    }

    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// How many spans were lost.
fn settle(handle: &PrometheusHandle, spans: &Arrived, total: u64) -> u64 {
    fastrace::flush();
    red::assert_counted(handle, total);
    total - spans.get()
}
