//! What is to be said of a route.

use super::{
    check::{Reach, RouteCheck},
    finding::{Concern, Finding},
    phase::LifePhase,
    text::{Mebibytes, Thousands, records},
};
use crate::pipeline::{DropReason, QueueReport};

/// All that is to be said of `route`.
pub(super) fn findings(route: &RouteCheck, phase: LifePhase) -> Vec<Finding> {
    let of_reach = match route.reach {
        Reach::Failing if route.report.failures_in_a_row > 0 => Some(failing(route, phase)),
        Reach::NoAnswerYet => Some(no_answer(route)),
        // Refusals and panics are said by what they lost.
        Reach::NotTried | Reach::Taking | Reach::Refusing | Reach::Failing => None,
    };
    let losses = route.report.dropped.iter().filter_map(|(reason, n)| loss(route, reason, n));
    losses.chain(of_reach).chain(of_spool(&route.report)).collect()
}

/// What the spool met on its disk.
fn of_spool(report: &QueueReport) -> impl Iterator<Item = Finding> + use<> {
    let spool = report.spool.clone().unwrap_or_default();
    let name = named(report);
    let advise = |what: String, advice: &str| Finding {
        concern: Concern::Advice,
        kind: "spool",
        what,
        advice: advice.to_owned(),
    };
    let n_failed = spool.failed_writes + spool.failed_reads + spool.failed_cursors;
    let failed = (n_failed > 0).then(|| {
        let what = format!(
            "{name}: the spool's disk failed {n_failed} times; records were sent without having been \
             there, or waited in memory"
        );
        advise(what, "look after the disk: its space, its permissions, its health")
    });
    let n_aside = spool.segments_set_aside;
    let aside = (n_aside > 0).then(|| {
        let what = format!(
            "{name}: {n_aside} files of the spool are of another version, and are not sent"
        );
        advise(what, "let the version that wrote them send them, or remove the files `*.aside`")
    });
    failed.into_iter().chain(aside)
}

/// `spans to "otlp" (http://localhost:4318)`.
fn named(report: &QueueReport) -> String {
    let place = report.destination.as_ref().map_or_else(String::new, |place| format!(" ({place})"));
    format!("{} to {:?}{place}", report.signal, report.name)
}

fn last_error(report: &QueueReport) -> &str {
    report.last_error.as_deref().unwrap_or("no error was given")
}

/// Where the crate was built without the feature, the method is not there.
const SPOOL: &str = match cfg!(all(feature = "spool", unix)) {
    true => "`Builder::spool`",
    false => "`Builder::spool` (the feature `spool`)",
};

fn failing(route: &RouteCheck, phase: LifePhase) -> Finding {
    let RouteCheck { report, .. } = route;
    let n = report.failures_in_a_row;
    let so_far = if report.delivered == 0 { "nothing was delivered yet; " } else { "" };
    let what = format!(
        "{}: {so_far}{} in a row failed, the last one by: {}",
        named(report),
        if n == 1 { "1 attempt".to_owned() } else { format!("{n} attempts") },
        last_error(report)
    );
    let waiting = match report.spool.is_some() {
        true => "records wait on disk meanwhile".to_owned(),
        // What was in memory is lost, and is said as such.
        false if phase == LifePhase::ShutDown => {
            format!("{SPOOL} keeps records for the next process")
        }
        false => format!(
            "up to {} records wait in memory meanwhile, and are lost with the process; {SPOOL} keeps them \
             over an outage and a restart",
            Thousands(report.max_items)
        ),
    };
    let advice = hint(last_error(report))
        .map_or_else(|| waiting.clone(), |hint| format!("{hint}; {waiting}"));
    Finding { concern: Concern::Trouble, kind: "failing", what, advice }
}

fn no_answer(route: &RouteCheck) -> Finding {
    let RouteCheck { report, .. } = route;
    let n = report.held + report.spooled;
    let what = format!(
        "{}: {} wait, and no attempt has come to an answer yet",
        named(report),
        records(n, report.signal)
    );
    let advice = "flush, and look again: if it stays so, the exporter hangs, and does not heed its `Deadline`";
    Finding { concern: Concern::Trouble, kind: "no_answer", what, advice: advice.to_owned() }
}

/// What was lost for `reason`; nothing that was asked for.
fn loss(route: &RouteCheck, reason: DropReason, n: u64) -> Option<Finding> {
    let RouteCheck { report, .. } = route;
    let (because, advice) = match reason {
        DropReason::Filtered => return None,
        DropReason::QueueFull => (
            "the queue was full",
            format!(
                "the backend takes less than is recorded: {}, or raise `max_items` ({}) and `max_bytes` \
                 ({}) by `Route::settings`, or let records wait on disk: {SPOOL}",
                fewer(report.signal),
                Thousands(report.max_items),
                Mebibytes(report.max_bytes)
            ),
        ),
        DropReason::Rejected => ("the backend refused them for good", refused(report)),
        DropReason::RetriesExhausted => (
            "the backend failed until their time was over",
            with_hint(
                report,
                &format!(
                    "{SPOOL} keeps them as long as it takes, `Retry::max_elapsed` gives them more \
                     time in memory"
                ),
            ),
        ),
        DropReason::Panic => (
            "the exporter or a processor of the route panicked",
            format!("mend it; it said: {}", last_error(report)),
        ),
        DropReason::Shutdown => (
            "they came after the shutdown, or were not delivered before its end",
            with_hint(
                report,
                &format!(
                    "give `shutdown` more time, stop recording before it, and let records wait on disk \
                     for the next process: {SPOOL}"
                ),
            ),
        ),
        DropReason::SpoolFull => (
            "the spool's quota was used up",
            with_hint(
                report,
                "give the spool more bytes, or see that the backend takes what it is sent",
            ),
        ),
        DropReason::SpoolDamaged => (
            "the disk lost them, or what it had of them was damaged",
            "look after the disk, and whether another program writes into the spool's folder"
                .to_owned(),
        ),
    };
    let what = format!("{}: {} dropped: {because}", named(report), records(n, report.signal));
    Some(Finding { concern: Concern::Loss, kind: reason.as_str(), what, advice })
}

/// How less is recorded of a signal.
fn fewer(signal: &str) -> &'static str {
    match signal {
        "spans" => "sample (`Builder::sampler`, `Builder::tail_sampler`)",
        "logs" => "log less (`Builder::logs` has filters, and limits for each call site)",
        "metrics" => "push less often (`Route::interval`) or fewer series (views)",
        _ => "record less",
    }
}

fn refused(report: &QueueReport) -> String {
    let said = format!(
        "it said: {}; `Builder::dead_letters` keeps what it refuses in a file",
        last_error(report)
    );
    hint(last_error(report)).map_or_else(|| said.clone(), |hint| format!("{hint}; {said}"))
}

fn with_hint(report: &QueueReport, advice: &str) -> String {
    let Some(error) = &report.last_error else { return advice.to_owned() };
    let hint = hint(error).map_or_else(String::new, |hint| format!("{hint}; "));
    format!("{hint}{advice}; the last error was: {error}")
}

/// What an error mostly means, by what is in its text.
fn hint(error: &str) -> Option<&'static str> {
    let error = error.to_ascii_lowercase();
    let means = |&&(sign, _): &&(&str, _)| error.contains(sign);
    HINTS.iter().find(means).map(|&(_, hint)| hint)
}

/// In this order: the first sign that is there decides.
const HINTS: &[(&str, &str)] = &[
    (
        "connection refused",
        "nothing listens there: does the backend run, and is the port right? OTLP has 4318 for HTTP and 4317 for gRPC",
    ),
    ("no public address", "it is a private address: if it is meant, `Endpoint::allow_private`"),
    (
        "dns error",
        "the name of the host is not known here: is it spelled right, and known in this network?",
    ),
    (
        "failed to lookup",
        "the name of the host is not known here: is it spelled right, and known in this network?",
    ),
    (
        "certificate",
        "the backend's certificate is not trusted, or has another name or time: \
                     `Endpoint::root_certificates` adds roots of your own",
    ),
    ("answered 401", "the credentials are missing or wrong: `Endpoint::bearer`, `Endpoint::basic`"),
    ("answered 403", "the credentials do not allow it: `Endpoint::bearer`, `Endpoint::basic`"),
    ("answered 404", "the backend knows no such path: is it the right one for this signal?"),
    ("answered 413", "single records are larger than the backend takes: limit them (`SpanLimits`)"),
    ("answered 429", "the backend limits the rate: record less, or raise its limit"),
    (
        "timed out",
        "the backend is slow, or something on the way drops packets: try `Endpoint::timeout`, and look \
                   at firewalls",
    ),
    ("permission denied", "the process may not write there"),
    ("no space left", "the disk is full"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_disk_of_a_spool_did_is_advised_about() {
        let mut spool = crate::pipeline::SpoolReport::default();
        let of = |spool: &crate::pipeline::SpoolReport| {
            let spool = Some(spool.clone());
            let report = QueueReport { signal: "spans", spool, ..QueueReport::default() };
            of_spool(&report).map(|finding| finding.what).collect::<Vec<_>>()
        };
        assert_eq!(of(&spool), [""; 0]);
        (spool.failed_writes, spool.segments_set_aside) = (2, 3);
        let found = of(&spool);
        assert!(found[0].contains("failed 2 times") && found[1].contains("3 files"), "{found:?}");
    }

    #[test]
    fn what_an_error_means_is_known_by_its_text() {
        let hint = |error: &str| hint(error).unwrap_or_default();
        assert!(hint("tcp connect error: Connection refused (os error 111)").contains("4318"));
        assert!(hint("http://x answered 401 Unauthorized: who?").contains("credentials"));
        assert_eq!(hint("something else"), "");
    }
}
