//! Entries of Loki are written without an allocation for each: an allocator counts them.
//!
//! One test, alone in its process: the counts are those of the thread.

mod counting;

use bellwether::{
    export::{
        Encoder as _,
        loki::{Loki, LokiForm, LokiLine},
    },
    log::{LogRecord, LogSeverity},
    pipeline::{Batch, Setup},
    resource::Resource,
};

/// How many allocations a second batch of `n` records makes.
fn allocations(loki: &Loki, record: &LogRecord, n: usize) -> u64 {
    let mut encoder = loki.logs_encoder();
    let resource = Resource::service("shop").with("host.name", "here");
    encoder.start(&Setup::new(resource)).expect("nothing is wrong with it");
    let batch = Batch::from(vec![record.clone(); n]);
    encoder.encode(&batch);
    let before = counting::allocations();
    let payload = encoder.encode(&batch);
    let made = counting::allocations() - before;
    assert!(payload.bytes().len() > 50 * n);
    made
}

#[test]
fn an_entry_is_written_without_an_allocation_of_its_own() {
    let record = LogRecord::new(LogSeverity::INFO, "the \"card\"\nwas refused")
        .with_target("shop::pay")
        .with_attribute("cart.id", 7)
        .with_attribute("cart_id", 0.5)
        .with_attribute("route", "/a b");
    let loki = Loki::new("https://loki.example.com");
    let labelled = loki.clone().label("route").form(LokiForm::Json);
    let whole = loki.clone().line(LokiLine::Json);
    // The payload's own room doubles as it grows.
    for (n, most) in [(500, 40), (4_000, 50)] {
        let made = [&loki, &labelled, &whole].map(|loki| allocations(loki, &record, n));
        assert!(made.iter().all(|made| *made > 0 && *made < most), "{n}: {made:?}");
    }
}
