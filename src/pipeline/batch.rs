//! Records in the pipeline: chunks that queues share, and batches that are cut from them without
//! copying.

use std::{
    fmt, mem,
    ops::{Deref, Range},
    sync::Arc,
};

use super::Signal;

/// Records that belong together: weighed once, and shared by every queue they are offered to.
pub struct Chunk<T> {
    parts: Arc<[Part<T>]>,
}

/// What a queue takes or drops as a whole when bytes are short. A piece of it would keep the memory of
/// all its records, and be charged for only some.
pub(super) struct Part<T> {
    pub(super) records: Arc<Records<T>>,
    pub(super) bytes: usize,
    /// Of all records of the part.
    pub(super) is_urgent: bool,
}

/// Records that are shared. Whoever lets go of them last gives their memory back.
pub(super) struct Records<T> {
    records: Vec<T>,
    bytes: usize,
    recycle: fn(Vec<T>, usize),
}

impl<T> Records<T> {
    fn new(records: Vec<T>, bytes: usize, recycle: fn(Vec<T>, usize)) -> Arc<Self> {
        Arc::new(Self { records, bytes, recycle })
    }
}

impl<T> Deref for Records<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.records
    }
}

impl<T> Drop for Records<T> {
    fn drop(&mut self) {
        (self.recycle)(mem::take(&mut self.records), self.bytes);
    }
}

/// The most records in one part of a chunk. Small enough to fill a queue that is short of bytes well.
/// As many as a thread hands over at once, so that its vector becomes a part without a cut: cutting
/// copies.
const PART_RECORDS: usize = 256;

/// A part ends before it would weigh more than this, so that batches can be limited too: a quarter of
/// a batch. Arbitrary.
const MOST_PART_BYTES: usize = 1 << 20;

/// What the allocations around the records of a part weigh.
const PART_BYTES: usize = 128;

impl<T: Signal> Chunk<T> {
    /// Weighs `records` and makes them one chunk. Up to 256 records of at most 1 MiB in all are not
    /// copied, unless some of them are urgent.
    #[must_use]
    pub fn new(mut records: Vec<T>) -> Self {
        let mut parts = Vec::with_capacity(records.len().div_ceil(PART_RECORDS));
        let mut urgent = Vec::new();
        if !T::IS_ORDERED && records.iter().any(T::is_urgent) {
            urgent.extend(records.extract_if(.., |record| record.is_urgent()));
        }
        for mut records in [records, urgent] {
            while !records.is_empty() {
                let First { n, bytes, is_urgent } = First::of(&records);
                let rest = if n < records.len() { records.split_off(n) } else { Vec::new() };
                let records = Records::new(mem::replace(&mut records, rest), bytes, T::recycle);
                parts.push(Part { records, bytes, is_urgent });
            }
        }
        Self { parts: parts.into() }
    }
}

/// What becomes the first part of some records.
struct First {
    n: usize,
    bytes: usize,
    is_urgent: bool,
}

impl First {
    /// Of records that are not none. A part ends where it is large enough, and where urgent records begin
    /// or end.
    fn of<T: Signal>(records: &[T]) -> Self {
        let is_urgent = records.first().is_some_and(T::is_urgent);
        let mut bytes = PART_BYTES;
        for (n, record) in records.iter().enumerate() {
            let with_it = bytes.saturating_add(record.weight());
            let is_full = n == PART_RECORDS || n > 0 && with_it > MOST_PART_BYTES;
            if is_full || record.is_urgent() != is_urgent {
                return Self { n, bytes, is_urgent };
            }
            bytes = with_it;
        }
        Self { n: records.len(), bytes, is_urgent }
    }
}

impl<T> Chunk<T> {
    pub(super) fn parts(&self) -> &[Part<T>] {
        &self.parts
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.records.len()).sum()
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

impl<T: Signal> From<Vec<T>> for Chunk<T> {
    fn from(records: Vec<T>) -> Self {
        Self::new(records)
    }
}

// By hand: records need not be `Clone`.
impl<T> Clone for Chunk<T> {
    fn clone(&self) -> Self {
        Self { parts: self.parts.clone() }
    }
}

impl<T> fmt::Debug for Chunk<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({} records)", self.len())
    }
}

/// The records that an exporter is to deliver, in the order in which they leave the queue; cheap to clone and to
/// cut.
///
/// # Examples
///
/// ```
/// use bellwether::pipeline::Batch;
///
/// let batch = Batch::from(vec![1, 2, 3, 4]);
/// assert_eq!(batch.iter().sum::<i32>(), 10);
/// let unsent = batch.skip(3);
/// assert_eq!(unsent.iter().collect::<Vec<_>>(), [&4]);
/// ```
pub struct Batch<T> {
    pieces: Vec<Piece<T>>, // Invariant: no piece is empty.
}

/// A run of records in one part.
pub(super) struct Piece<T> {
    pub(super) records: Arc<Records<T>>,
    pub(super) range: Range<usize>,
}

impl<T> Piece<T> {
    fn of(records: Vec<T>) -> Self {
        let range = 0..records.len();
        Self { records: Records::new(records, 0, |records, _| drop(records)), range }
    }
}

impl<T> Batch<T> {
    pub(super) fn new() -> Self {
        Self { pieces: Vec::new() }
    }

    pub(super) fn push(&mut self, piece: Piece<T>) {
        if !piece.range.is_empty() {
            self.pieces.push(piece);
        }
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.range.len()).sum()
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The records, oldest first.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { pieces: self.pieces.iter(), current: [].iter(), left: self.len() }
    }

    /// All but the first `n` records.
    #[must_use]
    pub fn skip(&self, n: usize) -> Self {
        let mut place = 0;
        self.filter(|_| {
            place += 1;
            place > n
        })
    }

    /// The first `n` records.
    #[must_use]
    pub fn first(&self, n: usize) -> Self {
        let mut place = 0;
        self.filter(|_| {
            place += 1;
            place <= n
        })
    }

    /// The records for which `keep` returns `true`; it is called once for each, in order.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(&T) -> bool) -> Self {
        let mut kept = Self::new();
        for piece in &self.pieces {
            let mut start = piece.range.start;
            for place in piece.range.clone() {
                if !keep(&piece.records[place]) {
                    kept.push(Piece { records: piece.records.clone(), range: start..place });
                    start = place + 1;
                }
            }
            kept.push(Piece { records: piece.records.clone(), range: start..piece.range.end });
        }
        kept
    }
}

impl<T> From<Vec<T>> for Batch<T> {
    fn from(records: Vec<T>) -> Self {
        let mut batch = Self::new();
        batch.push(Piece::of(records));
        batch
    }
}

impl<'a, T> IntoIterator for &'a Batch<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

// By hand: records need not be `Clone` or `Debug`.
impl<T> Clone for Batch<T> {
    fn clone(&self) -> Self {
        let pieces = self.pieces.iter();
        let clone =
            |piece: &Piece<T>| Piece { records: piece.records.clone(), range: piece.range.clone() };
        Self { pieces: pieces.map(clone).collect() }
    }
}

impl<T> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} records)", self.len())
    }
}

/// The records of a [`Batch`], oldest first.
pub struct Iter<'a, T> {
    pieces: std::slice::Iter<'a, Piece<T>>,
    current: std::slice::Iter<'a, T>,
    left: usize,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        loop {
            if let Some(record) = self.current.next() {
                self.left -= 1;
                return Some(record);
            }
            let piece = self.pieces.next()?;
            self.current = piece.records[piece.range.clone()].iter();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}

impl<T> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Iter({} records)", self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Signal for u32 {
        const NAME: &'static str = "numbers";
        type RouteOptions = ();

        fn weight(&self) -> usize {
            8
        }
    }

    #[test]
    fn a_long_chunk_has_parts_and_an_empty_one_none() {
        assert!(Chunk::<u32>::new(Vec::new()).is_empty());
        let chunk = Chunk::new((0..514).collect::<Vec<u32>>());
        assert_eq!((chunk.len(), chunk.is_empty()), (514, false));
        let sizes: Vec<_> = chunk.parts().iter().map(|part| part.records.len()).collect();
        assert_eq!(sizes, [256, 256, 2]);
        assert_eq!(chunk.parts()[2].bytes, PART_BYTES + 16);
    }

    /// Numbers of which those that can be divided by ten are urgent; odd parameters keep their order.
    #[derive(Debug)]
    struct Tens<const IS_ORDERED: bool>(u32);

    impl<const IS_ORDERED: bool> Signal for Tens<IS_ORDERED> {
        const NAME: &'static str = "tens";
        const IS_ORDERED: bool = IS_ORDERED;
        type RouteOptions = ();

        fn weight(&self) -> usize {
            8
        }

        fn is_urgent(&self) -> bool {
            self.0.is_multiple_of(10)
        }
    }

    fn parts<const IS_ORDERED: bool>(numbers: &[u32]) -> Vec<(bool, Vec<u32>)> {
        let records: Vec<_> = numbers.iter().copied().map(Tens::<IS_ORDERED>).collect();
        let chunk = Chunk::new(records);
        let read = |part: &Part<Tens<IS_ORDERED>>| {
            (part.is_urgent, part.records.iter().map(|record| record.0).collect())
        };
        chunk.parts().iter().map(read).collect()
    }

    #[test]
    fn urgent_records_have_parts_of_their_own_behind_the_others_or_where_they_stand() {
        let numbers = [1, 2, 10, 20, 3, 30];
        let apart = [(false, vec![1, 2, 3]), (true, vec![10, 20, 30])];
        assert_eq!(parts::<false>(&numbers), apart);
        let in_order =
            [(false, vec![1, 2]), (true, vec![10, 20]), (false, vec![3]), (true, vec![30])];
        assert_eq!(parts::<true>(&numbers), in_order);
        assert_eq!(parts::<false>(&[10, 20]), [(true, vec![10, 20])]);
        assert_eq!(parts::<true>(&[1, 2]), [(false, vec![1, 2])]);
    }

    struct Large(usize);

    impl Signal for Large {
        const NAME: &'static str = "large";
        type RouteOptions = ();

        fn weight(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn a_part_of_large_records_is_cut_by_their_bytes() {
        let chunk = Chunk::new([600, 500, 500, 2_000, 1].map(|kib| Large(kib << 10)).into());
        let parts = chunk.parts().iter();
        let sizes: Vec<_> = parts.map(|part| (part.records.len(), part.bytes >> 10)).collect();
        assert_eq!(sizes, [(1, 600), (2, 1_000), (1, 2_000), (1, 1)]);
    }

    proptest! {
        #[test]
        fn cutting_matches_naive(
            pieces in proptest::collection::vec(proptest::collection::vec(0u32..9, 0..5), 0..5),
            n in 0usize..20,
        ) {
            let mut batch = Batch::new();
            for records in &pieces {
                batch.push(Piece::of(records.clone()));
            }
            let all: Vec<u32> = pieces.concat();
            let read = |batch: &Batch<u32>| batch.iter().copied().collect::<Vec<_>>();
            prop_assert_eq!(read(&batch), all.clone());
            prop_assert_eq!(batch.iter().len(), all.len());
            prop_assert_eq!(read(&batch.skip(n)), all.iter().copied().skip(n).collect::<Vec<_>>());
            prop_assert_eq!(read(&batch.first(n)), all.iter().copied().take(n).collect::<Vec<_>>());
            let odd = |x: &u32| x % 2 == 1;
            prop_assert_eq!(read(&batch.filter(odd)), all.iter().copied().filter(odd).collect::<Vec<_>>());
            prop_assert_eq!(batch.filter(odd).len(), all.iter().filter(|x| odd(x)).count());
        }
    }
}
