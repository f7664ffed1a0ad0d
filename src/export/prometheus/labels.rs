//! Labels on a page: keys that are legal and unique there, values that cannot break out.

use super::{
    Escaping, Format, Translation,
    buffer::Buffer,
    escaping::{is_plain_key, unreserved},
    wire,
};
use crate::{label::LabelSet, metric::Kind};

/// How the keys of a label set are written; made once for all series with the same keys.
#[derive(Debug)]
pub(super) struct Keys {
    /// The first label set that had them; it keeps its keys where they lie.
    of: LabelSet,
    /// Where each key lies and how long it is: most other label sets share them.
    places: Vec<(usize, usize)>,
    // Invariant: as many as there are keys, in the same order; so are `texts`.
    mapped: Vec<String>,
    /// What stands before each value in a text format: `key="`, after a comma but for the first.
    texts: Vec<Buffer>,
    joined: bool, // Whether two of `mapped` are equal.
}

/// What decides over the keys of a family.
#[derive(Clone, Copy)]
pub(super) struct KeyStyle<'a> {
    pub(super) kind: Kind,
    pub(super) translation: Translation,
    pub(super) escaping: Escaping,
    /// The family's name as it was registered, and on the page: a state set has a key of that name.
    pub(super) family: (&'a str, &'a str),
}

impl Keys {
    /// The keys of `labels`.
    pub(super) fn new(labels: &LabelSet, style: KeyStyle<'_>) -> Self {
        let keys = || labels.iter().map(|(key, _)| key);
        let mapped: Vec<String> = keys().map(|key| style.page_key(key)).collect();
        let joined = (1..mapped.len()).any(|place| mapped[..place].contains(&mapped[place]));
        let text = |(place, key): (usize, &String)| {
            let mut text = Buffer::default();
            text.push(if place == 0 { b"" } else { b"," });
            push_key(&mut text, key);
            text
        };
        let texts = mapped.iter().enumerate().map(text).collect();
        let places = keys().map(place_of).collect();
        Self { of: labels.clone(), places, mapped, texts, joined }
    }

    /// Whether two series of a family, one with these keys and the other with `other` or these, may
    /// have the same labels on a page although their label sets differ.
    pub(super) fn are_ambiguous_with(&self, other: &Self) -> bool {
        let includes = |a: &Self, b: &Self| a.mapped.iter().all(|key| b.mapped.contains(key));
        self.joined || other.joined || includes(self, other) && includes(other, self)
    }

    /// Whether series with these keys may have the same labels although their label sets differ.
    pub(super) fn are_joined(&self) -> bool {
        self.joined
    }

    /// Appends the labels of a series to `to`, in their order; `false` if they have other keys, and then
    /// some of them.
    #[inline(always)]
    pub(super) fn write(&self, labels: &LabelSet, format: Format, to: &mut Buffer) -> bool {
        labels.len() == self.mapped.len()
            && labels.all_bytes(|place, key, value| {
                let is_same = self.places[place] == place_of(key) || self.is_key(place, key);
                match format {
                    _ if !is_same => {}
                    Format::Protobuf => wire::label(to, &self.mapped[place], value),
                    _ if to.quoted_unless(&self.texts[place], value, QUOTED) => {}
                    _ => {
                        to.copy(&self.texts[place]);
                        push_escaped(to, value);
                        to.push_byte(b'"');
                    }
                }
                is_same
            })
    }

    #[inline(never)]
    fn is_key(&self, place: usize, key: &str) -> bool {
        self.of.iter().nth(place).is_some_and(|(own, _)| own == key)
    }
}

/// Makes `block` any labels: those that share a key on the page as one, their values in the order of
/// the keys, and the one that names a state last.
pub(super) fn write_joined<'a>(
    labels: impl Iterator<Item = (&'a str, &'a str)>,
    style: KeyStyle<'_>,
    format: Format,
    block: &mut Buffer,
) {
    block.clear();
    let mut pairs: Vec<(bool, String, &str)> =
        labels.map(|(key, value)| (style.is_state(key), style.page_key(key), value)).collect();
    pairs.sort_by_key(|(is_state, ..)| *is_state);
    for (place, (_, key, _)) in pairs.iter().enumerate() {
        if pairs[..place].iter().all(|(_, other, _)| other != key) {
            let of_key = pairs.iter().filter(|(_, other, _)| other == key);
            let values: Vec<&str> = of_key.map(|(.., value)| *value).collect();
            push_label(block, format, key, &values.join(";"));
        }
    }
}

/// Where a key lies, and its length.
#[inline(always)]
fn place_of(key: &str) -> (usize, usize) {
    (key.as_ptr().addr(), key.len())
}

impl KeyStyle<'_> {
    /// Whether the key names the state of a state set. It comes last on the page, so that the states of
    /// one thing stand together there, as OpenMetrics demands, when they are sorted by their labels.
    fn is_state(self, key: &str) -> bool {
        self.kind == Kind::StateSet && key == self.family.0
    }

    /// A label key on the page: see the module's page.
    fn page_key(self, key: &str) -> String {
        if self.is_state(key) {
            return self.family.1.to_owned();
        }
        let mut key = self.translation.key(key);
        let is_digit = key.starts_with(|first: char| first.is_ascii_digit());
        if key.is_empty() || is_digit && self.translation.is_plain() {
            key.insert_str(0, "key_");
        }
        let mapped = self.escaping.escape_key(&key);
        let reserved = match self.kind {
            Kind::Histogram => mapped == "le",
            Kind::Summary => mapped == "quantile" || mapped == "window",
            _ => false,
        };
        if reserved { format!("exported_{mapped}") } else { unreserved(mapped) }
    }
}

/// Appends a label: in a text format `key="value"`, after a comma where `block` is not empty, with a
/// key that is not plain in quotes; else a field of a `Metric` or an `Exemplar`.
pub(super) fn push_label(block: &mut Buffer, format: Format, key: &str, value: &str) {
    if format == Format::Protobuf {
        return wire::label(block, key, value.as_bytes());
    }
    if !block.is_empty() {
        block.push_byte(b',');
    }
    push_key(block, key);
    push_escaped(block, value.as_bytes());
    block.push_byte(b'"');
}

/// Appends a key and the quote before its value.
fn push_key(block: &mut Buffer, key: &str) {
    if is_plain_key(key) {
        block.push(key.as_bytes());
    } else {
        push_quoted(block, key);
    }
    block.push(b"=\"");
}

/// Appends `text` in quotes.
pub(super) fn push_quoted(page: &mut Buffer, text: &str) {
    page.push_byte(b'"');
    push_escaped(page, text.as_bytes());
    page.push_byte(b'"');
}

/// Appends a text so that nothing in it ends the line, the quotes or the page.
pub(super) fn push_escaped(page: &mut Buffer, text: &[u8]) {
    escape(page, text, &QUOTED);
}

/// Appends a text that stands in no quotes, such as that of a text format's `HELP`, so that nothing in
/// it ends the line.
pub(super) fn push_line(page: &mut Buffer, text: &[u8]) {
    escape(page, text, &QUOTED[..2]);
}

/// What is escaped in a text; the last one only where it stands in quotes.
const QUOTED: [u8; 3] = [b'\\', b'\n', b'"'];

#[cold]
#[inline(never)]
fn escape(page: &mut Buffer, text: &[u8], special: &[u8]) {
    let mut rest = text;
    while let Some(place) = rest.iter().position(|byte| special.contains(byte)) {
        page.push(&rest[..place]);
        page.push(match rest[place] {
            b'\n' => b"\\n",
            b'"' => b"\\\"",
            _ => b"\\\\",
        });
        rest = &rest[place + 1..];
    }
    page.push(rest);
}
