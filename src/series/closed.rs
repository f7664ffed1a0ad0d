//! The series of a closed label set: each combination has an id, and is listed when it is first seen.

use std::{borrow::Cow, panic::catch_unwind, sync::Arc};

use super::list::{Listed, SeriesList};
use crate::{
    cells::DISABLED,
    diagnostics,
    label::{Encoded, Keys, LabelSet, Values},
    sync::Mutex,
};

/// A label set whose combinations are known: each has an id, `base` plus its index.
#[derive(Debug)]
pub(super) struct ClosedSet {
    pub(super) base: u32,
    pub(super) len: usize,
    pub(super) at: fn(usize) -> Vec<Cow<'static, str>>,
    /// Guards what readers walk; only the registry's labels are locked inside it.
    pub(super) seen: Mutex<Seen>,
}

/// Which combinations of a closed set some reader has seen, so that the others alone are looked at.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) keys: Arc<Keys>,
    /// A bit for each index that was seen.
    bits: Box<[u64]>,
    /// Those that were seen; `None` where it has to be made anew.
    pub(super) list: Option<Arc<SeriesList>>,
}

impl ClosedSet {
    pub(super) fn new(
        base: u32,
        len: usize,
        at: fn(usize) -> Vec<Cow<'static, str>>,
        keys: Arc<Keys>,
    ) -> Self {
        let seen = Seen { keys, bits: vec![0; len.div_ceil(64)].into(), list: None };
        Self { base, len, at, seen: Mutex::new(seen) }
    }

    /// The combinations that `is_there` knows or ever knew.
    ///
    /// One that was never touched is no series, save the only one of an instrument without labels,
    /// which is there from registration on.
    pub(super) fn list(&self, is_there: impl Fn(u32) -> bool) -> Arc<SeriesList> {
        loop {
            let (keys, old, missing) = {
                let seen = self.seen.lock();
                (seen.keys.clone(), seen.list.clone(), self.missing(&seen, &is_there))
            };
            if let Some(list) = old.as_ref().filter(|_| missing.is_empty()) {
                return list.clone();
            }
            // Outside the lock: the type of the labels has code of its own.
            let mut known = old.as_ref().map_or_else(Vec::new, |list| list.known().to_vec());
            known.extend(missing.iter().filter_map(|&index| self.listed(index, &keys)));
            let list = Arc::new(SeriesList::of_combinations(known));
            let mut seen = self.seen.lock();
            let is_current = Arc::ptr_eq(&seen.keys, &keys)
                && seen.list.as_ref().map(Arc::as_ptr) == old.as_ref().map(Arc::as_ptr);
            if is_current {
                missing.iter().for_each(|index| seen.bits[index / 64] |= 1 << (index % 64));
                seen.list = Some(list.clone());
                return list;
            }
        }
    }

    /// The combinations that are not in the list and should be: those that `is_there` knows, and where
    /// there is no list all that were seen.
    pub(super) fn missing(&self, seen: &Seen, is_there: impl Fn(u32) -> bool) -> Vec<usize> {
        let is_complete = seen.list.as_ref().is_some_and(|list| list.len() == self.len);
        if is_complete || self.base == DISABLED {
            return Vec::new();
        }
        let is_missing = |&index: &usize| match seen.bits[index / 64] >> (index % 64) & 1 {
            0 => is_there(self.base + index as u32),
            _ => seen.list.is_none(),
        };
        (0..self.len).filter(is_missing).collect()
    }

    /// The combination at `index`; `None` if its type panics instead of telling its values, which
    /// costs the family that series and nobody else anything.
    pub(super) fn listed(&self, index: usize, keys: &Arc<Keys>) -> Option<Listed> {
        let at = self.at;
        let Ok(values) = catch_unwind(move || at(index)) else {
            let keys = keys.names().collect::<Vec<_>>().join(", ");
            let text = format_args!("the values of the labels {keys} at {index} panicked");
            diagnostics::report("labels", text);
            return None;
        };
        let mut encoded = Encoded::new();
        for value in values {
            encoded.push(&value);
        }
        let values = Combination::new(encoded.bytes());
        let labels = LabelSet::of_series(keys.clone(), Arc::new(values));
        Some(Listed { id: self.base + index as u32, labels, made: None })
    }
}

/// The values of one combination of a closed set; short ones lie where readers find them at once.
enum Combination {
    Short { len: u8, bytes: [u8; 22] },
    Long(Box<[u8]>),
}

impl Combination {
    pub(super) fn new(encoded: &[u8]) -> Self {
        let mut bytes = [0; 22];
        match bytes.get_mut(..encoded.len()) {
            Some(to) => to.copy_from_slice(encoded),
            None => return Self::Long(encoded.into()),
        }
        Self::Short { len: encoded.len() as u8, bytes }
    }
}

impl Values for Combination {
    fn encoded(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => &bytes[..usize::from(*len)],
            Self::Long(bytes) => bytes,
        }
    }
}
