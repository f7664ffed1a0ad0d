//! Hostile texts in each position that a text can have.

use super::*;
use crate::{
    export::{
        influx::{line::Line, tags::Tags},
        wire::hostile,
    },
    label::KeyValue,
    log::LogSeverity,
    trace::Status,
};

/// What is documented to become of a text in a name or a tag: in a line with a quote, a backslash right before one
/// of `special` is replaced too. Of several the last one is, if they are odd in number.
fn shown(text: &str, special: &str, has_quote: bool) -> String {
    let text = match text.strip_suffix('\\') {
        Some(rest) => format!("{rest}_"),
        None => text.to_owned(),
    };
    let mut shown = String::new();
    let mut n_slashes = 0;
    for c in text.chars() {
        if has_quote && special.contains(c) && n_slashes % 2 == 1 {
            shown.pop();
            shown.push('_');
        }
        n_slashes = if c == '\\' { n_slashes + 1 } else { 0 };
        shown.push(if c.is_ascii_control() { '_' } else { c });
    }
    shown
}

/// Texts that end or begin a tag for a careless reader, besides those of the corpus.
fn nasty() -> Vec<(String, String)> {
    let texts = [
        "\\",
        "\\\\",
        "a\\",
        "a\\ ",
        "\\ \\=",
        "\\,\\,",
        "\"",
        "\\ \\=\"",
        "#",
        "a\nb",
        "\n",
        " ",
        "time",
        "=",
        ",",
        "a,b=c d=1i 7\nevil,a=b v=1 1",
        "é\\",
        "\u{7f}\0",
    ];
    texts.into_iter().map(|text| (format!("{text:?}"), text.to_owned())).collect()
}

fn all(what: &str) -> Vec<(String, String)> {
    [hostile::strings(what), nasty()].concat()
}

#[test]
fn hostile_texts_in_a_name_and_in_tags_break_no_line() {
    for (which, text) in all("influx: names and tags") {
        let mut bytes = Vec::new();
        let mut line = Line::new(&mut bytes, "p", &text);
        line.tag("first", &text);
        line.tag(&text, "second");
        line.tag("third", "\"=");
        line.str("field", "\n\"");
        line.end(1);
        let Some(point) = read(str::from_utf8(&bytes).unwrap()).unwrap().pop() else {
            assert!(text.len() > 10_000, "{which}: only what is too long has no line");
            continue;
        };
        assert_eq!(point.name, shown(&format!("p{text}"), " ,", true), "{which}");
        assert_eq!(point.tag("first").unwrap_or_default(), shown(&text, " ,=", true), "{which}");
        if !text.is_empty() {
            let key = point.tags.iter().find(|(_, value)| *value == "second").unwrap().0;
            let more = if text == "time" { "_" } else { "" };
            assert_eq!(*key, shown(&text, " ,=", true) + more, "{which}");
        }
        assert_eq!(point.tag("third"), Some("\"="), "{which}");
        assert_eq!(point.text("field"), Some("\n\""), "{which}");
    }
}

#[test]
fn a_name_is_no_comment() {
    let mut bytes = Vec::new();
    let mut line = Line::new(&mut bytes, "", "#1");
    line.int("v", 1);
    assert_eq!((line.end(1), &*bytes), (1, &b"_1 v=1i 1\n"[..]));
}

#[test]
fn hostile_labels_come_back_but_for_what_no_line_can_express() {
    for (which, text) in all("influx: labels") {
        let registry = Registry::new();
        let hits = registry.counter("hits", "").keys(&["k"]).build().unwrap();
        hits.with_labels(&[("k", &text)]).inc();
        registry.counter("other", "").build().unwrap().inc();
        let snapshot = registry.snapshot();
        let kept = snapshot.family("hits").unwrap().series()[0].labels().get("k").unwrap_or("");
        let [hit, other] = points_of(&metrics(&influx(), &registry)).try_into().unwrap();
        let found = hit.tag("k").unwrap_or_default();
        assert_eq!(found, shown(kept, " ,=", kept.contains('"')), "{which}");
        assert_eq!((hit.int("value"), other.int("value")), (Some(1), Some(1)), "{which}");
    }
}

#[test]
fn hostile_texts_come_back_from_every_field_of_spans_and_logs() {
    for (which, text) in all("influx: spans and logs") {
        let mut span = SpanRecord::new(text.clone());
        *span.attributes_mut() = vec![KeyValue::new(text.clone(), text.clone())];
        span.set_status(Status::Error(text.clone().into()));
        let log = LogRecord::new(LogSeverity::INFO, text.clone())
            .with_target(text.clone())
            .with_location(text.clone(), 1)
            .with_attribute(text.clone(), text.clone());
        let spans = points_of(&payload(influx().spans_encoder(), vec![span]));
        let logs = points_of(&payload(influx().logs_encoder(), vec![log]));
        if text.len() > 60_000 {
            assert!(spans.is_empty() && logs.is_empty(), "{which}: a tag is too long");
            continue;
        }
        let (span, log) = (&spans[0], &logs[0]);
        let description = span.text("otel.status_description").unwrap_or_default();
        let body = log.text("body").unwrap_or_default();
        let file = log.text("code.file.path").unwrap_or_default();
        assert_eq!([description, body, file], [&*text; 3], "{which}");
        let target = log.tag("target").unwrap_or_default();
        assert_eq!(target, shown(&text, " ,=", true), "{which}");
        for point in [span, log] {
            let json = point.text("attributes").unwrap();
            let read: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(read[&text], *text, "{which}");
        }
    }
}

#[test]
fn a_megabyte_in_a_text_is_kept_and_in_a_tag_the_record_has_no_line() {
    let long = "\"\n\\é".repeat(200_000);
    let log = LogRecord::new(LogSeverity::INFO, long.clone());
    let [point] = points_of(&payload(influx().logs_encoder(), vec![log])).try_into().unwrap();
    assert_eq!(point.text("body"), Some(&*long));
    for (n, n_lines) in [(60_000, 1), (66_000, 0)] {
        let span = SpanRecord::new("x".repeat(n));
        let payload = payload(influx().spans_encoder(), vec![span]);
        assert_eq!((points_of(&payload).len(), payload.len()), (n_lines, 1), "{n}");
    }
}

#[test]
fn what_was_replaced_is_counted_and_reported_when_it_has_more_than_doubled() {
    let mut tags = Tags::default();
    let mut reported = |text: &str| {
        let mut bytes = Vec::new();
        let mut line = Line::new(&mut bytes, "", "x");
        line.tag("k", text);
        line.int("v", 1);
        tags.note(line.end(1));
        tags.due()
    };
    assert_eq!([reported("fine"), reported("a\nb\r")], [None, Some(2)]);
    assert_eq!([reported("\t"), reported("\0"), reported("x\\")], [None, None, Some(5)]);
}
