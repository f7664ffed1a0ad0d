//! Bellwether and its peers, side by side in one process: recording, reading and memory.
//!
//! `cargo run --release [-- [--only M4] [--quick] [--json]]`. Compare the rows of one run with each
//! other; the machine drifts too much for any absolute figure. A library whose own total is not
//! what was recorded ends the run (a peer that loses records beside scrapes is named). A missed budget is printed and does not: on a shared machine
//! that is for a person to judge.

mod bellwether_side;
mod harness;
mod memory;
mod report;
mod workloads;

use harness::Effort;
use std::{process::ExitCode, time::Duration};
use workloads::{Table, m1, m2, m3, m4, m5, m6, m7, m8, m9, mw, t2};

type Measure = (&'static str, fn(Effort) -> Vec<Table>);

const WORKLOADS: [Measure; 11] = [
    ("M1", m1::tables),
    ("MW", mw::tables),
    ("M2", m2::tables),
    ("M3", m3::tables),
    ("M4", m4::tables),
    ("M5", m5::tables),
    ("M6", m6::tables),
    ("M7", m7::tables),
    ("M8", m8::tables),
    ("M9", m9::tables),
    ("T2", t2::tables),
];

const FULL: Effort = Effort { round: Duration::from_millis(10), rounds: 7, passes: 3 };
/// For continuous integration: totals are verified as in a full run, figures are rough.
const QUICK: Effort = Effort { round: Duration::from_millis(3), rounds: 3, passes: 1 };

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    if let Some(subject) = &options.memory_of {
        m8::report_as_child(subject);
        return ExitCode::SUCCESS;
    }
    let mut missed = 0;
    for (_, measure) in WORKLOADS.iter().filter(|(name, _)| options.selects(name)) {
        for table in measure(options.effort) {
            let rows = report::rows(&table);
            if options.json {
                report::print_json(&rows)
            } else {
                report::print_table(&rows)
            }
            missed += rows.iter().filter(|row| row.misses()).count();
        }
    }
    eprintln!("all totals verified; {missed} budgets missed");
    ExitCode::SUCCESS
}

struct Options {
    only: Option<String>,
    json: bool,
    effort: Effort,
    /// Set by M8 for its children.
    memory_of: Option<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { only: None, json: false, effort: FULL, memory_of: None };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--json" => options.json = true,
                "--quick" => options.effort = QUICK,
                "--only" => {
                    let name = arguments.next().unwrap_or_default();
                    if !WORKLOADS.iter().any(|(known, _)| *known == name) {
                        let known = WORKLOADS.map(|(name, _)| name).join(", ");
                        return Err(format!("--only takes one of {known}, not {name:?}"));
                    }
                    options.only = Some(name);
                }
                m8::CHILD => options.memory_of = arguments.next(),
                other => {
                    return Err(format!(
                        "unknown argument {other:?}: --only NAME, --quick, --json"
                    ));
                }
            }
        }
        Ok(options)
    }

    fn selects(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == name)
    }
}
