//! bellwether: `ServerLayer::axum()` and `bellwether::info!`.
//!
//! The telemetry has a route for spans and one for logs. Metrics have no route: its worker reads them each
//! second into its history. Besides the duration it measures requests in flight and the sizes of bodies.

use std::time::Duration;

use axum::extract::Path;
use bellwether::{
    Telemetry,
    export::{Batch, Deadline, ExportResult, Exporter, File, Route},
    integration::tower::ServerLayer,
    log::LogRecord,
    trace::SpanRecord,
};

use super::app::{self, Arrived, BODY};

struct Null(Arrived);

impl Exporter<SpanRecord> for Null {
    fn export(&mut self, batch: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        self.0.add_known(batch.iter().map(|span| span.trace_id().to_u128()));
        Ok(())
    }
}

impl Exporter<LogRecord> for Null {
    fn export(&mut self, batch: &Batch<LogRecord>, _: &Deadline) -> ExportResult<LogRecord> {
        self.0
            .add_known(batch.iter().filter_map(|record| record.trace_id()).map(|id| id.to_u128()));
        Ok(())
    }
}

pub fn plain() -> Box<dyn FnMut(u64)> {
    let spans = Arrived::default();
    let telemetry = started(&spans, Route::<LogRecord>::new(Null(Arrived::default())));
    let app = app::app(app::order).layer(ServerLayer::axum());
    app::serve(app, move |total| {
        settle(&telemetry, total, 1);
        total - spans.get()
    })
}

pub fn logged() -> Box<dyn FnMut(u64)> {
    let (spans, lines) = (Arrived::default(), Arrived::default());
    let telemetry = started(&spans, Route::<LogRecord>::new(Null(lines.clone())));
    let app = app::app(order).layer(ServerLayer::axum());
    app::serve(app, move |total| {
        settle(&telemetry, total, 2);
        2 * total - spans.get() - lines.get()
    })
}

/// As [`logged`], but the worker writes the lines into a file, where others write JSON to a sink.
pub fn to_file() -> Box<dyn FnMut(u64)> {
    let spans = Arrived::default();
    let path = crate::place();
    let telemetry = started(&spans, Route::<LogRecord>::new(File::open(path).expect("a file")));
    let app = app::app(order).layer(ServerLayer::axum());
    app::serve(app, move |total| 2 * total - settle(&telemetry, total, 2))
}

async fn order(Path(id): Path<u64>) -> &'static str {
    bellwether::info!("order {id} is asked for", order.id = id);
    BODY
}

fn started(spans: &Arrived, logs: Route<LogRecord>) -> Telemetry {
    let route = Route::<SpanRecord>::new(Null(spans.clone()));
    bellwether::builder("service").export(route).export(logs).start().expect("nothing else runs")
}

/// How many records were delivered, of which each request makes so many.
fn settle(telemetry: &Telemetry, total: u64, each: u64) -> u64 {
    let report = telemetry.flush(Duration::from_secs(20));
    let totals = report.totals();
    assert!(report.settled, "{report}");
    assert_eq!(totals.offered, each * total, "{report}");
    assert_eq!(totals.delivered + totals.dropped, each * total, "{report}");
    let snapshot = telemetry.snapshot();
    let family = snapshot.family("http.server.request.duration").expect("requests");
    let counts = family.series().iter().filter_map(|series| series.value().as_histogram());
    assert_eq!(counts.map(|histogram| histogram.count()).sum::<u64>(), total);
    totals.delivered
}
