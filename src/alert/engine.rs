//! The evaluation of all rules at a tick, and what is to be told to whom.

use std::{
    any::Any,
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use super::{
    alert::{Alert, Stamp, Transition},
    notify::Notification,
    rule::{Rule, check_all},
    selector::Selector,
    state::RuleState,
    window::Window,
};
use crate::{
    clock::Ticks,
    diagnostics,
    error::{Error, ErrorKind},
    metric::Snapshot,
};

/// How rules are evaluated, and how often alerts are sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// The time between two ticks.
    pub(crate) interval: Duration,
    /// The time after which an alert that still fires is sent again.
    pub(crate) resend_delay: Duration,
    /// The bytes that the window's samples may take.
    pub(crate) window_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            resend_delay: Duration::from_secs(60),
            window_bytes: 16 << 20,
        }
    }
}

/// What came of a tick.
#[derive(Debug, Default)]
pub(crate) struct Tick {
    /// The changes of state, in the order of the rules.
    pub(crate) transitions: Vec<Transition>,
    /// What notifiers are to be told.
    pub(crate) notifications: Vec<Notification>,
}

/// How a rule fares.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RuleStatus {
    /// The rule's name.
    pub name: String,
    /// Its condition, as text.
    pub condition: String,
    /// Why its last evaluation failed, if it did.
    pub error: Option<String>,
    /// Whether samples that its range needs were given up to keep the window within its budget; it
    /// is then evaluated over those that are left.
    pub shortened: bool,
}

/// All rules, the samples they look back on, and their alerts.
#[derive(Debug)]
pub(crate) struct Engine {
    rules: Vec<Evaluated>,
    window: Window,
    settings: Settings,
    axis: Option<Axis>,
    last_slot: Option<u64>,
    missed: u64,
}

/// A rule and its state.
#[derive(Debug)]
struct Evaluated {
    rule: Rule,
    selectors: Vec<Selector>,
    state: RuleState,
    error: Option<String>,
    shortened: bool,
}

/// Nanoseconds that began as those of the wall clock and go on by the monotonic one: slots fall on
/// round seconds, and no step of the wall clock moves them.
#[derive(Clone, Copy, Debug)]
struct Axis {
    at: Ticks,
    nanos: u64,
}

/// How many alerts one notification has at most; Prometheus' `maxBatchSize`.
const MAX_BATCH: usize = 256;

impl Engine {
    /// # Errors
    ///
    /// A rule that cannot be evaluated, two rules that make the same alerts, an interval of zero.
    pub(crate) fn new(rules: Vec<Rule>, settings: Settings) -> Result<Self, Error> {
        if settings.interval.is_zero() {
            let message = "the evaluation interval of alert rules is zero";
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        check_all(&rules)?;
        let needs = rules.iter().flat_map(|rule| rule.condition.needs());
        let window = Window::new(needs, settings.window_bytes);
        let rules = rules.into_iter().map(Evaluated::new).collect();
        Ok(Self { rules, window, settings, axis: None, last_slot: None, missed: 0 })
    }

    /// Evaluates all rules over the samples so far and those of `snapshot`.
    ///
    /// A second snapshot in one slot of the interval is not looked at.
    pub(crate) fn tick(&mut self, snapshot: &Snapshot) -> Tick {
        let mut tick = Tick::default();
        let Some(slot) = self.next_slot(snapshot.taken()) else { return tick };
        let ticks = snapshot.taken();
        let now = Stamp { slot, ticks, unix_nanos: ticks.unix_nanos() };
        self.take_samples(snapshot, slot);
        for rule in &mut self.rules {
            let evaluated = rule.evaluate(&self.window, now, &mut tick.transitions);
            let is_sound = evaluated.is_ok();
            rule.note(evaluated.err());
            // The reference sends nothing of a rule in error.
            if is_sound {
                rule.send(now, &self.settings, &mut tick.notifications);
            }
        }
        tick
    }

    /// Every alert that is pending or firing, or was resolved within the last quarter of an hour.
    pub(crate) fn alerts(&self) -> Vec<Alert> {
        self.rules.iter().flat_map(|rule| rule.state.alerts()).collect()
    }

    /// How each rule fares.
    pub(crate) fn rules(&self) -> Vec<RuleStatus> {
        let status = |evaluated: &Evaluated| RuleStatus {
            name: evaluated.rule.name.clone(),
            condition: evaluated.rule.condition.describe(),
            error: evaluated.error.clone(),
            shortened: evaluated.shortened,
        };
        self.rules.iter().map(status).collect()
    }

    /// How many bytes the window takes.
    pub(crate) fn window_bytes(&self) -> usize {
        self.window.bytes()
    }

    /// How many slots passed without a tick.
    pub(crate) fn missed_ticks(&self) -> u64 {
        self.missed
    }

    /// How long after `now` the next slot begins: when to tick again.
    pub(crate) fn until_next_slot(&self, now: Ticks) -> Duration {
        let interval = nanos(self.settings.interval);
        let position = match self.axis {
            Some(axis) => axis.nanos + now.nanos_since(axis.at),
            None => now.unix_nanos(),
        };
        Duration::from_nanos(interval - position % interval)
    }

    /// The slot of a tick at `taken`, if it is a new one: `floor(now / interval) * interval`, as
    /// Prometheus' `rules/group.go` has it.
    fn next_slot(&mut self, taken: Ticks) -> Option<u64> {
        // Step by step, so that a refined rate of the clock does not reach back.
        let axis = match self.axis {
            Some(axis) => Axis { at: taken, nanos: axis.nanos + taken.nanos_since(axis.at) },
            None => Axis { at: taken, nanos: taken.unix_nanos() },
        };
        self.axis = Some(axis);
        let interval = nanos(self.settings.interval);
        let slot = axis.nanos / interval * interval;
        if let Some(last) = self.last_slot {
            if slot <= last {
                return None;
            }
            self.missed += (slot - last) / interval - 1;
        }
        self.last_slot = Some(slot);
        Some(slot)
    }

    fn take_samples(&mut self, snapshot: &Snapshot, slot: u64) {
        let refused = self.window.refused();
        self.window.take(snapshot, slot);
        if self.window.refused() > refused {
            diagnostics::report(
                "alert window",
                format_args!(
                    "{} series do not fit the budget of {} bytes and are not watched",
                    self.window.refused() - refused,
                    self.settings.window_bytes,
                ),
            );
        }
        for rule in &mut self.rules {
            rule.note_shortened(&self.window);
        }
    }
}

impl Evaluated {
    fn new(rule: Rule) -> Self {
        let selectors: HashSet<Selector> =
            rule.condition.needs().into_iter().map(|need| need.selector).collect();
        Self {
            state: RuleState::new(&rule),
            selectors: selectors.into_iter().collect(),
            rule,
            error: None,
            shortened: false,
        }
    }

    fn evaluate(
        &mut self,
        window: &Window,
        now: Stamp,
        transitions: &mut Vec<Transition>,
    ) -> Result<(), String> {
        let condition = &self.rule.condition;
        let samples = catch_unwind(AssertUnwindSafe(|| condition.evaluate(window, now.ticks)))
            .map_err(|panic| format!("the condition panicked: {}", text_of(&*panic)))?;
        self.state.evaluate(samples, now, transitions)
    }

    fn send(&mut self, now: Stamp, settings: &Settings, notifications: &mut Vec<Notification>) {
        let valid_for = 4 * settings.interval.max(settings.resend_delay);
        let mut due = self.state.due(now, settings.resend_delay, valid_for);
        while !due.is_empty() {
            let rest = due.split_off(due.len().min(MAX_BATCH));
            notifications.push(Notification::new(std::mem::replace(&mut due, rest)));
        }
    }

    /// Remembers the outcome of an evaluation; tells of an error when it is new.
    fn note(&mut self, error: Option<String>) {
        if let Some(message) = &error
            && self.error != error
        {
            diagnostics::report("alert rule", format_args!("{:?}: {message}", self.rule.name));
        }
        self.error = error;
    }

    fn note_shortened(&mut self, window: &Window) {
        let shortened = self.selectors.iter().any(|selector| window.is_shortened(selector));
        if shortened && !self.shortened {
            diagnostics::report(
                "alert window",
                format_args!(
                    "{:?} looks back further than the budget of the window holds",
                    self.rule.name
                ),
            );
        }
        self.shortened = shortened;
    }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}

/// What a panic said.
fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
