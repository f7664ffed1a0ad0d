//! Rules over snapshots, without telemetry, for tests and benches.

use super::{
    board::Board,
    engine::{Engine, Settings, Tick},
    replay::Replay,
    rule::Rule,
};
use crate::{error::Error, history::BUDGET_BYTES, snapshot::Snapshot};

/// An engine with its own history.
#[derive(Debug)]
pub(crate) struct Standalone {
    replay: Replay,
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
        let replay = Replay::new(settings.interval, budget_bytes);
        let engine = Engine::new(rules, settings, replay.history.clone())?;
        Ok(Self { replay, engine })
    }

    /// Evaluates all rules over the snapshots so far and this one. A second snapshot in one slot of
    /// the interval is ignored.
    pub(crate) fn tick(&mut self, snapshot: &Snapshot) -> Tick {
        let played = self.replay.play(snapshot);
        played.map(|(slot, _)| self.engine.tick(slot)).unwrap_or_default()
    }

    pub(crate) fn board(&self) -> &Board {
        self.engine.board()
    }
}
