//! The automaton of one rule whose samples are numbered; all times are whole seconds. Written from
//! these sentences alone:
//!
//! - A new alert is pending, and fires in the same evaluation if it has been active for `for`.
//! - When its sample is gone, a pending alert goes; a firing one stays for `keep_firing_for`, its
//!   value frozen, then is inactive for a quarter of an hour, then goes.
//! - An inactive alert whose sample is there again is a new one.
//! - More alerts than the limit: none begins, pending ones go, those that fire are inactive, and the
//!   rule is in error.
//! - Due is what is not pending, was never sent, was resolved since it was sent, or was sent longer
//!   than `resend_delay` ago; of a rule in error only what is inactive.
//! - If any is due, all that are not pending are sent.

use super::*;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Automaton {
    pub(super) for_: u64,
    pub(super) keep_firing_for: u64,
    pub(super) limit: usize,
    pub(super) resend_delay: u64,
    pub(super) active: BTreeMap<u8, Entry>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) state: &'static str, // "pending", "firing", "inactive"
    pub(super) value: f64,
    pub(super) active_at: u64,
    pub(super) fired_at: Option<u64>,
    pub(super) resolved_at: Option<u64>,
    pub(super) keep_firing_since: Option<u64>,
    pub(super) last_sent_at: Option<u64>,
}

impl Automaton {
    /// What is sent, by number, and whether the rule is in error.
    pub(super) fn evaluate(&mut self, ts: u64, samples: &BTreeMap<u8, f64>) -> (Vec<u8>, bool) {
        let mut after = self.clone();
        after.step(ts, samples, self.keep_firing_for);
        let busy = after.active.values().filter(|entry| entry.state != "inactive").count();
        let in_error = self.limit > 0 && busy > self.limit;
        match in_error {
            true => self.step(ts, &BTreeMap::new(), 0),
            false => *self = after,
        }
        let is_due = |entry: &Entry| match (entry.last_sent_at, entry.resolved_at) {
            _ if entry.state == "pending" || (in_error && entry.state == "firing") => false,
            (None, _) => true,
            (Some(last), Some(resolved)) if resolved > last => true,
            (Some(last), _) => last + self.resend_delay < ts,
        };
        let mut sent = Vec::new();
        if self.active.values().any(is_due) {
            for (&number, entry) in &mut self.active {
                if entry.state != "pending" {
                    entry.last_sent_at = Some(ts);
                    sent.push(number);
                }
            }
        }
        (sent, in_error)
    }

    fn step(&mut self, ts: u64, samples: &BTreeMap<u8, f64>, keep_firing_for: u64) {
        for (&number, &value) in samples {
            let is_new = match self.active.get(&number) {
                None => true,
                Some(entry) => entry.state == "inactive",
            };
            if is_new {
                let entry = Entry {
                    state: "pending",
                    value,
                    active_at: ts,
                    fired_at: None,
                    resolved_at: None,
                    keep_firing_since: None,
                    last_sent_at: None,
                };
                self.active.insert(number, entry);
            } else {
                self.active.get_mut(&number).unwrap().value = value;
            }
        }
        let numbers: Vec<u8> = self.active.keys().copied().collect();
        for number in numbers {
            let entry = self.active.get_mut(&number).unwrap();
            if samples.contains_key(&number) {
                entry.keep_firing_since = None;
                if entry.state == "pending" && ts - entry.active_at >= self.for_ {
                    entry.state = "firing";
                    entry.fired_at = Some(ts);
                }
            } else if entry.state == "pending" {
                self.active.remove(&number);
            } else if entry.state == "firing" {
                let mut stays = false;
                if keep_firing_for > 0 {
                    let since = *entry.keep_firing_since.get_or_insert(ts);
                    stays = ts - since < keep_firing_for;
                }
                if !stays {
                    entry.state = "inactive";
                    entry.resolved_at = Some(ts);
                }
            } else if ts - entry.resolved_at.unwrap() > 15 * 60 {
                self.active.remove(&number);
            }
        }
    }
}

/// A tick: how many seconds after the last, and which of four series are in trouble.
fn tick() -> impl Strategy<Value = (u64, Vec<Option<u8>>)> {
    let step = prop_oneof![8 => Just(1_u64), 2 => 2_u64..5, 1 => 400_u64..1000];
    (step, proptest::collection::vec(proptest::option::of(1_u8..9), 4))
}

fn state_of(alert: &Alert) -> &'static str {
    match alert.state() {
        AlertState::Pending => "pending",
        AlertState::Firing => "firing",
        _ => "inactive",
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_trace_goes_through_the_states_of_the_reference(
        for_ in 0_u64..6,
        keep_firing_for in 0_u64..5,
        limit in 0_usize..6,
        resend_delay in 1_u64..5,
        trace in proptest::collection::vec(tick(), 1..40),
    ) {
        let clock = ManualClock::new();
        let rule = Rule::new("R", trouble())
            .for_duration(for_ * SECOND_64)
            .keep_firing_for(keep_firing_for * SECOND_64)
            .limit(limit);
        let settings = Settings { resend_delay: resend_delay * SECOND_64, ..settings() };
        let mut engine = Standalone::new(vec![rule], settings).unwrap();
        let mut reference = Automaton {
            for_, keep_firing_for, limit, resend_delay, active: BTreeMap::new(),
        };
        let start = clock.now();
        let mut states: BTreeMap<LabelSet, AlertState> = BTreeMap::new();
        for (step, values) in trace {
            clock.advance(step * SECOND_64);
            let ts = clock.now().since(start).as_secs();
            let samples: BTreeMap<u8, f64> = (0..)
                .zip(values)
                .filter_map(|(number, value)| Some((number, f64::from(value?))))
                .collect();
            let names: Vec<String> = samples.keys().map(u8::to_string).collect();
            let pairs: Vec<_> =
                names.iter().map(String::as_str).zip(samples.values().copied()).collect();
            let tick = engine.tick(&gauges(&clock, &pairs));
            let (expected, in_error) = reference.evaluate(ts, &samples);

            prop_assert_eq!(engine.board().rules()[0].error.is_some(), in_error);
            let mut sent: Vec<u8> = tick.notifications.iter().flat_map(Notification::alerts)
                .map(|alert| alert.labels().get("s").unwrap().parse().unwrap())
                .collect();
            sent.sort_unstable(); // What is due is first.
            prop_assert_eq!(sent, expected);

            let alerts = engine.board().alerts();
            prop_assert_eq!(alerts.len(), reference.active.len());
            let seconds = |ticks: Ticks| ticks.since(start).as_secs();
            for (alert, (number, entry)) in alerts.iter().zip(&reference.active) {
                let name = number.to_string();
                prop_assert_eq!(alert.labels().get("s"), Some(name.as_str()));
                prop_assert_eq!(state_of(alert), entry.state);
                prop_assert_eq!(alert.value(), entry.value);
                prop_assert_eq!(seconds(alert.active_at()), entry.active_at);
                prop_assert_eq!(alert.fired_at().map(seconds), entry.fired_at);
                prop_assert_eq!(alert.resolved_at().map(seconds), entry.resolved_at);
            }

            // The transitions of a tick lead from the states before it to those after it.
            for Transition { from, to, alert } in tick.transitions {
                let before = states.insert(alert.labels().clone(), to);
                let before = before.filter(|&state| state != AlertState::Resolved);
                prop_assert_eq!(before.unwrap_or(AlertState::Inactive), from);
                prop_assert_ne!(from, to);
            }
            states.retain(|labels, state| {
                *state != AlertState::Inactive
                    && (*state != AlertState::Resolved
                        || alerts.iter().any(|alert| alert.labels() == labels))
            });
            let now: BTreeMap<_, _> =
                alerts.iter().map(|alert| (alert.labels().clone(), alert.state())).collect();
            prop_assert_eq!(&states, &now);
        }
    }
}

/// `u64 * Duration` does not exist.
const SECOND_64: Seconds = Seconds;
#[derive(Clone, Copy)]
struct Seconds;
impl std::ops::Mul<Seconds> for u64 {
    type Output = Duration;
    fn mul(self, _: Seconds) -> Duration {
        Duration::from_secs(self)
    }
}
