//! A log record as the fields of a JSON object: in the schema of [`File`](crate::export::File), or in the
//! Elastic Common Schema.

use std::fmt::{self, Write as _};

use super::{
    counts,
    json::Object,
    span::{attributes, count, last_of_each_key},
    utc::Utc,
};
use crate::{
    clock::Timestamp,
    label::Value,
    log::{LogRecord, LogSeverity},
    pipeline::OneLine,
    util::civil::civil,
};

/// Writes `record` for people, its level between `before` and `after`.
pub(super) fn human(
    text: &mut String,
    record: &LogRecord,
    before: &str,
    after: &str,
) -> fmt::Result {
    let date = Utc(record.time().unix_nanos());
    write!(text, "{date} {before}{:<5}{after}", record.severity())?;
    if !record.target().is_empty() {
        write!(text, " {}:", OneLine(record.target()))?;
    }
    write!(text, " {}", OneLine(&record.body().to_string()))?;
    for attribute in last_of_each_key(record.attributes()) {
        write!(text, " {}=", Word(&attribute.key))?;
        write!(text, "{}", Word(&attribute.value.to_string()))?;
    }
    if let (Some(trace), Some(span)) = (record.trace_id(), record.span_id()) {
        write!(text, " trace={trace} span={span}")?;
    }
    match record.repeated() {
        0 => Ok(()),
        n => write!(text, " (and {n} more like it)"),
    }
}

/// Text that is one word of a line: in quotes if it is not one by itself, so that no value can pretend to be
/// several.
struct Word<'a>(&'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_word = |character: char| !character.is_whitespace() && !"=\"\\".contains(character);
        if !self.0.is_empty() && self.0.chars().all(is_word) {
            return OneLine(self.0).fmt(f);
        }
        f.write_char('"')?;
        for piece in self.0.split_inclusive(['"', '\\']) {
            let (plain, last) = match piece.strip_suffix(['"', '\\']) {
                Some(plain) => (plain, piece.chars().next_back()),
                None => (piece, None),
            };
            OneLine(plain).fmt(f)?;
            if let Some(last) = last {
                write!(f, "\\{last}")?;
            }
        }
        f.write_char('"')
    }
}

/// The colour of a level on a terminal (ECMA-48, "Select Graphic Rendition").
pub(super) fn color(severity: LogSeverity) -> &'static str {
    match severity {
        grave if grave >= LogSeverity::ERROR => "\u{1b}[31m", // Red.
        grave if grave >= LogSeverity::WARN => "\u{1b}[33m",  // Yellow.
        grave if grave >= LogSeverity::INFO => "\u{1b}[32m",  // Green.
        _ => "\u{1b}[2m",                                     // Dim.
    }
}

/// The version of the Elastic Common Schema that the names are of.
const ECS_VERSION: &str = "8.11.0";

/// Writes the fields of `record`.
pub(super) fn fields(object: &mut Object<'_>, record: &LogRecord) {
    object.field("timestamp").bare(&date(record.time()));
    object.field("level").bare(record.severity().as_str().as_bytes());
    if !record.target().is_empty() {
        object.field("target").str(record.target());
    }
    object.field("message").value(record.body());
    if let Some(name) = record.event_name() {
        object.field("event_name").str(name);
    }
    if let Some(trace_id) = record.trace_id() {
        object.field("trace_id").plain(trace_id);
    }
    if let Some(span_id) = record.span_id() {
        object.field("span_id").plain(span_id);
    }
    if let Some((file, line)) = record.location() {
        object.field("file").str(file);
        object.field("line").u64(line.into());
    }
    if record.severity_text() != record.severity().as_str() {
        object.field("severity_text").str(record.severity_text());
    }
    if record.observed() != record.time() {
        object.field("observed").bare(&date(record.observed()));
    }
    attributes(object, record.attributes(), record.dropped_attributes());
    count(object, "truncated_texts", record.truncated_texts());
    count(object, "repeated", record.repeated());
    if record.suppressed() > 0 {
        object.field("suppressed").u64(record.suppressed());
    }
}

/// Writes the fields of `record` and of its service in the Elastic Common Schema. Attributes are at the top
/// level under their own keys, unless one has the key of a field that is there already: then it is in
/// `labels`.
pub(super) fn ecs_fields(object: &mut Object<'_>, service: &str, record: &LogRecord) {
    // The three that ECS loggers write first, in their order.
    object.field("@timestamp").bare(&date(record.time()));
    let level = record.severity_text().to_ascii_lowercase();
    object.field("log.level").str(&level);
    match record.body() {
        Value::String(text) => object.field("message").str(text),
        value => object.field("message").str(&value.to_string()),
    }
    object.field("ecs.version").bare(ECS_VERSION.as_bytes());
    object.field("service.name").str(service);
    if !record.target().is_empty() {
        object.field("log.logger").str(record.target());
    }
    if let Some(name) = record.event_name() {
        object.field("event.action").str(name);
    }
    if let Some(trace_id) = record.trace_id() {
        object.field("trace.id").plain(trace_id);
    }
    if let Some(span_id) = record.span_id() {
        object.field("span.id").plain(span_id);
    }
    if let Some((file, line)) = record.location() {
        object.field("log.origin.file.name").str(file);
        object.field("log.origin.file.line").u64(line.into());
    }
    if record.observed() != record.time() {
        object.field("event.created").bare(&date(record.observed()));
    }
    // So is what the fields are in, such as `log`: a value there would contradict them in an index.
    let is_in = |rest: &str| rest.is_empty() || rest.starts_with('.');
    let is_taken =
        |key: &str| ECS_KEYS.iter().any(|taken| taken.strip_prefix(key).is_some_and(is_in));
    let attributes = || last_of_each_key(record.attributes());
    for attribute in attributes().filter(|attribute| !is_taken(&attribute.key)) {
        object.field(&attribute.key).value(&attribute.value);
    }
    if attributes().any(|attribute| is_taken(&attribute.key)) {
        object.field("labels").object(|labels| {
            for attribute in attributes().filter(|attribute| is_taken(&attribute.key)) {
                labels.field(&attribute.key).value(&attribute.value);
            }
        });
    }
    for (key, n) in counts::of_log(record, counts::OF_ECS_LOGS) {
        object.field(key).u64(n);
    }
}

/// The keys that are ours to write.
const ECS_KEYS: &[&str] = &[
    "@timestamp",
    "log.level",
    "message",
    "ecs.version",
    "service.name",
    "log.logger",
    "event.action",
    "trace.id",
    "span.id",
    "log.origin.file.name",
    "log.origin.file.line",
    "event.created",
    "labels",
    "bellwether.log.dropped_attributes",
    "bellwether.log.truncated_texts",
    "bellwether.log.repeated",
    "bellwether.log.suppressed",
];

/// RFC 3339 with nanoseconds. Written digit by digit: `fmt` takes longer than the rest of a line.
pub(crate) fn date(time: Timestamp) -> [u8; 30] {
    let mut text = *b"0000-00-00T00:00:00.000000000Z";
    let nanos = time.unix_nanos();
    let (seconds, nanos) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let (year, month, day) = civil(seconds / 86_400);
    let second = seconds % 86_400;
    for (place, width, number) in [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, second / 3600),
        (14, 2, second / 60 % 60),
        (17, 2, second % 60),
        (20, 9, nanos),
    ] {
        let mut number = number;
        for digit in text[place..place + width].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    text
}

/// Builds a record for the tests of exporters.
#[cfg(test)]
pub(crate) fn sample(body: &'static str) -> LogRecord {
    use crate::context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    let (trace, span) = (TraceId::from_u128(10), SpanId::from_u64(11));
    let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, TraceState::EMPTY);
    LogRecord::new(LogSeverity::WARN, body)
        .with_time(Timestamp::from_unix_nanos(1_577_836_800_012_500_007))
        .with_target("shop::pay")
        .with_location("src/pay.rs", 42)
        .with_context(context)
        .with_attribute("cart", 7)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        clock::{self, ManualClock},
        export::wire::{json::Json, record::Line as _},
    };

    fn json(record: &LogRecord) -> String {
        let mut out = Vec::new();
        record.json("shop", &mut out);
        String::from_utf8(out).unwrap()
    }

    fn ecs(record: &LogRecord) -> serde_json::Value {
        let mut out = Vec::new();
        record.ecs("shop", &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_record_is_one_object_that_shippers_know_the_fields_of() {
        let _installed = clock::enter(Some(ManualClock::new()));
        assert_eq!(
            json(&sample("no money")),
            concat!(
                r#"{"signal":"logs","service.name":"shop","timestamp":"2020-01-01T00:00:00.012500007Z","#,
                r#""level":"WARN","target":"shop::pay","message":"no money","#,
                r#""trace_id":"0000000000000000000000000000000a","span_id":"000000000000000b","#,
                r#""file":"src/pay.rs","line":42,"observed":"2020-01-01T00:00:00.000000000Z","#,
                r#""attributes":{"cart":7}}"#
            )
        );
    }

    #[test]
    fn what_few_records_have_is_there_only_then() {
        let plain = json(&LogRecord::new(LogSeverity::INFO, 7));
        assert!(plain.contains(r#""message":7"#) && !plain.contains("trace_id"), "{plain}");
        for absent in ["target", "event_name", "severity_text", "observed", "repeated", "line"] {
            assert!(!plain.contains(absent), "{absent}: {plain}");
        }
        let rare = LogRecord::new(LogSeverity::new(10), "x")
            .with_event_name("cart.paid")
            .with_severity_text("notice");
        let read: serde_json::Value = serde_json::from_str(&json(&rare)).unwrap();
        assert_eq!((&read["level"], &read["severity_text"]), (&"INFO2".into(), &"notice".into()));
        assert_eq!(read["event_name"], "cart.paid");
    }

    #[test]
    fn ecs_names_are_those_of_the_schema_and_attributes_do_not_hide_them() {
        let record = sample("no money")
            .with_attribute("http.route", "/pay")
            .with_attribute("message", "mine")
            .with_attribute("trace", 1)
            .with_attribute("log.origin", 2)
            .with_attribute("bellwether", 3);
        let read = ecs(&record);
        for (key, value) in [
            ("@timestamp", "2020-01-01T00:00:00.012500007Z"),
            ("log.level", "warn"),
            ("message", "no money"),
            ("service.name", "shop"),
            ("log.logger", "shop::pay"),
            ("trace.id", "0000000000000000000000000000000a"),
            ("span.id", "000000000000000b"),
            ("log.origin.file.name", "src/pay.rs"),
            ("http.route", "/pay"),
        ] {
            assert_eq!(read[key], value, "{key}");
        }
        assert_eq!((&read["cart"], &read["labels"]["message"]), (&7.into(), &"mine".into()));
        assert_eq!(read["labels"]["trace"], 1);
        // A value in the place of an object would contradict it in an index.
        assert_eq!(
            (&read["labels"]["log.origin"], &read["labels"]["bellwether"]),
            (&2.into(), &3.into())
        );
        let text = {
            let mut out = Vec::new();
            record.ecs("shop", &mut out);
            out
        };
        assert!(text.starts_with(br#"{"@timestamp":""#));
    }

    #[test]
    fn no_value_of_a_line_for_people_can_pretend_to_be_several_or_run_backwards() {
        for (value, shown) in [
            ("tea", "tea"),
            ("", r#""""#),
            ("x trace=1", r#""x trace=1""#),
            (r#"say "hi" \"#, r#""say \"hi\" \\""#),
            ("a\tb", r#""a\tb""#),
            ("a\u{202e}b", r"a\u{202e}b"),
        ] {
            let mut text = String::new();
            LogRecord::new(LogSeverity::INFO, "x")
                .with_attribute("k", value)
                .human(&mut text)
                .unwrap();
            assert!(text.ends_with(&format!(" x k={shown}")), "{text}");
        }
    }

    #[test]
    fn a_line_for_people_has_a_color_only_where_one_is_asked_for() {
        let record = sample("no\nmoney\u{1b}[2J");
        let (mut plain, mut colored) = (String::new(), String::new());
        record.human(&mut plain).unwrap();
        record.colored(&mut colored).unwrap();
        assert_eq!(
            plain,
            "2020-01-01T00:00:00.012500Z WARN  shop::pay: no\\nmoney\\u{1b}[2J cart=7 \
             trace=0000000000000000000000000000000a span=000000000000000b"
        );
        assert_eq!(colored, plain.replacen("WARN ", "\u{1b}[33mWARN \u{1b}[0m", 1));
    }

    proptest! {
        #[test]
        fn whatever_a_record_says_it_is_one_line_of_json(
            body in any::<String>(), key in any::<String>(), value in any::<String>(),
        ) {
            let record = LogRecord::new(LogSeverity::INFO, &*body).with_attribute(key.clone(), &*value);
            let text = json(&record);
            prop_assert!(!text.chars().any(char::is_control));
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&read["message"], &body);
            prop_assert_eq!(&read["attributes"][&key], &value);
            let read = ecs(&record);
            prop_assert_eq!(&read["message"], &body);
            let mut human = String::new();
            record.human(&mut human).unwrap();
            prop_assert!(!human.chars().any(char::is_control));
        }

        #[test]
        fn dates_are_those_of_timestamps(nanos in 0..i64::MAX as u64) {
            let time = Timestamp::from_unix_nanos(nanos);
            let text = String::from_utf8(date(time).to_vec()).unwrap();
            let shown = time.to_string();
            prop_assert!(text.starts_with(shown.trim_end_matches('Z')), "{} {}", text, shown);
        }

        #[test]
        fn numbers_are_written_as_they_print(value in any::<i64>(), unsigned in any::<u64>()) {
            let mut out = Vec::new();
            Json::new(&mut out).i64(value);
            prop_assert_eq!(out, value.to_string().into_bytes());
            let mut out = Vec::new();
            Json::new(&mut out).u64(unsigned);
            prop_assert_eq!(out, unsigned.to_string().into_bytes());
        }
    }
}
