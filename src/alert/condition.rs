//! Conditions of rules: expressions over selected series, compared with a number.
//!
//! An expression has one value for each label set. `series(..)` selects series, and a function such as
//! [`rate`](Selector::rate) computes a value of each. [`sum`](Expr::sum) and [`by`](Expr::by) join
//! series. [`ratio`](super::ratio) divides two expressions where their label sets are equal. A
//! comparison keeps the label sets whose value satisfies it, and each of them is an alert.
//!
//! # Which samples are used
//!
//! * A range is the ticks in (now - range, now], as in Prometheus 3. `last` is the value at the newest
//!   tick: a series that is absent there has no value.
//! * `rate` and `increase` go from the sample at or before the start of the range to the newest sample
//!   in the range. Where a sum fell, it began again from zero. A rate uses the true time between the
//!   two samples; nothing is extrapolated. A sum that appeared after the start of the range counts
//!   from zero: the first failure counts. Any other series that is younger than the range starts at
//!   its oldest sample; with fewer than two samples it has no value.
//! * For a histogram, `last`, `rate` and `increase` use its count. `avg`, `min`, `max` and the
//!   quantiles use the values that it recorded between the two samples of `increase`: within 1 %, by
//!   nearest rank, as in [`HistogramSnapshot`](crate::metric::HistogramSnapshot). If it recorded
//!   nothing, there is no value. For other series these functions use the samples in the range.
//! * A comparison with a value that is not a number is false, except
//!   [`not_equal_to`](Expr::not_equal_to), which is true.
//!   [`not_equal_to`](Expr::not_equal_to), which is true.

use std::{fmt, time::Duration};

use super::{
    expr::Expr,
    need::Need,
    selector::{Matcher, Selector},
    window::SampleWindow,
};
use crate::{clock::Ticks, label::LabelSet};

/// What a [`Rule`](super::Rule) watches: it returns the label sets for which it holds at a tick.
///
/// The comparisons of an [`Expr`], and [`absent`], are conditions. You can implement others.
///
/// An implementor must not block, and must not record into the metrics it reads: it runs at every
/// tick, on the thread that evaluates all rules. Nothing is locked meanwhile, so it may read alerts,
/// rules or a snapshot from the [`Telemetry`](crate::Telemetry). Alerts of earlier rules are then
/// those of this tick; alerts of its own rule and of later rules are those of the last tick. If it
/// panics, its rule is in error for that tick and keeps its alerts as they were. Other rules are not
/// affected.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{
///     alert::{Condition, Need, Rule, Selector, SampleWindow, series},
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
///     fn evaluate(&self, window: &SampleWindow, _now: Ticks) -> Vec<(LabelSet, f64)> {
///         let stuck = window.select(&self.0).filter_map(|series| {
///             let last = series.last()?;
///             // A gauge that has just appeared has not moved either.
///             let stands = series.covers(MINUTE)
///                 && series.samples(MINUTE).all(|(_, value)| value == last);
///             stands.then(|| (series.labels().clone(), last))
///         });
///         stuck.collect()
///     }
/// }
///
/// let rule = Rule::new("Stuck", Stuck(series("heart.beats")));
/// # use bellwether::{Gauge, alert::AlertState::{Firing, Resolved}, testing};
/// # static BEATS: Gauge = Gauge::new("heart.beats", "");
/// # let scope = testing::scope();
/// # let mut alerts = scope.alerts(vec![rule])?;
/// # let mut second = |beats: f64| {
/// #     BEATS.set(beats);
/// #     scope.advance(Duration::from_secs(1));
/// #     alerts.tick();
/// #     alerts.alerts().iter().map(|alert| alert.state()).collect::<Vec<_>>()
/// # };
/// # for n in 0..200 {
/// #     assert_eq!(second(f64::from(n)), [], "it beats");
/// # }
/// # for n in 1..59 {
/// #     assert_eq!(second(199.0), [], "it has stopped for {n} seconds");
/// # }
/// # assert_eq!(second(199.0), [Firing]);
/// # assert_eq!(second(200.0), [Resolved]);
/// # Ok::<(), bellwether::Error>(())
/// ```
pub trait Condition: Send {
    /// Returns the label sets for which it holds at `now`, the instant of the window's newest tick,
    /// each with its value. No label set may occur twice.
    ///
    /// It may call any method of the telemetry that reads. It must not end the process: notifications
    /// of earlier rules at this tick are queued only after all conditions. To end the process, use a
    /// callback on transitions ([`Builder::on_transition`](crate::telemetry::Builder::on_transition)),
    /// which is called after that.
    fn evaluate(&self, window: &SampleWindow, now: Ticks) -> Vec<(LabelSet, f64)>;

    /// Which series it reads and how far back; called once.
    fn needs(&self) -> Vec<Need>;

    /// Checks that the condition can be evaluated; if not, the rule is refused.
    ///
    /// # Errors
    ///
    /// A sentence that says what cannot be evaluated.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// The condition as text, for people; called once.
    fn describe(&self) -> String {
        "a condition in code".to_owned()
    }
}

/// Holds while `of` has nothing at the newest tick: a [`Selector`] no series, an [`Expr`] no value, a
/// [`Comparison`] no value that satisfies it. The value of the alert is 1.
///
/// The alert's labels are those for which a selector requires one value; anything else gives none. A
/// series that was recorded once is present from then on. So when traffic stops, its series is not
/// absent, but it does not grow.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::alert::{Rule, absent, series};
///
/// let minute = Duration::from_secs(60);
/// let orders = series("shop.orders");
/// let rules = vec![
///     // No order within five minutes; and none at all, a minute after the start.
///     Rule::new("NoOrders", absent(orders.increase(5 * minute).above(0.0))).for_duration(minute),
///     // Nobody tells how warm it is.
///     Rule::new("NoThermometer", absent(series("shop.warmth").label("room", "cellar")))
///         .for_duration(minute),
/// ];
/// # use bellwether::{Counter, Gauge, alert::AlertState::{Firing, Resolved}, label::Dynamic, testing};
/// # static ORDERS: Counter = Counter::new("shop.orders", "");
/// # static WARMTH: Gauge<Dynamic> = Gauge::dynamic("shop.warmth", "", &["room"]);
/// # let scope = testing::scope();
/// # let mut alerts = scope.alerts(rules)?;
/// # let mut minutes = |n: u64, orders: u64, rule: &str| {
/// #     for _ in 0..60 * n {
/// #         (0..orders).for_each(|_| ORDERS.inc());
/// #         scope.advance(Duration::from_secs(1));
/// #         alerts.tick();
/// #     }
/// #     alerts.alerts().iter().find(|alert| alert.name() == rule).map(|alert| alert.state())
/// # };
/// # assert_eq!(minutes(2, 0, "NoOrders"), Some(Firing), "none at all");
/// # assert_eq!(minutes(10, 3, "NoOrders"), Some(Resolved), "three a second");
/// # assert_eq!(minutes(4, 0, "NoOrders"), Some(Resolved), "none for four minutes");
/// # assert_eq!(minutes(3, 0, "NoOrders"), Some(Firing), "none for seven");
/// # assert_eq!(minutes(1, 1, "NoOrders"), Some(Resolved), "they come again");
/// # assert_eq!(minutes(1, 1, "NoThermometer"), Some(Firing));
/// # WARMTH.with_labels(&[("room", "attic")]).set(30.0);
/// # assert_eq!(minutes(1, 1, "NoThermometer"), Some(Firing), "another room");
/// # WARMTH.with_labels(&[("room", "cellar")]).set(12.0);
/// # assert_eq!(minutes(1, 1, "NoThermometer"), Some(Resolved));
/// # Ok::<(), bellwether::Error>(())
/// ```
#[must_use]
pub fn absent(of: impl Into<Absent>) -> Absent {
    of.into()
}

impl Expr {
    /// Holds where the value is greater than `bound`.
    #[must_use]
    pub fn above(self, bound: f64) -> Comparison {
        self.compare(Operator::Above, bound)
    }

    /// Holds where the value is `bound` or greater.
    #[must_use]
    pub fn at_least(self, bound: f64) -> Comparison {
        self.compare(Operator::AtLeast, bound)
    }

    /// Holds where the value is less than `bound`.
    #[must_use]
    pub fn below(self, bound: f64) -> Comparison {
        self.compare(Operator::Below, bound)
    }

    /// Holds where the value is `bound` or less.
    #[must_use]
    pub fn at_most(self, bound: f64) -> Comparison {
        self.compare(Operator::AtMost, bound)
    }

    /// Holds where the value is `bound`.
    #[must_use]
    pub fn equal_to(self, bound: f64) -> Comparison {
        self.compare(Operator::EqualTo, bound)
    }

    /// Holds where the value is not `bound`; a value that is not a number never is.
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
    fn evaluate(&self, window: &SampleWindow, _now: Ticks) -> Vec<(LabelSet, f64)> {
        let mut found = Vec::new();
        self.expr.each(window, &mut |labels, value| {
            if self.operator.holds(value, self.bound) {
                found.push((labels.clone(), value));
            }
        });
        found
    }

    fn needs(&self) -> Vec<Need> {
        self.expr.needs()
    }

    fn check(&self) -> Result<(), String> {
        if self.bound.is_nan() {
            return Err("a comparison needs a number, and NaN is none".to_owned());
        }
        self.expr.check()
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

/// The absence of series or values: a [`Condition`], returned by [`absent`].
#[derive(Clone, Debug, PartialEq)]
pub struct Absent {
    of: Wanted,
}

/// What must be present.
#[derive(Clone, Debug, PartialEq)]
enum Wanted {
    Series(Selector),
    Value(Expr),
    Comparison(Comparison),
}

impl From<Selector> for Absent {
    fn from(selector: Selector) -> Self {
        Self { of: Wanted::Series(selector) }
    }
}

impl From<Expr> for Absent {
    fn from(expr: Expr) -> Self {
        Self { of: Wanted::Value(expr) }
    }
}

impl From<Comparison> for Absent {
    fn from(comparison: Comparison) -> Self {
        Self { of: Wanted::Comparison(comparison) }
    }
}

impl Absent {
    /// The labels that occur once among the matchers, with `=`. Prometheus' `absent` gives the same
    /// labels.
    fn labels(&self) -> LabelSet {
        let Wanted::Series(selector) = &self.of else { return LabelSet::default() };
        let all = &selector.labels;
        let once = |key: &str| all.iter().filter(|(other, _)| other == key).count() == 1;
        LabelSet::new(all.iter().filter_map(|(key, matcher)| match matcher {
            Matcher::Equal(value) if once(key) && !value.is_empty() => Some((key.clone(), value)),
            _ => None,
        }))
    }
}

impl Condition for Absent {
    fn evaluate(&self, window: &SampleWindow, now: Ticks) -> Vec<(LabelSet, f64)> {
        let is_there = match &self.of {
            Wanted::Series(selector) => {
                let mut any = false;
                window.each(selector, Duration::ZERO, |series| any |= series.last().is_some());
                any
            }
            Wanted::Value(expr) => {
                let mut any = false;
                expr.each(window, &mut |_, _| any = true);
                any
            }
            Wanted::Comparison(comparison) => !comparison.evaluate(window, now).is_empty(),
        };
        if is_there { Vec::new() } else { vec![(self.labels(), 1.0)] }
    }

    fn needs(&self) -> Vec<Need> {
        match &self.of {
            Wanted::Series(selector) => vec![Need::samples(selector.clone(), Duration::ZERO)],
            Wanted::Value(expr) => expr.needs(),
            Wanted::Comparison(comparison) => comparison.needs(),
        }
    }

    fn check(&self) -> Result<(), String> {
        match &self.of {
            Wanted::Series(selector) => selector.check(),
            Wanted::Value(expr) => expr.check(),
            Wanted::Comparison(comparison) => comparison.check(),
        }
    }

    fn describe(&self) -> String {
        self.to_string()
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
        match &self.of {
            Wanted::Series(selector) => write!(f, "absent({selector})"),
            Wanted::Value(expr) => write!(f, "absent({expr})"),
            Wanted::Comparison(comparison) => write!(f, "absent({comparison})"),
        }
    }
}
