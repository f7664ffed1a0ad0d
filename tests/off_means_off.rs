//! Off means off: disabled, not started and after shutdown there is no thread of ours, no span, no id
//! of our own, and what a caller sent goes on to others as it came.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the rules are the library's own"
)]

use std::{
    collections::HashMap,
    future::Future,
    pin::{Pin, pin},
    sync::{Mutex, MutexGuard},
    task::{self, Poll, Waker},
    time::Duration,
};

use bellwether::{
    Counter, InSpan, Telemetry,
    alert::{Rule, notify, series},
    context::Context,
    current,
    export::Memory,
    extract, inject, observe, span, time,
    trace::{SpanKind, SpanRecord, inject_context},
};

/// What is off is so for the process: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

type Headers = HashMap<String, String>;

fn callers() -> Headers {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let state = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7";
    [("traceparent", parent), ("tracestate", state)].map(|(k, v)| (k.into(), v.into())).into()
}

fn outgoing() -> Headers {
    let mut headers = Headers::new();
    inject(&mut headers);
    headers
}

fn outgoing_of(context: &Context) -> Headers {
    let mut headers = Headers::new();
    inject_context(context, &mut headers);
    headers
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut task::Context::from_waker(Waker::noop()))
}

/// Ready at the second poll.
async fn yield_once() {
    let mut is_second = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut is_second, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn start_disabled(memory: &Memory<SpanRecord>) -> Telemetry {
    bellwether::builder("off")
        .export(memory.clone())
        .prometheus("127.0.0.1:0")
        .notify(notify::Writer::new(std::io::sink()))
        .alert_rule(Rule::new("always", series("test.off.events").last().above(-1.0)))
        .tick(Duration::from_millis(10))
        .disabled()
        .start()
        .unwrap()
}

/// Runs `check` in every state in which nothing is recorded.
fn in_every_state(check: impl Fn(&str)) {
    let _turn = turn();
    let memory = Memory::new();
    check("not started");
    let disabled = start_disabled(&memory);
    check("disabled");
    disabled.flush(Duration::from_secs(10));
    drop(disabled);
    check("disabled and shut down");
    let telemetry = bellwether::builder("on").export(memory.clone()).start().unwrap();
    telemetry.shutdown(Duration::from_secs(10));
    check("shut down");
    drop(telemetry);
    assert!(memory.records().is_empty());
    assert!(current().is_none());
}

#[test]
fn a_scope_passes_its_parent_through() {
    in_every_state(|state| {
        let request = span("GET /").kind(SpanKind::Server).parent(extract(&callers())).enter();
        assert_eq!(outgoing(), callers(), "{state}");
        assert_eq!(outgoing_of(&request.context()), callers(), "{state}");
        {
            let inner = span("query").enter();
            inner.set_attribute("rows", 3);
            assert!(!inner.is_recording());
            assert_eq!(outgoing(), callers(), "{state}");
            assert_eq!(outgoing_of(&inner.context()), callers(), "{state}");
        }
        assert_eq!(outgoing(), callers(), "{state}");
        drop(request);
        assert_eq!(outgoing(), Headers::new(), "{state}");
    });
}

#[test]
fn guards_in_any_order_leave_the_callers_context_as_long_as_its_scope() {
    in_every_state(|state| {
        let mut other = callers();
        let parent = "00-11111111111111111111111111111111-2222222222222222-00";
        other.insert("traceparent".into(), parent.into());
        let first = span("a").parent(extract(&callers())).enter();
        let second = span("b").parent(extract(&other)).enter();
        assert_eq!(outgoing(), other, "{state}");
        assert_eq!(outgoing_of(&first.context()), callers(), "{state}");
        drop(first);
        assert_eq!(outgoing(), other, "{state}");
        drop(second);
        assert_eq!(outgoing(), Headers::new(), "{state}");
    });
}

#[test]
fn a_span_of_its_own_trace_passes_nothing_through() {
    in_every_state(|state| {
        let _request = span("GET /").parent(extract(&callers())).enter();
        {
            let root = span("job").root().enter();
            assert_eq!((outgoing(), root.context()), (Headers::new(), Context::NONE), "{state}");
        }
        let root = span("job").root().start();
        assert_eq!(outgoing_of(&root.context()), Headers::new(), "{state}");
        let root = root.enter();
        assert_eq!(outgoing(), Headers::new(), "{state}");
        drop(root);
        assert_eq!(outgoing(), callers(), "{state}");
    });
}

#[test]
fn a_moved_span_takes_the_callers_context_to_another_thread() {
    in_every_state(|state| {
        let explicit = span("work").parent(extract(&callers())).start();
        assert_eq!(outgoing_of(&explicit.context()), callers(), "{state}");
        let _request = span("GET /").parent(extract(&callers())).enter();
        let inherited = span("work").start();
        let left = span("work").enter().leave();
        let there = |owned: bellwether::trace::Span| {
            std::thread::spawn(move || {
                let scope = owned.enter();
                let within = outgoing();
                drop(scope.leave());
                (within, outgoing())
            })
            .join()
            .unwrap()
        };
        for owned in [explicit, inherited, left] {
            assert_eq!(there(owned), (callers(), Headers::new()), "{state}");
        }
    });
}

#[test]
fn a_future_has_the_callers_context_at_each_poll_only() {
    in_every_state(|state| {
        let work = async {
            let child = span("child").start();
            let before = outgoing();
            yield_once().await;
            let within = async { outgoing() }.in_span(child).await;
            (before, within, outgoing())
        };
        let mut future = pin!(work.in_span(span("serve").parent(extract(&callers())).start()));
        assert!(poll(future.as_mut()).is_pending());
        assert_eq!(outgoing(), Headers::new(), "{state}");
        let Poll::Ready(seen) = poll(future) else { panic!("not ready") };
        assert_eq!(seen, (callers(), callers(), callers()), "{state}");
        assert_eq!(outgoing(), Headers::new(), "{state}");
    });
}

#[test]
fn a_future_without_a_caller_does_not_take_up_its_pollers_context() {
    in_every_state(|state| {
        let work = async {
            yield_once().await;
            outgoing()
        };
        let mut future = pin!(work.in_span(span("background").start()));
        {
            let _other = span("GET /").parent(extract(&callers())).enter();
            assert!(poll(future.as_mut()).is_pending());
        }
        let Poll::Ready(seen) = poll(future) else { panic!("not ready") };
        assert_eq!(seen, Headers::new(), "{state}");
    });
}

#[observe(name = "test.off.sync", parent = extract(headers))]
fn observed(headers: &Headers) -> Headers {
    observed_child()
}

#[observe(name = "test.off.child")]
fn observed_child() -> Headers {
    time!("test.off.timed", outgoing())
}

#[observe(name = "test.off.async", parent = extract(headers))]
async fn observed_async(headers: &Headers) -> Headers {
    yield_once().await;
    observed_child_async().await
}

#[observe(name = "test.off.child_async")]
async fn observed_child_async() -> Headers {
    yield_once().await;
    outgoing()
}

#[test]
fn observed_functions_pass_the_callers_context_through() {
    in_every_state(|state| {
        assert_eq!(observed(&callers()), callers(), "{state}");
        let headers = callers();
        let mut future = pin!(observed_async(&headers));
        for _ in 0..2 {
            assert!(poll(future.as_mut()).is_pending());
            assert_eq!(outgoing(), Headers::new(), "{state}");
        }
        assert_eq!(poll(future), Poll::Ready(callers()), "{state}");
    });
}

/// The names of this process's threads that are ours.
#[cfg(target_os = "linux")]
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("bellwether")).collect()
}

/// A thread that was told to end is gone a moment later.
#[cfg(target_os = "linux")]
fn wait_for_no_thread(state: &str) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !threads().is_empty() {
        assert!(std::time::Instant::now() < deadline, "{state}: {:?}", threads());
        std::thread::yield_now();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_thread_runs_while_it_is_off() {
    static EVENTS: Counter = Counter::new("test.off.events", "");
    in_every_state(|state| {
        EVENTS.inc();
        let _request = span("GET /").parent(extract(&callers())).enter();
        wait_for_no_thread(state);
    });
    let _turn = turn();
    wait_for_no_thread("between two tests");
    let telemetry = start_disabled(&Memory::new());
    assert!(telemetry.snapshot().value("test.off.events", &[]).is_some());
    assert_eq!(telemetry.window(Duration::from_secs(60)).duration(), Duration::ZERO);
    assert_eq!(threads(), [""; 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_environment_variable_disables_as_the_builder_does() {
    const TEST: &str = "the_environment_variable_disables_as_the_builder_does";
    if std::env::var_os("OTEL_SDK_DISABLED").is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let output = child.args([TEST, "--exact"]).env("OTEL_SDK_DISABLED", "true").output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let memory = Memory::<SpanRecord>::new();
    let builder = bellwether::builder("off").export(memory.clone()).prometheus("127.0.0.1:0");
    let telemetry = builder.tick(Duration::from_millis(1)).start().unwrap();
    assert!(telemetry.local_addrs().is_empty());
    let request = span("GET /").parent(extract(&callers())).enter();
    assert_eq!(outgoing(), callers());
    drop(request);
    assert_eq!(threads(), [""; 0]);
    telemetry.shutdown(Duration::from_secs(10));
    assert!(memory.records().is_empty());
}
