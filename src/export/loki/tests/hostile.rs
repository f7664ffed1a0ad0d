//! Hostile texts in each position that a text can have.

use super::*;
use crate::export::wire::hostile;

/// Texts that end a label or an entry for a careless reader, besides those of the corpus.
fn all(what: &str) -> Vec<(String, String)> {
    let nasty = [
        "\"",
        "\\",
        "\\\"",
        "\"}",
        "a\", evil=\"b",
        "{a=\"b\"}",
        "a\nb\r\t",
        "\0\u{1}\u{b}\u{7f}",
        "\u{80}\u{2028}",
        "\u{fffd}",
        "total ignored: 9 out of 9 for stream: {",
        "; 7 errors like: has timestamp too old",
        "é\u{1f600}",
        "__name__",
        "9",
        "",
        " ",
    ];
    let nasty = nasty.into_iter().map(|text| (format!("{text:?}"), text.to_owned()));
    hostile::strings(what).into_iter().chain(nasty).collect()
}

/// The beginning of `text` that is no longer than `shown`, and at most `most` bytes.
fn is_begin(shown: &str, text: &str, most: usize) -> bool {
    text.starts_with(shown) && (shown.len() == text.len() || shown.len() + 4 > most)
}

#[test]
fn hostile_texts_come_back_from_every_field_or_are_cut_to_the_limit() {
    for (which, text) in all("loki: fields") {
        let record = record(text.clone())
            .with_severity_text(text.clone())
            .with_event_name(text.clone())
            .with_attribute("value", text.clone());
        let record = if text.len() > 10_000 {
            record // The other fields would leave no room.
        } else {
            record.with_target(text.clone()).with_location(text.clone(), 1)
        };
        let entry = entry(&loki(), &record);
        assert!(is_begin(&entry.line, &text, 256 << 10), "{which}");
        let line_bytes = (entry.line != text).then(|| text.len().to_string());
        assert_eq!(entry.metadata("line_bytes"), line_bytes.as_deref(), "{which}");
        if text.len() <= 10_000 {
            for name in ["severity_text", "event_name", "code_file_path", "value"] {
                assert_eq!(entry.metadata(name), Some(&*text), "{which}: {name}");
            }
            assert_eq!(entry.metadata("target").unwrap_or_default(), text, "{which}");
            assert_eq!(entry.metadata("cut_values"), None, "{which}");
        } else {
            assert!(text.starts_with(entry.metadata("severity_text").unwrap()), "{which}");
            assert_eq!(entry.metadata("cut_values"), Some("4"), "{which}");
        }
    }
}

#[test]
fn hostile_texts_come_back_from_lines_of_json() {
    for (which, text) in all("loki: lines of json") {
        if text.len() > 10_000 {
            continue; // Of a line that is cut, nothing can be read.
        }
        let record = record(text.clone())
            .with_target(text.clone())
            .with_attribute(format!("k{text}"), text.clone());
        let line = |line: LokiLine| -> serde_json::Value {
            serde_json::from_str(&entry(&loki().line(line), &record).line).unwrap()
        };
        let (plain, ecs) = (line(LokiLine::Json), line(LokiLine::Ecs));
        let key = format!("k{text}");
        for found in [&plain["message"], &plain["attributes"][&key], &ecs["message"], &ecs[&key]] {
            assert_eq!(found, &text, "{which}");
        }
        for found in [&plain["target"], &ecs["log.logger"]] {
            assert_eq!(found.as_str().unwrap_or_default(), text, "{which}");
        }
    }
}

#[test]
fn hostile_texts_of_the_resource_come_back_from_the_metadata() {
    for (which, text) in all("loki: metadata of the resource") {
        let loki = loki().resource_metadata(["os.name", "host.id"]);
        let mut encoder = loki.logs_encoder();
        let resource = Resource::service("shop").with("os.name", text.clone()).with("host.id", 7);
        encoder.start(&Setup::new(resource)).unwrap();
        let payload = encoder.encode(&Batch::from(vec![record("x")]));
        let body = LokiForm::Protobuf.body(&request::streams(&payload)).unwrap();
        let [entry] = read(LokiForm::Protobuf, &body).try_into().unwrap();
        assert_eq!(entry.metadata("host_id"), (text.len() < 60_000).then_some("7"), "{which}");
        let found = entry.metadata("os_name").unwrap_or_default();
        assert!(is_begin(found, &text, 64 << 10) || text.len() > 60_000, "{which}");
    }
}

#[test]
fn hostile_keys_become_legal_names_that_hide_nothing() {
    for (which, text) in all("loki: keys") {
        let record =
            record("x").with_attribute(text.clone(), "first").with_attribute("other", "second");
        let entry = entry(&loki(), &record);
        let values: Vec<_> = entry.metadata.values().map(String::as_str).collect();
        assert!(values.contains(&"second"), "{which}: {entry:?}");
        assert_eq!(values.contains(&"first"), text.len() < 60_000, "{which}");
    }
}

#[test]
fn hostile_values_of_labels_come_back_from_the_label_or_the_metadata() {
    for (which, text) in all("loki: labels") {
        let attribute = entry(&loki().label("who"), &record("x").with_attribute("who", &*text));
        let found = attribute.label("who").or_else(|| attribute.metadata("who_2")).unwrap();
        assert!(is_begin(found, &text, 64 << 10) || text.len() > 60_000, "{which}");
        assert!(attribute.label("who").is_none_or(|label| label == text), "{which}");
        let mut encoder = loki().label("who").logs_encoder();
        let resource = Resource::service(&text).with("who", text.clone());
        encoder.start(&Setup::new(resource)).unwrap();
        let payload = encoder.encode(&Batch::from(vec![record("x")]));
        let body = LokiForm::Protobuf.body(&request::streams(&payload)).unwrap();
        let [own] = read(LokiForm::Protobuf, &body).try_into().unwrap();
        let shown = text.replace('\u{fffd}', "_");
        assert!(is_begin(own.label("who").unwrap_or_default(), &shown, 2_048), "{which}");
        let service = if text.is_empty() { "unknown_service" } else { &shown };
        assert!(is_begin(own.label("service_name").unwrap(), service, 2_048), "{which}");
    }
}

#[test]
fn hostile_keys_of_labels_are_legal_names_or_an_error_at_the_start() {
    for (which, text) in all("loki: names of labels") {
        let loki = loki().label(text.clone());
        if let Err(error) = loki.logs_encoder().start(&setup()) {
            assert!(error.to_string().contains("name"), "{which}: {error}");
            assert!(text.len() > 1_000, "{which}");
            continue;
        }
        let entry = entry(&loki, &record("x").with_attribute(text.clone(), "there"));
        assert!(entry.labels.values().any(|value| value == "there"), "{which}: {entry:?}");
    }
}
