//! The settings of a registry. They apply to all of its families and may be changed while these record.
//!
//! They are read when a series is created, listed or looked up, but not when it records.

use std::{borrow::Cow, sync::Arc, time::Duration};

use crate::{
    cells::{Budget, Ids},
    error::{Error, ErrorKind},
    label::LabelSet,
    snapshot::key_fault,
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

/// The settings of a registry. Each is loaded relaxed, because it guards nothing but itself.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The most label sets of a family that is not closed, unless the instrument has its own limit.
    series_limit: AtomicUsize,
    /// The budget of bytes for the series of all these families, and for the cells of all families.
    pub(crate) budget: Arc<Budget>,
    /// The source of the ids of all series.
    pub(crate) ids: Ids,
    /// How long a reader waits for a callback, in nanoseconds.
    patience: AtomicU64,
    /// Guards the labels that are on every series. Inside it no lock is taken, and nothing is allocated
    /// or freed: it is taken inside the locks of the registry and of families.
    labels: Mutex<LabelSet>,
}

/// Changes of settings; what is not set stays unchanged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) series_limit: Option<usize>,
    pub(crate) byte_budget: Option<u64>,
    pub(crate) patience: Option<Duration>,
    pub(crate) labels: Vec<(Cow<'static, str>, String)>,
}

impl Settings {
    pub(crate) fn new(series_limit: usize, byte_budget: u64, labels: LabelSet) -> Self {
        let budget = Arc::new(Budget::new(byte_budget));
        let ids = Ids::new(budget.clone());
        let labels = Mutex::new(labels);
        let patience = AtomicU64::new(nanos(PATIENCE));
        Self { series_limit: AtomicUsize::new(series_limit), budget, ids, patience, labels }
    }

    /// How long a reader waits for one callback.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_nanos(self.patience.load(Relaxed))
    }

    pub(crate) fn series_limit(&self) -> usize {
        self.series_limit.load(Relaxed)
    }

    pub(crate) fn labels(&self) -> LabelSet {
        self.labels.lock().clone()
    }

    /// Makes the changes. Returns whether the constant labels changed: the families do not have these
    /// yet.
    pub(crate) fn change(&self, changes: Changes) -> bool {
        if let Some(limit) = changes.series_limit {
            self.series_limit.store(limit, Relaxed);
        }
        if let Some(bytes) = changes.byte_budget {
            self.budget.set_limit(bytes);
        }
        if let Some(patience) = changes.patience {
            self.patience.store(nanos(patience), Relaxed);
        }
        if changes.labels.is_empty() {
            return false;
        }
        let labels = LabelSet::new(changes.labels);
        let replaced = std::mem::replace(&mut *self.labels.lock(), labels.clone());
        replaced != labels
    }
}

/// How long a reader waits for one callback by default: long for reading a number, and short beside the
/// time-out of a scrape. Arbitrary.
const PATIENCE: Duration = Duration::from_millis(500);

/// The duration, or the longest that fits: five centuries.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Changes {
    /// The changes, if they are legal.
    pub(crate) fn checked(self) -> Result<Self, Error> {
        self.labels.iter().try_for_each(|(key, _)| check_key(key))?;
        Ok(self)
    }
}

pub(crate) fn check_key(key: &str) -> Result<(), Error> {
    key_fault(key).map_or(Ok(()), |fault| Err(illegal_key(key, fault)))
}

pub(crate) fn illegal_key(key: &str, fault: &str) -> Error {
    Error::new(ErrorKind::InvalidName, format!("label key {key:?} {fault}"))
}
