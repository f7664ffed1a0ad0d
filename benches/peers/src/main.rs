//! Bellwether and its peers, side by side in one process: recording, reading and memory.
//!
//! `cargo run --release [-- [--only WORDS] [--quick]]`. Standard output is a table that can stand in a
//! README; the figures of every library go to standard error. Compare the rows of one run with each
//! other; the machine drifts too much for any absolute figure. A library whose own total is not what
//! was recorded ends the run (a peer that loses records beside scrapes is named). A missed budget is
//! printed and does not: on a shared machine that is for a person to judge.

mod children;
mod counters;
mod emitted;
mod exposition;
mod floods;
mod floors;
mod harness;
mod histograms;
mod labels;
mod memory;
mod otel;
mod pages;
mod recorder;
mod spans;
mod table;
mod texts;
mod timers;
mod trees;

use harness::Effort;
use std::{process::ExitCode, time::Duration};
use table::Table;

/// What it measures, in words, and how.
type Workload = (&'static str, fn(Effort) -> Vec<Table>);

macro_rules! workloads {
    ($($words:literal $one:path,)* ; $($more:literal $many:path,)*) => {
        &[$(($words, |effort| vec![$one(effort)])),*, $(($more, $many)),*]
    };
}

const WORKLOADS: &[Workload] = workloads! {
    "a counter in a loop" counters::in_a_loop,
    "64 counters in turn" counters::in_turn,
    "a counter of fractions" counters::of_fractions,
    "an up-down counter" counters::up_and_down,
    "closed sets of labels" counters::closed,
    "closed sets of labels, 10,000" counters::closed_ten_thousand,
    "any text, listed, interned, count!" texts::hundred,
    "any text, 10,000 sets of 16 bytes, interned, count!" texts::ten_thousand::<16>,
    "any text, 10,000 sets of 40 bytes, count!" texts::ten_thousand::<40>,
    "any text, 10,000 sets of 100 bytes, count!" texts::ten_thousand::<100>,
    "any text, a new thread's first" texts::first_touch,
    "a histogram" histograms::in_a_loop,
    "a gauge, set" counters::gauge_set,
    "a timer, time!" timers::timers,
    "own work, a counter" counters::beside_work,
    "own work, any text" texts::beside_work,
    "own work, a histogram" histograms::beside_work,
    "beyond those that own a table, a counter" counters::without_a_table,
    "beyond those that own a table, a histogram" histograms::without_a_table,
    "a sampled span, a record in it" histograms::sampled,
    "a sampled span, first exemplar of a tick" histograms::sampled_first,
    "a sampled root span" spans::root,
    "#[observe] async, not started" spans::observed_not_started,
    "#[observe] async, not sampled" spans::observed_unsampled,
    "#[observe] async, sampled" spans::observed_sampled,
    "spans of a tree" trees::bare,
    "spans of a tree with content" trees::with_attributes,
    ;
    "a root span nobody wants" trees::unwanted,
    "headers" trees::headers,
    "beside an awake worker, a root span" spans::root_beside,
    "beside an awake worker, spans of a tree" trees::bare_beside,
    "beside an awake worker, spans of a tree with content" trees::with_attributes_beside,
    "spans flat out" children::floods,
    "a page" pages::pages,
    "beside scrapes" pages::beside_scrapes,
    "after 1,000 further threads" children::after_threads,
    "a tick" children::ticks,
    "bytes, a counter" children::counters,
    "bytes, a histogram" children::histograms,
};

const FULL: Effort = Effort { round: Duration::from_millis(10), rounds: 7, passes: 3 };
/// For continuous integration: totals are verified as in a full run, figures are rough.
const QUICK: Effort = Effort { round: Duration::from_millis(3), rounds: 3, passes: 1 };

fn main() -> ExitCode {
    let (mut only, mut effort) = (None, FULL);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => effort = QUICK,
            "--only" => only = arguments.next(),
            children::CHILD => {
                children::report(&arguments.next().unwrap_or_default());
                return ExitCode::SUCCESS;
            }
            other => return refuse(&format!("unknown argument {other:?}: --only WORDS, --quick")),
        }
    }
    let is_asked = |words: &str| only.as_ref().is_none_or(|only| words.contains(only.as_str()));
    let asked: Vec<_> = WORKLOADS.iter().filter(|(words, _)| is_asked(words)).collect();
    if asked.is_empty() {
        let known: Vec<_> = WORKLOADS.iter().map(|(words, _)| *words).collect();
        return refuse(&format!("--only takes words of one of these:\n{}", known.join("\n")));
    }
    table::print_heading();
    let mut missed = 0;
    for (_, measure) in asked {
        for table in measure(effort) {
            table.print_all();
            missed += table.print_rows();
        }
    }
    eprintln!("all totals verified; {missed} rows missed their budget");
    ExitCode::SUCCESS
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(2)
}
