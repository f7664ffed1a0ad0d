//! A forked child starts with none of its parent's callbacks, sources and threads, whatever the
//! parent's other threads were at.
#![cfg(unix)]
#![allow(unsafe_code, reason = "fork has no safe call")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc, Mutex, MutexGuard,
        mpsc::{Sender, channel, sync_channel},
    },
    thread,
    time::Duration,
};

use bellwether::{
    Telemetry, Unit,
    alert::{Rule, absent, series},
    collect::{Collector, Description, Failure, Reading, Source},
    export::Memory,
    info,
    log::LogRecord,
    metric::{Observations, Observer, Registry, Snapshot},
    trace::{self, SpanRecord, Tracer, sampler::Tail},
};

/// Telemetry is the process's: one test at a time. A panic of one is no reason for the others.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What `work` returns in a forked child, which has twenty seconds.
fn in_child(work: impl FnOnce() -> String) -> String {
    let (mut reader, mut writer) = std::io::pipe().expect("pipes are to be had");
    // SAFETY: what the child calls is what these tests are about; glibc looks after the allocator.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: ends a child that hangs, and with it the test.
            unsafe { libc::alarm(20) };
            let call = std::panic::AssertUnwindSafe(work);
            let text = std::panic::catch_unwind(call).unwrap_or_else(|_| "panicked".to_owned());
            let _ = writer.write_all(text.as_bytes());
            // SAFETY: ends the child without running the harness's exit hooks a second time.
            unsafe { libc::_exit(0) }
        }
        child => {
            drop(writer);
            let mut text = String::new();
            #[expect(clippy::disallowed_methods, reason = "the writer is this test's own child")]
            reader.read_to_string(&mut text).expect("the child writes text");
            // SAFETY: waits for the child of this test; no status is asked for.
            unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
            text
        }
    }
}

fn observe(registry: &Registry, name: &str, value: f64) -> Result<Observer, bellwether::Error> {
    registry.gauge(name, "").observe(move |to| to.observe(value, &[]))
}

fn value(snapshot: &Snapshot, name: &str) -> Option<f64> {
    snapshot.value(name, &[]).map(|value| value.as_f64())
}

/// The names of the families, telling those of telemetry by one of them.
fn names(snapshot: &Snapshot) -> Vec<String> {
    let names = snapshot.families().iter().map(|family| family.name().to_owned());
    names.filter(|name| name.starts_with("test.") || name == "telemetry.queue.offered").collect()
}

struct Level;

impl Collector for Level {
    fn families(&self) -> Vec<Description> {
        vec![Description::gauge("test.level", "", Unit::NONE)]
    }

    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
        to.observe("test.level", 1.0, &[]);
        Ok(())
    }
}

fn start() -> Result<Telemetry, bellwether::Error> {
    let memory = Memory::<SpanRecord>::new();
    bellwether::builder("test").export(memory).source(Source::new("level", Level)).start()
}

#[test]
fn a_child_has_none_of_its_parents_callbacks_and_may_register_them_anew() {
    let _turn = turn();
    let global = Registry::global();
    let _own = observe(global, "test.own", 1.0).unwrap();
    let telemetry = start().unwrap();
    let all = ["telemetry.queue.offered", "test.level", "test.own"];
    assert_eq!(names(&telemetry.snapshot()), all);

    let child = in_child(|| {
        let inherited = names(&telemetry.snapshot());
        let own = observe(global, "test.own", 2.0).unwrap();
        let again = start().unwrap();
        let snapshot = again.snapshot();
        let (names, own) = ((names(&snapshot), value(&snapshot, "test.own")), own);
        bellwether::span("child").enter().end();
        let delivered = again.flush(Duration::from_secs(5)).totals().delivered;
        drop(own);
        format!("{inherited:?} {names:?} {delivered}")
    });

    assert_eq!(child, format!("[] ({all:?}, Some(2.0)) 1"));
    assert_eq!(names(&telemetry.snapshot()), all);
}

#[test]
fn an_instrument_of_a_child_may_have_the_name_of_its_parents_callback() {
    let _turn = turn();
    let registry = Registry::new();
    let _observer = observe(&registry, "test.name", 1.0).unwrap();
    let child = in_child(|| {
        registry.gauge("test.name", "").build().unwrap().set(5.0);
        format!("{:?}", value(&registry.snapshot(), "test.name"))
    });
    assert_eq!(child, "Some(5.0)");
    assert_eq!(value(&registry.snapshot(), "test.name"), Some(1.0));
}

/// A look of another thread that waits for its callback, until the test lets go.
fn look_under_way() -> (Sender<()>, thread::JoinHandle<Snapshot>) {
    let registry = Registry::new();
    let (entered, has_entered) = sync_channel(1);
    let (let_go, stuck) = channel::<()>();
    let stuck = Mutex::new(stuck);
    let observe = move |_: &mut Observations| {
        let _ = entered.try_send(());
        let _ = stuck.lock().unwrap().recv();
    };
    registry.gauge("test.stuck", "").observe(observe).unwrap().keep();
    let look = thread::spawn(move || registry.snapshot());
    has_entered.recv().unwrap();
    (let_go, look)
}

#[test]
fn a_child_does_not_wait_for_a_look_that_its_parent_was_at() {
    let _turn = turn();
    let (let_go, look) = look_under_way();
    let registry = Registry::new();
    let child = in_child(|| {
        // Whoever waits for the look in vain is told nothing.
        let _observer = observe(&registry, "test.child", 3.0).unwrap();
        format!("{:?}", value(&registry.snapshot(), "test.child"))
    });
    drop(let_go);
    assert_eq!(child, "Some(3.0)");
    look.join().unwrap();
}

#[test]
fn a_child_that_a_callback_forked_reads_as_any_other() {
    let _turn = turn();
    let registry = Registry::new();
    let (told, child) = channel();
    let inner = registry.clone();
    let fork = move |_: &mut Observations| {
        let text = in_child(|| {
            let _observer = observe(&inner, "test.child", 4.0).unwrap();
            format!("{:?}", names(&inner.snapshot()))
        });
        let _ = told.send(text);
    };
    let _observer = registry.gauge("test.forks", "").observe(fork).unwrap();
    drop(registry.snapshot());
    assert_eq!(child.recv().unwrap(), r#"["test.child"]"#);
}

/// Is described when the test lets it.
struct Held(Mutex<std::sync::mpsc::Receiver<()>>, std::sync::mpsc::SyncSender<()>);

impl Collector for Held {
    fn families(&self) -> Vec<Description> {
        let _ = self.1.send(());
        let _ = self.0.lock().unwrap().recv();
        Vec::new()
    }

    fn collect(&mut self, _: &mut Reading) -> Result<(), Failure> {
        Ok(())
    }
}

#[test]
fn a_child_may_start_while_its_parent_was_starting() {
    let _turn = turn();
    let ((entered, has_entered), (let_go, held)) = (sync_channel(0), channel());
    let source = Source::new("held", Held(Mutex::new(held), entered));
    let starting = thread::spawn(move || bellwether::builder("test").source(source).start());
    has_entered.recv().unwrap();
    let child = in_child(|| format!("{:?}", names(&start().unwrap().snapshot())));
    drop(let_go);
    assert_eq!(child, r#"["telemetry.queue.offered", "test.level"]"#);
    drop(starting.join().unwrap().unwrap());
}

#[test]
fn dropping_the_parents_telemetry_in_a_child_disturbs_nobody() {
    let _turn = turn();
    let builder = bellwether::builder("test").prometheus("127.0.0.1:0");
    let telemetry = Arc::new(Mutex::new(Some(builder.start().unwrap())));
    let address = telemetry.lock().unwrap().as_ref().unwrap().local_addrs()[0];
    let child = in_child(|| {
        drop(telemetry.lock().unwrap().take());
        names(&start().unwrap().snapshot()).join(" ")
    });
    assert_eq!(child, "telemetry.queue.offered test.level");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    drop(telemetry);
}

#[test]
fn a_child_has_no_alerts_rules_or_windows_of_its_parent() {
    let _turn = turn();
    let (fires, fired) = channel();
    let rule = Rule::new("Nothing", absent(series("test.never.recorded")));
    let telemetry = bellwether::builder("parent")
        .alert_rule(rule)
        .on_transition(move |_| _ = fires.send(()))
        .tick(Duration::from_millis(5))
        .start()
        .unwrap();
    fired.recv_timeout(Duration::from_secs(20)).unwrap();
    let told = || {
        let spans = telemetry.window(Duration::from_secs(9)).duration() > Duration::ZERO;
        format!("{} {} {spans}", telemetry.alerts().len(), telemetry.rules().len())
    };
    assert_eq!(told(), "1 1 true");
    assert_eq!(in_child(told), "0 0 false");
}

#[test]
fn a_child_exports_no_open_spans_of_its_parent() {
    let _turn = turn();
    let start = |spans: &Memory<SpanRecord>| {
        let builder = bellwether::builder("test").export(spans.clone()).export_open_spans();
        builder.start().unwrap()
    };
    let names = |spans: &Memory<SpanRecord>| {
        let names = spans.records().into_iter().map(|span| span.name().to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    let spans = Memory::<SpanRecord>::new();
    let telemetry = start(&spans);
    let mut parents = bellwether::span("parents").start();
    let in_child = in_child(|| {
        let spans = Memory::<SpanRecord>::new();
        let telemetry = start(&spans);
        let _childs = bellwether::span("childs").start();
        parents.set_attribute("in", "child");
        telemetry.flush(Duration::from_secs(5));
        names(&spans)
    });
    telemetry.flush(Duration::from_secs(5));
    assert_eq!((in_child.as_str(), names(&spans).as_str()), ("childs", "parents"));
    assert_eq!(spans.records()[0].attributes().len(), 1, "the mark alone");
}

#[test]
fn a_child_delivers_no_logs_of_its_parent_and_may_log_anew() {
    let _turn = turn();
    let logs = Memory::<LogRecord>::new();
    let builder = bellwether::builder("parent").export(logs.clone());
    let telemetry = builder.start().unwrap();
    info!("of the parent");
    let told = in_child(|| {
        info!("nobody takes it");
        let own = Memory::<LogRecord>::new();
        let telemetry = bellwether::builder("child").export(own.clone()).start().unwrap();
        info!("of the child");
        telemetry.shutdown(Duration::from_secs(20));
        let bodies: Vec<_> = own.records().iter().map(|of| of.body().to_string()).collect();
        bodies.join(",")
    });
    assert_eq!(told, "of the child");
    telemetry.shutdown(Duration::from_secs(20));
    assert_eq!(logs.len(), 1);
}

#[test]
fn a_child_may_call_the_macros_of_logs_whatever_locks_its_parent_held() {
    let _turn = turn();
    let builder = bellwether::builder("parent").export(Memory::<LogRecord>::new());
    let telemetry = builder.start().unwrap();
    let is_done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
                telemetry.set_log_filter("info,a=debug,b=warn".parse().unwrap());
            }
        });
        let children: Vec<_> = (0..300)
            .map(|_| {
                in_child(|| {
                    info!("nobody takes it");
                    "alive".to_owned()
                })
            })
            .take_while(|told| told == "alive")
            .collect();
        is_done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(children.len(), 300);
    });
    telemetry.shutdown(Duration::from_secs(20));
}

#[test]
fn a_child_exports_no_spans_that_wait_for_its_parents_tail_sampler() {
    let _turn = turn();
    let names = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&names);
    let accept = move |spans: &mut Vec<SpanRecord>| {
        sink.lock().unwrap().extend(spans.iter().map(|span| span.name().to_owned()));
    };
    let tail = Tail::new().otherwise(1.0);
    let tracer = Tracer::builder(accept).tail_sampler(tail).build();
    let _entered = trace::enter(Some(Arc::clone(&tracer)));
    let all = || {
        tracer.flush();
        names.lock().unwrap().join(" ")
    };
    bellwether::span("parents").enter().end();
    tracer.collect(); // It has seen the root, and waits for what may have ended before.
    let in_child = in_child(|| {
        bellwether::span("childs").enter().end();
        all()
    });
    assert_eq!((in_child.as_str(), all().as_str()), ("childs", "parents"));
}

#[test]
fn a_child_waits_for_no_flush_of_its_parent_and_its_own_answers_at_once() {
    use std::{
        future::Future as _,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    let _turn = turn();
    let ((entered, has_entered), (let_go, held)) = (sync_channel(0), channel::<()>());
    let hangs = move |_: &mut Vec<SpanRecord>| {
        let _ = entered.send(());
        let _ = held.recv();
    };
    let held = Mutex::new(hangs);
    let processor = move |spans: &mut Vec<SpanRecord>| (held.lock().unwrap())(spans);
    let route = bellwether::pipeline::Route::new(Memory::<SpanRecord>::new()).process(processor);
    let telemetry = bellwether::builder("test").export(route).start().unwrap();
    bellwether::span("parents").enter().end();
    let twenty = Duration::from_secs(20);
    let mut flush = pin!(telemetry.flush_async(twenty));
    has_entered.recv().unwrap();
    let context = &mut Context::from_waker(Waker::noop());
    assert!(flush.as_mut().poll(context).is_pending());
    let child = in_child(|| {
        let inherited = flush.as_mut().poll(context).map(|report| report.settled);
        let own = pin!(telemetry.flush_async(twenty)).poll(context).map(|report| report.settled);
        let persist = pin!(telemetry.persist_async(twenty)).poll(context);
        let end = pin!(telemetry.shutdown_async(twenty)).poll(context).map(|end| end.queues.len());
        let all = (inherited, own, persist, end);
        let no = Poll::Ready(false);
        format!("{} {}", all == (no, no, no, Poll::Ready(0)), telemetry.doctor().findings[0].kind)
    });
    drop(let_go);
    assert_eq!(child, "true inherited");
    assert_eq!(telemetry.shutdown(twenty).totals().delivered, 1);
}
