//! Log records as messages of RFC 5424, without a frame around them.

use super::{
    data::{Data, MARKS},
    options::Options,
    text,
};
use crate::{
    error::{Error, ErrorKind},
    export::wire::{counts, doubling::Doubling, log::date, priority, span::last_of_each_key},
    label::Value,
    log::LogRecord,
    pipeline::{Batch, Encoder, Payload, Setup},
    resource::Resource,
};

/// Encodes log records.
#[derive(Debug)]
pub(super) struct Messages {
    options: Options,
    /// How a message begins, for each of syslog's severities: `<14>1 `.
    begins: [String; 8],
    /// What stands between the time and the message's name: ` host app 4711 `.
    origin: Vec<u8>,
    /// Parameters of the resource.
    resource: Vec<(String, String)>,
    cut: Doubling,
}

/// The limits of the fields of a header (RFC 5424, 6).
const MOST_HOST_NAME: usize = 255;
const MOST_APP_NAME: usize = 48;
const MOST_MESSAGE_ID: usize = 32;

/// U+FEFF, which says that the text is UTF-8.
const BOM: &str = "\u{feff}";

impl Messages {
    pub(super) fn new(options: Options) -> Self {
        let facility = options.facility as usize;
        let begins = std::array::from_fn(|severity| format!("<{}>1 ", 8 * facility + severity));
        let origin = b" - - - ".to_vec();
        Self { options, begins, origin, resource: Vec::new(), cut: Doubling::default() }
    }

    /// Notes who speaks.
    fn read_resource(&mut self, resource: &Resource, service: &str) {
        let text = |key: &str| resource.get(key).map(ToString::to_string);
        let host = self.options.host_name.clone().or_else(|| text("host.name"));
        let host = host.or_else(|| Resource::detected().get("host.name").map(ToString::to_string));
        let app = self.options.app_name.as_deref().unwrap_or(service);
        self.origin.clear();
        self.origin.push(b' ');
        text::field(&mut self.origin, host.as_deref().unwrap_or_default(), MOST_HOST_NAME);
        self.origin.push(b' ');
        text::field(&mut self.origin, app, MOST_APP_NAME);
        self.origin.extend_from_slice(format!(" {} ", std::process::id()).as_bytes());
        let params = self.options.resource_params.iter();
        self.resource =
            params.filter_map(|(key, name)| Some((name.to_string(), text(key)?))).collect();
    }

    fn write(&mut self, out: &mut Vec<u8>, record: &LogRecord) {
        let begin = out.len();
        self.header(out, record);
        let data = out.len();
        self.params(Data::new(out, &self.options.sd_id, usize::MAX), record).close();
        let message = out.len();
        self.message(out, record.body());
        let end = begin.saturating_add(self.options.most_bytes);
        if out.len() > end {
            let n_message = out.len() - message;
            out.truncate(data);
            self.write_cut(out, record, n_message, end);
        }
    }

    /// Writes what follows the header, so that it ends at `end`: parameters that have no room are left out, and the
    /// message, which would take `n_message` bytes, is cut. It may have half of the room, and more where the
    /// parameters need less.
    fn write_cut(&mut self, out: &mut Vec<u8>, record: &LogRecord, n_message: usize, end: usize) {
        let for_message = n_message.min(end.saturating_sub(out.len()) / 2);
        let data = Data::new(out, &self.options.sd_id, end.saturating_sub(for_message + MARKS));
        self.params(data, record).close_with_marks(n_message, end);
        self.message(out, record.body());
        text::cut(out, end);
        self.cut.add(1);
    }

    fn header(&self, out: &mut Vec<u8>, record: &LogRecord) {
        let begin = &self.begins[usize::from(priority::of(record.severity()))];
        out.extend_from_slice(begin.as_bytes());
        out.extend_from_slice(&date(record.time())[..MICROSECONDS]);
        out.push(b'Z');
        out.extend_from_slice(&self.origin);
        text::field(out, message_id(record), MOST_MESSAGE_ID);
        out.push(b' ');
    }

    fn params<'a>(&self, mut data: Data<'a>, record: &LogRecord) -> Data<'a> {
        if let (Some(trace), Some(span)) = (record.trace_id(), record.span_id()) {
            data.plain("trace_id", trace);
            data.plain("span_id", span);
        }
        for attribute in last_of_each_key(record.attributes()) {
            data.attribute(&attribute.key, &attribute.value);
        }
        let target = record.target();
        let is_said = record.event_name().is_none() && text::is_field(target, MOST_MESSAGE_ID);
        if !(is_said || target.is_empty()) {
            data.text("target", target);
        }
        if let Some(text) = priority::more_than_that(record.severity(), record.severity_text()) {
            data.text("severity_text", text);
        }
        for (name, n) in counts::of_log(record, counts::OF_LOGS) {
            data.count(name, n);
        }
        if record.observed() != record.time() {
            data.text("observed", str::from_utf8(&date(record.observed())).unwrap_or_default());
        }
        for (name, value) in &self.resource {
            if !record.attributes().iter().any(|attribute| attribute.key == **name) {
                data.text(name, value);
            }
        }
        if let Some((file, line)) = record.location() {
            data.text("code.file.path", file);
            data.count("code.line.number", line.into());
        }
        data
    }

    /// Writes the message, with the space before it. An empty one is none.
    fn message(&self, out: &mut Vec<u8>, body: &Value) {
        let begin = out.len();
        out.push(b' ');
        if self.options.has_bom {
            out.extend_from_slice(BOM.as_bytes());
        }
        let opened = out.len();
        match body {
            Value::String(text) => text::message(out, text),
            value => text::message(out, &value.to_string()),
        }
        if out.len() == opened {
            out.truncate(begin);
        }
    }
}

/// How much of a date is without the last three digits of the nanoseconds: more than six are not legal.
const MICROSECONDS: usize = "0000-00-00T00:00:00.000000".len();

/// What kind of message it is (RFC 5424, 6.2.7).
fn message_id(record: &LogRecord) -> &str {
    record.event_name().unwrap_or_else(|| record.target())
}

impl Encoder<LogRecord> for Messages {
    fn encode(&mut self, batch: &Batch<LogRecord>) -> Payload {
        let payload = Payload::each(batch, |out, record| self.write(out, record));
        let most = self.options.most_bytes;
        self.cut.report("syslog", format_args!("messages were cut, to {most} bytes"));
        payload
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        let id = &*self.options.sd_id;
        if !is_private_id(id) {
            let text = format!("the SD-ID {id:?} is not name@number, of at most 32 characters");
            return Err(Error::new(ErrorKind::InvalidOption, text));
        }
        self.read_resource(setup.resource(), setup.service_name());
        Ok(())
    }

    fn format(&self) -> &str {
        "syslog.logs.1"
    }
}

/// Whether an SD-ID is one that everybody may choose (RFC 5424, 7): names without a number are IANA's.
fn is_private_id(id: &str) -> bool {
    let Some((name, number)) = id.split_once('@') else { return false };
    let parts = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    id.len() <= text::MOST_NAME
        && !name.is_empty()
        && name.bytes().all(text::is_of_name)
        && number.split('.').all(parts)
}
