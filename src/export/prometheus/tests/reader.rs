//! A reader of the formats that are text, written from their specifications alone, that takes nothing on trust.

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
    pub(super) exemplar: Option<Exemplar>,
}

#[derive(Clone, Debug)]
pub(super) struct Exemplar {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
    pub(super) seconds: f64,
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
                None => page.samples.push(sample(line, format)),
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
        let (name, rest) = name_of(rest, format, "");
        let (name, text) = (name.as_str(), rest.strip_prefix(' ').unwrap());
        match what {
            "HELP" => {
                let escapes = if format == Format::OpenMetrics { "\\n\"" } else { "\\n" };
                let (text, rest) = unescape(text, None, escapes);
                assert_eq!(rest, "");
                assert_eq!(self.help.insert(name.to_owned(), text), None, "help of {name} twice");
            }
            "TYPE" => {
                let known = ["counter", "gauge", "histogram", "summary"];
                let open = format == Format::OpenMetrics && ["info", "stateset"].contains(&text);
                assert!(known.contains(&text) || open, "{text:?}");
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
                Format::Protobuf => unreachable!("it is no text"),
                Format::Text | Format::Text1 => &[
                    ("", "summary"),
                    ("_sum", "summary"),
                    ("_count", "summary"),
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
                    ("", "stateset"),
                    ("", "summary"),
                    ("_sum", "summary"),
                    ("_count", "summary"),
                    ("_created", "summary"),
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

fn sample(line: &str, format: Format) -> Sample {
    let (mut name, mut rest) = (String::new(), line);
    if !line.starts_with('{') {
        (name, rest) = name_of(line, format, "{");
    }
    let mut labels = BTreeMap::new();
    if rest.starts_with('{') {
        let quoted;
        (quoted, labels, rest) = braces(rest, format);
        assert_eq!(name.is_empty(), quoted.is_some(), "{line:?}");
        name = quoted.unwrap_or(name);
    }
    assert!(!labels.keys().any(|key| key.starts_with("__")), "Prometheus' own: {line:?}");
    let rest = rest.strip_prefix(' ').unwrap();
    let (value, exemplar) = match rest.split_once(" # ") {
        Some((value, exemplar)) if format == Format::OpenMetrics => {
            (value, Some(exemplar_of(exemplar, format)))
        }
        _ => (rest, None),
    };
    Sample { name, labels, value: number(value), exemplar }
}

fn exemplar_of(text: &str, format: Format) -> Exemplar {
    let (name, labels, rest) = braces(text, format);
    assert_eq!(name, None, "{text:?}");
    let characters = labels.iter().map(|(key, value)| key.chars().count() + value.chars().count());
    assert!(characters.sum::<usize>() <= 128, "{text:?}");
    let (value, seconds) = rest.strip_prefix(' ').unwrap().split_once(' ').unwrap();
    Exemplar { labels, value: number(value), seconds: number(seconds) }
}

/// The name that stands in braces, the labels, and what follows them.
fn braces(text: &str, format: Format) -> (Option<String>, BTreeMap<String, String>, &str) {
    let (mut name, mut labels) = (None, BTreeMap::new());
    let mut rest = text.strip_prefix('{').unwrap();
    loop {
        let (key, after) = name_of(rest, format, "=,}");
        if let Some(after) = after.strip_prefix('=') {
            let quoted = rest.starts_with('"');
            assert!(quoted || !key.contains(':'), "{key:?}");
            let after = after.strip_prefix('"').unwrap();
            let (value, after) = unescape(after, Some('"'), "\\n\"");
            assert_eq!(labels.insert(key.clone(), value), None, "{key} twice");
            rest = after;
        } else {
            assert!(rest.starts_with('"') && name.is_none() && labels.is_empty(), "{text:?}");
            name = Some(key);
            rest = after;
        }
        if let Some(after) = rest.strip_prefix('}') {
            return (name, labels, after);
        }
        rest = rest.strip_prefix(',').unwrap();
    }
}

/// A name, in quotes where it is not plain, and what follows it.
fn name_of<'a>(text: &'a str, format: Format, ends: &str) -> (String, &'a str) {
    if let Some(quoted) = text.strip_prefix('"') {
        assert_ne!(format, Format::Text, "0.0.4 has no quoted names: {text:?}");
        let (name, rest) = unescape(quoted, Some('"'), "\\n\"");
        assert!(!is_name(&name) || name.contains(':'), "quoted in vain: {name:?}");
        return (name, rest);
    }
    let end = text.find(|c| c == ' ' || ends.contains(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    assert!(is_name(name), "{name:?}");
    (name.to_owned(), rest)
}

fn number(number: &str) -> f64 {
    match number {
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
    }
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
