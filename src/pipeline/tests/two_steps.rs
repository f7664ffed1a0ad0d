//! Exporters that encode and send, and processors on a route.

use super::*;
use crate::sync::atomic::{AtomicUsize, Ordering::Relaxed};

type SendAnswer = Box<dyn FnOnce(&Payload) -> SendResult + Send>;

/// Encodes each number as a line, and counts the calls of `encode`.
struct Lines {
    n_encoded: mpsc::Sender<usize>,
}

impl Encoder<u32> for Lines {
    fn encode(&mut self, batch: &Batch<u32>) -> Payload {
        let _ = self.n_encoded.send(batch.len());
        let mut payload = Payload::new();
        for number in batch.iter().filter(|&&number| number != 13) {
            payload.record(|bytes| bytes.extend_from_slice(format!("{number}\n").as_bytes()));
        }
        payload
    }
}

/// Sends as the test says.
struct Scripted {
    sent: mpsc::Sender<Vec<u8>>,
    answers: mpsc::Receiver<SendAnswer>,
}

impl Sender for Scripted {
    fn send(&mut self, payload: &Payload, _: &Deadline) -> SendResult {
        let _ = self.sent.send(payload.bytes().to_vec());
        self.answers.recv().map_or(Ok(()), |answer| answer(payload))
    }
}

struct Ends {
    pipe: Pipe<u32>,
    n_encoded: mpsc::Receiver<usize>,
    sent: mpsc::Receiver<Vec<u8>>,
    answers: mpsc::Sender<SendAnswer>,
}

fn start_lines(batch_items: usize) -> Ends {
    let (encode, n_encoded) = mpsc::channel();
    let (send, sent) = mpsc::channel();
    let (answers, given) = mpsc::channel();
    let route = Route::wire(Lines { n_encoded: encode }, Scripted { sent: send, answers: given });
    let route = route.settings(|defaults| *defaults = settings(batch_items));
    let pipe = Pipe::start(route, &Setup::default()).unwrap();
    Ends { pipe, n_encoded, sent, answers }
}

impl Ends {
    fn answer(&self, answer: impl FnOnce(&Payload) -> SendResult + Send + 'static) {
        self.answers.send(Box::new(answer)).unwrap();
    }

    fn sent(&self) -> String {
        String::from_utf8(self.sent.recv_timeout(LONG).unwrap()).unwrap()
    }
}

#[test]
fn a_batch_is_encoded_once_and_only_what_is_unsent_is_sent_again() {
    let ends = start_lines(4);
    ends.pipe.push(vec![1, 2, 3, 4]);
    assert_eq!(ends.sent(), "1\n2\n3\n4\n");
    ends.answer(|payload| Err(ExportError::retry("503").unsent(payload.skip(1))));
    assert_eq!(ends.sent(), "2\n3\n4\n");
    ends.answer(|payload| {
        let odd = payload.filter(|place| place % 2 == 0);
        Err(ExportError::retry("partial").unsent(odd).rejected(1))
    });
    assert_eq!(ends.sent(), "2\n4\n");
    ends.answer(|_| Ok(()));
    assert!(ends.pipe.flush(LONG));
    let report = ends.pipe.report();
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (3, 1));
    assert_eq!((report.attempts, report.bytes_sent), (3, 4));
    assert_eq!(ends.n_encoded.try_iter().collect::<Vec<_>>(), [4]);
}

#[test]
fn a_payload_of_another_number_of_records_is_rejected_and_named() {
    let ends = start_lines(2);
    ends.pipe.push(vec![1, 13]);
    ends.pipe.push(vec![2, 3]);
    assert_eq!(ends.sent(), "2\n3\n");
    ends.answer(|_| Ok(()));
    assert!(ends.pipe.flush(LONG));
    let report = ends.pipe.report();
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (2, 2));
    assert_eq!(report.last_error.unwrap(), "2 records were encoded as 1");
}

#[test]
fn the_processors_of_a_route_change_and_remove_records_in_order() {
    let (exporter, script) = scripted();
    let route = route(exporter, settings(4))
        .process(|numbers: &mut Vec<u32>| numbers.retain(|number| number % 2 == 0))
        .process(|numbers: &mut Vec<u32>| numbers.iter_mut().for_each(|number| *number *= 10))
        .process(|numbers: &mut Vec<u32>| numbers.extend([7; 9]));
    let pipe = Pipe::start(route, &Setup::default()).unwrap();
    pipe.push(vec![1, 2, 3, 4]);
    assert_eq!(script.batch(), [20, 40], "what is added is not sent");
    script.deliver();
    pipe.push(vec![1, 3, 5, 7]);
    assert!(pipe.flush(LONG));
    let report = pipe.report();
    assert_eq!((report.delivered, dropped(&report, DropReason::Filtered)), (2, 6));
}

#[test]
fn nothing_is_attempted_with_a_batch_of_which_the_processors_leave_nothing() {
    let (exporter, script) = scripted();
    let route = route(exporter, settings(4)).filter(|number| *number > 4);
    let pipe = Pipe::start(route, &Setup::default()).unwrap();
    pipe.push(vec![1, 2, 3, 4]);
    pipe.push(vec![5, 6, 7, 8]);
    assert_eq!(script.batch(), [5, 6, 7, 8]);
    script.deliver();
    assert!(pipe.flush(LONG));
    let report = pipe.report();
    assert_eq!((report.attempts, dropped(&report, DropReason::Filtered)), (1, 4));
}

#[test]
fn a_filter_of_a_route_takes_its_turn_and_counts_what_it_removes() {
    let (exporter, script) = scripted();
    let route = route(exporter, settings(4))
        .process(|numbers: &mut Vec<u32>| numbers.iter_mut().for_each(|number| *number += 1))
        .filter(|number| number % 2 == 0)
        .filter(|number| *number != 4);
    let pipe = Pipe::start(route, &Setup::default()).unwrap();
    pipe.push(vec![1, 2, 3, 5]);
    assert_eq!(script.batch(), [2, 6]);
    script.deliver();
    assert!(pipe.flush(LONG));
    let report = pipe.report();
    assert_eq!((report.delivered, dropped(&report, DropReason::Filtered)), (2, 2));
}

#[test]
fn a_processor_that_panics_costs_its_batch_and_nothing_is_sent_of_it() {
    let (exporter, script) = scripted();
    let route = route(exporter, settings(1)).process(|numbers: &mut Vec<u32>| {
        assert_ne!(numbers[0], 1, "cannot redact");
    });
    let pipe = Pipe::start(route, &Setup::default()).unwrap();
    pipe.push(vec![1]);
    pipe.push(vec![2]);
    assert_eq!(script.batch(), [2]);
    script.deliver();
    assert!(pipe.flush(LONG));
    let report = pipe.report();
    assert_eq!((report.delivered, dropped(&report, DropReason::Panic)), (1, 1));
    let error = report.last_error.unwrap();
    assert!(
        error.starts_with("a processor panicked: ") && error.contains("cannot redact"),
        "{error}"
    );
}

#[test]
fn an_exporter_is_told_who_speaks_and_may_refuse_to_start() {
    struct Picky;
    impl Exporter<u32> for Picky {
        fn start(&mut self, setup: &Setup) -> Result<(), Error> {
            let message = format!("not for {:?}", setup.service_name());
            Err(Error::new(ErrorKind::InvalidOption, message))
        }

        fn export(&mut self, _: &Batch<u32>, _: &Deadline) -> ExportResult<u32> {
            Ok(())
        }
    }
    let setup = Setup::new(crate::resource::Resource::service("shop"));
    let error = Pipe::start(Route::new(Picky), &setup).unwrap_err();
    assert_eq!(error.to_string(), r#"not for "shop""#);
}

/// Encodes nothing but what is to be said at the end.
struct Farewell {
    n_asked: Arc<AtomicUsize>,
}

impl Encoder<u32> for Farewell {
    fn encode(&mut self, batch: &Batch<u32>) -> Payload {
        let mut payload = Payload::new();
        batch.iter().for_each(|number| payload.record(|bytes| bytes.push(*number as u8)));
        payload
    }

    fn finish(&mut self) -> Option<Payload> {
        self.n_asked.fetch_add(1, Relaxed);
        let mut payload = Payload::new();
        payload.record(|bytes| bytes.extend_from_slice(b"bye"));
        Some(payload)
    }
}

#[test]
fn what_is_left_to_be_said_is_sent_after_the_last_batch_tried_again_and_not_counted() {
    let (send, sent) = mpsc::channel();
    let (answers, given) = mpsc::channel::<SendAnswer>();
    let n_asked = Arc::new(AtomicUsize::new(0));
    let encoder = Farewell { n_asked: n_asked.clone() };
    let route = Route::wire(encoder, Scripted { sent: send, answers: given });
    let route = route.settings(|defaults| *defaults = settings(8));
    let pipe = Pipe::start(route, &Setup::default()).unwrap();
    pipe.push(vec![1, 2]);
    answers.send(Box::new(|_| Ok(()))).unwrap();
    answers.send(Box::new(|_| Err(ExportError::retry("503")))).unwrap();
    answers.send(Box::new(|_| Ok(()))).unwrap();
    let report = pipe.shutdown(LONG);
    assert_eq!((report.offered, report.delivered, report.held), (2, 2, 0));
    assert!(report.totals().add_up());
    assert_eq!(sent.try_iter().collect::<Vec<_>>(), [&[1, 2][..], b"bye", b"bye"]);
    pipe.shutdown(LONG);
    assert_eq!(n_asked.load(Relaxed), 1);
}
