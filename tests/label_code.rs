//! The type of a label set has code of its own, and so have callbacks and the diagnostic hook: while it
//! runs, nothing is locked and nothing that it records is lost.
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    borrow::Cow,
    sync::{
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::Duration,
};

use bellwether::{
    Counter,
    label::Labels,
    metric::{Info, Registry},
};

/// How long something may take that would otherwise never end.
const SECONDS: Duration = Duration::from_secs(10);

/// A label whose type does something each time it is asked for its text.
struct Busy(&'static str, fn());

impl Labels for Busy {
    const KEYS: &'static [&'static str] = &["text"];
    const CARDINALITY: Option<usize> = None;

    fn index(&self) -> usize {
        0
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        (self.1)();
        each(self.0);
    }

    fn at(_index: usize) -> Vec<Cow<'static, str>> {
        Vec::new()
    }
}

/// Runs `act` on a thread of its own, so that one that never ends is a failure.
fn ends(act: impl FnOnce() + Send + 'static) {
    let (done, came) = mpsc::channel();
    thread::spawn(move || {
        act();
        done.send(())
    });
    assert_eq!(came.recv_timeout(SECONDS), Ok(()), "it never came back");
}

#[test]
fn a_label_may_record_while_it_is_asked_for_its_text() {
    static ASKED: Counter<Busy> = Counter::new("test.labels.asked", "");
    static OUTER: Counter<Busy> = Counter::new("test.labels.outer", "");
    static N_ASKED: AtomicU64 = AtomicU64::new(0);
    fn record() {
        let n = N_ASKED.fetch_add(1, Relaxed);
        ASKED.with(Busy(["a", "b", "c", "d"][n as usize % 4], || {})).inc();
    }
    ends(|| OUTER.with(Busy("a", record)).inc());
    let snapshot = Registry::global().snapshot();
    assert_eq!(snapshot.value("test.labels.outer", &[("text", "a")]).unwrap().as_f64(), 1.0);
    let asked = snapshot.family("test.labels.asked").expect("recorded").series();
    let asked: f64 = asked.iter().map(|series| series.value().as_f64()).sum();
    assert_eq!(asked, N_ASKED.load(Relaxed) as f64);
}

#[test]
fn a_label_of_an_info_may_set_the_info() {
    static BUILD: Info<Busy> = Info::new("test.labels.build", "");
    ends(|| BUILD.set(Busy("outer", || BUILD.set(Busy("inner", || {})))));
    let snapshot = Registry::global().snapshot();
    assert!(snapshot.value("test.labels.build", &[("text", "outer")]).is_some());
    assert!(snapshot.value("test.labels.build", &[("text", "inner")]).is_none());
}

#[test]
fn a_hook_that_hears_of_a_callback_that_is_stuck_may_read_the_others() {
    let (stop, stopped) = mpsc::channel::<()>();
    let stopped = std::sync::Mutex::new(stopped);
    let registry = Registry::new();
    let observe = |name, read: Box<dyn Fn() -> f64 + Send + Sync>| {
        let read = move |to: &mut bellwether::metric::Observations| to.observe(read(), &[]);
        registry.gauge(name, "").observe(read).unwrap()
    };
    let _stuck = observe(
        "test.labels.stuck",
        Box::new(move || {
            let _ = stopped.lock().unwrap().recv();
            0.0
        }),
    );
    let _quick = observe("test.labels.quick", Box::new(|| 1.0));
    let (heard, seen) = mpsc::channel();
    let asked = registry.clone();
    let hook = move |kind: &str, _text: &str| {
        if kind == "callback" {
            let _ = heard.send(asked.snapshot().family("test.labels.quick").is_some());
        }
    };
    drop(bellwether::builder("test").on_diagnostic(hook).disabled().start().unwrap());
    let _ = registry.snapshot();
    assert_eq!(seen.recv_timeout(SECONDS), Ok(true));
    drop(stop);
}
