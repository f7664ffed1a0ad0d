//! Reads requests as Loki does, and no others: protobuf by the messages of its documentation, JSON by `serde_json`,
//! labels as they stand in a query. What Loki would refuse is a panic.

use std::collections::BTreeMap;

use prost::Message;
use serde_json::Value;

use super::LokiForm;

#[derive(Clone, PartialEq, Message)]
struct PushRequest {
    #[prost(message, repeated, tag = "1")]
    streams: Vec<StreamAdapter>,
}

#[derive(Clone, PartialEq, Message)]
struct StreamAdapter {
    #[prost(string, tag = "1")]
    labels: String,
    #[prost(message, repeated, tag = "2")]
    entries: Vec<EntryAdapter>,
    #[prost(uint64, tag = "3")]
    hash: u64,
}

#[derive(Clone, PartialEq, Message)]
struct EntryAdapter {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Timestamp>,
    #[prost(string, tag = "2")]
    line: String,
    #[prost(message, repeated, tag = "3")]
    structured_metadata: Vec<LabelPairAdapter>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPairAdapter {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

pub(super) type Texts = BTreeMap<String, String>;

/// An entry as it is in Loki.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) labels: Texts,
    pub(super) time: u64,
    pub(super) line: String,
    pub(super) metadata: Texts,
}

impl Entry {
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }

    pub(super) fn metadata(&self, name: &str) -> Option<&str> {
        self.metadata.get(name).map(String::as_str)
    }
}

/// The entries of a request.
pub(super) fn read(form: LokiForm, body: &[u8]) -> Vec<Entry> {
    let entries = match form {
        LokiForm::Protobuf => of_protobuf(body),
        LokiForm::Json => of_json(body),
    };
    for entry in &entries {
        check(entry);
    }
    entries
}

fn of_protobuf(body: &[u8]) -> Vec<Entry> {
    let bytes = snap::raw::Decoder::new().decompress_vec(body).expect("snappy's raw format");
    let request = PushRequest::decode(&*bytes).expect("a message of Loki's");
    // Nothing is in it that its reader left out, and all lengths are in their shortest form.
    assert!(request.encode_to_vec() == bytes);
    let mut entries = Vec::new();
    for stream in request.streams {
        assert!(!stream.entries.is_empty());
        let labels = labels(&stream.labels).unwrap_or_else(|| panic!("{}", stream.labels));
        entries.extend(stream.entries.into_iter().map(|entry| {
            let time = entry.timestamp.unwrap();
            assert!((0..1_000_000_000).contains(&time.nanos));
            Entry {
                labels: labels.clone(),
                time: time.seconds as u64 * 1_000_000_000 + time.nanos as u64,
                line: entry.line,
                metadata: unique(
                    entry.structured_metadata.into_iter().map(|it| (it.name, it.value)),
                ),
            }
        }));
    }
    entries
}

fn of_json(body: &[u8]) -> Vec<Entry> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let texts = |value: &Value| {
        let fields = value.as_object().expect("an object").iter();
        unique(fields.map(|(key, value)| (key.clone(), text(value))))
    };
    let request: Value = serde_json::from_slice(body).expect("JSON");
    let mut entries = Vec::new();
    for stream in request["streams"].as_array().expect("streams") {
        for entry in stream["values"].as_array().expect("values") {
            let parts = entry.as_array().expect("an array");
            assert!((2..=3).contains(&parts.len()), "{entry}");
            entries.push(Entry {
                labels: texts(&stream["stream"]),
                time: text(&parts[0]).parse().expect("nanoseconds"),
                line: text(&parts[1]),
                metadata: parts.get(2).map(texts).unwrap_or_default(),
            });
        }
    }
    entries
}

fn unique(pairs: impl Iterator<Item = (String, String)>) -> Texts {
    let mut texts = Texts::new();
    for (name, value) in pairs {
        assert!(texts.insert(name.clone(), value).is_none(), "{name} is there twice");
    }
    texts
}

/// Loki's limits, as it has them unless it is configured otherwise.
fn check(entry: &Entry) {
    let is_legal = |name: &str| {
        let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        let is_other = |c: char| is_letter(c) || c.is_ascii_digit();
        name.starts_with(is_letter) && name.chars().all(is_other) && !name.starts_with("__")
    };
    assert!((1..=15).contains(&entry.labels.len()));
    for (name, value) in &entry.labels {
        assert!(is_legal(name) && name.len() <= 1_024, "{name}");
        assert!(!value.is_empty() && value.len() <= 2_048 && !value.contains('\u{fffd}'));
        assert!(!entry.metadata.contains_key(name), "{name} is hidden");
    }
    assert!(entry.line.len() <= 256 << 10);
    let bytes = entry.metadata.iter().map(|(name, value)| name.len() + value.len());
    assert!(entry.metadata.keys().all(|name| is_legal(name)));
    assert!(entry.metadata.len() <= 128 && bytes.sum::<usize>() <= 64 << 10);
}

/// Labels as they stand in a query: `{a="b", c="d"}`, with the escapes of Go.
pub(super) fn labels(text: &str) -> Option<Texts> {
    let mut rest = text.strip_prefix('{')?;
    let mut texts = Texts::new();
    loop {
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        texts.insert(name.to_owned(), value).is_none().then_some(())?;
        match after {
            "}" => return Some(texts),
            _ => rest = after.strip_prefix(", ")?,
        }
    }
}

/// What stands before a quote, and what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\n' | '\u{fffd}' => return None,
            '\\' => value.push(match chars.next()? {
                c @ ('"' | '\\') => c,
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'x' => {
                    let digits = chars.as_str().get(..2)?;
                    chars = chars.as_str()[2..].chars();
                    u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii)?.into()
                }
                _ => return None,
            }),
            c => value.push(c),
        }
    }
}
