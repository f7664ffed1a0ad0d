//! What a library records by the facade is on the page.

mod common;

use std::time::Duration;

use bellwether::{
    Counter,
    alert::{AlertState, Rule, series},
    integration::metrics::MetricsRecorder,
    metric::{Registry, View, Views},
    testing,
};
use common::{own, page_of, recorder, text_of};
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
    with_local_recorder,
};

#[test]
fn all_kinds_are_on_the_page_with_their_labels() {
    let (registry, recorder) = recorder();
    with_local_recorder(&recorder, || {
        counter!("shop.orders", "tier" => "gold").increment(2);
        counter!("shop.orders", "tier" => "gold").increment(1);
        gauge!("pool.size").set(7.5);
        gauge!("pool.size").increment(1);
        gauge!("pool.size").decrement(0.25);
        histogram!("shop.latency", "route" => "/x").record(0.5);
        histogram!("shop.latency", "route" => "/x").record_many(2.0, 3);
    });
    let page = page_of(&registry);
    assert_eq!(page[r#"shop_orders_total{tier="gold"}"#], 3.0);
    assert_eq!(page["pool_size"], 8.25);
    assert_eq!(page[r#"shop_latency_count{route="/x"}"#], 4.0);
    assert_eq!(page[r#"shop_latency_sum{route="/x"}"#], 6.5);
    assert_eq!(page[r#"shop_latency_bucket{route="/x",le="1"}"#], 1.0);
}

#[test]
fn series_of_one_name_have_their_own_keys_in_any_order() {
    let (registry, recorder) = recorder();
    with_local_recorder(&recorder, || {
        counter!("jobs").increment(1);
        counter!("jobs", "queue" => "mail").increment(2);
        counter!("jobs", "host" => "a", "queue" => "mail").increment(4);
        counter!("jobs", "queue" => "mail", "host" => "a").increment(8);
        counter!("jobs", "host" => "a").increment(16);
        counter!("jobs", "host" => "a", "zone" => "").increment(32);
    });
    let page = page_of(&registry);
    assert_eq!(page["jobs_total"], 1.0);
    assert_eq!(page[r#"jobs_total{queue="mail"}"#], 2.0);
    assert_eq!(page[r#"jobs_total{host="a",queue="mail"}"#], 12.0);
    assert_eq!(page[r#"jobs_total{host="a"}"#], 48.0);
    let jobs = page.keys().filter(|name| name.starts_with("jobs_total"));
    assert_eq!(jobs.count(), 4);
}

#[test]
fn a_key_that_is_there_twice_has_its_greatest_value_and_an_illegal_one_becomes_legal() {
    let (registry, recorder) = recorder();
    with_local_recorder(&recorder, || {
        counter!("calls", "a" => "2", "a" => "1").increment(1);
        counter!("calls", "user id" => "7").increment(1);
        counter!("calls", "9" => "nine").increment(1);
        counter!("calls", "" => "none").increment(1);
        histogram!("sizes", "le" => "mine").record(1.0);
    });
    let page = page_of(&registry);
    for sample in [
        r#"calls_total{a="2"}"#,
        r#"calls_total{user_id="7"}"#,
        r#"calls_total{_9="nine"}"#,
        r#"calls_total{_="none"}"#,
        r#"sizes_count{exported_le="mine"}"#,
    ] {
        assert_eq!(page.get(sample), Some(&1.0), "{sample} is not in {page:?}");
    }
}

#[test]
fn what_is_said_of_a_name_is_on_the_page_whether_it_was_said_before_or_after() {
    let (registry, recorder) = recorder();
    with_local_recorder(&recorder, || {
        describe_counter!("before", Unit::Bytes, "Said before");
        counter!("before").increment(1);
        describe_counter!("before", "Said again");

        let kept = gauge!("after");
        kept.set(1.0);
        describe_gauge!("after", "Said after");
        describe_gauge!("after", "Said too late");

        describe_histogram!("time", Unit::Milliseconds, "Time");
        histogram!("time").record(3.0);
        describe_histogram!("never", "Never recorded");
    });
    let page = text_of(&registry);
    for line in [
        "# HELP before_bytes_total Said before",
        "before_bytes_total 1",
        "# HELP after Said after",
        "# HELP time_milliseconds Time",
        "time_milliseconds_count 1",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
    assert!(!page.contains("never"));
}

#[test]
fn a_unit_that_comes_too_late_changes_no_name_and_is_counted_once() {
    let scope = testing::scope();
    let (registry, recorder) = recorder();
    with_local_recorder(&recorder, || {
        counter!("sent").increment(1);
        for _ in 0..3 {
            describe_counter!("sent", Unit::Bytes, "Sent");
        }
    });
    let page = text_of(&registry);
    assert!(
        page.contains("# HELP sent_total Sent\n") && page.contains("\nsent_total 1\n"),
        "{page}"
    );
    scope.assert_value("telemetry.facade.refused", &[("reason", "late_unit")], 1.0);
}

#[test]
fn units_can_be_left_out_of_names() {
    let registry = Registry::new();
    let recorder = MetricsRecorder::new(&registry).ignore_units();
    with_local_recorder(&recorder, || {
        describe_counter!("sent", Unit::Bytes, "Sent");
        counter!("sent").increment(1);
    });
    assert_eq!(page_of(&registry)["sent_total"], 1.0);
}

#[test]
fn names_that_would_be_one_are_two_and_none_is_lost() {
    let (registry, recorder) = recorder();
    with_local_recorder(&recorder, || {
        counter!("tokio::tasks").increment(1);
        counter!("tokio  tasks").increment(2);
        counter!("tokio::tasks").increment(4);
        // One name on a page.
        counter!("a.b").increment(8);
        counter!("a_b").increment(16);
        counter!("a_b_total").increment(32);
        // The samples of a histogram have this name.
        histogram!("wait").record(1.0);
        gauge!("wait_count").set(64.0);
    });
    let page = page_of(&registry);
    let sums = |start: &str| -> Vec<f64> {
        let of = |(name, _): &(&String, &f64)| name.starts_with(start) && !name.contains("bucket");
        page.iter().filter(of).map(|(_, value)| *value).collect()
    };
    assert_eq!(page["tokio_tasks_total"], 5.0);
    assert_eq!(sums("tokio_tasks").iter().sum::<f64>(), 7.0);
    assert_eq!(page["a_b_total"], 8.0);
    assert_eq!(sums("a_b").iter().sum::<f64>(), 56.0);
    assert_eq!(page["wait_count"], 1.0);
    assert!(sums("wait_count_").contains(&64.0), "{page:?}");
}

#[test]
fn a_name_of_an_instrument_of_ours_keeps_what_the_facade_records_apart() {
    let (registry, recorder) = recorder();
    registry.counter("orders", "Ours").build().unwrap().add(1);
    with_local_recorder(&recorder, || counter!("orders").increment(2));
    let page = page_of(&registry);
    assert_eq!(page["orders_total"], 1.0);
    assert!(page.iter().any(|(name, value)| name.starts_with("orders_") && *value == 2.0));
}

#[test]
fn a_view_gives_a_name_its_buckets_and_its_limit() {
    let (registry, recorder) = recorder();
    let views = [View::new("job.*").bounds([1.0, 10.0]), View::new("few").limit(1)];
    registry.set_views(Views::new(views).unwrap());
    with_local_recorder(&recorder, || {
        histogram!("job.duration").record(5.0);
        (0..3).for_each(|n| counter!("few", "n" => n.to_string()).increment(1));
    });
    let page = page_of(&registry);
    let bounds = page.keys().filter(|name| name.starts_with("job_duration_bucket"));
    assert_eq!(bounds.count(), 3, "1, 10 and infinity");
    assert_eq!(page[r#"few_total{otel_metric_overflow="true"}"#], 2.0);
}

#[test]
fn values_that_no_page_can_show_are_counted() {
    let scope = testing::scope();
    let (registry, recorder) = recorder();
    with_local_recorder(&recorder, || {
        histogram!("wait").record(-1.0);
        histogram!("wait").record(f64::NAN);
        gauge!("level").set(1.0);
        gauge!("level").increment(f64::INFINITY);
        gauge!("level").decrement(f64::NAN);
    });
    assert_eq!(page_of(&registry)["level"], 1.0);
    for (reason, n) in [("negative", 1.0), ("nan", 2.0), ("infinite", 1.0)] {
        scope.assert_value("telemetry.measurements.rejected", &[("reason", reason)], n);
    }
}

#[test]
fn a_handle_and_a_macro_record_into_one_series_and_a_test_has_a_scope_of_it() {
    static SEEN: Counter = Counter::new("test.seen", "");
    let recorder = MetricsRecorder::new(Registry::global());
    with_local_recorder(&recorder, || {
        let kept = counter!("test.facade", "a" => "1");
        kept.increment(100);
        let scope = testing::scope();
        SEEN.inc();
        kept.increment(1);
        counter!("test.facade", "a" => "1").increment(2);
        scope.assert_value("test.facade", &[("a", "1")], 3.0);
        drop(scope);
        assert_eq!(own("test.facade", &[("a", "1")]), 100.0);
    });
}

#[test]
fn a_rule_looks_back_on_what_the_facade_recorded() {
    let scope = testing::scope();
    let recorder = MetricsRecorder::new(Registry::global());
    let minute = Duration::from_secs(60);
    let rule = Rule::new("JobFails", series("test.job.failures").increase(minute).above(1.0));
    let mut alerts = scope.alerts(vec![rule]).unwrap();
    with_local_recorder(&recorder, || {
        for n in 0..3 {
            // More keys come while the rule follows the series.
            counter!("test.job.failures", format!("key{n}") => "x").increment(1);
            counter!("test.job.failures", "queue" => "mail").increment(1);
            alerts.tick();
            scope.advance(Duration::from_secs(1));
        }
    });
    alerts.tick();
    alerts.assert_state("JobFails", AlertState::Firing);
    let firing = alerts.alerts();
    assert_eq!(firing.len(), 1, "only one series has grown by more: {firing:?}");
}
