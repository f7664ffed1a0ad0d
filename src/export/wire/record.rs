//! A record of any signal as one line: a JSON object, or text for people.

use super::{json::Json, lines::Lines, log, point, span, utc::Utc};
use crate::{
    log::LogRecord,
    metric::{DataPoint, Kind, SeriesValue},
    pipeline::{Batch, OneLine, Signal},
    trace::{SpanRecord, Status},
};

/// A record that can be written as a line.
pub(crate) trait Line: Signal {
    /// Writes it as one JSON object of the service `service`, without a line break.
    fn json(&self, service: &str, out: &mut Vec<u8>);

    /// Writes it as [`json`](Self::json) does, with the field names of the Elastic Common Schema where that
    /// has a place for it.
    fn ecs(&self, service: &str, out: &mut Vec<u8>) {
        self.json(service, out);
    }

    /// Writes it for people. Control characters are escaped.
    fn human(&self, text: &mut String) -> std::fmt::Result;

    /// As [`human`](Self::human), for a terminal that shows colours.
    fn colored(&self, text: &mut String) -> std::fmt::Result {
        self.human(text)
    }
}

/// How records become lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Format {
    Human,
    Colored,
    #[default]
    Json,
    Ecs,
}

/// Adds a line for each record of `batch`.
pub(crate) fn write<S: Line>(lines: &mut Lines, format: Format, service: &str, batch: &Batch<S>) {
    for record in batch {
        lines.line(|out| match format {
            Format::Json => record.json(service, out),
            Format::Ecs => record.ecs(service, out),
            Format::Human => people(out, |text| record.human(text)),
            Format::Colored => people(out, |text| record.colored(text)),
        });
    }
}

fn people(out: &mut Vec<u8>, write: impl FnOnce(&mut String) -> std::fmt::Result) {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text);
    out.extend_from_slice(text.as_bytes());
}

impl Line for SpanRecord {
    fn json(&self, service: &str, out: &mut Vec<u8>) {
        Json::new(out).object(|object| {
            object.field("signal").plain(Self::NAME);
            object.field("service.name").str(service);
            span::fields(object, self);
        });
    }

    fn human(&self, text: &mut String) -> std::fmt::Result {
        use std::fmt::Write as _;
        write!(
            text,
            "{} {:>10} {} {} {} trace={} span={}",
            Utc(self.start().unix_nanos()),
            format!("{:.1?}", self.duration()),
            OneLine(self.name()),
            self.kind().as_str(),
            if self.is_open() { "open" } else { self.outcome().as_str() },
            self.trace_id(),
            self.span_id(),
        )?;
        if let Some(parent) = self.parent_span_id() {
            write!(text, " parent={parent}")?;
        }
        match self.status() {
            Status::Error(description) if !description.is_empty() => {
                write!(text, " status=error: {}", OneLine(description))?;
            }
            Status::Unset => {}
            status => write!(text, " status={}", status.as_str())?,
        }
        for attribute in span::last_of_each_key(self.attributes()) {
            write!(text, " {}=", OneLine(&attribute.key))?;
            write!(text, "{}", OneLine(&attribute.value.to_string()))?;
        }
        Ok(())
    }
}

impl Line for LogRecord {
    fn json(&self, service: &str, out: &mut Vec<u8>) {
        Json::new(out).object(|object| {
            object.field("signal").plain(Self::NAME);
            object.field("service.name").str(service);
            log::fields(object, self);
        });
    }

    fn ecs(&self, service: &str, out: &mut Vec<u8>) {
        Json::new(out).object(|object| log::ecs_fields(object, service, self));
    }

    fn human(&self, text: &mut String) -> std::fmt::Result {
        log::human(text, self, "", "")
    }

    fn colored(&self, text: &mut String) -> std::fmt::Result {
        log::human(text, self, log::color(self.severity()), "\u{1b}[0m")
    }
}

impl Line for DataPoint {
    fn json(&self, service: &str, out: &mut Vec<u8>) {
        Json::new(out).object(|object| {
            object.field("signal").plain(Self::NAME);
            object.field("service.name").str(service);
            point::fields(object, self);
        });
    }

    fn human(&self, text: &mut String) -> std::fmt::Result {
        use std::fmt::Write as _;
        let labels =
            if self.labels().is_empty() { String::new() } else { self.labels().to_string() };
        let date = Utc(self.taken().unix_nanos());
        write!(text, "{date} {}{}", OneLine(self.name()), OneLine(&labels))?;
        match self.value() {
            SeriesValue::Counter(sum) => write!(text, " {sum}")?,
            SeriesValue::UpDownCounter(sum) => write!(text, " {sum}")?,
            SeriesValue::Histogram(values) => {
                write!(text, " count={} sum={}", values.count(), values.sum())?;
                for (name, value) in
                    [("p50", values.p50()), ("p90", values.p90()), ("p99", values.p99())]
                {
                    if let Some(value) = value {
                        write!(text, " {name}={value:.4}")?;
                    }
                }
            }
            SeriesValue::Summary(summary) => {
                write!(text, " count={} sum={}", summary.count, summary.sum)?;
            }
            value => write!(text, " {}", value.as_f64())?,
        }
        if !matches!(self.kind(), Kind::Info | Kind::StateSet) && !self.unit().as_str().is_empty() {
            write!(text, " {}", OneLine(self.unit().as_str()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::{self, ManualClock},
        export::wire::span::sample,
        metric::{Registry, Temporality, Unit},
    };

    fn human(record: &impl Line) -> String {
        let mut text = String::new();
        record.human(&mut text).unwrap();
        text
    }

    #[test]
    fn a_span_is_one_line_with_its_duration_and_ids() {
        assert_eq!(
            human(&sample("check\nout\u{1b}[2J")),
            "2020-01-01T00:00:00.000000Z     12.5ms check\\nout\\u{1b}[2J server error \
             trace=0000000000000000000000000000000a span=000000000000000b parent=000000000000000c \
             status=error: no money cart=7"
        );
    }

    #[test]
    fn a_data_point_is_one_line_with_its_labels_and_unit() {
        let _installed = clock::enter(Some(ManualClock::new()));
        let registry = Registry::builder().label("zone", "b\n").build();
        registry.counter("orders", "").unit(Unit::new("{order}")).build().unwrap().add(12);
        registry.histogram("wait", "").unit(Unit::Seconds).build().unwrap().record(1.0);
        let points = registry.snapshot().data_points(Temporality::Cumulative);
        let lines: Vec<_> = points.iter().map(human).collect();
        assert_eq!(lines[0], r#"2020-01-01T00:00:00.000000Z orders{zone="b\n"} 12 {order}"#);
        assert!(
            lines[1]
                .ends_with(r#"wait{zone="b\n"} count=1 sum=1 p50=0.9946 p90=0.9946 p99=0.9946 s"#),
            "{}",
            lines[1]
        );
    }

    #[test]
    fn every_json_line_says_its_signal_and_its_service() {
        let registry = Registry::new();
        registry.counter("orders", "").build().unwrap().inc();
        let mut lines = [Vec::new(), Vec::new()];
        sample("checkout").json("shop \"a\"", &mut lines[0]);
        registry.snapshot().data_points(Temporality::Cumulative)[0]
            .json("shop \"a\"", &mut lines[1]);
        let signals = lines.map(|line| {
            let read: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(read["service.name"], "shop \"a\"");
            read["signal"].as_str().unwrap().to_owned()
        });
        assert_eq!(signals, ["spans", "metrics"]);
    }
}
