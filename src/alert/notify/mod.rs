//! Telling of alerts: what is told, and the notifiers that tell it.
//!
//! A notifier is an [`Exporter`](crate::pipeline::Exporter) of [`Notification`]s: it sends, and the
//! pipeline queues, tries again and counts. Each has a queue and a thread of its own, so that one that
//! is stuck holds back no other.

#[cfg(feature = "webhook")]
mod webhook;
mod writer;

#[cfg(feature = "webhook")]
pub use webhook::Webhook;
pub use writer::{Writer, stderr};

use super::alert::{Alert, AlertState};
use crate::pipeline::Weigh;

/// Alerts of one rule that are told together.
///
/// One is made when an alert begins to fire or is resolved, and again after a minute while that is
/// so: a receiver that was away hears of it.
#[derive(Clone, Debug)]
pub struct Notification {
    alerts: Vec<Alert>, // Invariant: not empty, of one rule.
}

impl Notification {
    /// A notification of `alerts`, which are of one rule.
    #[must_use]
    pub fn new(alerts: Vec<Alert>) -> Self {
        Self { alerts }
    }

    /// [`Firing`](AlertState::Firing) if any of the alerts is, else
    /// [`Resolved`](AlertState::Resolved).
    #[must_use]
    pub fn status(&self) -> AlertState {
        let any = self.alerts.iter().any(|alert| alert.state() == AlertState::Firing);
        if any { AlertState::Firing } else { AlertState::Resolved }
    }

    /// The alerts.
    #[must_use]
    pub fn alerts(&self) -> &[Alert] {
        &self.alerts
    }
}

impl Weigh for Notification {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.alerts.iter().map(Alert::weight).sum::<usize>()
    }
}
