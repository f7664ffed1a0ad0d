//! MW: what a recording adds to a thread that works for about 65 ns in between.

use super::{Budget, Recording, Table, labels, m1, m4};
use crate::{
    bellwether_side,
    harness::{Effort, Pace, Stretch, Subject, work_alone},
};

pub fn tables(effort: Effort) -> Vec<Table> {
    [counter, two_labels, histogram].map(|recording| recording().measure(effort)).into()
}

fn counter() -> Recording {
    added("MW counter", m1::counters(Pace::Working))
}

fn two_labels() -> Recording {
    let mut subjects = labels::peers::<10>("few_working", Pace::Working);
    subjects.extend(bellwether_side::labels::<10>("few_working", Pace::Working));
    added("MW two labels", subjects)
}

fn histogram() -> Recording {
    added("MW histogram", m4::histograms(Pace::Working))
}

fn added(name: &'static str, mut subjects: Vec<Subject>) -> Recording {
    subjects.insert(0, work_alone());
    let budget = |_: &_, _: &_| Some(Budget { limit: 3.0, rule: "3 ns added" });
    Recording { name, subjects, stretch: Stretch::Round, budget }
}
