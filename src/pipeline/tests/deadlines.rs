//! The deadline of an attempt: what it is, and what moves it nearer.

use super::*;

/// Shows the deadline of each attempt to the test, and waits for it to be over.
struct Patient(mpsc::Sender<Deadline>);

impl Exporter<u32> for Patient {
    fn export(&mut self, _: &Batch<u32>, deadline: &Deadline) -> ExportResult<u32> {
        let _ = self.0.send(deadline.clone());
        while !deadline.is_over() {
            thread::yield_now();
        }
        Err(ExportError::retry("timed out"))
    }
}

fn start_patient(attempt_timeout: Duration) -> (Pipe<u32>, mpsc::Receiver<Deadline>) {
    let (show, shown) = mpsc::channel();
    let settings = Settings { attempt_timeout, ..settings(1) };
    (start_with(Patient(show), settings).unwrap(), shown)
}

#[test]
fn an_attempt_has_the_time_of_the_settings() {
    let (pipe, shown) = start_patient(LONG * 3);
    let before = real_instant();
    pipe.push(vec![1]);
    let at = shown.recv_timeout(LONG).unwrap().instant();
    assert!(at >= before + LONG * 3 && at <= real_instant() + LONG * 3);
}

#[test]
fn a_flush_ends_the_attempt_shortly_before_it_returns_and_the_record_is_held() {
    let (pipe, shown) = start_patient(LONG * 3);
    pipe.push(vec![1]);
    let deadline = shown.recv_timeout(LONG).unwrap();
    let flush = real_instant() + Duration::from_millis(60);
    let ticket = pipe.begin_flush(flush);
    assert!(deadline.instant() < flush && !pipe.wait(ticket, flush));
    assert!(deadline.is_over());
    // No second attempt was begun for the flush that had the first.
    while pipe.report().retries == 0 {
        thread::yield_now();
    }
    assert_eq!((pipe.report().held, pipe.report().delivered), (1, 0));
}

#[test]
fn an_attempt_ends_with_the_first_of_several_flushes() {
    let (pipe, shown) = start_patient(LONG * 3);
    let (first, second) = (real_instant() + LONG, real_instant() + LONG * 2);
    pipe.push(vec![1]);
    let deadline = shown.recv_timeout(LONG).unwrap();
    for (flush, end) in [(second, second), (first, first), (second, first)] {
        let _ = pipe.begin_flush(flush);
        let at = deadline.instant();
        assert!(at < end && at > end - Duration::from_secs(1));
    }
    deadline.bring_nearer(real_instant());
}

#[test]
fn a_flush_that_is_over_leaves_the_next_attempt_its_time() {
    let (pipe, shown) = start_patient(LONG * 3);
    pipe.push(vec![1]);
    let flush = real_instant() + Duration::from_millis(40);
    let ticket = pipe.begin_flush(flush);
    shown.recv_timeout(LONG).unwrap();
    assert!(!pipe.wait(ticket, flush));
    let later = shown.recv_timeout(LONG).unwrap();
    assert!(later.instant() > real_instant() + LONG);
    later.bring_nearer(real_instant());
}

#[test]
fn a_flush_that_is_over_takes_no_other_with_it() {
    let queue = Queue::<u32>::new(limits::Limits::checked(&settings(2)).unwrap());
    queue.push(&Chunk::from(vec![1]), false);
    let (first, second) = (real_instant() + LONG, real_instant() + LONG * 2);
    let _ = (queue.begin_flush(Some(first)), queue.begin_flush(Some(second)));
    let ends = || queue.begin_attempt(LONG * 3, true).instant();
    assert!(ends() < first);
    queue.end_flush(first);
    assert!(first < ends() && ends() < second);
    queue.end_flush(second);
    assert!(second < ends());
}

#[test]
fn an_attempt_has_half_of_the_time_if_little_is_left() {
    let queue = Queue::<u32>::new(limits::Limits::checked(&settings(2)).unwrap());
    let (before, little) = (real_instant(), Duration::from_millis(20));
    queue.close(before + little);
    let at = queue.begin_attempt(LONG, true).instant();
    assert!(at >= before + little / 2 && at <= before + little);
}

#[test]
fn a_shutdown_ends_the_attempt_in_time_and_leaves_no_thread_behind() {
    let (pipe, shown) = start_patient(LONG * 3);
    pipe.push(vec![1]);
    let deadline = shown.recv_timeout(LONG).unwrap();
    let report = pipe.shutdown(Duration::from_millis(400));
    assert!(deadline.is_over());
    assert_eq!((report.held, dropped(&report, DropReason::Shutdown)), (0, 1));
    assert!(pipe.0.queue.wait_ended(real_instant()), "the worker was given up");
}

#[test]
fn of_two_attempts_in_a_row_flushes_end_one_at_most() {
    let (pipe, shown) = start_patient(LONG * 3);
    pipe.push(vec![1]);
    let flush = || {
        let deadline = real_instant() + Duration::from_millis(40);
        let ticket = pipe.begin_flush(deadline);
        assert!(!pipe.wait(ticket, deadline));
    };
    let first = shown.recv_timeout(LONG).unwrap();
    flush();
    assert!(first.is_over());
    let second = shown.recv_timeout(LONG).unwrap();
    flush();
    assert!(second.left() > LONG, "it was ended too");
    second.bring_nearer(real_instant());
    let third = shown.recv_timeout(LONG).unwrap();
    flush();
    assert!(third.left() > LONG || third.is_over());
    assert_eq!(pipe.report().held, 1);
    third.bring_nearer(real_instant());
}

#[test]
fn an_attempt_that_a_flush_ended_is_not_the_only_one_of_a_batch_that_has_one() {
    let (show, shown) = mpsc::channel();
    let mut once = Settings { attempt_timeout: LONG * 3, ..settings(1) };
    once.retry.max_elapsed = NONE;
    let pipe = start_with(Patient(show), once).unwrap();
    pipe.push(vec![1]);
    shown.recv_timeout(LONG).unwrap();
    let deadline = real_instant() + Duration::from_millis(40);
    let ticket = pipe.begin_flush(deadline);
    assert!(!pipe.wait(ticket, deadline));
    let second = shown.recv_timeout(LONG).unwrap();
    assert_eq!(pipe.report().held, 1);
    second.bring_nearer(real_instant());
}
