//! Filters: the log filter in force, those of the user's, and what they leave to ancestors.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rules are the library's own"
)]

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bellwether::integration::tracing::{TracingOptions, TracingSpanExt as _, layer};
use bellwether_integration_tracing::run_in;
use tracing::{Dispatch, Level, debug, debug_span, error, info, info_span, trace_span, warn};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{LevelFilter, filter_fn},
    layer::SubscriberExt as _,
    registry,
};

/// One test at a time: subscribers of others would want to see what is filtered out here.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bodies(ran: &bellwether_integration_tracing::Ran) -> Vec<String> {
    ran.logs.iter().map(|log| log.body().to_string()).collect()
}

/// Counts how often it is shown.
struct Shown<'a>(&'a AtomicUsize);

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fetch_add(1, Relaxed);
        f.write_str("shown")
    }
}

#[test]
fn the_log_filter_in_force_decides_and_may_change_at_any_time() {
    let _alone = alone();
    let subscriber = Dispatch::new(registry().with(layer()));
    let n_shown = AtomicUsize::new(0);
    let n_made = AtomicUsize::new(0);
    let make = || n_made.fetch_add(1, Relaxed);
    let step = || {
        info!(target: "shop", shown = ?Shown(&n_shown), made = make(), "info");
        debug!(target: "shop", shown = ?Shown(&n_shown), made = make(), "debug");
        debug!(target: "other", shown = ?Shown(&n_shown), made = make(), "other");
    };
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |telemetry| {
            for filter in ["info", "shop=debug", "off", "warn,other=trace"] {
                telemetry.set_log_filter(filter.parse().unwrap());
                step();
            }
        },
    );
    assert_eq!(bodies(&ran), ["info", "info", "debug", "other"]);
    assert_eq!((n_shown.into_inner(), n_made.into_inner()), (4, 4));
}

#[test]
fn an_event_that_is_out_is_disabled_for_tracing_itself() {
    let _alone = alone();
    let subscriber = Dispatch::new(registry().with(layer()));
    run_in(
        &subscriber,
        |builder| builder,
        |telemetry| {
            telemetry.set_log_filter("info".parse().unwrap());
            assert!(!tracing::event_enabled!(Level::DEBUG));
            assert!(tracing::event_enabled!(Level::INFO));
            telemetry.set_log_filter("off".parse().unwrap());
            assert!(!tracing::event_enabled!(Level::INFO));
            assert!(tracing::event_enabled!(Level::ERROR)); // It says that its span has failed.
            telemetry.set_log_filter("debug".parse().unwrap());
            assert!(tracing::event_enabled!(Level::DEBUG));
        },
    );
}

#[test]
fn a_change_on_a_thread_without_a_subscriber_leaves_the_others_enabled() {
    let _alone = alone();
    let subscriber = Dispatch::new(registry().with(layer()));
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |telemetry| {
            let step = |text| info!("{text}");
            std::thread::scope(|scope| {
                scope.spawn(|| telemetry.set_log_filter("info".parse().unwrap()));
            });
            step("kept");
            std::thread::scope(|scope| {
                scope.spawn(|| telemetry.set_log_filter("off".parse().unwrap()));
            });
            step("out");
        },
    );
    assert_eq!(bodies(&ran), ["kept"]);
}

#[test]
fn an_error_is_its_spans_status_where_the_log_filter_keeps_nothing() {
    let _alone = alone();
    let subscriber = Dispatch::new(registry().with(layer()));
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |telemetry| {
            telemetry.set_log_filter("off".parse().unwrap());
            info_span!("failing").in_scope(|| error!("bad"));
            info_span!("fine").in_scope(|| warn!("odd"));
        },
    );
    assert!(ran.logs.is_empty());
    assert_eq!(ran.span("failing").status().as_str(), "error");
    assert_eq!(ran.span("fine").status().as_str(), "unset");
}

#[test]
fn other_layers_see_what_the_log_filter_does_not_keep() {
    let _alone = alone();
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    struct Counting;
    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Counting {
        fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            SEEN.fetch_add(1, Relaxed);
        }
    }
    let subscriber = Dispatch::new(registry().with(layer()).with(Counting));
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |telemetry| {
            telemetry.set_log_filter("warn".parse().unwrap());
            info!("for the other layer");
            warn!("for both");
        },
    );
    assert_eq!((bodies(&ran), SEEN.load(Relaxed)), (vec!["for both".to_owned()], 2));
}

#[test]
fn filters_of_the_layer_and_of_all_layers_come_on_top() {
    let _alone = alone();
    let env = EnvFilter::new("info,quiet=off");
    let all = TracingOptions::new().spans_from(LevelFilter::TRACE);
    let subscriber = Dispatch::new(registry().with(env).with(all.layer()));
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |_| {
            let _a = info_span!("a").entered();
            let _b = debug_span!("b").entered();
            let _c = info_span!("c").entered();
            info!("kept");
            debug!("out");
            info!(target: "quiet", "out too");
        },
    );
    assert_eq!((ran.parent("c"), bodies(&ran)), (Some("a"), vec!["kept".to_owned()]));
    assert_eq!(ran.spans.len(), 2);

    let filtered = all.layer().with_filter(EnvFilter::new("debug,quiet=off"));
    let subscriber = Dispatch::new(registry().with(filtered).with(LevelFilter::TRACE));
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |telemetry| {
            telemetry.set_log_filter("info".parse().unwrap());
            let _a = debug_span!("a").entered();
            let _b = trace_span!("b").entered();
            info!("kept");
            debug!("out");
            warn!(target: "quiet", "out too");
        },
    );
    assert_eq!((ran.names(), bodies(&ran)), (vec!["a"], vec!["kept".to_owned()]));
}

#[test]
fn a_span_that_is_filtered_out_leaves_its_children_to_the_nearest_ancestor() {
    let _alone = alone();
    let filter = filter_fn(|metadata| !metadata.name().starts_with("out"));
    let subscriber = registry().with(layer().with_filter(filter));
    // Another layer keeps them, so that they exist.
    let subscriber = Dispatch::new(subscriber.with(tracing_subscriber::layer::Identity::new()));
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |_| {
            let a = info_span!("a");
            let out = info_span!(parent: &a, "out 1");
            let deeper = info_span!(parent: &out, "out 2");
            drop(info_span!(parent: &deeper, "explicit"));
            info!(parent: &deeper, "named");
            assert_eq!(deeper.context(), a.context());
            let _a = a.entered();
            let _deeper = deeper.entered();
            assert_eq!(bellwether::current().span_id(), out.context().span_id());
            drop(info_span!("contextual"));
            info!("contextual event");
        },
    );
    assert_eq!(ran.parent("explicit"), Some("a"));
    assert_eq!(ran.parent("contextual"), Some("a"));
    let id = Some(ran.span("a").span_id());
    assert_eq!((ran.log("named").span_id(), ran.log("contextual event").span_id()), (id, id));
    assert_eq!(ran.spans.len(), 3);
}

#[test]
fn spans_below_info_are_out_and_another_level_is_a_choice() {
    let _alone = alone();
    let subscriber = Dispatch::new(registry().with(layer()));
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |_| {
            let _a = info_span!("a").entered();
            let _b = debug_span!("b").entered();
            assert!(!tracing::span_enabled!(Level::DEBUG));
            debug!("kept");
        },
    );
    assert_eq!((ran.names(), bodies(&ran)), (vec!["a"], vec!["kept".to_owned()]));
    assert_eq!(ran.log("kept").span_id(), Some(ran.span("a").span_id()));

    let layer = TracingOptions::new().spans_from(LevelFilter::DEBUG).layer();
    let subscriber = Dispatch::new(registry().with(layer));
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |_| {
            let _a = debug_span!("a").entered();
            let _b = trace_span!("b").entered();
        },
    );
    assert_eq!(ran.names(), ["a"]);
}
