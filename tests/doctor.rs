//! What the doctor says: what is configured, reachable and lost, what to do about it, and no secret.
#![cfg(all(feature = "otlp", feature = "prometheus-listener"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    time::Duration,
};

use bellwether::{
    Builder, Telemetry,
    alert::{Rule, absent, notify, series},
    export::{Memory, otlp::Otlp},
    pipeline::{Batch, Deadline, ExportError, ExportResult, Exporter, Route},
    telemetry::{Concern, Doctor, Finding, LifePhase, Reach},
    trace::SpanRecord,
    transport::{Endpoint, Secret},
};
use support::{PATIENCE, Reply, Server};

mod support;

/// Telemetry is one for the process: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const SHORT: Duration = Duration::from_millis(200);
const CANARY: &str = "canary-of-a-secret";

fn builder() -> Builder {
    bellwether::builder("shop").on_diagnostic(|_, _| ())
}

fn spans(n: usize) {
    (0..n).for_each(|_| drop(bellwether::span("checkout").enter()));
}

fn kinds(doctor: &Doctor) -> Vec<&'static str> {
    doctor.findings.iter().map(|finding| finding.kind).collect()
}

fn finding<'a>(doctor: &'a Doctor, kind: &str) -> &'a Finding {
    let found = doctor.findings.iter().find(|finding| finding.kind == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {doctor}"))
}

fn otlp(url: &str) -> Otlp {
    let endpoint = Endpoint::new(url).allow_plain_http().allow_private();
    Otlp::new(endpoint.bearer(Secret::new(CANARY))).without_metrics()
}

#[test]
fn where_all_is_well_it_says_what_is_configured_and_finds_nothing() {
    let _turn = turn();
    let server = Server::by(|_| Reply::ok());
    let telemetry = builder().export(otlp(&server.url(""))).start().unwrap();
    assert_eq!(telemetry.doctor().routes[0].reach, Reach::NotTried);
    spans(3);
    telemetry.flush(PATIENCE);
    let doctor = telemetry.doctor();
    assert!(doctor.is_well() && doctor.findings.is_empty(), "{doctor}");
    assert_eq!((doctor.phase, doctor.routes.len()), (LifePhase::Running, 2));
    assert_eq!((doctor.routes[0].reach, doctor.routes[1].reach), (Reach::Taking, Reach::NotTried));
    let text = doctor.to_string();
    for part in [
        "telemetry is running",
        "service.name=\"shop\"",
        &format!("spans to otlp at {}", server.url("").trim_end_matches('/')),
        "takes what it is sent; offered=3 delivered=3",
        "holds at most 262,144 records or 64 MiB",
        "logs to otlp",
        "not tried yet",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!format!("{text} {doctor:?}").contains(CANARY), "{text} {doctor:?}");
}

#[test]
fn a_backend_that_is_away_is_named_with_its_error_and_with_what_to_do() {
    let _turn = turn();
    let address = support::nobody();
    let telemetry = builder().export(otlp(&format!("http://{address}"))).start().unwrap();
    spans(3);
    telemetry.flush(SHORT);
    let doctor = telemetry.doctor();
    let failing = finding(&doctor, "failing");
    assert_eq!((failing.concern, doctor.routes[0].reach), (Concern::Trouble, Reach::Failing));
    let address = address.to_string();
    for part in ["spans to \"otlp\"", &address, "nothing was delivered yet", "in a row failed"] {
        assert!(failing.what.contains(part), "{part} in {failing}");
    }
    assert!(failing.advice.contains("is the port right"), "{failing}");
    assert!(failing.advice.contains("262,144 records wait in memory"), "{failing}");
    telemetry.shutdown(SHORT);
    let doctor = telemetry.doctor();
    assert_eq!((doctor.phase, doctor.is_well()), (LifePhase::ShutDown, false));
    let lost = finding(&doctor, "shutdown");
    assert!(lost.what.contains("3 spans dropped") && lost.concern == Concern::Loss, "{lost}");
    assert!(!format!("{doctor} {doctor:?}").contains(CANARY));
}

#[test]
fn a_backend_that_hangs_is_no_backend_that_was_not_tried() {
    let _turn = turn();
    let server = Server::by(|_| Reply::silence());
    let telemetry = builder().export(otlp(&server.url(""))).start().unwrap();
    spans(1);
    telemetry.flush(SHORT);
    let doctor = telemetry.doctor();
    assert_eq!(doctor.routes[0].reach, Reach::NoAnswerYet, "{doctor}");
    assert!(!doctor.is_well(), "{doctor}");
    telemetry.shutdown(SHORT);
}

#[test]
fn a_backend_that_refuses_is_quoted() {
    let _turn = turn();
    let server = Server::by(|_| Reply::status(401));
    let telemetry = builder().export(otlp(&server.url(""))).start().unwrap();
    spans(2);
    telemetry.flush(PATIENCE);
    let doctor = telemetry.doctor();
    assert_eq!(doctor.routes[0].reach, Reach::Refusing);
    let rejected = finding(&doctor, "rejected");
    assert!(rejected.what.contains("2 spans dropped"), "{rejected}");
    assert!(
        rejected.advice.contains("credentials") && rejected.advice.contains("401"),
        "{rejected}"
    );
    assert!(!format!("{doctor} {doctor:?}").contains(CANARY));
}

/// Waits until it is let go, then refuses or panics.
struct Odd(mpsc::Receiver<()>, bool);

impl Exporter<SpanRecord> for Odd {
    fn export(&mut self, _: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        let _ = self.0.recv();
        assert!(!self.1, "out of order");
        Err(ExportError::reject("no"))
    }

    fn name(&self) -> &str {
        "odd"
    }
}

fn odd(panics: bool) -> (Telemetry, mpsc::Sender<()>) {
    let (let_go, held) = mpsc::channel();
    let route = Route::new(Odd(held, panics)).settings(|settings| {
        settings.max_items = 4;
        settings.batch_items = 1;
    });
    (builder().export(route).start().unwrap(), let_go)
}

#[test]
fn a_full_queue_says_how_many_were_lost_and_how_large_it_is() {
    let _turn = turn();
    let (telemetry, let_go) = odd(false);
    spans(1_238);
    telemetry.flush(SHORT);
    let doctor = telemetry.doctor();
    assert_eq!(kinds(&doctor), ["queue_full", "no_answer"], "{doctor}");
    let full = finding(&doctor, "queue_full");
    assert_eq!(full.what, "spans to \"odd\": 1,234 spans dropped: the queue was full");
    assert!(full.advice.contains("sample") && full.advice.contains("`max_items` (4)"), "{full}");
    drop(let_go);
    telemetry.flush(PATIENCE);
    assert_eq!(kinds(&telemetry.doctor()), ["queue_full", "rejected"]);
}

#[test]
fn a_panic_of_an_exporter_is_quoted() {
    let _turn = turn();
    let (telemetry, let_go) = odd(true);
    spans(1);
    drop(let_go);
    telemetry.flush(PATIENCE);
    let doctor = telemetry.doctor();
    let panicked = finding(&doctor, "panic");
    assert!(panicked.what.contains("1 span dropped"), "{panicked}");
    assert!(panicked.advice.contains("out of order"), "{panicked}");
}

#[test]
fn what_may_not_be_meant_is_advised_about() {
    let _turn = turn();
    let rule = || Rule::new("Quiet", absent(series("test.nothing")));
    let start = |builder: Builder| {
        let telemetry = builder.start().unwrap();
        spans(2);
        telemetry.flush(PATIENCE);
        telemetry.doctor()
    };
    let odd = start(bellwether::builder("").alert_rule(rule()).prometheus("0.0.0.0:0"));
    assert_eq!(kinds(&odd), ["no_name", "no_route", "no_notifier", "listener"], "{odd}");
    assert!(odd.is_well(), "it is advice alone");
    assert!(finding(&odd, "no_route").what.contains("2 spans recorded for nobody"), "{odd}");
    assert!(odd.to_string().contains("no routes\nlistens on 0.0.0.0:"), "{odd}");

    let memory = || Memory::<SpanRecord>::new();
    let told = builder().alert_rule(rule()).prometheus("127.0.0.1:0").export(memory());
    let told = start(told.notify(notify::Writer::new(std::io::sink())));
    assert_eq!((kinds(&told), told.n_rules), (vec![], 1), "{told}");
    let called = start(builder().alert_rule(rule()).on_transition(|_| ()).export(memory()));
    assert_eq!(kinds(&called), [""; 0], "{called}");
}

#[test]
fn disabled_telemetry_says_that_it_is() {
    let _turn = turn();
    let doctor = builder().export(Memory::<SpanRecord>::new()).disabled().start().unwrap().doctor();
    assert_eq!((doctor.phase, kinds(&doctor)), (LifePhase::Disabled, vec!["disabled"]), "{doctor}");
}
