//! Selectors: which series an expression reads.

use std::{borrow::Cow, fmt};

use crate::{
    label::LabelSet,
    snapshot::{key_fault, name_fault},
};

/// Selects all series of the instrument `name`; label matchers narrow the selection.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::alert::{Rule, Severity, ratio, series};
///
/// let requests = series("http.server.request.duration").label_not("http.route", "/health");
/// let failed = requests.clone().label_starts_with("http.response.status_code", "5");
/// let minute = Duration::from_secs(60);
///
/// let rule = Rule::new(
///     "HighErrorRate",
///     ratio(failed.rate(minute).sum(), requests.rate(minute).sum()).above(0.05),
/// )
/// .for_duration(Duration::from_secs(30))
/// .severity(Severity::Critical);
/// # use bellwether::{alert::AlertState::{Firing, Resolved}, bundle::HttpServer, testing};
/// # static SERVER: HttpServer = HttpServer::new();
/// # let scope = testing::scope();
/// # let mut alerts = scope.alerts(vec![rule])?;
/// # let mut minutes = |n: u32, route: &'static str, one_fails_of: u32| {
/// #     for second in 0..60 * n {
/// #         SERVER.start("GET", "/health").end(503);
/// #         SERVER.start("GET", route).end(if second % one_fails_of == 0 { 500 } else { 200 });
/// #         scope.advance(Duration::from_secs(1));
/// #         alerts.tick();
/// #     }
/// #     alerts.alerts().iter().map(|alert| alert.state()).collect::<Vec<_>>()
/// # };
/// # assert_eq!(minutes(5, "/a", 30), [], "few fail, and the health check always");
/// # assert_eq!(minutes(2, "/a", 5), [Firing], "one of five fails");
/// # assert_eq!(minutes(2, "/a", 30), [Resolved]);
/// # Ok::<(), bellwether::Error>(())
/// ```
pub fn series(name: impl Into<Cow<'static, str>>) -> Selector {
    Selector { name: name.into(), labels: Vec::new() }
}

/// Selects the series of one instrument whose labels match.
///
/// A label that a series does not have counts as empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selector {
    pub(super) name: Cow<'static, str>,
    pub(super) labels: Vec<(Cow<'static, str>, Matcher)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Matcher {
    Equal(String),
    NotEqual(String),
    StartsWith(String),
    OneOf(Vec<String>),
}

impl Selector {
    /// Selects only series whose label `key` is `value`.
    #[must_use]
    pub fn label(self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.with(key.into(), Matcher::Equal(value.into()))
    }

    /// Selects only series whose label `key` is not `value`.
    #[must_use]
    pub fn label_not(self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.with(key.into(), Matcher::NotEqual(value.into()))
    }

    /// Selects only series whose label `key` starts with `prefix`.
    #[must_use]
    pub fn label_starts_with(
        self,
        key: impl Into<Cow<'static, str>>,
        prefix: impl Into<String>,
    ) -> Self {
        self.with(key.into(), Matcher::StartsWith(prefix.into()))
    }

    /// Selects only series whose label `key` is one of `values`.
    #[must_use]
    pub fn label_one_of<V: Into<String>>(
        self,
        key: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.with(key.into(), Matcher::OneOf(values.into_iter().map(Into::into).collect()))
    }

    /// The instrument's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it selects a series of the instrument with these labels.
    #[must_use]
    pub fn matches(&self, labels: &LabelSet) -> bool {
        self.labels.iter().all(|(key, matcher)| {
            let value = labels.get(key).unwrap_or_default();
            match matcher {
                Matcher::Equal(wanted) => value == wanted,
                Matcher::NotEqual(unwanted) => value != unwanted,
                Matcher::StartsWith(prefix) => value.starts_with(prefix.as_str()),
                Matcher::OneOf(wanted) => wanted.iter().any(|wanted| value == wanted),
            }
        })
    }

    fn with(mut self, key: Cow<'static, str>, matcher: Matcher) -> Self {
        self.labels.push((key, matcher));
        self
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(fault) = name_fault(&self.name) {
            return Err(format!("the selected name {:?} {fault}", self.name));
        }
        self.labels.iter().try_for_each(|(key, _)| check_key(key))
    }
}

pub(super) fn check_key(key: &str) -> Result<(), String> {
    match key_fault(key) {
        Some(fault) => Err(format!("the label key {key:?} {fault}")),
        None => Ok(()),
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (place, (key, matcher)) in self.labels.iter().enumerate() {
            f.write_str(if place == 0 { "{" } else { ", " })?;
            match matcher {
                Matcher::Equal(value) => write!(f, "{key}={value:?}")?,
                Matcher::NotEqual(value) => write!(f, "{key}!={value:?}")?,
                Matcher::StartsWith(prefix) => write!(f, "{key}=~{:?}", format!("{prefix}.*"))?,
                Matcher::OneOf(values) => write!(f, "{key}=~{:?}", values.join("|"))?,
            }
        }
        f.write_str(if self.labels.is_empty() { "" } else { "}" })
    }
}
