//! The file of what backends refused for good.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use super::*;

/// A file that is removed at the end.
struct Letters(PathBuf);

impl Letters {
    fn new() -> Self {
        static NUMBERS: AtomicU32 = AtomicU32::new(0);
        let n = NUMBERS.fetch_add(1, Relaxed);
        let name = format!("bellwether-letters-{}-{n}.jsonl", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// The error of each line, how many were refused, and the records.
    fn lines(&self) -> Vec<(String, u64, Vec<String>)> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let line = |line| {
            let mut read: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!((&read["exporter"], &read["signal"]), (&"wire".into(), &"numbers".into()));
            let records = serde_json::from_value(read["records"].take()).unwrap();
            (
                read["error"].as_str().unwrap().to_owned(),
                read["rejected"].as_u64().unwrap(),
                records,
            )
        };
        text.lines().map(line).collect()
    }
}

impl Drop for Letters {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

struct Digits;

impl Encoder<u32> for Digits {
    fn encode(&mut self, batch: &Batch<u32>) -> Payload {
        let mut payload = Payload::new();
        for number in batch {
            payload.record(|bytes| match number {
                0 => {} // What cannot be expressed.
                number => bytes.extend_from_slice(number.to_string().as_bytes()),
            });
        }
        payload
    }
}

struct Refusing(mpsc::Receiver<fn(&Payload) -> SendResult>);

impl Sender for Refusing {
    fn send(&mut self, payload: &Payload, _: &Deadline) -> SendResult {
        self.0.try_recv().map_or(Ok(()), |answer| answer(payload))
    }

    fn name(&self) -> &str {
        "wire"
    }
}

/// The report after four records, to which the backend answers so.
fn refused(file: DeadLetters, answers: &[fn(&Payload) -> SendResult]) -> QueueReport {
    refused_of(vec![1, 2, 3, 4], file, answers)
}

fn refused_of(
    records: Vec<u32>,
    file: DeadLetters,
    answers: &[fn(&Payload) -> SendResult],
) -> QueueReport {
    let (say, given) = mpsc::channel();
    answers.iter().for_each(|answer| say.send(*answer).unwrap());
    let route = Route::wire(Digits, Refusing(given)).settings(|defaults| *defaults = settings(4));
    let pipe = Pipe::start(route.dead_letters(file), &Setup::default()).unwrap();
    pipe.push(records);
    let report = pipe.shutdown(LONG);
    assert!(report.totals().add_up(), "{report}");
    report
}

#[test]
fn what_is_refused_for_good_is_in_the_file_and_what_is_delivered_is_not() {
    let letters = Letters::new();
    let report = refused(
        DeadLetters::new(&letters.0),
        &[
            |_| Err(ExportError::retry("503")),
            |payload| Err(ExportError::reject("400").unsent(payload.skip(2))),
        ],
    );
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (2, 2));
    assert_eq!(letters.lines(), [("400".into(), 2, vec!["3".into(), "4".into()])]);
}

#[test]
fn where_a_backend_does_not_say_which_records_it_refused_all_that_it_got_are_in_the_file() {
    let letters = Letters::new();
    let report =
        refused(DeadLetters::new(&letters.0), &[|_| Err(ExportError::partial(1, "one is odd"))]);
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (3, 1));
    let all = ["1", "2", "3", "4"].map(str::to_owned).to_vec();
    assert_eq!(letters.lines(), [("one is odd".into(), 1, all)]);
}

#[test]
fn where_some_are_refused_and_others_tried_again_the_refused_alone_are_in_the_file() {
    let letters = Letters::new();
    let report = refused(
        DeadLetters::new(&letters.0),
        &[
            |payload| {
                let error =
                    ExportError::retry("2 is odd, 3 is busy").unsent(payload.filter(|at| at == 2));
                Err(error.rejected(1).refused(payload.filter(|at| at == 1)))
            },
            |_| Ok(()),
        ],
    );
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (3, 1));
    assert_eq!(letters.lines(), [("2 is odd, 3 is busy".into(), 1, vec!["2".into()])]);
}

#[test]
fn records_that_cannot_be_expressed_bring_no_others_into_the_file() {
    let letters = Letters::new();
    let refuse: fn(&Payload) -> SendResult = |_| Err(ExportError::partial(2, "not finite"));
    let report = refused_of(vec![0, 2, 0, 4], DeadLetters::new(&letters.0), &[refuse]);
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (2, 2));
    assert_eq!(letters.lines(), []);
    // One more: nobody knows which.
    let report = refused_of(vec![0, 2, 3, 4], DeadLetters::new(&letters.0), &[refuse]);
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (2, 2));
    assert_eq!(letters.lines()[0].2, ["", "2", "3", "4"]);
}

#[test]
fn a_record_that_is_too_large_by_itself_is_in_the_file() {
    let letters = Letters::new();
    let too_large: fn(&Payload) -> SendResult = |payload| match payload.len() {
        1 => Ok(()),
        _ => Err(ExportError::too_large("413")),
    };
    let alone: fn(&Payload) -> SendResult = |_| Err(ExportError::too_large("413"));
    let report = refused(DeadLetters::new(&letters.0), &[too_large, too_large, alone]);
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (3, 1));
    assert_eq!(letters.lines(), [("413".into(), 1, vec!["1".into()])]);
}

#[test]
#[cfg(all(feature = "spool", unix))]
fn a_record_that_is_too_large_for_the_spool_is_in_the_file() {
    struct Large;

    impl Encoder<u32> for Large {
        fn encode(&mut self, batch: &Batch<u32>) -> Payload {
            let length = |number: &u32| if *number == 2 { 2 << 20 } else { 1 };
            batch.iter().map(|number| number.to_string().repeat(length(number))).collect()
        }

        fn format(&self) -> &str {
            "large.1"
        }
    }

    let (letters, folder) = (Letters::new(), spooled::Folder::new());
    let (_say, given) = mpsc::channel();
    let route = Route::wire(Large, Refusing(given)).settings(|defaults| *defaults = settings(3));
    let route = route.spool(folder.spool().max_bytes(1 << 20));
    let route = route.dead_letters(DeadLetters::new(&letters.0));
    let pipe = Pipe::start(route, &Setup::default()).unwrap();
    pipe.push(vec![1, 2, 3]);
    assert!(pipe.flush(LONG));
    let report = pipe.shutdown(LONG);
    assert_eq!((report.delivered, dropped(&report, DropReason::Rejected)), (2, 1), "{report}");
    let lines = letters.lines();
    let [(error, 1, records)] = &lines[..] else { panic!("{} lines", lines.len()) };
    assert_eq!(error, "payload is too large for the spool");
    assert_eq!((records.len(), records[0].len()), (1, 2 << 20));
}

#[test]
fn a_full_file_gets_no_more_and_the_counts_go_on() {
    let letters = Letters::new();
    let file = || DeadLetters::new(&letters.0).max_bytes(200);
    for _ in 0..3 {
        let report = refused(file(), &[|_| Err(ExportError::reject("400"))]);
        assert_eq!(dropped(&report, DropReason::Rejected), 4);
    }
    assert_eq!(letters.lines().len(), 1);
}

#[test]
#[cfg(unix)]
fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let letters = Letters::new();
    refused(DeadLetters::new(&letters.0), &[|_| Err(ExportError::reject("400"))]);
    assert_eq!(fs::metadata(&letters.0).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_exporter_that_encodes_nothing_cannot_have_dead_letters() {
    let (exporter, _script) = scripted();
    let route = route(exporter, settings(1)).dead_letters("never.jsonl");
    let error = Pipe::start(route, &Setup::default()).unwrap_err().to_string();
    assert_eq!(error, r#"exporter "scripted" encodes nothing, so it cannot have dead letters"#);
}

#[test]
fn what_is_no_file_gets_nothing() {
    let letters = Letters::new();
    fs::create_dir(&letters.0).unwrap();
    let report = refused(DeadLetters::new(&letters.0), &[|_| Err(ExportError::reject("400"))]);
    assert_eq!(dropped(&report, DropReason::Rejected), 4);
    fs::remove_dir(&letters.0).unwrap();
}
