//! Messages of syslog and entries of the journal are written without an allocation for each: an allocator that counts
//! shows it.
//!
//! One test, alone in its process: the counts are those of the thread.

mod counting;

use bellwether::{
    export::{Encoder, journal::Journal, syslog::Syslog},
    log::{LogRecord, LogSeverity},
    pipeline::{Batch, Setup},
    resource::Resource,
};

/// How many allocations a second batch of `n` records makes.
fn allocations(mut encoder: impl Encoder<LogRecord>, record: &LogRecord, n: usize) -> u64 {
    encoder.start(&Setup::new(Resource::service("shop"))).expect("nothing is wrong with it");
    let batch = Batch::from(vec![record.clone(); n]);
    encoder.encode(&batch);
    let before = counting::allocations();
    let payload = encoder.encode(&batch);
    let made = counting::allocations() - before;
    assert!(payload.bytes().len() > 50 * n);
    made
}

#[test]
fn a_message_is_written_without_an_allocation_of_its_own() {
    let span = bellwether::span("checkout").enter();
    let log = LogRecord::new(LogSeverity::INFO, "the \"card\"\nwas refused")
        .with_target("shop::pay")
        .with_location("src/pay.rs", 42)
        .with_attribute("n", 7)
        .with_attribute("x", 0.5)
        .with_attribute("sizes", [36, 41])
        .with_attribute("long", "x".repeat(300));
    span.end();
    // The payload's own room doubles as it grows.
    for (n, most) in [(500, 40), (4_000, 50)] {
        let made = [
            allocations(Syslog::tcp("127.0.0.1:601").logs_encoder(), &log, n),
            allocations(Syslog::tcp("127.0.0.1:601").max_message(600).logs_encoder(), &log, n),
            allocations(Journal::new().logs_encoder(), &log, n),
        ];
        assert!(made.iter().all(|made| *made > 0 && *made < most), "{n}: {made:?}");
    }
}
