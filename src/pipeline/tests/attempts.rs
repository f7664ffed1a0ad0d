//! What is known of attempts: in reports, and to whoever watches a route.

use super::*;
use AttemptOutcome::{Delivered, Interrupted, Rejected, Retry as Again, TooLarge};

/// A pipe of numbers whose attempts are seen.
fn start_watched(settings: Settings) -> (Pipe<u32>, Script, mpsc::Receiver<Attempted>) {
    let (exporter, script) = scripted();
    let (say, attempts) = mpsc::channel();
    let watched = route(exporter, settings).watched(Arc::new(move |attempted| {
        let _ = say.send(attempted);
    }));
    (Pipe::start(watched, &Setup::default()).unwrap(), script, attempts)
}

fn outcomes(attempts: &mpsc::Receiver<Attempted>) -> Vec<(AttemptOutcome, usize)> {
    attempts.try_iter().map(|attempt| (attempt.outcome, attempt.n_records)).collect()
}

#[test]
fn each_attempt_is_seen_with_its_outcome_and_its_records() {
    let (pipe, script, attempts) = start_watched(settings(4));
    pipe.push(vec![1, 2, 3, 4]);
    script.batch();
    script.answer(|_| Err(ExportError::too_large("413")));
    script.batch();
    script.answer(|batch| Err(ExportError::retry("503").unsent(batch.skip(1))));
    script.batch();
    script.deliver();
    script.batch();
    script.answer(|_| Err(ExportError::reject("400")));
    pipe.shutdown(LONG);
    assert_eq!(outcomes(&attempts), [(TooLarge, 4), (Again, 2), (Delivered, 1), (Rejected, 2)]);
}

#[test]
fn an_attempt_that_a_flush_ended_says_nothing_about_the_backend() {
    struct Slow;
    impl Exporter<u32> for Slow {
        fn export(&mut self, _: &Batch<u32>, deadline: &Deadline) -> ExportResult<u32> {
            while !deadline.is_over() {
                thread::yield_now();
            }
            Err(ExportError::retry("too slow"))
        }
    }
    let (say, attempts) = mpsc::channel();
    let watch: Watch = Arc::new(move |attempted| {
        let _ = say.send(attempted);
    });
    let pipe = Pipe::start(route(Slow, settings(1)).watched(watch), &Setup::default()).unwrap();
    pipe.push(vec![1]);
    assert!(!pipe.flush(Duration::from_millis(60)));
    let first = attempts.recv_timeout(LONG).unwrap();
    assert_eq!((first.outcome, first.n_records), (Interrupted, 1));
    assert!(first.took < Duration::from_secs(10));
    assert_eq!(pipe.report().failures_in_a_row, 0);
    pipe.shutdown(NONE);
}

#[test]
fn a_report_counts_attempts_failures_in_a_row_and_when_one_succeeded_last() {
    let (pipe, script, _attempts) = start_watched(settings(1));
    let figures = || {
        let report = pipe.report();
        (report.attempts, report.failures_in_a_row, report.last_delivery.is_some())
    };
    assert_eq!(figures(), (0, 0, false));
    pipe.push(vec![1]);
    script.batch();
    script.answer(|_| Err(ExportError::retry("503")));
    script.batch();
    script.answer(|_| Err(ExportError::retry("503")));
    script.batch();
    assert_eq!(figures(), (2, 2, false));
    script.deliver();
    assert!(pipe.flush(LONG));
    assert_eq!(figures(), (3, 0, true));
}

#[test]
fn panics_of_exporters_and_processors_are_counted() {
    let (exporter, script) = scripted();
    let picky = route(exporter, settings(1)).process(|numbers: &mut Vec<u32>| {
        assert_ne!(numbers[0], 1, "cannot redact");
    });
    let pipe = Pipe::start(picky, &Setup::default()).unwrap();
    pipe.push(vec![1]);
    pipe.push(vec![2]);
    script.batch();
    script.answer(|_| panic!("out of cheese"));
    let report = pipe.shutdown(LONG);
    assert_eq!((report.panics, dropped(&report, DropReason::Panic)), (2, 2));
}

#[test]
fn a_report_says_where_its_exporter_sends_to() {
    struct Somewhere;
    impl Exporter<u32> for Somewhere {
        fn export(&mut self, _: &Batch<u32>, _: &Deadline) -> ExportResult<u32> {
            Ok(())
        }

        fn destination(&self) -> Option<String> {
            Some("somewhere".to_owned())
        }
    }
    let pipe = start_with(Somewhere, settings(1)).unwrap();
    assert_eq!(pipe.report().destination.as_deref(), Some("somewhere"));
}

#[test]
fn a_report_says_how_full_its_queue_is() {
    let (pipe, script) = start_busy(Settings { max_items: 7, max_bytes: 999, ..settings(1) });
    pipe.push(vec![1, 2]);
    let report = pipe.report();
    assert_eq!((report.held, report.max_items, report.max_bytes), (3, 7, 999));
    assert!(report.held_bytes >= 3 * size_of::<u32>() && report.held_bytes <= 999);
    drop(script);
    assert!(pipe.flush(LONG));
    assert_eq!(pipe.report().held_bytes, 0);
}
