//! The values of a gauge during one minute, from which the coarse tier keeps its figures.

use super::sample::{Cells, MINUTE_MAX, MINUTE_MEAN, MINUTE_MIN};

/// The values of a gauge since the last minute began, each counted once per tick.
#[derive(Clone, Debug)]
pub(super) struct Minute {
    /// The first tick at which the present value has not been counted yet; `None` while it is absent.
    since: Option<u64>,
    n: u64, // How many values, without NaN.
    is_empty: bool,
    /// The sum of the values, and what rounding has lost (Neumaier's summation).
    sum: f64,
    lost: f64,
    min: f64,
    max: f64,
    last: f64,
}

impl Minute {
    /// A minute without samples yet. `since` is the tick from which on the gauge has a value.
    pub(super) fn new(since: Option<u64>) -> Self {
        let nan = f64::NAN;
        Self { since, n: 0, is_empty: true, sum: 0.0, lost: 0.0, min: nan, max: nan, last: nan }
    }

    /// Counts `value` for the ticks before `tick`. From `tick` on the gauge has another value, or none
    /// if `is_there` is `false`.
    pub(super) fn change(&mut self, value: f64, tick: u64, is_there: bool) {
        let n = self.since.map_or(0, |since| tick.saturating_sub(since));
        if n > 0 {
            (self.last, self.is_empty) = (value, false);
            if !value.is_nan() {
                self.n += n;
                self.add(value * n as f64);
                (self.min, self.max) = (self.min.min(value), self.max.max(value));
            }
        }
        self.since = is_there.then_some(tick);
    }

    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
    }

    /// Whether nothing was sampled.
    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Writes the figures of the minute into `cells`.
    pub(super) fn write(&self, cells: &mut Cells) {
        let lost = if self.lost.is_finite() { self.lost } else { 0.0 };
        let mean = if self.n == 0 { f64::NAN } else { (self.sum + lost) / self.n as f64 };
        write(cells, self.last, [self.min, self.max, mean]);
    }
}

/// Writes a minute in which a gauge had one value.
pub(super) fn write_uniform(cells: &mut Cells, value: u64) {
    let value = f64::from_bits(value);
    write(cells, value, [value; 3]);
}

/// Whether a minute's figures are all the same.
pub(super) fn is_uniform(cells: &Cells) -> bool {
    [MINUTE_MIN, MINUTE_MAX, MINUTE_MEAN].iter().all(|&cell| cells.get(cell) == cells.sum)
}

fn write(cells: &mut Cells, last: f64, [min, max, mean]: [f64; 3]) {
    cells.clear();
    cells.sum = last.to_bits();
    let figures = [(MINUTE_MIN, min), (MINUTE_MAX, max), (MINUTE_MEAN, mean)];
    let figures = figures.map(|(cell, figure)| (cell, figure.to_bits()));
    cells.cells.extend(figures.iter().filter(|(_, bits)| *bits != 0));
}
