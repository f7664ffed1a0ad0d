//! What SIGTERM and SIGINT do to a process whose telemetry heeds them: children of this program are signalled.
//!
//! With `BELLWETHER_FULL=1`, a hundred times each.
#![cfg(all(feature = "signals", unix))]
#![allow(unsafe_code, reason = "signals are sent, and processes forked, by libc")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

mod drill;

use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use bellwether::{
    Builder,
    pipeline::{Batch, Deadline, ExportResult, Exporter, Route},
    trace::SpanRecord,
};

const CHILD: &str = "BELLWETHER_SIGNALS_CHILD";
const LONG: Duration = Duration::from_secs(20);

/// Prints one line for each span.
struct Print;

impl Exporter<SpanRecord> for Print {
    fn export(&mut self, batch: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        batch.iter().for_each(|span| println!("delivered {}", span.name()));
        Ok(())
    }
}

/// Never returns.
struct Hung;

impl Exporter<SpanRecord> for Hung {
    fn export(&mut self, _: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        loop {
            thread::park();
        }
    }
}

fn builder(exporter: impl Exporter<SpanRecord>) -> Builder {
    bellwether::builder("child").export(Route::new(exporter))
}

fn record() {
    (0..1_000).for_each(|_| drop(bellwether::span("work").enter()));
}

fn ready() -> ! {
    println!("ready {}", std::process::id());
    loop {
        thread::park();
    }
}

/// The lives of children; a test signals each when it is ready.
const LIVES: [(&str, fn()); 7] = [
    ("heeds", || {
        let _telemetry = builder(Print).shutdown_on_signals(LONG).start().unwrap();
        record();
        ready();
    }),
    ("hangs", || {
        let builder = builder(Hung).on_diagnostic(|_, text| println!("{text}"));
        let _telemetry = builder.shutdown_on_signals(LONG).start().unwrap();
        record();
        std::mem::forget(bellwether::span("open").start()); // The shutdown says so.
        ready();
    }),
    ("hangs shortly", || {
        let limit = Duration::from_millis(50);
        let _telemetry = builder(Hung).shutdown_on_signals(limit).start().unwrap();
        record();
        ready();
    }),
    ("was shut down", || {
        let telemetry = builder(Print).shutdown_on_signals(LONG).start().unwrap();
        telemetry.shutdown(LONG);
        ready();
    }),
    ("is off", || {
        let telemetry = builder(Print).shutdown_on_signals(LONG).disabled().start().unwrap();
        record();
        drop(telemetry);
        ready();
    }),
    ("started again", || {
        for _ in 0..3 {
            let telemetry = builder(Print).shutdown_on_signals(LONG).start().unwrap();
            telemetry.shutdown(LONG);
        }
        let _telemetry = builder(Print).shutdown_on_signals(LONG).start().unwrap();
        record();
        ready();
    }),
    ("forked", || {
        // Nothing is printed at the fork: the child would inherit the lock of stdout.
        let route = Route::new(Print).settings(|settings| {
            settings.batch_items = 1 << 18;
            settings.batch_delay = Duration::from_secs(3_600);
        });
        let builder = bellwether::builder("child").export(route);
        let _telemetry = builder.shutdown_on_signals(LONG).start().unwrap();
        record();
        // SAFETY: the child only prints and waits for its signal.
        if unsafe { libc::fork() } != 0 {
            loop {
                thread::park();
            }
        }
        end_soon(); // It does not inherit its parent's.
        ready();
    }),
];

/// Ends a process that a signal did not end, by another signal.
fn end_soon() {
    // SAFETY: nobody handles the signal.
    unsafe { libc::alarm(40) };
}

#[test]
fn the_life_of_a_child() {
    let Ok(name) = std::env::var(CHILD) else { return };
    end_soon();
    LIVES.iter().find(|(life, _)| *life == name).unwrap().1();
}

struct Life {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    seen: Vec<String>,
    /// Of the process that said that it is ready.
    pid: i32,
}

fn command(life: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["the_life_of_a_child", "--exact", "--nocapture"]).env(CHILD, life);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    heeding(command)
}

/// With the signals as they are by default: who starts tests in the background has SIGINT ignored.
fn heeding(mut command: Command) -> Command {
    let heed = || {
        for signal in [libc::SIGINT, libc::SIGTERM] {
            // SAFETY: sets no handler, but what is done without one.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: between fork and exec it calls what is async-signal-safe.
    unsafe { command.pre_exec(heed) };
    command
}

impl Life {
    fn begin(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut life = Self { child, lines, seen: Vec::new(), pid: 0 };
        life.pid = life.until("ready ").parse().unwrap();
        life
    }

    fn of(name: &str) -> Self {
        Self::begin(command(name))
    }

    /// What follows `begin` on the first line that has it.
    fn until(&mut self, begin: &str) -> String {
        let after = |line: &String| Some(line.split_once(begin)?.1.to_owned());
        loop {
            if let Some(found) = self.seen.iter().find_map(after) {
                return found;
            }
            self.seen.push(self.lines.next().unwrap().unwrap());
        }
    }

    fn signal(&self, signal: i32) {
        // SAFETY: the process is a child of this test's, or its child, and not waited for yet.
        assert_eq!(unsafe { libc::kill(self.pid, signal) }, 0);
    }

    /// How it ended, and how many spans it delivered.
    fn end(mut self) -> (ExitStatus, usize) {
        self.seen.extend(self.lines.by_ref().map(Result::unwrap));
        let delivered = self.seen.iter().filter(|line| line.contains("delivered work")).count();
        (self.child.wait().unwrap(), delivered)
    }
}

fn repeats() -> usize {
    drill::size(1, 100)
}

#[test]
fn at_a_signal_all_is_delivered_and_the_process_ends_by_the_signal() {
    for signal in [libc::SIGTERM, libc::SIGINT].repeat(3 * repeats()) {
        let life = Life::of("heeds");
        life.signal(signal);
        let (status, delivered) = life.end();
        assert_eq!((status.signal(), delivered), (Some(signal), 1_000));
    }
}

#[test]
fn a_second_signal_ends_the_process_at_once_and_the_limit_ends_it_by_itself() {
    let mut life = Life::of("hangs");
    life.signal(libc::SIGTERM);
    life.until("1 had not ended at the shutdown");
    let begin = Instant::now();
    life.signal(libc::SIGTERM);
    assert_eq!(life.end().0.signal(), Some(libc::SIGTERM));
    assert!(begin.elapsed() < LONG / 2, "long before the limit");
    let life = Life::of("hangs shortly");
    life.signal(libc::SIGTERM);
    assert_eq!(life.end().0.signal(), Some(libc::SIGTERM));
}

#[test]
fn without_telemetry_a_signal_ends_the_process_as_ever() {
    for life in ["was shut down", "is off"] {
        let life = Life::of(life);
        life.signal(libc::SIGTERM);
        assert_eq!(life.end(), (ExitStatus::from_raw(libc::SIGTERM), 0));
    }
}

#[test]
fn telemetry_that_was_started_again_heeds_signals_again() {
    let life = Life::of("started again");
    life.signal(libc::SIGINT);
    assert_eq!(life.end(), (ExitStatus::from_raw(libc::SIGINT), 1_000));
}

#[test]
fn a_forked_child_ends_at_once_and_its_parent_delivers_at_its_own_signal() {
    let mut life = Life::of("forked");
    assert_ne!(life.pid, life.child.id() as i32);
    life.signal(libc::SIGTERM);
    // Its parent does not wait for it, so it stays as a zombie.
    let path = format!("/proc/{}/stat", life.pid);
    let begin = Instant::now();
    while cfg!(target_os = "linux")
        && std::fs::read_to_string(&path).is_ok_and(|stat| !stat.contains(") Z "))
    {
        assert!(begin.elapsed() < LONG, "it ends");
        thread::yield_now();
    }
    life.pid = life.child.id() as i32;
    life.signal(libc::SIGTERM);
    assert_eq!(life.end(), (ExitStatus::from_raw(libc::SIGTERM), 1_000));
}

#[test]
fn a_signal_that_a_process_inherits_as_ignored_stays_ignored() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let mut command = command("heeds");
    let ignore = || {
        // SAFETY: sets no handler, but has the signal ignored.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
        Ok(())
    };
    // SAFETY: between fork and exec it calls what is async-signal-safe.
    unsafe { command.pre_exec(ignore) };
    let life = Life::begin(command);
    life.signal(libc::SIGINT);
    life.signal(libc::SIGTERM);
    assert_eq!(life.end(), (ExitStatus::from_raw(libc::SIGTERM), 1_000));
}

#[test]
fn the_first_process_of_a_container_delivers_and_exits_as_shells_say_it() {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork"]).arg(std::env::current_exe().unwrap());
    command.args(["the_life_of_a_child", "--exact", "--nocapture"]).env(CHILD, "heeds");
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let may_unshare = Command::new("unshare").args(["--pid", "--fork", "true"]).status();
    if !may_unshare.is_ok_and(|status| status.success()) {
        return eprintln!("SKIPPED: a container: this user may make none");
    }
    let mut life = Life::begin(heeding(command));
    assert_eq!(life.pid, 1);
    let outside = life.child.id();
    let children = std::fs::read_to_string(format!("/proc/{outside}/task/{outside}/children"));
    life.pid = children.unwrap().trim().parse().unwrap();
    life.signal(libc::SIGTERM);
    let (status, delivered) = life.end();
    assert_eq!((status.code(), delivered), (Some(128 + libc::SIGTERM), 1_000));
}
