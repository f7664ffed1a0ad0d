//! Labels on a page: keys that are legal and unique there, values that cannot break out.

use super::{Escaping, Translation, escaping::is_plain_key};
use crate::metric::Kind;

/// How the keys of a label set are written; made once for all series with the same keys.
#[derive(Debug)]
pub(super) struct Keys {
    original: Vec<String>,
    // Invariant: as long as `original`, in the same order.
    mapped: Vec<String>,
    joined: bool, // Whether two of `mapped` are equal.
    /// Which key names the state of a state set. It comes last on the page, so that the states of one
    /// thing stand together there, as OpenMetrics demands, when they are sorted by their labels.
    state: Option<usize>,
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
    pub(super) fn new<'a>(keys: impl Iterator<Item = &'a str>, style: KeyStyle<'_>) -> Self {
        let original: Vec<String> = keys.map(str::to_owned).collect();
        let mapped: Vec<String> = original.iter().map(|key| style.page_key(key)).collect();
        let joined = (1..mapped.len()).any(|place| mapped[..place].contains(&mapped[place]));
        let is_state = |key: &String| style.kind == Kind::StateSet && key == style.family.0;
        let state = original.iter().position(is_state);
        Self { original, mapped, joined, state }
    }

    /// Whether these are the keys of a label set.
    pub(super) fn are<'a>(&self, keys: impl ExactSizeIterator<Item = &'a str>) -> bool {
        keys.len() == self.original.len() && keys.eq(self.original.iter().map(String::as_str))
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

    /// Calls `each` with the key and the value of every label; each call of `values` yields the values
    /// from the first on, in the order of the keys.
    pub(super) fn pairs<'a, V: Iterator<Item = &'a str>>(
        &self,
        values: impl Fn() -> V,
        mut each: impl FnMut(&str, &str),
    ) {
        let of_state = self.mapped.iter().zip(values()).enumerate();
        let of_state = of_state.filter(|(place, _)| Some(*place) == self.state);
        let others = self.mapped.iter().zip(values()).enumerate();
        let others = others.filter(|(place, _)| Some(*place) != self.state);
        for (place, (key, value)) in others.chain(of_state) {
            if !self.joined {
                each(key, value);
            } else if !self.mapped[..place].contains(key) {
                let of_key = self.mapped.iter().zip(values()).filter(|(other, _)| *other == key);
                let joined: Vec<&str> = of_key.map(|(_, value)| value).collect();
                each(key, &joined.join(";"));
            }
        }
    }
}

impl KeyStyle<'_> {
    /// A label key on the page: see the module's page.
    fn page_key(self, key: &str) -> String {
        if self.kind == Kind::StateSet && key == self.family.0 {
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

/// The key, without the two underscores in front that Prometheus keeps for itself.
pub(super) fn unreserved(key: String) -> String {
    if key.starts_with("__") { format!("exported_{key}") } else { key }
}

/// Appends `key="value"`, after a comma where `block` is not empty; a key that is not plain stands in
/// quotes.
pub(super) fn push_label(block: &mut Vec<u8>, key: &str, value: &str) {
    if !block.is_empty() {
        block.push(b',');
    }
    if is_plain_key(key) {
        block.extend(key.as_bytes());
    } else {
        push_quoted(block, key);
    }
    block.push(b'=');
    push_quoted(block, value);
}

/// Appends `text` in quotes.
pub(super) fn push_quoted(page: &mut Vec<u8>, text: &str) {
    page.push(b'"');
    escape(page, text, Quotes::Escaped);
    page.push(b'"');
}

/// Whether a text stands in quotes, where quotes have to be escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    Escaped,
    Plain,
}

/// Appends `text` so that nothing in it ends the line, the quotes or the page.
pub(super) fn escape(page: &mut Vec<u8>, text: &str, quotes: Quotes) {
    let mut rest = text.as_bytes();
    let special =
        |byte: u8| matches!(byte, b'\\' | b'\n') || (byte == b'"' && quotes == Quotes::Escaped);
    while let Some(place) = rest.iter().position(|byte| special(*byte)) {
        page.extend(&rest[..place]);
        page.extend(match rest[place] {
            b'\n' => b"\\n",
            b'"' => b"\\\"",
            _ => b"\\\\",
        });
        rest = &rest[place + 1..];
    }
    page.extend(rest);
}

/// The name of a family on the page.
pub(super) fn page_name(mapped: String) -> String {
    // Registration refuses such names; a page must not depend on that.
    match mapped.as_bytes().first() {
        Some(b'A'..=b'Z' | b'a'..=b'z' | b'_') => mapped,
        _ => format!("_{mapped}"),
    }
}
