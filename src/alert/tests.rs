//! The engine against naive twins: an automaton written from ALERTING.md's text, and loops over all
//! samples.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex as StdMutex},
    time::Duration,
};

use proptest::prelude::*;

use super::*;
use crate::{
    clock::{ManualClock, Ticks},
    error::ErrorKind,
    label::LabelSet,
    metric::{Family, HistogramSnapshot, Kind, Series, SeriesValue, Snapshot, Unit},
};

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> Settings {
    Settings::default()
}

fn labels(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::new(pairs.iter().map(|&(key, value)| (key.to_owned(), value)))
}

fn family(name: &'static str, kind: Kind, series: Vec<(LabelSet, SeriesValue)>) -> Family {
    let series = series.into_iter().map(|(labels, value)| Series { labels, value }).collect();
    Family { name: name.into(), kind, unit: Unit::NONE, help: "".into(), series }
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
        struct Panics(Arc<StdMutex<bool>>);
        impl Condition for Panics {
            fn evaluate(&self, _window: &Window, _now: Ticks) -> Vec<(LabelSet, f64)> {
                let panics = *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                if panics {
                    panic!("out of order");
                }
                vec![(LabelSet::default(), 1.0)]
            }

            fn needs(&self) -> Vec<Need> {
                Vec::new()
            }
        }
        let switch = Arc::new(StdMutex::new(false));
        let clock = ManualClock::new();
        let rules =
            vec![Rule::new("Panics", Panics(switch.clone())), Rule::new("Other", trouble())];
        let mut engine = Engine::new(rules, settings()).unwrap();
        story(&mut engine, &clock, &[&[]]);
        *switch.lock().unwrap() = true;
        let told = story(&mut engine, &clock, &[&[("a", 1.0)]]);
        assert_eq!(told, "0 inactive→firing a 1\n");
        let error = engine.rules()[0].error.clone();
        assert_eq!(error.as_deref(), Some("the condition panicked: out of order"));
        assert_eq!(engine.alerts()[0].state(), AlertState::Firing, "kept as it was");
        *switch.lock().unwrap() = false;
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

/// The automaton of ALERTING.md, items 5-7, 9 and 14, for one rule whose samples are numbered; all
/// times are whole seconds. Written to be read beside that page, and nothing else.
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
        pub(super) fn evaluate(
            &mut self,
            ts: u64,
            samples: &BTreeMap<u8, f64>,
        ) -> Result<Vec<u8>, ()> {
            for (&number, &value) in samples {
                let is_new = match self.active.get(&number) {
                    None => true,
                    Some(entry) => entry.state == "inactive", // 7
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
                    self.active.insert(number, entry); // 5
                } else {
                    self.active.get_mut(&number).unwrap().value = value;
                }
            }
            let numbers: Vec<u8> = self.active.keys().copied().collect();
            for number in numbers {
                let entry = self.active.get_mut(&number).unwrap();
                if samples.contains_key(&number) {
                    entry.keep_firing_since = None; // 7
                    if entry.state == "pending" && ts - entry.active_at >= self.for_ {
                        entry.state = "firing"; // 5
                        entry.fired_at = Some(ts);
                    }
                } else if entry.state == "pending" {
                    self.active.remove(&number); // 6
                } else if entry.state == "firing" {
                    let mut stays = false;
                    if self.keep_firing_for > 0 {
                        let since = *entry.keep_firing_since.get_or_insert(ts);
                        stays = ts - since < self.keep_firing_for; // 6
                    }
                    if !stays {
                        entry.state = "inactive";
                        entry.resolved_at = Some(ts);
                    }
                } else if ts - entry.resolved_at.unwrap() > 15 * 60 {
                    self.active.remove(&number); // 6
                }
            }
            let busy = self.active.values().filter(|entry| entry.state != "inactive").count();
            if self.limit > 0 && busy > self.limit {
                self.active.clear(); // 9
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
                    entry.last_sent_at = Some(ts); // 14
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
