//! The group of alerts that is sent to a notifier.

use std::time::Duration;

use crate::{
    alert::{Alert, AlertState, External},
    pipeline::{Overflow, Settings, Signal},
};

/// The alerts of one name that are firing or were resolved lately: a group, sent as a whole.
///
/// A notification is sent when an alert begins to fire or is resolved, and is repeated after a minute
/// while that is so: a receiver that was away then gets it. It has every alert of its name, of all
/// rules with that name, that is firing or was resolved within the last 15 minutes. A group of more
/// than 256 alerts takes several notifications: they have all the news, but not all other alerts.
#[derive(Clone, Debug)]
pub struct Notification {
    alerts: Vec<Alert>, // Those that are due come first.
    n_due: usize,
    status: AlertState, // Of the group, including the truncated alerts.
    n_truncated: usize,
}

impl Notification {
    /// A notification of `alerts`, which have one name and are the whole group.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::alert::{Alert, AlertState, Notification};
    ///
    /// let on = |shard| Alert::firing("DiskFull", &[("shard", shard)], &[]);
    /// let group = Notification::new(vec![on("a").resolved(), on("b")]);
    /// assert_eq!(group.status(), AlertState::Firing);
    /// let group = Notification::new(vec![on("a").resolved(), on("b").resolved()]);
    /// assert_eq!(group.status(), AlertState::Resolved);
    /// ```
    #[must_use]
    pub fn new(alerts: Vec<Alert>) -> Self {
        let any = alerts.iter().any(|alert| alert.state() == AlertState::Firing);
        let status = if any { AlertState::Firing } else { AlertState::Resolved };
        let n = alerts.len();
        Self::of_group(alerts, n, status, n)
    }

    /// A notification of some of the `n_alerts` alerts of a group with this `status`; the first `n_due`
    /// are due.
    pub(in crate::alert) fn of_group(
        alerts: Vec<Alert>,
        n_due: usize,
        status: AlertState,
        n_alerts: usize,
    ) -> Self {
        let n_truncated = n_alerts - alerts.len();
        Self { alerts, n_due, status, n_truncated }
    }

    /// Adds to each alert the labels and annotations that it has only when sent.
    pub(crate) fn add_external(&mut self, external: &External) {
        self.alerts.iter_mut().for_each(|alert| alert.add_external(external));
    }

    /// [`Firing`](AlertState::Firing) while any alert of the group is, else
    /// [`Resolved`](AlertState::Resolved).
    #[must_use]
    pub fn status(&self) -> AlertState {
        self.status
    }

    /// The alerts; those that are [due](Self::due) come first.
    #[must_use]
    pub fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// The alerts for which it is sent: they began to fire, were resolved, or are due to be repeated. A
    /// notifier that writes events and not groups needs only these.
    #[must_use]
    pub fn due(&self) -> &[Alert] {
        &self.alerts[..self.n_due]
    }

    /// How many alerts of the group it leaves out.
    #[must_use]
    pub fn n_truncated(&self) -> usize {
        self.n_truncated
    }
}

impl Signal for Notification {
    const NAME: &'static str = "notifications";
    type RouteOptions = ();

    fn weight(&self) -> usize {
        size_of::<Self>() + self.alerts.iter().map(Alert::weight).sum::<usize>()
    }

    /// A thousand notifications, each sent at once and alone. If the queue is full, the oldest is
    /// dropped, because the newest show the current state.
    fn settings() -> Settings {
        Settings {
            max_items: 1_000,
            batch_items: 1,
            batch_delay: Duration::ZERO,
            overflow: Overflow::DropOldest,
            ..Settings::default()
        }
    }
}
