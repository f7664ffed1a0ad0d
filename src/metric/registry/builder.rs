//! What a registry is made with.

use std::{sync::Arc, time::Duration};

use crate::{
    label::LabelSet,
    metric::registry::{Inner, Registry},
    series::{Changes, Settings},
    snapshot::key_fault,
    sync::Mutex,
};

/// What a [`Registry`] is made with; [`Registry::builder`] begins one.
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
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Begins a registry with limits and labels of its own.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder {
            series_limit: SERIES_LIMIT,
            byte_budget: BYTE_BUDGET,
            labels: LabelSet::default(),
            patience: None,
        }
    }

    /// An empty registry whose families have at most `limit` label sets each, besides the overflow
    /// series; as [`RegistryBuilder::series_limit`].
    #[must_use]
    pub fn with_series_limit(limit: usize) -> Self {
        Self::builder().series_limit(limit).build()
    }
}

impl RegistryBuilder {
    /// At most `limit` label sets a family, besides the overflow series, unless the instrument says
    /// otherwise; 2,000 by default. Closed label sets are not limited.
    pub fn series_limit(self, limit: usize) -> Self {
        Self { series_limit: limit, ..self }
    }

    /// At most about `bytes` for the series of all families that are not closed, and for the cells of
    /// all series; 64 MiB by default. The cells that threads own take at most half of it: beyond that,
    /// a thread records into cells that threads share. Beyond the whole, new label sets go to the
    /// overflow series, and known ones go on.
    pub fn byte_budget(self, bytes: u64) -> Self {
        Self { byte_budget: bytes, ..self }
    }

    /// How long whoever reads waits for one callback; half a second by default. See
    /// [`InstrumentBuilder::observe`](super::InstrumentBuilder::observe).
    pub fn callback_patience(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// Puts a label on every series, also of callbacks and beyond a limit; one of the series' own
    /// with the same key wins.
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

    /// An empty registry.
    #[must_use]
    pub fn build(self) -> Registry {
        let settings = Settings::new(self.series_limit, self.byte_budget, self.labels);
        settings.change(Changes { patience: self.patience, ..Changes::default() });
        Registry(Arc::new(Inner { settings: Arc::new(settings), families: Mutex::default() }))
    }
}

/// Series of a family that is not closed; what OpenTelemetry's SDKs take.
const SERIES_LIMIT: usize = 2_000;
/// Room for half a million series of short labels.
const BYTE_BUDGET: u64 = 64 << 20;
