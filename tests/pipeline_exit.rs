//! What a pipe can do while the process ends: in exit hooks, after a panic in main, on a thread that
//! calls `process::exit` itself. Each case runs in a child process.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![cfg(unix)]

use bellwether::pipeline::{Batch, Deadline, ExportResult, Exporter, Pipe, Route, Setup, Signal};
use std::{env, process, process::Command, sync::OnceLock, thread, time::Duration};

const CASE: &str = "BELLWETHER_EXIT_CASE";

struct Line(u32);

impl Signal for Line {
    const NAME: &'static str = "lines";
    type RouteOptions = ();

    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}

struct Print;

impl Exporter<Line> for Print {
    fn export(&mut self, batch: &Batch<Line>, _: &Deadline) -> ExportResult<Line> {
        batch.iter().for_each(|line| println!("delivered {}", line.0));
        Ok(())
    }
}

static PIPE: OnceLock<Pipe<Line>> = OnceLock::new();

extern "C" fn at_exit() {
    let Some(pipe) = PIPE.get() else { return };
    pipe.push(vec![Line(9)]);
    let report = pipe.shutdown(Duration::from_secs(2));
    println!("{}", report.totals());
}

#[test]
fn all_is_delivered_in_an_exit_hook() {
    if let Ok(case) = env::var(CASE) {
        run(&case);
    }
    for case in ["exit", "exit from a thread", "panic"] {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "all_is_delivered_in_an_exit_hook", "--nocapture"])
            .env(CASE, case)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&child.stdout);
        let lines = text.lines().filter(|line| line.starts_with("delivered"));
        assert_eq!(lines.count(), 11, "{case}: {text}");
        assert!(text.contains("offered=11 delivered=11 held=0 dropped=0"), "{case}: {text}");
    }
}

/// The child: pushes ten records, which wait for their batch, and ends.
#[expect(unsafe_code, reason = "std cannot register an exit hook")]
fn run(case: &str) {
    // SAFETY: the hook has the signature that `atexit` asks for and does not unwind.
    unsafe { libc::atexit(at_exit) };
    let pipe =
        PIPE.get_or_init(|| Pipe::start(Route::new(Print), &Setup::default()).expect("a thread"));
    pipe.push((0..10).map(Line).collect::<Vec<_>>());
    match case {
        "exit" => process::exit(0),
        "panic" => {
            let _ = thread::spawn(|| panic!("of the application")).join();
            process::exit(101);
        }
        _ => {
            let _ = thread::spawn(|| process::exit(0)).join();
        }
    }
}
