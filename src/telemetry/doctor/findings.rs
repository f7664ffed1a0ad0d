//! What is to be said of telemetry as a whole.

use super::{
    finding::{
        Concern::{self, Advice, Loss, Trouble},
        Finding,
    },
    phase::LifePhase,
    text::{Thousands, records},
};
use crate::{
    alert::notify::Notification,
    label::Value,
    log,
    pipeline::{Signal as _, leaked_workers},
    telemetry::running::Running,
    trace::{SpanRecord, Tracer},
};

/// All that is to be said besides what is of single routes.
pub(super) fn of(running: &Running, phase: LifePhase) -> Vec<Finding> {
    match phase {
        LifePhase::Inherited => return vec![inherited()],
        LifePhase::Disabled => return vec![disabled()],
        LifePhase::ShutDown | LifePhase::Running => {}
    }
    let mut findings = Vec::new();
    findings.extend(unnamed(running));
    findings.extend(running.tracer.as_deref().into_iter().flat_map(of_tracer));
    findings.extend(unclaimed_spans(running));
    findings.extend(of_logs());
    findings.extend(of_processors(running));
    findings.extend(of_rules(running));
    findings.extend(of_registry(running));
    findings.extend(of_listeners(running));
    findings.extend(of_threads());
    findings
}

fn found(concern: Concern, kind: &'static str, what: String, advice: &str) -> Finding {
    Finding { concern, kind, what, advice: advice.to_owned() }
}

fn count(n: u64) -> Thousands {
    Thousands(usize::try_from(n).unwrap_or(usize::MAX))
}

fn inherited() -> Finding {
    let what = "this process was forked from the one that started telemetry, and delivers nothing";
    let advice = "let the child start telemetry of its own";
    found(Trouble, "inherited", what.to_owned(), advice)
}

fn disabled() -> Finding {
    let what = "telemetry is switched off: nothing is exported, evaluated or served";
    let advice =
        "if that is not meant, look for `Builder::disabled` and for the variable OTEL_SDK_DISABLED";
    found(Advice, "disabled", what.to_owned(), advice)
}

fn unnamed(running: &Running) -> Option<Finding> {
    let name = running.resource.get("service.name").map(Value::to_string).unwrap_or_default();
    name.starts_with("unknown_service").then(|| {
        let what = format!("the service has no name, and is sent as {name:?}");
        found(
            Advice,
            "no_name",
            what,
            "name it: `bellwether::builder(\"shop\")`, or OTEL_SERVICE_NAME",
        )
    })
}

fn of_tracer(tracer: &Tracer) -> impl Iterator<Item = Finding> + use<> {
    let (n_lost, n_open) = (tracer.lost(), tracer.open());
    let lost = (n_lost > 0).then(|| {
        let what =
            format!("{} came to no queue: a sampler or a sink panicked", records(n_lost, "spans"));
        found(Loss, "spans_lost", what, "mend what panicked: diagnostics have its message")
    });
    let open = (n_open >= MANY_OPEN).then(|| {
        let what = format!("{} spans have started and not ended", count(n_open));
        let advice = "if so many requests are not under way, guards are leaked or futures never end: \
                      `Builder::report_open_spans` names them";
        found(Advice, "open_spans", what, advice)
    });
    [lost, open].into_iter().flatten()
}

/// From here on tracers report them too. Arbitrary.
const MANY_OPEN: u64 = 16_384;

fn unclaimed_spans(running: &Running) -> Option<Finding> {
    let n = running.remembered.spans.n_unclaimed();
    (n > 0).then(|| {
        let what = format!("no route takes spans: {} recorded for nobody", records(n, SpanRecord::NAME));
        let advice = "add a route (`Builder::export`), or do not record them (`Builder::sampler(AlwaysOff)`)";
        found(Advice, "no_route", what, advice)
    })
}

fn of_logs() -> Option<Finding> {
    let n = log::counts().lost;
    (n > 0).then(|| {
        let what = format!(
            "{} dropped before any queue: they came too fast, or too late",
            records(n, "logs")
        );
        found(Loss, "logs_lost", what, "log less (`Builder::logs` has limits for each call site)")
    })
}

fn of_processors(running: &Running) -> Option<Finding> {
    let of_spans = running.remembered.spans.dropped();
    let all = [of_spans, running.readings.dropped(), running.logs.source.dropped()];
    let n = all.iter().flatten().filter(|(reason, _)| *reason == "panic").map(|(_, n)| n).sum();
    (n > 0).then(|| {
        let what = format!("{} dropped: a processor panicked", records(n, ""));
        found(Loss, "processor", what, "mend it: diagnostics have its message")
    })
}

fn of_rules(running: &Running) -> Vec<Finding> {
    let rules = running.board.rules();
    let mut findings = Vec::new();
    for rule in &rules {
        if let Some(error) = &rule.error {
            let what = format!("the alert rule {:?} cannot be evaluated: {error}", rule.name);
            findings.push(found(Trouble, "rule", what, "mend its condition: it does not fire"));
        }
        if rule.shortened {
            let what = format!("the alert rule {:?} looks back further than is kept", rule.name);
            findings.push(found(Advice, "history", what, "raise `Builder::history_budget`"));
        }
    }
    let is_told = running.remembered.hears_of_alerts
        || running.pipes.iter().any(|pipe| pipe.signal() == Notification::NAME);
    if !rules.is_empty() && !is_told {
        let what = format!("{} alert rules are evaluated, and nobody hears of them", rules.len());
        let advice = "add a notifier (`Builder::notify`) or a callback (`Builder::on_transition`), unless \
                      somebody asks `Telemetry::alerts`";
        findings.push(found(Advice, "no_notifier", what, advice));
    }
    findings
}

fn of_registry(running: &Running) -> Vec<Finding> {
    let refusals = running.registry.refusals().into_iter();
    let advice =
        "rename one of them; meanwhile records of the second are counted by its name alone";
    refusals.map(|(_, text)| found(Trouble, "conflict", text, advice)).collect()
}

fn of_listeners(running: &Running) -> impl Iterator<Item = Finding> + '_ {
    let open = running.local_addrs.iter().filter(|address| address.ip().is_unspecified());
    open.map(|address| {
        let what = format!("{address} is served on every interface, to whoever can reach this host");
        let advice = "if only this host scrapes, listen on 127.0.0.1; otherwise see that a firewall is before it";
        found(Advice, "listener", what, advice)
    })
}

fn of_threads() -> Option<Finding> {
    let n = leaked_workers();
    (n > 0).then(|| {
        let what = format!(
            "{} threads of exporters did not end by their shutdown, and were left behind",
            count(n)
        );
        let advice = "an exporter has to end its attempt by the `Deadline` that it is given";
        found(Trouble, "leaked", what, advice)
    })
}
