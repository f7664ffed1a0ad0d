//! Ids: which numbers a way of keeping values has given out, and which it may give out again.

use super::DISABLED;
use crate::{
    metric::Kind,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

/// A way of keeping values. Each has ids of its own, process-wide and dense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Space {
    Sum,
    Gauge,
    Histogram,
}

/// The ids of one space.
struct Ids {
    next: AtomicU32,
    /// Those of series that were given up: their cells are zero and nobody writes to them. Nothing
    /// is locked inside it.
    free: Mutex<Vec<u32>>,
}

static SUMS: Ids = Ids::new();
static GAUGES: Ids = Ids::new();
static HISTOGRAMS: Ids = Ids::new();

impl Space {
    pub(crate) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Counter | Kind::UpDownCounter => Self::Sum,
            Kind::Gauge | Kind::Info | Kind::StateSet => Self::Gauge,
            Kind::Histogram | Kind::Summary => Self::Histogram,
        }
    }

    /// The first of `len` neighbouring ids that no series has had; [`DISABLED`] where none are left.
    pub(crate) fn reserve_block(self, len: u32) -> u32 {
        let next = &self.ids().next;
        let mut first = next.load(Relaxed);
        loop {
            let Some(end) = first.checked_add(len).filter(|end| *end < DISABLED) else {
                return DISABLED;
            };
            match next.compare_exchange_weak(first, end, Relaxed, Relaxed) {
                Ok(_) => return first,
                Err(newer) => first = newer,
            }
        }
    }

    /// An id for one series: one that was given up, or else a new one.
    pub(crate) fn reserve(self) -> u32 {
        let free = self.ids().free.lock().pop();
        free.unwrap_or_else(|| self.reserve_block(1))
    }

    /// Takes an id back whose cells are zero and that nobody writes to.
    pub(crate) fn give_back(self, id: u32) {
        self.ids().free.lock().push(id);
    }

    /// What a cell of a thread's table takes.
    pub(crate) fn cell_bytes(self) -> usize {
        match self {
            Self::Sum | Self::Gauge => 8,
            Self::Histogram => 264, // The short form and the pointer to it.
        }
    }

    fn ids(self) -> &'static Ids {
        match self {
            Self::Sum => &SUMS,
            Self::Gauge => &GAUGES,
            Self::Histogram => &HISTOGRAMS,
        }
    }
}

impl Ids {
    const fn new() -> Self {
        Self { next: AtomicU32::new(0), free: Mutex::new(Vec::new()) }
    }
}
