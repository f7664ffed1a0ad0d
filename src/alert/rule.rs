//! A rule: a named condition, with the labels and annotations of its alerts.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::condition::Condition;
use crate::{
    error::{Error, ErrorKind},
    label::LabelSet,
    snapshot::key_fault,
};

/// An alert rule: a [`Condition`], how long it must hold, and the labels and annotations of its
/// alerts.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::alert::{Rule, Severity, series};
///
/// let rule = Rule::new("QueueFull", series("queue.length").last().at_least(1000.0))
///     .for_duration(Duration::from_secs(30))
///     .keep_firing_for(Duration::from_secs(60))
///     .severity(Severity::Warning)
///     .label("team", "shop")
///     .annotation("summary", "The order queue stands at its limit");
/// assert_eq!(rule.name(), "QueueFull");
/// # use bellwether::{Gauge, alert::AlertState::{Firing, Pending, Resolved}, testing};
/// # static LENGTH: Gauge = Gauge::new("queue.length", "");
/// # let scope = testing::scope();
/// # let mut alerts = scope.alerts(vec![rule])?;
/// # let mut seconds = |n: u32, length: f64| {
/// #     LENGTH.set(length);
/// #     for _ in 0..n {
/// #         scope.advance(Duration::from_secs(1));
/// #         alerts.tick();
/// #     }
/// #     alerts.alerts().iter().map(|alert| alert.state()).collect::<Vec<_>>()
/// # };
/// # assert_eq!(seconds(60, 999.0), [], "nearly full");
/// # assert_eq!(seconds(20, 1000.0), [Pending], "full, for a moment");
/// # assert_eq!(seconds(20, 999.0), []);
/// # assert_eq!(seconds(31, 1000.0), [Firing]);
/// # assert_eq!(seconds(40, 10.0), [Firing], "kept");
/// # assert_eq!(seconds(60, 10.0), [Resolved]);
/// # Ok::<(), bellwether::Error>(())
/// ```
pub struct Rule {
    pub(super) name: String,
    pub(super) condition: Box<dyn Condition>,
    pub(super) for_duration: Duration,
    pub(super) keep_firing_for: Duration,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) limit: usize, // 0 is none.
}

/// How bad an alert is, in the words of PagerDuty and of public rule collections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// For the record.
    Info,
    /// Look at it in working hours.
    Warning,
    /// Something is broken.
    Error,
    /// Wake somebody.
    Critical,
}

impl Rule {
    /// Creates a rule that fires as soon as `condition` holds.
    ///
    /// `name` becomes the label `alertname` of its alerts.
    pub fn new(name: impl Into<String>, condition: impl Condition + 'static) -> Self {
        Self {
            name: name.into(),
            condition: Box::new(condition),
            for_duration: Duration::ZERO,
            keep_firing_for: Duration::ZERO,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            limit: 0,
        }
    }

    /// Sets how long the condition must hold before an alert fires; until then it is pending. Rule
    /// files call this `for`, which is a keyword in Rust.
    #[must_use]
    pub fn for_duration(mut self, duration: Duration) -> Self {
        self.for_duration = duration;
        self
    }

    /// Sets how long a firing alert keeps firing after its condition ceased to hold, with its last
    /// value. So a series near the bound does not resolve and fire in turn.
    #[must_use]
    pub fn keep_firing_for(mut self, duration: Duration) -> Self {
        self.keep_firing_for = duration;
        self
    }

    /// Sets the label `severity`.
    #[must_use]
    pub fn severity(self, severity: Severity) -> Self {
        self.label("severity", severity.as_str())
    }

    /// Sets a label of every alert of the rule. It wins over a label of the series with the same key;
    /// if a key is set twice, the last value counts.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// Sets an annotation of every alert of the rule: text for people. Alerts are not distinguished by
    /// annotations.
    #[must_use]
    pub fn annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// Limits how many pending and firing alerts the rule may have, including those that [keep
    /// firing](Self::keep_firing_for) without their condition. Without a limit, or with 0, any number.
    ///
    /// Beyond the limit the rule is in error and has no alerts, because a flood of alerts says
    /// nothing. No alert begins during that time, and existing ones end: a firing alert is resolved,
    /// and is sent as resolved. Label sets for which the condition still holds afterwards are new
    /// alerts.
    #[must_use]
    pub fn limit(mut self, n: usize) -> Self {
        self.limit = n;
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The labels that its alerts have besides those of the series, `alertname` included.
    pub(super) fn own_labels(&self) -> LabelSet {
        LabelSet::new(self.labels.clone()).with([("alertname", &self.name)])
    }

    /// Checks that the rule can be evaluated.
    pub(super) fn check(&self) -> Result<(), Error> {
        let invalid = |what: String| {
            Err(Error::new(ErrorKind::InvalidOption, format!("alert rule {:?}: {what}", self.name)))
        };
        if self.name.is_empty() {
            return invalid("the name is empty".to_owned());
        }
        for key in self.labels.keys() {
            if key == "alertname" {
                return invalid("the label alertname is the rule's name".to_owned());
            }
            if let Some(fault) = key_fault(key) {
                return invalid(format!("the label key {key:?} {fault}"));
            }
        }
        for key in self.annotations.keys() {
            if let Some(fault) = key_fault(key) {
                return invalid(format!("the annotation key {key:?} {fault}"));
            }
        }
        self.condition.check().or_else(invalid)
    }
}

/// Checks that each rule is sound, and that no two rules make the same alerts.
pub(super) fn check_all(rules: &[Rule]) -> Result<(), Error> {
    rules.iter().try_for_each(Rule::check)?;
    for (place, rule) in rules.iter().enumerate() {
        let same = |other: &&Rule| other.name == rule.name && other.labels == rule.labels;
        if rules[..place].iter().find(same).is_some() {
            let message = format!(
                "alert rule {:?} is there twice with the labels {}: give one another name or label",
                rule.name,
                LabelSet::new(rule.labels.clone())
            );
            return Err(Error::new(ErrorKind::Conflict, message));
        }
    }
    Ok(())
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("name", &self.name)
            .field("condition", &format_args!("{}", self.condition.describe()))
            .field("for", &self.for_duration)
            .field("keep_firing_for", &self.keep_firing_for)
            .field("labels", &self.labels)
            .field("annotations", &self.annotations)
            .field("limit", &self.limit)
            .finish()
    }
}

impl Severity {
    /// The value of the label `severity`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
