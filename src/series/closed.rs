//! The series of a closed label set: each combination has an id, and is listed once it was seen.

use std::{borrow::Cow, panic::catch_unwind, sync::Arc};

use super::list::{Listed, SeriesList};
use crate::{
    cells::DISABLED,
    diagnostics,
    label::{Encoded, Keys, LabelSet, Values},
    sync::Mutex,
};

/// A label set whose combinations are known: each has an id, which is `base` plus its index.
#[derive(Debug)]
pub(super) struct ClosedSet {
    pub(super) base: u32,
    pub(super) len: usize,
    pub(super) at: fn(usize) -> Vec<Cow<'static, str>>,
    /// Guards what readers walk; only the lock of the registry's labels is taken inside it.
    pub(super) seen: Mutex<Seen>,
}

/// Which combinations of a closed set a reader has seen, so that only the others are checked.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) keys: Arc<Keys>,
    /// A bit for each index that was seen.
    bits: Box<[u64]>,
    /// The combinations that were seen; `None` if the list must be rebuilt.
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

    /// The combinations for which `is_there` holds or ever held.
    ///
    /// A combination that was never touched is not a series. The exception is the only series of an
    /// instrument without labels, which exists from registration on.
    pub(super) fn list(&self, is_there: impl Fn(u32) -> bool) -> Arc<SeriesList> {
        loop {
            let (keys, old, missing) = {
                let seen = self.seen.lock();
                (seen.keys.clone(), seen.list.clone(), self.missing(&seen, &is_there))
            };
            if let Some(list) = old.as_ref().filter(|_| missing.is_empty()) {
                return list.clone();
            }
            // Outside the lock, because the type of the labels may run user code.
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

    /// The combinations that the list lacks: those for which `is_there` holds, and if there is no list,
    /// all that were seen.
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

    /// The combination at `index`. `None` if its type panics instead of returning its values; only this
    /// series is then missing.
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

/// The values of one combination of a closed set; short ones are stored in place.
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
