//! The table for people and the lines for machines.

use crate::{
    harness::Role,
    workloads::{Figure, Figures, Workload},
};

/// A figure with what it is compared to.
pub struct Row {
    workload: &'static str,
    library: &'static str,
    idiom: &'static str,
    threads: usize,
    nanos: f64,
    invalid_rounds: usize,
    ratio_best_peer: Option<f64>,
    ratio_floor: Option<f64>,
    /// Bellwether's only: nanoseconds, the rule they come from, and whether they are kept.
    budget: Option<(f64, &'static str, bool)>,
}

/// The rows of one workload.
pub fn rows(workload: &Workload, figures: &Figures) -> Vec<Row> {
    let row = |figure: &Figure| {
        let best_peer = figures.fastest(figure.threads, |other| other.role == Role::Peer);
        let budget = (figure.role == Role::Ours).then(|| {
            let budget = (workload.budget)(figures, figure);
            (budget.limit, budget.rule, figure.nanos <= budget.limit)
        });
        Row {
            workload: workload.name,
            library: figure.library,
            idiom: figure.idiom,
            threads: figure.threads,
            nanos: figure.nanos,
            invalid_rounds: figure.invalid_rounds,
            ratio_best_peer: ratio(figure.nanos, best_peer),
            ratio_floor: ratio(figure.nanos, figures.floor(figure.threads)),
            budget,
        }
    };
    let shown = figures.figures.iter().filter(|figure| figure.role != Role::Work);
    shown.map(row).collect()
}

impl Row {
    /// Whether bellwether's budget is missed here.
    pub fn misses(&self) -> bool {
        self.budget.is_some_and(|(_, _, holds)| !holds)
    }

    fn json(&self) -> String {
        let number = |value: Option<f64>| match value {
            Some(value) if value.is_finite() => format!("{value:.3}"),
            _ => "null".to_owned(),
        };
        let mut line = format!(
            r#"{{"workload":"{}","library":"{}","idiom":"{}","threads":{},"value":{},"unit":"ns/op","ratio_best_peer":{},"ratio_floor":{}"#,
            self.workload,
            self.library,
            self.idiom,
            self.threads,
            number(Some(self.nanos)),
            number(self.ratio_best_peer),
            number(self.ratio_floor),
        );
        if let Some((limit, rule, holds)) = self.budget {
            let limit = number(Some(limit));
            line += &format!(r#","budget":{limit},"budget_rule":"{rule}","holds":{holds}"#);
        }
        line + "}"
    }
}

/// One object a line.
pub fn print_json(rows: &[Row]) {
    for row in rows {
        println!("{}", row.json());
    }
}

/// A table; the names of workloads, libraries and idioms hold no character that JSON would escape.
pub fn print_table(rows: &[Row]) {
    println!(
        "\n{:<56} {:>2} {:>8} {:>9} {:>8}  budget",
        rows.first().map_or("", |row| row.workload),
        "T",
        "ns/op",
        "x peer",
        "x floor"
    );
    for row in rows {
        let ratio =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        let budget = row.budget.map(|(limit, rule, holds)| {
            format!("{} <= {limit:.2} ({rule})", if holds { "holds" } else { "MISSED" })
        });
        let busy = match row.invalid_rounds {
            0 => String::new(),
            n => format!("; {n} rounds did not overlap"),
        };
        println!(
            "{:<17} {:<38} {:>2} {:>8.2} {:>9} {:>8}  {}{busy}",
            row.library,
            row.idiom,
            row.threads,
            row.nanos,
            ratio(row.ratio_best_peer),
            ratio(row.ratio_floor),
            budget.unwrap_or_default()
        );
    }
}

/// A ratio, unless what it is taken to is nothing: an addition of half a nanosecond is noise.
fn ratio(nanos: f64, to: Option<f64>) -> Option<f64> {
    to.filter(|&to| to >= 0.5 || nanos < to).filter(|&to| to > 0.0).map(|to| nanos / to)
}
