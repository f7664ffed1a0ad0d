//! OpenTelemetry below tracing, as most services have it: `OtelAxumLayer` of axum-tracing-opentelemetry makes
//! the span and reads `traceparent`, tracing-opentelemetry's layer makes OpenTelemetry's span of it, and the
//! histogram `http.server.request.duration` with its four attributes is written by hand ([`super::red`]).
//!
//! Of the layer's extras those that cost are off (location, threads, inactivity), and events stay out of the
//! span. A log line is `tracing::info!` with the trace's id of OpenTelemetry's context, to the JSON layer,
//! which is there for it only and does not format spans.

use axum::extract::Path;
use axum_tracing_opentelemetry::middleware::OtelAxumLayer;
use opentelemetry::{
    Context, KeyValue, global,
    trace::{TraceContextExt as _, TracerProvider as _},
};
use tracing::Subscriber;
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, filter_fn},
    fmt,
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use super::{
    app::{self, BODY},
    lines::Sink,
    otel::Providers,
    red::{self, Measured, Red},
};

pub fn plain() -> Box<dyn FnMut(u64)> {
    let providers = Providers::global();
    tracing_subscriber::registry().with(LevelFilter::INFO).with(spans(&providers)).init();
    let app = app::app(app::order).layer(measured()).layer(OtelAxumLayer::default());
    app::serve(app, move |total| providers.settle(total))
}

pub fn logged() -> Box<dyn FnMut(u64)> {
    let providers = Providers::global();
    let sink = Sink::default();
    let json = fmt::layer().json().with_current_span(false).with_span_list(false);
    tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(spans(&providers).with_filter(filter_fn(|of| of.is_span())))
        .with(json.with_writer(sink.clone()).with_filter(filter_fn(|of| of.is_event())))
        .init();
    let app = app::app(order).layer(measured()).layer(OtelAxumLayer::default());
    app::serve(app, move |total| {
        sink.assert_lines(total);
        providers.settle(total)
    })
}

async fn order(Path(id): Path<u64>) -> &'static str {
    let trace = Context::map_current(|context| context.span().span_context().trace_id());
    tracing::info!(trace_id = %trace, order.id = id, "order {id} is asked for");
    BODY
}

fn spans<S>(providers: &Providers) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    tracing_opentelemetry::layer()
        .with_tracer(providers.spans.tracer("service"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
}

fn measured() -> Red<impl Fn(&Measured<'_>) + Clone> {
    let histogram = global::meter("service")
        .f64_histogram(red::NAME)
        .with_unit("s")
        .with_boundaries(red::BOUNDS.to_vec())
        .build();
    Red(move |request: &Measured<'_>| {
        let attributes = [
            KeyValue::new("http.request.method", request.method),
            KeyValue::new("http.route", request.route.to_owned()),
            KeyValue::new("http.response.status_code", i64::from(request.status.as_u16())),
            KeyValue::new("url.scheme", "http"),
        ];
        histogram.record(request.duration.as_secs_f64(), &attributes);
    })
}
