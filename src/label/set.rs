//! The label set of one series: sorted, unique, shared.

use std::{borrow::Cow, fmt, sync::Arc};

use super::MAX_VALUE_BYTES;

/// The labels of one series, sorted by key, each key once; cheap to clone.
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
#[derive(Clone, Eq, Hash, PartialOrd, Ord, Default)]
#[expect(clippy::derived_hash_with_manual_eq, reason = "equal sets have equal contents, so hashes")]
pub struct LabelSet(Arc<[Label]>); // Invariant: sorted by key, keys unique.

type Label = (Cow<'static, str>, Box<str>);

impl LabelSet {
    /// Makes a set of `pairs`: the last of two with one key wins, and a value is cut at a character
    /// so that it has at most [`MAX_VALUE_BYTES`] bytes.
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
        Self(labels.into())
    }

    /// The value of `key`, if the set has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.binary_search_by(|(other, _)| other.as_ref().cmp(key)).ok()?;
        Some(&self.0[found].1)
    }

    /// The pairs, sorted by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// How many labels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The set with only the labels whose key `keep` accepts.
    #[must_use]
    pub fn retain(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(key, _)| keep(key)).cloned().collect())
    }

    /// The set with `pairs` added; a pair of `pairs` wins over one of the same key.
    #[must_use]
    pub fn with<K, V>(&self, pairs: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<Cow<'static, str>>,
        V: AsRef<str>,
    {
        let own = self.0.iter().map(|(key, value)| (key.clone(), value.to_string()));
        let added = pairs.into_iter().map(|(key, value)| (key.into(), value.as_ref().to_owned()));
        Self::new(own.chain(added))
    }
}

/// Clones of one set are told by their address alone.
impl PartialEq for LabelSet {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl fmt::Display for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (place, (key, value)) in self.iter().enumerate() {
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

/// The longest prefix of `value` that ends at a character and has at most [`MAX_VALUE_BYTES`].
pub(crate) fn truncate(value: &str) -> &str {
    if value.len() <= MAX_VALUE_BYTES {
        return value;
    }
    // A character has at most four bytes, so one of these four places is a boundary.
    let end =
        (MAX_VALUE_BYTES - 3..=MAX_VALUE_BYTES).rev().find(|&end| value.is_char_boundary(end));
    &value[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_sorted_and_the_last_of_two_equal_keys_wins() {
        let set = LabelSet::new([("b", "1"), ("a", "2"), ("b", "3")]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let long = "a".to_owned() + &"é".repeat(MAX_VALUE_BYTES);
        let set = LabelSet::new([("k", long)]);
        assert_eq!(set.get("k").map(str::len), Some(MAX_VALUE_BYTES - 1));
    }
}
