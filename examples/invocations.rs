//! A function that is invoked and then frozen, as serverless platforms do it: one call delivers everything that
//! an invocation has recorded, before the platform may stop the process for good.
//!
//! `cargo run --example invocations`
//!
//! A batch job is one invocation: it calls `shutdown` where this calls `flush`.

use std::time::Duration;

use bellwether::{
    Counter,
    export::{Memory, Route},
    info,
    log::LogRecord,
    metric::DataPoint,
    trace::SpanRecord,
};

static RESIZED: Counter = Counter::new("images.resized", "Images that were resized");

/// The work of an invocation.
fn resize(image: &str) {
    let _span = bellwether::span("resize").enter();
    RESIZED.inc();
    info!("resized {image}");
}

fn main() -> Result<(), bellwether::Error> {
    let (spans, logs) = (Memory::<SpanRecord>::new(), Memory::<LogRecord>::new());
    let points = Memory::<DataPoint>::new();
    let telemetry = bellwether::builder("resizer")
        .export(spans.clone())
        .export(logs.clone())
        .export(Route::new(points.clone()))
        .start()?;

    for (n, image) in ["a.png", "b.png", "c.png"].into_iter().enumerate() {
        resize(image);
        // Takes readings of all metrics too. The platform's own time limit is the bound.
        let report = telemetry.flush(Duration::from_secs(2));
        // Nothing waits in memory while the process is frozen.
        assert!(report.settled && report.totals().held == 0, "{report}");
        assert_eq!((spans.len(), logs.len()), (n + 1, n + 1));
        let readings = points.take();
        let resized = readings.iter().find(|point| point.name() == "images.resized");
        let n_resized = resized.map(|point| point.value().as_f64());
        assert_eq!(n_resized, Some((n + 1) as f64));
        println!("{image}\n{report}\n");
    }
    Ok(())
}
