//! Records as bytes: their cells one after the other, each with a byte that says what it is, and a text with its
//! length. What wrote them may be another process, or a file that was damaged: whatever is read is checked.

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(&'a str),
}

const NULL: u8 = 0;
const INT: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;

/// Writes the cells of a record.
pub(crate) struct RowWriter<'a>(&'a mut Vec<u8>);

impl<'a> RowWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self(out)
    }

    pub(super) fn null(&mut self) {
        self.0.push(NULL);
    }

    pub(super) fn int(&mut self, value: i64) {
        self.0.push(INT);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Writes a number that may be beyond what databases count to: then it is the most that they do.
    pub(super) fn count(&mut self, value: u64) {
        self.int(i64::try_from(value).unwrap_or(i64::MAX));
    }

    pub(super) fn real(&mut self, value: f64) {
        self.0.push(REAL);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.written(|out| out.extend_from_slice(text.as_bytes()));
    }

    /// Writes what `value` prints.
    pub(super) fn shown(&mut self, value: impl std::fmt::Display) {
        self.written(|out| {
            use std::io::Write as _;
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{value}");
        });
    }

    /// Writes the text that `write` appends.
    pub(super) fn written(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.push(TEXT);
        let begin = self.0.len();
        self.0.extend_from_slice(&[0; 4]);
        write(self.0);
        let length = self.0.len() - begin - 4;
        // A record is bounded by its queue, far below this.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.0[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// Writes a value, or that there is none.
    pub(super) fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }
}

/// The cells of a record. `None` in place of a cell: these are not the bytes that were written.
pub(super) struct Cells<'a>(&'a [u8]);

impl<'a> Cells<'a> {
    pub(super) fn of(record: &'a [u8]) -> Self {
        Self(record)
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn read(&mut self) -> Option<Cell<'a>> {
        let (kind, rest) = self.0.split_first()?;
        let (cell, rest) = match *kind {
            NULL => (Cell::Null, rest),
            INT => {
                let (bytes, rest) = rest.split_first_chunk()?;
                (Cell::Int(i64::from_le_bytes(*bytes)), rest)
            }
            REAL => {
                let (bytes, rest) = rest.split_first_chunk()?;
                (Cell::Real(f64::from_le_bytes(*bytes)), rest)
            }
            TEXT => {
                let (length, rest) = rest.split_first_chunk()?;
                let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
                let (text, rest) = rest.split_at_checked(length)?;
                (Cell::Text(std::str::from_utf8(text).ok()?), rest)
            }
            _ => return None,
        };
        self.0 = rest;
        Some(cell)
    }
}

impl<'a> Iterator for Cells<'a> {
    type Item = Option<Cell<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over() {
            return None;
        }
        let cell = self.read();
        if cell.is_none() {
            self.0 = &[]; // Nobody knows where the next one begins.
        }
        Some(cell)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(record: &[u8]) -> Option<Vec<Cell<'_>>> {
        Cells::of(record).collect()
    }

    fn sample() -> Vec<u8> {
        let mut record = Vec::new();
        let mut row = RowWriter::new(&mut record);
        row.int(-7);
        row.count(u64::MAX);
        row.real(-0.0);
        row.null();
        row.text("é\0");
        row.optional(Some(1.5), RowWriter::real);
        row.optional(None, RowWriter::real);
        row.shown(format_args!("{}-{}", 1, 2));
        record
    }

    #[test]
    fn what_was_written_is_read() {
        use Cell::{Int, Null, Real, Text};
        let expected =
            [Int(-7), Int(i64::MAX), Real(-0.0), Null, Text("é\0"), Real(1.5), Null, Text("1-2")];
        assert_eq!(read(&sample()).unwrap(), expected);
    }

    #[test]
    fn what_is_cut_or_changed_is_never_more_than_was_written() {
        let whole = sample();
        for end in 0..whole.len() {
            let cells = read(&whole[..end]);
            assert!(cells.is_none_or(|cells| cells.len() < 8), "{end}");
        }
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut record = whole.clone();
                record[place] ^= 1 << bit;
                let _ = read(&record); // It may be other cells; it is no panic.
            }
        }
        assert_eq!(read(&[4]), None);
        assert_eq!(read(&[3, 2, 0, 0, 0, b'a']), None);
        assert_eq!(read(&[3, 1, 0, 0, 0, 0xff]), None);
        assert_eq!(read(&[3, 0xff, 0xff, 0xff, 0xff]), None);
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_are_they_are_read_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let _ = read(&bytes);
        }
    }
}
