//! Evaluates all rules at a tick, and collects what is sent and reported after it.

use std::{sync::Arc, time::Duration};

use super::{
    alert::{Stamp, Transition},
    board::Board,
    need::Need,
    notify::Notification,
    rule::{Rule, check_all},
    selector::Selector,
    window::SampleWindow,
};
use crate::{
    clock::{Slot, Ticks},
    diagnostics,
    error::{Error, ErrorKind},
    history::History,
    label::LabelSet,
    sync::Mutex,
    util::catch::catch,
};

/// How rules are evaluated, and how often alerts are sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// The time between two ticks.
    pub(crate) interval: Duration,
    /// The time after which an alert that still fires is sent again.
    pub(crate) resend_delay: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), resend_delay: Duration::from_secs(60) }
    }
}

/// The results of a tick.
#[derive(Debug, Default)]
pub(crate) struct Tick {
    /// The changes of state, in the order of the rules.
    pub(crate) transitions: Vec<Transition>,
    /// The notifications to send.
    pub(crate) notifications: Vec<Notification>,
    /// The reports for the diagnostic hook, by kind.
    reports: Vec<(&'static str, String)>,
}

impl Tick {
    /// Calls the diagnostic hook. Call this last: the hook is code of the user.
    pub(crate) fn report(&self) {
        for (kind, text) in &self.reports {
            diagnostics::report(kind, format_args!("{text}"));
        }
    }
}

/// All conditions, and the samples they read.
///
/// The thread that ticks owns it, without a lock, because conditions are code of the user that may
/// read the alerts. The status of rules and alerts is on the [`Board`].
#[derive(Debug)]
pub(crate) struct Engine {
    rules: Vec<Evaluated>, // In the order of the board's.
    window: SampleWindow,
    settings: Settings,
    board: Arc<Board>,
}

/// Refuses rules that look back when no history is kept.
///
/// # Errors
///
/// Names the first such rule.
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

const NO_ROOM: &str = "the series that rules select are more than the budget of the history holds";

/// A rule, and the series that its condition reads.
#[derive(Debug)]
struct Evaluated {
    rule: Rule,
    needs: Vec<(Selector, Duration)>,
}

impl Engine {
    /// An engine that evaluates `rules` over `history`, which has not ticked yet.
    ///
    /// # Errors
    ///
    /// A rule cannot be evaluated, two rules make the same alerts, or the interval is zero.
    pub(crate) fn new(
        rules: Vec<Rule>,
        settings: Settings,
        history: Arc<Mutex<History>>,
    ) -> Result<Self, Error> {
        if settings.interval.is_zero() {
            let message = "the evaluation interval of alert rules is zero";
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        check_all(&rules)?;
        let board = Arc::new(Board::new(&rules));
        let needs: Vec<_> = rules.iter().map(|rule| rule.condition.needs()).collect();
        let rules = rules.into_iter().zip(&needs);
        let rules = rules.map(|(rule, needs)| Evaluated::new(rule, needs)).collect();
        let window = SampleWindow::new(needs.into_iter().flatten(), history);
        Ok(Self { rules, window, settings, board })
    }

    /// The status of rules and alerts, for readers.
    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Evaluates all rules over the history, whose newest tick was in `slot`. If the series that rules
    /// select exceed the budget, the history has no tick and all rules are in error.
    pub(crate) fn tick(&mut self, slot: Slot) -> Tick {
        let mut tick = Tick::default();
        self.board.note(slot.missed, self.window.bytes());
        if self.rules.is_empty() {
            return tick;
        }
        let newest = self.window.newest();
        let ticks = newest.unwrap_or(slot.at);
        let now = Stamp { slot: slot.nanos, ticks, unix_nanos: ticks.unix_nanos() };
        self.note_shortened(&mut tick);
        for (place, rule) in self.rules.iter().enumerate() {
            let found = match newest {
                Some(now) => rule.evaluate(&self.window, now),
                None => Err(NO_ROOM.to_owned()),
            };
            if let Some(error) = self.board.take(place, found, now, &mut tick.transitions) {
                tick.reports.push(("alert rule", format!("{:?}: {error}", rule.rule.name)));
            }
        }
        let Settings { interval, resend_delay } = self.settings;
        let valid_for = 4 * interval.max(resend_delay);
        tick.notifications = self.board.notifications(now, resend_delay, valid_for);
        tick
    }

    fn note_shortened(&self, tick: &mut Tick) {
        for (place, rule) in self.rules.iter().enumerate() {
            if self.board.note_shortened(place, rule.is_shortened(&self.window)) {
                let name = &rule.rule.name;
                let text =
                    format!("{name:?} looks back further than the budget of the history holds");
                tick.reports.push(("alert rule", text));
            }
        }
    }
}

impl Evaluated {
    fn new(rule: Rule, needs: &[Need]) -> Self {
        let needs = needs.iter().map(|need| (need.selector.clone(), need.range)).collect();
        Self { rule, needs }
    }

    fn evaluate(&self, window: &SampleWindow, now: Ticks) -> Result<Vec<(LabelSet, f64)>, String> {
        catch(|| self.rule.condition.evaluate(window, now))
            .map_err(|panic| format!("the condition panicked: {panic}"))
    }

    fn is_shortened(&self, window: &SampleWindow) -> bool {
        self.needs.iter().any(|(selector, range)| window.is_shortened(selector, *range))
    }
}
