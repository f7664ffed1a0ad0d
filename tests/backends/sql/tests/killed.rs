//! A process that is killed, two that write one file, and a disk that is full.

mod support;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use bellwether::log::{LogRecord, LogSeverity};
use rusqlite::Connection;
use support::{PATIENCE, Scratch, checked, count, open, start};

fn writer(file: &Path, spool: &Path, first: u64, last: Option<u64>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_writer"));
    command.arg(file).arg(spool).arg(first.to_string());
    command.args(last.map(|last| last.to_string()));
    command.stdout(Stdio::piped()).spawn().unwrap()
}

fn is_whole(connection: &Connection) -> bool {
    let answer: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    answer == "ok"
}

/// How often each number is there.
fn numbers(connection: &Connection) -> BTreeMap<i64, i64> {
    let rows =
        support::rows(connection, "SELECT body, count(*) FROM bellwether_logs GROUP BY body");
    let pair = |row: Vec<rusqlite::types::Value>| match &row[..] {
        [rusqlite::types::Value::Text(n), rusqlite::types::Value::Integer(count)] => {
            (n.parse().unwrap(), *count)
        }
        other => panic!("{other:?}"),
    };
    rows.into_iter().map(pair).collect()
}

#[test]
fn of_a_process_that_is_killed_the_file_is_whole_and_each_record_is_there_once() {
    let scratch = Scratch::new();
    let (file, spool) = (scratch.file(), scratch.at("spool"));
    let mut durable = 0;
    for n_lines in [1, 3, 8, 20] {
        let mut child = writer(&file, &spool, durable, None);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..n_lines {
            durable = lines.next().unwrap().unwrap().parse().unwrap();
        }
        child.kill().unwrap();
        // What it had printed before the kill counts, too.
        for line in lines.map_while(Result::ok) {
            durable = line.parse().unwrap();
        }
        child.wait().unwrap();
        if file.exists() {
            assert!(is_whole(&open(&file)));
        }
    }
    let mut child = writer(&file, &spool, durable, Some(durable + 100));
    assert!(child.wait().unwrap().success());
    let connection = open(&file);
    assert!(is_whole(&connection));
    // A number may be there twice if it was recorded twice: by the one that was killed before it said so, and by the
    // next. Its rows have other times then; of what was said to be durable none is missing.
    let numbers = numbers(&connection);
    for n in 0..i64::try_from(durable + 100).unwrap() {
        assert!(numbers.contains_key(&n), "{n} is missing");
    }
    let doubled = "SELECT count(*) FROM (SELECT body, time FROM bellwether_logs GROUP BY body, time HAVING count(*) > 1)";
    assert_eq!(
        support::number(&connection, doubled),
        0,
        "a batch that was sent again is there twice"
    );
}

#[test]
fn two_processes_write_one_file() {
    let scratch = Scratch::new();
    let file = scratch.file();
    let children = [0, 100_000].map(|first| {
        let spool = scratch.at(&format!("spool-{first}"));
        writer(&file, &spool, first, Some(first + 5_000))
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let connection = open(&file);
    assert!(is_whole(&connection));
    let numbers = numbers(&connection);
    assert_eq!(numbers.len(), 10_000);
    assert!(numbers.values().all(|count| *count == 1));
    // Their resources say nothing of the process.
    assert_eq!(count(&connection, "bellwether_resources"), 1);
}

/// A small file system of its own, if this machine lets one be mounted.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success()).then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn what_finds_a_full_disk_is_written_when_there_is_room() {
    let scratch = Scratch::new();
    let folder = scratch.at("small");
    let Some(_disk) = SmallDisk::mount(&folder) else {
        use std::io::Write as _;
        let line = "SKIPPED: a full disk: nothing can be mounted here\n";
        let _ = std::io::stderr().write_all(line.as_bytes());
        return;
    };
    let file = folder.join("telemetry.db");
    let pipe = start::<LogRecord>(bellwether::export::sql::Sql::sqlite(&file));
    pipe.push(vec![LogRecord::new(LogSeverity::INFO, "first")]);
    assert!(pipe.flush(PATIENCE));
    let ballast = folder.join("ballast");
    let room = vec![7; 16 << 10];
    let mut filled = std::fs::File::create(&ballast).unwrap();
    while std::io::Write::write_all(&mut filled, &room).is_ok() {}
    drop(filled);
    let large = "x".repeat(100_000);
    pipe.push(vec![
        LogRecord::new(LogSeverity::INFO, large),
        LogRecord::new(LogSeverity::INFO, "b"),
    ]);
    assert!(!pipe.flush(std::time::Duration::from_millis(500)));
    let report = checked(pipe.report());
    let error = report.last_error.clone().unwrap();
    assert!(report.held == 2 && error.contains("full"), "{report:?}");
    std::fs::remove_file(&ballast).unwrap();
    assert!(pipe.flush(PATIENCE));
    assert_eq!(checked(pipe.shutdown(PATIENCE)).delivered, 3);
    let connection = open(&file);
    assert!(is_whole(&connection));
    assert_eq!(count(&connection, "bellwether_logs"), 3);
}
