//! `install` sets the global providers and the propagator, and what is recorded by them goes the way of
//! all records of ours. One process, one story.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rule is the library's own"
)]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bellwether::{
    export::Memory,
    integration::opentelemetry::{install, logger_provider},
    log::LogRecord as OurRecord,
    metric::Registry,
    pipeline::{Batch, Deadline, ExportResult, Exporter, Route},
    trace::{SpanRecord, sampler::AlwaysOn},
};
use opentelemetry::{
    KeyValue, global,
    logs::{LogRecord as _, Logger as _, LoggerProvider as _},
    trace::{Span as _, TraceContextExt as _, Tracer as _},
};

/// Uses the API while it exports, as an HTTP client that is instrumented would.
struct Instrumented(Arc<Mutex<Vec<String>>>);

fn use_the_api(name: &'static str) {
    let tracer = global::tracer("library");
    tracer.in_span(name, |context| {
        context.span().set_attribute(KeyValue::new("n", 1));
        global::meter("library").u64_counter("calls").build().add(1, &[KeyValue::new("by", name)]);
        let logger = logger_provider().logger("library");
        let mut record = logger.create_log_record();
        record.set_body(name.into());
        logger.emit(record);
    });
}

impl Exporter<SpanRecord> for Instrumented {
    fn export(&mut self, batch: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        use_the_api("export");
        self.0.lock().unwrap().extend(batch.iter().map(|span| span.name().to_owned()));
        Ok(())
    }
}

#[test]
fn what_is_recorded_by_the_global_providers_is_delivered_and_exporters_are_not_traced() {
    let early = global::tracer("early");
    install();
    early.start("before `install` nothing is recorded").end();
    let (spans, logs) = (Memory::<SpanRecord>::new(), Memory::<OurRecord>::new());
    let exported = Arc::new(Mutex::new(Vec::new()));
    let telemetry = bellwether::builder("installed")
        .sampler(AlwaysOn)
        .export(spans.clone())
        .export(logs.clone())
        .export(Route::new(Instrumented(exported.clone())))
        .start()
        .unwrap();

    let headers = HashMap::from([(
        "traceparent".to_owned(),
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
    )]);
    let caller = global::get_text_map_propagator(|propagator| propagator.extract(&headers));
    let guard = caller.attach();
    use_the_api("work");
    drop(guard);
    for _ in 0..3 {
        telemetry.flush(Duration::from_secs(20));
    }

    let records = spans.records();
    let [work] = &*records else { panic!("{records:?}") };
    assert_eq!(work.name(), "work");
    assert_eq!(work.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(*exported.lock().unwrap(), ["work"]);
    let records = logs.records();
    let [record] = &*records else { panic!("{records:?}") };
    assert_eq!(record.span_id(), Some(work.span_id()));
    let calls = |by| {
        let labels = [("otel.scope.name", "library"), ("by", by)];
        Registry::global().snapshot().value("calls", &labels).map(|value| value.as_f64())
    };
    assert_eq!(calls("work"), Some(1.0));
    assert_eq!(calls("export"), Some(1.0), "measurements are not records that would never end");
    let report = telemetry.shutdown(Duration::from_secs(20));
    assert_eq!(report.open_spans, 0);
    let mut late = global::tracer("late").start("after the shutdown");
    assert!(!late.is_recording());
    late.end();
}
