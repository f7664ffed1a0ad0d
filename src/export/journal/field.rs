//! Fields of an entry, as systemd's native protocol has them: `NAME=value` and a line feed; or for a value with line
//! feeds in it `NAME`, a line feed, the length in eight bytes from the lowest on, the value and a line feed.

use std::fmt;

use crate::label::Value;

/// The longest name that the journal takes.
pub(super) const MOST_NAME: usize = 64;

/// What goes before a name that would be none, or another field's.
const PREFIX: &str = "ATTR_";

/// Fields of our own: an attribute of the same name has [`PREFIX`] before it.
pub(super) const OWN: [&str; 18] = [
    "MESSAGE",
    "PRIORITY",
    "SYSLOG_IDENTIFIER",
    "TIMESTAMP",
    "TARGET",
    "TRACE_ID",
    "SPAN_ID",
    "CODE_FILE",
    "CODE_LINE",
    "CODE_FUNC",
    "EVENT_NAME",
    "SEVERITY_TEXT",
    "REPEATED",
    "SUPPRESSED",
    "DROPPED_ATTRIBUTES",
    "LEFT_OUT",
    "OBSERVED",
    "TRUNCATED_TEXTS",
];

/// Whether the journal takes a field of this name from a process: `[A-Z][A-Z0-9_]*`, and not too long.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= MOST_NAME
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
}

/// Writes a field; `name` is legal.
pub(super) fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    self::value(out, value);
}

/// Writes a field whose value has no line feed; `name` is legal.
pub(super) fn plain(out: &mut Vec<u8>, name: &str, value: impl fmt::Display) {
    out.extend_from_slice(name.as_bytes());
    printed(out, value);
}

/// Writes an attribute as a field.
pub(super) fn attribute(out: &mut Vec<u8>, key: &str, attribute: &Value) {
    name(out, key);
    match attribute {
        Value::String(text) => value(out, text),
        other => printed(out, other), // An array prints as JSON, where a line feed is escaped.
    }
}

/// Writes the name that `key` becomes: in capitals, with `_` for what no name can have.
pub(super) fn name(out: &mut Vec<u8>, key: &str) {
    let begin = out.len();
    if !key.starts_with(|c: char| c.is_ascii_alphabetic()) {
        out.extend_from_slice(PREFIX.as_bytes());
    }
    put(out, key);
    if OWN.iter().any(|own| own.as_bytes() == &out[begin..]) {
        out.truncate(begin);
        out.extend_from_slice(PREFIX.as_bytes());
        put(out, key);
    }
    out.truncate(begin + MOST_NAME);
}

fn put(out: &mut Vec<u8>, key: &str) {
    // A first byte for each character; those after it begin with the bits 10.
    let firsts = key.bytes().filter(|byte| byte & 0xc0 != 0x80).take(MOST_NAME);
    out.extend(firsts.map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => byte.to_ascii_uppercase(),
        _ => b'_',
    }));
}

/// Writes a value behind its name.
fn value(out: &mut Vec<u8>, value: &str) {
    match value.contains('\n') {
        true => {
            out.push(b'\n');
            out.extend_from_slice(&(value.len() as u64).to_le_bytes());
        }
        false => out.push(b'='),
    }
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

fn printed(out: &mut Vec<u8>, value: impl fmt::Display) {
    use std::io::Write as _;
    // Writing to a Vec cannot fail.
    let _ = writeln!(out, "={value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_becomes_a_legal_name_that_is_no_field_of_ours() {
        for (key, wanted) in [
            ("http.route", "HTTP_ROUTE"),
            ("MESSAGE_ID", "MESSAGE_ID"),
            ("message", "ATTR_MESSAGE"),
            ("trace.id", "ATTR_TRACE_ID"),
            ("_pid", "ATTR__PID"),
            ("1st", "ATTR_1ST"),
            ("", "ATTR_"),
            ("straße=\n", "STRA_E__"),
            ("é", "ATTR__"),
        ] {
            let mut out = Vec::new();
            name(&mut out, key);
            let name = str::from_utf8(&out).unwrap();
            assert_eq!(name, wanted, "{key}");
            assert!(is_name(name));
        }
        let mut out = Vec::new();
        name(&mut out, &"k".repeat(65));
        assert_eq!(out, "K".repeat(64).as_bytes());
        for bad in ["", "_PID", "1ST", "a", "A-B", "É", &"K".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_value_with_a_line_feed_has_its_length_before_it() {
        let mut out = Vec::new();
        text(&mut out, "A", "a=b\0\r");
        text(&mut out, "B", "é\n");
        plain(&mut out, "C", 7);
        attribute(&mut out, "d", &Value::from(["x\ny"]));
        assert_eq!(out, b"A=a=b\0\r\nB\n\x03\0\0\0\0\0\0\0\xc3\xa9\n\nC=7\nD=[\"x\\ny\"]\n");
    }
}
