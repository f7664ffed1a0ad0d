//! What is delivered when a process ends, in each way it can: children of this program tell.
//!
//! It has a `main` of its own, because returning and panicking from `main` are among the ways.
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::{Command, Output, exit},
    sync::mpsc,
    thread,
    time::Duration,
};

use bellwether::{
    Builder, Gauge,
    alert::{Rule, notify, series},
    export::{File, Stdout},
    log::LogRecord,
    pipeline::{Batch, Deadline, ExportError, ExportResult, Exporter, Route},
    trace::SpanRecord,
};

/// Ends a child can come to; each has ten spans, or log records, to deliver.
const ENDS: [(&str, fn()); 15] = [
    ("return from main", || {
        let telemetry = start();
        record();
        drop(telemetry);
    }),
    ("return from main with the telemetry forgotten", || {
        std::mem::forget(start());
        record();
    }),
    ("exit from main", || {
        let _telemetry = start();
        record();
        exit(0);
    }),
    ("exit from another thread", || {
        let _telemetry = start();
        record();
        thread::spawn(|| exit(0)).join().unwrap();
    }),
    ("exit with spans of a thread that still runs", || {
        let _telemetry = start();
        let (done, recorded) = mpsc::channel();
        thread::spawn(move || {
            record();
            done.send(()).unwrap();
            thread::park();
        });
        recorded.recv().unwrap();
        exit(0);
    }),
    ("exit by two threads at once", || {
        let _telemetry = start();
        record();
        thread::spawn(|| exit(0));
        exit(0);
    }),
    ("exit with the lock of stdout in hand", || {
        let _telemetry = start_stdout();
        record();
        let _lock = io::stdout().lock();
        exit(0);
    }),
    ("return from main with the lock of stdout in hand", || {
        let _lock = io::stdout().lock(); // Dropped after the telemetry.
        let _telemetry = start_stdout();
        record();
    }),
    ("return from main with the lock of stdout in another hand", || {
        let _telemetry = start_stdout();
        let (held, is_held) = mpsc::channel();
        thread::spawn(move || {
            let mut lock = io::stdout().lock();
            write!(lock, "half a line").unwrap();
            held.send(()).unwrap();
            thread::park();
        });
        is_held.recv().unwrap();
        record();
    }),
    ("exit with the lock of stderr in hand and something to say", || {
        let file = File::open(std::env::var_os(SPANS).unwrap()).unwrap();
        let exporter = RejectsFirst { file, n_batches: 0 };
        let telemetry = bellwether::builder("child").export(Route::new(exporter)).start().unwrap();
        let _lock = io::stderr().lock();
        record();
        telemetry.flush(Duration::from_millis(100));
        record();
        exit(0);
    }),
    ("exit with the lock of stderr in hand and an alert to tell", || {
        static LEVEL: Gauge = Gauge::new("exit.level", "");
        let telemetry = bellwether::builder("child")
            .export(spans_file())
            .alert_rule(Rule::new("TooHigh", series("exit.level").last().above(0.0)))
            .tick(Duration::from_millis(5))
            .notify(notify::stderr())
            .start()
            .unwrap();
        let _lock = io::stderr().lock();
        record();
        LEVEL.set(1.0);
        while telemetry.alerts().is_empty() {
            thread::yield_now();
        }
        exit(0);
    }),
    ("panic in main", || {
        let _telemetry = start();
        record();
        panic!("the end");
    }),
    ("return from main with log records", || {
        let _telemetry = start_logs();
        log();
    }),
    ("exit with log records of a thread that still runs", || {
        std::mem::forget(start_logs());
        let (done, logged) = mpsc::channel();
        thread::spawn(move || {
            log();
            done.send(()).unwrap();
            thread::park();
        });
        logged.recv().unwrap();
        exit(0);
    }),
    ("panic in main with log records", || {
        let _telemetry = start_logs();
        log();
        panic!("the end");
    }),
];

fn main() {
    if let Ok(child) = std::env::var(CHILD) {
        return run_child(&child);
    }
    type Check = (&'static str, Box<dyn Fn()>);
    let checks: Vec<Check> = ENDS
        .iter()
        .map(|&(name, _)| (name, Box::new(move || delivers_all(name)) as Box<dyn Fn()>))
        .chain([
            ("an exporter that hangs holds the exit up for two seconds", Box::new(hung) as _),
            ("a thread that is refused is an error of the start", Box::new(no_thread) as _),
            ("a forked child gets ids of its own and an exit of its own", Box::new(forked) as _),
            ("spans that are open at an exit are counted", Box::new(open_are_counted) as _),
            ("spans that are open at an exit are exported by choice", Box::new(open_are_sent) as _),
        ])
        .collect();
    // Cargo puts the filter first; what follows a flag may be the flag's value.
    let wanted = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let mut failed = 0;
    let mut passed = 0;
    for (name, check) in
        checks.iter().filter(|(name, _)| wanted.as_ref().is_none_or(|w| name.contains(w)))
    {
        let holds = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_ok();
        println!("test {name} ... {}", if holds { "ok" } else { "FAILED" });
        if holds { passed += 1 } else { failed += 1 }
    }
    println!("\n{passed} passed, {failed} failed");
    exit(i32::from(failed > 0));
}

const CHILD: &str = "BELLWETHER_TEST_CHILD";
const SPANS: &str = "BELLWETHER_TEST_SPANS";

fn spans_file() -> Route<SpanRecord> {
    Route::new(File::open(std::env::var_os(SPANS).unwrap()).unwrap())
}

fn builder() -> Builder {
    bellwether::builder("child").export(spans_file())
}

fn start() -> bellwether::Telemetry {
    builder().start().unwrap()
}

fn start_logs() -> bellwether::Telemetry {
    let file = File::open(std::env::var_os(SPANS).unwrap()).unwrap();
    bellwether::builder("child").export(Route::<LogRecord>::new(file)).start().unwrap()
}

fn start_stdout() -> bellwether::Telemetry {
    bellwether::builder("child").export(Route::<SpanRecord>::new(Stdout::json())).start().unwrap()
}

/// Refuses its first batch, of which it is told on stderr.
struct RejectsFirst {
    file: File,
    n_batches: usize,
}

impl Exporter<SpanRecord> for RejectsFirst {
    fn export(&mut self, batch: &Batch<SpanRecord>, by: &Deadline) -> ExportResult<SpanRecord> {
        self.n_batches += 1;
        match self.n_batches {
            1 => Err(ExportError::reject("the first")),
            _ => self.file.export(batch, by),
        }
    }
}

fn record() {
    (0..10).for_each(|_| drop(bellwether::span("work").enter()));
}

fn log() {
    (0..10).for_each(|n| bellwether::info!("record {n}"));
}

fn run_child(child: &str) {
    match child {
        "hung" => {
            let _telemetry = bellwether::builder("child").export(Route::new(Hung)).start().unwrap();
            record();
            exit(0);
        }
        "no thread" => match builder().start() {
            Ok(_) => println!("started"),
            Err(error) => println!("{error}"),
        },
        "open" => leave_open(builder()),
        "open, exported" => leave_open(builder().export_open_spans()),
        #[cfg(unix)]
        "forked" => fork::run(),
        _ => ENDS.iter().find(|(name, _)| *name == child).unwrap().1(),
    }
}

struct Hung;

impl Exporter<SpanRecord> for Hung {
    fn export(&mut self, _batch: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        loop {
            thread::park();
        }
    }
}

fn delivers_all(name: &str) {
    let (output, lines) = child(name, &[]);
    let panics = name.contains("panic");
    assert_eq!(output.status.success(), !panics, "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    let printed = printed.lines().filter(|line| line.starts_with('{')).count();
    assert_eq!(lines + printed, 10, "{output:?}");
    if name.contains("alert") {
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("FIRING TooHigh"), "{told}");
    }
}

fn hung() {
    let begin = std::time::Instant::now();
    let (output, lines) = child("hung", &[]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(lines, 0);
    // Ten times the two seconds: what is tested is that it ends, on a machine that may be busy.
    assert!(begin.elapsed() < Duration::from_secs(20));
}

/// Leaves with a span open on this thread, one on another, and one whose guard is leaked.
fn leave_open(builder: Builder) {
    let _telemetry = builder.start().unwrap();
    std::mem::forget(bellwether::span("leaked").start());
    let (started, is_started) = mpsc::channel();
    thread::spawn(move || {
        let _scope = bellwether::span("other thread's").enter();
        started.send(()).unwrap();
        thread::park();
    });
    is_started.recv().unwrap();
    let _scope = bellwether::span("own").enter();
    exit(0);
}

fn open_are_counted() {
    let (output, lines) = child("open", &[]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && lines == 0, "{output:?}");
    assert!(told.contains("3 had not ended at the shutdown, and are not exported"), "{told}");
}

fn open_are_sent() {
    let (output, lines) = child("open, exported", &[]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && lines == 3, "{output:?}");
    assert!(told.contains("3 had not ended at the shutdown, and if"), "{told}");
}

fn no_thread() {
    // No machine grants a stack of 2^60 bytes.
    let (output, _) = child("no thread", &[("RUST_MIN_STACK", "1152921504606846976")]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("thread"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[cfg(unix)]
fn forked() {
    let (output, lines) = child("forked", &[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    let ids: Vec<&str> = text.lines().collect();
    assert_eq!(ids.len(), 2, "{output:?}");
    assert_ne!(ids[0], ids[1]);
    assert_eq!(lines, 10, "the parent's spans, once: {output:?}");
}

#[cfg(not(unix))]
fn forked() {
    eprintln!("SKIPPED: a forked child: there is no fork here");
}

/// Runs a child to its end: what it printed, and how many lines its file has.
fn child(name: &str, variables: &[(&str, &str)]) -> (Output, usize) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("exit-{}-{}.jsonl", std::process::id(), name.replace(' ', "-")));
    let _ = std::fs::remove_file(&path);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(CHILD, name).env(SPANS, &path).envs(variables.iter().copied());
    let output = command.output().unwrap();
    io::stdout().flush().unwrap();
    let lines = std::fs::read_to_string(&path).unwrap_or_default();
    let _ = std::fs::remove_file(&path);
    (output, lines.lines().count())
}

#[cfg(unix)]
mod fork {
    #![expect(unsafe_code, reason = "fork has no safe call")]

    use super::*;

    /// Parent and child each print an id they have drawn, and leave by `exit`.
    pub(super) fn run() {
        let _telemetry = start();
        record();
        // SAFETY: the child uses nothing that a lock of another thread could hold: it draws an id,
        // prints and leaves, which is what this test is about.
        let pid = unsafe { libc::fork() };
        let id = bellwether::context::TraceId::random();
        // The child writes while the parent waits for it: two lines, not mixed.
        if pid != 0 {
            // SAFETY: `pid` is the child of the call above, and nobody else waits for it.
            unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        }
        println!("{id}");
        exit(0);
    }
}
