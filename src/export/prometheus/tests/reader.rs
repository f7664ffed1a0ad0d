//! A reader of both dialects, written from their specifications alone, that takes nothing on trust.

use std::collections::{BTreeMap, BTreeSet};

use crate::export::prometheus::Format;

/// What a page says.
#[derive(Default)]
pub(super) struct Page {
    pub(super) samples: Vec<Sample>,
    /// By the name in the line.
    pub(super) help: BTreeMap<String, String>,
    types: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

impl Page {
    /// Reads a page, and panics where it is not valid.
    pub(super) fn read(text: &str, format: Format) -> Self {
        let mut page = Self::default();
        let mut ended = false;
        for line in text.split_terminator('\n') {
            assert!(!ended, "a line after the end: {line:?}");
            match line.strip_prefix("# ") {
                Some("EOF") if format == Format::OpenMetrics => ended = true,
                Some(metadata) => page.metadata(metadata, format),
                None => page.samples.push(sample(line)),
            }
        }
        assert!(text.is_empty() || text.ends_with('\n'), "the last line is not ended");
        assert_eq!(ended, format == Format::OpenMetrics);
        page.check(format);
        page
    }

    /// The one sample of the page, but for the time it began, which is called `name`.
    pub(super) fn only(&self, name: &str) -> &Sample {
        let values: Vec<&Sample> =
            self.samples.iter().filter(|sample| !sample.name.ends_with("_created")).collect();
        assert_eq!(values.len(), 1, "{values:?}");
        assert_eq!(values[0].name, name);
        values[0]
    }

    fn metadata(&mut self, line: &str, format: Format) {
        let (what, rest) = line.split_once(' ').unwrap();
        let (name, text) = rest.split_once(' ').unwrap();
        assert!(is_name(name), "{name:?}");
        match what {
            "HELP" => {
                let escapes = if format == Format::OpenMetrics { "\\n\"" } else { "\\n" };
                let (text, rest) = unescape(text, None, escapes);
                assert_eq!(rest, "");
                assert_eq!(self.help.insert(name.to_owned(), text), None, "help of {name} twice");
            }
            "TYPE" => {
                let known = ["counter", "gauge", "histogram"];
                let info = format == Format::OpenMetrics && text == "info";
                assert!(known.contains(&text) || info, "{text:?}");
                let twice = self.types.insert(name.to_owned(), text.to_owned());
                assert_eq!(twice, None, "type of {name} twice");
            }
            "UNIT" if format == Format::OpenMetrics => {
                assert!(name.ends_with(&format!("_{text}")), "{name} has not the unit {text}");
            }
            _ => panic!("{line:?}"),
        }
    }

    /// What holds between lines: no series twice, each under a type that has such samples.
    fn check(&self, format: Format) {
        let mut seen = BTreeSet::new();
        for sample in &self.samples {
            assert!(seen.insert((&sample.name, &sample.labels)), "twice: {sample:?}");
            let suffixes: &[(&str, &str)] = match format {
                Format::Text => &[
                    ("", "counter"),
                    ("", "gauge"),
                    ("_bucket", "histogram"),
                    ("_sum", "histogram"),
                    ("_count", "histogram"),
                ],
                Format::OpenMetrics => &[
                    ("_total", "counter"),
                    ("_created", "counter"),
                    ("", "gauge"),
                    ("_info", "info"),
                    ("_bucket", "histogram"),
                    ("_sum", "histogram"),
                    ("_count", "histogram"),
                    ("_created", "histogram"),
                ],
            };
            let has_type = |&&(suffix, kind): &&(&str, &str)| {
                let family = sample.name.strip_suffix(suffix);
                family.and_then(|family| self.types.get(family)).is_some_and(|t| t == kind)
            };
            assert_eq!(suffixes.iter().filter(has_type).count(), 1, "{sample:?}");
        }
    }
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line:?}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{name:?}");
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (key, after) = rest.split_once("=\"").unwrap();
            assert!(is_name(key) && !key.contains(':'), "{key:?}");
            assert!(!key.starts_with("__"), "{key:?}");
            let (value, after) = unescape(after, Some('"'), "\\n\"");
            assert_eq!(labels.insert(key.to_owned(), value), None, "{key} twice");
            if let Some(after) = after.strip_prefix('}') {
                rest = after;
                break;
            }
            rest = after.strip_prefix(',').unwrap();
        }
    }
    let number = rest.strip_prefix(' ').unwrap();
    let value = match number {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        _ => {
            assert!(
                number.bytes().all(|b| b.is_ascii_digit() || b"+-.e".contains(&b)),
                "{number:?}"
            );
            number.parse().unwrap()
        }
    };
    Sample { name: name.to_owned(), labels, value }
}

/// The text up to `end` or the end of the line, and what follows; of escapes only those of `escapes`
/// are legal.
fn unescape<'a>(text: &'a str, end: Option<char>, escapes: &str) -> (String, &'a str) {
    let mut out = String::new();
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        if Some(character) == end {
            return (out, &text[place + 1..]);
        }
        if character != '\\' {
            out.push(character);
            continue;
        }
        let (_, escaped) = characters.next().unwrap();
        assert!(escapes.contains(escaped), "escape of {escaped:?}");
        out.push(if escaped == 'n' { '\n' } else { escaped });
    }
    assert_eq!(end, None, "quotes that do not end");
    (out, "")
}

fn is_name(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b':';
    name.bytes().all(legal) && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}
