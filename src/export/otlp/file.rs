//! Requests of OTLP as lines of a file.

use super::{
    encoder::OtlpEncoder,
    metric::{Histograms, MOST_BUCKETS},
    request,
    signal::{Encoding, OtlpSignal},
};
use crate::{
    error::Error,
    export::{Backend, File, Routes, wire::record::Line},
    log::LogRecord,
    metric::DataPoint,
    pipeline::{
        Batch, Deadline, Encoder as _, ExportError, ExportResult, Exporter, Payload, Route, Setup,
        Signal,
    },
    trace::SpanRecord,
};

/// Appends requests of OTLP to a file, as lines of JSON: what the Collector's `otlpjsonfile` receiver reads.
///
/// A line has records of one signal, with their resource. It has at most 256 KiB of records, unless it has
/// only one: the receiver takes lines of 1 MiB unless it is set otherwise. How the file is opened and rotated
/// is chosen with a [`File`], whose page says what happens when it cannot be written. After an error in the
/// middle of a line, a part of it stays, on a line of its own, and the whole is written again.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("bellwether-doc-otlp-{}", std::process::id()));
/// use bellwether::export::{File, otlp::OtlpFile};
///
/// let file = File::builder(folder.join("shop.otlp.jsonl")).create_folder().rotate_bytes(64 << 20).open()?;
/// let telemetry = bellwether::builder("shop").export(OtlpFile::new(file)).start()?;
/// # drop(telemetry);
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder writes nothing"]
pub struct OtlpFile {
    file: File,
}

/// A larger run of records is not one line.
const LINE_BYTES: usize = 256 << 10;

impl OtlpFile {
    /// Appends to `file`.
    pub fn new(file: File) -> Self {
        Self { file }
    }
}

impl Backend for OtlpFile {
    fn routes(self, routes: &mut Routes) {
        routes.add(Route::<SpanRecord>::from(self.clone()));
        routes.add(Route::<DataPoint>::from(self.clone()));
        routes.add(Route::<LogRecord>::from(self));
    }
}

macro_rules! route {
    ($($record:ty)*) => {
        $(
            /// The route of one signal alone.
            impl From<OtlpFile> for Route<$record> {
                fn from(otlp: OtlpFile) -> Self {
                    Self::new(OtlpLines::new(otlp.file))
                }
            }
        )*
    };
}

route!(SpanRecord DataPoint LogRecord);

/// Writes the records of a signal.
struct OtlpLines<S> {
    file: File,
    encoder: OtlpEncoder<S>,
}

/// A line.
struct RequestLine(Vec<u8>);

impl<S: OtlpSignal> OtlpLines<S> {
    fn new(file: File) -> Self {
        let histograms = Histograms::Exponential(MOST_BUCKETS);
        Self { file, encoder: OtlpEncoder::new(Encoding::Json, histograms) }
    }
}

impl<S: OtlpSignal> Exporter<S> for OtlpLines<S> {
    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        self.encoder.start(setup)
    }

    fn export(&mut self, batch: &Batch<S>, deadline: &Deadline) -> ExportResult<S> {
        let (mut payload, mut lines, mut ends) =
            (self.encoder.encode(batch), Vec::new(), Vec::new());
        while !payload.is_empty() {
            let n = fitting(&payload);
            // What the encoder wrote is of its form.
            let body = request::body(&payload.first(n), S::NAMES, Encoding::Json);
            lines.push(RequestLine(body.unwrap_or_default()));
            ends.push(ends.last().copied().unwrap_or(0) + n);
            payload = payload.skip(n);
        }
        let lines = Batch::from(lines);
        self.file.export(&lines, deadline).map_err(|error: ExportError<Batch<RequestLine>>| {
            let n_written = error.as_unsent().map_or(0, |unsent| lines.len() - unsent.len());
            let n_records = n_written.checked_sub(1).map_or(0, |last| ends[last]);
            let unsent = batch.skip(n_records);
            match error.is_retry() {
                true => ExportError::retry(&error).unsent(unsent),
                false => ExportError::reject(&error).unsent(unsent),
            }
        })
    }

    fn name(&self) -> &str {
        "otlp-file"
    }

    fn destination(&self) -> Option<String> {
        Exporter::<RequestLine>::destination(&self.file)
    }
}

/// How many of the first records are one line.
fn fitting(payload: &Payload) -> usize {
    let mut bytes = 0;
    let fit = payload.records().take_while(|record| {
        bytes += record.len();
        bytes <= LINE_BYTES
    });
    fit.count().max(1)
}

impl Signal for RequestLine {
    const NAME: &'static str = "requests";

    type RouteOptions = ();

    fn weight(&self) -> usize {
        self.0.capacity()
    }
}

impl Line for RequestLine {
    fn json(&self, _service: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn human(&self, text: &mut String) -> std::fmt::Result {
        text.push_str(&String::from_utf8_lossy(&self.0));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{log::LogSeverity, pipeline::Pipe};
    use std::time::Duration;

    #[test]
    fn each_line_is_a_request_and_long_runs_are_several() {
        let folder = std::env::temp_dir().join(format!("bellwether-otlp-{}", std::process::id()));
        let path = folder.join("shop.jsonl");
        let file = File::builder(&path).create_folder().open().unwrap();
        let route = Route::<LogRecord>::from(OtlpFile::new(file));
        let pipe = Pipe::start(route, &Setup::default()).unwrap();
        let record =
            |n: usize| LogRecord::new(LogSeverity::INFO, format!("{n}{}", "x".repeat(9_000)));
        pipe.push((0..100).map(record).collect::<Vec<_>>());
        assert_eq!(pipe.shutdown(Duration::from_secs(20)).delivered, 100);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        let mut bodies = Vec::new();
        for line in text.lines() {
            assert!(line.len() < 300 << 10);
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let logs = line["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap();
            bodies
                .extend(logs.iter().map(|log| log["body"]["stringValue"].as_str().unwrap().len()));
        }
        assert!((4..9).contains(&text.lines().count()), "{}", text.lines().count());
        assert_eq!(bodies.len(), 100);
        assert!(bodies.is_sorted());
    }
}
