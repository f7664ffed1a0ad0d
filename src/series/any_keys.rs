//! Labels with any keys: a set learns the keys as they come.
//!
//! A key has a place, which is that of its value in the bytes of each series. A series has its values up to
//! the last one that is not empty. So its bytes stay the same when more keys are learned, and a series
//! from before lacks them.

use std::{borrow::Cow, sync::Arc};

use super::open::{Found, Full, Known, OpenSet};
use crate::{cells, label::Keys, snapshot::key_fault};

/// The most keys of one set. Arbitrary: a program that names more makes them out of data.
const MOST_KEYS: usize = 64;

/// The longest key, as of a name; a longer one is cut.
const MAX_KEY_BYTES: usize = 255;

impl OpenSet {
    /// The series with these labels; it is created if it does not exist and there is room for it.
    pub(crate) fn find_or_add_labels(&self, labels: &[(&str, &str)]) -> Found {
        let values = match cells::guarded(|| self.values_of(labels)) {
            None => return Found::Overflow(cells::DISABLED), // As `find_or_add`.
            Some(Err(full)) => return self.overflow_for(full),
            Some(Ok(values)) => values,
        };
        self.find_or_add(&|each| values.iter().for_each(|value| each(value)))
    }

    /// The values by the places of their keys, which are learned if they are new.
    fn values_of<'a>(&self, labels: &[(&str, &'a str)]) -> Result<Vec<&'a str>, Full> {
        let mut known = self.known.lock();
        let n_known = known.learned.len();
        let values = self.place(&mut known, labels);
        // Also if one of several new keys was too many.
        if known.learned.len() > n_known {
            known.keys = Arc::new(Keys::new(&known.learned, &self.settings.labels()));
            known.list = None;
        }
        let mut values = values?;
        let len = values.iter().rposition(|value| !value.is_empty()).map_or(0, |last| last + 1);
        values.truncate(len);
        Ok(values)
    }

    fn place<'a>(
        &self,
        known: &mut Known,
        labels: &[(&str, &'a str)],
    ) -> Result<Vec<&'a str>, Full> {
        let mut values = vec![""; known.learned.len()];
        for &(key, value) in labels {
            let key = legal(key);
            match known.learned.iter().position(|own| *own == key) {
                Some(place) => values[place] = value,
                None if value.is_empty() => {}
                None => {
                    self.learn(known, &key)?;
                    values.push(value);
                }
            }
        }
        Ok(values)
    }

    fn learn(&self, known: &mut Known, key: &str) -> Result<(), Full> {
        if known.learned.len() == MOST_KEYS {
            return Err(Full::Keys(MOST_KEYS));
        }
        if !self.settings.budget.take(weight(key)) {
            return Err(Full::Budget(self.settings.budget.limit()));
        }
        known.learned.push(Cow::Owned(key.to_owned()));
        Ok(())
    }
}

impl Known {
    /// The bytes that the keys which were learned have taken of the budget.
    pub(super) fn weight_of_keys(&self) -> usize {
        self.learned.iter().map(|key| weight(key)).sum()
    }
}

/// `key` with `_` for each character that may not be there, cut to [`MAX_KEY_BYTES`].
fn legal(key: &str) -> Cow<'_, str> {
    if key.len() <= MAX_KEY_BYTES && key_fault(key).is_none() {
        return Cow::Borrowed(key);
    }
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let begins = key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let before = if begins { "" } else { "_" };
    let kept = key.chars().map(|c| if is_legal(c) { c } else { '_' });
    Cow::Owned(before.chars().chain(kept).take(MAX_KEY_BYTES).collect())
}

/// A key is kept twice: as it was learned, and among the keys of all series.
fn weight(key: &str) -> usize {
    2 * (key.len() + size_of::<(Cow<'static, str>, usize)>())
}
