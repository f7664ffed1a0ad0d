//! The two forms of labels and entries.
//!
//! In protobuf, labels are a text, as they are between the braces of a query, and an entry is a message. In JSON,
//! labels are an object, and an entry is an array of its time, its line and its structured metadata.

use super::options::LokiForm;
use crate::export::wire::{
    json::Json,
    protobuf::{Guess, Protobuf},
};

// Fields of `logproto.EntryAdapter`, `logproto.LabelPairAdapter` and `google.protobuf.Timestamp`.
const TIMESTAMP: u8 = 1;
const LINE: u8 = 2;
const STRUCTURED_METADATA: u8 = 3;
const NAME: u8 = 1;
const VALUE: u8 = 2;
const SECONDS: u8 = 1;
const NANOS: u8 = 2;

impl LokiForm {
    /// Writes a label; `is_first` of its stream.
    pub(super) fn label(self, out: &mut Vec<u8>, is_first: bool, name: &str, value: &str) {
        match self {
            Self::Protobuf => {
                if !is_first {
                    out.extend_from_slice(b", ");
                }
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b"=\"");
                escape(out, value);
                out.push(b'"');
            }
            Self::Json => {
                if !is_first {
                    out.push(b',');
                }
                Json::new(out).bare(name.as_bytes());
                out.push(b':');
                Json::new(out).str(value);
            }
        }
    }

    /// Begins an entry.
    pub(super) fn begin(self, out: &mut Vec<u8>, time: u64, line: &str) {
        match self {
            Self::Protobuf => {
                let mut entry = Protobuf(out);
                entry.message(TIMESTAMP, Guess::Short, |timestamp| {
                    some(timestamp, SECONDS, time / 1_000_000_000);
                    some(timestamp, NANOS, time % 1_000_000_000);
                });
                text(&mut entry, LINE, line);
            }
            Self::Json => {
                out.extend_from_slice(b"[\"");
                Json::new(out).u64(time); // As text: a number is refused.
                out.extend_from_slice(b"\",");
                Json::new(out).str(line);
            }
        }
    }

    /// Writes a pair of structured metadata; `is_first` of its entry. `name` is legal.
    pub(super) fn pair(self, out: &mut Vec<u8>, is_first: bool, name: &[u8], value: &str) {
        match self {
            Self::Protobuf => Protobuf(out).message(STRUCTURED_METADATA, Guess::Short, |pair| {
                pair.bytes(NAME, name);
                text(pair, VALUE, value);
            }),
            Self::Json => {
                out.extend_from_slice(if is_first { b",{" } else { b"," });
                Json::new(out).bare(name);
                out.push(b':');
                Json::new(out).str(value);
            }
        }
    }

    /// Ends an entry, which has structured metadata or not.
    pub(super) fn end(self, out: &mut Vec<u8>, has_metadata: bool) {
        if self == Self::Json {
            out.extend_from_slice(if has_metadata { b"}]" } else { b"]" });
        }
    }
}

// What is zero or empty has no field.

fn some(message: &mut Protobuf<'_>, field: u8, number: u64) {
    if number > 0 {
        message.varint(field, number);
    }
}

fn text(message: &mut Protobuf<'_>, field: u8, text: &str) {
    if !text.is_empty() {
        message.bytes(field, text.as_bytes());
    }
}

/// Writes `value` as it stands between the quotes of a label in a query, whose escapes are Go's.
fn escape(out: &mut Vec<u8>, value: &str) {
    let bytes = value.as_bytes();
    let mut begin = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => *byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..0x20 | 0x7f => b'x',
            _ => continue,
        };
        out.extend_from_slice(&bytes[begin..at]);
        begin = at + 1;
        out.extend_from_slice(&[b'\\', short]);
        if short == b'x' {
            let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 0xf)];
            out.extend_from_slice(&[digit(byte >> 4), digit(*byte)]);
        }
    }
    out.extend_from_slice(&bytes[begin..]);
}
