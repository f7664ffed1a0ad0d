//! The snapshots of the last minutes, for windows.

use std::{collections::VecDeque, time::Duration};

use crate::metric::Snapshot;

/// The longest window.
const LONGEST: Duration = Duration::from_secs(300);
/// The bytes that the snapshots may take.
const BYTES: usize = 16 << 20;

/// One snapshot a tick, the oldest first; empty only where telemetry is disabled.
pub(super) struct History {
    snapshots: VecDeque<Snapshot>,
    bytes: usize, // Invariant: the sum of the snapshots' weights.
}

impl History {
    pub(super) fn new(first: Option<Snapshot>) -> Self {
        let bytes = first.as_ref().map_or(0, Snapshot::weight);
        Self { bytes, snapshots: first.into_iter().collect() }
    }

    /// Keeps `snapshot`, and gives up those that no window needs or that there is no room for.
    pub(super) fn push(&mut self, snapshot: Snapshot) {
        self.bytes += snapshot.weight();
        self.snapshots.push_back(snapshot);
        while self.snapshots.len() > 1 && (self.bytes > BYTES || self.is_second_enough()) {
            if let Some(oldest) = self.snapshots.pop_front() {
                self.bytes -= oldest.weight();
            }
        }
    }

    /// The newest snapshot that is at least `length` older than `later`, or else the oldest.
    pub(super) fn before(&self, later: &Snapshot, length: Duration) -> Option<Snapshot> {
        let old_enough = |snapshot: &&Snapshot| later.elapsed_since(snapshot) >= length;
        let newest = self.snapshots.iter().rev().find(old_enough);
        newest.or(self.snapshots.front()).cloned()
    }

    /// Whether the longest window could begin at the second snapshot.
    fn is_second_enough(&self) -> bool {
        match (self.snapshots.get(1), self.snapshots.back()) {
            (Some(second), Some(newest)) => newest.elapsed_since(second) >= LONGEST,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{self, ManualClock};
    use crate::metric::Registry;

    #[test]
    fn a_window_begins_at_the_newest_snapshot_that_is_old_enough() {
        let clock = ManualClock::new();
        let _installed = clock::enter(Some(clock.clone()));
        let registry = Registry::new();
        let mut history = History::new(Some(registry.snapshot()));
        for _ in 0..1_000 {
            clock.advance(Duration::from_secs(1));
            history.push(registry.snapshot());
        }
        let now = registry.snapshot();
        for (asked, given) in [(0, 0), (10, 10), (300, 300), (400, 300)] {
            let earlier = history.before(&now, Duration::from_secs(asked)).unwrap();
            assert_eq!(now.elapsed_since(&earlier), Duration::from_secs(given), "{asked} s");
        }
        assert_eq!(history.snapshots.len(), 301);
    }
}
