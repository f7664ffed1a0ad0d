//! How many records arrive of a process that ends, in each way it can, to the record: children of this program end.
//!
//! `tests/exit.rs` has more ways, each once; here each is repeated, and the spool keeps what a crash would lose.
//! With `BELLWETHER_FULL=1`, a hundred times as often.
#![cfg(all(feature = "spool", unix))]
#![allow(unsafe_code, reason = "limits and signals are set by libc")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

mod drill;

use std::{
    fs::{self, OpenOptions},
    future::Future as _,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    pin::pin,
    process::{Child, Command, ExitStatus, Stdio},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use bellwether::{
    Builder, Counter,
    metric::DataPoint,
    pipeline::{
        Batch, Deadline, Encoder, ExportError, ExportResult, Exporter, Payload, Route, SendResult,
        Sender,
    },
    trace::SpanRecord,
};

const CHILD: &str = "BELLWETHER_ENDS_CHILD";
const FOLDER: &str = "BELLWETHER_ENDS_FOLDER";
const LONG: Duration = Duration::from_secs(20);

/// So many spans each child records; more than two batches.
const N: usize = 1_100;

/// One line for each span, in a file.
struct Lines(PathBuf);

impl Lines {
    fn write(&self, n: usize) {
        let mut file = OpenOptions::new().append(true).create(true).open(&self.0).unwrap();
        file.write_all("span\n".repeat(n).as_bytes()).unwrap();
    }
}

impl Encoder<SpanRecord> for Lines {
    fn encode(&mut self, batch: &Batch<SpanRecord>) -> Payload {
        let mut payload = Payload::new();
        batch.iter().for_each(|_| payload.record(|bytes| bytes.push(b'x')));
        payload
    }

    fn format(&self) -> &str {
        "x.1"
    }
}

impl Exporter<SpanRecord> for Lines {
    fn export(&mut self, batch: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        self.write(batch.len());
        Ok(())
    }
}

impl Sender for Lines {
    fn send(&mut self, payload: &Payload, _: &Deadline) -> SendResult {
        self.write(payload.len());
        Ok(())
    }
}

/// A backend that is away.
struct Away;

impl Sender for Away {
    fn send(&mut self, _: &Payload, _: &Deadline) -> SendResult {
        Err(ExportError::retry("it is away"))
    }
}

fn folder() -> PathBuf {
    std::env::var_os(FOLDER).unwrap().into()
}

fn lines() -> Lines {
    Lines(folder().join("lines"))
}

fn record() {
    (0..N).for_each(|_| drop(bellwether::span("work").enter()));
}

fn direct() -> Builder {
    bellwether::builder("child").export(Route::new(lines()))
}

/// Its backend is away, so that all waits on disk.
fn spooled() -> Builder {
    let route = Route::wire(lines(), Away).spool(folder().join("spool"));
    bellwether::builder("child").on_diagnostic(|_, _| ()).export(route)
}

/// An end: its name, the signal by which the process ends, if any, and what it does.
type End = (&'static str, Option<i32>, fn());

/// Ends whose records arrive.
const ENDS: [End; 7] = [
    ("return", None, || {
        let _telemetry = direct().start().unwrap();
        record();
    }),
    ("exit", None, || {
        let _telemetry = direct().start().unwrap();
        record();
        std::process::exit(0);
    }),
    ("exit while threads record", None, || {
        let _telemetry = direct().start().unwrap();
        record();
        for _ in 0..4 {
            thread::spawn(|| {
                loop {
                    drop(bellwether::span("more").enter());
                }
            });
        }
        std::process::exit(0);
    }),
    ("panic", None, || {
        let _telemetry = direct().start().unwrap();
        record();
        let _ = std::panic::catch_unwind(|| panic!("of the application"));
        std::process::exit(0);
    }),
    ("abort, spooled", Some(libc::SIGABRT), || {
        let telemetry = spooled().start().unwrap();
        record();
        assert!(telemetry.persist(LONG));
        std::process::abort();
    }),
    ("terminated, spooled", Some(libc::SIGTERM), || {
        let telemetry = spooled().start().unwrap();
        record();
        assert!(telemetry.persist(LONG));
        // SAFETY: nobody handles the signal, so that it ends this process.
        unsafe { libc::raise(libc::SIGTERM) };
    }),
    ("exit, spooled", None, || {
        let _telemetry = spooled().start().unwrap();
        record();
        std::process::exit(0);
    }),
];

/// Ends of children that say on stdout what came of them.
const TOLD: [(&str, fn()); 2] = [("no threads", no_threads), ("suspended", suspended)];

#[test]
fn the_end_of_a_child() {
    let Ok(name) = std::env::var(CHILD) else { return };
    // SAFETY: ends a child that hangs.
    unsafe { libc::alarm(60) };
    if let Some((_, _, end)) = ENDS.iter().find(|(end, _, _)| *end == name) {
        return end();
    }
    TOLD.iter().find(|(end, _)| *end == name).unwrap().1();
}

fn child(name: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["the_end_of_a_child", "--exact", "--nocapture"])
        .env(CHILD, name)
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn empty_folder(name: &str) -> PathBuf {
    let folder =
        std::env::temp_dir().join(format!("bellwether-ends-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn times(n: usize) -> usize {
    n * drill::size(1, 100)
}

#[test]
fn whichever_way_a_process_ends_all_of_its_records_arrive() {
    for (place, (name, signal, _)) in ENDS.iter().enumerate() {
        for _ in 0..times(5) {
            let folder = empty_folder(&place.to_string());
            let status: ExitStatus = child(name, &folder).wait().unwrap();
            assert_eq!(status.signal(), *signal, "{name}: {status}");
            let lines = Lines(folder.join("lines"));
            if name.contains("spooled") {
                // The next process finds them on disk.
                let wire = Route::wire(Lines(lines.0.clone()), Lines(lines.0.clone()));
                let next = bellwether::builder("next").export(wire.spool(folder.join("spool")));
                let report = next.start().unwrap().shutdown(LONG);
                assert!(report.totals().add_up() && report.settled, "{name}: {report}");
                assert_eq!(report.queues[0].inherited, N as u64, "{name}: {report}");
            }
            let arrived = fs::read_to_string(&lines.0).unwrap().lines().count();
            match name.contains("while") {
                true => assert!(arrived >= N, "{name}: {arrived}"),
                false => assert_eq!(arrived, N, "{name}"),
            }
            fs::remove_dir_all(&folder).unwrap();
        }
    }
}

/// Allows this process no further thread. The superuser would not be bound by the limit.
fn allow_no_threads() {
    let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: sets a limit of this process, from a value that lives long enough.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit) }, 0);
    // SAFETY: changes the user of this process alone, a child that is about to end.
    unsafe { libc::setuid(65_534) };
}

/// Telemetry that was started before no thread was to be had, and one that is to be started then.
fn no_threads() {
    static EVENTS: Counter = Counter::new("test.events", "");
    let telemetry = direct().on_diagnostic(|_, _| ()).start().unwrap();
    let file = OpenOptions::new().append(true).create(true).open(lines().0).unwrap();
    drop(file);
    allow_no_threads();
    record();
    let mut flush = pin!(telemetry.flush_async(LONG));
    let polled = flush.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(flush) = polled else { panic!("it waits for a thread that is not there") };
    let mut end = pin!(telemetry.shutdown_async(LONG));
    let polled = end.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(end) = polled else { panic!("it waits for a thread that is not there") };
    println!("told {} {}", flush.settled, end.settled);
    let offered = telemetry.shutdown(LONG).totals().offered;
    let refused = direct().start();
    EVENTS.inc();
    record();
    println!(
        "told {offered} {}",
        refused.map_or_else(|error| error.to_string(), |_| "started".into())
    );
    std::process::exit(0);
}

fn told(child: Child) -> Vec<String> {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let told = text.lines().filter_map(|line| Some(line.split_once("told ")?.1.to_owned()));
    told.collect()
}

#[test]
fn where_no_thread_is_to_be_had_a_start_is_an_error_and_a_future_says_that_nothing_was_done() {
    let folder = empty_folder("no-threads");
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    fs::write(folder.join("lines"), "").unwrap();
    fs::set_permissions(folder.join("lines"), std::os::unix::fs::PermissionsExt::from_mode(0o666))
        .unwrap();
    let told = told(child("no threads", &folder));
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(told[0], "false false");
    assert!(told[1].starts_with(&format!("{N} ")) && told[1].contains("thread"), "{told:?}");
}

/// Says for each reading how many milliseconds after the start it came.
struct Readings(Instant);

impl Exporter<DataPoint> for Readings {
    fn export(&mut self, batch: &Batch<DataPoint>, _: &Deadline) -> ExportResult<DataPoint> {
        let n = batch.iter().filter(|point| point.name() == "test.suspended").count();
        (0..n).for_each(|_| println!("told {}", self.0.elapsed().as_millis()));
        Ok(())
    }
}

const INTERVAL: Duration = Duration::from_millis(50);

/// Reads every fifty milliseconds until it is killed.
fn suspended() {
    static EVENTS: Counter = Counter::new("test.suspended", "");
    EVENTS.inc();
    let route = Route::new(Readings(Instant::now())).interval(INTERVAL);
    let route = route.settings(|settings| settings.batch_delay = Duration::ZERO);
    let _telemetry = bellwether::builder("child").export(route).tick(INTERVAL).start().unwrap();
    loop {
        thread::park();
    }
}

#[test]
fn a_process_that_was_suspended_reads_once_late_and_catches_up_with_nothing() {
    let folder = empty_folder("suspended");
    let mut child = child("suspended", &folder);
    let pid = child.id() as i32;
    let signal = |signal| {
        // SAFETY: the process is a child of this test's that was not waited for yet.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    };
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut came =
        lines.filter_map(|line| Some(line.split_once("told ")?.1.parse::<u64>().unwrap()));
    let mut at: Vec<u64> = came.by_ref().take(5).collect();
    signal(libc::SIGSTOP);
    thread::sleep(Duration::from_millis(1_500));
    signal(libc::SIGCONT);
    at.extend(came.by_ref().take(10));
    signal(libc::SIGKILL);
    child.wait().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let late = at.windows(2).position(|pair| pair[1] - pair[0] > 1_000).expect("a late one") + 1;
    let after = at[late..].iter().filter(|&&ms| ms < at[late] + 250).count();
    // One is late, and about five are in time; thirty were missed.
    assert!(after <= 7, "{after} in 250 ms: {at:?}");
}
