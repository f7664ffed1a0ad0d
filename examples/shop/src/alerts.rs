//! The alert rule of the shop, and the line that is printed when an alert changes.

use std::time::Duration;

use bellwether::alert::{Alert, AlertState, Rule, Severity, ratio, series};

use crate::{screen::Paint, server::REQUEST_DURATION};

/// More than 5 % of the requests of the last two seconds failed, for a second.
pub(crate) fn requests_fail() -> Rule {
    let window = Duration::from_secs(2);
    let requests = series(REQUEST_DURATION);
    let failed = requests.clone().label_starts_with("http.response.status_code", "5");
    let share = ratio(failed.rate(window).sum(), requests.rate(window).sum());
    Rule::new("RequestsFail", share.above(0.05))
        .for_duration(Duration::from_secs(1))
        .severity(Severity::Critical)
        .annotation("summary", "over 5 % of requests fail")
}

/// `alert RequestsFail is firing: 0.31 > 0.05 (over 5 % of requests fail)`: the value beside the
/// threshold of the rule.
pub(crate) fn line(alert: &Alert, paint: Paint) -> String {
    let state = match alert.state() {
        state @ AlertState::Pending => paint.yellow(state.as_str()),
        state @ AlertState::Firing => paint.red(state.as_str()),
        state => paint.green(state.as_str()),
    };
    let threshold = threshold(alert.condition());
    let value = match alert.state() {
        AlertState::Resolved => format!("no longer {threshold}"),
        _ => format!("{} {threshold}", value(alert.value(), threshold)),
    };
    let summary = alert.annotations().find(|(key, _)| *key == "summary");
    let summary = summary.map_or("", |(_, text)| text);
    format!("alert {} is {state}: {value} ({summary})", alert.name())
}

/// The end of a condition, `> 0.05`: what its expression is compared with.
fn threshold(condition: &str) -> &str {
    let operator = condition.rfind(['<', '>']).unwrap_or(0);
    &condition[operator..]
}

/// A value with two decimals, or with as many as tell it from its threshold: `0.051 > 0.05`.
fn value(value: f64, threshold: &str) -> String {
    let limit: Option<f64> = threshold.split(' ').next_back().and_then(|text| text.parse().ok());
    let mut texts = (2..=6).map(|decimals| format!("{value:.decimals$}"));
    let distinct = texts.find(|text| text.parse().ok() != limit);
    distinct.unwrap_or_else(|| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_the_end_of_a_condition() {
        assert_eq!(threshold(r#"sum(a{b=~"5.*"}) / sum(a) > 0.05"#), "> 0.05");
        assert_eq!(threshold("latency <= 2"), "<= 2");
        assert_eq!(threshold("a condition in code"), "a condition in code");
    }

    #[test]
    fn a_value_beside_its_threshold_does_not_look_equal_to_it() {
        assert_eq!(value(0.1449, "> 0.05"), "0.14");
        assert_eq!(value(0.0512, "> 0.05"), "0.051");
        assert_eq!(value(0.050_04, "> 0.05"), "0.05004");
        assert_eq!(value(0.05, ">= 0.05"), "0.05");
        assert_eq!(value(0.05, "a condition in code"), "0.05");
    }
}
