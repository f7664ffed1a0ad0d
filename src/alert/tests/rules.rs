//! Which rules are refused, and how a condition reads.

use super::*;

fn error_of(rules: Vec<Rule>) -> (ErrorKind, String) {
    let error = Standalone::new(rules, settings()).unwrap_err();
    (error.kind(), error.to_string())
}

#[test]
fn what_cannot_be_evaluated_is_refused_with_the_rules_name() {
    let minute = 60 * SECOND;
    for (rule, what) in [
        (Rule::new("", trouble()), r#"alert rule "": the name is empty"#),
        (
            Rule::new("A", trouble()).label("9", "x"),
            r#"alert rule "A": the label key "9" must start with an ASCII letter or `_`"#,
        ),
        (
            Rule::new("A", trouble()).label("alertname", "x"),
            r#"alert rule "A": the label alertname is the rule's name"#,
        ),
        (
            Rule::new("A", trouble()).annotation("a b", "x"),
            r#"alert rule "A": the annotation key "a b" may hold only ASCII letters, digits, `_` and `.`"#,
        ),
        (
            Rule::new("A", series("9").last().above(0.0)),
            r#"alert rule "A": the selected name "9" must start with an ASCII letter"#,
        ),
        (
            Rule::new("A", series("a").label("", "x").last().above(0.0)),
            r#"alert rule "A": the label key "" must start with an ASCII letter or `_`"#,
        ),
        (
            Rule::new("A", series("a").rate(Duration::ZERO).above(0.0)),
            r#"alert rule "A": rate(a[0ns]) needs a range longer than zero"#,
        ),
        (
            Rule::new("A", series("a").quantile(1.5, minute).above(0.0)),
            r#"alert rule "A": the quantile 1.5 is not in [0, 1]"#,
        ),
        (
            Rule::new("A", series("a").quantile(f64::NAN, minute).above(0.0)),
            r#"alert rule "A": the quantile NaN is not in [0, 1]"#,
        ),
        (
            Rule::new("A", series("a").last().by(&["b c"]).above(0.0)),
            r#"alert rule "A": the label key "b c" may hold only ASCII letters, digits, `_` and `.`"#,
        ),
        (
            Rule::new("A", series("a").last().above(f64::NAN)),
            r#"alert rule "A": a comparison needs a number, and NaN is none"#,
        ),
    ] {
        assert_eq!(error_of(vec![rule]), (ErrorKind::InvalidOption, what.to_owned()));
    }
}

#[test]
fn two_rules_that_make_the_same_alerts_are_refused() {
    let rule = || Rule::new("A", trouble()).severity(Severity::Error);
    let (kind, message) = error_of(vec![rule(), rule()]);
    assert_eq!(kind, ErrorKind::Conflict);
    assert_eq!(
        message,
        r#"alert rule "A" is there twice with the labels {severity="error"}: give one another name or label"#
    );
    let other = Rule::new("A", trouble()).severity(Severity::Warning);
    Standalone::new(vec![rule(), other], settings()).unwrap();
}

#[test]
fn a_condition_reads_as_an_expression() {
    let minute = 60 * SECOND;
    let failed = series("req").label_starts_with("code", "5").label_not("route", "/health");
    let all = series("req").label_one_of("method", ["GET", "PUT"]);
    let share = ratio(failed.rate(minute).by(&["route"]), all.rate(minute).sum()).above(0.05);
    assert_eq!(
        share.to_string(),
        r#"sum by (route) (rate(req{code=~"5.*", route!="/health"}[60s])) / sum(rate(req{method=~"GET|PUT"}[60s])) > 0.05"#
    );
    assert_eq!(absent(series("up").label("job", "x")).to_string(), r#"absent(up{job="x"})"#);
}
