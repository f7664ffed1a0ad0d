//! Events of `tracing` become log records, and say on their spans what failed.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rules are the library's own"
)]

use std::{error::Error, io};

use bellwether::{integration::tracing::TracingOptions, log::LogSeverity, trace::Status};
use bellwether_integration_tracing::{attribute, run, run_in, run_with};
use tracing::{Level, debug, error, event, info, info_span, instrument, trace, warn};

#[test]
fn an_event_is_a_log_record_of_its_level_target_place_and_fields() {
    let ran = run(|| {
        trace!("finest");
        debug!("fine");
        info!(target: "shop::pay", a = 1, b = ?Some(2), c = %"three", d = u64::MAX, "paid {}", 7);
        warn!("odd");
        error!("failed");
        event!(name: "order.paid", Level::INFO, items = 3);
    });
    let levels = ["finest", "fine", "paid 7", "odd", "failed"].map(|body| ran.log(body).severity());
    let expected = [
        LogSeverity::TRACE,
        LogSeverity::DEBUG,
        LogSeverity::INFO,
        LogSeverity::WARN,
        LogSeverity::ERROR,
    ];
    assert_eq!(levels, expected);
    let paid = ran.log("paid 7");
    assert_eq!(paid.target(), "shop::pay");
    assert_eq!(paid.location().unwrap().0, file!());
    let found = ["a", "b", "c", "d", "message"].map(|key| attribute(paid, key));
    let expected = [Some("1"), Some("Some(2)"), Some("three"), Some("18446744073709551615"), None];
    assert_eq!(found, expected.map(|text| text.map(str::to_owned)));
    assert_eq!(paid.event_name(), None);
    assert_eq!(ran.logs[5].event_name(), Some("order.paid"));
    assert_eq!(ran.log("fine").target(), module_path!());
}

#[test]
fn a_record_has_the_ids_of_its_span() {
    let ran = run(|| {
        let a = info_span!("a");
        let b = info_span!("b").entered();
        info!("contextual");
        info!(parent: &a, "explicit");
        info!(parent: None, "root");
        let c = bellwether::span("c").enter();
        info!("in ours");
        c.end();
        drop(b);
        info!("outside");
    });
    let id = |name: &str| Some(ran.span(name).span_id());
    let ids = ["contextual", "explicit", "root", "in ours", "outside"];
    let ids = ids.map(|body| ran.log(body).span_id());
    assert_eq!(ids, [id("b"), id("a"), None, id("c"), None]);
    assert_eq!(ran.log("explicit").trace_id(), Some(ran.span("a").trace_id()));
}

#[instrument(err)]
fn refused() -> Result<(), io::Error> {
    Err(io::Error::other("refused"))
}

#[instrument(err(level = Level::WARN))]
fn warned() -> Result<(), String> {
    Err("warned".into())
}

#[test]
fn errors_are_the_status_of_their_span() {
    let ran = run(|| {
        let _ = (refused(), warned());
        info_span!("plain").in_scope(|| error!("bad"));
        info_span!("described").in_scope(|| error!(error = %"why", "bad"));
        info_span!("fine").in_scope(|| info!(error = %"why", "tried again"));
        info_span!("told", otel.status_code = "ok").in_scope(|| error!(error = "e", "bad"));
        let typed = io::Error::new(io::ErrorKind::NotFound, "gone");
        let typed: &(dyn Error + 'static) = &typed;
        info_span!("typed").in_scope(|| error!(cause = typed, "bad"));
        let named = info_span!("named");
        error!(parent: &named, error = "by name", "bad");
        bellwether::span("ours").enter().end();
        let ours = bellwether::span("our own").enter();
        error!("bad");
        ours.end();
        error!("nowhere");
    });
    let error = |text: &'static str| Status::Error(text.into());
    for (name, status, n_events) in [
        ("refused", error("refused"), 1),
        ("warned", error("warned"), 1),
        ("plain", error(""), 0),
        ("described", error("why"), 1),
        ("fine", Status::Unset, 0),
        ("told", Status::Ok, 0),
        ("typed", error("gone"), 1),
        ("named", error("by name"), 1),
        ("our own", error(""), 0),
        ("ours", Status::Unset, 0),
    ] {
        let span = ran.span(name);
        assert_eq!((span.status(), span.events().len()), (&status, n_events), "{name}");
    }
    let exception = &ran.span("refused").events()[0];
    assert_eq!(exception.name(), "exception");
    assert_eq!(ran.attribute("refused", "error.type").as_deref(), Some("_OTHER"));
    let logged: Vec<_> = ran.logs.iter().filter_map(|log| attribute(log, "error")).collect();
    assert_eq!(logged, ["refused", "warned", "why", "why", "e", "by name"]);
}

#[test]
fn errors_leave_the_status_alone_by_choice() {
    let ran = run_with(TracingOptions::new().error_status(false), || {
        info_span!("plain").in_scope(|| error!("bad"));
        let _ = refused();
    });
    assert_eq!(ran.span("plain").status(), &Status::Unset);
    assert_eq!(ran.span("refused").events().len(), 0);
    assert_eq!(ran.logs.len(), 2);
}

#[test]
fn events_are_events_of_their_span_by_choice() {
    let ran = run_with(TracingOptions::new().span_events(true), || {
        let other = info_span!("other");
        info_span!("span").in_scope(|| {
            info!(a = 1, "first");
            debug!(parent: &other, "second");
            event!(name: "named", Level::INFO, b = 2);
        });
    });
    let events = ran.span("span").events();
    assert_eq!(events.iter().map(|event| event.name()).collect::<Vec<_>>(), ["first", "named"]);
    let keys: Vec<_> = events[0].attributes().iter().map(|one| &*one.key).collect();
    assert_eq!(keys, ["level", "target", "a"]);
    assert_eq!(ran.span("other").events()[0].name(), "second");
}

#[test]
fn records_of_log_have_their_own_target_and_place() {
    let subscriber = tracing_subscriber::layer::SubscriberExt::with(
        tracing_subscriber::registry(),
        TracingOptions::new().layer(),
    );
    let subscriber = tracing::Dispatch::new(subscriber);
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |telemetry| {
            tracing_log::LogTracer::init().unwrap();
            log::warn!(target: "old::lib", "by log {}", 1);
            telemetry.set_log_filter("info,old=off".parse().unwrap());
            log::warn!(target: "old::lib", "out");
            log::warn!(target: "older", "out by prefix");
            log::info!(target: "new", "in");
        },
    );
    let record = ran.log("by log 1");
    assert_eq!((record.target(), record.severity()), ("old::lib", LogSeverity::WARN));
    assert_eq!(record.location().unwrap().0, file!());
    assert!(record.attributes().is_empty(), "{record:?}");
    assert_eq!(ran.logs.len(), 2, "{:?}", ran.logs);
    assert_eq!(ran.log("in").target(), "new");
}
