//! The status of the rules and their alerts: the evaluation writes it, any thread may read it.

use std::{collections::HashMap, mem, time::Duration};

use super::{
    alert::{Alert, AlertState, Stamp, Transition},
    notify::Notification,
    rule::Rule,
    state::RuleState,
};
use crate::{label::LabelSet, sync::Mutex};

/// The states of all rules, as of the last evaluation.
///
/// The evaluation has conditions and samples for itself, so a reader never waits for code of the user.
/// The lock is held only to move a rule's states, and to copy them.
#[derive(Debug)]
pub(crate) struct Board(Mutex<Standing>);

#[derive(Debug)]
struct Standing {
    rules: Vec<RuleStanding>,
    groups: Vec<Vec<usize>>, // The places of the rules of each name.
    missed: u64,
    history_bytes: usize,
}

#[derive(Debug)]
struct RuleStanding {
    state: RuleState,
    status: RuleStatus,
}

/// The status of a rule.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RuleStatus {
    /// The rule's name.
    pub name: String,
    /// Its condition, as text.
    pub condition: String,
    /// Why its last evaluation failed, if it did.
    pub error: Option<String>,
    /// Whether samples in its range were given up to keep the history within its budget. It is then
    /// evaluated over the samples that are left.
    pub shortened: bool,
}

/// An alert to be sent, and the index of its rule.
struct Notified {
    rule: usize,
    labels: LabelSet,
    alert: Alert,
}

/// The most alerts in one notification; Prometheus' `maxBatchSize`.
const MAX_BATCH: usize = 256;

impl Board {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (place, rule) in rules.iter().enumerate() {
            let group = *places.entry(&rule.name).or_insert(groups.len());
            match groups.get_mut(group) {
                Some(group) => group.push(place),
                None => groups.push(vec![place]),
            }
        }
        let rules = rules.iter().map(RuleStanding::new).collect();
        Self(Mutex::new(Standing { rules, groups, missed: 0, history_bytes: 0 }))
    }

    /// Every alert that is pending or firing, or was resolved within the last 15 minutes.
    pub(crate) fn alerts(&self) -> Vec<Alert> {
        self.0.lock().rules.iter().flat_map(|rule| rule.state.alerts()).collect()
    }

    /// The status of each rule.
    pub(crate) fn rules(&self) -> Vec<RuleStatus> {
        self.0.lock().rules.iter().map(|rule| rule.status.clone()).collect()
    }

    /// How many bytes the past of all series takes.
    pub(crate) fn history_bytes(&self) -> usize {
        self.0.lock().history_bytes
    }

    /// How many slots passed without a tick.
    pub(crate) fn missed_ticks(&self) -> u64 {
        self.0.lock().missed
    }

    /// Notes the figures that belong to no rule.
    pub(super) fn note(&self, missed: u64, history_bytes: usize) {
        let mut standing = self.0.lock();
        (standing.missed, standing.history_bytes) = (missed, history_bytes);
    }

    /// Notes whether the rule at this index lacks samples. Returns whether it began to.
    pub(super) fn note_shortened(&self, place: usize, shortened: bool) -> bool {
        let status = &mut self.0.lock().rules[place].status;
        let was = mem::replace(&mut status.shortened, shortened);
        shortened && !was
    }

    /// Moves the alerts of the rule at this index by the result of its condition. Returns the error,
    /// if there is one and the last evaluation had none.
    pub(super) fn take(
        &self,
        place: usize,
        found: Result<Vec<(LabelSet, f64)>, String>,
        now: Stamp,
        transitions: &mut Vec<Transition>,
    ) -> Option<String> {
        let RuleStanding { state, status } = &mut self.0.lock().rules[place];
        let evaluated = found.and_then(|samples| state.evaluate(samples, now, transitions));
        let was_sound = mem::replace(&mut status.error, evaluated.err()).is_none();
        status.error.clone().filter(|_| was_sound)
    }

    /// The notifications to send at `now`, which then count as sent. If one alert of a rule name is
    /// due, all alerts of that name are included.
    pub(super) fn notifications(
        &self,
        now: Stamp,
        resend_delay: Duration,
        valid_for: Duration,
    ) -> Vec<Notification> {
        let mut standing = self.0.lock();
        let Standing { rules, groups, .. } = &mut *standing;
        let valid_until = now.unix_nanos.saturating_add(valid_for.as_nanos() as u64);
        let notified =
            |group: &Vec<usize>| notifications_of(rules, group, now, resend_delay, valid_until);
        groups.iter().flat_map(notified).collect()
    }
}

/// The notifications for the rules at the indices `group`, which have the same name.
fn notifications_of(
    rules: &mut [RuleStanding],
    group: &[usize],
    now: Stamp,
    resend_delay: Duration,
    valid_until: u64,
) -> Vec<Notification> {
    let is_due =
        |&place: &usize| rules[place].notified(now, resend_delay).any(|(_, is_due)| is_due);
    if !group.iter().any(is_due) {
        return Vec::new();
    }
    let (mut due, mut others) = (Vec::new(), Vec::new());
    for &place in group {
        for (labels, is_due) in rules[place].notified(now, resend_delay) {
            let Some(mut alert) = rules[place].state.find(labels) else { continue };
            alert.valid_until = Some(valid_until);
            let notified = Notified { rule: place, labels: labels.clone(), alert };
            if is_due { due.push(notified) } else { others.push(notified) }
        }
    }
    let n_alerts = due.len() + others.len();
    let fires = |notified: &Notified| notified.alert.state == AlertState::Firing;
    let status = match due.iter().chain(&others).any(fires) {
        true => AlertState::Firing,
        false => AlertState::Resolved,
    };
    others.sort_by_key(|notified| !fires(notified)); // Where not all have room.
    let mut notifications = Vec::new();
    while !due.is_empty() {
        let mut part: Vec<Notified> = due.drain(..due.len().min(MAX_BATCH)).collect();
        let n_due = part.len();
        part.extend(others.drain(..others.len().min(MAX_BATCH - n_due)));
        part.iter()
            .for_each(|notified| rules[notified.rule].state.note_sent(&notified.labels, now));
        let alerts: Vec<Alert> = part.into_iter().map(|notified| notified.alert).collect();
        notifications.push(Notification::of_group(alerts, n_due, status, n_alerts));
    }
    notifications
}

impl RuleStanding {
    fn new(rule: &Rule) -> Self {
        let (name, condition) = (rule.name.clone(), rule.condition.describe());
        let status = RuleStatus { name, condition, error: None, shortened: false };
        Self { state: RuleState::new(rule), status }
    }

    fn notified(
        &self,
        now: Stamp,
        resend_delay: Duration,
    ) -> impl Iterator<Item = (&LabelSet, bool)> {
        self.state.notified(now, resend_delay, self.status.error.is_none())
    }
}
