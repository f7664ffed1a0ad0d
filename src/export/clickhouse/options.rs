//! What a user chooses of tables.

use std::time::Duration;

/// Where rows go.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) database: String,
    /// What the names of tables begin with.
    pub(super) prefix: String,
    pub(super) is_async: bool,
    pub(super) creates_tables: bool,
    pub(super) keep: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            database: "default".to_owned(),
            prefix: "otel_".to_owned(),
            is_async: false,
            creates_tables: false,
            keep: None,
        }
    }
}

/// A name as ClickHouse reads it, whatever is in it: "Identifiers" in its reference of SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}
