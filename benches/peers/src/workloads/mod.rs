//! The workloads: who takes part, and what bellwether has to reach.

mod floor;
pub mod m1;
pub mod m4;
pub mod mw;
pub mod otel;
pub mod t2;

use crate::harness::{Effort, Plan, Role, Round, Subject, median, round};

pub struct Workload {
    pub name: &'static str,
    /// The first one of [`Role::Floor`] is what ratios to the floor are taken to.
    pub subjects: Vec<Subject>,
    /// Operations between two drains, for a workload that fills queues.
    pub burst: Option<u64>,
    /// What bellwether's figure has to keep to.
    pub budget: fn(&Figures, &Figure) -> Budget,
}

/// What bellwether may take, in nanoseconds of this run.
pub struct Budget {
    pub limit: f64,
    pub rule: &'static str,
}

/// What was measured in one workload.
pub struct Figures {
    pub figures: Vec<Figure>,
}

pub struct Figure {
    pub library: &'static str,
    pub idiom: &'static str,
    pub role: Role,
    pub threads: usize,
    /// Nanoseconds per operation; where there is own work, those added to it.
    pub nanos: f64,
    /// How many rounds the machine was too busy for: their threads took turns.
    pub invalid_rounds: usize,
}

impl Figures {
    /// The fastest of those that `select` names.
    pub fn fastest(&self, threads: usize, select: impl Fn(&Figure) -> bool) -> Option<f64> {
        let those = self.figures.iter().filter(|f| f.threads == threads && select(f));
        those.map(|figure| figure.nanos).min_by(f64::total_cmp)
    }

    /// The workload's floor: the first of its kind.
    pub fn floor(&self, threads: usize) -> Option<f64> {
        let mut those = self.figures.iter();
        those.find(|f| f.threads == threads && f.role == Role::Floor).map(|figure| figure.nanos)
    }

    /// Where two threads must not be slower than one: `limit`, or less if one thread is faster.
    ///
    /// The fifth on top is the noise between two rounds on a shared machine.
    pub fn no_slower_than_one(&self, figure: &Figure, limit: f64) -> f64 {
        let same = |other: &Figure| other.role == Role::Ours && other.idiom == figure.idiom;
        let alone = self.fastest(1, same).unwrap_or(f64::INFINITY);
        if figure.threads == 1 { limit } else { limit.min(1.2 * alone) }
    }
}

impl Workload {
    /// Measures every subject at one and two threads, a round of each in turn.
    pub fn measure(&self, effort: Effort) -> Figures {
        let figures = [1, 2].into_iter().flat_map(|threads| self.at(threads, effort)).collect();
        Figures { figures }
    }

    fn at(&self, threads: usize, effort: Effort) -> Vec<Figure> {
        let plans: Vec<_> = (self.subjects.iter())
            .map(|subject| Plan::calibrated(subject, threads, effort, self.burst))
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
            nanos: median(taken.passes),
            invalid_rounds: taken.invalid,
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
struct Taken {
    valid: Vec<f64>,
    invalid_nanos: Vec<f64>,
    invalid: usize,
    passes: Vec<f64>,
}

impl Taken {
    fn add(&mut self, nanos: f64, valid: bool) {
        if valid {
            self.valid.push(nanos);
        } else {
            self.invalid_nanos.push(nanos);
            self.invalid += 1;
        }
    }

    /// The median of the valid rounds; where there is none, of those there are.
    fn end_pass(&mut self) {
        let (valid, invalid) =
            (std::mem::take(&mut self.valid), std::mem::take(&mut self.invalid_nanos));
        self.passes.push(median(if valid.is_empty() { invalid } else { valid }));
    }
}
