//! What is made of data has a bound, and what is beyond it is counted.

mod common;

use std::time::Duration;

use bellwether::{integration::metrics::MetricsRecorder, metric::Registry, testing};
use common::{page_of, recorder, text_of};
use metrics::{counter, describe_counter, gauge, with_local_recorder};

#[test]
fn a_hundred_thousand_series_are_the_limit_and_an_overflow_series_with_an_exact_sum() {
    let scope = testing::scope();
    let (registry, recorder) = recorder();
    with_local_recorder(&recorder, || {
        for n in 0..100_000_u64 {
            counter!("seen", "user" => n.to_string()).increment(n);
        }
    });
    let total: u64 = (0..100_000).sum();
    let page = page_of(&registry);
    let series = page.iter().filter(|(name, _)| name.starts_with("seen_total"));
    assert_eq!(series.clone().count(), 2_001);
    assert_eq!(series.map(|(_, value)| value).sum::<f64>(), total as f64);
    scope.assert_value("telemetry.series.overflowed", &[("instrument", "seen")], 98_000.0);
}

#[test]
fn a_hundred_thousand_names_are_the_limit_and_a_count_of_the_rest() {
    let scope = testing::scope();
    let registry = Registry::new();
    let recorder = MetricsRecorder::new(&registry).name_limit(100);
    with_local_recorder(&recorder, || {
        for n in 0..100_000_u32 {
            counter!(format!("name_{n}")).increment(1);
            describe_counter!(format!("said_{n}"), "Never recorded");
        }
        // Known names go on.
        counter!("name_7").increment(1);
    });
    let page = page_of(&registry);
    assert_eq!(page.keys().filter(|name| name.starts_with("name_")).count(), 100);
    assert_eq!(page["name_7_total"], 2.0);
    let refused = |reason| scope.value("telemetry.facade.refused", &[("reason", reason)]);
    assert_eq!(refused("name"), 99_900.0);
    assert_eq!(refused("description"), 99_900.0);
    scope.assert_value("telemetry.measurements.rejected", &[("reason", "disabled")], 99_900.0);
    let known = format!("{recorder:?}");
    assert!(known.contains("names: 100, described: 100"), "{known}");
}

#[test]
fn a_label_key_beyond_the_limit_goes_to_the_overflow_series() {
    let (registry, recorder) = recorder();
    with_local_recorder(&recorder, || {
        (0..100).for_each(|n| counter!("x", format!("key_{n}") => "v").increment(1));
    });
    let page = page_of(&registry);
    let own = page.keys().filter(|name| name.starts_with("x_total{key_"));
    assert_eq!(own.count(), 64);
    assert_eq!(page[r#"x_total{otel_metric_overflow="true"}"#], 36.0);
}

#[test]
fn texts_of_any_length_are_cut() {
    let (registry, recorder) = recorder();
    let long = "x".repeat(1 << 20);
    with_local_recorder(&recorder, || {
        describe_counter!(long.clone(), long.clone());
        counter!(long.clone(), long.clone() => long.clone()).increment(1);
        counter!(long.clone(), long.clone() => long.clone()).increment(1);
    });
    let page = text_of(&registry);
    assert!(page.len() < 10_000, "{} bytes", page.len());
    assert!(page.contains("\"} 2\n"), "both are one series");
}

#[test]
fn an_absolute_value_in_the_overflow_series_is_counted_and_adds_nothing() {
    let scope = testing::scope();
    let registry = Registry::with_series_limit(1);
    let recorder = MetricsRecorder::new(&registry);
    with_local_recorder(&recorder, || {
        counter!("read", "disk" => "a").absolute(10);
        counter!("read", "disk" => "b").increment(1);
        counter!("read", "disk" => "b").absolute(500);
    });
    assert_eq!(page_of(&registry)[r#"read_total{otel_metric_overflow="true"}"#], 1.0);
    let labels = [("reason", "absolute_of_overflow")];
    scope.assert_value("telemetry.facade.refused", &labels, 1.0);
}

#[test]
fn a_series_that_is_idle_leaves_the_page_and_begins_again_at_zero() {
    let scope = testing::scope();
    let registry = Registry::new();
    let recorder = MetricsRecorder::new(&registry).expire_after(Duration::from_secs(60));
    with_local_recorder(&recorder, || {
        let kept = counter!("calls", "to" => "a");
        kept.increment(5);
        counter!("calls", "to" => "b").increment(5);
        assert_eq!(page_of(&registry).len(), page_of(&registry).len());
        scope.advance(Duration::from_secs(61));
        gauge!("other").set(1.0);
        let page = page_of(&registry);
        assert!(!page.keys().any(|name| name.starts_with("calls")), "{page:?}");

        kept.increment(1);
        counter!("calls", "to" => "b").increment(2);
        let page = page_of(&registry);
        assert_eq!(page[r#"calls_total{to="a"}"#], 1.0);
        assert_eq!(page[r#"calls_total{to="b"}"#], 2.0);
    });
}

#[test]
fn label_sets_that_come_and_go_for_ever_find_room_for_ever() {
    let scope = testing::scope();
    let registry = Registry::builder().series_limit(100).byte_budget(512 << 10).build();
    let recorder = MetricsRecorder::new(&registry).expire_after(Duration::from_secs(60));
    with_local_recorder(&recorder, || {
        for round in 0..200_u32 {
            for n in 0..50_u32 {
                counter!("calls", "id" => format!("{round}-{n}")).increment(1);
            }
            let page = page_of(&registry);
            assert!(!page.keys().any(|name| name.contains("overflow")), "in round {round}");
            scope.advance(Duration::from_secs(61));
            page_of(&registry);
        }
    });
    let handles = format!("{recorder:?}");
    let kept: usize = handles
        .split("handles: ")
        .nth(1)
        .and_then(|rest| rest.split([' ', '}']).next()?.parse().ok())
        .unwrap();
    assert!(kept <= 150, "{kept} handles are kept of 10,000 series that came and went");
}
