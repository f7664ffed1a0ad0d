//! When a source is read, and how long what it read stands.

use std::{sync::mpsc, thread};

use super::*;
use crate::{
    clock::ManualClock,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// What the next reading does; the last is repeated.
type Script = Vec<fn(&mut Reading) -> Result<(), Failure>>;

/// Follows a script, and counts how often it was read.
struct Scripted {
    script: Script,
    n_readings: Arc<AtomicU64>,
}

impl Collector for Scripted {
    fn families(&self) -> Vec<Description> {
        vec![
            Description::gauge("test.level", "", Unit::NONE),
            Description::counter("test.served", "", Unit::NONE),
        ]
    }

    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
        let place = self.n_readings.fetch_add(1, Relaxed) as usize;
        self.script[place.min(self.script.len() - 1)](to)
    }
}

fn scripted(script: Script) -> (Source, Arc<AtomicU64>) {
    let n_readings = Arc::new(AtomicU64::new(0));
    (Source::new("test", Scripted { script, n_readings: n_readings.clone() }), n_readings)
}

/// The values of the first family that are not stale, by the first label's value.
pub(in crate::collect) fn levels(registered: &Registered) -> Vec<(String, f64)> {
    let mut found = Vec::new();
    registered.cache.each_fresh(0, |value, labels| {
        found.push((labels.first().map_or("", |(_, text)| *text).to_owned(), value));
    });
    found
}

fn level(registered: &Registered) -> Option<f64> {
    levels(registered).first().map(|(_, value)| *value)
}

fn counted(registry: &Registry, name: &str, reason: Option<&str>) -> f64 {
    let labels = [("source", "test"), ("reason", reason.unwrap_or_default())];
    let labels = if reason.is_some() { &labels[..] } else { &labels[..1] };
    registry.snapshot().value(name, labels).map_or(0.0, |value| value.as_f64())
}

const GOOD: fn(&mut Reading) -> Result<(), Failure> = |to| {
    to.observe("test.level", 1.0, &[]);
    Ok(())
};
const BAD: fn(&mut Reading) -> Result<(), Failure> = |to| {
    to.observe("test.level", 99.0, &[]);
    Err(Failure::new("timeout", "no answer"))
};

#[test]
fn one_reading_serves_every_family_and_every_reader() {
    let registry = Registry::new();
    let (source, n_readings) = scripted(vec![|to| {
        to.observe("test.level", 1.0, &[]);
        to.observe("test.served", 2.0, &[("who", "all")]);
        Ok(())
    }]);
    let _registered = source.cached_for(Duration::from_secs(3600)).register(&registry).unwrap();
    for _ in 0..3 {
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.value("test.level", &[]).unwrap().as_f64(), 1.0);
        assert_eq!(snapshot.value("test.served", &[("who", "all")]).unwrap().as_f64(), 2.0);
    }
    assert_eq!(n_readings.load(Relaxed), 1);
    assert_eq!(counted(&registry, "telemetry.source.readings", None), 1.0);
}

#[test]
fn a_source_is_read_anew_once_its_reading_is_old() {
    let clock = ManualClock::new();
    let _installed = clock::enter(Some(clock.clone()));
    let (source, n_readings) = scripted(vec![GOOD]);
    let registered = source.cached_for(Duration::from_secs(2)).register(&Registry::new()).unwrap();
    let look = || {
        if registered.cache.is_due() {
            registered.cache.read(None);
        }
    };
    for (step, expected) in [(0, 1), (1, 1), (1, 2), (1, 2), (60, 3)] {
        clock.advance(Duration::from_secs(step));
        look();
        look();
        assert_eq!(n_readings.load(Relaxed), expected);
    }
}

#[test]
fn the_last_good_values_stand_until_they_are_stale_and_come_back() {
    let clock = ManualClock::new();
    let _installed = clock::enter(Some(clock.clone()));
    let registry = Registry::new();
    let (source, _) = scripted(vec![GOOD, BAD, |_| panic!("a bug"), BAD, GOOD]);
    let source = source.stale_after(Duration::from_secs(30));
    let registered = source.register(&registry).unwrap();
    registered.refresh();
    for _ in 0..2 {
        clock.advance(Duration::from_secs(14));
        registered.refresh();
        assert_eq!(level(&registered), Some(1.0));
    }
    clock.advance(Duration::from_secs(2));
    registered.refresh();
    assert_eq!(level(&registered), None);
    registered.refresh();
    assert_eq!(level(&registered), Some(1.0));
    assert_eq!(counted(&registry, "telemetry.source.readings", None), 5.0);
    assert_eq!(counted(&registry, "telemetry.source.failures", Some("timeout")), 2.0);
    assert_eq!(counted(&registry, "telemetry.source.failures", Some("panic")), 1.0);
}

#[test]
fn a_repeated_time_stamp_is_dropped_counted_and_does_not_keep_values_fresh() {
    let clock = ManualClock::new();
    let _installed = clock::enter(Some(clock.clone()));
    let registry = Registry::new();
    let repeated: fn(&mut Reading) -> Result<(), Failure> = |to| {
        to.stamp(7);
        to.observe("test.level", 2.0, &[]);
        Ok(())
    };
    let (source, _) = scripted(vec![
        |to| {
            to.stamp(7);
            GOOD(to)
        },
        repeated,
        repeated,
        // A clock that was set back has new figures.
        |to| {
            to.stamp(6);
            to.observe("test.level", 3.0, &[]);
            Ok(())
        },
    ]);
    let registered = source.stale_after(Duration::from_secs(30)).register(&registry).unwrap();
    registered.refresh();
    clock.advance(Duration::from_secs(20));
    registered.refresh();
    assert_eq!(level(&registered), Some(1.0));
    clock.advance(Duration::from_secs(10));
    registered.refresh();
    assert_eq!(level(&registered), None);
    registered.refresh();
    assert_eq!(level(&registered), Some(3.0));
    assert_eq!(counted(&registry, "telemetry.source.duplicates", None), 2.0);
}

#[test]
fn a_series_that_is_not_in_a_whole_reading_is_gone_and_one_of_a_torn_reading_is_not() {
    let clock = ManualClock::new();
    let _installed = clock::enter(Some(clock.clone()));
    let (source, _) = scripted(vec![
        |to| {
            to.observe("test.level", 1.0, &[("n", "a")]);
            to.observe("test.level", 1.0, &[("n", "b")]);
            Ok(())
        },
        |to| {
            to.observe("test.level", 2.0, &[("n", "a")]);
            to.fail("test.level", Failure::new("missing", "b"));
            Ok(())
        },
        |to| {
            to.observe("test.level", 3.0, &[("n", "a")]);
            Ok(())
        },
    ]);
    let registered = source.register(&Registry::new()).unwrap();
    let level = |name: &str, value| (name.to_owned(), value);
    registered.refresh();
    registered.refresh();
    assert_eq!(levels(&registered), [level("a", 2.0), level("b", 1.0)]);
    registered.refresh();
    assert_eq!(levels(&registered), [level("a", 3.0)]);
}

#[test]
fn a_reading_under_way_holds_up_nobody() {
    let (entered, has_entered) = mpsc::sync_channel(0);
    let (go_on, may_go_on) = mpsc::sync_channel(0);
    let collector = Waiting { n_readings: 0, entered, may_go_on };
    let registry = Registry::new();
    let source = Source::new("test", collector).cached_for(Duration::from_secs(3600));
    let registered = Arc::new(source.register(&registry).unwrap());
    registered.refresh();
    let other = registered.clone();
    let reading = thread::spawn(move || other.refresh());
    has_entered.recv().unwrap();
    registered.refresh();
    assert_eq!(level(&registered), Some(1.0));
    assert_eq!(registry.snapshot().value("test.level", &[]).unwrap().as_f64(), 1.0);
    go_on.send(()).unwrap();
    reading.join().unwrap();
    assert_eq!(level(&registered), Some(2.0));
}

/// Waits in its second reading.
struct Waiting {
    n_readings: u32,
    entered: mpsc::SyncSender<()>,
    may_go_on: mpsc::Receiver<()>,
}

impl Collector for Waiting {
    fn families(&self) -> Vec<Description> {
        vec![Description::gauge("test.level", "", Unit::NONE)]
    }

    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
        self.n_readings += 1;
        if self.n_readings == 2 {
            self.entered.send(()).map_err(|_| Failure::new("test", "nobody waits"))?;
            self.may_go_on.recv().map_err(|_| Failure::new("test", "nobody lets go"))?;
        }
        to.observe("test.level", f64::from(self.n_readings), &[]);
        Ok(())
    }
}

#[test]
fn a_source_with_an_interval_is_read_on_its_own_thread_until_the_guard_is_dropped() {
    struct Reporting(mpsc::Sender<String>);
    impl Collector for Reporting {
        fn families(&self) -> Vec<Description> {
            Vec::new()
        }

        fn collect(&mut self, _: &mut Reading) -> Result<(), Failure> {
            let name = thread::current().name().unwrap_or_default().to_owned();
            self.0.send(name).map_err(|_| Failure::new("test", "nobody listens"))
        }
    }
    let (sender, names) = mpsc::channel();
    let source = Source::new("test", Reporting(sender)).every(Duration::from_millis(1));
    let registered = source.register(&Registry::new()).unwrap();
    for _ in 0..3 {
        assert_eq!(names.recv().unwrap(), "bellwether-poll");
    }
    drop(registered);
    // It ends when the collector is dropped: the thread has.
    while names.recv().is_ok() {}
}

#[test]
fn a_family_that_is_taken_leaves_nothing_registered() {
    let registry = Registry::new();
    let _taken = registry.gauge("test.served", "").build().unwrap();
    let (source, _) = scripted(vec![GOOD]);
    let error = source.register(&registry).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(registry.snapshot().family("test.level").is_none());
}

#[test]
fn dropping_the_guard_takes_the_families_off_and_keeping_it_does_not() {
    let registry = Registry::new();
    drop(scripted(vec![GOOD]).0.register(&registry).unwrap());
    assert!(registry.snapshot().family("test.level").is_none());
    scripted(vec![GOOD]).0.register(&registry).unwrap().keep();
    assert!(registry.snapshot().value("test.level", &[]).is_some());
}
