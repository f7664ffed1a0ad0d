//! M2: a counter with two labels given at each call, 100 sets.

use super::{Budget, Figure, Recording, Table, floor, labels};
use crate::{
    bellwether_side,
    harness::{Effort, Pace, Stretch},
};

pub fn tables(effort: Effort) -> Vec<Table> {
    vec![hundred().measure(effort)]
}

fn hundred() -> Recording {
    let mut subjects =
        vec![floor::thread_local_spread(), floor::thread_local_labelled(labels::Sets::FEW)];
    subjects.extend(labels::peers::<10>("few", Pace::Flat));
    subjects.extend(bellwether_side::labels::<10>("few", Pace::Flat));
    Recording { name: "M2 two labels, 100 sets", subjects, stretch: Stretch::Round, budget }
}

fn budget(table: &Table, figure: &Figure) -> Option<Budget> {
    let threads = figure.threads;
    Some(if figure.idiom.starts_with("closed") {
        Budget { limit: table.times_floor(2.5, threads), rule: "2.5 x thread-local add" }
    } else if threads == 1 {
        Budget { limit: table.times(0.6, "fastmetrics", 1), rule: "0.6 x fastmetrics" }
    } else {
        Budget { limit: table.times(0.1, "fastmetrics", threads), rule: "0.1 x fastmetrics" }
    })
}
