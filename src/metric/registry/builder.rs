//! The configuration of a registry.

use std::{sync::Arc, time::Duration};

use crate::{
    label::LabelSet,
    metric::registry::{Inner, Registry},
    series::{Changes, Settings},
    snapshot::key_fault,
    sync::Mutex,
};

/// Configures a [`Registry`]; returned by [`Registry::builder`].
///
/// # Examples
///
/// ```
/// use bellwether::metric::Registry;
///
/// let registry = Registry::builder().label("shard", "7").series_limit(100).build();
/// registry.counter("queue.sent", "Messages sent").build()?.inc();
/// assert!(registry.snapshot().value("queue.sent", &[("shard", "7")]).is_some());
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it is no registry before `build`"]
pub struct RegistryBuilder {
    series_limit: usize,
    byte_budget: u64,
    labels: LabelSet,
    patience: Option<Duration>,
}

impl Registry {
    /// Creates an empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Returns a builder for a registry with its own limits and labels.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder {
            series_limit: SERIES_LIMIT,
            byte_budget: BYTE_BUDGET,
            labels: LabelSet::default(),
            patience: None,
        }
    }

    /// Creates an empty registry whose families have at most `limit` label sets each, besides the
    /// overflow series; as [`RegistryBuilder::series_limit`].
    #[must_use]
    pub fn with_series_limit(limit: usize) -> Self {
        Self::builder().series_limit(limit).build()
    }
}

impl RegistryBuilder {
    /// Limits each family to `limit` label sets besides the overflow series; 2,000 by default. An
    /// instrument's own limit takes precedence. Closed label sets are not limited.
    pub fn series_limit(self, limit: usize) -> Self {
        Self { series_limit: limit, ..self }
    }

    /// Limits the memory of the registry to about `bytes`; 64 MiB by default. This counts the series
    /// of all families that are not closed, and the cells of all series.
    ///
    /// The cells that threads own take at most half of it; beyond that, a thread records into cells
    /// that threads share. Beyond the whole budget, new label sets go to the overflow series, and
    /// existing series continue.
    pub fn byte_budget(self, bytes: u64) -> Self {
        Self { byte_budget: bytes, ..self }
    }

    /// How long a reader waits for one callback; half a second by default. See
    /// [`InstrumentBuilder::observe`](super::InstrumentBuilder::observe).
    pub fn callback_patience(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// Adds a label to every series, also to series of callbacks and to overflow series. If a series
    /// has a label with the same key, the label of the series wins.
    ///
    /// # Panics
    ///
    /// Panics if `key` is not legal as a label key.
    #[track_caller]
    pub fn label(self, key: &'static str, value: &str) -> Self {
        if let Some(fault) = key_fault(key) {
            panic!("label key {key:?} {fault}");
        }
        Self { labels: self.labels.with([(key, value)]), ..self }
    }

    /// Creates an empty registry.
    #[must_use]
    pub fn build(self) -> Registry {
        let settings = Settings::new(self.series_limit, self.byte_budget, self.labels);
        settings.change(Changes { patience: self.patience, ..Changes::default() });
        Registry(Arc::new(Inner { settings: Arc::new(settings), families: Mutex::default() }))
    }
}

/// The limit of a family that is not closed; the default of OpenTelemetry's SDKs.
const SERIES_LIMIT: usize = 2_000;
/// Enough for half a million series with short labels.
const BYTE_BUDGET: u64 = 64 << 20;
