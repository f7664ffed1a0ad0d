//! Files that are busy, gone, of others, or that refuse a row.

mod support;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use bellwether::{
    log::{LogRecord, LogSeverity},
    pipeline::{DropReason, Pipe, Route},
};
use support::{PATIENCE, Scratch, checked, count, open, rows, sent, start, started, text};

fn logs(n: usize) -> Vec<LogRecord> {
    (0..n).map(|_| LogRecord::new(LogSeverity::INFO, "paid").with_attribute("cart", 7)).collect()
}

#[test]
fn while_others_write_an_attempt_ends_in_time_and_is_made_again() {
    let scratch = Scratch::new();
    assert_eq!(sent(scratch.sql(), logs(1)).delivered, 1);
    let other = scratch.open();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let pipe = start::<LogRecord>(scratch.sql());
    pipe.push(logs(2));
    let begin = Instant::now();
    assert!(!pipe.flush(Duration::from_millis(300)));
    assert!(begin.elapsed() < Duration::from_secs(2), "the flush waited for the file");
    // What SQLite itself says when it waited long enough.
    while !pipe.report().last_error.is_some_and(|error| error.contains("database is locked")) {
        std::thread::yield_now();
    }
    let report = checked(pipe.report());
    assert!(report.retries > 0 && report.held == 2, "{report:?}");
    other.execute_batch("COMMIT").unwrap();
    assert!(pipe.flush(PATIENCE));
    assert_eq!(
        (checked(pipe.shutdown(PATIENCE)).delivered, count(&other, "bellwether_logs")),
        (2, 3)
    );
}

#[test]
fn readers_are_no_hindrance() {
    let scratch = Scratch::new();
    assert_eq!(sent(scratch.sql(), logs(3)).delivered, 3);
    let reader = scratch.open();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(count(&reader, "bellwether_logs"), 3);
    assert_eq!(sent(scratch.sql(), logs(3)).delivered, 3);
    assert_eq!(count(&reader, "bellwether_logs"), 3, "it sees what it saw");
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(count(&reader, "bellwether_logs"), 6);
}

#[test]
fn a_file_is_made_as_soon_as_its_folder_is_there() {
    let scratch = Scratch::new();
    let folder = scratch.at("below");
    let file = folder.join("telemetry.db");
    let pipe = start::<LogRecord>(bellwether::export::sql::Sql::sqlite(&file));
    pipe.push(logs(2));
    assert!(!pipe.flush(Duration::from_millis(100)));
    assert!(pipe.report().last_error.unwrap().contains("unable to open database file"));
    std::fs::create_dir(folder).unwrap();
    assert!(pipe.flush(PATIENCE));
    assert_eq!(checked(pipe.shutdown(PATIENCE)).delivered, 2);
}

#[test]
fn a_file_that_was_removed_is_made_again() {
    let scratch = Scratch::new();
    let pipe = start::<LogRecord>(scratch.sql());
    for _ in 0..2 {
        pipe.push(logs(2));
        assert!(pipe.flush(PATIENCE));
        assert_eq!(count(&scratch.open(), "bellwether_logs"), 2);
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(scratch.at(&format!("telemetry.db{end}")));
        }
    }
    assert_eq!(checked(pipe.shutdown(PATIENCE)).delivered, 4);
}

#[test]
fn what_is_no_database_is_left_as_it_is() {
    let scratch = Scratch::new();
    let content =
        "not a database, though it is long enough to have a header of one hundred bytes".repeat(9);
    std::fs::write(scratch.file(), &content).unwrap();
    let pipe = start::<LogRecord>(scratch.sql());
    pipe.push(logs(2));
    assert!(!pipe.flush(Duration::from_millis(200)));
    let report = checked(pipe.report());
    assert!(report.last_error.unwrap().contains("file is not a database"));
    assert_eq!(std::fs::read_to_string(scratch.file()).unwrap(), content);
    std::fs::remove_file(scratch.file()).unwrap();
    assert!(pipe.flush(PATIENCE));
    checked(pipe.shutdown(PATIENCE));
}

#[test]
fn tables_of_others_are_an_error_before_anything_is_written() {
    let scratch = Scratch::new();
    let file = scratch.open();
    file.execute_batch(
        "CREATE TABLE bellwether_logs (time INTEGER, body TEXT, batch INTEGER, place INTEGER)",
    )
    .unwrap();
    let pipe = start::<LogRecord>(scratch.sql());
    pipe.push(logs(2));
    assert!(!pipe.flush(Duration::from_millis(300)));
    let report = checked(pipe.report());
    let error = report.last_error.clone().unwrap();
    assert!(
        error.contains("the table bellwether_logs is not there, or not as it has to be"),
        "{error}"
    );
    assert!(error.contains("no such column: bellwether_logs.severity"), "{error}");
    assert_eq!(
        (report.held, count(&file, "bellwether_logs"), count(&file, "bellwether_resources")),
        (2, 0, 0)
    );
    // Somebody mends it meanwhile.
    file.execute_batch("DROP TABLE bellwether_logs").unwrap();
    let create = scratch.sql().schema();
    create.iter().for_each(|statement| file.execute_batch(statement).unwrap());
    assert!(pipe.flush(PATIENCE));
    assert_eq!(
        (checked(pipe.shutdown(PATIENCE)).delivered, count(&file, "bellwether_logs")),
        (2, 2)
    );
}

#[test]
fn tables_that_are_not_there_and_tables_of_a_newer_version_are_named() {
    let scratch = Scratch::new();
    let says = |pipe: &Pipe<LogRecord>, what: &str| {
        pipe.push(logs(1));
        assert!(!pipe.flush(Duration::from_millis(300)));
        let error = pipe.report().last_error.unwrap();
        assert!(error.contains(what), "{error}");
    };
    let pipe = start(scratch.sql().use_tables());
    says(&pipe, "`create_tables` makes it");
    says(&pipe, "no such table: bellwether_schema");
    drop(pipe);
    assert_eq!(sent(scratch.sql(), logs(1)).delivered, 1);
    let file = scratch.open();
    file.execute_batch("INSERT INTO bellwether_schema VALUES (2)").unwrap();
    let pipe = start(scratch.sql());
    says(
        &pipe,
        "the tables are of version 2, says bellwether_schema; this program knows them up to 1",
    );
    file.execute_batch("DELETE FROM bellwether_schema WHERE version = 2").unwrap();
    assert!(pipe.flush(PATIENCE));
    assert_eq!(checked(pipe.shutdown(PATIENCE)).delivered, 1);
}

#[test]
fn a_row_that_the_file_refuses_loses_no_other() {
    let scratch = Scratch::new();
    assert_eq!(sent(scratch.sql(), logs(1)).delivered, 1);
    let file = scratch.open();
    file.execute_batch(
        "CREATE TRIGGER no_secrets BEFORE INSERT ON bellwether_logs WHEN NEW.body LIKE '%secret%' \
         BEGIN SELECT RAISE(ABORT, 'a secret'); END",
    )
    .unwrap();
    let bodies = (0..3_000).map(|n| match n % 1_000 {
        7 => format!("the secret {n}"),
        _ => format!("the record {n}"),
    });
    let records = bodies.map(|body| LogRecord::new(LogSeverity::INFO, body)).collect();
    let report = sent(scratch.sql(), records);
    assert_eq!((report.delivered, report.dropped.get(DropReason::Rejected)), (2_997, 3));
    assert!(report.last_error.unwrap().contains("a secret"));
    assert_eq!(count(&file, "bellwether_logs"), 1 + 2_997);
    assert_eq!(
        rows(
            &file,
            "SELECT DISTINCT substr(body, 1, 10) FROM bellwether_logs WHERE body != 'paid'"
        ),
        [[text("the record")]]
    );
}

#[test]
fn what_is_sent_again_by_the_next_process_is_there_once() {
    let scratch = Scratch::new();
    let spooled = || {
        let route = Route::<LogRecord>::from(scratch.sql());
        started(route.spool(scratch.at("spool")))
    };
    assert_eq!(sent(scratch.sql(), logs(1)).delivered, 1);
    // While another one writes, nothing is delivered; all is on disk when the first process ends.
    let other = scratch.open();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let pipe = spooled();
    pipe.push(logs(700));
    let report = checked(pipe.shutdown(Duration::from_millis(500)));
    assert_eq!((report.delivered, report.spooled), (0, 700), "{report:?}");
    copy(&scratch.at("spool"), &scratch.at("kept"));
    other.execute_batch("COMMIT").unwrap();
    // The next process sends it, and one more does so again: as if the first had died before it knew.
    for _ in 0..2 {
        let pipe = spooled();
        let until = Instant::now() + PATIENCE;
        while pipe.report().delivered < 700 && Instant::now() < until {
            std::thread::yield_now();
        }
        let report = checked(pipe.shutdown(PATIENCE));
        assert_eq!((report.delivered, report.spooled), (700, 0), "{report:?}");
        assert_eq!(count(&open(&scratch.file()), "bellwether_logs"), 701);
        std::fs::remove_dir_all(scratch.at("spool")).unwrap();
        copy(&scratch.at("kept"), &scratch.at("spool"));
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
