//! Conditions, callbacks and diagnostic hooks are code of the user's: nothing of the crate's is locked
//! while they run, so they may ask the telemetry whatever they like.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rule is the library's own"
)]
#![allow(clippy::unwrap_used, reason = "functions of tests, and processes that tests start")]

use std::{
    process::{Command, exit},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    time::Duration,
};

use bellwether::{
    ErrorKind, Gauge, Telemetry,
    alert::{
        AlertState, Condition, Need, Notification, Rule, SampleWindow, notify::Writer, series,
    },
    clock::Ticks,
    label::LabelSet,
    pipeline::{Batch, Deadline, ExportResult, Exporter, Route, Setup},
};

/// How long something may take that would otherwise never end.
const SECONDS: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(5);

/// One telemetry runs at a time.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The telemetry, for code that it runs itself.
type Reached = Arc<OnceLock<Arc<Telemetry>>>;

/// Calls `act` at every tick once the telemetry is reached, and says what came of it.
struct Acts<R> {
    reached: Reached,
    act: fn(&Telemetry) -> R,
    done: Sender<R>,
}

impl<R: Send> Condition for Acts<R> {
    fn evaluate(&self, _window: &SampleWindow, _now: Ticks) -> Vec<(LabelSet, f64)> {
        if let Some(telemetry) = self.reached.get() {
            let _ = self.done.send((self.act)(telemetry));
        }
        vec![(LabelSet::default(), 1.0)]
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }
}

/// What `act` came to within a condition that ticks.
fn in_a_condition<R: Send + 'static>(act: fn(&Telemetry) -> R) -> Result<R, &'static str> {
    let (done, came) = mpsc::channel();
    let reached = Reached::default();
    let condition = Acts { reached: reached.clone(), act, done };
    let rule = Rule::new("Acts", condition);
    let telemetry = bellwether::builder("test").alert_rule(rule).tick(TICK).start().unwrap();
    let telemetry = Arc::new(telemetry);
    let _ = reached.set(telemetry.clone());
    let came = within(&came);
    telemetry.shutdown(SECONDS); // The condition, which has a share in it, goes too.
    came
}

fn within<R>(came: &Receiver<R>) -> Result<R, &'static str> {
    came.recv_timeout(SECONDS).map_err(|_| "it never came back")
}

#[test]
fn a_condition_may_ask_for_the_alerts_and_the_rules() {
    let _turn = turn();
    assert_eq!(in_a_condition(|telemetry| telemetry.rules().len()), Ok(1));
    assert_eq!(in_a_condition(|telemetry| telemetry.alerts().len() < 2), Ok(true));
    assert_eq!(in_a_condition(|telemetry| telemetry.flush(SECONDS).settled), Ok(true));
}

#[test]
fn a_condition_that_takes_a_snapshot_sees_the_figures_of_the_rules_and_waits_for_none() {
    let _turn = turn();
    let seen = in_a_condition(|telemetry| {
        let snapshot = telemetry.snapshot();
        let all = ["telemetry.history.size", "telemetry.alert.ticks.missed"];
        all.map(|name| snapshot.family(name).is_some())
    });
    assert_eq!(seen, Ok([true, true]));
    let window = in_a_condition(|telemetry| {
        let window = telemetry.window(SECONDS);
        window.later().family("telemetry.history.size").is_some()
    });
    assert_eq!(window, Ok(true));
}

#[test]
fn a_condition_may_describe_itself_by_what_the_telemetry_says() {
    struct Describes(Reached);
    impl Condition for Describes {
        fn evaluate(&self, _window: &SampleWindow, _now: Ticks) -> Vec<(LabelSet, f64)> {
            Vec::new()
        }

        fn needs(&self) -> Vec<Need> {
            Vec::new()
        }

        fn describe(&self) -> String {
            let n = self.0.get().map(|telemetry| telemetry.alerts().len());
            format!("{n:?} alerts")
        }
    }
    let _turn = turn();
    let reached = Reached::default();
    let rule = Rule::new("Describes", Describes(reached.clone()));
    let telemetry = bellwether::builder("test").alert_rule(rule).tick(TICK).start().unwrap();
    let telemetry = Arc::new(telemetry);
    let _ = reached.set(telemetry.clone());
    let (done, came) = mpsc::channel();
    let asked = telemetry.clone();
    std::thread::spawn(move || done.send(asked.rules()));
    assert_eq!(within(&came).map(|rules| rules.len()), Ok(1));
    telemetry.shutdown(SECONDS);
}

#[test]
fn a_hook_that_hears_of_a_rule_in_error_may_ask_how_it_fares() {
    struct Panics;
    impl Condition for Panics {
        fn evaluate(&self, _window: &SampleWindow, _now: Ticks) -> Vec<(LabelSet, f64)> {
            panic!("out of order");
        }

        fn needs(&self) -> Vec<Need> {
            Vec::new()
        }
    }
    let _turn = turn();
    let (done, came) = mpsc::channel();
    let reached = Reached::default();
    let heard = reached.clone();
    let hook = move |kind: &str, _text: &str| {
        let telemetry = heard.wait();
        let error = telemetry.rules().pop().and_then(|rule| rule.error);
        let _ = done.send((kind.to_owned(), error, telemetry.alerts().len()));
    };
    let telemetry = bellwether::builder("test")
        .alert_rule(Rule::new("Panics", Panics))
        .on_diagnostic(hook)
        .tick(TICK)
        .start()
        .unwrap();
    let telemetry = Arc::new(telemetry);
    let _ = reached.set(telemetry.clone());
    let error = Some("the condition panicked: out of order".to_owned());
    assert_eq!(within(&came), Ok(("alert rule".to_owned(), error, 0)));
    telemetry.shutdown(SECONDS);
}

/// Tries to start telemetry where it is asked at the start.
struct Starts(Sender<ErrorKind>);

impl Starts {
    fn try_to_start(&self) {
        let kind = bellwether::builder("inner").start().map_err(|error| error.kind());
        let _ = self.0.send(kind.expect_err("one is being started already"));
    }
}

impl Condition for Starts {
    fn evaluate(&self, _window: &SampleWindow, _now: Ticks) -> Vec<(LabelSet, f64)> {
        Vec::new()
    }

    fn needs(&self) -> Vec<Need> {
        self.try_to_start();
        Vec::new()
    }

    fn check(&self) -> Result<(), String> {
        self.try_to_start();
        Ok(())
    }

    fn describe(&self) -> String {
        self.try_to_start();
        "starts".to_owned()
    }
}

impl Exporter<Notification> for Starts {
    fn start(&mut self, _setup: &Setup) -> Result<(), bellwether::Error> {
        self.try_to_start();
        Ok(())
    }

    fn export(&mut self, _batch: &Batch<Notification>, _: &Deadline) -> ExportResult<Notification> {
        Ok(())
    }
}

#[test]
fn what_is_asked_at_the_start_may_try_to_start_and_gets_an_error() {
    let _turn = turn();
    let (asked, kinds) = mpsc::channel();
    let (done, came) = mpsc::channel();
    std::thread::spawn(move || {
        let telemetry = bellwether::builder("outer")
            .alert_rule(Rule::new("Starts", Starts(asked.clone())))
            .notify(Route::new(Starts(asked)))
            .start();
        done.send(telemetry.map(drop).is_ok())
    });
    assert_eq!(within(&came), Ok(true));
    let kinds: Vec<ErrorKind> = kinds.try_iter().collect();
    assert!(kinds.len() >= 3 && kinds.iter().all(|&kind| kind == ErrorKind::State), "{kinds:?}");
}

#[test]
fn a_start_that_fails_or_panics_leaves_room_for_the_next() {
    struct Bad(bool);
    impl Condition for Bad {
        fn evaluate(&self, _window: &SampleWindow, _now: Ticks) -> Vec<(LabelSet, f64)> {
            Vec::new()
        }

        fn needs(&self) -> Vec<Need> {
            Vec::new()
        }

        fn check(&self) -> Result<(), String> {
            assert!(!self.0, "a check that panics");
            Err("it cannot be".to_owned())
        }
    }
    let _turn = turn();
    for panics in [false, true] {
        let bad = || bellwether::builder("test").alert_rule(Rule::new("Bad", Bad(panics))).start();
        assert!(!matches!(std::panic::catch_unwind(bad), Ok(Ok(_))));
        drop(bellwether::builder("test").start().unwrap());
    }
}

#[test]
fn a_notifier_has_been_told_before_a_callback_runs() {
    static LEVEL: Gauge = Gauge::new("test.user.level", "");
    struct Tells(Sender<AlertState>);
    impl Exporter<Notification> for Tells {
        fn export(
            &mut self,
            batch: &Batch<Notification>,
            _: &Deadline,
        ) -> ExportResult<Notification> {
            for notification in batch.iter() {
                let _ = self.0.send(notification.status());
            }
            Ok(())
        }
    }
    let _turn = turn();
    let (tell, told) = mpsc::channel();
    let (done, came) = mpsc::channel();
    let told = Mutex::new(told);
    let telemetry = bellwether::builder("test")
        .alert_rule(Rule::new("High", series("test.user.level").last().above(0.0)))
        .notify(Route::new(Tells(tell)))
        .on_transition(move |_| {
            let _ = done.send(within(&told.lock().unwrap()));
        })
        .tick(TICK)
        .start()
        .unwrap();
    LEVEL.set(1.0);
    assert_eq!(came.recv_timeout(2 * SECONDS), Ok(Ok(AlertState::Firing)));
    drop(telemetry);
}

/// Runs the test `name` in a process of its own, in which `CHILD` is set; what its notifier wrote.
fn told_by_a_child(name: &str) -> String {
    let path = std::env::temp_dir().join(format!("bellwether-{name}-{}", std::process::id()));
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child.args(["--exact", name]).env(CHILD, &path).output().unwrap();
    let told = std::fs::read_to_string(&path).unwrap_or_default();
    let _ = std::fs::remove_file(&path);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    told
}

const CHILD: &str = "BELLWETHER_TEST_TOLD";

/// A notifier to the file that a child was told to write to; `None` in the parent.
fn notifier_of_a_child() -> Option<Writer<std::fs::File>> {
    std::env::var_os(CHILD).map(|path| Writer::new(std::fs::File::create(path).unwrap()))
}

fn high() -> Rule {
    Rule::new("High", series("test.user.exit").last().above(0.0))
}

static EXIT: Gauge = Gauge::new("test.user.exit", "");

#[test]
fn a_callback_that_leaves_the_process_loses_no_notification() {
    let Some(notifier) = notifier_of_a_child() else {
        let told = told_by_a_child("a_callback_that_leaves_the_process_loses_no_notification");
        return assert_eq!(told, "FIRING High service_name=test value=1\n");
    };
    EXIT.set(1.0);
    let builder = bellwether::builder("test").alert_rule(high()).notify(notifier);
    let _telemetry = builder.on_transition(|_| exit(7)).tick(TICK).start().unwrap();
    std::thread::sleep(SECONDS);
}

#[test]
fn a_hook_that_leaves_the_process_loses_no_notification() {
    struct Panics;
    impl Condition for Panics {
        fn evaluate(&self, _window: &SampleWindow, _now: Ticks) -> Vec<(LabelSet, f64)> {
            panic!("out of order");
        }

        fn needs(&self) -> Vec<Need> {
            Vec::new()
        }
    }
    let Some(notifier) = notifier_of_a_child() else {
        let told = told_by_a_child("a_hook_that_leaves_the_process_loses_no_notification");
        return assert_eq!(told, "FIRING High service_name=test value=1\n");
    };
    EXIT.set(1.0);
    let builder = bellwether::builder("test").alert_rule(Rule::new("Panics", Panics));
    let builder = builder.alert_rule(high()).notify(notifier);
    let _telemetry = builder.on_diagnostic(|_, _| exit(7)).tick(TICK).start().unwrap();
    std::thread::sleep(SECONDS);
}
