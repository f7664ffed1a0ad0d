//! Encoded records in the pipeline: bytes, and where each record begins.

use std::{fmt, ops::Range, sync::Arc};

/// Records as bytes, in order. [`encode`](super::Encoder::encode) creates them once for all attempts.
/// Cheap to clone, and to cut at both ends.
///
/// What is said once for all records is the [head](Self::with_head): the resource that they are of, or a
/// table that they refer to. A part of a payload has the head of the whole.
///
/// # Examples
///
/// ```
/// use bellwether::pipeline::Payload;
///
/// let mut payload = Payload::new();
/// for text in ["one", "two", "three"] {
///     payload.record(|bytes| bytes.extend_from_slice(text.as_bytes()));
/// }
/// assert_eq!(payload.bytes(), b"onetwothree");
/// // Where each record is made anyway:
/// assert_eq!(["one", "two", "three"].iter().collect::<Payload>().bytes(), payload.bytes());
/// let unsent = payload.skip(1);
/// assert_eq!((unsent.len(), unsent.bytes()), (2, &b"twothree"[..]));
/// assert_eq!(unsent.records().next(), Some(&b"two"[..]));
/// ```
#[derive(Clone, Default)]
pub struct Payload {
    content: Arc<Content>,
    range: Range<usize>, // Of the content's records.
}

#[derive(Clone, Default)]
struct Content {
    head: Arc<[u8]>,
    bytes: Vec<u8>,
    ends: Vec<usize>, // Where each record ends. Invariant: ascending, the last is the length of `bytes`.
}

impl Payload {
    /// Creates a payload without records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a payload without records, with the bytes that are said once for all of them.
    #[must_use]
    pub fn with_head(head: impl Into<Arc<[u8]>>) -> Self {
        let content = Content { head: head.into(), ..Content::default() };
        Self { content: Arc::new(content), range: 0..0 }
    }

    /// A payload with a record for each of `items`: the bytes that `write` appends.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::pipeline::Payload;
    ///
    /// let payload = Payload::each(["a", "b"], |out, text| out.extend_from_slice(text.as_bytes()));
    /// assert_eq!((payload.len(), payload.bytes()), (2, &b"ab"[..]));
    /// ```
    pub fn each<T>(
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Vec<u8>, T),
    ) -> Self {
        let mut payload = Self::new();
        items.into_iter().for_each(|item| payload.record(|out| write(out, item)));
        payload
    }

    /// A payload of parts that were kept elsewhere; `None` if `ends` are not where records of `bytes` end.
    #[cfg(all(feature = "spool", unix))]
    pub(super) fn of_parts(
        head: impl Into<Arc<[u8]>>,
        bytes: Vec<u8>,
        ends: Vec<usize>,
    ) -> Option<Self> {
        let fits = ends.is_sorted() && ends.last().copied().unwrap_or(0) == bytes.len();
        let range = 0..ends.len();
        fits.then(|| Self { content: Arc::new(Content { head: head.into(), bytes, ends }), range })
    }

    /// What is said once for all records; empty if nothing is.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.content.head
    }

    /// Replaces what is said once for all records: where that is known only when they are written.
    pub fn set_head(&mut self, head: impl Into<Arc<[u8]>>) {
        Arc::make_mut(&mut self.content).head = head.into();
    }

    /// Adds a record: the bytes that `write` appends.
    pub fn record(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.range != (0..self.content.ends.len()) {
            *self = self.filter(|_| true);
        }
        let content = Arc::make_mut(&mut self.content);
        let begin = content.bytes.len();
        write(&mut content.bytes);
        // Even if `write` removed bytes, the records before stay where they are.
        content.bytes.resize(content.bytes.len().max(begin), 0);
        content.ends.push(content.bytes.len());
        self.range.end += 1;
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// The bytes of all records, one after the other.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.content.bytes[self.start(self.range.start)..self.start(self.range.end)]
    }

    /// The bytes of each record.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        self.range.clone().map(|place| self.of(place))
    }

    /// All but the first `n` records; the bytes are shared.
    #[must_use]
    pub fn skip(&self, n: usize) -> Self {
        let start = self.range.start.saturating_add(n).min(self.range.end);
        Self { content: self.content.clone(), range: start..self.range.end }
    }

    /// The first `n` records; the bytes are shared.
    #[must_use]
    pub fn first(&self, n: usize) -> Self {
        let end = self.range.start.saturating_add(n).min(self.range.end);
        Self { content: self.content.clone(), range: self.range.start..end }
    }

    /// The records for whose index, from 0, `keep` returns `true`; their bytes are copied.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(usize) -> bool) -> Self {
        let mut kept = Content { head: self.content.head.clone(), ..Content::default() };
        for (place, record) in self.records().enumerate() {
            if keep(place) {
                kept.bytes.extend_from_slice(record);
                kept.ends.push(kept.bytes.len());
            }
        }
        let range = 0..kept.ends.len();
        Self { content: Arc::new(kept), range }
    }

    fn of(&self, place: usize) -> &[u8] {
        &self.content.bytes[self.start(place)..self.content.ends[place]]
    }

    /// Where the record at index `place` begins, which is where the one before it ends.
    fn start(&self, place: usize) -> usize {
        place.checked_sub(1).map_or(0, |before| self.content.ends[before])
    }
}

/// Each item is the bytes of a record.
impl<B: AsRef<[u8]>> FromIterator<B> for Payload {
    fn from_iter<I: IntoIterator<Item = B>>(records: I) -> Self {
        let mut payload = Self::new();
        for record in records {
            payload.record(|bytes| bytes.extend_from_slice(record.as_ref()));
        }
        payload
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} records, {} bytes)", self.len(), self.bytes().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn payload(records: &[Vec<u8>]) -> Payload {
        records.iter().collect()
    }

    fn read(payload: &Payload) -> Vec<Vec<u8>> {
        let records: Vec<_> = payload.records().map(<[u8]>::to_vec).collect();
        assert_eq!((records.len(), records.concat()), (payload.len(), payload.bytes().to_vec()));
        records
    }

    proptest! {
        #[test]
        fn cutting_matches_naive(
            records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..5), 0..8),
            skip in 0usize..10,
            first in 0usize..10,
        ) {
            let whole = payload(&records);
            let cut: Vec<_> = records.iter().skip(skip).take(first).cloned().collect();
            let mut part = whole.skip(skip).first(first);
            prop_assert_eq!(read(&part), cut.clone());
            let odd: Vec<_> = cut.iter().skip(1).step_by(2).cloned().collect();
            prop_assert_eq!(read(&part.filter(|place| place % 2 == 1)), odd);
            part.record(|bytes| bytes.push(7));
            prop_assert_eq!(read(&part), [cut, vec![vec![7]]].concat());
            prop_assert_eq!(read(&whole), records);
        }
    }

    #[test]
    fn a_part_of_a_payload_has_the_head_of_the_whole() {
        let mut whole = Payload::with_head(*b"of shop");
        for text in ["one", "two", "three"] {
            whole.record(|bytes| bytes.extend_from_slice(text.as_bytes()));
        }
        assert_eq!((whole.head(), whole.bytes()), (&b"of shop"[..], &b"onetwothree"[..]));
        let mut part = whole.skip(1);
        part.record(|bytes| bytes.push(b'!'));
        for part in [whole.first(1), whole.skip(3), whole.filter(|place| place == 1), part.clone()]
        {
            assert_eq!(part.head(), b"of shop");
        }
        part.set_head(*b"of another");
        assert_eq!((part.head(), whole.head()), (&b"of another"[..], &b"of shop"[..]));
    }

    #[test]
    fn what_takes_bytes_away_takes_none_of_another_record() {
        let mut payload = payload(&[b"one".to_vec()]);
        payload.record(Vec::clear);
        assert_eq!(payload.len(), 2);
        assert_eq!(payload.bytes().len(), 3);
    }
}
