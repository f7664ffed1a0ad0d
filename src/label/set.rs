//! The label set of one series: sorted, unique, shared.

use std::{
    borrow::Cow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    iter,
    sync::Arc,
};

use super::MAX_VALUE_BYTES;
use crate::util::hash;

/// The labels of one series, sorted by key, each key once; cheap to clone.
///
/// As in Prometheus, a label with an empty value counts as absent: a set with it and a set without it
/// are equal.
///
/// # Examples
///
/// ```
/// use bellwether::label::LabelSet;
///
/// let labels = LabelSet::new([("tier", "l1"), ("cache", "user")]);
/// assert_eq!(labels.get("tier"), Some("l1"));
/// assert_eq!(labels.to_string(), r#"{cache="user", tier="l1"}"#);
/// ```
#[derive(Clone)]
pub struct LabelSet(Repr);

#[derive(Clone)]
enum Repr {
    /// Pairs of its own. Invariant: sorted by key, keys unique, no value empty.
    Pairs(Arc<[Label]>),
    /// The values of a series, which the series keeps for its look-up anyway, under the keys of its
    /// family. A label with an empty value counts as absent.
    Series { keys: Arc<Keys>, values: Arc<dyn Values> },
}

type Label = (Cow<'static, str>, Box<str>);

/// Keeps the bytes of an [`Encoded`].
pub(crate) trait Values: Send + Sync {
    fn encoded(&self) -> &[u8];
}

/// The keys that all series of a family have, and the labels whose value is the same for all.
#[derive(Debug)]
pub(crate) struct Keys(Vec<(Cow<'static, str>, Source)>); // Invariant: sorted by key, keys unique.

#[derive(Debug)]
enum Source {
    /// An index among the values of a series.
    Place(usize),
    Constant(Box<str>),
}

impl Keys {
    /// The keys `of_values`, in the order of a series' values, and the labels `constant`. A constant
    /// label yields to a key of the same name.
    pub(crate) fn new(of_values: &[Cow<'static, str>], constant: &LabelSet) -> Self {
        let places = of_values.iter().enumerate();
        let mut keys: Vec<_> =
            places.map(|(place, key)| (key.clone(), Source::Place(place))).collect();
        for (key, value) in constant.iter().filter(|(key, _)| !of_values.iter().any(|k| k == key)) {
            keys.push((Cow::Owned(key.to_owned()), Source::Constant(value.into())));
        }
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        Self(keys)
    }

    /// The key of the values at index `place`.
    pub(crate) fn of_place(&self, place: usize) -> Option<&str> {
        let mut keys = self.0.iter();
        let found = keys.find(|(_, source)| matches!(source, Source::Place(p) if *p == place))?;
        Some(&found.0)
    }

    /// The keys.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }
}

impl LabelSet {
    /// The bytes of its values, and those of its keys if they are its own.
    pub(crate) fn weight(&self) -> usize {
        const COUNTS: usize = 2 * size_of::<usize>(); // Of an `Arc`.
        match &self.0 {
            Repr::Pairs(pairs) if pairs.is_empty() => 0,
            Repr::Pairs(pairs) => {
                let texts = pairs.iter().map(|(key, value)| match key {
                    Cow::Borrowed(_) => value.len(),
                    Cow::Owned(key) => key.capacity() + value.len(),
                });
                COUNTS + size_of_val(&**pairs) + texts.sum::<usize>()
            }
            Repr::Series { values, .. } => COUNTS + size_of_val(&**values) + values.encoded().len(),
        }
    }

    /// A set of `pairs`. Of two with one key, the last wins. A label with an empty value counts as
    /// absent. A value is cut at a character boundary so that it has at most [`MAX_VALUE_BYTES`] bytes.
    pub fn new<K, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<Cow<'static, str>>,
        V: AsRef<str>,
    {
        let mut labels: Vec<Label> = Vec::new();
        for (key, value) in pairs {
            let (key, value) = (key.into(), truncate(value.as_ref()).into());
            match labels.binary_search_by(|(other, _)| other.as_ref().cmp(&key)) {
                Ok(found) => labels[found].1 = value,
                Err(place) => labels.insert(place, (key, value)),
            }
        }
        labels.retain(|(_, value)| !value.is_empty());
        Self(Repr::Pairs(labels.into()))
    }

    /// The set of a series: `values` has one value for each index in `keys`.
    pub(crate) fn of_series(keys: Arc<Keys>, values: Arc<dyn Values>) -> Self {
        Self(Repr::Series { keys, values })
    }

    /// The value of `key`, if the set has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let value = match &self.0 {
            Repr::Pairs(pairs) => &pairs.iter().find(|(own, _)| *own == key)?.1,
            Repr::Series { keys, values } => match &keys.0.iter().find(|(own, _)| *own == key)?.1 {
                Source::Constant(value) => value,
                Source::Place(place) => value_at(values.encoded(), *place),
            },
        };
        Some(value).filter(|value| !value.is_empty())
    }

    /// The pairs, sorted by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        Iter { set: self, place: 0, left: self.len() }
    }

    /// As [`iter`](Self::iter), but does not count them first.
    fn visible(&self) -> impl Iterator<Item = (&str, &str)> {
        (0..self.n_places()).map(|place| self.at(place)).filter(|(_, value)| !value.is_empty())
    }

    /// How many labels there would be if no value were empty.
    fn n_places(&self) -> usize {
        match &self.0 {
            Repr::Pairs(pairs) => pairs.len(),
            Repr::Series { keys, .. } => keys.0.len(),
        }
    }

    /// Reads a byte of its values, so that they are in the cache when they are needed.
    #[cfg(feature = "prometheus")]
    #[inline(always)]
    pub(crate) fn touch(&self) -> u8 {
        match &self.0 {
            Repr::Series { values, .. } => values.encoded().first().copied().unwrap_or_default(),
            Repr::Pairs(_) => 0,
        }
    }

    /// Calls `each` with the index, the key and the bytes of the value of every pair, in the order of
    /// [`iter`](Self::iter), until it returns `false`. Returns how many pairs there are, if it never
    /// did. Values are bytes, because a caller that only copies them need not know that they are text.
    #[cfg(feature = "prometheus")]
    #[inline(always)]
    pub(crate) fn all_bytes(
        &self,
        mut each: impl FnMut(usize, &str, &[u8]) -> bool,
    ) -> Option<usize> {
        let Repr::Series { keys, values } = &self.0 else {
            let mut n_shown = 0;
            let all = self.visible().all(|(key, value)| {
                n_shown += 1;
                each(n_shown - 1, key, value.as_bytes())
            });
            return all.then_some(n_shown);
        };
        let mut values = Cursor::new(values.encoded());
        let mut n_shown = 0;
        let mut show = |key: &str, value: &[u8]| {
            // A label with an empty value counts as absent.
            value.is_empty() || {
                n_shown += 1;
                each(n_shown - 1, key, value)
            }
        };
        let all = keys.0.iter().all(|(key, source)| match source {
            Source::Constant(value) => show(key, value.as_bytes()),
            Source::Place(place) => show(key, values.at(*place)),
        });
        all.then_some(n_shown)
    }

    /// Whether one was cloned from the other, by their addresses.
    #[inline(always)]
    pub(crate) fn is_clone_of(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            // The keys are compared too: a registry may get other labels, for the same values.
            (Repr::Series { values: a, keys }, Repr::Series { values: b, keys: other_keys }) => {
                std::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b)) && Arc::ptr_eq(keys, other_keys)
            }
            (Repr::Pairs(a), Repr::Pairs(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Whether it is the set of the series that keeps its values in `values`, by the addresses.
    pub(crate) fn is_of_values<V: Values>(&self, values: &V) -> bool {
        match &self.0 {
            Repr::Series { values: own, .. } => std::ptr::addr_eq(Arc::as_ptr(own), values),
            Repr::Pairs(_) => false,
        }
    }

    /// The order of two series of one family by their values, without reading them as text: the first
    /// page sorts all series. `None` if the keys decide.
    fn cmp_values(&self, other: &Self) -> Option<Ordering> {
        let (Repr::Series { keys, values }, Repr::Series { keys: same, values: others }) =
            (&self.0, &other.0)
        else {
            return None;
        };
        if !Arc::ptr_eq(keys, same) {
            return None;
        }
        let (mut own, mut others) = (Cursor::new(values.encoded()), Cursor::new(others.encoded()));
        for (_, source) in &keys.0 {
            let Source::Place(place) = source else { continue };
            let (own, other) = (own.at(*place), others.at(*place));
            if own != other {
                // In a set that lacks this key, its next key decides.
                let both_have_it = !own.is_empty() && !other.is_empty();
                return both_have_it.then(|| own.cmp(other));
            }
        }
        Some(Ordering::Equal)
    }

    /// Whether it surely is `constant.with(pairs)`. It may be that and not be recognized: when one of
    /// `pairs` replaces another one or a label of `constant`, has an empty value, or is cut.
    pub(crate) fn is_of(&self, constant: &Self, pairs: &[(&'static str, &str)]) -> bool {
        let are_distinct =
            || (1..pairs.len()).all(|n| pairs[..n].iter().all(|(k, _)| *k != pairs[n].0));
        self.len() == constant.len() + pairs.len()
            && pairs.iter().all(|(key, value)| {
                constant.get(key).is_none() && !value.is_empty() && self.get(key) == Some(value)
            })
            && are_distinct()
            && constant.iter().all(|(key, value)| self.get(key) == Some(value))
    }

    #[inline(never)]
    fn has_pairs_of(&self, other: &Self) -> bool {
        self.visible().eq(other.visible())
    }

    fn at(&self, place: usize) -> (&str, &str) {
        match &self.0 {
            Repr::Pairs(pairs) => (&pairs[place].0, &pairs[place].1),
            Repr::Series { keys, values } => match &keys.0[place] {
                (key, Source::Constant(value)) => (key, value),
                (key, Source::Place(place)) => (key, value_at(values.encoded(), *place)),
            },
        }
    }

    /// How many labels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Pairs(pairs) => pairs.len(),
            Repr::Series { .. } => self.visible().count(),
        }
    }

    /// Whether there is no label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.visible().next().is_none()
    }

    /// The set with only the labels whose key `keep` accepts.
    #[must_use]
    pub fn retain(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(Repr::Pairs(self.pairs().filter(|(key, _)| keep(key)).collect()))
    }

    /// The set with `pairs` added. A pair of `pairs` replaces one with the same key; with an empty
    /// value, it removes the label.
    #[must_use]
    pub fn with<K, V>(&self, pairs: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<Cow<'static, str>>,
        V: AsRef<str>,
    {
        let added = pairs.into_iter().map(|(key, value)| (key.into(), value.as_ref().into()));
        Self::new(self.pairs().chain(added))
    }

    fn pairs(&self) -> impl Iterator<Item = Label> {
        (0..self.n_places()).filter_map(|place| match &self.0 {
            Repr::Pairs(pairs) => Some(pairs[place].clone()),
            Repr::Series { keys, .. } => {
                let value = self.at(place).1;
                (!value.is_empty()).then(|| (keys.0[place].0.clone(), value.into()))
            }
        })
    }
}

/// The labels of a set, and how many of them are left.
struct Iter<'a> {
    set: &'a LabelSet,
    place: usize,
    left: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        loop {
            let (key, value) = self.set.at(self.place);
            self.place += 1;
            if !value.is_empty() {
                return Some((key, value));
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl Default for LabelSet {
    fn default() -> Self {
        Self(Repr::Pairs(Arc::new([])))
    }
}

impl PartialEq for LabelSet {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.is_clone_of(other) || self.has_pairs_of(other)
    }
}

impl Eq for LabelSet {}

impl PartialOrd for LabelSet {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LabelSet {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cmp_values(other).unwrap_or_else(|| self.visible().cmp(other.visible()))
    }
}

impl Hash for LabelSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.visible().for_each(|pair| pair.hash(state));
    }
}

impl fmt::Display for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (place, (key, value)) in self.visible().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{key}={value:?}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Label values one after the other, each after its length, so that different lists of values have
/// different bytes. Most lengths take one byte; lengths from [`WIDE`] on take two, the first with its
/// highest bit set. Short lists need no memory of their own.
pub(crate) struct Encoded {
    short: [u8; SHORT],
    len: usize, // In `short`; meaningless if `long` is not empty.
    long: Vec<u8>,
}

/// The smallest length that takes two bytes.
const WIDE: usize = 128;
const _: () = assert!(MAX_VALUE_BYTES < WIDE << 8);

/// Arbitrary: more than most label values take together.
const SHORT: usize = 120;

impl Encoded {
    pub(crate) fn new() -> Self {
        Self { short: [0; SHORT], len: 0, long: Vec::new() }
    }

    /// Appends `value`, cut if it is too long; returns whether it was cut.
    pub(crate) fn push(&mut self, value: &str) -> bool {
        let kept = truncate(value);
        match kept.len() {
            len @ ..WIDE => self.append(&[len as u8]),
            len => self.append(&((WIDE << 8) + len).to_be_bytes()[size_of::<usize>() - 2..]),
        }
        self.append(kept.as_bytes());
        kept.len() < value.len()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        if self.long.is_empty() { &self.short[..self.len] } else { &self.long }
    }

    fn append(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        match self.short.get_mut(self.len..end) {
            Some(place) if self.long.is_empty() => {
                place.copy_from_slice(bytes);
                self.len = end;
            }
            _ => {
                if self.long.is_empty() {
                    self.long.extend_from_slice(&self.short[..self.len]);
                }
                self.long.extend_from_slice(bytes);
            }
        }
    }
}

/// The values in the bytes of an [`Encoded`].
pub(crate) fn decode(mut encoded: &[u8]) -> impl Iterator<Item = &str> {
    iter::from_fn(move || {
        let (value, rest) = split_value(encoded)?;
        encoded = rest;
        Some(std::str::from_utf8(value).unwrap_or_default())
    })
}

/// The value at index `place` in the bytes of an [`Encoded`]; empty if there is none.
fn value_at(encoded: &[u8], place: usize) -> &str {
    std::str::from_utf8(Cursor::new(encoded).at(place)).unwrap_or_default()
}

/// Finds values in the bytes of an [`Encoded`]; fast if they are requested in order.
struct Cursor<'a> {
    encoded: &'a [u8],
    rest: &'a [u8],
    next: usize,
}

impl<'a> Cursor<'a> {
    #[inline(always)]
    fn new(encoded: &'a [u8]) -> Self {
        Self { encoded, rest: encoded, next: 0 }
    }

    /// The value at index `place`; empty if there is none.
    #[inline(always)]
    fn at(&mut self, place: usize) -> &'a [u8] {
        if place < self.next {
            (self.rest, self.next) = (self.encoded, 0);
        }
        let mut found: &[u8] = &[];
        while self.next <= place {
            (found, self.rest) = split_value(self.rest).unwrap_or_default();
            self.next += 1;
        }
        found
    }
}

/// The first of the values in the bytes of an [`Encoded`], and the bytes of those after it.
#[inline(always)]
fn split_value(encoded: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = encoded.split_first()?;
    let first = usize::from(first);
    if first < WIDE {
        return rest.split_at_checked(first);
    }
    let (&second, rest) = rest.split_first()?;
    rest.split_at_checked((first - WIDE) << 8 | usize::from(second))
}

/// The rest after `value` in the bytes of an [`Encoded`], if these begin with it.
#[inline(always)]
pub(crate) fn strip_value<'e>(encoded: &'e [u8], value: &str) -> Option<&'e [u8]> {
    let len = value.len();
    if len >= WIDE {
        return strip_wide_value(encoded, value);
    }
    let (&first, rest) = encoded.split_first()?;
    let (own, rest) = rest.split_at_checked(len)?;
    (usize::from(first) == len && hash::equal(own, value.as_bytes())).then_some(rest)
}

#[cold]
fn strip_wide_value<'e>(encoded: &'e [u8], value: &str) -> Option<&'e [u8]> {
    let (own, rest) = split_value(encoded)?;
    (own == truncate(value).as_bytes()).then_some(rest)
}

/// The longest prefix of `value` that ends at a character boundary and has at most [`MAX_VALUE_BYTES`].
pub(crate) fn truncate(value: &str) -> &str {
    if value.len() <= MAX_VALUE_BYTES {
        return value;
    }
    // A character has at most four bytes, so one of these four indices is a boundary.
    let end =
        (MAX_VALUE_BYTES - 3..=MAX_VALUE_BYTES).rev().find(|&end| value.is_char_boundary(end));
    &value[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_set_is_sorted_and_the_last_of_two_equal_keys_wins() {
        let set = LabelSet::new([("b", "1"), ("a", "2"), ("b", "3")]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
    }

    #[test]
    fn a_set_of_a_series_is_the_set_of_its_pairs() {
        struct Owned(Vec<u8>);
        impl Values for Owned {
            fn encoded(&self) -> &[u8] {
                &self.0
            }
        }
        let long = "x".repeat(200);
        let mut encoded = Encoded::new();
        for value in ["/x", &long, "GET"] {
            assert!(!encoded.push(value));
        }
        let encoded = encoded.bytes().to_vec();
        let constant = LabelSet::new([("region", "eu"), ("method", "lost")]);
        let keys = Keys::new(&["route".into(), "user".into(), "method".into()], &constant);
        let of_series = LabelSet::of_series(Arc::new(keys), Arc::new(Owned(encoded)));
        let pairs = [("method", "GET"), ("region", "eu"), ("route", "/x"), ("user", &long)];
        let set = LabelSet::new(pairs);
        assert_eq!(of_series.iter().collect::<Vec<_>>(), pairs);
        assert_eq!(of_series, set);
        assert_eq!(of_series.cmp(&set), Ordering::Equal);
        assert_eq!(of_series.get("route"), Some("/x"));
        assert_eq!(of_series.with([("route", "/y")]), set.with([("route", "/y")]));
        assert_eq!(of_series.retain(|key| key < "n"), set.retain(|key| key < "n"));
    }

    proptest! {
        #[test]
        fn series_of_one_family_are_ordered_as_their_pairs_are(
            values in prop::collection::vec(prop::collection::vec("[ab\u{e9}]{0,2}", 3), 2..8)
        ) {
            struct Owned(Vec<u8>);
            impl Values for Owned {
                fn encoded(&self) -> &[u8] {
                    &self.0
                }
            }
            let constant = LabelSet::new([("m", "constant")]);
            let keys = Arc::new(Keys::new(&["z".into(), "a".into(), "p".into()], &constant));
            let set = |values: &Vec<String>| {
                let mut encoded = Encoded::new();
                for value in values {
                    encoded.push(value);
                }
                let values = Arc::new(Owned(encoded.bytes().to_vec()));
                let of_series = LabelSet::of_series(keys.clone(), values);
                (LabelSet::new(of_series.iter().map(|(k, v)| (k.to_owned(), v))), of_series)
            };
            let sets: Vec<_> = values.iter().map(set).collect();
            for ((pairs, series), (other_pairs, other)) in sets.iter().zip(&sets[1..]) {
                prop_assert_eq!(series.cmp(other), pairs.cmp(other_pairs));
            }
        }
    }

    #[test]
    fn the_values_of_one_series_under_other_keys_are_another_set() {
        struct None;
        impl Values for None {
            fn encoded(&self) -> &[u8] {
                &[]
            }
        }
        let values = Arc::new(None);
        let [eu, same, us] = ["eu", "eu", "us"].map(|region| {
            let keys = Keys::new(&[], &LabelSet::new([("region", region)]));
            LabelSet::of_series(Arc::new(keys), values.clone())
        });
        assert_eq!(eu, same);
        assert_ne!(eu, us);
    }

    #[test]
    fn lengths_of_one_byte_and_of_two_read_back() {
        let values = [0, 1, WIDE - 1, WIDE, 255, 256, MAX_VALUE_BYTES].map(|len| "v".repeat(len));
        let mut encoded = Encoded::new();
        for value in &values {
            assert!(!encoded.push(value));
        }
        assert_eq!(decode(encoded.bytes()).collect::<Vec<_>>(), values);
        let rest = values.iter().try_fold(encoded.bytes(), |rest, value| strip_value(rest, value));
        assert_eq!(rest, Some(&[][..]));
        for other in ["", "w", &"v".repeat(WIDE), &"w".repeat(WIDE - 1)] {
            assert_eq!(strip_value(&encoded.bytes()[1 + 1 + 1..], other), None, "{}", other.len());
        }
        let n_bytes = values.iter().map(String::len).sum::<usize>() + 3 + 4 * 2;
        assert_eq!(encoded.bytes().len(), n_bytes);
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let long = "a".to_owned() + &"é".repeat(MAX_VALUE_BYTES);
        let set = LabelSet::new([("k", long)]);
        assert_eq!(set.get("k").map(str::len), Some(MAX_VALUE_BYTES - 1));
    }
}
