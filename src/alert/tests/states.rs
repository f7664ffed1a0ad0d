//! The states of alerts, told as stories.

use super::*;

#[test]
fn an_alert_fires_when_its_trouble_has_lasted_and_never_before() {
    let clock = ManualClock::new();
    let rule = Rule::new("A", trouble()).for_duration(2 * SECOND);
    let mut engine = Standalone::new(vec![rule], settings()).unwrap();
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
    let mut engine = Standalone::new(vec![Rule::new("A", trouble())], settings()).unwrap();
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
    assert_eq!(engine.board().alerts().len(), 2);
}

#[test]
fn an_alert_on_the_edge_is_kept_with_the_value_it_had() {
    let clock = ManualClock::new();
    let rule = Rule::new("A", trouble()).keep_firing_for(2 * SECOND);
    let mut engine = Standalone::new(vec![rule], settings()).unwrap();
    let (bad, good): (&[_], &[_]) = (&[("a", 7.0)], &[("a", 0.0)]);
    let told = story(&mut engine, &clock, &[bad, good, good, bad, good, good, good]);
    assert_eq!(told, "0 inactive→firing a 7\n6 firing→resolved a 7\n");
}

#[test]
fn a_resolved_alert_is_remembered_for_a_quarter_of_an_hour() {
    let clock = ManualClock::new();
    let mut engine = Standalone::new(vec![Rule::new("A", trouble())], settings()).unwrap();
    story(&mut engine, &clock, &[&[("a", 1.0)], &[]]);
    clock.advance(899 * SECOND); // 15 minutes after it was resolved: not yet "more than".
    engine.tick(&gauges(&clock, &[]));
    assert_eq!(engine.board().alerts()[0].state(), AlertState::Resolved);
    clock.advance(SECOND);
    engine.tick(&gauges(&clock, &[]));
    assert!(engine.board().alerts().is_empty());
}

#[test]
fn labels_of_the_rule_win_and_two_alike_are_an_error_of_the_rule_alone() {
    let clock = ManualClock::new();
    let rules = vec![
        Rule::new("Same", trouble()).label("s", "one"),
        Rule::new("Other", trouble()).severity(Severity::Critical),
    ];
    let mut engine = Standalone::new(rules, settings()).unwrap();
    story(&mut engine, &clock, &[&[("a", 1.0)]]);
    let told: Vec<_> = engine.board().alerts().iter().map(|alert| alert.labels().clone()).collect();
    assert_eq!(
        told,
        [
            labels(&[("alertname", "Same"), ("s", "one")]),
            labels(&[("alertname", "Other"), ("s", "a"), ("severity", "critical")]),
        ]
    );
    story(&mut engine, &clock, &[&[("a", 1.0), ("b", 1.0)]]);
    let status = engine.board().rules();
    assert_eq!(
        status[0].error.as_deref(),
        Some(r#"two samples have the labels {alertname="Same", s="one"} once the rule's are set"#)
    );
    assert_eq!(status[1].error, None);
    assert_eq!(engine.board().alerts().len(), 3);
}

#[test]
fn a_flood_begins_no_alert_ends_those_that_fire_and_is_an_error() {
    let clock = ManualClock::new();
    let rule = Rule::new("A", trouble()).limit(2);
    let mut engine = Standalone::new(vec![rule], settings()).unwrap();
    let (few, flood): (&[_], &[_]) = (&[("a", 1.0)], &[("a", 1.0), ("b", 1.0), ("c", 1.0)]);
    let told = story(&mut engine, &clock, &[few, flood, flood, flood]);
    assert_eq!(told, "0 inactive→firing a 1\n1 firing→resolved a 1\n");
    let error = engine.board().rules()[0].error.clone();
    assert_eq!(error.as_deref(), Some("3 alerts exceed the limit of 2"));
    let told = story(&mut engine, &clock, &[few, few]);
    assert_eq!(told, "0 inactive→firing a 1\n", "the flood is over, the trouble is not");
    assert_eq!(engine.board().rules()[0].error, None);
}

#[test]
fn a_flood_ends_what_is_pending_and_counts_what_is_kept_without_a_sample() {
    let clock = ManualClock::new();
    let rule = Rule::new("A", trouble()).limit(2).for_duration(2 * SECOND);
    let rule = rule.keep_firing_for(60 * SECOND);
    let mut engine = Standalone::new(vec![rule], settings()).unwrap();
    let (a, bc): (&[_], &[_]) = (&[("a", 1.0)], &[("b", 1.0), ("c", 1.0)]);
    let told = story(&mut engine, &clock, &[a, a, a, &[("b", 1.0)], bc, bc]);
    assert_eq!(
        told,
        "0 inactive→pending a 1\n2 pending→firing a 1\n3 inactive→pending b 1\n\
         4 firing→resolved a 1\n4 pending→inactive b 1\n5 inactive→pending b 1\n\
         5 inactive→pending c 1\n"
    );
}

#[test]
fn a_condition_that_panics_costs_its_rule_one_tick() {
    struct Panics(Arc<Mutex<bool>>);
    impl Condition for Panics {
        fn evaluate(&self, _window: &SampleWindow, _now: Ticks) -> Vec<(LabelSet, f64)> {
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
    let rules = vec![Rule::new("Panics", Panics(switch.clone())), Rule::new("Other", trouble())];
    let mut engine = Standalone::new(rules, settings()).unwrap();
    story(&mut engine, &clock, &[&[]]);
    *switch.lock() = true;
    let told = story(&mut engine, &clock, &[&[("a", 1.0)]]);
    assert_eq!(told, "0 inactive→firing a 1\n");
    let error = engine.board().rules()[0].error.clone();
    assert_eq!(error.as_deref(), Some("the condition panicked: out of order"));
    assert_eq!(engine.board().alerts()[0].state(), AlertState::Firing, "kept as it was");
    *switch.lock() = false;
    story(&mut engine, &clock, &[&[]]);
    assert_eq!(engine.board().rules()[0].error, None);
}

#[test]
fn missed_slots_are_counted_and_a_second_tick_in_a_slot_is_not_looked_at() {
    let clock = ManualClock::new();
    let mut engine = Standalone::new(vec![Rule::new("A", trouble())], settings()).unwrap();
    engine.tick(&gauges(&clock, &[]));
    clock.advance(Duration::from_millis(900));
    assert!(engine.tick(&gauges(&clock, &[("a", 1.0)])).transitions.is_empty());
    clock.advance(Duration::from_millis(100));
    assert_eq!(engine.tick(&gauges(&clock, &[("a", 1.0)])).transitions.len(), 1);
    assert_eq!(engine.board().missed_ticks(), 0);
    clock.advance(4 * SECOND);
    engine.tick(&gauges(&clock, &[]));
    assert_eq!(engine.board().missed_ticks(), 3);
}
