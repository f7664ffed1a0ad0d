//! Series that expire: those that nobody writes to go, those that somebody writes to stay, whatever
//! is written.

use std::{sync::Barrier, thread, time::Duration};

use super::*;
use crate::{
    Counter, Gauge, Histogram, UpDownCounter, cells,
    label::Dynamic,
    testing::{Scope, scope},
};

const IDLE: Duration = Duration::from_secs(60);

#[derive(Clone, bellwether_macros::Labels)]
struct Who {
    who: String,
}

fn is_there(scope: &Scope, name: &str, who: &str) -> bool {
    scope.snapshot().value(name, &[("who", who)]).is_some()
}

/// Writes once a second and looks every two, for longer than the series may be idle, then lets it be.
fn assert_stays_while_written(scope: &Scope, name: &str, who: &str, write: &dyn Fn()) {
    for second in 0..150 {
        write();
        scope.advance(Duration::from_secs(1));
        let is_there = second % 2 == 1 || is_there(scope, name, who);
        assert!(is_there, "{name} {who} is written and gone after {second} s");
    }
    for second in 0..58 {
        assert!(is_there(scope, name, who), "{name} {who} is gone {second} s after a write");
        scope.advance(Duration::from_secs(1));
    }
    scope.advance(Duration::from_secs(4));
    assert!(!is_there(scope, name, who), "{name} {who} is idle and there");
}

#[test]
fn a_gauge_that_is_set_to_what_it_is_stays_and_goes_when_it_is_not_set() {
    static TYPED: Gauge<Who> = Gauge::new("test.expiry.gauge.typed", "").expire_after(IDLE);
    static DYNAMIC: Gauge<Dynamic> =
        Gauge::dynamic("test.expiry.gauge.dynamic", "", &["who"]).expire_after(IDLE);
    static RANGE: Gauge<Who> = Gauge::new("test.expiry.gauge.range", "")
        .range(0.0, 1.0, OutOfRange::Clamp)
        .expire_after(IDLE);
    let who = |who: &str| Who { who: who.to_owned() };
    let scope = scope();
    let bound = [TYPED.bind(who("bound")), DYNAMIC.bind_labels(&[("who", "bound")])];
    let names = ["test.expiry.gauge.typed", "test.expiry.gauge.dynamic"];
    for (name, bound) in names.iter().zip(&bound) {
        assert_stays_while_written(&scope, name, "bound", &|| bound.set(4.0));
        assert_stays_while_written(&scope, name, "bound", &|| bound.add(0.0));
        assert_eq!(bound.value(), None);
    }
    assert_stays_while_written(&scope, names[0], "a", &|| TYPED.with(who("a")).set(1.0));
    assert_stays_while_written(&scope, names[0], "a", &|| TYPED.with(who("a")).add(0.0));
    let labels = [("who", "a")];
    assert_stays_while_written(&scope, names[1], "a", &|| DYNAMIC.with_labels(&labels).set(1.0));
    assert_stays_while_written(&scope, names[1], "a", &|| DYNAMIC.with_labels(&labels).add(0.0));
    let name = "test.expiry.gauge.range";
    assert_stays_while_written(&scope, name, "a", &|| RANGE.with(who("a")).set(2.0));
    assert_stays_while_written(&scope, name, "a", &|| RANGE.with(who("a")).add(2.0));
}

#[test]
fn a_gauge_of_not_a_number_expires_too() {
    static NAN: Gauge<Dynamic> = Gauge::dynamic("test.expiry.nan", "", &["who"]).expire_after(IDLE);
    let scope = scope();
    let write = || NAN.with_labels(&[("who", "a")]).set(f64::NAN);
    assert_stays_while_written(&scope, "test.expiry.nan", "a", &write);
}

#[test]
fn what_a_range_drops_is_not_written() {
    static LOAD: Gauge<Dynamic> = Gauge::dynamic("test.expiry.dropped", "", &["who"])
        .range(0.0, 1.0, OutOfRange::Drop)
        .expire_after(IDLE);
    let scope = scope();
    let load = LOAD.bind_labels(&[("who", "a")]);
    load.set(0.5);
    let _ = scope.snapshot();
    for _ in 0..61 {
        load.set(2.0);
        load.add(2.0);
        scope.advance(Duration::from_secs(1));
    }
    assert!(!is_there(&scope, "test.expiry.dropped", "a"));
}

#[test]
fn a_sum_to_which_zero_is_added_stays_and_goes_when_nothing_is() {
    static COUNT: Counter<Who> = Counter::new("test.expiry.count", "").expire_after(IDLE);
    static FLOAT: FloatCounter<Dynamic> =
        FloatCounter::dynamic("test.expiry.float", "", &["who"]).expire_after(IDLE);
    let who = || Who { who: "a".to_owned() };
    let scope = scope();
    let (count, float) = (COUNT.bind(who()), FLOAT.bind_labels(&[("who", "a")]));
    count.add(3);
    float.add(0.5);
    let (count_name, float_name) = ("test.expiry.count", "test.expiry.float");
    assert_stays_while_written(&scope, count_name, "a", &|| count.add(0));
    assert_stays_while_written(&scope, count_name, "a", &|| COUNT.with(who()).add(0));
    assert_stays_while_written(&scope, count_name, "a", &|| count.inc());
    assert_stays_while_written(&scope, count_name, "a", &|| drop(COUNT.bind(who())));
    assert_stays_while_written(&scope, float_name, "a", &|| float.add(0.0));
    assert_stays_while_written(&scope, float_name, "a", &|| {
        FLOAT.with_labels(&[("who", "a")]).add(1.5);
    });
    assert_eq!((count.value(), float.value()), (0, 0.0));
    count.add(2);
    assert_eq!(count.value(), 2);
    scope.assert_value(count_name, &[("who", "a")], 2.0);
}

#[test]
fn an_up_down_counter_that_comes_back_to_zero_between_looks_stays_and_goes_when_it_rests_there() {
    static ACTIVE: UpDownCounter<Who> =
        UpDownCounter::new("test.expiry.active", "").expire_after(IDLE);
    let who = || Who { who: "a".to_owned() };
    let scope = scope();
    let active = ACTIVE.bind(who());
    let name = "test.expiry.active";
    let up_and_down = || {
        active.inc();
        active.dec();
    };
    assert_stays_while_written(&scope, name, "a", &up_and_down);
    assert_stays_while_written(&scope, name, "a", &|| drop(active.hold()));
    assert_stays_while_written(&scope, name, "a", &|| ACTIVE.with(who()).add(0));
    let held = active.hold();
    for _ in 0..5 {
        scope.advance(IDLE);
        scope.assert_value(name, &[("who", "a")], 1.0);
    }
    drop(held);
    scope.assert_value(name, &[("who", "a")], 0.0);
    assert_eq!(active.value(), 0);
}

#[test]
fn a_histogram_of_the_same_value_stays_while_it_records() {
    static TIME: Histogram<Who> = Histogram::new("test.expiry.time", "").expire_after(IDLE);
    static SIZE: Histogram<Who> =
        Histogram::new("test.expiry.size", "").bounds(&[1.0]).expire_after(IDLE);
    let who = || Who { who: "a".to_owned() };
    let scope = scope();
    assert_stays_while_written(&scope, "test.expiry.time", "a", &|| TIME.with(who()).record(0.0));
    let size = SIZE.bind(who());
    assert_stays_while_written(&scope, "test.expiry.size", "a", &|| size.record(1.0));
    assert_stays_while_written(&scope, "test.expiry.size", "a", &|| drop(SIZE.bind(who())));
}

/// Has `work` run on a new thread that records into the scope of this one.
fn elsewhere(work: impl Fn() + Sync) {
    let storage = cells::current_storage();
    thread::scope(|threads| {
        let run = || {
            let _entered = cells::enter(Some(storage.clone()));
            work();
        };
        threads.spawn(run).join().unwrap();
    });
}

#[test]
fn writes_of_threads_that_come_and_go_are_noticed() {
    static LEVEL: Gauge<Dynamic> =
        Gauge::dynamic("test.expiry.level", "", &["who"]).expire_after(IDLE);
    let scope = scope();
    let set = || elsewhere(|| LEVEL.with_labels(&[("who", "a")]).set(1.0));
    assert_stays_while_written(&scope, "test.expiry.level", "a", &set);
}

#[test]
fn writes_of_threads_that_share_a_table_are_noticed() {
    static ACTIVE: UpDownCounter<Dynamic> =
        UpDownCounter::dynamic("test.expiry.shared", "", &["who"]).expire_after(IDLE);
    let scope = scope();
    let storage = cells::current_storage();
    let (ready, end) = (Barrier::new(65), Barrier::new(65));
    thread::scope(|threads| {
        for _ in 0..64 {
            threads.spawn(|| {
                let _entered = cells::enter(Some(storage.clone()));
                ACTIVE.with_labels(&[("who", "other")]).inc();
                ready.wait();
                end.wait();
            });
        }
        ready.wait();
        let shared = storage.shared_records();
        let up_and_down = || {
            elsewhere(|| {
                let active = ACTIVE.bind_labels(&[("who", "a")]);
                active.inc();
                active.dec();
            });
        };
        // A panic would leave the others waiting.
        let check = || {
            assert_stays_while_written(&scope, "test.expiry.shared", "a", &up_and_down);
        };
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
        let n_shared = storage.shared_records() - shared;
        end.wait();
        assert!(checked.is_ok());
        assert_eq!(n_shared, 300);
    });
}

#[test]
fn of_two_instruments_of_a_name_the_first_says_whether_its_series_expire() {
    static FIRST: Counter<Dynamic> =
        Counter::dynamic("test.expiry.twice", "", &["who"]).expire_after(IDLE);
    static SECOND: Counter<Dynamic> = Counter::dynamic("test.expiry.twice", "", &["who"]);
    let scope = scope();
    FIRST.with_labels(&[("who", "a")]).inc();
    let write = || SECOND.with_labels(&[("who", "a")]).add(0);
    assert_stays_while_written(&scope, "test.expiry.twice", "a", &write);
}

#[test]
fn a_scope_notices_its_own_writes_alone() {
    static LEVEL: Gauge<Dynamic> =
        Gauge::dynamic("test.expiry.scoped", "", &["who"]).expire_after(IDLE);
    let outer = scope();
    let level = LEVEL.bind_labels(&[("who", "a")]);
    level.set(1.0);
    let _ = outer.snapshot();
    outer.advance(IDLE);
    let storage = cells::Storage::new(true);
    {
        let _entered = cells::enter(Some(storage));
        level.set(1.0);
    }
    assert!(!is_there(&outer, "test.expiry.scoped", "a"));
}

#[test]
fn a_bound_series_that_nobody_writes_expires_and_its_handle_brings_it_back() {
    static COUNT: Counter<Dynamic> =
        Counter::dynamic("test.expiry.bound", "", &["who"]).expire_after(IDLE);
    let scope = scope();
    let count = COUNT.bind_labels(&[("who", "a")]);
    assert!(is_there(&scope, "test.expiry.bound", "a"), "shown from here on");
    scope.advance(IDLE);
    assert!(!is_there(&scope, "test.expiry.bound", "a"));
    count.add(0);
    scope.assert_value("test.expiry.bound", &[("who", "a")], 0.0);
    count.add(4);
    assert_eq!(count.value(), 4);
}

#[test]
fn a_record_beyond_the_limit_of_a_family_that_expires_goes_to_the_overflow_series() {
    static COUNT: Counter<Dynamic> =
        Counter::dynamic("test.expiry.overflow", "", &["who"]).expire_after(IDLE).series_limit(1);
    let scope = scope();
    COUNT.with_labels(&[("who", "a")]).inc();
    COUNT.with_labels(&[("who", "b")]).add(2);
    COUNT.bind_labels(&[("who", "c")]).add(3);
    scope.assert_value("test.expiry.overflow", &[("otel.metric.overflow", "true")], 5.0);
}

#[test]
fn a_write_that_comes_while_its_series_is_removed_is_kept() {
    static LEVEL: Gauge<Dynamic> =
        Gauge::dynamic("test.expiry.race", "", &["who"]).expire_after(Duration::from_nanos(1));
    let scope = scope();
    for _ in 0..300 {
        LEVEL.with_labels(&[("who", "a")]).set(1.0);
        let _ = scope.snapshot();
        let _ = scope.snapshot();
        scope.advance(Duration::from_secs(1));
        let (barrier, storage) = (Barrier::new(2), cells::current_storage());
        thread::scope(|threads| {
            threads.spawn(|| {
                let _entered = cells::enter(Some(storage.clone()));
                barrier.wait();
                LEVEL.with_labels(&[("who", "a")]).set(1.0);
            });
            barrier.wait();
            let _ = scope.snapshot();
        });
        // Written in this step: nobody has looked after a step of the clock.
        let value = LEVEL.bind_labels(&[("who", "a")]).value();
        assert_eq!(value, Some(1.0));
    }
}

#[test]
fn a_handle_of_a_series_that_can_expire_reads_what_it_recorded() {
    static SIZE: Histogram<Dynamic> =
        Histogram::dynamic("test.expiry.read.size", "", &["who"]).expire_after(IDLE);
    static TICKS: Histogram<Dynamic> =
        Histogram::dynamic("test.expiry.read.ticks", "", &["who"]).hdr(3).expire_after(IDLE);
    let _scope = scope();
    for instrument in [&SIZE, &TICKS] {
        let bound = instrument.bind_labels(&[("who", "a")]);
        bound.record(1.0);
        bound.record(2.0);
        assert_eq!(bound.snapshot().count(), 2, "{instrument:?}");
    }
}
