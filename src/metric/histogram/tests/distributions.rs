//! Quantiles of 18 distributions, against sorted values.

use super::*;

/// Numbers in (0, 1), the same in every run: Lehmer's generator with modulus 2^31 - 1.
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self.0 * 48_271 % 0x7fff_ffff;
        self.0 as f64 / 2_147_483_647.0
    }

    /// Box and Muller's transformation of two uniform numbers to a normal one.
    fn normal(&mut self) -> f64 {
        (-2.0 * self.next().ln()).sqrt() * (std::f64::consts::TAU * self.next()).cos()
    }

    fn exponential(&mut self) -> f64 {
        -self.next().ln()
    }
}

type Draw = fn(&mut Uniform, usize) -> f64;

const DISTRIBUTIONS: [(&str, Draw); 18] = [
    ("uniform", |u, _| u.next()),
    ("log-uniform over the range", |u, _| (69.0 * u.next() - 29.5).exp2()),
    ("normal", |u, _| 100.0 + 5.0 * u.normal()),
    ("narrow normal", |u, _| 1.0 + 1e-6 * u.normal()),
    ("log-normal", |u, _| 1e-3 * u.normal().exp()),
    ("wide log-normal", |u, _| (3.0 * u.normal()).exp()),
    ("exponential", |u, _| 0.02 * u.exponential()),
    ("Erlang of three", |u, _| u.exponential() + u.exponential() + u.exponential()),
    ("Pareto, shape 1.1", |u, _| u.next().powf(-1.0 / 1.1)),
    ("Pareto, shape 0.6", |u, _| u.next().powf(-1.0 / 0.6)),
    ("Weibull, shape 0.5", |u, _| 1e-6 + u.exponential().powi(2)),
    ("arcsine", |u, _| 1.5 + (std::f64::consts::TAU * u.next()).cos()),
    ("Cauchy", |u, _| 1e-6 + (std::f64::consts::PI * (u.next() - 0.5)).tan().abs()),
    ("two far modes", |u, n| if n % 10 == 0 { 30.0 + u.next() } else { 2e-4 + 1e-5 * u.next() }),
    ("one value", |_, _| 0.1),
    ("powers of two", |u, _| 2f64.powi((20.0 * u.next()) as i32)),
    ("bounds and what is next to them", |u, n| {
        let bound = layout::upper_bound(layout::FIRST + (4_000.0 * u.next()) as usize);
        if n % 2 == 0 { bound } else { bound.next_up() }
    }),
    ("a ramp", |_, n| 1.0 + n as f64),
];

fn nearest_rank(sorted: &[f64], q: f64) -> f64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

const QUANTILES: [f64; 8] = [0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0];

#[test]
fn quantiles_of_all_are_within_one_percent_of_the_sorted_values() {
    for (name, draw) in DISTRIBUTIONS {
        let histogram = with(Aggregation::Exponential);
        let mut uniform = Uniform(42);
        let mut values: Vec<f64> = (0..20_000).map(|n| draw(&mut uniform, n)).collect();
        values.iter().for_each(|&value| histogram.record(value));
        values.sort_by(f64::total_cmp);
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.count(), 20_000, "{name}");
        for q in QUANTILES {
            let (ours, exact) = (snapshot.quantile(q).unwrap(), nearest_rank(&values, q));
            assert!((ours / exact - 1.0).abs() < 0.01, "{name}, q {q}: {ours} for {exact}");
        }
    }
}

#[test]
fn quantiles_of_all_in_ticks_have_the_digits_that_were_asked_for() {
    for (name, draw) in DISTRIBUTIONS {
        for significant_digits in 1..=5 {
            let histogram = with(Aggregation::Hdr { significant_digits });
            let mut uniform = Uniform(42);
            let mut ticks: Vec<f64> =
                (0..2_000).map(|n| (1e6 * draw(&mut uniform, n)).round()).collect();
            ticks.iter().for_each(|&value| histogram.record(value));
            ticks.sort_by(f64::total_cmp);
            let snapshot = histogram.snapshot();
            let within = 10f64.powi(-i32::from(significant_digits));
            for q in QUANTILES {
                let (ours, exact) = (snapshot.quantile(q).unwrap(), nearest_rank(&ticks, q));
                assert!((ours - exact).abs() <= within * exact, "{name}: {ours} for {exact}");
            }
        }
    }
}
