//! A run of samples of one series, as bytes.
//!
//! The memory of an open chunk doubles as it grows, from 16 bytes on: a series that changed twice
//! costs less than one that changes at every tick. A full chunk is sealed: it gets a summary and is
//! not written any more. When a chunk is given up, its memory goes back to a [`Pool`] and serves other
//! chunks. So a store that has reached its full length allocates nothing.

use super::{
    codec::{
        Bytes, Gap, HOLD, LACK, STALE, START, floats, histograms,
        integers::{self, Brief},
    },
    sample::{Cells, Form, LayoutId, Sample},
};
use crate::clock::Ticks;

/// Samples of one series at instants that follow one another.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    bytes: Box<[u8]>,
    len: u32,
    pub(super) head: Head,
}

/// What is needed to read a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// The number of the instant of the first record, in its tier.
    pub(super) first: u64,
    /// When the sum of the first sample began.
    pub(super) start: Ticks,
    /// By how much a whole number is expected to grow from the first record to the next.
    pub(super) expected: i64,
    /// The layout of the cells, if these are histograms.
    pub(super) layout: LayoutId,
    /// Whether counts of the layout are whole numbers.
    pub(super) are_whole: bool,
    /// Whether the last value of the previous chunk holds until the first instant.
    pub(super) is_held_before: bool,
    /// Whether a value in it is below the value before it, or belongs to another sum. The first value
    /// is compared with the last one of the previous chunk.
    pub(super) falls: bool,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            first: 0,
            start: Ticks::ORIGIN,
            expected: 0,
            layout: LayoutId(0),
            are_whole: true,
            is_held_before: false,
            falls: false,
        }
    }
}

impl Chunk {
    pub(super) fn new(head: Head) -> Self {
        Self { head, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// How many bytes it takes, unused ones included.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// The records.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len()]
    }

    /// Adds bytes.
    pub(super) fn extend(&mut self, bytes: &[u8], pool: &mut Pool) {
        let len = self.len();
        if len + bytes.len() > self.bytes.len() {
            let mut larger = pool.take(len + bytes.len());
            larger[..len].copy_from_slice(&self.bytes[..len]);
            pool.give(std::mem::replace(&mut self.bytes, larger));
        }
        self.bytes[len..len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len() as u32;
    }

    /// Gives its memory back.
    pub(super) fn end(self, pool: &mut Pool) {
        pool.give(self.bytes);
    }

    /// Reads it from the beginning.
    pub(super) fn read(&self, form: Form) -> Decoder<'_> {
        Decoder {
            bytes: Bytes::new(self.bytes()),
            form,
            head: self.head,
            next: self.head.first,
            expected: self.head.expected,
            is_first: true,
            start: self.head.start,
            bits: 0,
            cells: Cells::default(),
        }
    }

    /// Continues reading at a pause; `None` if that was in another chunk.
    pub(super) fn resume(&self, form: Form, paused: Paused) -> Option<Decoder<'_>> {
        let Paused { n_read, head, next, expected, is_first, start, bits, cells } = paused;
        let is_it = head.first == self.head.first && n_read <= self.len();
        let bytes = Bytes::from(self.bytes(), n_read);
        let all = Decoder { bytes, form, head, next, expected, is_first, start, bits, cells };
        is_it.then_some(all)
    }
}

/// Where the reading of a chunk stopped.
#[derive(Debug)]
pub(super) struct Paused {
    n_read: usize,
    head: Head,
    next: u64,
    expected: i64,
    is_first: bool,
    start: Ticks,
    bits: u64,
    pub(super) cells: Cells,
}

/// Reads the records of a chunk.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    bytes: Bytes<'a>,
    form: Form,
    head: Head,
    /// The instant after the last record.
    next: u64,
    expected: i64,
    /// Whether the next sample is the first.
    is_first: bool,
    /// When the sum began.
    pub(super) start: Ticks,
    /// The current value, unless the series is a histogram.
    pub(super) bits: u64,
    /// The current value of a histogram.
    pub(super) cells: Cells,
}

/// What the next record of a chunk says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Its instant.
    pub(super) at: u64,
    /// Whether the instants between this record and the one before have a value.
    pub(super) gap: Gap,
    /// A mark that the series ended, in place of a sample.
    pub(super) is_stale: bool,
}

impl<'a> Decoder<'a> {
    /// Reads records that follow a sample of the value `bits` at the instant `at`.
    pub(super) fn after(bytes: &'a [u8], form: Form, head: Head, (at, bits): (u64, u64)) -> Self {
        let (bytes, next, cells) = (Bytes::new(bytes), at + 1, Cells::default());
        let Head { expected, start, .. } = head;
        Self { bytes, form, head, next, expected, is_first: false, start, bits, cells }
    }
}

impl Decoder<'_> {
    /// Returns the next record, and makes its sample the current value.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Record> {
        match self.form {
            Form::Whole | Form::Signed => match self.next_brief() {
                None => self.next_of_any_length(),
                some => some,
            },
            Form::Float | Form::Histogram => self.next_of_any_length(),
        }
    }

    /// The next record, if it is a whole number of one or two bytes without a mark in front.
    #[inline(always)]
    fn next_brief(&mut self) -> Option<Record> {
        let (control, next) = self.bytes.two()?;
        let (Brief { held, deviation }, len) = Brief::read(control, next)?;
        self.bytes.skip(len);
        let step = self.expected.wrapping_add(deviation).cast_unsigned();
        let bits = self.bits.wrapping_add(step);
        self.expected = integers::next_step(self.bits, bits, self.expected);
        self.bits = bits;
        Some(self.record(Gap::Held(held), false))
    }

    #[inline(never)]
    fn next_of_any_length(&mut self) -> Option<Record> {
        let mut gap = Gap::Held(0);
        loop {
            let control = self.bytes.next()?;
            match control {
                HOLD => gap = Gap::Held(self.bytes.varint()),
                LACK => gap = Gap::Lacking(self.bytes.varint()),
                START => self.start = self.bytes.start(),
                STALE => return Some(self.record(gap, true)),
                control => {
                    let held = self.sample(control);
                    let gap = if held > 0 { Gap::Held(held) } else { gap };
                    return Some(self.record(gap, false));
                }
            }
        }
    }

    /// The record that [`next`](Self::next) will return.
    #[inline]
    pub(super) fn peek(&self) -> Option<Record> {
        let (mut bytes, mut gap) = (self.bytes, Gap::Held(0));
        let (gap, is_stale) = loop {
            let control = bytes.next()?;
            match control {
                HOLD => gap = Gap::Held(bytes.varint()),
                LACK => gap = Gap::Lacking(bytes.varint()),
                START => drop(bytes.start()),
                STALE => break (gap, true),
                control => {
                    let held = match self.form {
                        Form::Whole | Form::Signed => integers::held(control),
                        Form::Float => floats::held(bytes, control),
                        Form::Histogram => histograms::held(bytes, control),
                    };
                    break (if held > 0 { Gap::Held(held) } else { gap }, false);
                }
            }
        };
        Some(Record { at: self.next + gap.len(), gap, is_stale })
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// Stops reading.
    pub(super) fn pause(self) -> Paused {
        let Self { bytes, head, next, expected, is_first, start, bits, cells, .. } = self;
        Paused { n_read: bytes.n_read(), head, next, expected, is_first, start, bits, cells }
    }

    /// The value of the last sample.
    pub(super) fn value(&self) -> Sample<'_> {
        match self.form {
            Form::Histogram => Sample::Histogram(self.head.layout, &self.cells),
            Form::Whole | Form::Signed | Form::Float => Sample::Bits(self.bits),
        }
    }

    #[inline(always)]
    fn sample(&mut self, control: u8) -> u64 {
        let (held, bits) = match self.form {
            Form::Whole | Form::Signed => {
                let read = integers::read(&mut self.bytes, control, self.bits, self.expected);
                if !std::mem::take(&mut self.is_first) {
                    self.expected = integers::next_step(self.bits, read.1, self.expected);
                }
                read
            }
            Form::Float => floats::read(&mut self.bytes, control, self.bits),
            Form::Histogram => {
                let are_whole = self.head.are_whole;
                let held = histograms::read(&mut self.bytes, control, &mut self.cells, are_whole);
                (held, 0)
            }
        };
        self.bits = bits;
        held
    }

    #[inline(always)]
    fn record(&mut self, gap: Gap, is_stale: bool) -> Record {
        let at = self.next + gap.len();
        self.next = at + 1;
        Record { at, gap, is_stale }
    }
}

/// Memory for chunks: memory that is given back serves the next chunk of its size.
#[derive(Debug, Default)]
pub(super) struct Pool {
    free: [Vec<Box<[u8]>>; SIZES],
    bytes: usize,  // Invariant: of all memory that it has allocated, free or in use.
    n_free: usize, // In bytes.
    /// Holds a record before it is added.
    pub(super) scratch: Vec<u8>,
}

/// The number of sizes that are reused: 16 bytes, then each twice the one before.
const SIZES: usize = 12;
const SMALLEST: usize = 16;

/// A chunk of at least this many bytes is sealed. A smaller one still has room in [`LARGEST_COMMON`]
/// for the next addition of some dozen bytes. The summary and head of a chunk take a fifth of this.
pub(super) const FULL: usize = 464;
/// No chunk of plain numbers needs more.
const LARGEST_COMMON: usize = 512;

impl Pool {
    /// Memory of at least `len` bytes.
    fn take(&mut self, len: usize) -> Box<[u8]> {
        let len = len.max(SMALLEST).next_power_of_two();
        if let Some(bytes) = self.free_of(len).and_then(Vec::pop) {
            self.n_free -= len;
            return bytes;
        }
        self.bytes += len;
        vec![0; len].into()
    }

    fn give(&mut self, bytes: Box<[u8]>) {
        let len = bytes.len();
        match self.free_of(len) {
            Some(free) => {
                free.push(bytes);
                self.n_free += len;
            }
            None => self.bytes -= len,
        }
    }

    fn free_of(&mut self, len: usize) -> Option<&mut Vec<Box<[u8]>>> {
        let size = (len / SMALLEST).checked_ilog2()?;
        self.free.get_mut(size as usize)
    }

    /// All bytes, free memory included.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets go of free memory.
    pub(super) fn trim(&mut self) {
        self.free.iter_mut().for_each(Vec::clear);
        self.bytes -= self.n_free;
        self.n_free = 0;
    }
}

/// Writes `sample` as the first of a chunk.
pub(super) fn put_first(to: &mut Vec<u8>, sample: Sample<'_>, form: Form, are_whole: bool) {
    match (sample, form) {
        (Sample::Histogram(_, cells), _) => {
            histograms::put(to, Gap::Held(0), &Cells::default(), cells, are_whole);
        }
        (Sample::Bits(bits), Form::Whole | Form::Signed) => integers::put_absolute(to, bits),
        (Sample::Bits(bits), _) => floats::put_bits(to, 0, bits),
    }
}

/// Writes a mark that the series ended.
pub(super) fn put_stale(to: &mut Vec<u8>, gap: Gap) {
    gap.put(to);
    to.push(STALE);
}

const _: () = assert!(FULL < LARGEST_COMMON && LARGEST_COMMON < SMALLEST << (SIZES - 1));
