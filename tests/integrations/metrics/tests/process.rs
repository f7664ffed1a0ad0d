//! The recorder of the process, with telemetry: what is wrong is reported once, and nothing panics.

mod common;

use std::sync::{Arc, Mutex};

use bellwether::{ErrorKind, integration};
use common::own;
use metrics::{counter, gauge, histogram};

#[test]
fn a_clash_of_kinds_is_reported_and_counted_and_a_second_recorder_is_refused() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hook = heard.clone();
    let telemetry = bellwether::builder("facade")
        .on_diagnostic(move |kind, text| hook.lock().unwrap().push(format!("{kind}: {text}")))
        .start()
        .unwrap();
    integration::metrics::install().unwrap();

    counter!("clash").increment(2);
    for _ in 0..3 {
        gauge!("clash").set(7.0);
        histogram!("clash", "a" => "b").record(1.0);
    }
    counter!("clash").increment(1);
    counter!("same name").increment(1);
    counter!("same_name").increment(1);

    assert_eq!(own("clash", &[]), 3.0);
    let snapshot = telemetry.snapshot();
    let refused = snapshot.family("telemetry.instruments.refused").unwrap().series();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].labels().get("instrument"), Some("clash"));
    assert_eq!(refused[0].value().as_f64(), 6.0);
    let heard = heard.lock().unwrap().clone();
    let of_kinds = heard.iter().filter(|text| text.contains("is registered with two kinds"));
    assert_eq!(of_kinds.count(), 2, "one for each: {heard:?}");
    let renamed = heard.iter().filter(|text| text.contains("is recorded as \"same_name_"));
    assert_eq!(renamed.count(), 1, "{heard:?}");

    let error = integration::metrics::install().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    drop(telemetry);
}
