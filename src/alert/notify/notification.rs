//! The group of alerts that is sent to a notifier.

use std::time::Duration;

use crate::{
    alert::{Alert, AlertState, External},
    pipeline::{Overflow, Settings, Signal},
};

/// The alerts of one name that fire or have fired lately: a group, sent as a whole.
///
/// One is made when an alert begins to fire or is resolved, and again after a minute while that is
/// so: a receiver that was away hears of it. It has every alert of its name, of all rules of that
/// name, that fires or was resolved within the last quarter of an hour. Beyond 256 of them there are
/// several, with all that is new among them, and not all of the rest.
#[derive(Clone, Debug)]
pub struct Notification {
    alerts: Vec<Alert>, // Those that are due first.
    n_due: usize,
    status: AlertState, // Of the group, `n_truncated` among it.
    n_truncated: usize,
}

impl Notification {
    /// A notification of `alerts`, which are of one name, as a group of their own.
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

    /// A notification of some of the `n_alerts` alerts of a group that stands as `status` says; the
    /// first `n_due` have news.
    pub(in crate::alert) fn of_group(
        alerts: Vec<Alert>,
        n_due: usize,
        status: AlertState,
        n_alerts: usize,
    ) -> Self {
        let n_truncated = n_alerts - alerts.len();
        Self { alerts, n_due, status, n_truncated }
    }

    /// Adds to each alert what it has when it is sent.
    pub(crate) fn add_external(&mut self, external: &External) {
        self.alerts.iter_mut().for_each(|alert| alert.add_external(external));
    }

    /// [`Firing`](AlertState::Firing) while any alert of the group is, else
    /// [`Resolved`](AlertState::Resolved).
    #[must_use]
    pub fn status(&self) -> AlertState {
        self.status
    }

    /// The alerts, those that are [due](Self::due) first.
    #[must_use]
    pub fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// The alerts because of which it is sent: that began to fire, were resolved, or are due
    /// to be sent again. What writes down each event and no groups needs only
    /// these.
    #[must_use]
    pub fn due(&self) -> &[Alert] {
        &self.alerts[..self.n_due]
    }

    /// How many alerts of the group it has no room for.
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

    /// A thousand notifications, each sent at once and by itself; the oldest goes first, for the newest
    /// say how things stand.
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
