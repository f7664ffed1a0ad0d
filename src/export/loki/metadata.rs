//! The structured metadata of an entry: what is neither its labels nor its line, under names that differ.

use std::io::Write as _;

use super::{names, options::LokiForm, text::cut};

/// The most pairs of an entry, and the most bytes of their names and values, that Loki takes unless it is configured
/// otherwise.
const MOST_PAIRS: usize = 128;
const MOST_BYTES: usize = 64 << 10;

/// Says how many pairs were cut or left out; there is always room for it.
const CUT_VALUES: &str = "cut_values";
const ROOM_FOR_CUT: usize = 32;

/// Names that are ours: an attribute of such a name is called otherwise, whether the record has ours or not.
const OWN: [&str; 16] = [
    "trace_id",
    "span_id",
    "level",
    "severity_text",
    "severity_number",
    "target",
    "event_name",
    "code_file_path",
    "code_line_number",
    "observed_timestamp",
    "dropped_attributes_count",
    "truncated_texts",
    "repeated",
    "suppressed",
    "line_bytes",
    CUT_VALUES,
];

/// Whether a pair of ours has this name.
pub(super) fn is_own(name: &str) -> bool {
    OWN.contains(&name)
}

/// Names of a route's structured metadata: those that attributes may not have, and those of one entry.
#[derive(Debug, Default)]
pub(super) struct Names {
    reserved: Vec<Vec<u8>>,
    /// A bit for each length that one of them has; most names are ruled out by it.
    lengths: u64,
    /// The names of the attributes of an entry, one after the other, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The name that is being made.
    name: Vec<u8>,
}

impl Names {
    /// With names that are taken, besides our own.
    pub(super) fn new<'a>(others: impl Iterator<Item = &'a str>) -> Self {
        let all = OWN.into_iter().chain(others);
        let reserved: Vec<Vec<u8>> = all.map(|name| name.as_bytes().to_vec()).collect();
        let lengths = reserved.iter().fold(0, |lengths, name| lengths | bit_of(name));
        Self { reserved, lengths, ..Self::default() }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Makes a name of `key` that nothing else of the entry has: `_2` and so on are behind one that is taken.
    fn make(&mut self, key: &str) {
        self.name.clear();
        names::put(&mut self.name, key);
        let length = self.name.len();
        let mut n = 1_u32;
        while self.is_taken() {
            n += 1;
            self.name.truncate(length);
            // Writing to a Vec cannot fail.
            let _ = write!(self.name, "_{n}");
        }
        self.bytes.extend_from_slice(&self.name);
        self.ends.push(self.bytes.len());
    }

    fn is_taken(&self) -> bool {
        let mut begin = 0;
        let is_used = self.ends.iter().any(|end| {
            let name = &self.bytes[std::mem::replace(&mut begin, *end)..*end];
            name == self.name
        });
        let may_be_reserved = self.lengths & bit_of(&self.name) != 0;
        is_used || may_be_reserved && self.reserved.contains(&self.name)
    }
}

fn bit_of(name: &[u8]) -> u64 {
    1 << name.len().min(63)
}

/// Structured metadata that is written.
#[derive(Debug)]
pub(super) struct Metadata<'a> {
    form: LokiForm,
    out: &'a mut Vec<u8>,
    names: &'a mut Names,
    n_pairs: usize,
    n_bytes: usize,
    n_cut: u32,
}

impl<'a> Metadata<'a> {
    pub(super) fn new(form: LokiForm, out: &'a mut Vec<u8>, names: &'a mut Names) -> Self {
        names.clear();
        Self { form, out, names, n_pairs: 0, n_bytes: 0, n_cut: 0 }
    }

    /// Adds a pair whose name is ours or the resource's, and legal.
    pub(super) fn own(&mut self, name: &str, value: &str) {
        self.pair(name.as_bytes(), value);
    }

    /// As [`own`](Self::own), with what `value` prints.
    pub(super) fn print(&mut self, name: &str, value: impl std::fmt::Display, room: &mut Vec<u8>) {
        room.clear();
        // Writing to a Vec cannot fail.
        let _ = write!(room, "{value}");
        self.own(name, str::from_utf8(room).unwrap_or_default());
    }

    /// Adds an attribute.
    pub(super) fn attribute(&mut self, key: &str, value: &str) {
        self.names.make(key);
        let name = std::mem::take(&mut self.names.name);
        self.pair(&name, value);
        self.names.name = name;
    }

    /// Adds a pair, as far as there is room.
    fn pair(&mut self, name: &[u8], value: &str) {
        let room = (MOST_BYTES - ROOM_FOR_CUT).saturating_sub(self.n_bytes + name.len());
        if room == 0 || self.n_pairs == MOST_PAIRS - 1 {
            self.n_cut += 1;
            return;
        }
        let shown = cut(value, room);
        self.n_cut += u32::from(shown.len() < value.len());
        self.form.pair(self.out, self.n_pairs == 0, name, shown);
        self.n_pairs += 1;
        self.n_bytes += name.len() + shown.len();
    }

    /// Ends it, and the entry. Returns how many pairs were cut or left out.
    pub(super) fn end(mut self, room: &mut Vec<u8>) -> u32 {
        let n_cut = self.n_cut;
        if n_cut > 0 {
            room.clear();
            // Writing to a Vec cannot fail.
            let _ = write!(room, "{n_cut}");
            let value = str::from_utf8(room).unwrap_or_default();
            self.form.pair(self.out, self.n_pairs == 0, CUT_VALUES.as_bytes(), value);
            self.n_pairs += 1;
        }
        self.form.end(self.out, self.n_pairs > 0);
        n_cut
    }
}
