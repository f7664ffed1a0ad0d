//! Which of several records in sampled spans is the exemplar of its bucket. Alone in its process: any
//! reading, of whatever histogram, lets another record be.

use bellwether::{Histogram, Unit};

static LATENCY: Histogram =
    Histogram::new("turn.latency", "Time").unit(Unit::Seconds).bounds(&[1.0, 8.0]);

fn shown() -> Vec<f64> {
    LATENCY.snapshot().exemplars().iter().map(|one| one.value()).collect()
}

#[test]
fn a_bucket_keeps_the_first_exemplar_until_it_is_read_and_then_takes_another() {
    let telemetry = bellwether::builder("turn").tick(std::time::Duration::from_secs(3600)).start();
    let telemetry = telemetry.unwrap();
    let _span = bellwether::span("work").enter();
    [2.0, 3.0, 0.5].into_iter().for_each(|value| LATENCY.record(value));
    assert_eq!(shown(), [0.5, 2.0]);
    LATENCY.record(4.0);
    assert_eq!(shown(), [0.5, 4.0], "the other bucket keeps what it had");
    drop(telemetry);
}
