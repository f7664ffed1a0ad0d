//! Labels on a page: keys that are legal and unique there, values that cannot break out.

use crate::metric::{Kind, sanitised};

/// How the keys of a label set are written; made once for all series with the same keys.
pub(super) struct Keys {
    original: Vec<String>,
    // Invariant: as long as `original`, in the same order.
    mapped: Vec<String>,
    joined: bool, // Whether two of `mapped` are equal.
}

impl Keys {
    pub(super) fn new<'a>(keys: impl Iterator<Item = &'a str>, kind: Kind) -> Self {
        let original: Vec<String> = keys.map(str::to_owned).collect();
        let mapped: Vec<String> = original.iter().map(|key| page_key(key, kind)).collect();
        let joined = (1..mapped.len()).any(|place| mapped[..place].contains(&mapped[place]));
        Self { original, mapped, joined }
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

    /// Appends the labels without their braces; each call of `values` yields the values from the
    /// first on, in the order of the keys.
    pub(super) fn write<'a, V: Iterator<Item = &'a str>>(
        &self,
        block: &mut String,
        values: impl Fn() -> V,
    ) {
        for (place, (key, value)) in self.mapped.iter().zip(values()).enumerate() {
            if self.joined && self.mapped[..place].contains(key) {
                continue;
            }
            if !block.is_empty() {
                block.push(',');
            }
            block.push_str(key);
            block.push_str("=\"");
            escape(block, value, Quotes::Escaped);
            if self.joined {
                let rest = self.mapped.iter().zip(values()).skip(place + 1);
                for (_, more) in rest.filter(|(other, _)| *other == key) {
                    block.push(';');
                    escape(block, more, Quotes::Escaped);
                }
            }
            block.push('"');
        }
    }
}

/// A label key on the page of a family of `kind`: see the module's page.
fn page_key(key: &str, kind: Kind) -> String {
    let mapped = sanitised(key);
    let reserved = mapped.starts_with("__") || (kind.is_distribution() && mapped == "le");
    let prefix = match mapped.as_bytes().first() {
        None | Some(b'0'..=b'9') => "key_",
        _ if reserved => "exported_",
        _ => return mapped,
    };
    prefix.to_owned() + &mapped
}

/// Whether a text stands in quotes, where quotes have to be escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    Escaped,
    Plain,
}

/// Appends `text` so that nothing in it ends the line, the quotes or the page.
pub(super) fn escape(page: &mut String, text: &str, quotes: Quotes) {
    let mut rest = text;
    let special =
        |byte: u8| matches!(byte, b'\\' | b'\n') || (byte == b'"' && quotes == Quotes::Escaped);
    while let Some(place) = rest.bytes().position(special) {
        page.push_str(&rest[..place]);
        page.push_str(match rest.as_bytes()[place] {
            b'\n' => "\\n",
            b'"' => "\\\"",
            _ => "\\\\",
        });
        rest = &rest[place + 1..];
    }
    page.push_str(rest);
}

/// The name of a family on the page.
pub(super) fn page_name(mapped: String) -> String {
    // Registration refuses such names; a page must not depend on that.
    match mapped.as_bytes().first() {
        Some(b'A'..=b'Z' | b'a'..=b'z' | b'_') => mapped,
        _ => format!("_{mapped}"),
    }
}
