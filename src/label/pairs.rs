//! Labels named on the spot: a slice of keys and values.

use std::fmt;

use super::{LabelSet, Text};

/// Keys and values that are borrowed for one call, in any order: labels whose keys are no type.
///
/// A value is any [`Text`]: text, a number, a `bool`, an enum of labels. Nothing is copied or
/// allocated until a series has to be made. Of two pairs with one key, the last wins.
///
/// # Examples
///
/// ```
/// use bellwether::label::{Pairs, Text};
///
/// let status = 404_u16;
/// let labels: [(&str, &dyn Text); 2] = [("route", &"/catalog"), ("status", &status)];
/// let pairs = Pairs::new(&labels);
///
/// let mut values = Vec::new();
/// let all_known = pairs.visit_as(&["status", "cached", "route"], &mut |value| {
///     values.push(value.to_owned());
/// });
/// assert!(all_known);
/// assert_eq!(values, ["404", "", "/catalog"]);
/// assert_eq!(pairs.to_set().to_string(), r#"{route="/catalog", status="404"}"#);
/// ```
#[derive(Clone, Copy)]
pub struct Pairs<'a>(&'a [(&'a str, &'a dyn Text)]);

impl<'a> Pairs<'a> {
    /// The pairs of a slice.
    #[must_use]
    pub const fn new(pairs: &'a [(&'a str, &'a dyn Text)]) -> Self {
        Self(pairs)
    }

    /// How many pairs there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no pair.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys, as they stand.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        self.0.iter().map(|&(key, _)| key)
    }

    /// Hands each value over as text, as they stand.
    #[inline]
    pub fn visit(&self, each: &mut dyn FnMut(&str)) {
        self.0.iter().for_each(|(_, value)| value.visit(each));
    }

    /// Hands over the value of each of `keys`, in their order; one that is not there is empty. Says
    /// whether every pair has its key there: the value of one that has not is left out.
    ///
    /// A pair at the place of its key is found at once, and others by a walk.
    #[inline]
    pub fn visit_as<K: AsRef<str>>(&self, keys: &[K], each: &mut dyn FnMut(&str)) -> bool {
        let in_order = self.0.len() == keys.len()
            && self.0.iter().zip(keys).all(|((key, _), wanted)| *key == wanted.as_ref());
        if in_order {
            self.visit(each);
            return true;
        }
        for wanted in keys {
            match self.0.iter().rfind(|(key, _)| *key == wanted.as_ref()) {
                Some((_, value)) => value.visit(each),
                None => each(""),
            }
        }
        self.0.iter().all(|(key, _)| keys.iter().any(|wanted| wanted.as_ref() == *key))
    }

    /// The pairs as a set of their own.
    #[must_use]
    pub fn to_set(&self) -> LabelSet {
        LabelSet::new(self.0.iter().map(|(key, value)| {
            let mut text = String::new();
            value.visit(&mut |part| text.push_str(part));
            ((*key).to_owned(), text)
        }))
    }
}

impl<'a, const N: usize> From<&'a [(&'a str, &'a dyn Text); N]> for Pairs<'a> {
    fn from(pairs: &'a [(&'a str, &'a dyn Text); N]) -> Self {
        Self(pairs)
    }
}

impl fmt::Debug for Pairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_set().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_in_the_order_of_other_keys_match_a_set(
            pairs in prop::collection::vec(("[abc]", any::<String>()), 0..5),
            keys in prop::sample::subsequence(vec!["a", "b", "c"], 0..=3).prop_shuffle(),
        ) {
            let slice: Vec<(&str, &dyn Text)> =
                pairs.iter().map(|(key, value)| (key.as_str(), value as &dyn Text)).collect();
            let (pairs, mut values) = (Pairs::new(&slice), Vec::new());
            let all_known = pairs.visit_as(&keys, &mut |value| values.push(value.to_owned()));
            let set = pairs.to_set();
            let naive: Vec<&str> =
                keys.iter().map(|key| set.get(key).unwrap_or_default()).collect();
            prop_assert_eq!(values, naive);
            prop_assert_eq!(all_known, set.iter().all(|(key, _)| keys.contains(&key)));
        }
    }
}
