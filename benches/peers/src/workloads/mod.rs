//! The workloads: who takes part, and what bellwether has to reach.

mod floor;
pub mod labels;
pub mod m1;
pub mod m2;
pub mod m3;
pub mod m4;
pub mod m5;
pub mod m6;
pub mod m7;
pub mod m8;
pub mod m9;
pub mod mw;
mod otel;
pub mod page;
mod recorder;
pub mod t2;

use crate::harness::{Effort, Plan, Role, Round, Stretch, Subject, median, round};

/// The figures of one workload in one unit; less is better.
pub struct Table {
    pub workload: &'static str,
    pub unit: &'static str,
    pub figures: Vec<Figure>,
    pub budget: Rule,
}

pub struct Figure {
    pub library: &'static str,
    pub idiom: &'static str,
    pub role: Role,
    pub threads: usize,
    /// Nanoseconds per operation are, where there is own work, those added to it.
    pub value: f64,
    /// How many rounds the machine was too busy for: their threads took turns.
    pub invalid_rounds: usize,
}

/// What a figure of bellwether's has to keep to, if anything.
pub type Rule = fn(&Table, &Figure) -> Option<Budget>;

/// What bellwether may take, in the unit of the table and in this run.
pub struct Budget {
    pub limit: f64,
    pub rule: &'static str,
}

impl Table {
    /// The least of those that `select` names.
    pub fn least(&self, threads: usize, select: impl Fn(&Figure) -> bool) -> Option<f64> {
        let those = self.figures.iter().filter(|f| f.threads == threads && select(f));
        those.map(|figure| figure.value).min_by(f64::total_cmp)
    }

    /// [`least`](Self::least) of one library, times `factor`; NaN, which nothing keeps to, if it has
    /// no figure.
    pub fn times(&self, factor: f64, library: &str, threads: usize) -> f64 {
        let those = |figure: &Figure| figure.library == library;
        factor * self.least(threads, those).unwrap_or(f64::NAN)
    }

    /// The workload's floor: the first of its kind.
    pub fn floor(&self, threads: usize) -> Option<f64> {
        let mut those = self.figures.iter();
        those.find(|f| f.threads == threads && f.role == Role::Floor).map(|figure| figure.value)
    }

    /// The floor times `factor`.
    pub fn times_floor(&self, factor: f64, threads: usize) -> f64 {
        factor * self.floor(threads).unwrap_or(f64::NAN)
    }

    /// Where two threads must not be slower than one: `limit`, or less if one thread is faster.
    ///
    /// The fifth on top is the noise between two rounds on a shared machine.
    pub fn no_slower_than_one(&self, figure: &Figure, limit: f64) -> f64 {
        let same = |other: &Figure| other.role == Role::Ours && other.idiom == figure.idiom;
        let alone = self.least(1, same).unwrap_or(f64::INFINITY);
        if figure.threads == 1 { limit } else { limit.min(1.2 * alone) }
    }

    pub fn budget_of(&self, figure: &Figure) -> Option<Budget> {
        (figure.role == Role::Ours).then(|| (self.budget)(self, figure)).flatten()
    }
}

/// A workload that is an operation repeated in a loop.
pub struct Recording {
    pub name: &'static str,
    /// The first one of [`Role::Floor`] is what ratios to the floor are taken to.
    pub subjects: Vec<Subject>,
    pub stretch: Stretch,
    pub budget: Rule,
}

impl Recording {
    /// Measures every subject at one and two threads, a round of each in turn.
    pub fn measure(&self, effort: Effort) -> Table {
        let figures = [1, 2].into_iter().flat_map(|threads| self.at(threads, effort)).collect();
        Table { workload: self.name, unit: "ns/op", figures, budget: self.budget }
    }

    fn at(&self, threads: usize, effort: Effort) -> Vec<Figure> {
        let plans: Vec<_> = (self.subjects.iter())
            .map(|subject| Plan::calibrated(subject, threads, effort, self.stretch))
            .collect();
        let mut taken: Vec<Taken> = self.subjects.iter().map(|_| Taken::default()).collect();
        for _ in 0..effort.passes {
            for _ in 0..effort.rounds {
                self.interleaved(threads, &plans, &mut taken);
            }
            taken.iter_mut().for_each(Taken::end_pass);
        }
        let figure = |(subject, taken): (&Subject, Taken)| Figure {
            library: subject.library,
            idiom: subject.idiom,
            role: subject.role,
            threads,
            invalid_rounds: taken.invalid,
            value: taken.value(),
        };
        self.subjects.iter().zip(taken).map(figure).collect()
    }

    /// One round of each subject; where there is own work, that before each as well, and the
    /// difference is what counts: the machine drifts less in 10 ms than a recording costs.
    fn interleaved(&self, threads: usize, plans: &[Plan], taken: &mut [Taken]) {
        let own_work = self.subjects.iter().position(|subject| subject.role == Role::Work);
        for (index, subject) in self.subjects.iter().enumerate() {
            let base = own_work.filter(|&work| work != index);
            let base = base.map(|work| round(&self.subjects[work], threads, plans[work]));
            let round = round(subject, threads, plans[index]);
            let valid = round.is_valid() && base.as_ref().is_none_or(Round::is_valid);
            taken[index].add(round.nanos - base.map_or(0.0, |base| base.nanos), valid);
        }
    }
}

/// The rounds of one subject.
#[derive(Default)]
pub struct Taken {
    valid: Vec<f64>,
    invalid_values: Vec<f64>,
    pub invalid: usize,
    passes: Vec<f64>,
}

impl Taken {
    pub fn add(&mut self, value: f64, valid: bool) {
        if valid {
            self.valid.push(value);
        } else {
            self.invalid_values.push(value);
            self.invalid += 1;
        }
    }

    /// The median of the valid rounds; where there is none, of those there are.
    pub fn end_pass(&mut self) {
        let (valid, invalid) =
            (std::mem::take(&mut self.valid), std::mem::take(&mut self.invalid_values));
        self.passes.push(median(if valid.is_empty() { invalid } else { valid }));
    }

    /// The median of the passes.
    pub fn value(self) -> f64 {
        median(self.passes)
    }
}
