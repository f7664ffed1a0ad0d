//! Models of the queue: every interleaving of its users, within a bound on preemptions.
//!
//! Run by `.ci/run`: `RUSTFLAGS="--cfg bellwether_loom" LOOM_MAX_PREEMPTIONS=2 cargo test --lib loom
//! --release`. Time stands still in a model, so a wait ends by its signal or the model finds a deadlock:
//! a lost wake-up is one. Planted mutants that they must find: what is offered is counted after it was
//! queued, in a second critical section (flush, shutdown); a flush that does not wake the worker, or
//! that overlooks what is in flight (flush); a shutdown that leaves in flight what it dropped
//! (shutdown); a push that makes a batch and wakes nobody (push).

use std::time::Duration;

use loom::{
    sync::{Arc, Mutex},
    thread,
};

use super::{
    Chunk, DropReason, Overflow, Settings,
    limits::Limits,
    queue::{Next, Queue},
};
use crate::clock;

const NEVER: Duration = Duration::MAX;

fn queue(batch_items: usize) -> Arc<Queue<u32>> {
    let settings = Settings {
        batch_items,
        max_items: 8,
        batch_delay: NEVER,
        overflow: Overflow::DropNewest,
        ..Settings::default()
    };
    Arc::new(Queue::new(Limits::checked(&settings).unwrap()))
}

fn push(queue: &Queue<u32>, record: u32) {
    queue.push(&Chunk::from(vec![record]));
    assert_sums(queue);
}

fn assert_sums(queue: &Queue<u32>) {
    let report = queue.report("", "");
    assert!(report.totals().add_up(), "{report}");
}

/// Delivers until the end; what was delivered is listed before it is settled.
fn work(queue: &Queue<u32>, delivered: &Mutex<Vec<u32>>) {
    loop {
        match queue.next() {
            Next::Deliver(batch) => delivered.lock().unwrap().extend(batch.iter()),
            Next::Finish => {}
            Next::End => break,
        }
        queue.settle(0, None);
        assert_sums(queue);
    }
    queue.end();
}

#[test]
fn loom_a_flush_after_a_push_returns_when_that_record_is_settled() {
    loom::model(|| {
        let (queue, delivered) = (queue(4), Arc::new(Mutex::new(Vec::new())));
        let worker = thread::spawn({
            let (queue, delivered) = (queue.clone(), delivered.clone());
            move || work(&queue, &delivered)
        });
        let producer = thread::spawn({
            let queue = queue.clone();
            move || push(&queue, 1)
        });
        push(&queue, 2);
        let ticket = queue.begin_flush(Some(clock::deadline(NEVER)));
        assert!(queue.wait_settled(ticket, clock::deadline(NEVER)));
        assert!(delivered.lock().unwrap().contains(&2));
        producer.join().unwrap();
        queue.close(clock::deadline(NEVER));
        worker.join().unwrap();
        let report = queue.report("", "");
        assert_eq!((report.offered, report.delivered, report.held), (2, 2, 0));
    });
}

#[test]
fn loom_a_shutdown_against_a_push_and_a_hung_exporter_keeps_the_sums() {
    loom::model(|| {
        let queue = queue(1);
        let worker = thread::spawn({
            let queue = queue.clone();
            move || {
                // One batch, whose answer may come before or after the deadline.
                if let Next::Deliver(_batch) = queue.next() {
                    let counted = queue.settle(0, None);
                    assert_sums(&queue);
                    return counted;
                }
                false
            }
        });
        let producer = thread::spawn({
            let queue = queue.clone();
            move || {
                push(&queue, 1);
                push(&queue, 2);
            }
        });
        queue.close(clock::deadline(NEVER));
        queue.abandon();
        let report = queue.report("", "");
        assert!(report.held == 0 && report.totals().add_up(), "{report}");
        producer.join().unwrap();
        let counted = worker.join().unwrap();
        let report = queue.report("", "");
        assert_eq!((report.offered, report.held), (2, 0));
        assert_eq!(report.delivered, u64::from(counted));
        assert_eq!(report.dropped.get(DropReason::Shutdown), 2 - report.delivered);
    });
}

#[test]
fn loom_a_push_that_makes_a_batch_wakes_the_worker() {
    loom::model(|| {
        let queue = queue(1);
        let worker = thread::spawn({
            let queue = queue.clone();
            move || assert!(matches!(queue.next(), Next::Deliver(_)))
        });
        push(&queue, 1);
        worker.join().unwrap();
        queue.settle(0, None);
        assert_sums(&queue);
    });
}
