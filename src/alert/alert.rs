//! One alert, as users, callbacks and notifiers see it.

use std::{fmt, sync::Arc, time::Duration};

use super::external::External;
use crate::{
    clock::{self, Ticks, Timestamp},
    label::LabelSet,
};

/// One label set for which a rule's condition holds, or lately held; a copy, as of one tick.
#[derive(Clone, Debug)]
pub struct Alert {
    pub(super) rule: Arc<str>,
    pub(super) condition: Arc<str>,
    pub(super) labels: LabelSet,
    pub(super) annotations: Annotations,
    pub(super) state: AlertState,
    pub(super) value: f64,
    pub(super) active_at: Stamp,
    pub(super) fired_at: Option<Stamp>,
    pub(super) resolved_at: Option<Stamp>,
    pub(super) valid_until: Option<u64>, // Unix nanoseconds.
    pub(super) generator_url: Option<Arc<str>>,
}

/// Keys and texts, sorted by key.
pub(super) type Annotations = Arc<[(String, String)]>;

/// The state of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AlertState {
    /// The condition does not hold: the state before an alert begins, and after a pending one that did
    /// not fire.
    Inactive,
    /// The condition holds, but not yet for as long as the rule asks.
    Pending,
    /// The condition has held for long enough.
    Firing,
    /// It fired, and the condition does not hold any more; kept for 15 minutes.
    Resolved,
}

/// A change of an alert's state.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Transition {
    /// The previous state.
    pub from: AlertState,
    /// The new state.
    pub to: AlertState,
    /// The alert, in its new state.
    pub alert: Alert,
}

/// An instant, in three time scales.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    /// The slot of the tick, on an axis that does not jump: all decisions use it.
    pub(crate) slot: u64,
    /// When the samples were taken.
    pub(crate) ticks: Ticks,
    /// The date of `ticks`, taken at that moment: a date that was shown does not move with the wall
    /// clock.
    pub(crate) unix_nanos: u64,
}

impl Alert {
    /// Creates an alert that fires now and belongs to no rule, to try a notifier.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::alert::{Alert, AlertState};
    ///
    /// let alert = Alert::firing("Drill", &[("severity", "info")], &[("summary", "Only a test")]);
    /// assert_eq!(alert.state(), AlertState::Firing);
    /// assert_eq!(alert.labels().to_string(), r#"{alertname="Drill", severity="info"}"#);
    /// ```
    #[must_use]
    pub fn firing(rule: &str, labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Self {
        let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
        let mut annotations: Vec<_> = annotations.iter().map(owned).collect();
        annotations.sort();
        let now = Stamp::now();
        Self {
            rule: rule.into(),
            condition: "".into(),
            labels: LabelSet::new(labels.iter().map(owned)).with([("alertname", rule)]),
            annotations: annotations.into(),
            state: AlertState::Firing,
            value: 1.0,
            active_at: now,
            fired_at: Some(now),
            resolved_at: None,
            valid_until: None,
            generator_url: None,
        }
    }

    /// The same alert, resolved now, to try a notifier.
    #[must_use]
    pub fn resolved(mut self) -> Self {
        self.state = AlertState::Resolved;
        self.resolved_at = Some(Stamp::now());
        self
    }

    /// The name of its rule; also its label `alertname`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.rule
    }

    /// The condition of its rule, as text; empty for an alert of no rule.
    #[must_use]
    pub fn condition(&self) -> &str {
        &self.condition
    }

    /// The URL where a receiver finds more, as set by
    /// [`Builder::external_url`](crate::Builder::external_url); empty unless the alert is being sent.
    #[must_use]
    pub fn generator_url(&self) -> &str {
        self.generator_url.as_deref().unwrap_or_default()
    }

    /// Adds the external labels that it does not have, and the generator URL, to an alert that is
    /// sent.
    pub(super) fn add_external(&mut self, external: &External) {
        let of = |(key, value): &(String, String)| (key.clone(), value.clone());
        let is_new = |(key, _): &&(String, String)| self.labels.get(key).is_none();
        let new: Vec<_> = external.labels.iter().filter(is_new).map(of).collect();
        self.labels = self.labels.with(new);
        self.generator_url = Some(external.generator_url(&self.rule).into());
    }

    /// Its labels, which distinguish it from all other alerts.
    #[must_use]
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// Its annotations, sorted by key.
    pub fn annotations(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.annotations.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> AlertState {
        self.state
    }

    /// The value of the rule's expression when the condition last held.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The tick at which its condition began to hold.
    #[must_use]
    pub fn active_at(&self) -> Ticks {
        self.active_at.ticks
    }

    /// The tick at which it fired, if it did.
    #[must_use]
    pub fn fired_at(&self) -> Option<Ticks> {
        self.fired_at.map(|stamp| stamp.ticks)
    }

    /// The tick at which it was resolved, if it was.
    #[must_use]
    pub fn resolved_at(&self) -> Option<Ticks> {
        self.resolved_at.map(|stamp| stamp.ticks)
    }

    /// The date at which it fired; if it has not fired, the date at which it became pending.
    #[must_use]
    pub fn starts_at(&self) -> Timestamp {
        Timestamp::from_unix_nanos(self.fired_at.unwrap_or(self.active_at).unix_nanos)
    }

    /// The date at which it was resolved. For a firing alert that is sent: until when a receiver takes
    /// it for firing without further notifications.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        let resolved = self.resolved_at.map(|stamp| stamp.unix_nanos);
        resolved.or(self.valid_until).map(Timestamp::from_unix_nanos)
    }

    /// Alertmanager's fingerprint of the labels: FNV-1a over `key 0xFF value 0xFF`, sorted.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let texts = self.labels.iter().flat_map(|(key, value)| [key, value]);
        let bytes = texts.flat_map(|text| text.bytes().chain([0xff]));
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }

    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        let labels: usize = self.labels.iter().map(|(key, value)| key.len() + value.len()).sum();
        let texts: usize = self.annotations().map(|(key, value)| key.len() + value.len()).sum();
        size_of::<Self>() + labels + texts
    }
}

impl AlertState {
    /// The state in a word, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

impl fmt::Display for AlertState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Stamp {
    fn now() -> Self {
        let ticks = clock::now();
        let unix_nanos = ticks.unix_nanos();
        Self { slot: unix_nanos, ticks, unix_nanos }
    }

    /// The time from `earlier` to this slot.
    pub(super) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.slot.saturating_sub(earlier.slot))
    }
}
