//! An exporter of one's own: fifteen lines that send each span's name and outcome to a channel.
//!
//! `cargo run --example custom_exporter`

use std::{sync::mpsc, time::Duration};

use bellwether::{
    export::{Batch, Deadline, ExportError, ExportResult, Exporter, Route},
    trace::SpanRecord,
};

struct Names(mpsc::Sender<String>);

impl Exporter<SpanRecord> for Names {
    fn export(&mut self, batch: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        for (sent, span) in batch.iter().enumerate() {
            let line = format!("{} {:?}", span.name(), span.outcome());
            // Nobody listens: nobody ever will, so what is unsent is dropped, and counted.
            self.0
                .send(line)
                .map_err(|error| ExportError::reject(error).unsent(batch.skip(sent)))?;
        }
        Ok(())
    }
}

fn main() -> Result<(), bellwether::Error> {
    let (names, read) = mpsc::channel();
    let telemetry = bellwether::builder("custom").export(Route::new(Names(names))).start()?;
    for name in ["catalog", "checkout"] {
        let _span = bellwether::span(name).enter();
    }
    let report = telemetry.shutdown(Duration::from_secs(5));

    let lines: Vec<String> = read.iter().collect();
    assert_eq!(lines, ["catalog Ok", "checkout Ok"]);
    assert_eq!(
        report.to_string(),
        "Names spans offered=2 delivered=2 held=0 dropped=0\n\
         offered=2 delivered=2 held=0 dropped=0"
    );
    println!("{}\n{report}", lines.join("\n"));
    Ok(())
}
