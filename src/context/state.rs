//! The `tracestate` header's entries.

use std::{fmt, sync::Arc};

/// The vendors' entries that travel with a trace, as text that has been checked; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct TraceState(Option<Arc<str>>); // Invariant: never Some("").

impl TraceState {
    /// No entries.
    pub const EMPTY: Self = Self(None);

    /// The header value; empty where there are no entries.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether there are no entries.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Debug for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
