//! What `benches/history.rs` and `tests/history_allocations.rs` measure.

use std::time::Duration;

use super::{
    past::{Earlier, History},
    sample::{Form, Sample},
    select::Wanted,
    store::{RowId, Traits},
    tier::TICKS,
};
use crate::{
    clock::{self, Slots},
    label::LabelSet,
    metric::{Registry, Window},
};

/// A history under load. Not part of the API.
#[doc(hidden)]
#[derive(Debug)]
pub struct HistoryBench {
    history: History,
    slots: Slots,
    rows: Vec<RowId>,
}

/// What a reading of all samples found.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct HistoryRead {
    pub n_samples: u64,
    pub checksum: u64,
}

impl HistoryBench {
    #[doc(hidden)]
    #[must_use]
    pub fn new(budget_bytes: usize) -> Self {
        let slots = Slots::new(Duration::from_nanos(1));
        Self { history: History::new(budget_bytes), slots, rows: Vec::new() }
    }

    /// Selects all series of a family, with all buckets. To be called before the first tick.
    #[doc(hidden)]
    pub fn select(&mut self, name: &str, range: Duration) {
        let (name, matches) = (name.to_owned(), Box::new(|_: &LabelSet| true));
        let _ = self.history.select(Wanted { name, matches, range, distributions: true });
    }

    /// Takes a tick of a registry.
    #[doc(hidden)]
    pub fn tick(&mut self, registry: &Registry) {
        let prepared = registry.prepare();
        if let Some(slot) = self.slots.next(clock::now()) {
            self.history.tick(&prepared, slot);
        }
    }

    /// Takes a tick of counters without a registry, a second after the last one.
    #[doc(hidden)]
    pub fn append(&mut self, values: &[u64]) {
        while self.rows.len() < values.len() {
            let labels = LabelSet::new([("n", self.rows.len().to_string())]);
            let traits = Traits {
                form: Form::Whole,
                is_sparse: false,
                is_gauge: false,
                has_buckets: false,
                is_sum: true,
                shares_labels: false,
            };
            self.rows.push(self.history.store.add_row(labels, clock::now(), traits));
        }
        let now = clock::now();
        let slot = self.slots.next(now).map_or(0, |slot| slot.nanos);
        self.history.begin(now, slot, now);
        for (&row, &value) in self.rows.iter().zip(values) {
            self.history.store.add_bits(row, value);
        }
    }

    /// Ends the tick that [`append`](Self::append) began.
    #[doc(hidden)]
    pub fn finish(&mut self) {
        self.history.finish();
    }

    /// Reads all ticks of all series.
    #[doc(hidden)]
    #[must_use]
    pub fn read(&mut self) -> HistoryRead {
        self.history.store.settle();
        let store = &self.history.store;
        let (first, end) = (store.tiers[TICKS].first(), store.tiers[TICKS].end());
        let mut read = HistoryRead::default();
        for track in store.rows.iter().filter_map(|row| row.track_of(TICKS)) {
            track.read(first).each(end, |at, until, _, sample| {
                let bits = match sample {
                    Sample::Bits(bits) => bits,
                    Sample::Histogram(_, cells) => cells.sum,
                };
                read.n_samples += until - at;
                read.checksum = read.checksum.wrapping_add(bits);
            });
        }
        read
    }

    /// The bytes of sealed chunks with their heads and summaries, and the samples in them.
    #[doc(hidden)]
    #[must_use]
    pub fn sealed(&self) -> (usize, u64) {
        let tracks = self.history.store.rows.iter().filter_map(|row| row.track_of(TICKS));
        let sealed = tracks.map(|track| (track.sealed_bytes(), track.summaries()));
        sealed.fold((0, 0), |(bytes, n), (more, summaries)| {
            (bytes + more, n + summaries.map(|(_, summary)| summary.n_samples).sum::<u64>())
        })
    }

    /// How many bytes everything takes.
    #[doc(hidden)]
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.history.weight()
    }

    /// A window of the registry that is passed to `tick`.
    #[doc(hidden)]
    #[must_use]
    pub fn window(&mut self, registry: &Registry, length: Duration) -> Window {
        let later = registry.snapshot();
        match self.history.before(later.taken(), length) {
            Some(Earlier { at, distributions }) => later.since_both(at, distributions),
            None => later.since(&later),
        }
    }

    /// How much time a window of this length spans.
    #[doc(hidden)]
    #[must_use]
    pub fn span(&mut self, length: Duration) -> Duration {
        let now = clock::now();
        let earlier = self.history.before(now, length);
        earlier.map_or(Duration::ZERO, |earlier| now.since(earlier.at.taken()))
    }
}
