//! Loads that are too large for a backend, and backends that fail again and again.

use super::*;

fn numbers(range: std::ops::Range<u32>) -> Vec<u32> {
    range.collect()
}

/// Refuses what has more than `most` records.
fn at_most(script: &Script, most: usize) -> Vec<u32> {
    let batch = script.batch();
    script.answer(move |batch| match batch.len() > most {
        true => Err(ExportError::too_large("413")),
        false => Ok(()),
    });
    batch
}

#[test]
fn what_is_too_large_is_sent_in_halves_in_order_and_each_record_once() {
    let (pipe, script) = start(settings(8));
    pipe.push(numbers(0..8));
    let sizes: Vec<_> = (0..4).map(|_| at_most(&script, 3)).collect();
    assert_eq!(sizes, [numbers(0..8), numbers(0..4), numbers(0..2), numbers(2..4)]);
    assert_eq!(at_most(&script, 3), numbers(4..7), "a little larger than what was taken");
    drop(script);
    assert!(pipe.flush(LONG));
    let report = pipe.report();
    assert_eq!((report.delivered, report.totals().dropped, report.retries), (8, 0, 0), "{report}");
}

#[test]
fn a_single_record_that_is_too_large_is_rejected_and_holds_back_no_other() {
    let (pipe, script) = start(settings(4));
    pipe.push(numbers(0..4));
    let refused = [numbers(0..4), numbers(0..2), numbers(2..4), vec![2], vec![3]].map(|expected| {
        let batch = script.batch();
        assert_eq!(batch, expected);
        let is_too_large = batch.contains(&2);
        script.answer(move |_| match is_too_large {
            true => Err(ExportError::too_large("413")),
            false => Ok(()),
        });
        is_too_large
    });
    assert_eq!(refused, [true, false, true, true, false]);
    drop(script);
    assert!(pipe.flush(LONG));
    let report = pipe.report();
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (3, 1), "{report}");
}

#[test]
fn a_size_that_was_refused_is_not_tried_again_at_once_and_grows_slowly() {
    let (pipe, script) = start(settings(16));
    pipe.push(numbers(0..16));
    assert_eq!(at_most(&script, 8).len(), 16);
    let sizes = |n: usize| (0..n).map(|_| at_most(&script, 8).len()).collect::<Vec<_>>();
    assert_eq!(sizes(2), [8, 8]);
    pipe.push(numbers(0..16));
    // One more is tried, and refused.
    assert_eq!(sizes(2), [9, 4]);
    drop(script);
    assert!(pipe.flush(LONG));
    assert_eq!(pipe.report().delivered, 32);
}

#[test]
fn a_part_that_is_refused_for_good_costs_that_part_alone() {
    let (pipe, script) = start(settings(4));
    pipe.push(numbers(0..4));
    assert_eq!(at_most(&script, 2), numbers(0..4));
    assert_eq!(script.batch(), numbers(0..2));
    script.answer(|_| Err(ExportError::reject("400")));
    assert_eq!(script.batch(), numbers(2..4));
    script.deliver();
    assert!(pipe.flush(LONG));
    let report = pipe.report();
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (2, 2), "{report}");
}

#[test]
fn a_part_that_is_tried_again_keeps_the_parts_behind_it_held() {
    let (pipe, script) = start(settings(4));
    pipe.push(numbers(0..4));
    assert_eq!(at_most(&script, 2), numbers(0..4));
    assert_eq!(script.batch(), numbers(0..2));
    script.answer(|batch| Err(ExportError::retry("503").unsent(batch.skip(1))));
    assert_eq!(script.batch(), [1]);
    let report = pipe.report();
    assert_eq!((report.delivered, report.held), (1, 3), "{report}");
    drop(script);
    assert!(pipe.flush(LONG));
    assert_eq!(pipe.report().delivered, 4);
}

#[test]
fn a_shutdown_at_its_deadline_ends_the_parts_too() {
    let (pipe, script) = start(settings(4));
    pipe.push(numbers(0..4));
    assert_eq!(at_most(&script, 2), numbers(0..4));
    assert_eq!(script.batch(), numbers(0..2));
    let report = pipe.shutdown(Duration::from_millis(50));
    assert_eq!((report.delivered, dropped(&report, DropReason::Shutdown)), (0, 4), "{report}");
    script.deliver();
    // The thread ends by itself; what it delivered too late stays dropped.
    assert!(script.seen.recv_timeout(LONG).is_err());
    assert_eq!(pipe.report().delivered, 0);
}

/// One attempt for each batch, and pauses that only a flush or a shutdown ends.
fn impatient() -> Settings {
    let retry = Retry { initial: LONG * 10, max: LONG * 10, max_elapsed: NONE };
    Settings { retry, ..settings(1) }
}

#[test]
fn after_some_failures_in_a_row_a_batch_waits_before_its_one_probe() {
    let (pipe, script) = start(impatient());
    for n in 0..5 {
        pipe.push(vec![n]);
        assert_eq!(script.batch(), [n], "the breaker is closed");
        script.answer(|_| Err(ExportError::retry("503")));
    }
    pipe.push(vec![5, 6]);
    assert!(script.seen.recv_timeout(Duration::from_millis(100)).is_err(), "the breaker is open");
    assert_eq!(dropped(&pipe.report(), DropReason::RetriesExhausted), 5);
    // A flush asks for the probe; that succeeds, and all else follows at once.
    let ticket = pipe.begin_flush(soon());
    assert_eq!(script.batch(), [5]);
    script.deliver();
    assert_eq!(script.batch(), [6]);
    script.deliver();
    assert!(pipe.wait(ticket, soon()));
    pipe.push(vec![7]);
    assert_eq!(script.batch(), [7], "the breaker is closed again");
    script.deliver();
    assert!(pipe.flush(LONG));
}

#[test]
fn a_flush_at_an_open_breaker_causes_one_attempt_and_no_more() {
    let (pipe, script) = start(impatient());
    for n in 0..5 {
        pipe.push(vec![n]);
        let _ = script.batch();
        script.answer(|_| Err(ExportError::retry("503")));
    }
    pipe.push((5..50).collect::<Vec<_>>());
    let _ = pipe.begin_flush(soon());
    assert_eq!(script.batch(), [5]);
    script.answer(|_| Err(ExportError::retry("503")));
    assert!(script.seen.recv_timeout(Duration::from_millis(100)).is_err());
    let report = pipe.shutdown(Duration::from_millis(100));
    assert!(report.totals().add_up() && report.held == 0, "{report}");
}

#[test]
fn an_answer_of_any_kind_closes_the_breaker() {
    let (pipe, script) = start(impatient());
    for n in 0..9 {
        pipe.push(vec![n]);
        assert_eq!(script.batch(), [n]);
        script.answer(move |_| match n % 3 {
            2 => Err(ExportError::reject("400")),
            _ => Err(ExportError::retry("503")),
        });
    }
    pipe.push(vec![9]);
    assert_eq!(script.batch(), [9]);
    script.deliver();
    assert!(pipe.flush(LONG));
    let report = pipe.report();
    assert_eq!(dropped(&report, DropReason::RetriesExhausted), 6);
    assert_eq!(dropped(&report, DropReason::Rejected), 3);
}

/// Says three things after its last batch.
struct LastWords;

impl Encoder<u32> for LastWords {
    fn encode(&mut self, batch: &Batch<u32>) -> Payload {
        let mut payload = Payload::new();
        for number in batch {
            payload.record(|bytes| bytes.extend_from_slice(format!("{number} ").as_bytes()));
        }
        payload
    }

    fn finish(&mut self) -> Option<Payload> {
        Some(self.encode(&Batch::from(vec![97, 98, 99])))
    }
}

/// Takes one record at a time.
struct Narrow(mpsc::Sender<Vec<u8>>);

impl Sender for Narrow {
    fn send(&mut self, payload: &Payload, _: &Deadline) -> SendResult {
        if payload.len() > 1 {
            return Err(ExportError::too_large("413"));
        }
        let _ = self.0.send(payload.bytes().to_vec());
        Ok(())
    }
}

#[test]
fn what_is_said_after_the_last_batch_is_sent_in_parts_too() {
    let (say, sent) = mpsc::channel();
    let route = Route::wire(LastWords, Narrow(say));
    let pipe = Pipe::start(route.settings(|all| *all = settings(2)), &Setup::default()).unwrap();
    pipe.push(vec![1, 2]);
    let report = pipe.shutdown(LONG);
    assert_eq!((report.offered, report.delivered), (2, 2), "{report}");
    let sent: Vec<_> = sent.iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect();
    assert_eq!(sent.concat(), "1 2 97 98 99 ");
}
