//! What a rule asks: expressions over selected series, compared with a number, built in code.
//!
//! An expression gives one value for each label set: `series(..)` selects, a function such as
//! [`rate`](Selector::rate) makes a value of each series, [`sum`](Expr::sum) and [`by`](Expr::by)
//! join series, [`ratio`] divides two expressions where their label sets are equal. A comparison
//! keeps the label sets whose value satisfies it, and each of them is an alert.
//!
//! # Of which samples
//!
//! * A range is the ticks in (now - range, now], as in Prometheus 3. `last` is of the newest tick: a
//!   series that is absent from it has no value.
//! * `rate` and `increase` are from the newest sample in the range to the one at or before the start
//!   of the range; where a sum fell, it began again from zero. A rate is over the true time between
//!   the two samples; nothing is extrapolated. While a series is younger than the range, its oldest
//!   sample takes the place of the one at the start, so that a rule speaks from the second sample
//!   on. With fewer than two samples there is no value.
//! * Of a histogram, `last`, `rate` and `increase` are of its count; `avg`, `min`, `max` and the
//!   quantiles are of the values it recorded between the two samples that `increase` takes (within
//!   1 %, by nearest rank, as [`HistogramSnapshot`] has them). Where it recorded nothing there is no
//!   value. Of other series these functions are of the samples in the range.
//! * A comparison with a value that is not a number is false, save
//!   [`not_equal_to`](Expr::not_equal_to), which is true.

use std::{borrow::Cow, collections::HashMap, fmt, time::Duration};

use super::{
    groups::Groups,
    selector::{Matcher, Selector, check_key},
    window::{SeriesWindow, Window},
};
use crate::{clock::Ticks, label::LabelSet, metric::HistogramSnapshot};

/// What a [`Rule`](super::Rule) watches: which label sets are in trouble at a tick.
///
/// The comparisons of an [`Expr`], and [`absent`], are conditions; anything else can be one too.
///
/// An implementor must not block, nor record into the metrics it reads: it runs at every tick, on
/// the thread that evaluates all rules. If it panics, its rule is in error for that tick, keeps its
/// alerts as they were, and no other rule notices.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{
///     alert::{Condition, Need, Rule, Selector, Window, series},
///     clock::Ticks,
///     label::LabelSet,
/// };
///
/// /// Trouble where a gauge has not moved for a minute.
/// struct Stuck(Selector);
///
/// const MINUTE: Duration = Duration::from_secs(60);
///
/// impl Condition for Stuck {
///     fn needs(&self) -> Vec<Need> {
///         vec![Need::samples(self.0.clone(), MINUTE)]
///     }
///
///     fn evaluate(&self, window: &Window, _now: Ticks) -> Vec<(LabelSet, f64)> {
///         let stuck = window.select(&self.0).filter_map(|series| {
///             let last = series.last()?;
///             let stands = series.samples(MINUTE).all(|(_, value)| value == last);
///             stands.then(|| (series.labels().clone(), last))
///         });
///         stuck.collect()
///     }
/// }
///
/// let rule = Rule::new("Stuck", Stuck(series("heart.beats")));
/// # let _ = rule;
/// ```
pub trait Condition: Send {
    /// The label sets in trouble at `now`, the instant of the window's newest tick, each with the
    /// value that shows it. No label set twice.
    fn evaluate(&self, window: &Window, now: Ticks) -> Vec<(LabelSet, f64)>;

    /// Which series it reads and how far back; asked once.
    fn needs(&self) -> Vec<Need>;

    /// What is wrong with the condition, if anything: then the rule is refused.
    ///
    /// # Errors
    ///
    /// A sentence about what cannot be evaluated.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// The condition as text, for people.
    fn describe(&self) -> String {
        "a condition in code".to_owned()
    }
}

/// Which series a [`Condition`] reads, and how much of their past.
#[derive(Clone, Debug)]
pub struct Need {
    pub(crate) selector: Selector,
    pub(crate) range: Duration,
    pub(crate) distributions: bool,
}

impl Need {
    /// The numbers of the last `range`, and the one at or before its start; with a range of zero,
    /// the newest only.
    #[must_use]
    pub fn samples(selector: Selector, range: Duration) -> Self {
        Self { selector, range, distributions: false }
    }

    /// The numbers, and of histograms the distributions too: these take about as many times eight
    /// bytes as they have buckets with a count, and tick.
    #[must_use]
    pub fn distributions(selector: Selector, range: Duration) -> Self {
        Self { selector, range, distributions: true }
    }
}

/// A value for each label set at each tick; compare it to make it a [`Condition`].
#[derive(Clone, Debug, PartialEq)]
pub struct Expr(pub(super) Node);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Call(Call),
    Sum { by: Vec<Cow<'static, str>>, of: Box<Node> },
    Ratio(Box<Node>, Box<Node>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) selector: Selector,
    pub(super) function: Function,
    pub(super) range: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Function {
    Last,
    Rate,
    Increase,
    Avg,
    Min,
    Max,
    Quantile(f64),
}

/// Divides `numerator` by `denominator` where their label sets are equal; labels without a partner
/// have no value.
///
/// Zero by zero is no value; anything else by zero is infinite. Sum both sides by the same labels
/// where one has finer series than the other, as a share of failed requests has:
/// `ratio(failed.rate(r).sum(), all.rate(r).sum())`.
#[must_use]
pub fn ratio(numerator: Expr, denominator: Expr) -> Expr {
    Expr(Node::Ratio(Box::new(numerator.0), Box::new(denominator.0)))
}

/// In trouble while no series matches `selector` at the newest tick; the value is 1.
///
/// The alert's labels are those that the selector wants equal to one value.
#[must_use]
pub fn absent(selector: Selector) -> Absent {
    Absent { selector }
}

impl Expr {
    /// The sum over all label sets: one value, without labels.
    ///
    /// Quantiles and other figures of distributions are not added up: the histograms are merged
    /// first, so that `p99(range).sum()` is that of all series together.
    #[must_use]
    pub fn sum(self) -> Self {
        self.by(&[])
    }

    /// The sum over the label sets that agree in `labels`, for each such group.
    #[must_use]
    pub fn by(self, labels: &[&str]) -> Self {
        let mut by: Vec<Cow<'static, str>> =
            labels.iter().map(|&label| label.to_owned().into()).collect();
        by.sort();
        by.dedup();
        let of = match self.0 {
            // The sum of sums is that of the parts, by the labels that are left.
            Node::Sum { by: inner, of } => {
                by.retain(|label| inner.contains(label));
                of
            }
            node => Box::new(node),
        };
        Self(Node::Sum { by, of })
    }

    /// In trouble where the value is greater than `bound`.
    #[must_use]
    pub fn above(self, bound: f64) -> Comparison {
        self.compare(Operator::Above, bound)
    }

    /// In trouble where the value is `bound` or greater.
    #[must_use]
    pub fn at_least(self, bound: f64) -> Comparison {
        self.compare(Operator::AtLeast, bound)
    }

    /// In trouble where the value is less than `bound`.
    #[must_use]
    pub fn below(self, bound: f64) -> Comparison {
        self.compare(Operator::Below, bound)
    }

    /// In trouble where the value is `bound` or less.
    #[must_use]
    pub fn at_most(self, bound: f64) -> Comparison {
        self.compare(Operator::AtMost, bound)
    }

    /// In trouble where the value is `bound`.
    #[must_use]
    pub fn equal_to(self, bound: f64) -> Comparison {
        self.compare(Operator::EqualTo, bound)
    }

    /// In trouble where the value is not `bound`, which one that is not a number never is.
    #[must_use]
    pub fn not_equal_to(self, bound: f64) -> Comparison {
        self.compare(Operator::NotEqualTo, bound)
    }

    fn compare(self, operator: Operator, bound: f64) -> Comparison {
        Comparison { expr: self, operator, bound }
    }
}

/// An [`Expr`] compared with a number: a [`Condition`].
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    expr: Expr,
    operator: Operator,
    bound: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Above,
    AtLeast,
    Below,
    AtMost,
    EqualTo,
    NotEqualTo,
}

impl Condition for Comparison {
    fn evaluate(&self, window: &Window, _now: Ticks) -> Vec<(LabelSet, f64)> {
        let mut found = Vec::new();
        self.expr.0.each(window, &mut |labels, value| {
            if self.operator.holds(value, self.bound) {
                found.push((labels.clone(), value));
            }
        });
        found
    }

    fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        self.expr.0.needs(&mut needs);
        needs
    }

    fn check(&self) -> Result<(), String> {
        if self.bound.is_nan() {
            return Err("a comparison needs a number, and NaN is none".to_owned());
        }
        self.expr.0.check()
    }

    fn describe(&self) -> String {
        self.to_string()
    }
}

impl Operator {
    #[expect(clippy::float_cmp, reason = "the comparison that the user wrote")]
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Above => value > bound,
            Self::AtLeast => value >= bound,
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
            Self::EqualTo => value == bound,
            Self::NotEqualTo => value != bound,
        }
    }
}

/// The absence of series: a [`Condition`], made by [`absent`].
#[derive(Clone, Debug, PartialEq)]
pub struct Absent {
    selector: Selector,
}

impl Absent {
    /// The labels that occur once among the matchers, with `=`: what Prometheus' `absent` gives its
    /// series.
    fn labels(&self) -> LabelSet {
        let all = &self.selector.labels;
        let once = |key: &str| all.iter().filter(|(other, _)| other == key).count() == 1;
        LabelSet::new(all.iter().filter_map(|(key, matcher)| match matcher {
            Matcher::Equal(value) if once(key) && !value.is_empty() => Some((key.clone(), value)),
            _ => None,
        }))
    }
}

impl Condition for Absent {
    fn evaluate(&self, window: &Window, _now: Ticks) -> Vec<(LabelSet, f64)> {
        let present = window.select(&self.selector).any(|series| series.last().is_some());
        if present { Vec::new() } else { vec![(self.labels(), 1.0)] }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::samples(self.selector.clone(), Duration::ZERO)]
    }

    fn check(&self) -> Result<(), String> {
        self.selector.check()
    }

    fn describe(&self) -> String {
        self.to_string()
    }
}

impl Node {
    /// Hands over each label set and its value.
    fn each(&self, window: &Window, give: &mut dyn FnMut(&LabelSet, f64)) {
        match self {
            Self::Call(call) => {
                for series in window.select(&call.selector) {
                    if let Some(value) = call.value(&series) {
                        give(series.labels(), value);
                    }
                }
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
        window: &Window,
        give: &mut dyn FnMut(&LabelSet, f64),
    ) {
        let Self::Call(call) = of else {
            let mut groups = Groups::new(by);
            of.each(window, &mut |labels, value| *groups.of(labels) += value);
            return groups.each(|labels, &sum| give(labels, sum));
        };
        let mut sums = Groups::<f64>::new(by);
        let mut merged = Groups::<HistogramSnapshot>::new(by);
        for series in window.select(&call.selector) {
            if call.is_of_distribution(&series) {
                if let Some(distribution) = series.distribution(call.range) {
                    merged.of(series.labels()).merge(&distribution);
                }
            } else if let Some(value) = call.value(&series) {
                *sums.of(series.labels()) += value;
            }
        }
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
    fn value(&self, series: &SeriesWindow<'_>) -> Option<f64> {
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
                self.function.of_samples(series.samples(self.range).map(|(_, value)| value))
            }
        }
    }

    fn is_of_distribution(&self, series: &SeriesWindow<'_>) -> bool {
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

    fn of_samples(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        match self {
            Self::Avg => {
                let (sum, count) =
                    values.fold((0.0, 0_u64), |(sum, count), value| (sum + value, count + 1));
                (count > 0).then(|| sum / count as f64)
            }
            // f64::min and max prefer a number to NaN, as Prometheus does.
            Self::Min => values.reduce(f64::min),
            Self::Max => values.reduce(f64::max),
            Self::Quantile(q) => {
                let mut sorted: Vec<f64> = values.collect();
                let rank = ((q * sorted.len() as f64).ceil() as usize).max(1);
                let place = rank.min(sorted.len()).checked_sub(1)?;
                Some(*sorted.select_nth_unstable_by(place, f64::total_cmp).1)
            }
            Self::Last | Self::Rate | Self::Increase => None,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match self.operator {
            Operator::Above => ">",
            Operator::AtLeast => ">=",
            Operator::Below => "<",
            Operator::AtMost => "<=",
            Operator::EqualTo => "==",
            Operator::NotEqualTo => "!=",
        };
        write!(f, "{} {operator} {}", self.expr, self.bound)
    }
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "absent({})", self.selector)
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
