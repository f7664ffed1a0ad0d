//! Turns snapshots into the ticks of a history, for rules without telemetry.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::{Slot, Slots},
    history::History,
    metric::Prepared,
    snapshot::Snapshot,
    sync::Mutex,
};

/// A history whose ticks are snapshots.
#[derive(Debug)]
pub(super) struct Replay {
    slots: Slots,
    pub(super) history: Arc<Mutex<History>>,
}

impl Replay {
    /// An empty history, with a tick in each slot of `interval`.
    pub(super) fn new(interval: Duration, budget_bytes: usize) -> Self {
        let history = Arc::new(Mutex::new(History::new(budget_bytes)));
        Self { slots: Slots::new(interval), history }
    }

    /// Adds a snapshot. Returns its slot, and the number of series if they have just become more than
    /// the budget holds. `None` if the slot already has a tick.
    pub(super) fn play(&mut self, snapshot: &Snapshot) -> Option<(Slot, Option<usize>)> {
        let slot = self.slots.next(snapshot.taken())?;
        let too_many = self.history.lock().tick(&Prepared::of(snapshot.clone()), slot);
        Some((slot, too_many))
    }
}
