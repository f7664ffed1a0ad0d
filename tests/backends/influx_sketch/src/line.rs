//! One line of the line protocol.

use std::io::Write as _;

/// A line that is written: the name, tags, fields, and the time, in this order.
#[derive(Debug)]
pub struct Line<'a> {
    out: &'a mut Vec<u8>,
    begin: usize,
    has_fields: bool,
}

impl<'a> Line<'a> {
    /// Begins a line of the measurement `name`.
    pub fn new(out: &'a mut Vec<u8>, name: &str) -> Self {
        let begin = out.len();
        escape(out, name, ", ");
        Self { out, begin, has_fields: false }
    }

    /// Adds a tag; none if a part of it is empty, which no line can express.
    pub fn tag(&mut self, key: &str, value: &str) {
        if key.is_empty() || value.is_empty() {
            return;
        }
        self.out.push(b',');
        escape(self.out, key, ",= ");
        self.out.push(b'=');
        escape(self.out, value, ",= ");
    }

    /// Adds a field of a whole number.
    pub fn int(&mut self, key: &str, value: i64) {
        self.field(key);
        print(self.out, format_args!("{value}i"));
    }

    /// Adds a field of a number; none if it is not finite.
    pub fn float(&mut self, key: &str, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.field(key);
        match value.abs() {
            size if size == 0.0 || (1e-5..1e16).contains(&size) => {
                print(self.out, format_args!("{value}"));
            }
            _ => print(self.out, format_args!("{value:e}")),
        }
    }

    /// Adds a field that is true or false.
    pub fn bool(&mut self, key: &str, value: bool) {
        self.field(key);
        print(self.out, format_args!("{value}"));
    }

    /// Adds a field of text.
    pub fn text(&mut self, key: &str, value: &str) {
        self.field(key);
        self.out.push(b'"');
        for c in value.chars() {
            match c {
                '"' | '\\' => print(self.out, format_args!("\\{c}")),
                '\n' => print(self.out, format_args!("\\n")),
                _ => print(self.out, format_args!("{c}")),
            }
        }
        self.out.push(b'"');
    }

    /// Ends the line with its time; removes it if it has no field.
    pub fn end(self, unix_nanos: i64) {
        if self.has_fields {
            print(self.out, format_args!(" {unix_nanos}\n"));
        } else {
            self.out.truncate(self.begin);
        }
    }

    fn field(&mut self, key: &str) {
        self.out.push(if self.has_fields { b',' } else { b' ' });
        self.has_fields = true;
        escape(self.out, key, ",= ");
        self.out.push(b'=');
    }
}

/// A backslash before each of `special`. A line cannot express line feeds and other controls in names: they
/// are spaces.
fn escape(out: &mut Vec<u8>, text: &str, special: &str) {
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if special.contains(c) {
            out.push(b'\\');
        }
        print(out, format_args!("{c}"));
    }
}

fn print(out: &mut Vec<u8>, args: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(args); // A vector takes everything.
}
