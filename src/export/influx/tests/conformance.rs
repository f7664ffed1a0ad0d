//! InfluxData's own corpus: what its encoder writes, and what its decoder reads, which the reader of these tests
//! has to read too.

use std::io::Write as _;

use serde_json::Value;

use super::reader::{Field, read};
use crate::export::influx::line::Line;

/// The corpus; `None` where it is not there, which is said aloud.
fn corpus(what: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("BELLWETHER_CONFORMANCE") else {
        // Not `eprintln!`, which is captured: the test would pass in silence.
        let line = format!("SKIPPED: {what} of line protocol: BELLWETHER_CONFORMANCE is unset\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        return None;
    };
    let path = std::path::Path::new(&folder).join("influx-line-protocol/corpus.json");
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn items(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_array().into_iter().flatten().map(|item| (text(&item["key"]), &item["value"]))
}

fn line(point: &Value) -> String {
    let mut bytes = Vec::new();
    let mut line = Line::new(&mut bytes, "", text(&point["name"]));
    items(&point["tags"]).for_each(|(key, value)| line.tag(key, text(value)));
    for (key, value) in items(&point["fields"]) {
        if let Some(number) = value["int"].as_i64() {
            line.int(key, number);
        } else if let Some(number) = value["float"].as_f64() {
            line.float(key, number);
        } else if let Some(holds) = value["bool"].as_bool() {
            line.bool(key, holds);
        } else {
            line.str(key, text(&value["string"]));
        }
    }
    assert_eq!(line.end(point["time"].as_i64().unwrap()), 0, "{point}");
    String::from_utf8(bytes).unwrap()
}

#[test]
fn lines_are_those_of_influxdatas_own_encoder_to_the_last_byte() {
    let Some(corpus) = corpus("encodings") else { return };
    let (mut n, mut n_errors) = (0, 0);
    for vector in corpus["encode"].as_object().unwrap().values() {
        let line = line(&vector["input"]["point"]);
        match &vector["output"]["result"] {
            Value::String(expected) => assert_eq!(line, format!("{expected}\n")),
            // An empty tag is an error of theirs; ours is left out.
            _ => {
                assert_eq!(line, "cpu value=42 0\n");
                n_errors += 1;
            }
        }
        n += 1;
    }
    assert_eq!((n, n_errors), (115, 1));
}

#[test]
fn the_reader_of_these_tests_reads_what_influxdatas_decoder_reads() {
    let Some(corpus) = corpus("decodings") else { return };
    let mut n = 0;
    for vector in corpus["decode"].as_object().unwrap().values() {
        let (input, output) = (&vector["input"], &vector["output"]);
        let Some(lines) = input["text"].as_str() else { continue };
        let Some(expected) = output["result"].as_array() else { continue };
        if expected.iter().any(|point| point["name"].is_null()) || has_binary(output) {
            continue; // What is no UTF-8 is never written.
        }
        let points = read(lines).unwrap_or_else(|| panic!("{lines:?} is refused: {output}"));
        assert_eq!(points.len(), expected.len(), "{lines:?}");
        for (point, expected) in points.iter().zip(expected) {
            assert_eq!(point.name, text(&expected["name"]), "{lines:?}");
            let tags: Vec<_> = items(&expected["tags"]).map(|(k, v)| (k, text(v))).collect();
            assert_eq!(point.tags.len(), tags.len(), "{lines:?}");
            for (key, value) in tags {
                assert_eq!(point.tag(key), Some(value), "{lines:?}");
            }
            for (key, value) in items(&expected["fields"]) {
                assert!(is(&point.fields[key], value), "{lines:?}: {key} is {value}");
            }
        }
        n += 1;
    }
    assert!(n > 300, "{n}");
}

fn has_binary(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(k, v)| k == "binary" || has_binary(v)),
        Value::Array(items) => items.iter().any(has_binary),
        _ => false,
    }
}

fn is(field: &Field, value: &Value) -> bool {
    match field {
        Field::Float(number) => value["float"].as_f64() == Some(*number),
        Field::Int(number) => value["int"].as_i64() == Some(*number),
        Field::Uint(number) => value["uint"].as_u64() == Some(*number),
        Field::Bool(holds) => value["bool"].as_bool() == Some(*holds),
        Field::Text(text) => value["string"].as_str() == Some(text),
    }
}
