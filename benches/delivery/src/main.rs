//! What delivery costs and withstands, end to end: real spans, real HTTP with gzip, a sink that counts.
//!
//! `cargo run --release [-- [--quick] [WORDS]]`; `WORDS` are of the names that it prints: `flood`, `stuck`,
//! `overload`. Each runs in a process of its own, whose memory is its own. `--quick` is a short round that fails
//! by a wrong count alone; figures of time are printed beside what is wanted, and a machine that does other work
//! besides may miss them.

mod flood;
mod overload;
mod sink;
mod stuck;

use std::process::{Command, ExitCode};

/// A part: it prints its figures, and returns whether every record is accounted for.
type Part = fn(is_quick: bool, arguments: &[String]) -> Result<(), String>;

const PARTS: [(&str, Part); 3] =
    [("flood", flood::run), ("stuck", stuck::run), ("overload", overload::run)];

fn main() -> ExitCode {
    let (mut is_quick, mut words) = (false, String::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => is_quick = true,
            "--child" => {
                let name = arguments.next().unwrap_or_default();
                let rest: Vec<String> = arguments.collect();
                return child(&name, is_quick, &rest);
            }
            _ => words = argument,
        }
    }
    let mut exit = ExitCode::SUCCESS;
    for (name, _) in PARTS.iter().filter(|(name, _)| name.contains(&words)) {
        println!("\n{name}\n");
        let status = again(is_quick, name, &[]).and_then(|mut command| command.status());
        if !status.is_ok_and(|status| status.success()) {
            eprintln!("{name} failed");
            exit = ExitCode::FAILURE;
        }
    }
    exit
}

fn child(name: &str, is_quick: bool, arguments: &[String]) -> ExitCode {
    let Some((_, run)) = PARTS.iter().find(|(known, _)| *known == name) else {
        return ExitCode::FAILURE;
    };
    match run(is_quick, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// This program again, as the part `name` with arguments.
fn again(is_quick: bool, name: &str, arguments: &[&str]) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    if is_quick {
        command.arg("--quick");
    }
    command.args(["--child", name]).args(arguments);
    Ok(command)
}

/// The most memory that this process ever had, in MiB, as the kernel says.
fn most_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}

/// How a figure stands to what is wanted.
fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "MISSED" }
}
