//! Folders, pipes and readers of files.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use bellwether::{
    export::sql::Sql,
    pipeline::{Pipe, QueueReport, Route, Setup, Signal},
    resource::Resource,
};
use rusqlite::{Connection, types::Value};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A folder of a test alone, which is gone at its end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Relaxed);
        let name = format!("bellwether-sql-{}-{n}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.at("telemetry.db")
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn sql(&self) -> Sql {
        Sql::sqlite(self.file())
    }

    pub(crate) fn open(&self) -> Connection {
        open(&self.file())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn open(file: &Path) -> Connection {
    let connection = Connection::open(file).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    connection
}

pub(crate) fn start<S: Signal>(sql: Sql) -> Pipe<S>
where
    Route<S>: From<Sql>,
{
    started(Route::from(sql))
}

pub(crate) fn started<S: Signal>(route: Route<S>) -> Pipe<S> {
    let route = route.settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry.initial = Duration::from_millis(1);
        settings.retry.max = Duration::from_millis(1);
    });
    let resource = Resource::service("shop").with("host.name", "h1");
    Pipe::start(route, &Setup::new(resource)).unwrap()
}

/// Sends the records, and returns what became of them.
pub(crate) fn sent<S: Signal>(sql: Sql, records: Vec<S>) -> QueueReport
where
    Route<S>: From<Sql>,
{
    let pipe = start(sql);
    pipe.push(records);
    checked(pipe.shutdown(PATIENCE))
}

pub(crate) fn checked(report: QueueReport) -> QueueReport {
    let sum = report.delivered + report.held + report.spooled + report.dropped.total();
    assert_eq!(report.offered, sum, "{report:?}");
    report
}

/// All rows that a query has.
pub(crate) fn rows(connection: &Connection, query: &str) -> Vec<Vec<Value>> {
    let mut statement = connection.prepare(query).unwrap();
    let n = statement.column_count();
    let rows = statement.query_map([], |row| (0..n).map(|place| row.get(place)).collect());
    rows.unwrap().map(Result::unwrap).collect()
}

pub(crate) fn count(connection: &Connection, table: &str) -> i64 {
    number(connection, &format!("SELECT count(*) FROM {table}"))
}

pub(crate) fn number(connection: &Connection, query: &str) -> i64 {
    connection.query_row(query, [], |row| row.get(0)).unwrap()
}

pub(crate) fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

/// The hostile texts of the conformance folder, with their names; none where it is not there, which is said aloud.
pub(crate) fn hostile(what: &str) -> Vec<(String, String)> {
    let Some(folder) = std::env::var_os("BELLWETHER_CONFORMANCE") else {
        use std::io::Write as _;
        // Not `eprintln!`, which is captured: the test would pass in silence.
        let line = format!("SKIPPED: hostile strings, {what}: BELLWETHER_CONFORMANCE is unset\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        return Vec::new();
    };
    let path = Path::new(&folder).join("generated/hostile_strings.json");
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let strings = json["strings"].as_object().unwrap().iter();
    let strings = strings.map(|(name, text)| (name.clone(), text.as_str().unwrap().to_owned()));
    let mut strings: Vec<_> = strings.collect();
    strings.push(("megabyte".to_owned(), "\"\n\\é".repeat(200_000)));
    strings
}
