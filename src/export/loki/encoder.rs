//! Log records as entries: a record is one entry, with the labels of its stream.

use super::{
    frame,
    labels::{LEVEL, Labels, Taken, level_of},
    metadata::{Metadata, Names, is_own},
    names::name_of,
    options::{LokiForm, LokiLine, LokiLongLines, Options},
    text::{cut, text_of},
};
use crate::{
    context::hex,
    error::Error,
    export::wire::{counts, doubling::Doubling, record::Line as _, span::last_of_each_key},
    log::LogRecord,
    pipeline::{Batch, Encoder, Payload, Setup},
};

/// Encodes log records.
#[derive(Debug)]
pub(super) struct Entries {
    options: Options,
    service: String,
    labels: Labels,
    /// Attributes of the resource that each entry has, under legal names.
    of_resource: Vec<(String, String)>,
    names: Names,
    times: Times,
    /// Lines and values that were cut, or left out.
    cuts: Doubling,
    /// For lines, and for values, that are no texts.
    line: Vec<u8>,
    value: Vec<u8>,
}

impl Entries {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            service: String::new(),
            labels: Labels::default(),
            of_resource: Vec::new(),
            names: Names::default(),
            times: Times::default(),
            cuts: Doubling::default(),
            line: Vec::new(),
            value: Vec::new(),
        }
    }

    /// The attributes of the resource that are asked for and no labels, under names that differ.
    fn resource_metadata(&self, setup: &Setup) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = Vec::new();
        let keys = &self.options.resource_metadata;
        for (place, key) in keys.iter().enumerate() {
            let Some(value) = setup.resource().get(key) else { continue };
            if self.labels.has_key(key) || keys[..place].contains(key) {
                continue;
            }
            let name = name_of(key);
            let is_taken = |name: &str| {
                let mut labels = self.labels.names();
                is_own(name) || labels.any(|it| it == name) || all.iter().any(|it| it.0 == name)
            };
            let others = (2..).map(|n| format!("{name}_{n}"));
            let free = std::iter::once(name.clone()).chain(others).find(|name| !is_taken(name));
            all.extend(free.map(|name| (name, value.to_string())));
        }
        all
    }

    fn write(&mut self, out: &mut Vec<u8>, record: &LogRecord) {
        let Self { options, labels, value, .. } = self;
        let whole: &str = match (options.line, record.body()) {
            (LokiLine::Body, body) => text_of(body, &mut self.line),
            (LokiLine::Json | LokiLine::Ecs, _) => {
                self.line.clear();
                match options.line {
                    LokiLine::Ecs => record.ecs(&self.service, &mut self.line),
                    _ => record.json(&self.service, &mut self.line),
                }
                str::from_utf8(&self.line).unwrap_or_default()
            }
        };
        let line = cut(whole, options.most_line);
        let is_cut = line.len() < whole.len();
        if is_cut && options.long_lines == LokiLongLines::Reject {
            return;
        }
        let time = self.times.distinct(record.time().unix_nanos());
        let taken = frame::begin(out, time, |out| labels.write(out, record, value));
        options.form.begin(out, time, line);
        let mut metadata = Metadata::new(options.form, out, &mut self.names);
        if is_cut {
            metadata.print("line_bytes", whole.len(), value);
        }
        ids(&mut metadata, record);
        self.of_resource.iter().for_each(|(name, value)| metadata.own(name, value));
        if !options.has_level {
            metadata.own(LEVEL, level_of(record.severity()));
        }
        if options.line == LokiLine::Body {
            own(&mut metadata, record, value);
            attributes(&mut metadata, record, labels, taken, value);
        }
        self.cuts.add(u64::from(is_cut) + u64::from(metadata.end(value)));
    }
}

fn ids(metadata: &mut Metadata<'_>, record: &LogRecord) {
    fn text(digits: &[u8]) -> &str {
        str::from_utf8(digits).unwrap_or_default()
    }
    if let Some(id) = record.trace_id() {
        metadata.own("trace_id", text(&hex::encode32(id.to_u128())));
    }
    if let Some(id) = record.span_id() {
        metadata.own("span_id", text(&hex::encode16(id.to_u64())));
    }
}

/// Adds what the line and the labels do not say of a record, its attributes apart.
fn own(metadata: &mut Metadata<'_>, record: &LogRecord, room: &mut Vec<u8>) {
    let severity = record.severity();
    if severity.as_str() != severity.level() {
        metadata.print("severity_number", severity.number(), room);
    }
    if record.severity_text() != severity.as_str() {
        metadata.own("severity_text", record.severity_text());
    }
    if !record.target().is_empty() {
        metadata.own("target", record.target());
    }
    if let Some(name) = record.event_name() {
        metadata.own("event_name", name);
    }
    if let Some((file, line)) = record.location() {
        metadata.own("code_file_path", file);
        metadata.print("code_line_number", line, room);
    }
    if record.observed() != record.time() {
        metadata.print("observed_timestamp", record.observed().unix_nanos(), room);
    }
    for (name, n) in counts::of_log(record, counts::OF_LOGS) {
        metadata.print(name, n, room);
    }
}

/// Adds the attributes that are no labels.
fn attributes(
    metadata: &mut Metadata<'_>,
    record: &LogRecord,
    labels: &Labels,
    taken: Taken,
    room: &mut Vec<u8>,
) {
    for attribute in last_of_each_key(record.attributes()) {
        if !labels.is_label(&attribute.key, taken) {
            metadata.attribute(&attribute.key, text_of(&attribute.value, room));
        }
    }
}

impl Encoder<LogRecord> for Entries {
    fn encode(&mut self, batch: &Batch<LogRecord>) -> Payload {
        self.times = Times::default();
        let payload = Payload::each(batch, |out, record| self.write(out, record));
        self.cuts.report("loki", "lines or values are cut to what Loki takes");
        payload
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        self.labels = Labels::new(&self.options, setup)?;
        setup.service_name().clone_into(&mut self.service);
        self.of_resource = self.resource_metadata(setup);
        let others = self.of_resource.iter().map(|(name, _)| &**name);
        self.names = Names::new(self.labels.names().chain(others));
        Ok(())
    }

    fn format(&self) -> &str {
        match self.options.form {
            LokiForm::Protobuf => "loki.protobuf.1",
            LokiForm::Json => "loki.json.1",
        }
    }
}

/// Times that differ: Loki takes two entries of a stream for one that have the same time, line and structured
/// metadata.
#[derive(Debug, Default)]
struct Times {
    /// The last time that was asked for, and what it became.
    last: Option<(u64, u64)>,
}

impl Times {
    /// A time that none of the records has that came in order before this one.
    fn distinct(&mut self, nanos: u64) -> u64 {
        let given = match self.last {
            // What was moved may have reached this one too.
            Some((asked, given)) if asked <= nanos => nanos.max(given.wrapping_add(1)),
            _ => nanos,
        };
        self.last = Some((nanos, given));
        given.min(i64::MAX.unsigned_abs()) // Go keeps no later ones.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_in_order_have_times_that_differ() {
        let mut times = Times::default();
        let given = [5, 5, 5, 6, 100, 100, 7].map(|nanos| times.distinct(nanos));
        assert_eq!(given, [5, 6, 7, 8, 100, 101, 7]);
        assert_eq!(
            [u64::MAX, u64::MAX].map(|nanos| times.distinct(nanos)),
            [i64::MAX.unsigned_abs(); 2]
        );
    }
}
