//! Ids: which numbers a way of keeping values has given out.

use super::DISABLED;
use crate::{
    metric::{
        Kind,
        histogram::{HistogramOptions, chosen},
    },
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// A way of keeping values. Each has ids of its own, process-wide and dense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Space {
    Sum,
    Gauge,
    /// Those that were told how to keep their values have ids of their own, from
    /// [`chosen::FIRST`] on.
    Histogram,
}

impl Space {
    pub(crate) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Counter | Kind::UpDownCounter => Self::Sum,
            Kind::Gauge | Kind::Info | Kind::StateSet => Self::Gauge,
            Kind::Histogram | Kind::Summary => Self::Histogram,
        }
    }

    /// The first of `len` neighbouring ids that no series has had, of histograms for those that were
    /// told `options`; [`DISABLED`] where none are left.
    pub(crate) fn reserve(self, options: HistogramOptions, len: u32) -> u32 {
        static SUMS: AtomicU32 = AtomicU32::new(0);
        static GAUGES: AtomicU32 = AtomicU32::new(0);
        static HISTOGRAMS: AtomicU32 = AtomicU32::new(0);
        match self {
            Self::Sum => take(&SUMS, len, DISABLED),
            Self::Gauge => take(&GAUGES, len, DISABLED),
            Self::Histogram => chosen::reserve_ids(options, len)
                .unwrap_or_else(|| take(&HISTOGRAMS, len, chosen::FIRST)),
        }
    }

    /// What a cell of a thread's table takes.
    pub(crate) fn cell_bytes(self) -> usize {
        match self {
            Self::Sum | Self::Gauge => 8,
            Self::Histogram => 264, // The short form and the pointer to it.
        }
    }
}

fn take(next: &AtomicU32, len: u32, end: u32) -> u32 {
    let after = |first: u32| first.checked_add(len).filter(|after| *after < end);
    let taken = next.fetch_update(Relaxed, Relaxed, after);
    taken.unwrap_or(DISABLED)
}
