//! One series in one tier: a row of chunks, of which the last one is open.

use super::{
    chunk::{self, Chunk, Decoder, FULL, Head, Paused, Pool, Record},
    codec::{self, Gap, floats, histograms, integers},
    sample::{Cells, Form, LayoutId, Sample},
    summary::Summary,
};
use crate::clock::Ticks;

/// The samples of a series in one tier.
#[derive(Debug)]
pub(super) struct Track {
    form: Form,
    /// Whether it has samples only at the instants at which they were written; else a sample holds
    /// until the series ends.
    is_sparse: bool,
    /// Whether the last record is a mark that the series ended.
    is_ended: bool,
    sealed: Vec<(Chunk, Summary)>,
    open: Chunk,
    /// The instant of the last record.
    at: u64,
    /// The last sample.
    last: u64,
    cells: Option<Box<Cells>>, // Of a histogram.
    start: Ticks,
    expected: i64, // The step of a whole number.
}

/// The id of a layout, and whether its counts are whole numbers.
pub(super) type Shape = (LayoutId, bool);

impl Track {
    /// A series that begins at the instant `at`.
    pub(super) fn new(
        form: Form,
        is_sparse: bool,
        (at, start, sample, shape): (u64, Ticks, Sample<'_>, Shape),
        pool: &mut Pool,
    ) -> Self {
        let mut track = Self {
            form,
            is_sparse,
            is_ended: true,
            sealed: Vec::new(),
            open: Chunk::default(),
            at: 0,
            last: 0,
            cells: None,
            start,
            expected: 0,
        };
        track.begin_chunk((at, start, sample, shape), false, pool);
        track
    }

    /// Adds a sample at the instant `at`, which is after the last one. Its sum began at `start`.
    pub(super) fn push(
        &mut self,
        (at, start, sample, shape): (u64, Ticks, Sample<'_>, Shape),
        pool: &mut Pool,
    ) {
        let gap = self.gap_before(at);
        if self.open.len() >= self.full() || self.open.head.layout != shape.0 {
            self.seal();
            let is_held = matches!(gap, Gap::Held(_));
            return self.begin_chunk((at, start, sample, shape), is_held, pool);
        }
        let mut bytes = std::mem::take(&mut pool.scratch);
        bytes.clear();
        if start != self.start {
            codec::put_start(&mut bytes, start);
        }
        match sample {
            Sample::Bits(bits) => {
                match self.form {
                    Form::Whole | Form::Signed => {
                        integers::put(&mut bytes, gap, self.last, bits, self.expected);
                        self.expected = integers::next_step(self.last, bits, self.expected);
                    }
                    Form::Float | Form::Histogram => {
                        floats::put(&mut bytes, gap, self.last, bits);
                    }
                }
                self.last = bits;
            }
            Sample::Histogram(_, cells) => {
                histograms::put(&mut bytes, gap, self.cells(), cells, shape.1);
                self.cells.get_or_insert_default().copy(cells);
            }
        }
        self.open.extend(&bytes, pool);
        pool.scratch = bytes;
        (self.at, self.start, self.is_ended) = (at, start, false);
    }

    /// The instant and the expected step that the next record follows, if it may be staged elsewhere
    /// first. That is possible for whole numbers whose chunk is not full.
    pub(super) fn staging(&self) -> Option<(u64, i64)> {
        let is_whole = matches!(self.form, Form::Whole | Form::Signed);
        let goes_on = !self.is_sparse && !self.is_ended && self.open.len() < FULL;
        (is_whole && goes_on).then_some((self.at, self.expected))
    }

    /// Adds staged records. The last of them is at the instant `at` and has the value `last`.
    pub(super) fn add_staged(
        &mut self,
        bytes: &[u8],
        (at, last, expected): (u64, u64, i64),
        pool: &mut Pool,
    ) {
        self.open.extend(bytes, pool);
        (self.at, self.last, self.expected) = (at, last, expected);
    }

    /// Drops what is before the instant `needed` in the open chunk, by rewriting the rest. Does
    /// nothing while there are sealed chunks.
    pub(super) fn cut(&mut self, needed: u64, pool: &mut Pool) {
        if !self.sealed.is_empty() || self.open.head.first >= needed {
            return;
        }
        let old = std::mem::take(&mut self.open);
        let mut read = old.read(self.form);
        let mut last = None;
        while read.peek().is_some_and(|record| record.at <= needed) {
            last = read.next();
        }
        let shape = (old.head.layout, old.head.are_whole);
        let goes_on = !self.is_sparse && !self.is_ended;
        let is_held = read.peek().map_or(goes_on, |next| matches!(next.gap, Gap::Held(_)));
        let holds = |record: Record| !record.is_stale && (record.at == needed || is_held);
        let mut new = last.is_some_and(holds).then(|| {
            let sample = (needed, read.start, read.value(), shape);
            Self::new(self.form, self.is_sparse, sample, pool)
        });
        while let Some(record) = read.next() {
            let sample = (record.at, read.start, read.value(), shape);
            match &mut new {
                Some(track) if record.is_stale => track.end(record.at, pool),
                Some(track) => track.push(sample, pool),
                None if record.is_stale => {}
                none => *none = Some(Self::new(self.form, self.is_sparse, sample, pool)),
            }
        }
        match new {
            Some(mut new) => {
                new.open.head.falls = old.head.falls;
                old.end(pool);
                *self = new;
            }
            None => self.open = old,
        }
    }

    /// Marks that the series ended before the instant `at`.
    pub(super) fn end(&mut self, at: u64, pool: &mut Pool) {
        if self.is_ended || at <= self.at {
            return;
        }
        let mut bytes = std::mem::take(&mut pool.scratch);
        bytes.clear();
        chunk::put_stale(&mut bytes, self.gap_before(at));
        self.open.extend(&bytes, pool);
        pool.scratch = bytes;
        (self.at, self.is_ended) = (at, true);
    }

    /// Whether the last sample equals this one, so that it needs no record.
    #[inline]
    pub(super) fn holds(&self, start: Ticks, sample: Sample<'_>, shape: Shape) -> bool {
        let is_same = match sample {
            Sample::Bits(bits) => bits == self.last,
            Sample::Histogram(_, cells) => {
                shape.0 == self.open.head.layout && cells == self.cells()
            }
        };
        is_same && !self.is_sparse && !self.is_ended && start == self.start
    }

    /// The last histogram.
    pub(super) fn histogram(&self) -> (&Cells, Shape) {
        let Head { layout, are_whole, .. } = self.open.head;
        (self.cells(), (layout, are_whole))
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// The instant of the last record.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Drops the chunks that no instant from `needed` on needs.
    pub(super) fn trim(&mut self, needed: u64, pool: &mut Pool) {
        let firsts = self.sealed.iter().map(|(chunk, _)| chunk.head.first).skip(1);
        let firsts = firsts.chain([self.open.head.first]);
        let n_gone = firsts.take_while(|&first| first <= needed).count().min(self.sealed.len());
        self.sealed.drain(..n_gone).for_each(|(chunk, _)| chunk.end(pool));
        if n_gone > 0 {
            self.sealed.shrink_to(self.sealed.len() + 1);
        }
    }

    /// Gives all its memory back.
    pub(super) fn give_up(self, pool: &mut Pool) {
        self.sealed.into_iter().for_each(|(chunk, _)| chunk.end(pool));
        self.open.end(pool);
    }

    /// How many bytes it takes, without those of the chunks.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>()
            + self.sealed.capacity() * size_of::<(Chunk, Summary)>()
            + self.cells.as_ref().map_or(0, |cells| cells.weight())
    }

    /// The samples from the one that holds at the instant `from` on.
    pub(super) fn read(&self, from: u64) -> Samples<'_> {
        let chunk = self.sealed.partition_point(|(chunk, _)| chunk.head.first <= from);
        let chunk = match self.open.head.first <= from {
            true => self.sealed.len(),
            false => chunk.saturating_sub(1),
        };
        Samples { track: self, chunk, decoder: self.chunk(chunk).map(|one| self.decode(one)) }
    }

    /// A decoder that has read up to the instant `at` and has its value; `None` if there was no
    /// sample.
    ///
    /// `staged` are the bytes of samples that follow the track and are not handed over yet.
    pub(super) fn value<'a>(&'a self, at: u64, staged: &'a [u8]) -> Option<Decoder<'a>> {
        if at > self.at && !staged.is_empty() {
            let mut decoder = self.decode_staged(staged);
            while decoder.peek().is_some_and(|record| record.at <= at) {
                decoder.next();
            }
            return Some(decoder); // A row with staged samples goes on: the last one holds.
        }
        let Samples { chunk, decoder, .. } = self.read(at);
        let mut decoder = decoder?;
        let (_, is_there) = self.advance((chunk, &mut decoder), None, at);
        is_there.then_some(decoder)
    }

    /// Moves `cursor` to the instant `at`. Returns the value there, or `None` if there was no sample.
    pub(super) fn seek<'a>(&self, cursor: &'a mut Cursor, at: u64) -> Option<Sample<'a>> {
        let Samples { chunk, decoder, .. } = self.read(at);
        let stopped = cursor.stopped.as_mut().and_then(|stopped| stopped.take());
        let stopped = stopped.filter(|(_, last)| last.at <= at);
        let goes_on = stopped.and_then(|(paused, last)| {
            Some((self.chunk(chunk)?.resume(self.form, paused)?, Some(last)))
        });
        let (mut decoder, last) = match goes_on {
            Some(found) => found,
            None => (decoder?, None),
        };
        let (last, is_there) = self.advance((chunk, &mut decoder), last, at);
        let (layout, bits) = (decoder.head().layout, decoder.bits);
        let paused = decoder.pause();
        let stopped = cursor.stopped.get_or_insert_default();
        let (paused, _) = stopped.insert((paused, last?));
        let sample = match self.form {
            Form::Histogram => Sample::Histogram(layout, &paused.cells),
            Form::Whole | Form::Signed | Form::Float => Sample::Bits(bits),
        };
        is_there.then_some(sample)
    }

    /// Reads a chunk from after the record `last` up to the instant `at`. Returns the last record, and
    /// whether it is a sample that holds there.
    fn advance(
        &self,
        (chunk, decoder): (usize, &mut Decoder<'_>),
        mut last: Option<Record>,
        at: u64,
    ) -> (Option<Record>, bool) {
        let holds = loop {
            match decoder.peek() {
                Some(record) if record.at <= at => last = decoder.next(),
                Some(record) => break matches!(record.gap, Gap::Held(_)),
                None => break self.holds_after(chunk),
            }
        };
        (last, last.is_some_and(|last| !last.is_stale && (last.at == at || holds)))
    }

    /// Notes that the last sample is below the one before, or belongs to another sum.
    pub(super) fn note_fall(&mut self) {
        self.open.head.falls = true;
    }

    /// Whether a value after the instant `from` may be below the one before it, or belong to another
    /// sum.
    pub(super) fn falls_after(&self, from: u64) -> bool {
        let first = self.sealed.partition_point(|(chunk, _)| chunk.head.first <= from);
        let sealed = &self.sealed[first.saturating_sub(1)..];
        self.open.head.falls || sealed.iter().any(|(chunk, _)| chunk.head.falls)
    }

    /// The instant of the first record.
    pub(super) fn first(&self) -> u64 {
        self.sealed.first().map_or(self.open.head.first, |(chunk, _)| chunk.head.first)
    }

    /// The last sample, even if the series has ended.
    pub(super) fn last(&self) -> Sample<'_> {
        match self.form {
            Form::Histogram => Sample::Histogram(self.open.head.layout, self.cells()),
            Form::Whole | Form::Signed | Form::Float => Sample::Bits(self.last),
        }
    }

    /// The first instant and the summary of each sealed chunk.
    pub(super) fn summaries(&self) -> impl Iterator<Item = (u64, &Summary)> {
        self.sealed.iter().map(|(chunk, summary)| (chunk.head.first, summary))
    }

    /// How many bytes the sealed chunks take, with their heads and summaries.
    pub(super) fn sealed_bytes(&self) -> usize {
        let heads = self.sealed.len() * size_of::<(Chunk, Summary)>();
        heads + self.sealed.iter().map(|(chunk, _)| chunk.capacity()).sum::<usize>()
    }

    /// What has been written since the last chunk was sealed.
    #[cfg(test)]
    pub(super) fn open_bytes(&self) -> &[u8] {
        self.open.bytes()
    }

    fn cells(&self) -> &Cells {
        static NONE: Cells = Cells { sum: 0, cells: Vec::new() };
        self.cells.as_deref().unwrap_or(&NONE)
    }

    /// Whether the last value of a chunk holds until the next chunk, or from then on if it is the
    /// last.
    fn holds_after(&self, chunk: usize) -> bool {
        match self.chunk(chunk + 1) {
            Some(next) => next.head.is_held_before,
            None => !self.is_sparse && !self.is_ended,
        }
    }

    fn chunk(&self, place: usize) -> Option<&Chunk> {
        match self.sealed.get(place) {
            Some((chunk, _)) => Some(chunk),
            None => (place == self.sealed.len()).then_some(&self.open),
        }
    }

    fn decode<'a>(&self, chunk: &'a Chunk) -> Decoder<'a> {
        chunk.read(self.form)
    }

    fn decode_staged<'a>(&self, staged: &'a [u8]) -> Decoder<'a> {
        let head = Head { start: self.start, expected: self.expected, ..self.open.head };
        Decoder::after(staged, self.form, head, (self.at, self.last))
    }

    fn gap_before(&self, at: u64) -> Gap {
        let n = at - self.at - 1;
        if self.is_ended || self.is_sparse { Gap::Lacking(n) } else { Gap::Held(n) }
    }

    /// From how many bytes on a chunk is full; for a histogram several times the size of its first
    /// sample.
    fn full(&self) -> usize {
        match self.form {
            Form::Histogram => FULL.max(self.cells().cells.len() * BYTES_PER_CELL),
            Form::Whole | Form::Signed | Form::Float => FULL,
        }
    }

    /// Closes the open chunk.
    fn seal(&mut self) {
        let chunk = std::mem::take(&mut self.open);
        let summary = Summary::of(chunk.read(self.form), self.form);
        // Most tracks have one or two sealed chunks, and all are sealed at about the same time.
        self.sealed.reserve_exact(1);
        self.sealed.push((chunk, summary));
    }

    fn begin_chunk(
        &mut self,
        (at, start, sample, (layout, are_whole)): (u64, Ticks, Sample<'_>, Shape),
        is_held_before: bool,
        pool: &mut Pool,
    ) {
        let expected = self.expected;
        let falls = false;
        let head = Head { first: at, start, expected, layout, are_whole, is_held_before, falls };
        self.open = Chunk::new(head);
        let mut bytes = std::mem::take(&mut pool.scratch);
        bytes.clear();
        chunk::put_first(&mut bytes, sample, self.form, are_whole);
        self.open.extend(&bytes, pool);
        pool.scratch = bytes;
        match sample {
            Sample::Bits(bits) => self.last = bits,
            Sample::Histogram(_, cells) => self.cells.get_or_insert_default().copy(cells),
        }
        (self.at, self.start, self.is_ended) = (at, start, false);
    }
}

/// A reading position in a track. It moves on with time, so that nothing is read twice.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// The position, and the last record before it; allocated at the first use.
    stopped: Option<Box<Option<(Paused, Record)>>>,
}

impl Cursor {
    /// How many bytes it takes on the heap.
    pub(super) fn weight(&self) -> usize {
        let Some(stopped) = self.stopped.as_deref() else { return 0 };
        let cells = stopped.as_ref().map_or(0, |(paused, _)| paused.cells.weight());
        size_of::<Option<(Paused, Record)>>() + cells
    }
}

/// A chunk of histograms holds at least this many bytes for each cell. In the first samples a cell
/// takes two or three.
const BYTES_PER_CELL: usize = 16;

/// The records of a track.
#[derive(Debug)]
pub(super) struct Samples<'a> {
    track: &'a Track,
    chunk: usize,
    decoder: Option<Decoder<'a>>,
}

impl Samples<'_> {
    /// Hands over each sample before the instant `until`: its instant, one past the last instant at
    /// which it holds, the start of its sum, and the value.
    pub(super) fn each(self, until: u64, give: impl FnMut(u64, u64, Ticks, Sample<'_>)) {
        match self.track.form {
            Form::Histogram => self.each_histogram(until, give),
            Form::Whole | Form::Signed | Form::Float => self.each_number(until, give),
        }
    }

    /// A number is remembered until the next record says whether it holds.
    fn each_number(mut self, until: u64, mut give: impl FnMut(u64, u64, Ticks, Sample<'_>)) {
        while let Some(mut decoder) = self.decoder.take() {
            let (next_chunk, holds_after) = self.after();
            let mut last: Option<(u64, u64, Ticks)> = None;
            while let Some(record) = decoder.next() {
                if let Some((at, bits, start)) = last.take() {
                    let holds = matches!(record.gap, Gap::Held(_));
                    let end = if holds { record.at.min(until) } else { at + 1 };
                    give(at, end, start, Sample::Bits(bits));
                }
                if record.at >= until {
                    return;
                }
                if !record.is_stale {
                    last = Some((record.at, decoder.bits, decoder.start));
                }
            }
            if let Some((at, bits, start)) = last {
                let end = next_chunk.map_or(until, |next| next.head.first.min(until));
                give(at, if holds_after { end } else { at + 1 }, start, Sample::Bits(bits));
            }
            self.chunk += 1;
            self.decoder = next_chunk.map(|next| self.track.decode(next));
        }
    }

    /// A histogram is not copied, so the next record is peeked at to see whether it holds.
    fn each_histogram(mut self, until: u64, mut give: impl FnMut(u64, u64, Ticks, Sample<'_>)) {
        while let Some(mut decoder) = self.decoder.take() {
            let (next_chunk, holds_after) = self.after();
            let end_of_chunk = next_chunk.map_or(until, |next| next.head.first);
            while let Some(record) = decoder.next() {
                if record.at >= until {
                    return;
                }
                if record.is_stale {
                    continue;
                }
                let holds_until = match decoder.peek() {
                    Some(next) => matches!(next.gap, Gap::Held(_)).then_some(next.at),
                    None => holds_after.then_some(end_of_chunk),
                };
                let end = holds_until.unwrap_or(record.at + 1).min(until);
                give(record.at, end, decoder.start, decoder.value());
            }
            self.chunk += 1;
            self.decoder = next_chunk.map(|next| self.track.decode(next));
        }
    }
}

impl<'a> Samples<'a> {
    /// The chunk after this one, and whether the last value of this chunk holds until then.
    fn after(&self) -> (Option<&'a Chunk>, bool) {
        (self.track.chunk(self.chunk + 1), self.track.holds_after(self.chunk))
    }
}
