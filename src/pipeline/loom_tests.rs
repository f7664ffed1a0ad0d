//! Models of the queue: every interleaving of its users, within a bound on preemptions.
//!
//! Run by `.ci/run`: `RUSTFLAGS="--cfg bellwether_loom" LOOM_MAX_PREEMPTIONS=2 cargo test --lib loom
//! --release`. Time stands still in a model, so a wait ends by its signal or the model finds a deadlock:
//! a lost wake-up is one. Planted mutants that they must find: what is offered is counted after it was
//! queued, in a second critical section (flush, shutdown); a flush that does not wake the worker, or
//! that overlooks what is in flight (flush); a shutdown that leaves in flight what it dropped
//! (shutdown); a push that makes a batch and wakes nobody (push); a panic that is noted after its batch is
//! lost (panic). Of routes with a spool: a commit without a sync of the file, or of the folder (loss of
//! power); a commit, or a wake-up, that the reader does not see, and records on disk that are not counted
//! before they are settled (both halves); a passage that forgets that it is closed, or whose answer or end
//! wakes nobody, and one that leaves a frame in two hands (past the disk).

use std::time::Duration;

use loom::{
    sync::{Arc, Mutex},
    thread,
};

use super::{
    Chunk, DropReason, Overflow, Settings,
    limits::Limits,
    outlet::{Outlet, OutletLabel},
    queue::{Next, Queue},
};
use crate::clock;

const NEVER: Duration = Duration::MAX;

fn queue(batch_items: usize) -> Arc<Queue<u32>> {
    Arc::new(plain_queue(batch_items))
}

fn plain_queue(batch_items: usize) -> Queue<u32> {
    let settings = Settings {
        batch_items,
        max_items: 8,
        batch_delay: NEVER,
        overflow: Overflow::DropNewest,
        ..Settings::default()
    };
    Queue::new(Limits::checked(&settings).unwrap())
}

fn push(queue: &Queue<u32>, record: u32) {
    queue.push(&Chunk::from(vec![record]), false);
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

#[test]
fn loom_a_flush_that_waits_for_a_batch_finds_its_panic_and_the_worker_goes_on() {
    loom::model(|| {
        let queue = std::sync::Arc::new(plain_queue(1));
        let worker = thread::spawn({
            let queue = queue.clone();
            move || {
                let label = OutletLabel { name: "model".into(), signal: "numbers" };
                let outlet = Outlet::new(label, queue.clone(), &Settings::default(), None);
                assert!(matches!(queue.next(), Next::Deliver(_)));
                outlet.lose_batch("exporter panicked", format_args!("panicked: in a model"));
                assert_sums(&queue);
                while let Next::Deliver(_) = queue.next() {
                    queue.settle(0, None);
                }
                queue.end();
            }
        });
        push(&queue, 1);
        let ticket = queue.begin_flush(Some(clock::deadline(NEVER)));
        let producer = thread::spawn({
            let queue = queue.clone();
            move || push(&queue, 2)
        });
        assert!(queue.wait_settled(ticket, clock::deadline(NEVER)));
        let report = queue.report("", "");
        assert_eq!((report.panics, report.dropped.get(DropReason::Panic)), (1, 1), "{report}");
        assert!(report.last_error.is_some());
        producer.join().unwrap();
        let ticket = queue.begin_flush(Some(clock::deadline(NEVER)));
        assert!(queue.wait_settled(ticket, clock::deadline(NEVER)));
        assert_eq!(queue.report("", "").delivered, 1);
        queue.close(clock::deadline(NEVER));
        worker.join().unwrap();
    });
}

#[cfg(all(feature = "spool", unix))]
mod spooled {
    //! Routes whose records are on disk, by the parts that their two halves are made of.

    use std::{convert::Infallible, sync::Arc};

    use super::{
        super::{
            Payload, Spool, SpoolHandle, SpoolReader, SpoolSettings, SpoolWriter,
            delivery::Encoded, passage::Passage, spool::ModelDisk,
        },
        *,
    };

    fn open(disk: &ModelDisk) -> (SpoolWriter, SpoolReader) {
        let settings = SpoolSettings { free_floor: Some(0), ..SpoolSettings::default() };
        Spool::on(disk.root(), &settings, "model.1").unwrap()
    }

    fn payload(record: u32) -> Payload {
        let mut payload = Payload::new();
        payload.record(|bytes| bytes.extend_from_slice(&record.to_le_bytes()));
        payload
    }

    fn record(payload: &Payload) -> u32 {
        u32::from_le_bytes(payload.bytes().try_into().unwrap())
    }

    /// As the first half does: one group commit for a batch, and then all of it is settled.
    fn keep(memory: &Queue<u32>, on_disk: &Queue<Infallible>, writer: &mut SpoolWriter) {
        while let Next::Deliver(batch) = memory.next() {
            let appended = batch.iter().try_for_each(|record| writer.append(&payload(*record)));
            // After a loss of power nothing works any more.
            if appended.and_then(|()| writer.sync()).is_err() {
                memory.lose(DropReason::Panic);
                continue;
            }
            on_disk.note_kept(batch.len(), 0);
            memory.settle(0, None);
        }
        memory.end();
    }

    /// As the second half does, until it is closed and the first one has ended.
    fn send(
        memory: &Queue<u32>,
        on_disk: &Queue<Infallible>,
        reader: &mut SpoolReader,
        sent: &Mutex<Vec<u32>>,
    ) {
        loop {
            let is_last = on_disk.closing().is_some() && memory.has_ended();
            let Some(entry) = reader.next() else {
                if is_last {
                    return;
                }
                let _ = reader.wait(clock::deadline(NEVER));
                continue;
            };
            on_disk.lend(1, 4, false);
            sent.lock().unwrap().push(record(&entry.payload));
            on_disk.settle(0, None);
            assert!(!on_disk.take_back());
            reader.done(&entry.position);
        }
    }

    fn of_disk() -> Arc<Queue<Infallible>> {
        let limits = Limits::checked(&Settings::default()).unwrap();
        Arc::new(Queue::of_disk(limits))
    }

    /// Explores longer runs than loom does by itself.
    fn model(run: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.max_branches = 20_000;
        builder.check(run);
    }

    #[test]
    fn loom_what_a_thread_was_promised_survives_a_loss_of_power_while_another_commits() {
        model(|| {
            let (memory, on_disk) = (Arc::new(plain_queue(4)), of_disk());
            let disk = ModelDisk::new(1);
            let (mut writer, _reader) = open(&disk);
            let worker = thread::spawn({
                let memory = memory.clone();
                move || keep(&memory, &on_disk, &mut writer)
            });
            let other = thread::spawn({
                let memory = memory.clone();
                move || {
                    push(&memory, 2);
                    let ticket = memory.begin_flush(Some(clock::deadline(NEVER)));
                    assert!(memory.wait_settled(ticket, clock::deadline(NEVER)));
                }
            });
            push(&memory, 1);
            let ticket = memory.begin_flush(Some(clock::deadline(NEVER)));
            assert!(memory.wait_settled(ticket, clock::deadline(NEVER)));
            disk.lose_all();
            let (_writer, mut reader) = open(&disk);
            let left = std::iter::from_fn(|| reader.next());
            let left: Vec<_> = left.map(|entry| record(&entry.payload)).collect();
            assert!(left.contains(&1), "{left:?}");
            other.join().unwrap();
            memory.close(clock::deadline(NEVER));
            worker.join().unwrap();
        });
    }

    #[test]
    fn loom_a_flush_through_both_halves_returns_when_the_record_is_sent() {
        model(|| {
            let (memory, on_disk) = (Arc::new(plain_queue(4)), of_disk());
            let (mut writer, mut reader) = open(&ModelDisk::new(1));
            let handle = writer.handle();
            let sent = Arc::new(Mutex::new(Vec::new()));
            let first = thread::spawn({
                let (memory, on_disk, handle) = (memory.clone(), on_disk.clone(), handle.clone());
                move || {
                    keep(&memory, &on_disk, &mut writer);
                    handle.wake(); // The second half looks by itself, but time stands still.
                }
            });
            let second = thread::spawn({
                let (memory, on_disk, sent) = (memory.clone(), on_disk.clone(), sent.clone());
                move || send(&memory, &on_disk, &mut reader, &sent)
            });
            push(&memory, 1);
            let ticket = memory.begin_flush(Some(clock::deadline(NEVER)));
            assert!(memory.wait_settled(ticket, clock::deadline(NEVER)));
            let ticket = on_disk.begin_flush(Some(clock::deadline(NEVER)));
            assert!(on_disk.wait_settled(ticket, clock::deadline(NEVER)));
            assert_eq!(*sent.lock().unwrap(), [1]);
            memory.close(clock::deadline(NEVER));
            on_disk.close(clock::deadline(NEVER));
            handle.wake();
            first.join().unwrap();
            second.join().unwrap();
        });
    }

    fn frame(record: u32) -> Encoded {
        Encoded::of(payload(record), 1)
    }

    fn records(frames: &[Encoded]) -> Vec<u32> {
        frames.iter().map(|frame| record(&frame.payload)).collect()
    }

    /// As the first half does when the disk takes nothing.
    fn offer(passage: &Passage, handle: &SpoolHandle, record: u32) -> Vec<u32> {
        passage.offer(frame(record));
        handle.wake();
        records(&passage.wait(|| false))
    }

    #[test]
    fn loom_a_frame_past_the_disk_is_sent_or_comes_back_though_the_sender_ends() {
        model(|| {
            let (passage, on_disk) = (Arc::new(Passage::new()), of_disk());
            let (writer, mut reader) = open(&ModelDisk::new(1));
            let handle = writer.handle();
            let sender = thread::spawn({
                let (passage, on_disk) = (passage.clone(), on_disk.clone());
                move || {
                    let mut sent = Vec::new();
                    while on_disk.closing().is_none() {
                        match passage.take() {
                            Some(frame) => {
                                sent.extend(records(&[frame]));
                                passage.answer(Vec::new());
                            }
                            None => drop(reader.wait(clock::deadline(NEVER))),
                        }
                    }
                    passage.close();
                    sent
                }
            });
            let closer = thread::spawn({
                let handle = handle.clone();
                move || {
                    on_disk.close(clock::deadline(NEVER));
                    handle.wake();
                }
            });
            let mut left = offer(&passage, &handle, 1);
            left.extend(offer(&passage, &handle, 2));
            closer.join().unwrap();
            let mut all = sender.join().unwrap();
            all.extend(left);
            all.sort_unstable();
            assert_eq!(all, [1, 2]);
        });
    }

    #[test]
    fn loom_a_frame_whose_time_is_over_is_in_one_hand() {
        model(|| {
            let passage = Arc::new(Passage::new());
            passage.offer(frame(1));
            let sender = thread::spawn({
                let passage = passage.clone();
                move || {
                    let taken = passage.take();
                    passage.answer(Vec::new());
                    records(&taken.into_iter().collect::<Vec<_>>())
                }
            });
            let left = records(&passage.wait(|| true));
            assert_eq!([left, sender.join().unwrap()].concat(), [1]);
            assert!(passage.take().is_none());
        });
    }
}
