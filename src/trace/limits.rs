//! How much one span may hold.

use std::borrow::Cow;

use crate::label::{KeyValue, Value};

/// How much one span may hold; what is beyond is left out and counted in the span's record.
///
/// Text (names, keys, values, descriptions) is cut at a character so that it has at most
/// `text_bytes` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "any value is legal; a limit more is a breaking release"
)]
pub struct SpanLimits {
    /// The most attributes of a span, of an event, and of a link.
    pub attributes: u32,
    /// The most events of a span.
    pub events: u32,
    /// The most links of a span.
    pub links: u32,
    /// The most bytes of a text.
    pub text_bytes: usize,
}

/// 128 of each (OpenTelemetry trace SDK, "Span Limits") and 1,024 bytes, as in labels.
impl Default for SpanLimits {
    fn default() -> Self {
        Self { attributes: 128, events: 128, links: 128, text_bytes: crate::label::MAX_VALUE_BYTES }
    }
}

impl SpanLimits {
    /// `text` with at most `text_bytes` bytes.
    #[inline]
    pub(super) fn cut(&self, text: Cow<'static, str>) -> Cow<'static, str> {
        if text.len() <= self.text_bytes {
            return text;
        }
        let end = (0..=self.text_bytes).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
            // A copy, because a shortened String would keep the memory of the long one.
            Cow::Owned(text) => Cow::Owned(text[..end].to_owned()),
        }
    }

    /// The first of `attributes`, as many as one event or link may have.
    pub(super) fn gather(&self, attributes: impl IntoIterator<Item = KeyValue>) -> Vec<KeyValue> {
        let kept = attributes.into_iter().take(self.attributes as usize);
        kept.map(|attribute| self.cut_attribute(attribute)).collect()
    }

    /// Whether the texts of `attribute` are short enough.
    #[inline]
    pub(super) fn allow(&self, attribute: &KeyValue) -> bool {
        let value_bytes = match &attribute.value {
            Value::String(text) => text.len(),
            _ => 0,
        };
        attribute.key.len().max(value_bytes) <= self.text_bytes
    }

    pub(super) fn cut_attribute(&self, attribute: KeyValue) -> KeyValue {
        let value = match attribute.value {
            Value::String(text) => Value::String(self.cut(text)),
            other => other,
        };
        KeyValue { key: self.cut(attribute.key), value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_character() {
        let limits = SpanLimits { text_bytes: 4, ..SpanLimits::default() };
        assert_eq!(limits.cut("abc\u{e9}".into()), "abc");
        assert_eq!(limits.cut(String::from("abcde").into()), "abcd");
        assert_eq!(limits.cut("abcd".into()), "abcd");
    }
}
