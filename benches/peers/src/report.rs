//! The table for people and the lines for machines.

use crate::{
    harness::Role,
    workloads::{Budget, Figure, Table},
};

/// A figure with what it is compared to.
pub struct Row {
    workload: &'static str,
    unit: &'static str,
    library: &'static str,
    idiom: &'static str,
    threads: usize,
    value: f64,
    invalid_rounds: usize,
    ratio_best_peer: Option<f64>,
    ratio_floor: Option<f64>,
    /// Bellwether's only, where there is one.
    budget: Option<Budget>,
}

/// The rows of one table.
pub fn rows(table: &Table) -> Vec<Row> {
    // Of what is added to own work, half a nanosecond is noise, and no measure for a ratio.
    let is_added = table.figures.iter().any(|figure| figure.role == Role::Work);
    let noise = if is_added { 0.5 } else { 0.0 };
    let ratio = |value: f64, to: Option<f64>| to.filter(|&to| to > noise).map(|to| value / to);
    let row = |figure: &Figure| {
        let best_peer = table.least(figure.threads, |other| other.role == Role::Peer);
        Row {
            workload: table.workload,
            unit: table.unit,
            library: figure.library,
            idiom: figure.idiom,
            threads: figure.threads,
            value: figure.value,
            invalid_rounds: figure.invalid_rounds,
            ratio_best_peer: ratio(figure.value, best_peer),
            ratio_floor: ratio(figure.value, table.floor(figure.threads)),
            budget: table.budget_of(figure),
        }
    };
    let shown = table.figures.iter().filter(|figure| figure.role != Role::Work);
    shown.map(row).collect()
}

impl Row {
    fn holds(&self) -> Option<bool> {
        self.budget.as_ref().map(|budget| self.value <= budget.limit)
    }

    /// Whether bellwether's budget is missed here.
    pub fn misses(&self) -> bool {
        self.holds() == Some(false)
    }

    /// The names of workloads, libraries and idioms hold no character that JSON would escape.
    fn json(&self) -> String {
        let number = |value: Option<f64>| match value {
            Some(value) if value.is_finite() => format!("{value:.3}"),
            _ => "null".to_owned(),
        };
        let mut line = format!(
            r#"{{"workload":"{}","library":"{}","idiom":"{}","threads":{},"value":{},"unit":"{}","ratio_best_peer":{},"ratio_floor":{}"#,
            self.workload,
            self.library,
            self.idiom,
            self.threads,
            number(Some(self.value)),
            self.unit,
            number(self.ratio_best_peer),
            number(self.ratio_floor),
        );
        if let (Some(budget), Some(holds)) = (&self.budget, self.holds()) {
            line += &format!(r#","budget":{},"holds":{holds}"#, number(Some(budget.limit)));
        }
        line + "}"
    }

    fn line(&self) -> String {
        let ratio =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        let budget = self.budget.as_ref().map(|budget| {
            let verdict = if self.misses() { "MISSED" } else { "holds" };
            format!("{verdict} <= {:.2} ({})", budget.limit, budget.rule)
        });
        let busy = match self.invalid_rounds {
            0 => String::new(),
            n => format!("; {n} rounds did not overlap"),
        };
        format!(
            "{:<17} {:<44} {:>2} {:>9.2} {:>8} {:>8}  {}{busy}",
            self.library,
            self.idiom,
            self.threads,
            self.value,
            ratio(self.ratio_best_peer),
            ratio(self.ratio_floor),
            budget.unwrap_or_default()
        )
    }
}

/// One object a line.
pub fn print_json(rows: &[Row]) {
    rows.iter().for_each(|row| println!("{}", row.json()));
}

pub fn print_table(rows: &[Row]) {
    let Some(first) = rows.first() else { return };
    println!(
        "\n{:<62} {:>2} {:>9} {:>8} {:>8}  budget",
        first.workload, "T", first.unit, "x peer", "x floor"
    );
    rows.iter().for_each(|row| println!("{}", row.line()));
}
