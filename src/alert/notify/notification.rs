//! Alerts that are told together.

use crate::{
    alert::{Alert, AlertState},
    pipeline::Weigh,
};

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
