//! Whether telemetry runs.

use std::fmt;

use crate::telemetry::running::Running;

/// Whether telemetry runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LifePhase {
    /// It runs.
    Running,
    /// It was switched off, by [`Builder::disabled`](crate::Builder::disabled) or `OTEL_SDK_DISABLED`.
    Disabled,
    /// It was shut down.
    ShutDown,
    /// It is that of the process which this one was forked from.
    Inherited,
}

impl LifePhase {
    pub(super) fn of(running: &Running) -> Self {
        match () {
            () if running.is_inherited() => Self::Inherited,
            () if running.tracer.is_none() => Self::Disabled,
            () if running.has_ended() => Self::ShutDown,
            () => Self::Running,
        }
    }
}

impl fmt::Display for LifePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Disabled => "disabled",
            Self::ShutDown => "shut down",
            Self::Inherited => "that of the parent of this process, and does nothing here",
        })
    }
}
