//! Alert rules, evaluated in the process at every tick.
//!
//! A [`Rule`] has a name, a [`Condition`] and the time for which the condition must hold. Each label
//! set for which it holds is an [`Alert`]: pending until it has held for `for_duration`, then firing,
//! and resolved when it no longer holds. Firing and resolved alerts are sent to [notifiers](notify).
//!
//! States and their times are those of Prometheus 3. Values differ because samples do: rules are
//! evaluated every second, and [rates](condition) use the exact time between two samples.
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
//! let rules = vec![
//!     Rule::new("SlowRoute", latency.clone().p99(5 * minute).by(&["http.route"]).above(0.5))
//!         .for_duration(minute)
//!         .severity(Severity::Warning)
//!         .annotation("summary", "A route's P99 is over half a second"),
//!     // No request within two minutes; and none at all, a minute after the start.
//!     Rule::new("NoTraffic", absent(latency.increase(2 * minute).above(0.0))).for_duration(minute),
//! ];
//! # use bellwether::{alert::AlertState::{Firing, Pending, Resolved}, bundle::HttpServer, testing};
//! # static SERVER: HttpServer = HttpServer::new();
//! # let scope = testing::scope();
//! # let mut alerts = scope.alerts(rules)?;
//! # let mut minutes = |n: u32, routes: &[(&'static str, Duration)], rule: &str| {
//! #     for _ in 0..15 * n {
//! #         scope.advance(Duration::from_secs(4));
//! #         for &(route, latency) in routes {
//! #             let request = SERVER.start("GET", route);
//! #             scope.advance(latency);
//! #             request.end(200);
//! #         }
//! #         alerts.tick();
//! #     }
//! #     let alerts = alerts.alerts().into_iter().filter(|alert| alert.name() == rule);
//! #     let told = alerts.map(|alert| (alert.labels().get("http.route").unwrap_or("").to_owned(), alert.state()));
//! #     told.collect::<Vec<_>>()
//! # };
//! # let (fast, slow) = (Duration::from_millis(20), Duration::from_millis(700));
//! # let of = |route: &str, state| vec![(route.to_owned(), state)];
//! # assert_eq!(minutes(3, &[], "NoTraffic"), of("", Firing), "nobody ever came");
//! # assert_eq!(minutes(9, &[("/a", fast), ("/b", fast)], "NoTraffic"), of("", Resolved));
//! # assert_eq!(minutes(1, &[("/a", fast), ("/b", fast)], "SlowRoute"), []);
//! # assert_eq!(minutes(3, &[("/a", fast), ("/b", slow)], "SlowRoute"), of("/b", Firing));
//! # assert_eq!(minutes(9, &[("/a", fast), ("/b", fast)], "SlowRoute"), of("/b", Resolved));
//! # assert_eq!(minutes(4, &[], "NoTraffic"), of("", Firing), "they are gone");
//! # assert_eq!(minutes(1, &[("/a", fast)], "NoTraffic"), of("", Resolved), "one is back");
//! # Ok::<(), bellwether::Error>(())
//! ```

#[expect(clippy::module_inception, reason = "the public type of the module is called Alert")]
mod alert;
mod bench;
mod board;
pub mod condition;
mod engine;
mod expr;
mod external;
mod groups;
mod need;
pub mod notify;
mod replay;
mod rule;
mod selector;
mod standalone;
mod state;
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
pub use window::{SampleWindow, SeriesWindow};

pub use notify::Notification;

pub(crate) use board::Board;
pub(crate) use engine::{Engine, Settings, refuse_looking_back};
pub(crate) use external::External;
pub(crate) use standalone::Standalone;

#[doc(hidden)]
pub use bench::Bench;
