//! Log records as lines.

use super::{
    encoder::Point,
    line::Line,
    options::Options,
    span::{id, json_attributes},
    tags::Tags,
};
use crate::{export::wire::counts, label::Value, log::LogRecord};

impl Point for LogRecord {
    const FORMAT: &str = "influx.logs.1";

    fn write(&self, out: &mut Vec<u8>, options: &Options, tags: &mut Tags) {
        let mut line = Line::new(out, "", "logs");
        let own = [
            ("severity_text", self.severity_text()),
            ("target", self.target()),
            ("event.name", self.event_name().unwrap_or_default()),
        ];
        let wanted = &options.attribute_tags;
        tags.put_all(&mut line, &own, wanted, self.attributes());
        line.int("severity_number", self.severity().number().into());
        match self.body() {
            Value::String(text) => line.str("body", text),
            value => line.str("body", &value.to_string()),
        }
        if let (Some(trace), Some(span)) = (self.trace_id(), self.span_id()) {
            id(&mut line, "trace_id", trace);
            id(&mut line, "span_id", span);
        }
        json_attributes(&mut line, self.attributes());
        if let Some((file, at)) = self.location() {
            line.str("code.file.path", file);
            line.int("code.line.number", at.into());
        }
        if self.observed() != LogRecord::time(self) {
            line.count("observed_timestamp", self.observed().unix_nanos());
        }
        for (key, n) in counts::of_log(self, counts::OF_LOGS) {
            line.count(key, n);
        }
        let time = tags.distinct(self.time().unix_nanos());
        tags.note(line.end(time));
    }
}
