//! Exporters that panic, reject or miscount.

use super::*;

#[test]
fn a_panic_costs_one_batch_and_the_worker_goes_on() {
    let (pipe, script) = start(settings(2));
    for round in 0..100 {
        pipe.push(vec![round, round]);
        assert_eq!(script.batch(), [round, round]);
        if round % 2 == 0 {
            script.answer(|_| panic!("out of\ncheese"));
        } else {
            script.deliver();
        }
    }
    let report = pipe.shutdown(LONG);
    assert_eq!((report.delivered, dropped(&report, DropReason::Panic)), (100, 100));
    assert_eq!(report.last_error.as_deref(), Some("panicked: out of\ncheese"));
    assert_eq!(report.to_string().lines().count(), 1);
}

#[test]
fn a_panic_with_a_payload_that_panics_in_its_drop_is_survived() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("again");
        }
    }
    let (pipe, script) = start(settings(1));
    pipe.push(vec![1]);
    script.batch();
    script.answer(|_| std::panic::panic_any(Bomb));
    pipe.push(vec![2]);
    assert_eq!(script.batch(), [2]);
    script.deliver();
    let report = pipe.shutdown(LONG);
    assert_eq!((report.delivered, dropped(&report, DropReason::Panic)), (1, 1));
}

#[test]
fn only_the_unsent_records_are_sent_again() {
    let (pipe, script) = start(settings(4));
    pipe.push(vec![1, 2, 3, 4]);
    script.batch();
    script.answer(|batch| {
        Err(ExportError::retry("half").unsent(batch.filter(|record| record % 2 == 0)))
    });
    assert_eq!(script.batch(), [2, 4]);
    let report = pipe.report();
    assert_eq!((report.delivered, report.held, report.retries), (2, 2, 1));
    // One of the two is refused for good, the other not yet taken.
    script.answer(|batch| Err(ExportError::retry("one").unsent(batch.skip(1)).rejected(1)));
    assert_eq!(script.batch(), [4]);
    script.deliver();
    let report = pipe.shutdown(LONG);
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (3, 1));
}

#[test]
fn a_panic_costs_only_what_was_unsent() {
    let (pipe, script) = start(settings(3));
    pipe.push(vec![1, 2, 3]);
    script.batch();
    script.answer(|batch| Err(ExportError::retry("busy").unsent(batch.skip(2))));
    assert_eq!(script.batch(), [3]);
    script.answer(|_| panic!("now"));
    let report = pipe.shutdown(LONG);
    assert_eq!((report.delivered, dropped(&report, DropReason::Panic)), (2, 1));
}

#[test]
fn what_is_rejected_is_dropped_and_the_rest_delivered() {
    let (pipe, script) = start(settings(3));
    pipe.push(vec![1, 2, 3]);
    script.batch();
    script.answer(|batch| Err(ExportError::reject("too large").unsent(batch.first(1))));
    pipe.push(vec![4, 5, 6]);
    script.batch();
    script.answer(|_| Err(ExportError::reject("400")));
    let report = pipe.shutdown(LONG);
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (2, 4));
    assert_eq!(report.last_error.as_deref(), Some("400"));
}

#[test]
fn an_exporter_that_miscounts_does_not_break_the_sums() {
    let (pipe, script) = start(settings(2));
    pipe.push(vec![1, 2]);
    script.batch();
    script.answer(|_| {
        Err(ExportError::retry("more than it got").unsent(vec![7; 50].into()).rejected(usize::MAX))
    });
    assert_eq!(script.batch(), [7, 7]);
    assert_eq!(pipe.report().held, 2);
    script.answer(|_| Err(ExportError::reject("x").unsent(vec![7].into()).rejected(9)));
    let report = pipe.shutdown(LONG);
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (0, 2));
}
