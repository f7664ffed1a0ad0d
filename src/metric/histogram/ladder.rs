//! The bucket bounds that a histogram shows to a backend which wants a few fixed ones.
//!
//! Every bound is a power of two, hence the edge of a cell of [`layout`](super::layout): the count
//! of the values up to it is exact, not interpolated. The ladders are fixed, so that histograms of
//! all processes and versions add up, and short, because each bound is a series in the backend.
//!
//! - Seconds: 2^-14 (61 µs) to 2^6 (64 s), a factor of two each. What a service times lies there,
//!   and a quantile interpolated by the backend is off by the width of one bucket at most.
//! - Everything else: 4^-10 (9.5e-7) to 4^20 (1.1e12), a factor of four each, because nothing is
//!   known about the scale: bytes, items, ratios and milliseconds all have to fit.

use super::HistogramSnapshot;
use crate::metric::Unit;

/// The bounds, ascending, for a histogram of `unit`; infinity is not among them.
pub(crate) fn bounds(unit: Unit) -> &'static [f64] {
    if unit == Unit::Seconds { &SECONDS } else { &OTHER }
}

static SECONDS: [f64; 21] = powers_of_two(-14, 1);
static OTHER: [f64; 31] = powers_of_two(-20, 2);

/// The powers of two whose exponents start at `first` and grow by `step`.
const fn powers_of_two<const N: usize>(first: i64, step: i64) -> [f64; N] {
    let mut powers = [0.0; N];
    let mut place = 0;
    while place < N {
        let exponent = first + step * place as i64;
        powers[place] = f64::from_bits(((1023 + exponent) as u64) << 52);
        place += 1;
    }
    powers
}

impl HistogramSnapshot {
    /// The cells that are not empty, ascending, as [`layout`](super::layout) numbers them.
    pub(crate) fn cells(&self) -> &[(u16, u64)] {
        &self.cells
    }

    /// The snapshot with these exemplars, sorted by value.
    #[cfg(test)]
    pub(crate) fn with_exemplars(mut self, exemplars: Vec<crate::metric::Exemplar>) -> Self {
        self.exemplars = exemplars;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::histogram::layout;

    #[test]
    fn the_ladders_begin_and_end_where_they_should() {
        let ends = |unit| (bounds(unit)[0], bounds(unit)[bounds(unit).len() - 1]);
        assert_eq!(ends(Unit::Seconds), (2f64.powi(-14), 64.0));
        assert_eq!(ends(Unit::Bytes), (4f64.powi(-10), 4f64.powi(20)));
        assert_eq!(ends(Unit::NONE), ends(Unit::new("ms")));
    }

    #[test]
    fn every_bound_is_the_edge_of_a_cell() {
        for &bound in SECONDS.iter().chain(&OTHER) {
            assert_eq!(layout::upper_bound(layout::cell(bound)), bound, "{bound:e}");
        }
    }
}
