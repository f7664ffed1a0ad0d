//! Label sets that come and go leave no memory behind.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod counting;

use std::time::Duration;

use bellwether::{Counter, Histogram, label::Dynamic, testing};

static PODS: Counter<Dynamic> =
    Counter::dynamic("pods", "", &["pod"]).expire_after(Duration::from_secs(2));
static SESSIONS: Histogram<Dynamic> = Histogram::dynamic("sessions", "", &["session"]);

#[test]
fn series_that_came_and_went_leave_no_memory_behind() {
    let scope = testing::scope();
    let mut n = 0;
    let mut live_after = |rounds: u32| {
        for _ in 0..rounds {
            for _ in 0..20 {
                n += 1;
                PODS.with_labels(&[("pod", &format!("pod-{n}"))]).inc();
                let session = n.to_string();
                let handle = SESSIONS.bind_labels(&[("session", &session)]);
                (0..130).for_each(|value| handle.record(f64::from(value)));
                SESSIONS.remove_labels(&[("session", &session)]);
            }
            scope.advance(Duration::from_secs(1));
            drop(scope.snapshot());
        }
        counting::live()
    };
    live_after(30);
    let before = live_after(10);
    let after = live_after(300); // Three times as many as the limit.
    assert!(after - before < 16 << 10, "{} bytes of 6,000 pods and sessions", after - before);
    assert_eq!(scope.snapshot().family("sessions").map(|family| family.series().len()), Some(0));
}
