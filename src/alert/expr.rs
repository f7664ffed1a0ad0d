//! Expressions: a value for each label set, from the samples of selected series.

use std::{borrow::Cow, collections::HashMap, fmt, time::Duration};

use super::{
    groups::Groups,
    need::Need,
    selector::{Selector, check_key},
    window::SampleWindow,
};
use crate::{history::Look, label::LabelSet, metric::HistogramSnapshot};

/// A value for each label set at each tick. Compare it to get a [`Condition`](super::Condition).
#[derive(Clone, Debug, PartialEq)]
pub struct Expr(Node);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Call(Call),
    Sum { by: Vec<Cow<'static, str>>, of: Box<Node> },
    Ratio(Box<Node>, Box<Node>),
}

#[derive(Clone, Debug, PartialEq)]
struct Call {
    selector: Selector,
    function: Function,
    range: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Last,
    Rate,
    Increase,
    Avg,
    Min,
    Max,
    Quantile(f64),
}

/// Divides `numerator` by `denominator` where their label sets are equal; other label sets have no
/// value.
///
/// Zero divided by zero is no value; anything else divided by zero is infinite. If one side has finer
/// series than the other, sum both by the same labels, for example for a share of failed requests:
/// `ratio(failed.rate(r).sum(), all.rate(r).sum())`.
#[must_use]
pub fn ratio(numerator: Expr, denominator: Expr) -> Expr {
    Expr(Node::Ratio(Box::new(numerator.0), Box::new(denominator.0)))
}

impl Selector {
    /// The value at the newest tick.
    #[must_use]
    pub fn last(self) -> Expr {
        self.call(Function::Last, Duration::ZERO)
    }

    /// The increase per second over the last `range`.
    #[must_use]
    pub fn rate(self, range: Duration) -> Expr {
        self.call(Function::Rate, range)
    }

    /// By how much a sum grew over the last `range`.
    #[must_use]
    pub fn increase(self, range: Duration) -> Expr {
        self.call(Function::Increase, range)
    }

    /// The mean value over the last `range`.
    #[must_use]
    pub fn avg(self, range: Duration) -> Expr {
        self.call(Function::Avg, range)
    }

    /// The smallest value over the last `range`.
    #[must_use]
    pub fn min(self, range: Duration) -> Expr {
        self.call(Function::Min, range)
    }

    /// The largest value over the last `range`.
    #[must_use]
    pub fn max(self, range: Duration) -> Expr {
        self.call(Function::Max, range)
    }

    /// The median of the values over the last `range`.
    #[must_use]
    pub fn p50(self, range: Duration) -> Expr {
        self.quantile(0.5, range)
    }

    /// The 90th percentile over the last `range`.
    #[must_use]
    pub fn p90(self, range: Duration) -> Expr {
        self.quantile(0.9, range)
    }

    /// The 99th percentile over the last `range`.
    #[must_use]
    pub fn p99(self, range: Duration) -> Expr {
        self.quantile(0.99, range)
    }

    /// The `q` quantile over the last `range`, by nearest rank; `q` is in [0, 1].
    #[must_use]
    pub fn quantile(self, q: f64, range: Duration) -> Expr {
        self.call(Function::Quantile(q), range)
    }

    fn call(self, function: Function, range: Duration) -> Expr {
        Expr(Node::Call(Call { selector: self, function, range }))
    }
}

impl Expr {
    /// The sum over all label sets: one value, without labels.
    ///
    /// Quantiles and other figures of histograms cannot be added, so the histograms are merged first:
    /// `p99(range).sum()` is the percentile of all series together.
    #[must_use]
    pub fn sum(self) -> Self {
        self.by(&[])
    }

    /// One sum for each combination of values of `labels`.
    #[must_use]
    pub fn by(self, labels: &[&str]) -> Self {
        let mut by: Vec<Cow<'static, str>> =
            labels.iter().map(|&label| label.to_owned().into()).collect();
        by.sort();
        by.dedup();
        let of = match self.0 {
            // A sum of sums is the sum of the parts, by the labels that both keep.
            Node::Sum { by: inner, of } => {
                by.retain(|label| inner.contains(label));
                of
            }
            node => Box::new(node),
        };
        Self(Node::Sum { by, of })
    }

    /// Calls `give` with each label set and its value.
    pub(super) fn each(&self, window: &SampleWindow, give: &mut dyn FnMut(&LabelSet, f64)) {
        self.0.each(window, give);
    }

    pub(super) fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        self.0.needs(&mut needs);
        needs
    }

    pub(super) fn check(&self) -> Result<(), String> {
        self.0.check()
    }
}

impl Node {
    fn each(&self, window: &SampleWindow, give: &mut dyn FnMut(&LabelSet, f64)) {
        match self {
            Self::Call(call) => {
                window.each(&call.selector, call.range, |series| {
                    if let Some(value) = call.value(series) {
                        give(series.labels(), value);
                    }
                });
            }
            Self::Sum { by, of } => Self::each_sum(by, of, window, give),
            Self::Ratio(numerator, denominator) => {
                let mut below = HashMap::new();
                denominator.each(window, &mut |labels, value| {
                    below.insert(labels.clone(), value);
                });
                numerator.each(window, &mut |labels, value| {
                    if let Some(&by) = below.get(labels)
                        && !(value == 0.0 && by == 0.0)
                    {
                        give(labels, value / by);
                    }
                });
            }
        }
    }

    fn each_sum(
        by: &[Cow<'static, str>],
        of: &Self,
        window: &SampleWindow,
        give: &mut dyn FnMut(&LabelSet, f64),
    ) {
        let Self::Call(call) = of else {
            let mut groups = Groups::new(by);
            of.each(window, &mut |labels, value| *groups.of(labels) += value);
            return groups.each(|labels, &sum| give(labels, sum));
        };
        let mut sums = Groups::<f64>::new(by);
        let mut merged = Groups::<HistogramSnapshot>::new(by);
        window.each(&call.selector, call.range, |series| {
            if call.is_of_distribution(series) {
                if let Some(distribution) = series.distribution(call.range) {
                    merged.of(series.labels()).merge(&distribution);
                }
            } else if let Some(value) = call.value(series) {
                *sums.of(series.labels()) += value;
            }
        });
        sums.each(|labels, &sum| give(labels, sum));
        merged.each(|labels, distribution| {
            if let Some(value) = call.function.of_distribution(distribution) {
                give(labels, value);
            }
        });
    }

    fn needs(&self, needs: &mut Vec<Need>) {
        match self {
            Self::Call(call) => needs.push(Need {
                selector: call.selector.clone(),
                range: call.range,
                distributions: call.function.wants_distributions(),
            }),
            Self::Sum { of, .. } => of.needs(needs),
            Self::Ratio(numerator, denominator) => {
                numerator.needs(needs);
                denominator.needs(needs);
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Call(call) => call.check(),
            Self::Sum { by, of } => {
                by.iter().try_for_each(|label| check_key(label))?;
                of.check()
            }
            Self::Ratio(numerator, denominator) => {
                numerator.check()?;
                denominator.check()
            }
        }
    }
}

impl Call {
    fn value(&self, series: &mut Look<'_>) -> Option<f64> {
        if self.is_of_distribution(series) {
            return self.function.of_distribution(&series.distribution(self.range)?);
        }
        match self.function {
            Function::Last => series.last(),
            Function::Increase => Some(series.increase(self.range)?.0),
            Function::Rate => {
                let (amount, time) = series.increase(self.range)?;
                (!time.is_zero()).then(|| amount / time.as_secs_f64())
            }
            Function::Avg | Function::Min | Function::Max | Function::Quantile(_) => {
                let mut values = Vec::new();
                series.samples(self.range, |_, value| values.push(value));
                self.function.of_samples(values)
            }
        }
    }

    fn is_of_distribution(&self, series: &Look<'_>) -> bool {
        self.function.wants_distributions() && series.has_distributions()
    }

    fn check(&self) -> Result<(), String> {
        self.selector.check()?;
        if self.function != Function::Last && self.range.is_zero() {
            return Err(format!("{self} needs a range longer than zero"));
        }
        match self.function {
            Function::Quantile(q) if !(0.0..=1.0).contains(&q) => {
                Err(format!("the quantile {q} is not in [0, 1]"))
            }
            _ => Ok(()),
        }
    }
}

impl Function {
    fn wants_distributions(self) -> bool {
        matches!(self, Self::Avg | Self::Min | Self::Max | Self::Quantile(_))
    }

    fn of_distribution(self, values: &HistogramSnapshot) -> Option<f64> {
        match self {
            Self::Avg => values.mean(),
            Self::Min => values.min(),
            Self::Max => values.max(),
            Self::Quantile(q) => values.quantile(q),
            Self::Last | Self::Rate | Self::Increase => None,
        }
    }

    fn of_samples(self, mut values: Vec<f64>) -> Option<f64> {
        match self {
            Self::Avg => {
                (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
            }
            // f64::min and max prefer a number to NaN, as Prometheus does.
            Self::Min => values.into_iter().reduce(f64::min),
            Self::Max => values.into_iter().reduce(f64::max),
            Self::Quantile(q) => {
                let rank = ((q * values.len() as f64).ceil() as usize).max(1);
                let place = rank.min(values.len()).checked_sub(1)?;
                Some(*values.select_nth_unstable_by(place, f64::total_cmp).1)
            }
            Self::Last | Self::Rate | Self::Increase => None,
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call) => call.fmt(f),
            Self::Sum { by, of } if by.is_empty() => write!(f, "sum({of})"),
            Self::Sum { by, of } => write!(f, "sum by ({}) ({of})", by.join(", ")),
            Self::Ratio(numerator, denominator) => write!(f, "{numerator} / {denominator}"),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { selector, function, range } = self;
        match function {
            Function::Last => selector.fmt(f),
            Function::Rate => write!(f, "rate({selector}[{range:?}])"),
            Function::Increase => write!(f, "increase({selector}[{range:?}])"),
            Function::Avg => write!(f, "avg({selector}[{range:?}])"),
            Function::Min => write!(f, "min({selector}[{range:?}])"),
            Function::Max => write!(f, "max({selector}[{range:?}])"),
            Function::Quantile(q) => write!(f, "quantile({q}, {selector}[{range:?}])"),
        }
    }
}
