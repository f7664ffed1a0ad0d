//! The structured data of a message: one element, with a parameter for each thing that is known.

use std::fmt::{self, Write as _};

use super::text;
use crate::{export::wire::json::Json, label::Value};

/// Structured data that is being written.
pub(super) struct Data<'a> {
    out: &'a mut Vec<u8>,
    begin: usize,
    /// Where the element has no parameter yet.
    opened: usize,
    /// Where the element, with the bracket that closes it, has to have ended.
    end: usize,
    n_left_out: u32,
}

/// Names of our own: an attribute of the same name ends in `_`.
pub(super) const OWN: [&str; 13] = [
    "trace_id",
    "span_id",
    "target",
    "severity_text",
    "repeated",
    "suppressed",
    "dropped_attributes_count",
    "code.file.path",
    "code.line.number",
    LEFT_OUT,
    TRUNCATED,
    "truncated_texts",
    "observed",
];

/// How many parameters there was no room for.
pub(super) const LEFT_OUT: &str = "left_out";

/// Whether the message was cut.
pub(super) const TRUNCATED: &str = "truncated";

/// The most that both of the marks above take.
pub(super) const MARKS: usize = r#" left_out="4294967295" truncated="true""#.len();

impl<'a> Data<'a> {
    /// Opens an element, which has to end at `end`.
    pub(super) fn new(out: &'a mut Vec<u8>, sd_id: &str, end: usize) -> Self {
        let begin = out.len();
        out.push(b'[');
        out.extend_from_slice(sd_id.as_bytes());
        let opened = out.len();
        Self { out, begin, opened, end, n_left_out: 0 }
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.param(name, |_| false, |out| text::value(out, text));
    }

    pub(super) fn count(&mut self, name: &str, n: u64) {
        if n > 0 {
            self.param(name, |_| false, |out| Json::new(out).u64(n));
        }
    }

    /// Adds an id or the like, which needs no escapes.
    pub(super) fn plain(&mut self, name: &str, value: impl fmt::Display) {
        self.param(name, |_| false, |out| print(out, value));
    }

    pub(super) fn attribute(&mut self, key: &str, value: &Value) {
        let is_own = |name: &[u8]| OWN.iter().any(|own| own.as_bytes() == name);
        self.param(key, is_own, |out| match value {
            Value::String(text) => text::value(out, text),
            Value::I64(n) => Json::new(out).i64(*n),
            value => print(out, value),
        });
    }

    /// Adds a parameter, if there is room for it; a name that is taken ends in `_`.
    fn param(
        &mut self,
        name: &str,
        is_taken: impl FnOnce(&[u8]) -> bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let begin = self.out.len();
        self.out.push(b' ');
        text::name(self.out, name);
        if is_taken(&self.out[begin + 1..]) {
            self.out.push(b'_');
        }
        self.out.extend_from_slice(b"=\"");
        write(self.out);
        self.out.push(b'"');
        if self.out.len() >= self.end {
            self.out.truncate(begin);
            self.n_left_out += 1;
        }
    }

    /// Adds how many parameters were left out, and that the message will be cut if there is no room for `message`
    /// bytes before `end`; closes the element.
    pub(super) fn close_with_marks(mut self, message: usize, end: usize) {
        let n = self.n_left_out;
        self.end = end;
        self.count(LEFT_OUT, n.into());
        if self.out.len() + 1 + message > end {
            self.text(TRUNCATED, "true");
        }
        self.close();
    }

    /// Closes the element. One that says nothing is none.
    pub(super) fn close(self) {
        match self.out.len() == self.opened {
            true => {
                self.out.truncate(self.begin);
                self.out.push(b'-');
            }
            false => self.out.push(b']'),
        }
    }
}

fn print(out: &mut Vec<u8>, value: impl fmt::Display) {
    // Writing to a Vec cannot fail.
    let _ = write!(Escaped(out), "{value}");
}

/// What is printed, with the escapes of a value.
struct Escaped<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text::value(self.0, text);
        Ok(())
    }
}
