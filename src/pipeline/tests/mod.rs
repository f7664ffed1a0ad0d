//! Pipes with exporters that hang, fail, panic and push back, all ordered by channels.

use std::{
    sync::{Arc, Barrier, mpsc},
    thread,
    time::Duration,
};

use super::*;
use crate::clock::real_instant;

mod attempts;
mod cuts;
mod deadlines;
mod failures;
#[cfg(all(feature = "spool", unix))]
mod frames;
#[cfg(all(feature = "spool", unix))]
mod past_the_disk;
mod pauses;
mod priorities;
mod refused;
mod storm;
#[cfg(all(feature = "spool", unix))]
mod spooled;
mod two_steps;

const LONG: Duration = Duration::from_secs(20);
const NONE: Duration = Duration::ZERO;

type Answer = Box<dyn FnOnce(&Batch<u32>) -> ExportResult<u32> + Send>;

/// Shows each batch to the test and does with it what the test says; when the test has let go of its
/// end, everything is delivered.
struct Scripted {
    seen: mpsc::Sender<Vec<u32>>,
    answers: mpsc::Receiver<Answer>,
    name: &'static str,
}

/// The test's end of a [`Scripted`] exporter.
struct Script {
    seen: mpsc::Receiver<Vec<u32>>,
    answers: mpsc::Sender<Answer>,
}

impl Exporter<u32> for Scripted {
    fn export(&mut self, batch: &Batch<u32>, _: &Deadline) -> ExportResult<u32> {
        let _ = self.seen.send(batch.iter().copied().collect());
        match self.answers.recv() {
            Ok(answer) => answer(batch),
            Err(_) => Ok(()),
        }
    }

    fn name(&self) -> &str {
        self.name
    }
}

impl Script {
    /// Waits for the next batch; the exporter then waits for its answer.
    fn batch(&self) -> Vec<u32> {
        self.seen.recv_timeout(LONG).expect("a batch")
    }

    fn answer(&self, answer: impl FnOnce(&Batch<u32>) -> ExportResult<u32> + Send + 'static) {
        self.answers.send(Box::new(answer)).expect("an exporter");
    }

    fn deliver(&self) {
        self.answer(|_| Ok(()));
    }
}

fn scripted() -> (Scripted, Script) {
    let (seen, shown) = mpsc::channel();
    let (say, answers) = mpsc::channel();
    (Scripted { seen, answers, name: "scripted" }, Script { seen: shown, answers: say })
}

/// Batches of `batch_items`; no delay ends by itself within a test.
fn settings(batch_items: usize) -> Settings {
    let retry = Retry { initial: NONE, max: NONE, max_elapsed: LONG * 10 };
    Settings { batch_items, batch_delay: LONG * 10, retry, ..Settings::default() }
}

fn route(exporter: impl Exporter<u32>, settings: Settings) -> Route<u32> {
    Route::new(exporter).settings(|defaults| *defaults = settings)
}

fn start_with(exporter: impl Exporter<u32>, settings: Settings) -> Result<Pipe<u32>, Error> {
    Pipe::start(route(exporter, settings), &Setup::default())
}

/// When a flush gives up that is waited for until something else ends it.
fn soon() -> Instant {
    clock::deadline(LONG)
}

fn start(settings: Settings) -> (Pipe<u32>, Script) {
    let (exporter, script) = scripted();
    (start_with(exporter, settings).unwrap(), script)
}

/// A pipe whose exporter has the record 0 in its hands.
fn start_busy(settings: Settings) -> (Pipe<u32>, Script) {
    let (pipe, script) = start(settings);
    pipe.push(vec![0]);
    let _ = pipe.begin_flush(soon());
    assert_eq!(script.batch(), [0]);
    (pipe, script)
}

fn dropped(report: &QueueReport, reason: DropReason) -> u64 {
    assert!(report.totals().add_up(), "{report}");
    report.dropped.get(reason)
}

#[test]
fn a_full_batch_goes_out_by_itself_and_a_short_one_by_flush() {
    let (pipe, script) = start(settings(3));
    pipe.push(vec![1, 2]);
    pipe.push(vec![3, 4]);
    assert_eq!(script.batch(), [1, 2, 3]);
    script.deliver();
    let flushing = pipe.clone();
    let flush = thread::spawn(move || flushing.flush(LONG));
    assert_eq!(script.batch(), [4]);
    script.deliver();
    assert!(flush.join().unwrap());
    let report = pipe.report();
    assert_eq!((report.offered, report.delivered, report.held), (4, 4, 0));
}

#[test]
fn a_short_batch_goes_out_when_its_delay_is_over() {
    let (pipe, script) = start(Settings { batch_delay: Duration::from_millis(1), ..settings(100) });
    pipe.push(vec![1]);
    assert_eq!(script.batch(), [1]);
    script.deliver();
    assert_eq!(pipe.shutdown(LONG).delivered, 1);
}

#[test]
fn without_a_delay_a_record_goes_out_at_once_and_an_idle_worker_sleeps() {
    let at_once = Settings { batch_delay: NONE, ..settings(100) };
    assert_eq!(limits::Limits::checked(&at_once).unwrap().batch_delay, Duration::MAX);
    let (pipe, script) = start(at_once);
    for record in [1, 2] {
        pipe.push(vec![record]);
        assert_eq!(script.batch(), [record]);
        script.deliver();
    }
}

#[test]
fn heavy_records_go_out_before_the_queue_is_full_of_them() {
    // One part weighs 128 + 8 bytes: two of them are half of the bound.
    let (pipe, script) = start(Settings { max_bytes: 4 * 136, ..settings(100) });
    pipe.push(vec![1]);
    pipe.push(vec![2]);
    assert_eq!(script.batch(), [1, 2]);
    script.deliver();
}

#[test]
fn a_batch_has_no_more_bytes_than_its_limit_but_for_a_single_part() {
    let part = 128 + 8;
    let (pipe, script) = start_busy(Settings { batch_bytes: 2 * part, ..settings(100) });
    (1..=5).for_each(|record| pipe.push(vec![record]));
    pipe.push((6..=9).collect::<Vec<_>>());
    script.deliver();
    let _ = pipe.begin_flush(soon());
    for batch in [&[1, 2][..], &[3, 4], &[5], &[6, 7, 8, 9]] {
        assert_eq!(script.batch(), batch);
        script.deliver();
    }
}

#[test]
fn a_part_that_is_heavier_than_a_batch_is_one() {
    let (pipe, script) = start_busy(Settings { batch_bytes: 100, ..settings(100) });
    pipe.push(vec![1, 2]);
    pipe.push(vec![3]);
    script.deliver();
    let _ = pipe.begin_flush(soon());
    for batch in [&[1, 2][..], &[3]] {
        assert_eq!(script.batch(), batch);
        script.deliver();
    }
}

#[test]
fn a_full_queue_drops_the_newest_and_takes_in_part_what_fits_in_part() {
    let (pipe, script) = start_busy(Settings { max_items: 4, ..settings(4) });
    pipe.push(vec![1, 2]);
    pipe.push(vec![3, 4, 5]);
    pipe.push(vec![6]);
    let report = pipe.report();
    assert_eq!((report.offered, report.held), (7, 4)); // One in flight, three queued.
    assert_eq!(dropped(&report, DropReason::QueueFull), 3);
    script.deliver();
    assert_eq!(script.batch(), [1, 2, 3]);
    script.deliver();
    assert_eq!(pipe.shutdown(LONG).delivered, 4);
}

#[test]
fn a_full_queue_drops_the_oldest_where_the_newest_state_counts() {
    let (pipe, script) =
        start_busy(Settings { max_items: 4, overflow: Overflow::DropOldest, ..settings(4) });
    pipe.push(vec![1, 2]);
    pipe.push(vec![3, 4]);
    pipe.push(vec![5]);
    assert_eq!(dropped(&pipe.report(), DropReason::QueueFull), 2);
    script.deliver();
    assert_eq!(script.batch(), [3, 4, 5]);
    pipe.push((10..20).collect::<Vec<_>>());
    let _ = pipe.begin_flush(soon());
    script.deliver();
    assert_eq!(script.batch(), [19], "three are in flight, so the last one fits");
    script.deliver();
    let report = pipe.shutdown(LONG);
    assert_eq!((report.delivered, dropped(&report, DropReason::QueueFull)), (5, 11));
}

#[test]
fn bytes_are_bounded_with_what_is_in_flight() {
    let part = 128 + 8;
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let (pipe, _script) =
            start_busy(Settings { max_bytes: 3 * part, overflow, ..settings(100) });
        for record in 1..=10 {
            pipe.push(vec![record]);
        }
        let report = pipe.report();
        assert_eq!((report.held, dropped(&report, DropReason::QueueFull)), (3, 8), "{overflow:?}");
        pipe.push((0..64).collect::<Vec<_>>()); // Heavier than the whole queue: evicts nobody.
        assert_eq!(pipe.report().held, 3, "{overflow:?}");
        let report = pipe.shutdown(NONE);
        assert_eq!((report.held, dropped(&report, DropReason::Shutdown)), (0, 3), "{overflow:?}");
    }
}

#[test]
fn what_is_offered_after_the_shutdown_is_dropped_and_counted() {
    let (pipe, script) = start(settings(1));
    drop(script);
    assert_eq!(pipe.shutdown(LONG).offered, 0);
    pipe.push(vec![1, 2, 3]);
    assert!(pipe.flush(LONG), "there is nothing to wait for");
    let report = pipe.shutdown(LONG);
    assert_eq!((report.offered, dropped(&report, DropReason::Shutdown)), (3, 3));
}

#[test]
fn shutdowns_at_the_same_time_all_return() {
    let (pipe, script) = start_busy(settings(10));
    drop(script);
    let barrier = Arc::new(Barrier::new(20));
    let threads: Vec<_> = (0..20)
        .map(|_| {
            let (pipe, barrier) = (pipe.clone(), barrier.clone());
            thread::spawn(move || {
                barrier.wait();
                pipe.push(vec![1]);
                let settled = pipe.flush(LONG);
                (settled, pipe.shutdown(LONG))
            })
        })
        .collect();
    for thread in threads {
        let (settled, report) = thread.join().unwrap();
        assert!(settled && report.held == 0 && report.totals().add_up(), "{report}");
    }
    assert_eq!(pipe.report().offered, 21);
}

#[test]
fn an_exporter_may_push_to_and_flush_and_shut_down_its_own_pipe() {
    struct Echo(mpsc::Receiver<Pipe<u32>>, mpsc::Sender<(bool, QueueReport)>);
    impl Exporter<u32> for Echo {
        fn export(&mut self, batch: &Batch<u32>, _: &Deadline) -> ExportResult<u32> {
            if let Ok(pipe) = self.0.try_recv() {
                pipe.push(batch.iter().map(|record| record + 1).collect::<Vec<_>>());
                let settled = pipe.flush(LONG);
                self.1.send((settled, pipe.shutdown(LONG))).unwrap();
            }
            Ok(())
        }
    }
    let (give, own) = mpsc::channel();
    let (say, said) = mpsc::channel();
    let pipe = start_with(Echo(own, say), settings(1)).unwrap();
    give.send(pipe.clone()).unwrap();
    pipe.push(vec![1]);
    let (settled, report) = said.recv_timeout(LONG).unwrap();
    assert!(!settled);
    assert_eq!((report.offered, report.held), (2, 2));
    let report = pipe.shutdown(LONG);
    assert_eq!((report.offered, report.delivered, report.held), (2, 2, 0));
}

#[test]
fn a_flush_waits_for_what_was_offered_before_it_and_for_nothing_later() {
    let (pipe, script) = start_busy(settings(2));
    pipe.push(vec![1]);
    let ticket = pipe.begin_flush(soon());
    pipe.push(vec![2, 3, 4, 5]);
    script.deliver();
    assert_eq!(script.batch(), [1, 2]);
    assert!(!pipe.wait(ticket, real_instant()));
    script.deliver();
    assert_eq!(script.batch(), [3, 4]);
    assert!(pipe.wait(ticket, real_instant()), "5 is still queued, and later than the ticket");
    assert_eq!(pipe.report().held, 3);
}

#[test]
fn what_comes_after_a_flush_waits_for_its_batch_as_ever() {
    let batch_delay = Duration::from_millis(20);
    let delayed = Settings { batch_delay, ..settings(2) };
    let queue = Queue::<u32>::new(limits::Limits::checked(&delayed).unwrap());
    let next = || match queue.next() {
        queue::Next::Deliver(batch) => batch.len(),
        _ => panic!("a batch"),
    };
    queue.push(&Chunk::from(vec![1]), false);
    let _ = queue.begin_flush(None);
    assert_eq!(next(), 1);
    queue.settle(0, None);
    queue.push(&Chunk::from(vec![2]), false);
    let before = real_instant();
    assert_eq!(next(), 1);
    assert!(real_instant() - before >= batch_delay);
}

#[test]
fn what_is_dropped_for_want_of_room_is_settled() {
    let (pipe, script) =
        start_busy(Settings { max_items: 2, overflow: Overflow::DropOldest, ..settings(2) });
    pipe.push(vec![1]);
    let ticket = pipe.begin_flush(soon());
    pipe.push(vec![2]); // Evicts 1.
    script.deliver();
    assert_eq!(script.batch(), [2]);
    assert!(pipe.wait(ticket, real_instant()));
}

#[test]
fn a_stuck_exporter_holds_back_no_other() {
    let (stuck, _stuck_script) = start_busy(settings(1));
    let (other, other_script) = start(settings(1));
    let chunk = Chunk::from(vec![1, 2]);
    stuck.push(chunk.clone());
    other.push(chunk);
    for record in [1, 2] {
        assert_eq!(other_script.batch(), [record]);
        other_script.deliver();
    }
    let pipes: [Arc<dyn AnyPipe>; 2] = [Arc::new(stuck), Arc::new(other)];
    let deadline = clock::deadline(Duration::from_millis(20));
    let flushes = begin_flush(pipes.iter().map(Arc::as_ref).collect(), deadline);
    assert!(!wait(flushes.into_iter(), deadline));
    assert_eq!((pipes[0].report().held, pipes[1].report().held), (3, 0));
    let report = shutdown(&pipes, Duration::from_millis(20));
    let totals = report.totals();
    assert!(report.settled && totals.add_up());
    assert_eq!((totals.offered, totals.delivered, totals.dropped), (5, 2, 3));
    assert!(report.to_string().ends_with("\noffered=5 delivered=2 held=0 dropped=3"));
}

#[test]
fn a_pipe_that_is_let_go_of_is_emptied_by_its_worker() {
    let (pipe, script) = start(settings(100));
    pipe.push(vec![1, 2]);
    drop(pipe);
    assert_eq!(script.batch(), [1, 2]);
    script.deliver();
    assert!(script.seen.recv_timeout(LONG).is_err(), "the exporter is dropped with its thread");
}

#[test]
fn a_panic_in_the_drop_of_an_exporter_ends_the_worker_all_the_same() {
    struct Bomb;
    impl Exporter<u32> for Bomb {
        fn export(&mut self, _batch: &Batch<u32>, _: &Deadline) -> ExportResult<u32> {
            Ok(())
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let pipe = start_with(Bomb, settings(1)).unwrap();
    pipe.push(vec![1]);
    assert_eq!(pipe.shutdown(LONG).delivered, 1);
    assert!(pipe.0.queue.wait_ended(clock::deadline(NONE)));
}

#[test]
fn the_thread_is_called_after_the_exporter() {
    let (pipe, script) = start(settings(1));
    pipe.push(vec![1]);
    script.batch();
    let (say, said) = mpsc::channel();
    script.answer(move |_| {
        say.send(thread::current().name().map(str::to_owned)).unwrap();
        Ok(())
    });
    assert_eq!(said.recv_timeout(LONG).unwrap().as_deref(), Some("bellwether-scripted"));
}

#[test]
fn a_route_and_its_pipe_are_called_after_the_exporter_unless_the_route_is_named() {
    let unnamed = route(scripted().0, settings(1));
    assert_eq!(unnamed.name(), "scripted");
    let named = unnamed.named("billing");
    assert_eq!(named.name(), "billing");
    let pipe = Pipe::start(named, &Setup::default()).unwrap();
    assert_eq!((pipe.name(), &*pipe.report().name), ("billing", "billing"));
    let any: &dyn AnyPipe = &pipe;
    assert_eq!((any.name(), any.signal(), any.has_spool()), ("billing", "numbers", false));
}

#[test]
fn a_thread_that_cannot_be_started_is_an_error() {
    // A stack larger than the address space.
    let builder = thread::Builder::new().stack_size(1 << 60);
    let error =
        Pipe::start_on(builder, route(scripted().0, settings(1)), &Setup::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.to_string(), r#"the thread of exporter "scripted" cannot be started"#);
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn settings_and_names_that_cannot_be_used_are_errors() {
    for (name, broken) in [
        ("max_items", Settings { max_items: 0, ..settings(1) }),
        ("max_bytes", Settings { max_bytes: 0, ..settings(1) }),
        ("batch_items", settings(0)),
    ] {
        let error = start_with(scripted().0, broken).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert_eq!(error.to_string(), format!("queue setting `{name}` must be at least 1"));
    }
    for name in ["", "a b", "a\0b", "a\nb", "ä"] {
        let exporter = Scripted { name, ..scripted().0 };
        let error = start_with(exporter, settings(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption, "{name:?}");
    }
}

#[test]
fn the_sums_hold_at_every_instant_under_load() {
    let mut settings = settings(7);
    (settings.max_items, settings.batch_delay) = (50, Duration::from_millis(1));
    let mut attempts = 0u32;
    struct Moody<F>(F);
    impl<F: FnMut(&Batch<u32>) -> ExportResult<u32> + Send + 'static> Exporter<u32> for Moody<F> {
        fn export(&mut self, batch: &Batch<u32>, _: &Deadline) -> ExportResult<u32> {
            (self.0)(batch)
        }
    }
    let moody = Moody(move |batch: &Batch<u32>| {
        attempts += 1;
        match attempts % 5 {
            0 => Err(ExportError::retry("busy").unsent(batch.skip(2))),
            1 => Err(ExportError::reject("no").unsent(batch.first(1))),
            2 => panic!("oh"),
            _ => Ok(()),
        }
    });
    let pipe = start_with(moody, settings).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let pipe = pipe.clone();
            thread::spawn(move || {
                for n in 0..300u32 {
                    pipe.push((0..n % 5).collect::<Vec<_>>());
                    assert!(pipe.report().totals().add_up());
                }
                assert!(pipe.flush(LONG));
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(pipe.report().held, 0);
    let report = pipe.shutdown(LONG);
    assert_eq!(report.offered, 4 * 600);
    assert!(report.totals().add_up() && report.held == 0, "{report}");
}
