//! Interned label values beyond their limit are counted: one test, since the count is the process's.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use bellwether::{Counter, Labels, Telemetry, label::Interner};

#[derive(Labels)]
struct Tenants<'a> {
    #[label(intern = 2)]
    tenant: &'a str,
    #[label(intern = 1)]
    user: Option<&'a str>,
}

/// Looked up by its texts, since one of them is open.
#[derive(Labels)]
struct Open<'a> {
    #[label(intern = 1)]
    tenant: &'a str,
    route: &'a str,
}

fn overflowed(telemetry: &Telemetry) -> f64 {
    telemetry.snapshot().value("telemetry.labels.overflowed", &[]).unwrap().as_f64()
}

#[test]
fn each_look_up_of_a_text_beyond_the_limit_is_counted_and_none_of_a_known_one() {
    static REQUESTS: Counter<Tenants<'_>> = Counter::new("interned.requests", "");
    static VISITS: Counter<Open<'_>> = Counter::new("interned.visits", "");
    static BY_HAND: Interner<1> = Interner::new();
    let telemetry = bellwether::builder("test").start().unwrap();
    let request = |tenant, user| REQUESTS.with(Tenants { tenant, user }).inc();
    let visit = |tenant| VISITS.with(Open { tenant, route: "/" }).inc();

    (0..3).for_each(|_| {
        request("a", Some("u"));
        request("b", None);
        request("other", Some("other"));
        visit("a");
        assert_eq!(BY_HAND.place("a"), Some(0));
    });
    assert_eq!(overflowed(&telemetry), 0.0, "all have a place, or are `other` by themselves");

    std::thread::scope(|scope| {
        (0..2).for_each(|_| {
            scope.spawn(|| (0..100).for_each(|_| request("c", Some("u"))));
        });
    });
    assert_eq!(overflowed(&telemetry), 200.0);
    request("d", Some("v"));
    assert_eq!(overflowed(&telemetry), 202.0, "two fields of one record");
    assert_eq!(BY_HAND.place("b"), None);
    assert_eq!(overflowed(&telemetry), 203.0);
    (0..10).for_each(|_| visit("b"));
    assert!(overflowed(&telemetry) >= 213.0, "a look-up by texts reads them more than once");
}
