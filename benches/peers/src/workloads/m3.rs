//! M3: a counter with two labels given at each call, 10,000 sets; and a thread's first 10,000.

use super::{Budget, Figure, Recording, Table, floor, labels};
use crate::{
    bellwether_side,
    harness::{Effort, Pace, Stretch},
};

pub fn tables(effort: Effort) -> Vec<Table> {
    vec![ten_thousand().measure(effort), first_touch().measure(effort)]
}

fn ten_thousand() -> Recording {
    let many = labels::Sets::many();
    let mut subjects = vec![floor::thread_local_spread(), floor::thread_local_labelled(many)];
    subjects.extend(labels::peers::<100>("many", Pace::Flat));
    subjects.extend(bellwether_side::labels::<100>("many", Pace::Flat));
    Recording { name: "M3 two labels, 10,000 sets", subjects, stretch: Stretch::Round, budget }
}

/// The series are there; a new thread records into each of them once.
fn first_touch() -> Recording {
    let mut subjects = labels::peers::<100>("many_first", Pace::Flat);
    subjects.extend(bellwether_side::labels::<100>("many_first", Pace::Flat));
    Recording {
        name: "M3 a new thread's first 10,000 sets",
        subjects,
        stretch: Stretch::NewThread(10_000),
        budget: |_, _| None,
    }
}

fn budget(table: &Table, figure: &Figure) -> Option<Budget> {
    let threads = figure.threads;
    Some(if figure.idiom.starts_with("closed") {
        Budget { limit: table.times_floor(2.5, threads), rule: "2.5 x thread-local add" }
    } else if threads == 1 {
        Budget { limit: table.times(0.7, "fastmetrics", 1), rule: "0.7 x fastmetrics" }
    } else {
        Budget { limit: table.times(0.1, "fastmetrics", threads), rule: "0.1 x fastmetrics" }
    })
}
