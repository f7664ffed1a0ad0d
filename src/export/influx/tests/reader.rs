//! A strict reader of the line protocol, written from its grammar (`line-protocol.ebnf` of InfluxData).

use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Field {
    Float(f64),
    Int(i64),
    Uint(u64),
    Bool(bool),
    Text(String),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Point {
    pub(super) name: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) fields: BTreeMap<String, Field>,
    pub(super) time: Option<i64>,
}

impl Point {
    pub(super) fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.fields.get(key)? {
            Field::Text(text) => Some(text),
            other => panic!("{key} is {other:?}"),
        }
    }

    pub(super) fn float(&self, key: &str) -> f64 {
        match self.fields[key] {
            Field::Float(value) => value,
            ref other => panic!("{key} is {other:?}"),
        }
    }

    pub(super) fn int(&self, key: &str) -> Option<i64> {
        match self.fields.get(key)? {
            Field::Int(value) => Some(*value),
            other => panic!("{key} is {other:?}"),
        }
    }
}

/// All points of `text`; `None` if it is not of the grammar.
pub(super) fn read(text: &str) -> Option<Vec<Point>> {
    let mut reader = Reader { rest: text };
    let mut points = Vec::new();
    loop {
        reader.spaces();
        if reader.rest.starts_with('#') {
            let end = reader.rest.find('\n').unwrap_or(reader.rest.len());
            let (comment, rest) = reader.rest.split_at(end);
            if comment.trim_end_matches('\r').contains(|c| is_control(c) && c != '\t') {
                return None;
            }
            reader.rest = rest;
        } else if !reader.is_at_end_of_line() {
            points.push(reader.point()?);
        }
        reader.take('\r');
        if reader.rest.is_empty() {
            return Some(points);
        }
        reader.take('\n').then_some(())?;
    }
}

fn is_control(c: char) -> bool {
    c <= '\u{1f}' || c == '\u{7f}'
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn take(&mut self, c: char) -> bool {
        let found = self.rest.strip_prefix(c);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn spaces(&mut self) -> bool {
        let rest = self.rest.trim_start_matches(' ');
        let are_some = rest.len() < self.rest.len();
        self.rest = rest;
        are_some
    }

    fn is_at_end_of_line(&self) -> bool {
        matches!(self.rest, "" | "\r")
            || self.rest.starts_with('\n')
            || self.rest.starts_with("\r\n")
    }

    fn point(&mut self) -> Option<Point> {
        let mut point = Point { name: self.word(" ,")?, ..Point::default() };
        while self.take(',') {
            let key = self.word(" ,=")?;
            self.take('=').then_some(())?;
            let value = self.word(" ,=")?;
            point.tags.insert(key, value).is_none().then_some(())?;
        }
        self.spaces().then_some(())?;
        loop {
            let key = self.word(" ,=")?;
            self.take('=').then_some(())?;
            let value = self.value()?;
            point.fields.insert(key, value);
            if !self.take(',') {
                break;
            }
        }
        if self.spaces() && !self.is_at_end_of_line() {
            let end = self.rest.find([' ', '\n', '\r']).unwrap_or(self.rest.len());
            point.time = Some(self.rest[..end].parse().ok()?);
            self.rest = &self.rest[end..];
            self.spaces();
        }
        self.is_at_end_of_line().then_some(point)
    }

    /// A text up to one of `ends` that is not escaped: backslashes escape such a character alone.
    fn word(&mut self, ends: &str) -> Option<String> {
        let mut word = String::new();
        let mut chars = self.rest.char_indices();
        let mut n_slashes = 0;
        let end = loop {
            let Some((at, c)) = chars.next() else { break self.rest.len() };
            match c {
                '\\' => {
                    n_slashes += 1;
                    continue;
                }
                _ if is_control(c) => break at,
                _ if ends.contains(c) && n_slashes > 0 => n_slashes -= 1,
                _ if ends.contains(c) => break at,
                _ => {}
            }
            word.extend(std::iter::repeat_n('\\', n_slashes).chain([c]));
            n_slashes = 0;
        };
        self.rest = &self.rest[end..];
        (n_slashes == 0 && !word.is_empty()).then_some(word)
    }

    fn value(&mut self) -> Option<Field> {
        if self.take('"') {
            return self.quoted().map(Field::Text);
        }
        let end = self.rest.find([',', ' ', '\n', '\r']).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        match text {
            "t" | "T" | "true" | "True" | "TRUE" => return Some(Field::Bool(true)),
            "f" | "F" | "false" | "False" | "FALSE" => return Some(Field::Bool(false)),
            _ => {}
        }
        text.contains(|c: char| c.is_ascii_digit()).then_some(())?;
        if text.starts_with('+') {
            return None;
        }
        if let Some(digits) = text.strip_suffix('i') {
            return digits.parse().ok().map(Field::Int);
        }
        if let Some(digits) = text.strip_suffix('u') {
            return digits.parse().ok().map(Field::Uint);
        }
        text.parse().ok().filter(|value: &f64| value.is_finite()).map(Field::Float)
    }

    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        loop {
            match chars.next()? {
                (at, '"') => {
                    self.rest = &self.rest[at + 1..];
                    return Some(text);
                }
                (_, '\\') => match chars.next()?.1 {
                    c @ ('"' | '\\') => text.push(c),
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    c => text.extend(['\\', c]),
                },
                (_, c) => text.push(c),
            }
        }
    }
}
