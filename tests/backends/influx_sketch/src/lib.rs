//! Metrics to InfluxDB, as lines over HTTP: a sketch by the public API of bellwether alone.
//!
//! What it has to cope with: a server that takes a part of what it is sent and says how much it did not; one
//! that is busy, or finds a request too large; values that the protocol cannot express. A point has the same
//! series and time however often it is written, so that nothing is doubled by a retry.

mod line;

use bellwether::{
    Error,
    export::{Backend, Batch, Deadline, Encoder, ExportError, Payload, Route, Routes, SendResult},
    export::{Sender, Setup},
    metric::{DataPoint, HistogramSnapshot, SeriesValue},
    transport::{Compression, Endpoint, HttpAnswer, HttpPost, HttpPoster},
};

pub use line::Line;

/// Writes metrics to a database of InfluxDB 1, or of what takes the same: InfluxDB 2, VictoriaMetrics.
#[derive(Clone, Debug)]
pub struct Influx {
    endpoint: Endpoint,
    database: String,
}

impl Influx {
    /// Writes to `database`, whose name has letters, digits, `_`, `-` and `.` alone.
    pub fn new(endpoint: impl Into<Endpoint>, database: &str) -> Self {
        Self { endpoint: endpoint.into(), database: database.to_owned() }
    }
}

impl Backend for Influx {
    fn routes(self, routes: &mut Routes) {
        routes.add(Route::<DataPoint>::from(self));
    }
}

impl From<Influx> for Route<DataPoint> {
    fn from(influx: Influx) -> Self {
        let poster = HttpPoster::new(influx.endpoint).compressing(Compression::Gzip);
        let timeout = poster.time_limit();
        let path = format!("/write?db={}&precision=ns", influx.database);
        Self::wire(Points::default(), Write { poster, path })
            .settings(|settings| settings.attempt_timeout = timeout)
    }
}

/// Points as lines, each with the service as a tag: a line says all that it is.
#[derive(Debug, Default)]
struct Points {
    service: String,
}

impl Encoder<DataPoint> for Points {
    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        setup.service_name().clone_into(&mut self.service);
        Ok(())
    }

    /// A point that no line can express is a record without bytes.
    fn encode(&mut self, batch: &Batch<DataPoint>) -> Payload {
        let mut payload = Payload::new();
        for point in batch {
            payload.record(|bytes| {
                let mut line = Line::new(bytes, point.name());
                line.tag("service.name", &self.service);
                point.labels().iter().for_each(|(key, value)| line.tag(key, value));
                fields(&mut line, point.value());
                line.end(i64::try_from(point.taken().timestamp().unix_nanos()).unwrap_or(i64::MAX));
            });
        }
        payload
    }

    fn format(&self) -> &str {
        "influx.metrics.1"
    }
}

fn fields(line: &mut Line<'_>, value: &SeriesValue) {
    match value {
        SeriesValue::Counter(sum) => match i64::try_from(*sum) {
            Ok(sum) => line.int("value", sum),
            Err(_) => line.float("value", *sum as f64),
        },
        SeriesValue::UpDownCounter(sum) => line.int("value", *sum),
        SeriesValue::FloatCounter(value) | SeriesValue::Gauge(value) => line.float("value", *value),
        SeriesValue::Info => line.int("value", 1),
        SeriesValue::State(holds) => line.bool("value", *holds),
        SeriesValue::Histogram(histogram) => distribution(line, histogram),
        SeriesValue::Summary(summary) => {
            line.int("count", i64::try_from(summary.count).unwrap_or(i64::MAX));
            line.float("sum", summary.sum);
        }
        _ => {} // Of a later version.
    }
}

fn distribution(line: &mut Line<'_>, histogram: &HistogramSnapshot) {
    line.int("count", i64::try_from(histogram.count()).unwrap_or(i64::MAX));
    line.float("sum", histogram.sum());
    for (key, value) in [
        ("min", histogram.min()),
        ("max", histogram.max()),
        ("p50", histogram.p50()),
        ("p99", histogram.p99()),
    ] {
        line.float(key, value.unwrap_or(f64::NAN));
    }
}

/// Posts lines.
#[derive(Debug)]
struct Write {
    poster: HttpPoster,
    path: String,
}

impl Sender for Write {
    fn start(&mut self, _: &Setup) -> Result<(), Error> {
        self.poster.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let post = HttpPost::new("text/plain; charset=utf-8", payload.bytes());
        let answer = self.poster.post(post.path(&self.path).reading(1 << 16), deadline)?;
        let place = format!("InfluxDB at {}", self.poster);
        let n_written = payload.records().filter(|line| !line.is_empty()).count();
        if let Some(n_dropped) = dropped(&answer) {
            let n = payload.len() - n_written + n_dropped.min(n_written);
            let error: ExportError<Payload> = answer.error(&place, |_| false);
            return Err(ExportError::partial(n, error));
        }
        answer.settle(&place, |status| status == 429 || status >= 500)?;
        match payload.len() - n_written {
            0 => Ok(()),
            n => Err(ExportError::partial(n, "a line has no finite value")),
        }
    }

    fn name(&self) -> &str {
        "influx"
    }
}

/// How many points were not written, where the others were: `partial write: … dropped=3`. What is `beyond
/// the retention policy` is said in the same words.
fn dropped(answer: &HttpAnswer) -> Option<usize> {
    if !matches!(answer.status(), 400 | 422) {
        return None;
    }
    let said = String::from_utf8_lossy(answer.body());
    let (_, said) = said.split_once("partial write")?;
    let (_, number) = said.rsplit_once("dropped=")?;
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok()
}
