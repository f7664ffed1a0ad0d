//! Routes whose records are on disk until they are delivered.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use super::*;

/// A folder that is removed at the end.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NUMBERS: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("bellwether-pipe-{}-{}", std::process::id(), NUMBERS.fetch_add(1, Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    pub(super) fn spool(&self) -> SpoolFolder {
        SpoolFolder::new(&self.0).free_bytes(0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Each number as a line.
pub(super) struct Lines;

impl Encoder<u32> for Lines {
    fn encode(&mut self, batch: &Batch<u32>) -> Payload {
        let mut payload = Payload::with_head(*b"lines");
        for number in batch {
            assert_ne!(*number, 13, "cannot be encoded");
            if *number != 14 {
                payload.record(|bytes| bytes.extend_from_slice(format!("{number}\n").as_bytes()));
            }
        }
        payload
    }

    fn format(&self) -> &str {
        "lines.1"
    }
}

type Answer = Box<dyn FnOnce(&Payload) -> SendResult + Send>;

struct Wire {
    sent: mpsc::Sender<String>,
    answers: mpsc::Receiver<Answer>,
}

impl Sender for Wire {
    fn send(&mut self, payload: &Payload, _: &Deadline) -> SendResult {
        assert_eq!(payload.head(), b"lines");
        let text = String::from_utf8_lossy(payload.bytes()).replace('\n', " ");
        let _ = self.sent.send(text.trim_end().to_owned());
        self.answers.recv().map_or(Ok(()), |answer| answer(payload))
    }
}

/// The test's end of a [`Wire`]. When it is dropped, everything is delivered.
pub(super) struct Backend {
    pub(super) pipe: Pipe<u32>,
    pub(super) sent: mpsc::Receiver<String>,
    pub(super) answers: mpsc::Sender<Answer>,
}

pub(super) fn start(spool: SpoolFolder, settings: Settings) -> Backend {
    let (send, sent) = mpsc::channel();
    let (answers, given) = mpsc::channel();
    let route = Route::wire(Lines, Wire { sent: send, answers: given });
    let route = route.settings(|defaults| *defaults = settings).spool(spool);
    let pipe = Pipe::start(route, &Setup::default()).unwrap();
    Backend { pipe, sent, answers }
}

impl Backend {
    pub(super) fn sent(&self) -> String {
        self.sent.recv_timeout(LONG).expect("a payload")
    }

    pub(super) fn answer(&self, answer: impl FnOnce(&Payload) -> SendResult + Send + 'static) {
        self.answers.send(Box::new(answer)).unwrap();
    }

    pub(super) fn report(&self) -> QueueReport {
        let report = self.pipe.report();
        assert!(report.totals().add_up(), "{report}");
        report
    }

    /// Waits until all that was offered is on disk.
    fn keep(&self) {
        let deadline = clock::deadline(LONG);
        let ticket = self.pipe.begin_flush(deadline);
        assert!(self.pipe.wait_kept(ticket, deadline), "{}", self.report());
    }

    /// Waits after a shutdown until both threads have ended, and the folder is free.
    fn await_end(&self) {
        assert!(self.sent.recv_timeout(LONG).is_err(), "nothing more is sent");
        assert!(self.pipe.0.queue.wait_ended(soon()));
    }

    pub(super) fn deliver_all(self) -> QueueReport {
        let Self { pipe, answers, .. } = self;
        drop(answers);
        assert!(pipe.flush(LONG), "{}", pipe.report());
        let report = pipe.report();
        assert!(report.totals().add_up(), "{report}");
        report
    }
}

#[test]
fn what_is_on_disk_is_spooled_until_it_is_delivered_and_not_held_in_memory() {
    let folder = Folder::new();
    let backend = start(folder.spool(), settings(2));
    assert!(backend.pipe.has_spool());
    backend.pipe.push(vec![1, 2, 3]);
    backend.keep();
    assert_eq!(backend.sent(), "1 2");
    let report = backend.report();
    assert_eq!((report.held, report.spooled, report.delivered), (0, 3, 0), "{report}");
    backend.answer(|_| Ok(()));
    assert_eq!(backend.sent(), "3");
    let report = backend.report();
    assert_eq!((report.held, report.spooled, report.delivered), (0, 1, 2), "{report}");
    let report = backend.deliver_all();
    assert_eq!((report.offered, report.delivered, report.spooled), (3, 3, 0), "{report}");
}

#[test]
fn a_flush_waits_for_the_backend_and_says_what_is_on_disk_if_that_is_away() {
    let folder = Folder::new();
    let backend = start(folder.spool(), settings(1));
    backend.pipe.push(vec![1]);
    assert!(!backend.pipe.flush(Duration::from_millis(50)));
    backend.keep();
    assert_eq!(backend.report().spooled, 1);
    assert_eq!(backend.sent(), "1");
    backend.answer(|_| Err(ExportError::retry("503")));
    assert_eq!(backend.sent(), "1", "tried again");
    assert_eq!(backend.deliver_all().delivered, 1);
}

#[test]
fn what_a_process_leaves_the_next_one_delivers_first_and_counts_apart() {
    let folder = Folder::new();
    let first = start(folder.spool(), settings(2));
    first.pipe.push(vec![1, 2, 3, 4]);
    first.keep();
    assert_eq!(first.sent(), "1 2");
    let report = first.pipe.shutdown(Duration::from_millis(50));
    assert_eq!((report.offered, report.held, report.spooled), (4, 0, 4), "{report}");
    assert!(report.totals().add_up() && report.dropped.total() == 0, "{report}");
    first.answer(|_| Err(ExportError::retry("too late")));
    first.await_end();

    let second = start(folder.spool(), settings(2));
    second.pipe.push(vec![5]);
    second.keep();
    for expected in ["1 2", "3 4", "5"] {
        assert_eq!(second.sent(), expected);
        second.answer(|_| Ok(()));
    }
    let report = second.deliver_all();
    assert_eq!((report.offered, report.inherited, report.delivered), (5, 4, 5), "{report}");
    let third = start(folder.spool(), settings(2));
    assert!(third.sent.recv_timeout(Duration::from_millis(50)).is_err(), "nothing is sent twice");
}

/// As another process does that writes a number to the folder, and ends.
fn leave(folder: &Folder, number: u32) {
    let (mut writer, _reader) = Spool::open(&folder.0, folder.spool().settings, "lines.1").unwrap();
    writer.append(&Lines.encode(&vec![number].into())).unwrap();
    writer.sync().unwrap();
}

#[test]
fn what_another_process_leaves_is_sent_though_there_is_always_something_to_send() {
    let folder = Folder::new();
    let mut spool = folder.spool();
    spool.adopts_every = NONE;
    let backend = start(spool, settings(1));
    backend.pipe.push(vec![1, 2]);
    backend.keep();
    assert_eq!(backend.sent(), "1");
    leave(&folder, 9);
    backend.answer(|_| Ok(()));
    assert_eq!(backend.sent(), "9");
    backend.answer(|_| Ok(()));
    assert_eq!(backend.sent(), "2");
    let report = backend.deliver_all();
    assert_eq!((report.delivered, report.inherited), (3, 1), "{report}");
}

#[test]
fn what_another_process_leaves_meanwhile_is_looked_for_only_once_in_a_while() {
    let folder = Folder::new();
    let backend = start(folder.spool(), settings(1));
    leave(&folder, 9);
    backend.pipe.push(vec![1]);
    assert_eq!(backend.sent(), "1");
    backend.answer(|_| Ok(()));
    let report = backend.pipe.shutdown(LONG);
    assert_eq!((report.delivered, report.inherited), (1, 0), "{report}");
    let next = start(folder.spool(), settings(1));
    assert_eq!(next.sent(), "9");
    assert_eq!(next.deliver_all().inherited, 1);
}

#[test]
fn a_shutdown_keeps_what_was_never_attempted_and_sends_what_it_can() {
    let folder = Folder::new();
    let backend = start(folder.spool(), settings(100));
    backend.pipe.push((0..10).filter(|n| *n != 13).collect::<Vec<_>>());
    backend.answer(|_| Ok(()));
    let begin = real_instant();
    let report = backend.pipe.shutdown(LONG);
    assert_eq!((report.delivered, report.spooled, report.dropped.total()), (10, 0, 0), "{report}");
    assert!(real_instant() - begin < LONG, "it does not wait any longer");
}

#[test]
fn what_the_backend_refuses_is_dropped_and_holds_back_nothing() {
    let folder = Folder::new();
    let backend = start(folder.spool(), settings(2));
    backend.pipe.push(vec![1, 2, 3, 4]);
    assert_eq!(backend.sent(), "1 2");
    backend.answer(|_| Err(ExportError::reject("400")));
    assert_eq!(backend.sent(), "3 4");
    backend.answer(|_| Err(ExportError::too_large("413")));
    assert_eq!(backend.sent(), "3");
    backend.answer(|_| Ok(()));
    assert_eq!(backend.sent(), "4");
    let report = backend.deliver_all();
    assert_eq!((report.delivered, report.dropped.get(DropReason::Rejected)), (2, 2), "{report}");
}

#[test]
fn a_panic_while_sending_costs_the_payload_alone() {
    let folder = Folder::new();
    let backend = start(folder.spool(), settings(1));
    backend.pipe.push(vec![1, 2]);
    assert_eq!(backend.sent(), "1");
    backend.answer(|_| panic!("cannot send"));
    assert_eq!(backend.sent(), "2");
    let report = backend.deliver_all();
    assert_eq!((report.delivered, report.dropped.get(DropReason::Panic)), (1, 1), "{report}");
    let next = start(folder.spool(), settings(1));
    assert!(next.sent.recv_timeout(Duration::from_millis(50)).is_err());
}

#[test]
fn a_panic_while_encoding_costs_the_batch_and_the_worker_goes_on() {
    let folder = Folder::new();
    let backend = start(folder.spool(), settings(1));
    backend.pipe.push(vec![13]);
    backend.keep();
    backend.pipe.push(vec![1]);
    assert_eq!(backend.sent(), "1");
    let report = backend.deliver_all();
    assert_eq!((report.delivered, report.dropped.get(DropReason::Panic)), (1, 1), "{report}");
    assert_eq!((report.panics, &*report.name, report.signal), (1, "Wire", "numbers"));
    assert!(report.last_error.unwrap().contains("cannot be encoded"));
}

#[test]
fn beyond_the_quota_the_oldest_go_and_every_record_is_counted() {
    let folder = Folder::new();
    let backend = start(folder.spool().max_bytes(8 << 10), settings(8));
    for n in 0..200u32 {
        backend.pipe.push((0..8).map(|i| 100_000 + n * 8 + i).collect::<Vec<_>>());
        backend.keep();
        let _ = backend.report();
    }
    let report = backend.report();
    let full = report.dropped.get(DropReason::SpoolFull);
    assert!(full > 0 && report.dropped.total() == full, "{report}");
    assert_eq!(report.spooled + full, 1600, "{report}");
    let report = backend.deliver_all();
    assert_eq!(report.delivered + report.dropped.total(), 1600, "{report}");
    assert!(report.delivered > 0);
}

#[test]
fn a_flush_does_not_wait_for_what_the_quota_dropped() {
    let folder = Folder::new();
    let backend = start(folder.spool().max_bytes(8 << 10), settings(64));
    backend.pipe.push((0..64).map(|n| n + 100).collect::<Vec<_>>());
    backend.keep();
    assert!(backend.sent().starts_with("100 101"));
    // In the sender's hands while its segment is dropped.
    for n in 0..100u32 {
        backend.pipe.push((0..64).map(|i| 1_000 + n * 64 + i).collect::<Vec<_>>());
        backend.keep();
    }
    let report = backend.deliver_all();
    assert_eq!((report.held, report.spooled), (0, 0), "{report}");
}

#[test]
fn an_exporter_that_encodes_nothing_cannot_have_a_spool() {
    let folder = Folder::new();
    let (exporter, _script) = scripted();
    let error = Pipe::start(Route::new(exporter).spool(folder.spool()), &Setup::default());
    let error = error.unwrap_err().to_string();
    assert_eq!(error, r#"exporter "scripted" encodes nothing, so it cannot have a spool"#);
    assert!(!folder.0.exists());
}

#[test]
fn a_folder_for_all_routes_has_one_for_each_that_is_encoded_and_has_none() {
    let below = SpoolFolder::new("/all").max_bytes(12_345);
    let wired = || {
        let (sent, answers) = (mpsc::channel().0, mpsc::channel().1);
        Route::wire(Lines, Wire { sent, answers }).named("backend")
    };
    let kept = |route: Route<u32>| {
        let spool = route.kept_below(&below).settings.spool?;
        Some((spool.path.to_str()?.to_owned(), spool.settings.max_bytes))
    };
    assert_eq!(kept(wired()), Some(("/all/numbers-backend".to_owned(), 12_345)));
    let own = wired().spool(SpoolFolder::new("/own").max_bytes(54_321));
    assert_eq!(kept(own), Some(("/own".to_owned(), 54_321)));
    assert_eq!(kept(Route::new(scripted().0)), None);
}

#[test]
fn a_folder_that_cannot_be_used_is_an_error_of_the_start() {
    let folder = Folder::new();
    fs::write(&folder.0, "a file").unwrap();
    let (sent, answers) = (mpsc::channel().0, mpsc::channel().1);
    let route = Route::wire(Lines, Wire { sent, answers }).spool(folder.spool());
    let error = Pipe::start(route, &Setup::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains(folder.0.to_str().unwrap()), "{error}");
    fs::remove_file(&folder.0).unwrap();
}

#[test]
fn threads_that_offer_while_everything_moves_never_see_sums_that_do_not_add_up() {
    let folder = Folder::new();
    let backend = start(folder.spool(), settings(16));
    let Backend { pipe, answers, .. } = backend;
    drop(answers);
    let producers: Vec<_> = (0..4)
        .map(|_| {
            let pipe = pipe.clone();
            thread::spawn(move || {
                for n in 0..300u32 {
                    pipe.push(vec![n + 100; 7]);
                    let report = pipe.report();
                    assert!(report.totals().add_up(), "{report}");
                }
            })
        })
        .collect();
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    assert!(pipe.flush(LONG), "{}", pipe.report());
    assert_eq!(pipe.report().delivered, 4 * 300 * 7);
}

#[test]
fn what_is_lent_after_the_queue_was_abandoned_goes_back_to_the_disk() {
    let queue = Queue::<u32>::of_disk(limits::Limits::checked(&settings(1)).unwrap());
    queue.note_kept(2, 0);
    queue.abandon();
    queue.lend(2, 10, false);
    let delay = retry::Delay { length: NONE, at_least: NONE };
    assert!(!queue.pause(delay, queue.urgency()), "the queue is closed");
    assert!(queue.take_back());
    queue.lend(2, 10, false);
    queue.settle(0, None);
    assert!(!queue.take_back(), "all of it was delivered");
}

#[test]
fn frames_of_another_number_of_records_are_rejected_alone() {
    let folder = Folder::new();
    let backend = start(folder.spool(), settings(1));
    backend.pipe.push(vec![1, 14, 2, 14, 3]);
    backend.keep();
    let report = backend.deliver_all();
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (3, 2), "{report}");
}

#[test]
fn a_flush_is_not_over_while_what_came_before_it_is_in_the_senders_hands() {
    let queue = Queue::<u32>::of_disk(limits::Limits::checked(&settings(1)).unwrap());
    queue.note_kept(100, 0);
    let ticket = queue.begin_flush(None);
    queue.lend(10, 10, false);
    queue.note_kept(20, 110); // The quota drops all that waits, of it twenty that came later.
    assert!(!queue.wait_settled(ticket, real_instant()));
    queue.settle(0, None);
    assert!(queue.wait_settled(ticket, real_instant()));
}

#[test]
fn a_panic_after_the_shutdown_gave_up_leaves_on_disk_what_it_said_is_there() {
    let folder = Folder::new();
    let backend = start(folder.spool(), settings(1));
    backend.pipe.push(vec![1]);
    backend.keep();
    assert_eq!(backend.sent(), "1");
    let report = backend.pipe.shutdown(NONE);
    assert_eq!(report.spooled, 1, "{report}");
    backend.answer(|_| panic!("too late"));
    backend.await_end();
    let next = start(folder.spool(), settings(1));
    assert_eq!(next.sent(), "1");
    next.answer(|_| Ok(()));
    assert_eq!(next.pipe.shutdown(LONG).delivered, 1);
}

#[test]
fn what_comes_to_the_disk_after_a_shutdown_has_dropped_it_is_inherited_like_another_processes() {
    /// Encodes when it may.
    struct Held(mpsc::Sender<()>, mpsc::Receiver<()>);
    impl Encoder<u32> for Held {
        fn encode(&mut self, batch: &Batch<u32>) -> Payload {
            let _ = (self.0.send(()), self.1.recv());
            Lines.encode(batch)
        }

        fn format(&self) -> &str {
            Lines.format()
        }
    }
    let folder = Folder::new();
    let ((began, has_begun), (let_go, held)) = (mpsc::channel(), mpsc::channel());
    let ((sent, _sent), (_answers, given)) = (mpsc::channel(), mpsc::channel());
    let route = Route::wire(Held(began, held), Wire { sent, answers: given });
    let route = route.settings(|defaults| *defaults = settings(3)).spool(folder.spool());
    let pipe = Pipe::start(route, &Setup::default()).unwrap();
    pipe.push(vec![1, 2, 3]);
    has_begun.recv().unwrap();
    let report = pipe.shutdown(NONE);
    assert_eq!((report.offered, dropped(&report, DropReason::Shutdown)), (3, 3), "{report}");
    drop(let_go);
    assert!(pipe.0.queue.wait_ended(soon()));
    let late = pipe.report();
    assert_eq!((late.offered, late.inherited, late.spooled), (6, 3, 3), "{late}");
    assert!(late.totals().add_up(), "{late}");
}

#[test]
fn a_shutdown_that_leaves_records_on_disk_is_not_settled() {
    let folder = Folder::new();
    let backend = start(folder.spool(), settings(1));
    backend.pipe.push(vec![1]);
    backend.keep();
    assert_eq!(backend.sent(), "1");
    let pipes: [Arc<dyn AnyPipe>; 1] = [Arc::new(backend.pipe.clone())];
    assert!(!shutdown(&pipes, NONE).settled);
}
