//! Alert rules, evaluated in the process at every tick.
//!
//! A [`Rule`] has a name, a [`Condition`] and the time for which it must hold. Each label set in
//! trouble is an [`Alert`] of its own: pending while it has not lasted `for_duration`, firing from
//! then on, resolved when the trouble is over. Alerts that fire, and that have resolved, go to
//! [notifiers](notify) through the pipeline.
//!
//! The states and their times are those of Prometheus 3; results differ where its samples would: a
//! tick is a second here, and [rates](condition) are over the true time between two samples.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//! use bellwether::alert::{Rule, Severity, absent, series};
//!
//! let minute = Duration::from_secs(60);
//! let latency = series("http.server.request.duration");
//!
//! let rules = [
//!     Rule::new("SlowRoute", latency.clone().p99(5 * minute).by(&["http.route"]).above(0.5))
//!         .for_duration(minute)
//!         .severity(Severity::Warning)
//!         .annotation("summary", "A route's P99 is over half a second"),
//!     Rule::new("NoTraffic", absent(latency)).for_duration(2 * minute),
//! ];
//! # let _ = rules;
//! ```

#[expect(clippy::module_inception, reason = "the public type of the module is called Alert")]
mod alert;
mod bench;
mod board;
pub mod condition;
mod engine;
mod expr;
mod groups;
mod need;
pub mod notify;
mod rule;
mod selector;
mod state;
mod track;
mod window;

#[cfg(test)]
mod tests;

pub use alert::{Alert, AlertState, Transition};
pub use board::RuleStatus;
pub use condition::{Absent, Comparison, Condition, absent};
pub use expr::{Expr, ratio};
pub use need::Need;
pub use rule::{Rule, Severity};
pub use selector::{Selector, series};
pub use window::{SeriesWindow, Window};

pub use notify::Notification;

pub(crate) use board::Board;
pub(crate) use engine::{Engine, Settings};

#[doc(hidden)]
pub use bench::Bench;
