//! The bucket bounds that a histogram shows to a backend which wants a few fixed ones.
//!
//! The ladders are fixed, so that histograms of all processes and versions add up. They are short,
//! because each bound is a series in the backend.
//!
//! - Times: what people query for, `le="0.1"` and the like, the same for every unit of time.
//! - Powers of two: for seconds 2^-14 (61 µs) to 2^6 (64 s), a factor of two each. For bytes and
//!   for what is counted, as `{item}`, 1 to 4^20 (1.1e12), a factor of four each; for everything else from
//!   4^-10 (9.5e-7) on, since nothing is known about its scale. Each bound is the edge of a cell of
//!   [`layout`](super::layout), so that counts are exact.

use std::borrow::Cow;

use super::aggregation::PageBounds;
use crate::snapshot::unit::Unit;

/// The bounds, ascending, for a histogram of `unit` with the option `asked`, without infinity.
pub(crate) fn bounds(unit: Unit, asked: PageBounds) -> Cow<'static, [f64]> {
    match (asked, seconds_of(unit)) {
        (PageBounds::Explicit(bounds), _) => bounds.into(),
        // One division of whole numbers each, so that a bound is the number nearest to its text.
        (PageBounds::ByUnit, Some((parts, seconds))) => {
            TIMES.iter().map(|time| time * parts / (seconds * PER_SECOND)).collect()
        }
        _ if unit == Unit::Seconds => Cow::Borrowed(&SECONDS),
        _ if is_whole(unit) => Cow::Borrowed(&OTHER[AT_ONE..]),
        _ => Cow::Borrowed(&OTHER),
    }
}

/// Whether values of the unit are whole numbers: bytes, or what is counted.
fn is_whole(unit: Unit) -> bool {
    unit == Unit::Bytes || unit.as_str().starts_with('{')
}

/// Two whole numbers: so many of a unit of time are so many seconds.
fn seconds_of(unit: Unit) -> Option<(f64, f64)> {
    Some(match unit.as_str() {
        "s" => (1.0, 1.0),
        "ms" => (1e3, 1.0),
        "us" => (1e6, 1.0),
        "ns" => (1e9, 1.0),
        "min" => (1.0, 60.0),
        "h" => (1.0, 3_600.0),
        "d" => (1.0, 86_400.0),
        _ => return None,
    })
}

/// The bounds of times, in units of which `PER_SECOND` make a second.
#[rustfmt::skip]
const TIMES: [f64; 21] = [
    10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1e3, 2.5e3, 5e3, 7.5e3, 1e4, 2.5e4, 5e4, 7.5e4, 1e5, 2.5e5,
    5e5, 7.5e5, 1e6, 2.5e6, 6e6,
];
const PER_SECOND: f64 = 1e5;

static SECONDS: [f64; 21] = powers_of_two(-14, 1);
static OTHER: [f64; 31] = powers_of_two(-20, 2);
/// Where `OTHER` has 1.
const AT_ONE: usize = 10;

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

#[cfg(test)]
mod tests {
    use super::{super::layout, *};

    #[rustfmt::skip]
    const ASKED: [f64; 21] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75,
        1.0, 2.5, 5.0, 7.5, 10.0, 25.0, 60.0,
    ];

    #[test]
    fn units_of_time_have_the_bounds_that_people_query() {
        let texts = |ucum| {
            let bounds = bounds(Unit::new(ucum), PageBounds::ByUnit);
            bounds.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(*bounds(Unit::Seconds, PageBounds::ByUnit), ASKED);
        assert_eq!(
            texts("ms"),
            "0.1 0.25 0.5 1 2.5 5 10 25 50 75 100 250 500 750 1000 2500 5000 7500 10000 25000 60000"
        );
        assert!(texts("us").starts_with("100 250 500 1000 "), "{}", texts("us"));
        assert!(texts("ns").starts_with("100000 250000 "), "{}", texts("ns"));
        for (ucum, seconds) in [("min", 60.0), ("h", 3_600.0), ("d", 86_400.0)] {
            let bounds = bounds(Unit::new(ucum), PageBounds::ByUnit);
            assert!(
                bounds
                    .iter()
                    .zip(ASKED)
                    .all(|(bound, asked)| (bound * seconds / asked - 1.0).abs() < 1e-15)
            );
        }
    }

    #[test]
    fn powers_of_two_stand_for_other_units_and_by_choice() {
        let ends = |unit, asked| {
            let bounds = bounds(unit, asked);
            (bounds[0], bounds[bounds.len() - 1])
        };
        let others = (4f64.powi(-10), 4f64.powi(20));
        assert_eq!(ends(Unit::Seconds, PageBounds::PowersOfTwo), (2f64.powi(-14), 64.0));
        for counted in [Unit::Bytes, Unit::new("{item}")] {
            assert_eq!(ends(counted, PageBounds::ByUnit), (1.0, 4f64.powi(20)));
        }
        assert_eq!(ends(Unit::Ratio, PageBounds::ByUnit), others);
        assert_eq!(ends(Unit::NONE, PageBounds::PowersOfTwo), others);
        assert_eq!(ends(Unit::new("ms"), PageBounds::PowersOfTwo), others);
        assert_eq!(ends(Unit::Bytes, PageBounds::Explicit(&[1.0, 3.0])), (1.0, 3.0));
    }

    #[test]
    fn every_power_is_the_edge_of_a_cell() {
        for &bound in SECONDS.iter().chain(&OTHER) {
            assert_eq!(layout::upper_bound(layout::cell(bound)), bound, "{bound:e}");
        }
    }
}
