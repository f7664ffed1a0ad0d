//! Rules over snapshots, without telemetry: what tests and benches tick.

use std::sync::Arc;

use super::{
    board::Board,
    engine::{Engine, Settings, Tick},
    rule::Rule,
};
use crate::{
    clock::Slots,
    error::Error,
    history::{BUDGET_BYTES, History},
    metric::Prepared,
    snapshot::Snapshot,
    sync::Mutex,
};

/// An engine with a history of its own.
#[derive(Debug)]
pub(crate) struct Standalone {
    slots: Slots,
    history: Arc<Mutex<History>>,
    engine: Engine,
}

impl Standalone {
    /// # Errors
    ///
    /// As [`Engine::new`].
    pub(crate) fn new(rules: Vec<Rule>, settings: Settings) -> Result<Self, Error> {
        Self::within(BUDGET_BYTES, rules, settings)
    }

    /// As [`new`](Self::new), with a history of `budget_bytes`.
    pub(crate) fn within(
        budget_bytes: usize,
        rules: Vec<Rule>,
        settings: Settings,
    ) -> Result<Self, Error> {
        let history = Arc::new(Mutex::new(History::new(budget_bytes)));
        let engine = Engine::new(rules, settings, history.clone())?;
        Ok(Self { slots: Slots::new(settings.interval), history, engine })
    }

    /// Evaluates all rules over the snapshots so far and this one. A second one in a slot of the interval
    /// is not looked at.
    pub(crate) fn tick(&mut self, snapshot: &Snapshot) -> Tick {
        let Some(slot) = self.slots.next(snapshot.taken()) else { return Tick::default() };
        self.history.lock().tick(&Prepared::of(snapshot.clone()), slot);
        self.engine.tick(slot)
    }

    pub(crate) fn board(&self) -> &Board {
        self.engine.board()
    }
}
