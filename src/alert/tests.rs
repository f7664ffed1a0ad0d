//! The engine against naive twins: an automaton written from the rules of Prometheus' state machine,
//! and loops over all samples.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    clock::{ManualClock, Ticks},
    error::ErrorKind,
    label::LabelSet,
    metric::{Family, HistogramSnapshot, Kind, PageBounds, Series, SeriesValue, Snapshot, Unit},
    sync::Mutex,
};

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> Settings {
    Settings::default()
}

fn labels(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::new(pairs.iter().map(|&(key, value)| (key.to_owned(), value)))
}

fn family(name: &'static str, kind: Kind, series: Vec<(LabelSet, SeriesValue)>) -> Family {
    let series = series
        .into_iter()
        .map(|(labels, value)| Series::new(labels, value, Ticks::ORIGIN))
        .collect();
    let page_bounds = PageBounds::default();
    Family { name: name.into(), kind, unit: Unit::NONE, help: "".into(), page_bounds, series }
}

fn snapshot(clock: &ManualClock, families: Vec<Family>) -> Snapshot {
    Snapshot::new(clock.now(), clock.now(), families)
}

fn gauges(clock: &ManualClock, values: &[(&str, f64)]) -> Snapshot {
    let series = values.iter().map(|&(s, value)| (labels(&[("s", s)]), SeriesValue::Gauge(value)));
    snapshot(clock, vec![family("g", Kind::Gauge, series.collect())])
}

/// `text` is one transition a line: `seconds state→state {labels} value`.
fn story(engine: &mut Engine, clock: &ManualClock, ticks: &[&[(&str, f64)]]) -> String {
    let mut text = String::new();
    for (second, values) in ticks.iter().enumerate() {
        for Transition { from, to, alert } in engine.tick(&gauges(clock, values)).transitions {
            let s = alert.labels().get("s").unwrap_or("-");
            text += &format!("{second} {from}→{to} {s} {}\n", alert.value());
        }
        clock.advance(SECOND);
    }
    text
}

fn trouble() -> Comparison {
    series("g").last().above(0.0)
}

mod rules {
    use super::*;

    fn error_of(rules: Vec<Rule>) -> (ErrorKind, String) {
        let error = Engine::new(rules, settings()).unwrap_err();
        (error.kind(), error.to_string())
    }

    #[test]
    fn what_cannot_be_evaluated_is_refused_with_the_rules_name() {
        let minute = 60 * SECOND;
        for (rule, what) in [
            (Rule::new("", trouble()), r#"alert rule "": the name is empty"#),
            (
                Rule::new("A", trouble()).label("9", "x"),
                r#"alert rule "A": the label key "9" must start with an ASCII letter or `_`"#,
            ),
            (
                Rule::new("A", trouble()).label("alertname", "x"),
                r#"alert rule "A": the label alertname is the rule's name"#,
            ),
            (
                Rule::new("A", trouble()).annotation("a b", "x"),
                r#"alert rule "A": the annotation key "a b" may hold only ASCII letters, digits, `_` and `.`"#,
            ),
            (
                Rule::new("A", series("9").last().above(0.0)),
                r#"alert rule "A": the selected name "9" must start with an ASCII letter"#,
            ),
            (
                Rule::new("A", series("a").label("", "x").last().above(0.0)),
                r#"alert rule "A": the label key "" must start with an ASCII letter or `_`"#,
            ),
            (
                Rule::new("A", series("a").rate(Duration::ZERO).above(0.0)),
                r#"alert rule "A": rate(a[0ns]) needs a range longer than zero"#,
            ),
            (
                Rule::new("A", series("a").quantile(1.5, minute).above(0.0)),
                r#"alert rule "A": the quantile 1.5 is not in [0, 1]"#,
            ),
            (
                Rule::new("A", series("a").quantile(f64::NAN, minute).above(0.0)),
                r#"alert rule "A": the quantile NaN is not in [0, 1]"#,
            ),
            (
                Rule::new("A", series("a").last().by(&["b c"]).above(0.0)),
                r#"alert rule "A": the label key "b c" may hold only ASCII letters, digits, `_` and `.`"#,
            ),
            (
                Rule::new("A", series("a").last().above(f64::NAN)),
                r#"alert rule "A": a comparison needs a number, and NaN is none"#,
            ),
        ] {
            assert_eq!(error_of(vec![rule]), (ErrorKind::InvalidOption, what.to_owned()));
        }
    }

    #[test]
    fn two_rules_that_make_the_same_alerts_are_refused() {
        let rule = || Rule::new("A", trouble()).severity(Severity::Error);
        let (kind, message) = error_of(vec![rule(), rule()]);
        assert_eq!(kind, ErrorKind::Conflict);
        assert_eq!(
            message,
            r#"alert rule "A" is there twice with the labels {severity="error"}: give one another name or label"#
        );
        let other = Rule::new("A", trouble()).severity(Severity::Warning);
        Engine::new(vec![rule(), other], settings()).unwrap();
    }

    #[test]
    fn a_condition_reads_as_an_expression() {
        let minute = 60 * SECOND;
        let failed = series("req").label_starts_with("code", "5").label_not("route", "/health");
        let all = series("req").label_one_of("method", ["GET", "PUT"]);
        let share = ratio(failed.rate(minute).by(&["route"]), all.rate(minute).sum()).above(0.05);
        assert_eq!(
            share.to_string(),
            r#"sum by (route) (rate(req{code=~"5.*", route!="/health"}[60s])) / sum(rate(req{method=~"GET|PUT"}[60s])) > 0.05"#
        );
        assert_eq!(absent(series("up").label("job", "x")).to_string(), r#"absent(up{job="x"})"#);
    }
}

mod states {
    use super::*;

    #[test]
    fn an_alert_fires_when_its_trouble_has_lasted_and_never_before() {
        let clock = ManualClock::new();
        let rule = Rule::new("A", trouble()).for_duration(2 * SECOND);
        let mut engine = Engine::new(vec![rule], settings()).unwrap();
        let bad: &[_] = &[("a", 1.0)];
        let told = story(&mut engine, &clock, &[bad, bad, bad, bad, &[], &[], bad]);
        assert_eq!(
            told,
            "0 inactive→pending a 1\n2 pending→firing a 1\n4 firing→resolved a 1\n\
             6 inactive→pending a 1\n"
        );
    }

    #[test]
    fn without_a_duration_pending_is_never_seen_and_each_series_is_an_alert() {
        let clock = ManualClock::new();
        let mut engine = Engine::new(vec![Rule::new("A", trouble())], settings()).unwrap();
        let told = story(
            &mut engine,
            &clock,
            &[&[("a", 1.0), ("b", 2.0)], &[("a", 0.0), ("b", 3.0)], &[("b", -1.0)]],
        );
        assert_eq!(
            told,
            "0 inactive→firing a 1\n0 inactive→firing b 2\n1 firing→resolved a 1\n\
             2 firing→resolved b 3\n"
        );
        assert_eq!(engine.alerts().len(), 2);
    }

    #[test]
    fn an_alert_on_the_edge_is_kept_with_the_value_it_had() {
        let clock = ManualClock::new();
        let rule = Rule::new("A", trouble()).keep_firing_for(2 * SECOND);
        let mut engine = Engine::new(vec![rule], settings()).unwrap();
        let (bad, good): (&[_], &[_]) = (&[("a", 7.0)], &[("a", 0.0)]);
        let told = story(&mut engine, &clock, &[bad, good, good, bad, good, good, good]);
        assert_eq!(told, "0 inactive→firing a 7\n6 firing→resolved a 7\n");
    }

    #[test]
    fn a_resolved_alert_is_remembered_for_a_quarter_of_an_hour() {
        let clock = ManualClock::new();
        let mut engine = Engine::new(vec![Rule::new("A", trouble())], settings()).unwrap();
        story(&mut engine, &clock, &[&[("a", 1.0)], &[]]);
        clock.advance(899 * SECOND); // 15 minutes after it was resolved: not yet "more than".
        engine.tick(&gauges(&clock, &[]));
        assert_eq!(engine.alerts()[0].state(), AlertState::Resolved);
        clock.advance(SECOND);
        engine.tick(&gauges(&clock, &[]));
        assert!(engine.alerts().is_empty());
    }

    #[test]
    fn labels_of_the_rule_win_and_two_alike_are_an_error_of_the_rule_alone() {
        let clock = ManualClock::new();
        let rules = vec![
            Rule::new("Same", trouble()).label("s", "one"),
            Rule::new("Other", trouble()).severity(Severity::Critical),
        ];
        let mut engine = Engine::new(rules, settings()).unwrap();
        story(&mut engine, &clock, &[&[("a", 1.0)]]);
        let told: Vec<_> = engine.alerts().iter().map(|alert| alert.labels().clone()).collect();
        assert_eq!(
            told,
            [
                labels(&[("alertname", "Same"), ("s", "one")]),
                labels(&[("alertname", "Other"), ("s", "a"), ("severity", "critical")]),
            ]
        );
        story(&mut engine, &clock, &[&[("a", 1.0), ("b", 1.0)]]);
        let status = engine.rules();
        assert_eq!(
            status[0].error.as_deref(),
            Some(
                r#"two samples have the labels {alertname="Same", s="one"} once the rule's are set"#
            )
        );
        assert_eq!(status[1].error, None);
        assert_eq!(engine.alerts().len(), 3);
    }

    #[test]
    fn a_flood_leaves_no_alert_and_an_error() {
        let clock = ManualClock::new();
        let rule = Rule::new("A", trouble()).limit(1);
        let mut engine = Engine::new(vec![rule], settings()).unwrap();
        let told =
            story(&mut engine, &clock, &[&[("a", 1.0)], &[("a", 1.0), ("b", 1.0)], &[("a", 1.0)]]);
        assert_eq!(
            told,
            "0 inactive→firing a 1\n1 inactive→firing b 1\n1 firing→inactive a 1\n\
             1 firing→inactive b 1\n2 inactive→firing a 1\n"
        );
        assert_eq!(engine.rules()[0].error, None);
    }

    #[test]
    fn a_condition_that_panics_costs_its_rule_one_tick() {
        struct Panics(Arc<Mutex<bool>>);
        impl Condition for Panics {
            fn evaluate(&self, _window: &Window, _now: Ticks) -> Vec<(LabelSet, f64)> {
                let panics = *self.0.lock();
                if panics {
                    panic!("out of order");
                }
                vec![(LabelSet::default(), 1.0)]
            }

            fn needs(&self) -> Vec<Need> {
                Vec::new()
            }
        }
        let switch = Arc::new(Mutex::new(false));
        let clock = ManualClock::new();
        let rules =
            vec![Rule::new("Panics", Panics(switch.clone())), Rule::new("Other", trouble())];
        let mut engine = Engine::new(rules, settings()).unwrap();
        story(&mut engine, &clock, &[&[]]);
        *switch.lock() = true;
        let told = story(&mut engine, &clock, &[&[("a", 1.0)]]);
        assert_eq!(told, "0 inactive→firing a 1\n");
        let error = engine.rules()[0].error.clone();
        assert_eq!(error.as_deref(), Some("the condition panicked: out of order"));
        assert_eq!(engine.alerts()[0].state(), AlertState::Firing, "kept as it was");
        *switch.lock() = false;
        story(&mut engine, &clock, &[&[]]);
        assert_eq!(engine.rules()[0].error, None);
    }

    #[test]
    fn missed_slots_are_counted_and_a_second_tick_in_a_slot_is_not_looked_at() {
        let clock = ManualClock::new();
        let mut engine = Engine::new(vec![Rule::new("A", trouble())], settings()).unwrap();
        assert_eq!(engine.until_next_slot(clock.now()), SECOND);
        engine.tick(&gauges(&clock, &[]));
        clock.advance(Duration::from_millis(900));
        assert_eq!(engine.until_next_slot(clock.now()), Duration::from_millis(100));
        assert!(engine.tick(&gauges(&clock, &[("a", 1.0)])).transitions.is_empty());
        clock.advance(Duration::from_millis(100));
        assert_eq!(engine.tick(&gauges(&clock, &[("a", 1.0)])).transitions.len(), 1);
        assert_eq!(engine.missed_ticks(), 0);
        clock.advance(4 * SECOND);
        engine.tick(&gauges(&clock, &[]));
        assert_eq!(engine.missed_ticks(), 3);
    }
}

mod sending {
    use super::*;

    fn sent(engine: &mut Engine, clock: &ManualClock, values: &[(&str, f64)]) -> Vec<Notification> {
        let tick = engine.tick(&gauges(clock, values));
        clock.advance(SECOND);
        tick.notifications
    }

    #[test]
    fn an_alert_is_sent_when_it_fires_after_each_delay_and_when_it_is_resolved() {
        let clock = ManualClock::new();
        let rule = Rule::new("A", trouble()).for_duration(SECOND);
        let settings = Settings { resend_delay: 3 * SECOND, ..settings() };
        let mut engine = Engine::new(vec![rule], settings).unwrap();
        let mut told = Vec::new();
        for second in 0..20 {
            let values: &[_] = if second < 10 { &[("a", 1.0)] } else { &[] };
            for notification in sent(&mut engine, &clock, values) {
                told.push((second, notification.status()));
            }
        }
        use AlertState::{Firing, Resolved};
        // Strictly later than the delay: every fourth second.
        assert_eq!(
            told,
            [(1, Firing), (5, Firing), (9, Firing), (10, Resolved), (14, Resolved), (18, Resolved)]
        );
    }

    #[test]
    fn a_receiver_should_believe_an_alert_for_four_delays() {
        let clock = ManualClock::new();
        let mut engine = Engine::new(vec![Rule::new("A", trouble())], settings()).unwrap();
        let start = clock.now().unix_nanos();
        let firing = sent(&mut engine, &clock, &[("a", 1.0)]);
        let alert = &firing[0].alerts()[0];
        assert_eq!(alert.starts_at_unix_nanos(), start);
        assert_eq!(alert.ends_at_unix_nanos(), Some(start + 240_000_000_000));
        let resolved = sent(&mut engine, &clock, &[]);
        let alert = &resolved[0].alerts()[0];
        assert_eq!(alert.starts_at_unix_nanos(), start);
        assert_eq!(alert.ends_at_unix_nanos(), Some(start + 1_000_000_000));
    }

    #[test]
    fn a_notification_has_at_most_256_alerts_of_one_rule() {
        let clock = ManualClock::new();
        let rules = vec![Rule::new("A", trouble()), Rule::new("B", trouble())];
        let mut engine = Engine::new(rules, settings()).unwrap();
        let names: Vec<String> = (0..300).map(|n| n.to_string()).collect();
        let values: Vec<_> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
        let sizes: Vec<_> = sent(&mut engine, &clock, &values)
            .iter()
            .map(|sent| (sent.alerts()[0].name().to_owned(), sent.alerts().len()))
            .collect();
        let expected = [("A", 256), ("A", 44), ("B", 256), ("B", 44)];
        assert_eq!(sizes, expected.map(|(name, n)| (name.to_owned(), n)));
    }

    #[test]
    fn a_fingerprint_is_alertmanagers() {
        let shard = |shard| {
            let all = [
                ("severity", "critical"),
                ("cluster", "c1"),
                ("instance", "127.0.0.1:18081"),
                ("job", "demo"),
                ("shard", shard),
            ];
            Alert::firing("DemoHigh", &all, &[]).fingerprint()
        };
        assert_eq!(shard("a"), 0xe18c_f1df_b568_84b0);
        assert_eq!(shard("b"), 0xe190_f1df_b56c_6d87);
    }
}

/// The automaton of one rule whose samples are numbered; all times are whole seconds. Written from
/// these sentences alone:
///
/// - A new alert is pending, and fires in the same evaluation if it has been active for `for`.
/// - When its sample is gone, a pending alert goes; a firing one stays for `keep_firing_for`, its
///   value frozen, then is inactive for a quarter of an hour, then goes.
/// - An inactive alert whose sample is there again is a new one.
/// - More alerts than the limit: all go, and the rule is in error.
/// - Sent is what is not pending, once resolved since it was last sent, or `resend_delay` after.
mod reference {
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
        /// What is sent, by number; or that the rule is in error.
        #[expect(clippy::too_many_lines, reason = "in one piece, to be read beside the sentences")]
        pub(super) fn evaluate(
            &mut self,
            ts: u64,
            samples: &BTreeMap<u8, f64>,
        ) -> Result<Vec<u8>, ()> {
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
                    if self.keep_firing_for > 0 {
                        let since = *entry.keep_firing_since.get_or_insert(ts);
                        stays = ts - since < self.keep_firing_for;
                    }
                    if !stays {
                        entry.state = "inactive";
                        entry.resolved_at = Some(ts);
                    }
                } else if ts - entry.resolved_at.unwrap() > 15 * 60 {
                    self.active.remove(&number);
                }
            }
            let busy = self.active.values().filter(|entry| entry.state != "inactive").count();
            if self.limit > 0 && busy > self.limit {
                self.active.clear();
                return Err(());
            }
            let mut sent = Vec::new();
            for (&number, entry) in &mut self.active {
                let due = match (entry.last_sent_at, entry.resolved_at) {
                    (None, _) => true,
                    (Some(last), Some(resolved)) if resolved > last => true,
                    (Some(last), _) => last + self.resend_delay < ts,
                };
                if entry.state != "pending" && due {
                    entry.last_sent_at = Some(ts);
                    sent.push(number);
                }
            }
            Ok(sent)
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
            let mut engine = Engine::new(vec![rule], settings).unwrap();
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
                let expected = reference.evaluate(ts, &samples);

                prop_assert_eq!(engine.rules()[0].error.is_some(), expected.is_err());
                let sent: Vec<u8> = tick.notifications.iter().flat_map(Notification::alerts)
                    .map(|alert| alert.labels().get("s").unwrap().parse().unwrap())
                    .collect();
                prop_assert_eq!(sent, expected.unwrap_or_default());

                let alerts = engine.alerts();
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
}

/// Expressions and the window against loops over every sample there ever was.
mod naive {
    use super::*;

    /// All ticks: nanoseconds since the start, and the value of each series that was there.
    type History = Vec<(u64, BTreeMap<u8, f64>)>;

    /// When, and what.
    type Sample = (u64, f64);

    /// The samples of `series` in (now - range, now], and the one at the tick before them.
    fn in_range(history: &History, series: u8, range: u64) -> (Option<Sample>, Vec<Sample>) {
        let now = history.last().unwrap().0;
        let inside = |tick: &&(u64, BTreeMap<u8, f64>)| now - tick.0 < range;
        let sample = |tick: &(u64, BTreeMap<u8, f64>)| Some((tick.0, *tick.1.get(&series)?));
        let before = history.iter().rev().find(|tick| !inside(tick)).and_then(sample);
        (before, history.iter().filter(inside).filter_map(sample).collect())
    }

    /// How much it grew, and in how many nanoseconds.
    fn increase(history: &History, series: u8, range: u64) -> Option<(f64, u64)> {
        let (before, inside) = in_range(history, series, range);
        let &newest = inside.last()?;
        let samples: Vec<(u64, f64)> = before.into_iter().chain(inside).collect();
        if samples.len() < 2 {
            return None;
        }
        let mut amount = newest.1 - samples[0].1;
        for pair in samples.windows(2) {
            if pair[1].1 < pair[0].1 {
                amount += pair[0].1;
            }
        }
        Some((amount, newest.0 - samples[0].0))
    }

    fn values_of(history: &History, series: u8, range: u64) -> Vec<f64> {
        in_range(history, series, range).1.into_iter().map(|(_, value)| value).collect()
    }

    fn naive(function: &str, history: &History, series: u8, range: u64) -> Option<f64> {
        let values = values_of(history, series, range);
        match function {
            "last" => history.last().unwrap().1.get(&series).copied(),
            "increase" => Some(increase(history, series, range)?.0),
            "rate" => {
                let (amount, nanos) = increase(history, series, range)?;
                Some(amount / Duration::from_nanos(nanos).as_secs_f64())
            }
            "avg" => (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64),
            "min" => values.into_iter().reduce(f64::min),
            "max" => values.into_iter().reduce(f64::max),
            "p50" | "p90" => {
                let q = if function == "p50" { 0.5 } else { 0.9 };
                let mut sorted = values;
                sorted.sort_by(f64::total_cmp);
                let rank = ((q * sorted.len() as f64).ceil() as usize).max(1);
                sorted.get(rank - 1).copied()
            }
            _ => unreachable!(),
        }
    }

    fn expression(function: &str, range: Duration) -> Expr {
        let all = series("x");
        match function {
            "last" => all.last(),
            "increase" => all.increase(range),
            "rate" => all.rate(range),
            "avg" => all.avg(range),
            "min" => all.min(range),
            "max" => all.max(range),
            "p50" => all.p50(range),
            "p90" => all.p90(range),
            _ => unreachable!(),
        }
    }

    const FUNCTIONS: [&str; 8] = ["last", "increase", "rate", "avg", "min", "max", "p50", "p90"];

    /// Says what it found at each tick.
    struct Spy<C>(C, Arc<Mutex<BTreeMap<u8, f64>>>);

    impl<C: Condition> Condition for Spy<C> {
        fn evaluate(&self, window: &Window, now: Ticks) -> Vec<(LabelSet, f64)> {
            let found = self.0.evaluate(window, now);
            let number = |labels: &LabelSet| labels.get("s").unwrap().parse().unwrap();
            *self.1.lock() = found.iter().map(|(labels, value)| (number(labels), *value)).collect();
            Vec::new()
        }

        fn needs(&self) -> Vec<Need> {
            self.0.needs()
        }
    }

    /// A tick: how long after the last, and the values of three series, where they are.
    fn tick() -> impl Strategy<Value = (u64, Vec<Option<u16>>)> {
        let step = prop_oneof![6 => Just(1000_u64), 1 => 1500_u64..9000];
        let value = prop_oneof![1 => Just(None), 5 => (0_u16..50).prop_map(Some)];
        (step, proptest::collection::vec(value, 3))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn every_function_matches_loops_over_all_samples(
            is_counter in any::<bool>(),
            ranges in proptest::collection::vec(1_u64..12, FUNCTIONS.len()),
            trace in proptest::collection::vec(tick(), 1..40),
        ) {
            let clock = ManualClock::new();
            let found: Vec<_> = FUNCTIONS.iter().map(|_| Arc::default()).collect();
            let rules = FUNCTIONS.iter().zip(&ranges).zip(&found);
            let rules = rules.map(|((&function, &range), found)| {
                let any = expression(function, Duration::from_secs(range)).at_least(-1e9);
                Rule::new(function, Spy(any, Arc::clone(found)))
            });
            let mut engine = Engine::new(rules.collect(), settings()).unwrap();
            // Slots are whole seconds of the wall clock; the manual clock begins on one.
            let start = clock.now();
            let mut history = History::new();
            for (step, values) in trace {
                clock.advance(Duration::from_millis(step));
                let now = clock.now().nanos_since(start);
                let slot = now / 1_000_000_000 * 1_000_000_000;
                if history.last().is_some_and(|last| last.0 / 1_000_000_000 == slot / 1_000_000_000) {
                    continue;
                }
                let values: BTreeMap<u8, f64> = (0..)
                    .zip(values)
                    .filter_map(|(series, value)| Some((series, f64::from(value?))))
                    .collect();
                let kind = if is_counter { Kind::Counter } else { Kind::Gauge };
                let value = |value: f64| match kind {
                    Kind::Counter => SeriesValue::Counter(value as u64),
                    _ => SeriesValue::Gauge(value),
                };
                let all = values
                    .iter()
                    .map(|(number, &v)| (labels(&[("s", &number.to_string())]), value(v)));
                let family = family("x", kind, all.collect());
                engine.tick(&snapshot(&clock, vec![family]));
                history.push((now, values));

                // Ranges are measured between slots, rates between the true instants.
                let slots: History = history
                    .iter()
                    .map(|(at, values)| (at / 1_000_000_000 * 1_000_000_000, values.clone()))
                    .collect();
                for ((&function, &range), found) in FUNCTIONS.iter().zip(&ranges).zip(&found) {
                    let found = found.lock().clone();
                    for series in 0..3 {
                        let range = range * 1_000_000_000;
                        let expected = if function == "rate" {
                            rate_of_true_times(&slots, &history, series, range)
                        } else {
                            naive(function, &slots, series, range)
                        };
                        prop_assert_eq!(
                            found.get(&series).copied(), expected,
                            "{} of {} over {}", function, series, range
                        );
                    }
                }
            }
        }
    }

    /// The ends are found by slots; the time is that between the true instants of the two.
    fn rate_of_true_times(slots: &History, times: &History, series: u8, range: u64) -> Option<f64> {
        let (amount, _) = increase(slots, series, range)?;
        let (before, inside) = in_range(slots, series, range);
        let first = before.or(inside.first().copied())?.0;
        let last = inside.last()?.0;
        let at = |slot| times[slots.iter().position(|tick| tick.0 == slot).unwrap()].0;
        Some(amount / Duration::from_nanos(at(last) - at(first)).as_secs_f64())
    }
}

mod conditions {
    use super::*;

    /// What each of `conditions` finds at the last of `ticks`, a second apart.
    fn found(
        conditions: Vec<Comparison>,
        clock: &ManualClock,
        ticks: Vec<Vec<Family>>,
    ) -> Vec<Vec<(String, f64)>> {
        let needs = conditions.iter().flat_map(Condition::needs);
        let mut window = Window::new(needs, 16 << 20);
        let mut slot = 0;
        for families in ticks {
            window.take(&snapshot(clock, families), slot);
            slot += 1_000_000_000;
            clock.advance(SECOND);
        }
        let found = |condition: &Comparison| {
            let found = condition.evaluate(&window, clock.now());
            found.into_iter().map(|(labels, value)| (labels.to_string(), value)).collect()
        };
        conditions.iter().map(found).collect()
    }

    fn distribution(values: &[f64]) -> SeriesValue {
        SeriesValue::Histogram(Arc::new(HistogramSnapshot::of(values)))
    }

    fn everything(expr: Expr) -> Comparison {
        expr.at_least(f64::NEG_INFINITY)
    }

    #[test]
    fn figures_of_histograms_are_of_what_they_recorded_in_the_range() {
        let clock = ManualClock::new();
        let (minute, h) = (60 * SECOND, || series("h"));
        let tick = |a: &[f64], b: &[f64]| {
            let route = |route, values| (labels(&[("route", route)]), distribution(values));
            vec![family("h", Kind::Histogram, vec![route("a", a), route("b", b)])]
        };
        let ticks = vec![tick(&[100.0], &[1.0]), tick(&[100.0, 1.0, 3.0, 3.0], &[1.0])];
        let all = vec![
            everything(h().last()),
            everything(h().increase(minute)),
            everything(h().rate(minute)),
            everything(h().avg(minute)),
            everything(h().p50(minute)),
            everything(h().max(minute)),
            everything(h().min(minute)),
        ];
        let found = found(all, &clock, ticks);
        let near = |found: &[(String, f64)], expected: &[(&str, f64)]| {
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for ((labels, value), (wanted, number)) in found.iter().zip(expected) {
                assert_eq!(labels, &format!("{{route={wanted:?}}}"));
                assert!((value / number - 1.0).abs() < 0.01 || value == number, "{value} {number}");
            }
        };
        near(&found[0], &[("a", 4.0), ("b", 1.0)]);
        near(&found[1], &[("a", 3.0), ("b", 0.0)]);
        near(&found[2], &[("a", 3.0), ("b", 0.0)]);
        near(&found[3], &[("a", 7.0 / 3.0)]); // b recorded nothing: no mean.
        near(&found[4], &[("a", 3.0)]);
        near(&found[5], &[("a", 3.0)]);
        near(&found[6], &[("a", 1.0)]);
    }

    #[test]
    fn quantiles_of_a_group_are_of_its_histograms_together() {
        let clock = ManualClock::new();
        let minute = 60 * SECOND;
        let tick = |n: usize| {
            let of = |route, code, value| {
                let labels = labels(&[("code", code), ("route", route)]);
                (labels, distribution(&vec![value; n]))
            };
            // 10 times 1 and 30 times 5: the median of both is 5, the sum of the medians 6.
            let all = vec![of("a", "200", 1.0), of("a", "500", 5.0), of("b", "200", 2.0)];
            vec![family("h", Kind::Histogram, all)]
        };
        let all = vec![
            everything(series("h").p50(minute).by(&["route"])),
            everything(series("h").max(minute).sum()),
            everything(series("h").increase(minute).by(&["route"]).sum()),
        ];
        let found = found(all, &clock, vec![tick(0), tick(10)]);
        assert_eq!(found[0].len(), 2);
        assert_eq!(found[0][0].0, r#"{route="a"}"#);
        assert!((found[0][0].1 - 1.0).abs() < 0.01, "the lower of two halves: {:?}", found[0]);
        assert!((found[1][0].1 / 5.0 - 1.0).abs() < 0.01, "{:?}", found[1]);
        assert_eq!(found[2], [("{}".to_owned(), 30.0)]);
    }

    #[test]
    fn a_ratio_joins_equal_labels_and_zero_by_zero_is_nothing() {
        let clock = ManualClock::new();
        let of = |name, values: &[(&str, f64)]| {
            let series = values.iter();
            let series = series.map(|&(s, v)| (labels(&[("s", s)]), SeriesValue::Gauge(v)));
            family(name, Kind::Gauge, series.collect())
        };
        let tick = vec![
            of("above", &[("a", 1.0), ("b", 0.0), ("c", 1.0), ("d", 1.0)]),
            of("under", &[("a", 4.0), ("b", 0.0), ("c", 0.0), ("e", 1.0)]),
        ];
        let share = ratio(series("above").last(), series("under").last());
        let sums = ratio(series("above").last().sum(), series("under").last().sum());
        let found = found(vec![everything(share), everything(sums)], &clock, vec![tick]);
        let expected = [(r#"{s="a"}"#.to_owned(), 0.25), (r#"{s="c"}"#.to_owned(), f64::INFINITY)];
        assert_eq!(found[0], expected);
        assert_eq!(found[1], [("{}".to_owned(), 3.0 / 5.0)]);
    }

    #[test]
    fn what_is_not_a_number_satisfies_only_not_equal() {
        let clock = ManualClock::new();
        let g = || series("g").last();
        let all = vec![
            g().above(0.0),
            g().at_least(0.0),
            g().below(0.0),
            g().at_most(0.0),
            g().equal_to(0.0),
            g().not_equal_to(0.0),
        ];
        let nan = vec![family("g", Kind::Gauge, vec![(labels(&[]), SeriesValue::Gauge(f64::NAN))])];
        let counts: Vec<_> = found(all, &clock, vec![nan]).iter().map(Vec::len).collect();
        assert_eq!(counts, [0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn selectors_match_as_they_say_and_no_label_is_an_empty_one() {
        let matches = |selector: Selector, pairs: &[(&str, &str)]| selector.matches(&labels(pairs));
        let s = || series("x");
        assert!(matches(s(), &[]));
        assert!(matches(s().label("k", "v"), &[("k", "v")]));
        assert!(!matches(s().label("k", "v"), &[("k", "w")]));
        assert!(matches(s().label("k", ""), &[]));
        assert!(matches(s().label_not("k", "v"), &[]));
        assert!(!matches(s().label_not("k", ""), &[]));
        assert!(matches(s().label_starts_with("k", "5"), &[("k", "503")]));
        assert!(!matches(s().label_starts_with("k", "5"), &[("k", "450")]));
        assert!(matches(s().label_one_of("k", ["a", "b"]), &[("k", "b")]));
        assert!(!matches(s().label_one_of("k", ["a", "b"]), &[("k", "")]));
    }

    #[test]
    fn absence_has_the_labels_that_were_wanted_once() {
        let clock = ManualClock::new();
        let wanted = series("g").label("s", "z").label("job", "x").label("job", "y");
        let rule = Rule::new("Gone", absent(wanted));
        let mut engine = Engine::new(vec![rule], settings()).unwrap();
        engine.tick(&gauges(&clock, &[("a", 1.0)]));
        let alerts = engine.alerts();
        assert_eq!(alerts[0].labels(), &labels(&[("alertname", "Gone"), ("s", "z")]));
        assert_eq!(alerts[0].value(), 1.0);

        let clock = ManualClock::new();
        let rule = Rule::new("Gone", absent(series("g").label("s", "z")));
        let mut engine = Engine::new(vec![rule], settings()).unwrap();
        let told = story(&mut engine, &clock, &[&[("z", 0.0)], &[], &[("z", 0.0)]]);
        assert_eq!(told, "1 inactive→firing z 1\n2 firing→resolved z 1\n");
    }
}

mod window {
    use super::*;

    fn many(clock: &ManualClock, n: usize) -> Snapshot {
        let series = (0..n).map(|n| (labels(&[("s", &n.to_string())]), SeriesValue::Gauge(0.0)));
        snapshot(clock, vec![family("g", Kind::Gauge, series.collect())])
    }

    fn window_of(range: Duration, budget_bytes: usize) -> Window {
        Window::new([Need::samples(series("g"), range)], budget_bytes)
    }

    #[test]
    fn memory_stays_within_the_budget_and_the_rules_it_concerns_are_told() {
        let clock = ManualClock::new();
        let hour = 3600 * SECOND;
        let rules = vec![
            Rule::new("Long", series("g").avg(hour).above(1.0)),
            Rule::new("Short", series("g").label("s", "0").last().above(1.0)),
            Rule::new("Other", series("other").avg(hour).above(1.0)),
        ];
        let budget = 256 << 10;
        let settings = Settings { window_bytes: budget, ..settings() };
        let mut engine = Engine::new(rules, settings).unwrap();
        for _ in 0..1000 {
            engine.tick(&many(&clock, 100));
            assert!(engine.window_bytes() <= budget, "{}", engine.window_bytes());
            clock.advance(SECOND);
        }
        assert!(engine.window_bytes() > budget / 2, "{}", engine.window_bytes());
        let shortened: Vec<_> = engine.rules().iter().map(|rule| rule.shortened).collect();
        assert_eq!(shortened, [true, false, false]);
    }

    #[test]
    fn series_beyond_the_budget_are_refused_and_counted() {
        let clock = ManualClock::new();
        let mut window = window_of(60 * SECOND, 64 << 10);
        for slot in 0..20 {
            window.take(&many(&clock, 1000), slot * 1_000_000_000);
            assert!(window.bytes() <= 64 << 10, "{}", window.bytes());
        }
        let watched = window.select(&series("g")).count() as u64;
        assert!(watched > 50, "{watched}");
        assert_eq!(window.refused(), 1000 - watched);
    }

    #[test]
    fn histograms_that_fill_the_budget_in_one_tick_are_refused_too() {
        let clock = ManualClock::new();
        let values: Vec<f64> = (1..500).map(f64::from).collect();
        let wide = Arc::new(HistogramSnapshot::of(&values));
        let series_of = |n: i32| {
            let histogram = SeriesValue::Histogram(Arc::clone(&wide));
            (labels(&[("s", &n.to_string())]), histogram)
        };
        let families = vec![family("g", Kind::Histogram, (0..50).map(series_of).collect())];
        let needs = [Need::distributions(series("g"), 60 * SECOND)];
        let mut window = Window::new(needs, 64 << 10);
        for slot in 0..20 {
            window.take(&snapshot(&clock, families.clone()), slot * 1_000_000_000);
            assert!(window.bytes() <= 64 << 10, "{}", window.bytes());
        }
        assert!(window.refused() > 0);
        assert!(window.select(&series("g")).count() > 3);
    }

    #[test]
    fn what_no_range_needs_is_let_go_and_nothing_of_it_stays() {
        let clock = ManualClock::new();
        let mut window = window_of(5 * SECOND, 16 << 20);
        let empty = window.bytes();
        for slot in 0..200 {
            // Other series at every tick.
            let name = format!("{slot}");
            window.take(&gauges(&clock, &[(&name, 1.0)]), slot * 1_000_000_000);
            assert!(window.select(&series("g")).count() <= 8);
        }
        for slot in 200..210 {
            window.take(&gauges(&clock, &[]), slot * 1_000_000_000);
        }
        assert_eq!(window.select(&series("g")).count(), 0);
        assert!(window.bytes() < empty + 200, "{}", window.bytes());
    }

    #[test]
    fn histograms_are_kept_only_where_a_rule_needs_them() {
        let clock = ManualClock::new();
        let histogram = SeriesValue::Histogram(Arc::new(HistogramSnapshot::of(&[1.0])));
        let families = vec![family("g", Kind::Histogram, vec![(labels(&[]), histogram)])];
        let mut counts = window_of(5 * SECOND, 16 << 20);
        let needs = [Need::distributions(series("g"), 5 * SECOND)];
        let mut distributions = Window::new(needs, 16 << 20);
        for (window, has) in [(&mut counts, false), (&mut distributions, true)] {
            window.take(&snapshot(&clock, families.clone()), 0);
            let all: Vec<_> = window.select(&series("g")).collect();
            assert_eq!(all[0].has_distributions(), has);
        }
    }

    #[test]
    fn a_series_that_comes_back_at_once_is_the_same_one() {
        let clock = ManualClock::new();
        let mut window = window_of(Duration::ZERO, 16 << 20);
        for (slot, values) in [(0, &[("a", 1.0)][..]), (1, &[]), (2, &[("a", 2.0)])] {
            window.take(&gauges(&clock, values), slot * 1_000_000_000);
            let last: Vec<_> = window.select(&series("g")).filter_map(|s| s.last()).collect();
            assert_eq!(last.len(), values.len(), "in slot {slot}");
        }
    }
}
