//! The states of a rule's alerts: `Inactive → Pending → Firing → Resolved`.
//!
//! The state machine is that of Prometheus: `rules/alerting.go`, `AlertingRule.Eval`. It depends on
//! neither windows nor threads: its input is the condition's samples and an instant.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{
    alert::{Alert, AlertState, Annotations, Stamp, Transition},
    rule::Rule,
};
use crate::label::LabelSet;

/// How long a resolved alert is kept (`rules/alerting.go`, `resolvedRetention`), so that a receiver
/// that was down is still notified.
const RESOLVED_RETENTION: Duration = Duration::from_secs(15 * 60);

/// A rule's alerts.
#[derive(Debug)]
pub(super) struct RuleState {
    name: Arc<str>,
    condition: Arc<str>,
    for_duration: Duration,
    keep_firing_for: Duration,
    limit: usize,
    own_labels: LabelSet,
    annotations: Annotations,
    active: BTreeMap<LabelSet, Active>,
    // The labels of an alert by those of its series, as of the last evaluation. Joining them again at
    // every tick would cost more than everything else.
    joined: HashMap<LabelSet, LabelSet>,
}

/// One alert's state.
#[derive(Debug)]
struct Active {
    state: AlertState, // Never Inactive: such an alert is not kept.
    value: f64,
    active_at: Stamp,
    fired_at: Option<Stamp>,
    resolved_at: Option<Stamp>,
    keep_firing_since: Option<Stamp>,
    last_sent: Option<Stamp>,
}

impl RuleState {
    pub(super) fn new(rule: &Rule) -> Self {
        Self {
            name: rule.name.as_str().into(),
            condition: rule.condition.describe().into(),
            for_duration: rule.for_duration,
            keep_firing_for: rule.keep_firing_for,
            limit: rule.limit,
            own_labels: rule.own_labels(),
            annotations: rule.annotations.clone().into_iter().collect(),
            active: BTreeMap::new(),
            joined: HashMap::new(),
        }
    }

    /// Takes the samples of an evaluation at `now`, and adds the changes to `transitions`.
    ///
    /// # Errors
    ///
    /// If two samples have one label set after the rule's labels are applied, nothing changes. With
    /// more alerts than the limit none begins and all end: pending alerts become inactive, firing
    /// alerts are resolved.
    pub(super) fn evaluate(
        &mut self,
        samples: Vec<(LabelSet, f64)>,
        now: Stamp,
        transitions: &mut Vec<Transition>,
    ) -> Result<(), String> {
        let samples = self.label(samples)?;
        let present: HashSet<&LabelSet> = samples.iter().map(|(labels, _)| labels).collect();
        let n_active = samples.len() + self.n_kept(&present, now);
        if self.limit > 0 && n_active > self.limit {
            self.release_absent(&HashSet::new(), Duration::ZERO, now, transitions);
            return Err(format!("{n_active} alerts exceed the limit of {}", self.limit));
        }
        self.release_absent(&present, self.keep_firing_for, now, transitions);
        for (labels, value) in &samples {
            self.take_present(labels, *value, now, transitions);
        }
        Ok(())
    }

    /// The alerts, including resolved ones, sorted by labels.
    pub(super) fn alerts(&self) -> impl Iterator<Item = Alert> {
        self.active.iter().map(|(labels, active)| self.alert(labels, active))
    }

    /// The firing and resolved alerts, each with whether it is due to be sent at `now`
    /// (`Alert.needsSending`). While the rule is in error, only resolved ones are due.
    pub(super) fn notified(
        &self,
        now: Stamp,
        resend_delay: Duration,
        is_sound: bool,
    ) -> impl Iterator<Item = (&LabelSet, bool)> {
        let fires_or_has = |(_, active): &(_, &Active)| active.state != AlertState::Pending;
        self.active.iter().filter(fires_or_has).map(move |(labels, active)| {
            let may_send = is_sound || active.state == AlertState::Resolved;
            (labels, may_send && active.needs_sending(now, resend_delay))
        })
    }

    /// The alert with `labels`, if there is one.
    pub(super) fn find(&self, labels: &LabelSet) -> Option<Alert> {
        self.active.get(labels).map(|active| self.alert(labels, active))
    }

    /// Notes that the alert with `labels` is sent at `now`.
    pub(super) fn note_sent(&mut self, labels: &LabelSet, now: Stamp) {
        if let Some(active) = self.active.get_mut(labels) {
            active.last_sent = Some(now);
        }
    }

    /// Joins the rule's labels to those of the samples.
    fn label(&mut self, samples: Vec<(LabelSet, f64)>) -> Result<Vec<(LabelSet, f64)>, String> {
        let mut before = std::mem::take(&mut self.joined);
        let mut seen = HashSet::with_capacity(samples.len());
        let mut labelled = Vec::with_capacity(samples.len());
        for (source, value) in samples {
            let labels = match before.remove(&source) {
                Some(labels) => labels,
                None => source.with(self.own_labels.iter().map(|(k, v)| (k.to_owned(), v))),
            };
            if !seen.insert(labels.clone()) {
                return Err(format!(
                    "two samples have the labels {labels} once the rule's are set"
                ));
            }
            self.joined.insert(source, labels.clone());
            labelled.push((labels, value));
        }
        Ok(labelled)
    }

    /// How many alerts keep firing without a sample.
    fn n_kept(&self, present: &HashSet<&LabelSet>, now: Stamp) -> usize {
        let is_kept = |(labels, active): &(&LabelSet, &Active)| {
            active.state == AlertState::Firing
                && !present.contains(labels)
                && active.keeps_firing(now, self.keep_firing_for)
        };
        self.active.iter().filter(is_kept).count()
    }

    /// Moves the alerts that have no sample.
    fn release_absent(
        &mut self,
        present: &HashSet<&LabelSet>,
        keep_firing_for: Duration,
        now: Stamp,
        transitions: &mut Vec<Transition>,
    ) {
        let mut gone = Vec::new();
        for (labels, active) in &mut self.active {
            if present.contains(labels) {
                active.keep_firing_since = None;
                continue;
            }
            match active.state {
                AlertState::Pending => gone.push((labels.clone(), AlertState::Inactive)),
                AlertState::Firing if active.keeps_firing(now, keep_firing_for) => {
                    active.keep_firing_since.get_or_insert(now);
                }
                AlertState::Firing => {
                    active.resolved_at = Some(now);
                    gone.push((labels.clone(), AlertState::Resolved));
                }
                AlertState::Resolved | AlertState::Inactive => {
                    if active.is_forgotten(now) {
                        gone.push((labels.clone(), AlertState::Inactive));
                    }
                }
            }
        }
        for (labels, to) in gone {
            self.leave(&labels, to, transitions);
        }
    }

    /// Moves an alert to `Resolved`, or forgets it.
    fn leave(&mut self, labels: &LabelSet, to: AlertState, transitions: &mut Vec<Transition>) {
        let Some(active) = self.active.get_mut(labels) else { return };
        let from = std::mem::replace(&mut active.state, to);
        // When a resolved alert is forgotten, that is no transition.
        if from != AlertState::Resolved {
            let alert = self.alert(labels, &self.active[labels]);
            transitions.push(Transition { from, to, alert });
        }
        if to == AlertState::Inactive {
            self.active.remove(labels);
        }
    }

    fn take_present(
        &mut self,
        labels: &LabelSet,
        value: f64,
        now: Stamp,
        transitions: &mut Vec<Transition>,
    ) {
        let known = self.active.get_mut(labels);
        let (from, active) = match known {
            Some(active) if active.state != AlertState::Resolved => {
                active.value = value;
                (active.state, active)
            }
            // An alert that reappears after it was resolved is a new one.
            _ => {
                self.active.insert(labels.clone(), Active::new(value, now));
                let Some(active) = self.active.get_mut(labels) else { return };
                (AlertState::Inactive, active)
            }
        };
        if active.state == AlertState::Pending && now.since(active.active_at) >= self.for_duration {
            active.state = AlertState::Firing;
            active.fired_at = Some(now);
        }
        let to = active.state;
        if from != to {
            let alert = self.alert(labels, &self.active[labels]);
            transitions.push(Transition { from, to, alert });
        }
    }

    fn alert(&self, labels: &LabelSet, active: &Active) -> Alert {
        Alert {
            rule: Arc::clone(&self.name),
            condition: Arc::clone(&self.condition),
            labels: labels.clone(),
            annotations: Arc::clone(&self.annotations),
            state: active.state,
            value: active.value,
            active_at: active.active_at,
            fired_at: active.fired_at,
            resolved_at: active.resolved_at,
            valid_until: None,
            generator_url: None,
        }
    }
}

impl Active {
    fn new(value: f64, now: Stamp) -> Self {
        Self {
            state: AlertState::Pending,
            value,
            active_at: now,
            fired_at: None,
            resolved_at: None,
            keep_firing_since: None,
            last_sent: None,
        }
    }

    /// Whether a firing alert without a sample keeps firing.
    fn keeps_firing(&self, now: Stamp, keep_firing_for: Duration) -> bool {
        now.since(self.keep_firing_since.unwrap_or(now)) < keep_firing_for
    }

    fn is_forgotten(&self, now: Stamp) -> bool {
        self.resolved_at.is_some_and(|resolved_at| now.since(resolved_at) > RESOLVED_RETENTION)
    }

    fn needs_sending(&self, now: Stamp, resend_delay: Duration) -> bool {
        if self.state == AlertState::Pending {
            return false;
        }
        let Some(last_sent) = self.last_sent else { return true };
        let resolved_since = self.resolved_at.is_some_and(|at| at.slot > last_sent.slot);
        resolved_since || now.since(last_sent) > resend_delay
    }
}
