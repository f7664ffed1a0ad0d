//! Labels on a page: they are escaped, so that no value can end its quotes or its line.

use super::{Format, buffer::Buffer, wire};
use crate::{
    exposition::{LabelNames, LabelNaming, is_plain_key},
    label::LabelSet,
};

/// The texts for the keys of a label set, built once for all series with the same keys.
#[derive(Debug)]
pub(super) struct Keys {
    /// The first label set that had these keys; it keeps their memory alive.
    of: LabelSet,
    /// The address and length of each key: most other label sets share them.
    places: Vec<(usize, usize)>,
    names: LabelNames,
    /// The text before each value in a text format: `key="`, with a comma before all but the first. One
    /// for each key, in the same order.
    texts: Vec<Buffer>,
}

impl Keys {
    /// The keys of `labels`.
    pub(super) fn new(labels: &LabelSet, naming: LabelNaming<'_>) -> Self {
        let names = naming.names(labels);
        let text = |(place, key): (usize, &String)| {
            let mut text = Buffer::default();
            text.push(if place == 0 { b"" } else { b"," });
            push_key(&mut text, key);
            text
        };
        let texts = names.as_slice().iter().enumerate().map(text).collect();
        let places = labels.iter().map(|(key, _)| place_of(key)).collect();
        Self { of: labels.clone(), places, names, texts }
    }

    /// The names of the keys on the page.
    pub(super) fn names(&self) -> &LabelNames {
        &self.names
    }

    /// Appends the labels of a series to `to`, in their order. Returns `false` if its keys differ; some
    /// labels may have been appended by then.
    #[inline(always)]
    pub(super) fn write(&self, labels: &LabelSet, format: Format, to: &mut Buffer) -> bool {
        let n_written = labels.all_bytes(|place, key, value| {
            let Some(known) = self.places.get(place) else { return false };
            let is_same = *known == place_of(key) || self.is_key(place, key);
            match format {
                _ if !is_same => {}
                Format::Protobuf => wire::label(to, &self.names.as_slice()[place], value),
                _ if to.quoted_unless(&self.texts[place], value, QUOTED) => {}
                _ => {
                    to.copy(&self.texts[place]);
                    push_escaped(to, value);
                    to.push_byte(b'"');
                }
            }
            is_same
        });
        n_written == Some(self.texts.len())
    }

    #[inline(never)]
    fn is_key(&self, place: usize, key: &str) -> bool {
        self.of.iter().nth(place).is_some_and(|(own, _)| own == key)
    }
}

/// Replaces `block` by any labels; those that `naming` joins become one.
pub(super) fn push_joined<'a>(
    block: &mut Buffer,
    format: Format,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
    naming: LabelNaming<'_>,
) {
    block.clear();
    for (name, value) in naming.joined(labels) {
        push_label(block, format, &name, &value);
    }
}

/// The address of a key, and its length.
#[inline(always)]
fn place_of(key: &str) -> (usize, usize) {
    (key.as_ptr().addr(), key.len())
}

/// Appends a label. In a text format it is `key="value"`, after a comma if `block` is not empty, and a
/// key that is not plain is in quotes. In protobuf it is a field of a `Metric` or an `Exemplar`.
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

/// Appends a text that is not in quotes, such as the `HELP` of a text format, so that nothing in it
/// ends the line.
pub(super) fn push_line(page: &mut Buffer, text: &[u8]) {
    escape(page, text, &QUOTED[..2]);
}

/// The bytes that are escaped in a text; the last one only in quotes.
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
