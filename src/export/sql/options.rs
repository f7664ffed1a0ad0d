//! What a user chooses of tables.

use std::time::Duration;

/// Which tables there are, and who makes them.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// What the names of tables begin with.
    pub(super) prefix: String,
    pub(super) creates_tables: bool,
    pub(super) keep: Option<Duration>,
    /// Whether TimescaleDB keeps the tables in chunks.
    pub(super) has_hypertables: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            prefix: "bellwether_".to_owned(),
            creates_tables: false,
            keep: None,
            has_hypertables: false,
        }
    }
}
