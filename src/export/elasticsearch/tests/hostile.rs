//! Texts, keys and names that break formats.

use super::{reader::Json, *};
use crate::{
    context::SpanContext,
    export::wire::{hostile, log, span::sample},
    label::KeyValue,
    log::LogSeverity,
    trace::{Event, Link, Status},
};

/// What the page says of a key, by characters, where the encoder goes by bytes.
fn shown(key: &str) -> String {
    let mut cut = String::new();
    for c in key.chars() {
        if cut.len() + c.len_utf8() > 256 {
            break;
        }
        cut.push(c);
    }
    if cut.trim().is_empty() || key.trim().is_empty() {
        return "_".to_owned();
    }
    cut.chars()
        .map(|c| if ".*\"\\".contains(c) || c.is_ascii_control() { '_' } else { c })
        .collect()
}

fn nasty() -> Vec<(String, String)> {
    let texts = [
        "",
        " ",
        "\u{2003}",
        ".",
        "..",
        "a.",
        ".a",
        "a..b",
        "a.b",
        "*",
        "a\"b",
        "a\\",
        "\n",
        "\0",
        "\u{1c}",
        "_id",
        "_source",
        "@timestamp",
        "\u{85}",
        "\u{feff}",
        "🦀.🦀",
        "\r\n{\"create\":{}}\n{}",
    ];
    let long = [format!("{}é", "x".repeat(255)), " ".repeat(300) + "x", ".".repeat(300)];
    let texts = texts.into_iter().map(str::to_owned).chain(long);
    texts.map(|text| (format!("{text:?}"), text)).collect()
}

fn all(what: &str) -> Vec<(String, String)> {
    [hostile::strings(what), nasty()].concat()
}

#[test]
fn hostile_texts_come_back_from_every_place_of_a_span() {
    for (which, text) in all("elasticsearch: spans") {
        let mut span = sample("x");
        span.set_name(text.clone());
        let attributes = vec![KeyValue::new(text.clone(), text.clone())];
        *span.attributes_mut() = attributes.clone();
        span.set_attribute("url.full", text.clone());
        span.set_status(Status::Error(text.clone().into()));
        let at = span.end();
        span.add_event(Event::new(text.clone(), at, attributes.clone()));
        span.add_link(Link::new(SpanContext::NONE, attributes));
        let [doc] = docs_of(&payload(elastic().spans_encoder(), vec![span])).try_into().unwrap();
        let label = format!("labels.{}", shown(&text));
        for field in ["span.name", "url.full", "span.events.name", &label] {
            assert_eq!(doc.text(field), Some(&*text), "{which}: {field}");
        }
        for of in ["span.events", "span.links"] {
            assert_eq!(doc.text(&format!("{of}.{label}")), Some(&*text), "{which}: {of}");
        }
        assert_eq!(doc.text("error.message").unwrap_or_default(), text, "{which}");
    }
}

#[test]
fn hostile_texts_come_back_from_every_place_of_a_log_record() {
    for (which, text) in all("elasticsearch: logs") {
        let record = LogRecord::new(LogSeverity::INFO, text.clone())
            .with_target(text.clone())
            .with_event_name(text.clone())
            .with_severity_text(text.clone())
            .with_location(text.clone(), 1)
            .with_attribute(text.clone(), text.clone())
            .with_attribute("exception.message", text.clone());
        let [doc] = docs_of(&payload(elastic().logs_encoder(), vec![record])).try_into().unwrap();
        let label = format!("labels.{}", shown(&text));
        for field in ["message", "event.action", "log.origin.file.name", "error.message", &label] {
            assert_eq!(doc.text(field), Some(&*text), "{which}: {field}");
        }
        assert_eq!(doc.text("log.logger").unwrap_or_default(), text, "{which}");
        let level = doc.text("log.level").unwrap();
        assert!(level == text || level == text.to_ascii_lowercase(), "{which}");
    }
}

#[test]
fn hostile_texts_come_back_from_labels_and_the_resource() {
    for (which, text) in all("elasticsearch: metrics") {
        let registry = Registry::new();
        let hits = registry.counter("hits", "").keys(&["k"]).build().unwrap();
        hits.with_labels(&[("k", &text)]).inc();
        let snapshot = registry.snapshot();
        let kept = snapshot.family("hits").unwrap().series()[0].labels().get("k").unwrap_or("");
        let mut points = snapshot.data_points(Temporality::Cumulative);
        points[0].set_labels(crate::label::LabelSet::new([(text.clone(), kept.to_owned())]));
        let resource = Resource::service("shop")
            .with("host.name", text.clone())
            .with(text.clone(), text.clone());
        let mut encoder = elastic().resource_labels([text.clone()]).metrics_encoder();
        encoder.start(&Setup::new(resource)).unwrap();
        let payload = encoder.encode(&Batch::from(points));
        let [doc] = docs_of(&payload).try_into().unwrap();
        let label = format!("labels.{}", shown(&text));
        // One of the series and one of the resource.
        let found: Vec<_> = doc.fields.get(&label).into_iter().flatten().cloned().collect();
        assert!(found.contains(&Json::Text(text.clone())), "{which}");
        assert_eq!(doc.text("host.name").unwrap_or_default(), text, "{which}");
    }
}

#[test]
fn hostile_texts_come_back_from_exceptions() {
    let parts = [
        ("exception.type", "error.type"),
        ("exception.message", "error.message"),
        ("exception.stacktrace", "error.stack_trace"),
    ];
    for (which, text) in all("elasticsearch: exceptions") {
        let attributes: Vec<_> = parts.map(|(key, _)| KeyValue::new(key, text.clone())).into();
        let mut span = sample("x");
        span.set_status(Status::Unset);
        let at = span.end();
        span.add_event(Event::new("exception", at, attributes.clone()));
        let record = LogRecord::new(LogSeverity::ERROR, "x");
        let record = attributes
            .into_iter()
            .fold(record, |record, KeyValue { key, value }| record.with_attribute(key, value));
        let [of_span] =
            docs_of(&payload(elastic().spans_encoder(), vec![span])).try_into().unwrap();
        let [of_log] =
            docs_of(&payload(elastic().logs_encoder(), vec![record])).try_into().unwrap();
        for (_, field) in parts {
            assert_eq!(of_span.text(field), Some(&*text), "{which}: {field}");
            assert_eq!(of_log.text(field), Some(&*text), "{which}: {field}");
        }
    }
}

#[test]
fn hostile_texts_come_back_from_every_field_of_the_resource() {
    for (which, text) in all("elasticsearch: resource") {
        // The number of a process is a number.
        let keys = fields::OF_RESOURCE.iter().filter(|(key, _)| *key != "process.pid");
        let resource = keys.clone().fold(Resource::service("shop"), |resource, (key, _)| {
            resource.with(*key, text.clone())
        });
        let mut encoder = elastic().logs_encoder();
        encoder.start(&Setup::new(resource)).unwrap();
        let payload = encoder.encode(&Batch::from(vec![log::sample("x")]));
        let [doc] = docs_of(&payload).try_into().unwrap();
        for (key, field) in keys {
            let found = doc.text(field).unwrap_or_default();
            let has_no_name = text.is_empty() && *key == "service.name";
            assert!(found == text || has_no_name, "{which}: {field}: {found:?}");
        }
    }
}

#[test]
fn of_two_keys_that_become_one_the_later_is_kept_unless_their_values_are_of_two_kinds() {
    let mut span = sample("x");
    *span.attributes_mut() = vec![
        KeyValue::new("a.b", "first"),
        KeyValue::new("a_b", "second"),
        KeyValue::new("a*b", 3),
        KeyValue::new("a\"b", 4),
        KeyValue::new("url.path", "/a"),
        KeyValue::new("url_path", "/b"),
        KeyValue::new("url.path", "/c"),
        KeyValue::new("client.port", 1),
        KeyValue::new("client.port", "text"),
    ];
    let [doc] = docs_of(&payload(elastic().spans_encoder(), vec![span])).try_into().unwrap();
    assert_eq!(
        (doc.text("labels.a_b"), doc.whole("numeric_labels.a_b")),
        (Some("second"), Some(4))
    );
    assert_eq!((doc.text("url.path"), doc.text("labels.url_path")), (Some("/c"), Some("/b")));
    assert_eq!((doc.get("client.port"), doc.text("labels.client_port")), (None, Some("text")));
    let registry = Registry::new();
    registry.counter("hits", "").build().unwrap().inc();
    let mut points = registry.snapshot().data_points(Temporality::Cumulative);
    points[0].set_labels(crate::label::LabelSet::new([("a.b", "x"), ("a_b", "y"), ("c", "z")]));
    let [doc] = docs_of(&payload(elastic().metrics_encoder(), points)).try_into().unwrap();
    assert_eq!((doc.text("labels.a_b"), doc.text("labels.c")), (Some("y"), Some("z")));
}

#[test]
fn every_kind_of_value_is_a_label_of_text_or_of_numbers() {
    let mut span = sample("x");
    *span.attributes_mut() = vec![
        KeyValue::new("i", i64::MIN),
        KeyValue::new("f", 1e300),
        KeyValue::new("nan", f64::NAN),
        KeyValue::new("u", u64::MAX),
        KeyValue::new("b", false),
        KeyValue::new("ss", ["t\n\"", ""]),
        KeyValue::new("bs", [true, false]),
        KeyValue::new("is", [1, -7]),
        KeyValue::new("fs", [0.5, 2.0]),
        KeyValue::new("ns", [0.5, f64::NAN]),
        KeyValue::new("none", Vec::<i64>::new()),
    ];
    let [doc] = docs_of(&payload(elastic().spans_encoder(), vec![span])).try_into().unwrap();
    let texts = |field: &str| {
        doc.fields[field].iter().map(|value| format!("{value:?}")).collect::<Vec<_>>()
    };
    assert_eq!(texts("numeric_labels.i"), ["Number(Number(-9223372036854775808))"]);
    assert_eq!(
        (doc.number("numeric_labels.f"), doc.text("labels.nan")),
        (Some(1e300), Some("NaN"))
    );
    assert_eq!(
        (doc.text("labels.u"), doc.text("labels.b")),
        (Some("18446744073709551615"), Some("false"))
    );
    assert_eq!(texts("labels.ss"), [r#"Text("t\n\"")"#, r#"Text("")"#]);
    assert_eq!(texts("labels.bs"), [r#"Text("true")"#, r#"Text("false")"#]);
    assert_eq!((texts("numeric_labels.is").len(), texts("numeric_labels.fs").len()), (2, 2));
    assert_eq!(texts("labels.ns"), [r#"Text("0.5")"#, r#"Text("NaN")"#]);
    assert!(!doc.fields.contains_key("numeric_labels.none"));
}

#[test]
fn names_that_no_index_may_have_are_errors_at_the_start() {
    let start = |elastic: Elasticsearch| {
        let mut encoder = elastic.logs_encoder();
        encoder.start(&Setup::default()).map_err(|error| error.to_string())
    };
    for good in ["a", "shop.pay", "shop_1", "é", &"x".repeat(100)] {
        start(elastic().dataset(good).namespace(good)).unwrap();
        start(elastic().daily(good)).unwrap();
    }
    start(elastic().daily("a-b")).unwrap();
    start(elastic().daily("x".repeat(236))).unwrap();
    let bad = [
        "", "A", "É", "a b", "a/b", "a\\b", "a*", "a?", "a\"", "a<", "a>", "a|", "a,b", "a#",
        "a:b", "a\n",
    ];
    for bad in bad {
        for elastic in [elastic().dataset(bad), elastic().namespace(bad), elastic().daily(bad)] {
            let error = start(elastic).unwrap_err();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }
    for bad in ["a-b", &"x".repeat(101)] {
        assert!(start(elastic().dataset(bad)).is_err() && start(elastic().namespace(bad)).is_err());
    }
    for bad in ["-a", "_a", "+a", ".a", "..", &"x".repeat(237)] {
        assert!(start(elastic().daily(bad)).is_err(), "{bad}");
    }
}

#[test]
fn hostile_names_of_streams_are_never_written_unescaped() {
    for (which, text) in all("elasticsearch: names") {
        for elastic in [elastic().dataset(text.clone()), elastic().daily(text.clone())] {
            let mut encoder = elastic.logs_encoder();
            if encoder.start(&Setup::default()).is_ok() {
                let payload = encoder.encode(&Batch::from(vec![log::sample("x")]));
                assert_eq!(docs_of(&payload).len(), 1, "{which}");
            }
        }
    }
}
