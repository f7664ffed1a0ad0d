//! What was measured, what bellwether has to keep to, and the rows that say both.
//!
//! A row is one of bellwether's figures beside a floor and the best peer, at one thread and at two. The
//! best peer is the best of each column: who is fastest alone may not be with a second thread.

/// The figures of one workload in one unit; less is better.
pub struct Table {
    pub title: String,
    pub unit: &'static str,
    pub entries: Vec<Entry>,
}

/// One library in one idiom.
#[derive(Clone, Copy)]
pub struct Entry {
    pub library: &'static str,
    pub idiom: &'static str,
    pub part: Part,
    /// With one thread and with two; `None` where that means nothing.
    pub at: [Option<f64>; 2],
}

/// The figure of a subject whose threads never ran at once: nothing compares with it.
pub const NO_OVERLAP: f64 = f64::NAN;

#[derive(Clone, Copy)]
pub enum Part {
    Ours(Row),
    Peer,
    /// What the machine allows.
    Floor,
    /// The thread's own work, without any recording.
    Work,
}

impl Part {
    pub fn is_work(self) -> bool {
        matches!(self, Self::Work)
    }
}

/// What a figure of bellwether's is about.
#[derive(Clone, Copy)]
pub struct Row {
    pub what: &'static str,
    /// The floor beside it; empty for none.
    pub floor: &'static str,
    /// In words; empty for none.
    pub budget: &'static str,
    /// In the unit of the table and in this run.
    pub limit: fn(&At) -> f64,
    /// Whether two threads may take a tenth more than one at most.
    pub is_flat: bool,
}

/// A row without a budget.
pub const fn row(what: &'static str, floor: &'static str) -> Row {
    Row { what, floor, budget: "", limit: |_| f64::INFINITY, is_flat: false }
}

impl Row {
    pub const fn budget(self, budget: &'static str, limit: fn(&At) -> f64) -> Self {
        Self { budget, limit, ..self }
    }

    /// For what every thread does on its own.
    pub const fn flat(self) -> Self {
        Self { is_flat: true, ..self }
    }
}

/// Where a budget looks: at the figures of a table at so many threads.
pub struct At<'a> {
    table: &'a Table,
    pub threads: usize,
    row: Row,
}

impl At<'_> {
    fn least(&self, select: impl Fn(&Entry) -> bool) -> Option<(&Entry, f64)> {
        let those = self.table.entries.iter().filter(|entry| select(entry));
        let figures = those.filter_map(|entry| Some((entry, entry.at[self.threads - 1]?)));
        figures.filter(|(_, value)| value.is_finite()).min_by(|a, b| a.1.total_cmp(&b.1))
    }

    fn figure(&self, select: impl Fn(&Entry) -> bool) -> f64 {
        self.least(select).map_or(f64::NAN, |(_, value)| value)
    }

    pub fn floor(&self, name: &str) -> f64 {
        self.figure(|entry| matches!(entry.part, Part::Floor) && entry.idiom == name)
    }

    /// The floor beside the row.
    pub fn own_floor(&self) -> f64 {
        self.floor(self.row.floor)
    }

    /// The best peer whose library this accepts.
    pub fn peer(&self, accepts: impl Fn(&str) -> bool) -> f64 {
        self.figure(|entry| matches!(entry.part, Part::Peer) && accepts(entry.library))
    }

    pub fn best_peer(&self) -> f64 {
        self.peer(|_| true)
    }

    /// The best peer whose sums a scrape sees at any time: a thread's local metrics are seen when it
    /// flushes them.
    pub fn best_seen(&self) -> f64 {
        self.peer(|library| library != "prometheus local")
    }

    pub fn ours(&self, what: &str) -> f64 {
        self.figure(|entry| matches!(entry.part, Part::Ours(row) if row.what == what))
    }
}

impl Table {
    /// All figures, for whoever doubts a row.
    pub fn print_all(&self) {
        eprintln!("\n{} ({}; 1 / 2 threads)", self.title, self.unit);
        for entry in self.entries.iter().filter(|entry| !entry.part.is_work()) {
            let library = if matches!(entry.part, Part::Floor) { "(floor)" } else { entry.library };
            eprintln!("  {library:<18} {:<58} {}", entry.idiom, pair(entry.at));
        }
    }

    /// The rows of bellwether; how many missed their budgets.
    pub fn print_rows(&self) -> usize {
        let row = |entry: &Entry| match entry.part {
            Part::Ours(row) => Some(self.print_row(entry, row)),
            _ => None,
        };
        self.entries.iter().filter_map(row).filter(|missed| *missed).count()
    }

    /// Whether it missed its budget.
    fn print_row(&self, entry: &Entry, row: Row) -> bool {
        let each = [1, 2].map(|threads| At { table: self, threads, row });
        let peers = each.each_ref().map(|at| at.least(|entry| matches!(entry.part, Part::Peer)));
        let limits = each.each_ref().map(|at| {
            let alone = entry.at[0].filter(|alone| row.is_flat && alone.is_finite());
            let flat = alone.filter(|_| at.threads == 2).map_or(f64::INFINITY, |one| 1.1 * one);
            // A limit that is not a number stays so: what cannot be told is not kept.
            let limit = (row.limit)(at);
            entry.at[at.threads - 1].map(|_| if limit > flat { flat } else { limit })
        });
        let mut verdicts = Vec::new();
        for ((value, limit), threads) in entry.at.into_iter().zip(limits).zip([1, 2]) {
            let (Some(value), Some(limit)) = (value, limit) else { continue };
            if value.is_nan() || limit.is_nan() {
                verdicts.push(format!("not told at {threads}T"));
            } else if value > limit {
                verdicts.push(format!("MISSED at {threads}T"));
            }
        }
        let is_missed = verdicts.iter().any(|verdict| verdict.starts_with("MISSED"));
        let verdict = if verdicts.is_empty() { "holds".to_owned() } else { verdicts.join(", ") };
        let words = match (row.budget, row.is_flat) {
            ("", false) => None,
            ("", true) => Some("2T = 1T".to_owned()),
            (words, false) => Some(words.to_owned()),
            (words, true) => Some(format!("{words}, 2T = 1T")),
        };
        let budget = words.map(|words| format!("{words}: {}, {verdict}", pair(limits)));
        let floor = match row.floor {
            "" => String::new(),
            name => {
                let of = each.each_ref().map(|at| entry.at[at.threads - 1].map(|_| at.own_floor()));
                format!("{name} {}", pair(of))
            }
        };
        let unit = if self.unit == "ns" { String::new() } else { format!(", {}", self.unit) };
        let what = format!("{}{unit}", row.what);
        let cells = [what, pair(entry.at), best(peers), floor, budget.unwrap_or_default()];
        println!("| {} |", cells.join(" | "));
        is_missed
    }
}

pub fn print_heading() {
    println!("| 1 thread / 2 at once, ns unless said | bellwether | best peer | floor | budget |");
    println!("| --- | --- | --- | --- | --- |");
}

/// The best peers' names and figures; one name if it is the same library.
fn best(peers: [Option<(&Entry, f64)>; 2]) -> String {
    match peers.map(|peer| peer.map(|(entry, value)| (entry.library, value))) {
        [Some((a, one)), Some((b, two))] if a == b => {
            format!("{a} {} / {}", number(one), number(two))
        }
        peers => {
            let named = |(library, value)| format!("{library} {}", number(value));
            peers.into_iter().flatten().map(named).collect::<Vec<_>>().join(" / ")
        }
    }
}

fn pair(at: [Option<f64>; 2]) -> String {
    at.into_iter().flatten().map(number).collect::<Vec<_>>().join(" / ")
}

fn number(value: f64) -> String {
    match value {
        value if value.is_nan() => "no overlap".to_owned(),
        value if value.is_infinite() => "any".to_owned(),
        value if value.abs() < 10.0 => format!("{value:.2}"),
        value if value.abs() < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}
