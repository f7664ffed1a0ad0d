//! Bellwether and its peers, side by side in one process: the workloads M1, MW, M4 and T2.
//!
//! `cargo run --release [-- [--only M4] [--quick] [--json]]`. Compare the rows of one run with each
//! other; the machine drifts too much for any absolute figure. A library whose own total is not
//! what was recorded ends the run. A missed budget is printed and does not: on a shared machine
//! that is for a person to judge.

mod bellwether_side;
mod harness;
mod report;
mod workloads;

use harness::Effort;
use std::{process::ExitCode, time::Duration};
use workloads::{Workload, m1, m4, mw, t2};

type Make = (&'static str, fn() -> Workload);

const WORKLOADS: [Make; 7] = [
    ("M1", m1::one),
    ("M1", m1::spread),
    ("MW", mw::counter),
    ("MW", mw::labels),
    ("MW", mw::histogram),
    ("M4", m4::held),
    ("T2", t2::root_span),
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
    let mut missed = 0;
    for (_, make) in WORKLOADS.iter().filter(|(name, _)| options.selects(name)) {
        let workload = make();
        let rows = report::rows(&workload, &workload.measure(options.effort));
        if options.json {
            report::print_json(&rows)
        } else {
            report::print_table(&rows)
        }
        missed += rows.iter().filter(|row| row.misses()).count();
    }
    eprintln!("all totals verified; {missed} budgets missed");
    ExitCode::SUCCESS
}

struct Options {
    only: Option<String>,
    json: bool,
    effort: Effort,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { only: None, json: false, effort: FULL };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--json" => options.json = true,
                "--quick" => options.effort = QUICK,
                "--only" => {
                    let name = arguments.next().unwrap_or_default();
                    if !WORKLOADS.iter().any(|(known, _)| *known == name) {
                        return Err(format!("--only takes M1, MW, M4 or T2, not {name:?}"));
                    }
                    options.only = Some(name);
                }
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
