//! Routes with a spool whose disk takes nothing.

use super::{
    spooled::{Backend, Folder, Lines, start},
    *,
};

/// A spool whose disk takes nothing.
fn full(folder: &Folder) -> SpoolFolder {
    SpoolFolder::new(&folder.0).free_bytes(u64::MAX)
}

#[test]
fn what_a_full_disk_does_not_take_is_sent_past_it() {
    let folder = Folder::new();
    let backend = start(full(&folder), settings(2));
    for n in 0..50 {
        backend.pipe.push(vec![100 + n, 200 + n, 300 + n]);
        let _ = backend.report();
    }
    let report = backend.deliver_all();
    assert_eq!((report.delivered, report.spooled, report.held), (150, 0, 0), "{report}");
    let spool = report.spool.unwrap();
    assert!(spool.passed == 150 && spool.failed_writes > 0, "{spool:?}");
}

#[test]
fn what_neither_disk_nor_backend_takes_is_held_and_delivered_once_the_backend_is_back() {
    let folder = Folder::new();
    let backend = start(full(&folder), settings(2));
    backend.pipe.push(vec![1, 2, 3]);
    assert_eq!(backend.sent(), "1 2");
    let report = backend.report();
    assert_eq!((report.held, report.spooled), (3, 0), "{report}");
    assert_eq!(report.held_bytes, 128 + 3 * 8, "as they weigh in memory");
    backend.answer(|payload| Err(ExportError::retry("503").unsent(payload.skip(1)).rejected(0)));
    // Its sender gave the rest back, and gets it again from the half that writes.
    assert_eq!(backend.sent(), "2");
    assert_eq!(backend.report().retries, 2, "by each of the two halves");
    backend.answer(|_| Err(ExportError::reject("400")));
    assert_eq!(backend.sent(), "3");
    let report = backend.deliver_all();
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (2, 1), "{report}");
}

#[test]
fn a_panic_while_sending_past_the_disk_costs_the_frame_alone() {
    let folder = Folder::new();
    let backend = start(full(&folder), settings(1));
    backend.pipe.push(vec![1, 2]);
    assert_eq!(backend.sent(), "1");
    backend.answer(|_| panic!("cannot send"));
    assert_eq!(backend.sent(), "2");
    let report = backend.deliver_all();
    assert_eq!((report.delivered, report.dropped.get(DropReason::Panic)), (1, 1), "{report}");
}

#[test]
fn a_shutdown_while_a_frame_goes_past_the_disk_ends_in_time_and_drops_what_was_not_sent() {
    let folder = Folder::new();
    let backend = start(full(&folder), settings(1));
    backend.pipe.push(vec![1, 2]);
    assert_eq!(backend.sent(), "1");
    let report = backend.pipe.shutdown(Duration::from_millis(50));
    assert!(report.totals().add_up(), "{report}");
    assert_eq!((report.held, dropped(&report, DropReason::Shutdown)), (0, 2), "{report}");
    backend.answer(|_| Ok(()));
    assert!(backend.sent.recv_timeout(LONG).is_err(), "the thread has ended");
}

#[test]
fn what_goes_past_the_disk_while_a_shutdown_gives_up_is_counted_once() {
    for _ in 0..20 {
        let folder = Folder::new();
        let backend = start(full(&folder), settings(1));
        backend.pipe.push(vec![1, 2, 3]);
        assert_eq!(backend.sent(), "1");
        let Backend { pipe, answers, sent } = backend;
        // The answer comes while, before or after the shutdown gives up.
        let answer = thread::spawn(move || {
            let _ = answers.send(Box::new(|_| Ok(())));
            answers
        });
        let report = pipe.shutdown(Duration::from_millis(1));
        assert!(report.totals().add_up() && report.held == 0, "{report}");
        drop((answer.join().unwrap(), sent));
        // By then what was sent is counted by both halves.
        assert!(pipe.0.queue.wait_ended(soon()));
        let late = pipe.report();
        assert!(late.totals().add_up() && late.offered == 3, "{late}");
        assert_eq!(late.delivered + late.dropped.total(), 3, "{late}");
    }
}

#[test]
fn a_pause_that_the_backend_asked_for_holds_past_the_disk_too() {
    let folder = Folder::new();
    let backend = start(full(&folder), settings(1));
    backend.pipe.push(vec![1]);
    assert_eq!(backend.sent(), "1");
    backend.answer(|_| Err(ExportError::retry("429").after(Duration::from_secs(60))));
    // The half that writes tries again and again, without a pause.
    assert!(backend.sent.recv_timeout(Duration::from_millis(100)).is_err());
    let report = backend.pipe.shutdown(NONE);
    assert_eq!((report.attempts, dropped(&report, DropReason::Shutdown)), (1, 1), "{report}");
}

#[test]
fn a_wait_for_the_disk_that_is_over_shortens_no_later_attempt_past_it() {
    /// Says how long each attempt may take, and ends it when the test says so.
    struct Timed(mpsc::Sender<Duration>, mpsc::Receiver<()>);
    impl Sender for Timed {
        fn send(&mut self, _: &Payload, deadline: &Deadline) -> SendResult {
            let _ = self.0.send(deadline.left());
            let _ = self.1.recv();
            Ok(())
        }
    }
    let folder = Folder::new();
    let (say, left) = mpsc::channel();
    let (end, ends) = mpsc::channel();
    let patient = Settings { attempt_timeout: LONG * 10, ..settings(1) };
    let route = Route::wire(Lines, Timed(say, ends)).settings(|defaults| *defaults = patient);
    let pipe = Pipe::start(route.spool(full(&folder)), &Setup::default()).unwrap();
    pipe.push(vec![1]);
    assert!(left.recv_timeout(LONG).unwrap() > LONG);
    let deadline = soon();
    let ticket = pipe.begin_flush(deadline);
    end.send(()).unwrap();
    assert!(pipe.wait_kept(ticket, deadline), "{}", pipe.report());
    pipe.push(vec![2]);
    assert!(left.recv_timeout(LONG).unwrap() > LONG);
    drop(end);
    assert_eq!(pipe.shutdown(LONG).delivered, 2);
}

#[test]
fn what_went_past_the_disk_is_counted_by_whoever_had_it_in_memory() {
    let queue = Queue::<u32>::of_disk(limits::Limits::checked(&settings(1)).unwrap());
    let pass = |is_ours| {
        queue.lend_past(3, 10);
        queue.settle(0, Some((DropReason::Rejected, 1)));
        let passed = queue.take_passed();
        queue.begin_passed(passed.n_records());
        let ticket = queue.begin_flush(None);
        assert!(!queue.wait_settled(ticket, real_instant()), "it is not counted yet");
        queue.note_passed(&passed, is_ours);
        assert!(queue.wait_settled(ticket, real_instant()));
        let report = queue.report("", "");
        (report.delivered, report.dropped.total(), queue.kept().n_passed)
    };
    assert_eq!(pass(false), (0, 0, 0), "it was dropped, and counted as that");
    assert_eq!(pass(true), (2, 1, 3));
}
