//! What a service pays for its telemetry, beside other libraries: in time of the thread that calls, and in
//! CPU of the whole process.
//!
//! `cargo run --release [-- [--quick] [WORDS]]`; `WORDS` are of the names that it prints, `a request` for
//! example. Each subject runs in a process of its own, because loggers and subscribers are the process's;
//! rounds take turns, and the least of each figure counts. `--quick` is one round of a fifth. Compare rows
//! of one run with each other.

mod logs;
mod requests;
mod table;

use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use cpu_time::ProcessTime;
use table::Figures;

/// The subject that does its work without telemetry: tables say what others add to it.
const BARE: &str = "no telemetry";
const OURS: &str = "bellwether";

/// Records of this process that never arrived.
static LOST: AtomicU64 = AtomicU64::new(0);

/// One library in one way, doing one piece of work so many times.
pub struct Subject {
    /// What is measured: subjects of one work are compared.
    work: &'static str,
    name: &'static str,
    /// Prepares, and returns what is measured: it does the work `n` times.
    prepare: fn() -> Box<dyn FnMut(u64)>,
    /// How often in a round.
    n: u64,
}

fn main() -> ExitCode {
    let (mut rounds, mut part, mut words) = (7, 1, String::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => (rounds, part) = (1, 5),
            "--child" => {
                let n = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(0);
                return child(n, &arguments.next().unwrap_or_default());
            }
            _ => words = argument,
        }
    }
    let subjects: Vec<_> = subjects().into_iter().filter(|of| of.id().contains(&words)).collect();
    let mut best = vec![Figures::NONE; subjects.len()];
    for _ in 0..rounds {
        for (subject, best) in subjects.iter().zip(&mut best) {
            let Some(figures) = run(subject, subject.n / part) else {
                eprintln!("{} failed", subject.id());
                return ExitCode::FAILURE;
            };
            *best = best.best(figures);
        }
    }
    table::print(&subjects.iter().zip(best).collect::<Vec<_>>());
    ExitCode::SUCCESS
}

fn subjects() -> Vec<Subject> {
    let mut subjects = logs::subjects();
    subjects.extend(requests::subjects());
    subjects
}

impl Subject {
    fn id(&self) -> String {
        format!("{}: {}", self.work, self.name)
    }
}

/// Runs `subject` in a process of its own, `n` times.
fn run(subject: &Subject, n: u64) -> Option<Figures> {
    let me = std::env::current_exe().ok()?;
    let arguments = ["--child", &n.to_string(), &subject.id()];
    let output = std::process::Command::new(me).args(arguments).output().ok()?;
    std::io::Write::write_all(&mut std::io::stderr(), &output.stderr).ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let figures: Vec<f64> = text.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let [wall, cpu, lost] = figures.try_into().ok()?;
    Some(Figures { wall, cpu, lost })
}

fn child(n: u64, id: &str) -> ExitCode {
    let Some(subject) = subjects().into_iter().find(|subject| subject.id() == id) else {
        return ExitCode::FAILURE;
    };
    let mut work = (subject.prepare)();
    let warm = n / 10;
    work(warm);
    let (cpu, wall) = (ProcessTime::now(), Instant::now());
    work(n);
    let (wall, cpu) = (wall.elapsed(), cpu.elapsed());
    let each = |nanos: u128| nanos as f64 / n as f64;
    let lost = LOST.load(Ordering::Relaxed) as f64 * 1000.0 / (n + warm) as f64;
    println!("{} {} {lost}", each(wall.as_nanos()), each(cpu.as_nanos()));
    drop(work);
    place();
    ExitCode::SUCCESS
}

/// A path for a file of this process, where there is none, not any more.
fn place() -> PathBuf {
    let path = std::env::temp_dir().join(format!("bellwether-service-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}
