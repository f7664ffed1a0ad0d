//! What a service pays for its telemetry, beside other libraries: in time of the thread that calls, and in
//! CPU of the whole process.
//!
//! `cargo run --release [-- [--quick] [WORDS]]`. Each subject runs in a process of its own, because loggers
//! and subscribers are the process's; rounds take turns, and the least of each figure counts. Compare rows of
//! one run with each other.

mod logs;

use std::{process::ExitCode, time::Instant};

use cpu_time::ProcessTime;

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
    let (mut rounds, mut words) = (7, String::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => rounds = 1,
            "--child" => return child(&arguments.next().unwrap_or_default()),
            _ => words = argument,
        }
    }
    let subjects: Vec<_> = subjects().into_iter().filter(|of| of.id().contains(&words)).collect();
    let mut best = vec![[f64::INFINITY; 2]; subjects.len()];
    for _ in 0..rounds {
        for (subject, best) in subjects.iter().zip(&mut best) {
            let Some(figures) = run(subject) else {
                eprintln!("{} failed", subject.id());
                return ExitCode::FAILURE;
            };
            *best = [0, 1].map(|place| best[place].min(figures[place]));
        }
    }
    let mut work = "";
    for (subject, [wall, cpu]) in subjects.iter().zip(&best) {
        if subject.work != work {
            work = subject.work;
            println!(
                "\n{work}\n\n| | ns on the calling thread | ns of CPU, all threads |\n|---|---:|---:|"
            );
        }
        println!("| {} | {wall:.1} | {cpu:.1} |", subject.name);
    }
    ExitCode::SUCCESS
}

fn subjects() -> Vec<Subject> {
    logs::subjects()
}

impl Subject {
    fn id(&self) -> String {
        format!("{}: {}", self.work, self.name)
    }
}

/// Runs `subject` in a process of its own; nanoseconds on the thread and of CPU, for each time.
fn run(subject: &Subject) -> Option<[f64; 2]> {
    let me = std::env::current_exe().ok()?;
    let output = std::process::Command::new(me).args(["--child", &subject.id()]).output().ok()?;
    std::io::Write::write_all(&mut std::io::stderr(), &output.stderr).ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut figures = text.split_whitespace().map(str::parse::<f64>);
    Some([figures.next()?.ok()?, figures.next()?.ok()?])
}

fn child(id: &str) -> ExitCode {
    let Some(subject) = subjects().into_iter().find(|subject| subject.id() == id) else {
        return ExitCode::FAILURE;
    };
    let mut work = (subject.prepare)();
    work(subject.n / 10); // Warm.
    let (cpu, wall) = (ProcessTime::now(), Instant::now());
    work(subject.n);
    let (wall, cpu) = (wall.elapsed(), cpu.elapsed());
    let each = |nanos: u128| nanos as f64 / subject.n as f64;
    println!("{} {}", each(wall.as_nanos()), each(cpu.as_nanos()));
    ExitCode::SUCCESS
}
