//! How long a reader waits for a callback is a setting.
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    sync::{Mutex, mpsc::channel},
    thread,
    time::Duration,
};

use bellwether::metric::{Observations, Registry};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_patient_reader_waits_for_a_slow_callback_and_an_impatient_one_does_not() {
    let (entered, has_entered) = channel();
    let (release, value) = channel::<f64>();
    let value = Mutex::new(value);
    let observe = move |to: &mut Observations| {
        entered.send(()).unwrap();
        to.observe(value.lock().unwrap().recv().unwrap(), &[]);
    };
    let patient = Registry::builder().callback_patience(HOUR).build();
    let _observer = patient.gauge("slow", "").observe(observe).unwrap();
    let look = {
        let patient = patient.clone();
        thread::spawn(move || patient.snapshot())
    };
    has_entered.recv().unwrap();

    // Waits two seconds for its turn, which is much more than the default.
    let other = Registry::new();
    let _other = other.gauge("other", "").observe(|to| to.observe(1.0, &[]));
    assert!(other.snapshot().value("other", &[]).is_none());
    release.send(7.0).unwrap();
    let snapshot = look.join().unwrap();
    assert_eq!(snapshot.value("slow", &[]).unwrap().as_f64(), 7.0);

    // The builder's setting is that of the global registry, also after shutdown. Waiting would take
    // an hour.
    let (_release, stuck) = channel::<()>();
    let stuck = Mutex::new(stuck);
    let observe = move |_: &mut Observations| {
        let _ = stuck.lock().unwrap().recv();
    };
    let global = Registry::global();
    let _stuck = global.gauge("stuck", "").observe(observe).unwrap();
    let builder = bellwether::builder("test").callback_patience(Duration::ZERO);
    let telemetry = builder.start().unwrap();
    assert!(telemetry.snapshot().family("stuck").is_none());
    drop(telemetry);
    assert!(global.snapshot().family("stuck").is_none());
}
