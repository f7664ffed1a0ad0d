//! What all kinds of one recorder share: its registry, its options, and whose each name is.

use std::{collections::HashMap, time::Duration};

use crate::{
    label::truncate,
    metric::Registry,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    util::hash::BuildHash,
};

/// The most names of a recorder, if nothing else is set. Arbitrary: some times as many as a program with
/// many libraries has.
const NAME_LIMIT: usize = 2_000;

#[derive(Debug)]
pub(super) struct Settings {
    pub(super) registry: Registry,
    pub(super) idle: Option<Duration>,
    pub(super) name_limit: usize,
    pub(super) ignores_units: bool,
    n_names: AtomicUsize, // Of all kinds; at most `name_limit`.
    has_reported_limit: AtomicBool,
    /// What the facade's name that each legal name stands for is known by. Nothing is locked inside.
    claims: Mutex<HashMap<Box<str>, Box<str>, BuildHash>>,
}

/// Whose a legal name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It was nobody's.
    New,
    /// It is that of the same name, of another kind.
    Own,
    Others,
}

impl Settings {
    pub(super) fn new(registry: Registry) -> Self {
        Self {
            registry,
            idle: None,
            name_limit: NAME_LIMIT,
            ignores_units: false,
            n_names: AtomicUsize::new(0),
            has_reported_limit: AtomicBool::new(false),
            claims: Mutex::default(),
        }
    }

    /// Whether there is room for one more name, which is taken.
    pub(super) fn admit_name(&self) -> bool {
        let more = |n: usize| (n < self.name_limit).then_some(n + 1);
        self.n_names.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    /// What to report of a name beyond the limit: something for the first one only.
    pub(super) fn limit_report(&self, name: &str) -> Option<String> {
        let limit = self.name_limit;
        let name = truncate(name);
        let is_first = !self.has_reported_limit.swap(true, Relaxed);
        is_first.then(|| format!("{name:?} and others are beyond the limit of {limit} names"))
    }

    /// Claims `legal` for what the facade's `name` is known by.
    pub(super) fn claim(&self, legal: &str, name: &str) -> Claim {
        let mut claims = self.claims.lock();
        match claims.get(legal) {
            Some(own) if **own == *name => Claim::Own,
            Some(_) => Claim::Others,
            None => {
                claims.insert(legal.into(), name.into());
                Claim::New
            }
        }
    }
}
