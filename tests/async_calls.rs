//! Flush, persist and shutdown as futures: on every kind of executor, and with nobody who waits.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use bellwether::{
    Telemetry,
    export::Memory,
    pipeline::{Batch, Deadline, ExportResult, Exporter, Report, Route},
    trace::SpanRecord,
};

/// Telemetry is one for the process: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);

fn span() {
    drop(bellwether::span("work").enter());
}

fn start() -> (Telemetry, Memory<SpanRecord>) {
    let memory = Memory::<SpanRecord>::new();
    (bellwether::builder("test").export(memory.clone()).start().unwrap(), memory)
}

/// The smallest executor: polls one future, and parks.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

fn tokio_current() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

fn tokio_of_one() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap()
}

/// What each executor brings of a future.
fn on_each_executor<T: Send + 'static>(mut make: impl FnMut() -> Waiting<T>) -> Vec<T> {
    let (of_one, smol) = (tokio_of_one(), async_executor::Executor::new());
    let spawned = of_one.spawn(make());
    let blocking = {
        let future = make();
        of_one.spawn_blocking(move || block_on(future))
    };
    vec![
        block_on(make()),
        tokio_current().block_on(make()),
        of_one.block_on(spawned).unwrap(),
        of_one.block_on(blocking).unwrap(),
        block_on(smol.run(smol.spawn(make()))),
        of_one.block_on(make()),
    ]
}

type Waiting<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;

#[test]
fn a_flush_on_any_executor_delivers_what_ended_before_it() {
    let _turn = turn();
    let (telemetry, memory) = start();
    let reports = on_each_executor(|| {
        span();
        Box::pin(telemetry.flush_async(LONG))
    });
    // What is recorded for the next one may be held by then.
    assert!(reports.iter().all(|report: &Report| report.settled));
    assert_eq!(memory.len(), 6);
}

#[test]
fn records_without_a_spool_persist_on_any_executor_once_they_are_delivered() {
    let _turn = turn();
    let (telemetry, memory) = start();
    let kept = on_each_executor(|| {
        span();
        Box::pin(telemetry.persist_async(LONG))
    });
    assert_eq!((kept, memory.len()), (vec![true; 6], 6));
}

#[test]
fn a_shutdown_on_any_executor_says_the_same_as_the_first() {
    let _turn = turn();
    let (telemetry, memory) = start();
    span();
    let reports = on_each_executor(|| Box::pin(telemetry.shutdown_async(LONG)));
    for report in reports {
        assert_eq!((report.settled, report.totals().delivered), (true, 1), "{report}");
    }
    assert_eq!(memory.len(), 1);
}

/// Says when it is called, and hangs until it is let go.
struct Hanging(mpsc::Sender<()>, mpsc::Receiver<()>);

impl Exporter<SpanRecord> for Hanging {
    fn export(&mut self, _: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        let _ = self.0.send(());
        let _ = self.1.recv();
        Ok(())
    }
}

fn hanging() -> (Telemetry, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let ((entered, has_entered), (let_go, held)) = (mpsc::channel(), mpsc::channel());
    let route = Route::new(Hanging(entered, held));
    (bellwether::builder("test").export(route).start().unwrap(), has_entered, let_go)
}

#[test]
fn a_flush_of_a_hung_exporter_is_ready_on_time_and_not_settled() {
    let _turn = turn();
    let (telemetry, _, _let_go) = hanging();
    span();
    let report = block_on(telemetry.flush_async(SHORT));
    assert_eq!((report.settled, report.totals().held), (false, 1));
    let report = block_on(telemetry.shutdown_async(SHORT));
    assert_eq!((report.totals().held, report.totals().dropped), (0, 1));
}

#[test]
fn a_flush_that_nobody_waits_for_and_a_shutdown_that_is_dropped_go_on() {
    let _turn = turn();
    let (telemetry, has_entered, let_go) = hanging();
    span();
    drop(telemetry.flush_async(LONG));
    has_entered.recv_timeout(LONG).unwrap();
    drop(telemetry.shutdown_async(LONG));
    let_go.send(()).unwrap();
    let report = telemetry.shutdown(LONG);
    assert_eq!((report.totals().delivered, report.totals().dropped), (1, 0), "{report}");
}

#[test]
fn flushes_beyond_a_number_answer_at_once_and_a_shutdown_does_not_count() {
    let _turn = turn();
    let (telemetry, has_entered, let_go) = hanging();
    span();
    let under_way: Vec<_> = (0..64).map(|_| telemetry.flush_async(LONG)).collect();
    has_entered.recv_timeout(LONG).unwrap();
    let mut more = pin!(telemetry.flush_async(LONG));
    let polled = more.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(report) = polled else { panic!("it waits") };
    assert_eq!((report.settled, report.totals().held), (false, 1));
    drop(let_go);
    assert!(under_way.into_iter().all(|flush| block_on(flush).settled));
    assert!(block_on(telemetry.flush_async(LONG)).settled, "there is room again");
    assert!(block_on(telemetry.shutdown_async(LONG)).settled);
}

#[test]
fn an_exporter_may_wait_for_the_futures_of_its_own_telemetry() {
    struct Reentrant(Arc<OnceLock<Arc<Telemetry>>>, mpsc::Sender<bool>);
    impl Exporter<SpanRecord> for Reentrant {
        fn export(&mut self, _: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
            let telemetry = self.0.get().unwrap();
            let settled = block_on(telemetry.flush_async(LONG)).settled;
            let _ = self.1.send(settled);
            block_on(telemetry.shutdown_async(LONG));
            Ok(())
        }
    }
    let _turn = turn();
    let reached = Arc::<OnceLock<Arc<Telemetry>>>::default();
    let (tell, told) = mpsc::channel();
    let route = Route::new(Reentrant(reached.clone(), tell));
    let telemetry = Arc::new(bellwether::builder("test").export(route).start().unwrap());
    assert!(reached.set(telemetry.clone()).is_ok());
    span();
    let report = telemetry.flush(LONG);
    assert_eq!(report.totals().delivered, 1, "{report}");
    assert_eq!(told.recv(), Ok(false));
    assert!(telemetry.shutdown(LONG).settled, "the exporter has only begun it");
}

#[test]
fn a_task_that_a_waker_runs_at_once_makes_spans_as_anywhere() {
    struct Runs(mpsc::Sender<bool>);
    impl Wake for Runs {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(bellwether::span("of a task").enter().is_recording());
        }
    }
    let _turn = turn();
    let (telemetry, has_entered, let_go) = hanging();
    span();
    let (tell, told) = mpsc::channel();
    let waker = Waker::from(Arc::new(Runs(tell)));
    let mut flush = pin!(telemetry.flush_async(LONG));
    has_entered.recv_timeout(LONG).unwrap();
    assert!(flush.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(let_go);
    assert_eq!(told.recv_timeout(LONG), Ok(true));
}
