//! One line of the line protocol: a name, tags, fields and a time.

use crate::export::wire::number::{self, Room};

/// What a text of a line may not hold, besides controls.
#[derive(Clone, Copy)]
enum Place {
    Name,
    /// The key or the value of a tag, or the key of a field.
    Part,
}

/// A line that is written, in the order of its methods.
#[derive(Debug)]
pub(super) struct Line<'a> {
    out: &'a mut Vec<u8>,
    begin: usize,
    /// Where name and tags end.
    key_end: usize,
    has_fields: bool,
    /// Whether name or tags have a backslash before a character that is escaped.
    is_odd: bool,
    /// How many characters no line can express; `_` stands for each.
    n_replaced: u64,
}

/// The most bytes of name, tags and a field's key together: InfluxDB 1 and 2 refuse more.
const MOST_KEY: usize = 65_535;

/// No key of a field of ours is longer.
const MOST_FIELD_KEY: usize = 64;

impl<'a> Line<'a> {
    /// Begins a line of the measurement `prefix` and `name`.
    pub(super) fn new(out: &'a mut Vec<u8>, prefix: &str, name: &str) -> Self {
        let begin = out.len();
        let mut line =
            Self { out, begin, key_end: begin, has_fields: false, is_odd: false, n_replaced: 0 };
        line.text(prefix, Place::Name);
        line.text(name, Place::Name);
        line.mend(begin);
        if line.out.get(begin) == Some(&b'#') {
            line.replace(begin); // It would be a comment.
        }
        line.key_end = line.out.len();
        line
    }

    /// Adds a tag; none if its key or value is empty, which no line can express. A key that InfluxDB keeps for
    /// itself has a `_` behind it.
    pub(super) fn tag(&mut self, key: &str, value: &str) {
        if key.is_empty() || value.is_empty() {
            return;
        }
        self.out.push(b',');
        self.key(key);
        self.out.push(b'=');
        let begin = self.out.len();
        self.text(value, Place::Part);
        self.mend(begin);
        self.key_end = self.out.len();
    }

    /// Adds a field of a whole number.
    pub(super) fn int(&mut self, key: &str, value: i64) {
        self.field(key);
        self.number(|room| number::put_i64(room, value));
        self.out.push(b'i');
    }

    /// Adds a field of a count; none if it is beyond what a whole number of the protocol can be.
    pub(super) fn count(&mut self, key: &str, value: u64) {
        if let Ok(value) = i64::try_from(value) {
            self.int(key, value);
        }
    }

    /// Adds a field of a number; none if it is not finite, which no line can express.
    pub(super) fn float(&mut self, key: &str, value: f64) {
        if value.is_finite() {
            self.field(key);
            self.number(|room| number::put_f64(room, value));
        }
    }

    /// Adds a field that is true or false.
    #[cfg(test)] // For the corpus: a boolean cannot be added up, so that nothing of ours is one.
    pub(super) fn bool(&mut self, key: &str, value: bool) {
        self.field(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// Adds a field of text. A line feed is `\n` there, as in InfluxData's own encoder: a record is one line to
    /// any reader.
    pub(super) fn str(&mut self, key: &str, text: &str) {
        self.quoted(key, |out| out.extend_from_slice(text.as_bytes()));
    }

    /// Adds a field of the text, in UTF-8, that `write` appends.
    pub(super) fn quoted(&mut self, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.field(key);
        self.out.push(b'"');
        let begin = self.out.len();
        write(self.out);
        self.escape_quoted(begin);
        self.out.push(b'"');
    }

    /// Ends the line with its time. It is removed if it has no field, or a longer key than servers take. Returns
    /// how many characters were replaced.
    pub(super) fn end(mut self, time: i64) -> u64 {
        if !self.has_fields || self.key_end - self.begin > MOST_KEY - MOST_FIELD_KEY {
            self.out.truncate(self.begin);
            return 0;
        }
        if self.is_odd && self.out[self.begin..].contains(&b'"') {
            self.straighten();
        }
        self.out.push(b' ');
        self.number(|room| number::put_i64(room, time));
        self.out.push(b'\n');
        self.n_replaced
    }

    fn number(&mut self, put: impl FnOnce(&mut Room) -> usize) {
        let mut room = Room::default();
        let length = put(&mut room);
        self.out.extend_from_slice(&room[..length]);
    }

    fn field(&mut self, key: &str) {
        self.out.push(if self.has_fields { b',' } else { b' ' });
        self.has_fields = true;
        self.key(key);
        self.out.push(b'=');
    }

    fn key(&mut self, key: &str) {
        let begin = self.out.len();
        self.text(key, Place::Part);
        self.mend(begin);
        if matches!(key, "time" | "_time" | "_field" | "_measurement") {
            self.out.push(b'_');
            self.n_replaced += 1;
        }
    }

    /// Writes `text` with a backslash before each character that means something in its place.
    fn text(&mut self, text: &str, place: Place) {
        let bytes = text.as_bytes();
        let mut begin = 0;
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b' ' | b',' => {}
                b'=' if matches!(place, Place::Part) => {}
                0..0x20 | 0x7f => {}
                _ => continue,
            }
            self.out.extend_from_slice(&bytes[begin..at]);
            begin = at + 1;
            match byte {
                b' ' | b',' | b'=' => {
                    self.is_odd |= self.out.last() == Some(&b'\\');
                    self.out.extend_from_slice(&[b'\\', *byte]);
                }
                _ => {
                    self.out.push(b'_');
                    self.n_replaced += 1;
                }
            }
        }
        self.out.extend_from_slice(&bytes[begin..]);
    }

    /// A backslash at the end of a text, which begins at `begin`, would escape what follows.
    fn mend(&mut self, begin: usize) {
        if self.out.len() > begin && self.out.last() == Some(&b'\\') {
            self.replace(self.out.len() - 1);
        }
    }

    fn replace(&mut self, at: usize) {
        self.out[at] = b'_';
        self.n_replaced += 1;
    }

    /// Replaces, in name and tags, a backslash right before one that escapes: the readers of InfluxDB 1 and 2 find
    /// the end of the *line* as if backslashes came in pairs, and then they take quotes that are none for the
    /// beginning of a text, which may reach into the next line.
    fn straighten(&mut self) {
        let mut n = 0; // Of backslashes in a row.
        for at in self.begin..self.key_end {
            match self.out[at] {
                b'\\' => n += 1,
                b' ' | b',' | b'=' if n > 0 && n % 2 == 0 => {
                    self.replace(at - 2);
                    n = 0;
                }
                _ => n = 0,
            }
        }
    }

    /// Escapes what is special in the text from `begin` on, in place, from its end.
    fn escape_quoted(&mut self, begin: usize) {
        let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | b'\n');
        let n = self.out[begin..].iter().filter(|byte| is_special(byte)).count();
        let mut from = self.out.len();
        let mut to = from + n;
        self.out.resize(to, 0);
        while from < to {
            (from, to) = (from - 1, to - 1);
            let byte = self.out[from];
            self.out[to] = if byte == b'\n' { b'n' } else { byte };
            if is_special(&byte) {
                to -= 1;
                self.out[to] = b'\\';
            }
        }
    }
}
