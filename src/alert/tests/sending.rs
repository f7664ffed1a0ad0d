//! What notifiers send, when, and in which groups.

use super::*;
use crate::clock::Timestamp;

fn sent(engine: &mut Standalone, clock: &ManualClock, values: &[(&str, f64)]) -> Vec<Notification> {
    let tick = engine.tick(&gauges(clock, values));
    clock.advance(SECOND);
    tick.notifications
}

#[test]
fn an_alert_is_sent_when_it_fires_after_each_delay_and_when_it_is_resolved() {
    let clock = ManualClock::new();
    let rule = Rule::new("A", trouble()).for_duration(SECOND);
    let settings = Settings { resend_delay: 3 * SECOND, ..settings() };
    let mut engine = Standalone::new(vec![rule], settings).unwrap();
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

fn later(date: Timestamp, seconds: u64) -> Timestamp {
    Timestamp::from_unix_nanos(date.unix_nanos() + seconds * 1_000_000_000)
}

#[test]
fn a_receiver_should_believe_an_alert_for_four_delays() {
    let clock = ManualClock::new();
    let mut engine = Standalone::new(vec![Rule::new("A", trouble())], settings()).unwrap();
    let start = clock.now().timestamp();
    let firing = sent(&mut engine, &clock, &[("a", 1.0)]);
    let alert = &firing[0].alerts()[0];
    assert_eq!(alert.starts_at(), start);
    assert_eq!(alert.ends_at(), Some(later(start, 240)));
    let resolved = sent(&mut engine, &clock, &[]);
    let alert = &resolved[0].alerts()[0];
    assert_eq!(alert.starts_at(), start);
    assert_eq!(alert.ends_at(), Some(later(start, 1)));
}

/// The status and the alerts of each notification, one a line: in capitals those that are due.
fn groups(engine: &mut Standalone, clock: &ManualClock, values: &[(&str, f64)]) -> String {
    let mut text = String::new();
    for sent in sent(engine, clock, values) {
        text += &format!("{}:", sent.status());
        for (place, alert) in sent.alerts().iter().enumerate() {
            let s = alert.labels().get("s").unwrap();
            let s = if place < sent.due().len() { s.to_uppercase() } else { s.to_owned() };
            text += &format!(" {s}={}", alert.state());
        }
        text += "\n";
    }
    text
}

#[test]
fn a_group_is_told_whole_and_is_resolved_when_all_of_it_is() {
    let clock = ManualClock::new();
    let mut engine = Standalone::new(vec![Rule::new("A", trouble())], settings()).unwrap();
    let mut tick = |values: &[(&str, f64)]| groups(&mut engine, &clock, values);
    assert_eq!(tick(&[("a", 1.0)]), "firing: A=firing\n");
    assert_eq!(tick(&[("a", 1.0), ("b", 1.0)]), "firing: B=firing a=firing\n");
    assert_eq!(tick(&[("b", 1.0)]), "firing: A=resolved b=firing\n");
    assert_eq!(tick(&[("b", 1.0)]), "");
    assert_eq!(tick(&[]), "resolved: B=resolved a=resolved\n");
    assert_eq!(tick(&[("c", 1.0)]), "firing: C=firing a=resolved b=resolved\n");
}

#[test]
fn rules_of_one_name_are_one_group() {
    let clock = ManualClock::new();
    let over = |bound: f64| series("g").last().above(bound);
    let rules = vec![
        Rule::new("A", over(10.0)).severity(Severity::Critical),
        Rule::new("Other", over(0.0)),
        Rule::new("A", over(0.0)).severity(Severity::Warning),
    ];
    let mut engine = Standalone::new(rules, settings()).unwrap();
    let mut tick = |values: &[(&str, f64)]| -> Vec<(String, AlertState, usize)> {
        let sent = sent(&mut engine, &clock, values).into_iter();
        let one = |sent: Notification| {
            (sent.alerts()[0].name().to_owned(), sent.status(), sent.alerts().len())
        };
        sent.map(one).collect()
    };
    use AlertState::{Firing, Resolved};
    let (a, other) = ("A".to_owned(), "Other".to_owned());
    assert_eq!(tick(&[("a", 11.0)]), [(a.clone(), Firing, 2), (other.clone(), Firing, 1)]);
    assert_eq!(tick(&[("a", 9.0)]), [(a.clone(), Firing, 2)], "the warning fires on");
    assert_eq!(tick(&[]), [(a, Resolved, 2), (other, Resolved, 1)]);
}

#[test]
fn a_group_is_told_again_as_one() {
    let clock = ManualClock::new();
    let settings = Settings { resend_delay: 3 * SECOND, ..settings() };
    let mut engine = Standalone::new(vec![Rule::new("A", trouble())], settings).unwrap();
    let mut told = Vec::new();
    for second in 0..11 {
        // The second alert fires two seconds after the first.
        let values: &[_] = &[("a", 1.0), ("b", if second < 2 { 0.0 } else { 1.0 })];
        for sent in sent(&mut engine, &clock, values) {
            told.push((second, sent.due().len(), sent.alerts().len()));
        }
    }
    assert_eq!(told, [(0, 1, 1), (2, 1, 2), (6, 2, 2), (10, 2, 2)]);
}

#[test]
fn what_was_told_as_firing_is_told_as_over_in_a_flood() {
    let clock = ManualClock::new();
    let rule = Rule::new("A", trouble()).limit(2);
    let mut engine = Standalone::new(vec![rule], settings()).unwrap();
    let mut tick = |values: &[(&str, f64)]| groups(&mut engine, &clock, values);
    let flood: &[_] = &[("a", 1.0), ("b", 1.0), ("c", 1.0)];
    assert_eq!(tick(&[("a", 1.0), ("b", 1.0)]), "firing: A=firing B=firing\n");
    assert_eq!(tick(flood), "resolved: A=resolved B=resolved\n");
    assert_eq!(tick(flood), "");
    assert_eq!(tick(&[("c", 1.0)]), "firing: C=firing a=resolved b=resolved\n");
}

#[test]
fn a_group_of_more_than_256_is_told_in_parts_that_all_say_how_it_stands() {
    let clock = ManualClock::new();
    let rules = vec![Rule::new("A", trouble()), Rule::new("B", trouble())];
    let mut engine = Standalone::new(rules, settings()).unwrap();
    let names: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    let values: Vec<_> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
    let mut tick = |values: &[(&str, f64)]| -> Vec<_> {
        let sent = sent(&mut engine, &clock, values).into_iter();
        let part = |sent: Notification| {
            let name = sent.alerts()[0].name().to_owned();
            (name, sent.status(), sent.due().len(), sent.alerts().len(), sent.n_truncated())
        };
        sent.map(part).collect()
    };
    use AlertState::{Firing, Resolved};
    let both = |parts: &[(AlertState, usize, usize, usize)]| -> Vec<_> {
        let of = |name: &'static str| {
            parts.iter().map(move |&(status, due, n, rest)| (name.to_owned(), status, due, n, rest))
        };
        of("A").chain(of("B")).collect()
    };
    assert_eq!(tick(&values), both(&[(Firing, 256, 256, 44), (Firing, 44, 44, 256)]));
    assert_eq!(tick(&values[1..]), both(&[(Firing, 1, 256, 44)]));
    assert_eq!(tick(&[]), both(&[(Resolved, 256, 256, 44), (Resolved, 43, 44, 256)]));
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
