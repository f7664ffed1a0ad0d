//! What a worker waits for between two attempts, and what ends the wait: a flush, a shutdown, a deadline.

use super::*;

#[test]
fn the_first_attempts_of_a_route_wait_for_nothing() {
    let mut slow = settings(1);
    (slow.retry.initial, slow.retry.max) = (LONG * 1_000, LONG * 1_000);
    let (pipe, script) = start(slow);
    for record in 0..3 {
        pipe.push(vec![record]);
        assert_eq!(script.batch(), [record]);
        script.deliver();
    }
}

#[test]
fn a_batch_that_had_its_time_is_dropped() {
    let mut settings = settings(1);
    settings.retry.max_elapsed = NONE;
    let (pipe, script) = start(settings);
    pipe.push(vec![1]);
    script.batch();
    script.answer(|_| Err(ExportError::retry("503")));
    let report = pipe.shutdown(LONG);
    assert_eq!((report.held, dropped(&report, DropReason::RetriesExhausted)), (0, 1));
}

#[test]
fn a_flush_ends_a_backoff_but_not_a_delay_that_was_asked_for() {
    let (exporter, script) = scripted();
    let mut settings = settings(1);
    // An even draw below this is no shorter than a second, but once in 10^15.
    (settings.retry.initial, settings.retry.max) = (LONG * 1_000_000, LONG * 1_000_000);
    settings.retry.max_elapsed = Duration::MAX;
    let pipe = start_with(exporter, settings).unwrap();
    pipe.push(vec![1]);
    script.batch();
    script.answer(|_| Err(ExportError::retry("busy")));
    let ticket = pipe.begin_flush(soon());
    assert_eq!(script.batch(), [1], "tried again at once");
    assert!(!pipe.wait(ticket, real_instant()));
    script.deliver();
    assert!(pipe.flush(LONG));
}

#[test]
fn a_delay_that_was_asked_for_outlasts_a_flush_and_not_a_shutdown() {
    let (pipe, script) = start(settings(1));
    pipe.push(vec![1]);
    script.batch();
    script.answer(|_| Err(ExportError::retry("429").after(LONG * 3)));
    while pipe.report().retries == 0 {
        thread::yield_now();
    }
    assert!(!pipe.flush(Duration::from_millis(20)));
    assert!(script.seen.try_recv().is_err(), "tried again before the backend wanted it");
    let closing = pipe.clone();
    let shutdown = thread::spawn(move || closing.shutdown(LONG));
    assert_eq!(script.batch(), [1]);
    script.deliver();
    let report = shutdown.join().unwrap();
    assert_eq!((report.delivered, report.held), (1, 0));
}

#[test]
fn a_shutdown_delivers_all_that_is_queued() {
    let (pipe, script) = start_busy(settings(10));
    pipe.push((1..=95).collect::<Vec<_>>());
    drop(script); // From now on everything is delivered.
    let report = pipe.shutdown(LONG);
    assert_eq!((report.offered, report.delivered, report.held), (96, 96, 0));
}

#[test]
fn a_hung_exporter_holds_up_neither_flush_nor_shutdown_and_its_late_answer_counts_for_nothing() {
    let leaked = leaked_workers();
    let (pipe, script) = start_busy(settings(10));
    pipe.push(vec![1, 2]);
    let (began, limit) = (real_instant(), Duration::from_millis(100));
    assert!(!pipe.flush(limit));
    let report = pipe.shutdown(limit);
    let took = real_instant() - began;
    assert!(took >= limit * 2 && took < limit * 2 + Duration::from_secs(5), "{took:?}");
    assert_eq!((report.delivered, report.held), (0, 0));
    assert_eq!(dropped(&report, DropReason::Shutdown), 3);
    assert!(leaked_workers() > leaked);

    script.deliver(); // Late.
    assert!(pipe.0.queue.wait_ended(clock::deadline(LONG)));
    let report = pipe.report();
    assert_eq!((report.delivered, dropped(&report, DropReason::Shutdown)), (0, 3));
}

#[test]
fn a_worker_that_waits_for_records_or_its_next_attempt_is_not_told_as_hung() {
    let (idle, _script) = start(settings(1));
    let mut settings = settings(1);
    (settings.retry.initial, settings.retry.max) = (LONG * 1_000_000, LONG * 1_000_000);
    let (failing, script) = start(settings);
    failing.push(vec![1]);
    script.batch();
    script.answer(|_| Err(ExportError::retry("down")));
    while failing.report().retries == 0 {
        thread::yield_now();
    }
    for pipe in [idle, failing] {
        // As a shutdown does whose deadline has come.
        pipe.0.queue.abandon();
        assert!(!pipe.0.queue.leak());
        assert!(pipe.0.queue.wait_ended(clock::deadline(LONG)));
    }
    let (busy, script) = start_busy(self::settings(1));
    busy.0.queue.abandon();
    assert!(busy.0.queue.leak() && !busy.0.queue.leak(), "told once");
    script.deliver();
}

#[test]
fn what_a_backend_put_off_beyond_a_shutdown_costs_no_other_batch() {
    let (pipe, script) = start_busy(settings(1));
    pipe.push((1..=50).collect::<Vec<_>>());
    let later = |_: &Batch<u32>| Err(ExportError::retry("busy").after(LONG * 2));
    script.answer(later);
    script.answer(later); // What the shutdown asks for.
    (0..50).for_each(|_| script.deliver());
    let report = pipe.shutdown(LONG);
    assert_eq!((report.delivered, dropped(&report, DropReason::Shutdown)), (50, 1));
}

#[test]
fn an_exporter_that_flushes_and_fails_is_not_hurried_by_itself() {
    struct Flushes(mpsc::Receiver<Pipe<u32>>, Option<Pipe<u32>>, mpsc::Sender<()>);
    impl Exporter<u32> for Flushes {
        fn export(&mut self, _: &Batch<u32>, _: &Deadline) -> ExportResult<u32> {
            let pipe = self.1.get_or_insert_with(|| self.0.recv().unwrap());
            assert!(!pipe.flush(NONE), "it is held");
            let _ = self.2.send(());
            Err(ExportError::retry("down"))
        }
        fn name(&self) -> &str {
            "flushes"
        }
    }
    let (give, own) = mpsc::channel();
    let (tell, attempts) = mpsc::channel();
    let mut settings = settings(1);
    // The first pause is drawn from so long that the second attempt is not in this test.
    (settings.retry.initial, settings.retry.max) = (LONG * 1_000_000, LONG * 1_000_000);
    let pipe = start_with(Flushes(own, None, tell), settings).unwrap();
    give.send(pipe.clone()).unwrap();
    pipe.push(vec![1]);
    attempts.recv_timeout(LONG).unwrap();
    while pipe.report().retries == 0 {
        thread::yield_now();
    }
    assert!(attempts.recv_timeout(Duration::from_millis(50)).is_err());
    pipe.shutdown(NONE);
}

#[test]
fn a_flush_comes_no_sooner_than_a_backend_asked_for_however_long_the_pause() {
    let mut settings = settings(1);
    (settings.retry.initial, settings.retry.max) = (LONG * 1_000_000, LONG * 1_000_000);
    let (pipe, script) = start(settings);
    pipe.push(vec![1]);
    script.batch();
    let asked = Duration::from_millis(100);
    let began = real_instant();
    script.answer(move |_| Err(ExportError::retry("busy").after(asked)));
    while pipe.report().retries == 0 {
        thread::yield_now();
    }
    let _ = pipe.begin_flush(soon());
    assert_eq!(script.batch(), [1]);
    assert!(real_instant() - began >= asked);
    script.deliver();
}

#[test]
fn a_shutdown_does_not_wait_for_what_a_backend_put_off_beyond_it() {
    let (pipe, script) = start(settings(1));
    pipe.push(vec![1]);
    script.batch();
    let later = |_: &Batch<u32>| Err(ExportError::retry("busy").after(LONG * 2));
    // The attempt, and one more that the shutdown asks for.
    script.answer(later);
    script.answer(later);
    let began = real_instant();
    let report = pipe.shutdown(LONG);
    assert_eq!(dropped(&report, DropReason::Shutdown), 1);
    assert!(real_instant() - began < LONG / 2);
}

#[test]
fn every_late_answer_of_a_hung_exporter_leaves_the_sums_alone() {
    let answers: [Answer; 4] = [
        Box::new(|_| Err(ExportError::retry("late"))),
        Box::new(|batch| Err(ExportError::retry("late").unsent(batch.skip(1)).rejected(1))),
        Box::new(|_| Err(ExportError::reject("late"))),
        Box::new(|_| panic!("late")),
    ];
    for answer in answers {
        let (pipe, script) = start_busy(settings(10));
        let _ = pipe.shutdown(NONE);
        script.answers.send(answer).unwrap();
        assert!(pipe.0.queue.wait_ended(clock::deadline(LONG)));
        let report = pipe.report();
        assert_eq!((report.offered, dropped(&report, DropReason::Shutdown)), (1, 1), "{report}");
    }
}

#[test]
fn a_failing_exporter_is_given_up_at_the_deadline_of_the_shutdown() {
    let mut settings = settings(1);
    (settings.retry.initial, settings.retry.max) = (LONG * 1_000_000, LONG * 1_000_000);
    let (pipe, script) = start(settings);
    pipe.push(vec![1, 2]);
    script.batch();
    script.answer(|_| Err(ExportError::retry("down")));
    // The shutdown may find the worker at the pause or before it: there are a few more attempts.
    for _ in 0..10 {
        script.answer(|_| Err(ExportError::retry("down")));
    }
    let report = pipe.shutdown(Duration::from_millis(50));
    assert_eq!((report.delivered, report.held), (0, 0));
    assert_eq!(dropped(&report, DropReason::Shutdown), 2);
    assert!(pipe.0.queue.wait_ended(clock::deadline(LONG)), "no thread stays behind");
}
