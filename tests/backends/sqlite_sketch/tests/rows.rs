//! What is in the file after whatever happened.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bellwether::{
    log::{LogRecord, LogSeverity},
    pipeline::{DropReason, Pipe, QueueReport, Route, Setup, Signal},
    resource::Resource,
    trace::SpanRecord,
};
use bellwether_backend_sqlite_sketch::Sqlite;
use rusqlite::Connection;

const PATIENCE: Duration = Duration::from_secs(20);

/// A folder of this test alone, which is gone at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("bellwether-sqlite-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("telemetry.db")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start<S: Signal>(file: &Path) -> Pipe<S>
where
    Route<S>: From<Sqlite>,
{
    started(Route::from(Sqlite::new(file)))
}

fn started<S: Signal>(route: Route<S>) -> Pipe<S> {
    let route = route.settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry.initial = Duration::from_millis(1);
        settings.retry.max = Duration::from_millis(1);
    });
    Pipe::start(route, &Setup::new(Resource::service("shop"))).unwrap()
}

fn logs(n: usize) -> Vec<LogRecord> {
    (0..n).map(|_| LogRecord::new(LogSeverity::INFO, "paid").with_attribute("cart", 7)).collect()
}

fn count(connection: &Connection, table: &str) -> i64 {
    let ask = format!("SELECT count(*) FROM {table}");
    connection.query_row(&ask, [], |row| row.get(0)).unwrap()
}

fn checked(report: QueueReport) -> QueueReport {
    let sum = report.delivered + report.held + report.spooled + report.dropped.total();
    assert_eq!(report.offered, sum, "{report:?}");
    report
}

#[test]
fn a_record_is_a_row_and_equal_records_are_rows_of_their_own() {
    let scratch = Scratch::new("rows");
    let pipe = start::<LogRecord>(&scratch.file());
    pipe.push(logs(3));
    assert_eq!(checked(pipe.shutdown(PATIENCE)).delivered, 3);
    let pipe = start::<SpanRecord>(&scratch.file());
    pipe.push(["checkout", "pay"].map(SpanRecord::new).to_vec());
    checked(pipe.shutdown(PATIENCE));

    let connection = Connection::open(scratch.file()).unwrap();
    assert_eq!(count(&connection, "logs"), 3);
    let ask = "SELECT service, severity, body, attributes FROM logs";
    let row = connection.query_row(ask, [], |row| {
        Ok([0, 1, 2, 3].map(|place| row.get::<_, String>(place).unwrap()))
    });
    assert_eq!(row.unwrap(), ["shop", "INFO", "paid", r#"{"cart":"7"}"#]);
}

#[test]
fn what_is_sent_again_by_the_next_process_is_in_the_file_once() {
    let scratch = Scratch::new("again");
    let spooled = |name: &str| {
        let route = Route::<LogRecord>::from(Sqlite::new(scratch.file()));
        started(route.named(name).spool(scratch.0.join("spool")))
    };
    // While another one writes, nothing is delivered; all is on disk when the first process ends.
    let other = Connection::open(scratch.file()).unwrap();
    other.execute_batch("PRAGMA journal_mode=WAL; BEGIN IMMEDIATE").unwrap();
    let pipe = spooled("sqlite");
    pipe.push(logs(700));
    let report = checked(pipe.shutdown(Duration::from_millis(500)));
    assert_eq!(
        (report.delivered, report.spooled, report.dropped.total()),
        (0, 700, 0),
        "{report:?}"
    );
    let kept = scratch.0.join("kept");
    copy(&scratch.0.join("spool"), &kept);
    other.execute_batch("COMMIT").unwrap();

    // The next process sends it, and one more does so again: as if the first had died before it knew.
    for _ in 0..2 {
        let pipe = spooled("sqlite");
        let until = std::time::Instant::now() + PATIENCE;
        while pipe.report().delivered < 700 && std::time::Instant::now() < until {
            std::thread::yield_now();
        }
        let report = checked(pipe.shutdown(PATIENCE));
        assert_eq!((report.delivered, report.spooled), (700, 0), "{report:?}");
        assert_eq!(count(&other, "logs"), 700);
        let _ = std::fs::remove_dir_all(scratch.0.join("spool"));
        copy(&kept, &scratch.0.join("spool"));
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(to, mode).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &place),
            false => drop(std::fs::copy(entry.path(), place).unwrap()),
        }
    }
}

#[test]
fn a_busy_file_is_tried_again_until_it_is_free() {
    let scratch = Scratch::new("busy");
    let other = Connection::open(scratch.file()).unwrap();
    other.execute_batch("PRAGMA journal_mode=WAL; BEGIN IMMEDIATE").unwrap();
    let pipe = start::<LogRecord>(&scratch.file());
    pipe.push(logs(2));
    assert!(!pipe.flush(Duration::from_millis(600)));
    let report = checked(pipe.report());
    assert!(report.retries > 0 && report.held == 2, "{report:?}");
    assert!(report.last_error.unwrap().contains("locked"));
    other.execute_batch("COMMIT").unwrap();
    assert!(pipe.flush(PATIENCE));
    assert_eq!((checked(pipe.shutdown(PATIENCE)).delivered, count(&other, "logs")), (2, 2));
}

#[test]
fn a_file_that_went_away_is_made_again() {
    let scratch = Scratch::new("away");
    let pipe = start::<LogRecord>(&scratch.0.join("below").join("telemetry.db"));
    pipe.push(logs(2));
    assert!(!pipe.flush(Duration::from_millis(100)));
    std::fs::create_dir(scratch.0.join("below")).unwrap();
    assert!(pipe.flush(PATIENCE));
    assert_eq!(checked(pipe.shutdown(PATIENCE)).delivered, 2);
}

#[test]
fn another_schema_rejects_all_and_a_rule_of_it_rejects_a_row() {
    let scratch = Scratch::new("schema");
    let other = Connection::open(scratch.file()).unwrap();
    other.execute_batch("CREATE TABLE spans (key TEXT PRIMARY KEY)").unwrap();
    let pipe = start::<SpanRecord>(&scratch.file());
    pipe.push(["checkout", "pay"].map(SpanRecord::new).to_vec());
    assert!(pipe.flush(PATIENCE));
    let report = checked(pipe.shutdown(PATIENCE));
    assert_eq!(report.dropped.get(DropReason::Rejected), 2, "{report:?}");
    assert!(report.last_error.unwrap().contains("no column named service"));

    other
        .execute_batch(
            "CREATE TABLE logs (key TEXT PRIMARY KEY, service, severity CHECK (severity != 'DEBUG'), \
             time_ns, body, attributes)",
        )
        .unwrap();
    let pipe = start::<LogRecord>(&scratch.file());
    let mut records = logs(2);
    records.insert(1, LogRecord::new(LogSeverity::DEBUG, "looked"));
    pipe.push(records);
    assert!(pipe.flush(PATIENCE));
    let report = checked(pipe.shutdown(PATIENCE));
    assert_eq!((report.delivered, report.dropped.get(DropReason::Rejected)), (2, 1));
    assert_eq!(count(&other, "logs"), 2);
}
