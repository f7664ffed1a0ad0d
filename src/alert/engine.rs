//! The evaluation of all rules at a tick, and what is to be told to whom.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{
    alert::{Stamp, Transition},
    board::Board,
    need::Need,
    notify::Notification,
    rule::{Rule, check_all},
    selector::Selector,
    window::Window,
};
use crate::{
    clock::Ticks,
    diagnostics,
    error::{Error, ErrorKind},
    label::LabelSet,
    metric::Snapshot,
    util::catch::catch,
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
    /// What the diagnostic hook is to be told, by kind.
    reports: Vec<(&'static str, String)>,
}

impl Tick {
    /// Tells the diagnostic hook: code of the user's, so that it is last to be told.
    pub(crate) fn report(&self) {
        for (kind, text) in &self.reports {
            diagnostics::report(kind, format_args!("{text}"));
        }
    }
}

/// All conditions, and the samples they look back on.
///
/// It belongs to whoever ticks, and is behind no lock: conditions are code of the user's, which may
/// ask for the alerts. How these stand is on the [`Board`].
#[derive(Debug)]
pub(crate) struct Engine {
    rules: Vec<Evaluated>, // In the order of the board's.
    window: Window,
    settings: Settings,
    axis: Option<Axis>,
    last_slot: Option<u64>,
    missed: u64,
    board: Arc<Board>,
}

/// Refuses rules that look back, where nothing is kept that they could look at.
///
/// # Errors
///
/// The name of the first such rule.
pub(crate) fn refuse_looking_back(rules: &[Rule]) -> Result<(), Error> {
    let looks_back = |rule: &&Rule| rule.condition.needs().iter().any(|need| !need.range.is_zero());
    match rules.iter().find(looks_back) {
        None => Ok(()),
        Some(Rule { name, .. }) => {
            let text = format!("alert rule {name:?} looks back, and no history is kept");
            Err(Error::new(ErrorKind::InvalidOption, text))
        }
    }
}

/// A rule and what its condition reads.
#[derive(Debug)]
struct Evaluated {
    rule: Rule,
    selectors: Vec<Selector>,
}

/// Nanoseconds that began as those of the wall clock and go on by the monotonic one: slots fall on
/// round seconds, and no step of the wall clock moves them.
#[derive(Clone, Copy, Debug)]
struct Axis {
    at: Ticks,
    nanos: u64,
}

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
        let board = Arc::new(Board::new(&rules));
        let needs: Vec<_> = rules.iter().map(|rule| rule.condition.needs()).collect();
        let rules = rules.into_iter().zip(&needs);
        let rules = rules.map(|(rule, needs)| Evaluated::new(rule, needs)).collect();
        let window = Window::new(needs.into_iter().flatten(), settings.window_bytes);
        Ok(Self { rules, window, settings, axis: None, last_slot: None, missed: 0, board })
    }

    /// How rules and alerts stand, for those who ask.
    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Evaluates all rules over the samples so far and those of `snapshot`.
    ///
    /// A second snapshot in one slot of the interval is not looked at.
    pub(crate) fn tick(&mut self, snapshot: &Snapshot) -> Tick {
        let mut tick = Tick::default();
        let Some(slot) = self.next_slot(snapshot.taken()) else { return tick };
        let ticks = snapshot.taken();
        let now = Stamp { slot, ticks, unix_nanos: ticks.unix_nanos() };
        self.take_samples(snapshot, slot, &mut tick);
        for (place, rule) in self.rules.iter().enumerate() {
            let found = rule.evaluate(&self.window, now.ticks);
            if let Some(error) = self.board.take(place, found, now, &mut tick.transitions) {
                tick.reports.push(("alert rule", format!("{:?}: {error}", rule.rule.name)));
            }
        }
        let Settings { interval, resend_delay, .. } = self.settings;
        let valid_for = 4 * interval.max(resend_delay);
        tick.notifications = self.board.notifications(now, resend_delay, valid_for);
        tick
    }

    /// Whether there is anything to evaluate.
    pub(crate) fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// A tick at `taken` without anything to evaluate.
    pub(crate) fn pass(&mut self, taken: Ticks) {
        if self.next_slot(taken).is_some() {
            self.board.note(self.missed, self.window.bytes());
        }
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

    fn take_samples(&mut self, snapshot: &Snapshot, slot: u64, tick: &mut Tick) {
        let before = self.window.refused();
        self.window.take(snapshot, slot);
        let refused = self.window.refused() - before;
        if refused > 0 {
            let budget = self.settings.window_bytes;
            let text = format!(
                "{refused} series do not fit the budget of {budget} bytes and are not watched"
            );
            tick.reports.push(("alert window", text));
        }
        self.board.note(self.missed, self.window.bytes());
        for (place, rule) in self.rules.iter().enumerate() {
            if self.board.note_shortened(place, rule.is_shortened(&self.window)) {
                let name = &rule.rule.name;
                let text =
                    format!("{name:?} looks back further than the budget of the window holds");
                tick.reports.push(("alert window", text));
            }
        }
    }
}

impl Evaluated {
    fn new(rule: Rule, needs: &[Need]) -> Self {
        let selectors: HashSet<Selector> = needs.iter().map(|need| need.selector.clone()).collect();
        Self { rule, selectors: selectors.into_iter().collect() }
    }

    fn evaluate(&self, window: &Window, now: Ticks) -> Result<Vec<(LabelSet, f64)>, String> {
        catch(|| self.rule.condition.evaluate(window, now))
            .map_err(|panic| format!("the condition panicked: {panic}"))
    }

    fn is_shortened(&self, window: &Window) -> bool {
        self.selectors.iter().any(|selector| window.is_shortened(selector))
    }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}
