//! All the tables of one set of values: the process's own, or a test scope's.

use std::sync::Arc;

use super::directory::{Directory, Fresh, Slots, slot};
use crate::{
    clock::{self, Ticks},
    metric::histogram::{
        HistogramSnapshot,
        cell::HistogramSlot,
        chosen::{self, ChosenSlot},
    },
    sync::modelled::{AtomicU64, Mutex, Ordering::Relaxed},
};

/// One thread's cells.
#[derive(Debug)]
pub(crate) struct Table {
    pub(super) sums: Directory<SumCell>,
    pub(super) histograms: Directory<HistogramSlot>,
    /// Of the histograms whose ids begin at [`chosen::FIRST`]: there it is at zero.
    pub(super) chosen: Directory<ChosenSlot>,
}

/// A sum that one thread at a time adds to; signed sums wrap around.
#[derive(Debug)]
pub(crate) struct SumCell(AtomicU64);

/// The value of a gauge, which all threads share: the last one set holds, whoever set it.
#[derive(Debug)]
pub(crate) struct GaugeCell(AtomicU64);

/// The bits of a gauge nobody has set: a NaN that no arithmetic makes.
const NEVER_SET: u64 = 0x7ff4_6265_6c6c_7772;

/// A set of values: the tables of all threads that recorded into it, and the gauges.
#[derive(Debug)]
pub(crate) struct Storage {
    /// Guards the lists and every write to the orphan table; directory locks are taken inside it.
    tables: Mutex<Tables>,
    gauges: Directory<GaugeCell>,
    /// Which series were ever seen not to be zero. Nothing is locked inside it.
    seen: Mutex<Seen>,
    started: Ticks,
    scoped: bool,
}

#[derive(Debug, Default)]
struct Tables {
    all: Vec<&'static Table>,
    free: Vec<&'static Table>, // Invariant: no thread holds one of these.
    orphan: Option<&'static Table>,
}

#[derive(Debug, Default)]
struct Seen {
    sums: Vec<u64>, // A bit a series.
}

impl Storage {
    pub(crate) fn new(scoped: bool) -> Arc<Self> {
        Arc::new(Self {
            tables: Mutex::new(Tables::default()),
            gauges: Directory::new(),
            seen: Mutex::new(Seen::default()),
            started: clock::now(),
            scoped,
        })
    }

    /// When recording into it began.
    pub(crate) fn started(&self) -> Ticks {
        self.started
    }

    /// Whether it belongs to a scope, where a series that was not touched is not there.
    pub(crate) fn is_scoped(&self) -> bool {
        self.scoped
    }

    /// A table for a thread to write: one that an ended thread left, or a new one.
    ///
    /// The lock orders the old owner's last store before the new owner's first load.
    pub(super) fn lease(&self) -> &'static Table {
        let mut tables = self.tables.lock();
        tables.free.pop().unwrap_or_else(|| tables.add())
    }

    /// Takes the table of a thread that ends back.
    pub(super) fn give_back(&self, table: &'static Table) {
        self.tables.lock().free.push(table);
    }

    /// Lets `write` write to the table of threads that have none.
    pub(super) fn with_orphan(&self, write: impl FnOnce(&'static Table)) {
        let mut tables = self.tables.lock();
        let table = match tables.orphan {
            Some(table) => table,
            None => tables.add(),
        };
        tables.orphan = Some(table);
        write(table);
    }

    /// The cells of the sum `id`, table by table, without those that are zero.
    #[cfg(test)]
    pub(crate) fn sums(&self, id: u32) -> Vec<u64> {
        let cells = self.reader().sums.into_iter().filter_map(|slots| slot(slots, id));
        cells.map(SumCell::get).filter(|&sum| sum > 0).collect()
    }

    pub(super) fn gauges(&self) -> &Directory<GaugeCell> {
        &self.gauges
    }

    /// Everything that can be read now.
    pub(crate) fn reader(&self) -> Reader {
        let _busy = super::busy();
        let tables = self.tables.lock();
        Reader {
            sums: tables.all.iter().map(|table| table.sums.slots()).collect(),
            histograms: tables.all.iter().map(|table| table.histograms.slots()).collect(),
            chosen: tables.all.iter().map(|table| table.chosen.slots()).collect(),
            gauges: self.gauges.slots(),
        }
    }

    /// Whether the sum `id`, which is `value` now, was ever seen not to be zero: a series that came
    /// back to zero does not vanish.
    pub(crate) fn was_touched(&self, id: u32, value: u64) -> bool {
        let (word, bit) = (id as usize / 64, 1u64 << (id % 64));
        let mut seen = self.seen.lock();
        if value == 0 {
            return seen.sums.get(word).is_some_and(|bits| bits & bit != 0);
        }
        if seen.sums.len() <= word {
            seen.sums.resize(word + 1, 0);
        }
        seen.sums[word] |= bit;
        true
    }
}

impl Tables {
    fn add(&mut self) -> &'static Table {
        let table = Table {
            sums: Directory::new(),
            histograms: Directory::new(),
            chosen: Directory::new(),
        };
        let table: &'static Table = Box::leak(Box::new(table));
        self.all.push(table);
        table
    }
}

/// A view of all tables; reads what they hold at the time of each call.
#[derive(Debug)]
pub(crate) struct Reader {
    sums: Vec<Slots<SumCell>>,
    histograms: Vec<Slots<HistogramSlot>>,
    chosen: Vec<Slots<ChosenSlot>>,
    gauges: Slots<GaugeCell>,
}

impl Reader {
    /// The sum of all threads' cells.
    pub(crate) fn sum(&self, id: u32) -> u64 {
        let cells = self.sums.iter().filter_map(|slots| slot(slots, id));
        cells.fold(0, |sum, cell| sum.wrapping_add(cell.get()))
    }

    /// The histogram over all threads; `None` where none of them recorded.
    pub(crate) fn histogram(&self, id: u32) -> Option<HistogramSnapshot> {
        let merge = |mut merged: HistogramSnapshot, cell: HistogramSnapshot| {
            merged.merge(&cell);
            merged
        };
        let merged = if let Some(id) = id.checked_sub(chosen::FIRST) {
            let slots = self.chosen.iter().filter_map(|slots| slot(slots, id));
            slots.filter_map(ChosenSlot::get).map(|cell| cell.read()).reduce(merge)
        } else {
            let slots = self.histograms.iter().filter_map(|slots| slot(slots, id));
            slots.filter_map(HistogramSlot::get).map(|cell| cell.read()).reduce(merge)
        };
        merged.filter(|merged| merged.count() > 0)
    }

    /// The value of a gauge, if it was ever set.
    pub(crate) fn gauge(&self, id: u32) -> Option<f64> {
        slot(self.gauges, id)?.get()
    }
}

impl SumCell {
    /// Adds to a cell that this thread owns.
    #[inline(always)]
    pub(crate) fn add(&self, n: u64) {
        // A load and a store in place of a read-modify-write: nobody else writes this cell.
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Fresh for SumCell {
    fn fresh() -> Self {
        Self(AtomicU64::new(0))
    }
}

impl GaugeCell {
    #[inline(always)]
    pub(crate) fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    /// Adds to the value; one that was never set counts as zero.
    pub(crate) fn add(&self, n: f64) {
        let mut bits = self.0.load(Relaxed);
        loop {
            let value = if bits == NEVER_SET { 0.0 } else { f64::from_bits(bits) };
            // Relaxed: the value publishes nothing but itself.
            match self.0.compare_exchange(bits, (value + n).to_bits(), Relaxed, Relaxed) {
                Ok(_) => return,
                Err(newer) => bits = newer,
            }
        }
    }

    fn get(&self) -> Option<f64> {
        let bits = self.0.load(Relaxed);
        (bits != NEVER_SET).then(|| f64::from_bits(bits))
    }
}

impl Fresh for GaugeCell {
    fn fresh() -> Self {
        Self(AtomicU64::new(NEVER_SET))
    }
}
