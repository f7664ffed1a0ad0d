//! Spans and logs to a file of SQLite, as rows: a sketch by the public API of bellwether alone.
//!
//! What it has to cope with: a connection that has state and breaks; a batch that is one transaction; a
//! commit of which nobody knows whether it happened; rows that the schema refuses, one by one or all.
//!
//! # The key against doubles
//!
//! A batch may be sent again after it was written: after a time-out, or by the next process, which reads it
//! from the spool. Each record has its key in its own bytes, so that it is the same however the batch was cut
//! meanwhile. A span's key is the span's. A log record has none: it gets the number of its batch, which is
//! drawn once when it is encoded, and its place in it.

mod rows;

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
    path::PathBuf,
    time::Duration,
};

use bellwether::{
    Error,
    export::{Backend, Batch, Deadline, Encoder, ExportError, Payload, Route, Routes, SendResult},
    export::{Sender, Setup},
    log::LogRecord,
    trace::SpanRecord,
};
use rusqlite::{Connection, ErrorCode};
use serde_json::{Map, Value, json};

/// Writes spans and logs to tables of a file.
#[derive(Clone, Debug)]
pub struct Sqlite {
    path: PathBuf,
}

impl Sqlite {
    /// Writes to the file at `path`, which is created with its tables.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl Backend for Sqlite {
    fn routes(self, routes: &mut Routes) {
        routes.add(Route::<SpanRecord>::from(self.clone()));
        routes.add(Route::<LogRecord>::from(self));
    }
}

impl From<Sqlite> for Route<SpanRecord> {
    fn from(sqlite: Sqlite) -> Self {
        Self::wire(Rows::default(), Tables::new(sqlite.path, rows::SPANS))
    }
}

impl From<Sqlite> for Route<LogRecord> {
    fn from(sqlite: Sqlite) -> Self {
        Self::wire(Rows::default(), Tables::new(sqlite.path, rows::LOGS))
    }
}

/// Records as rows: each is a JSON list of the values of its columns, its key first.
#[derive(Debug, Default)]
struct Rows {
    service: String,
}

impl Rows {
    fn begin(&mut self, setup: &Setup) {
        setup.service_name().clone_into(&mut self.service);
    }
}

impl Encoder<SpanRecord> for Rows {
    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        self.begin(setup);
        Ok(())
    }

    fn encode(&mut self, batch: &Batch<SpanRecord>) -> Payload {
        let row = |span: &SpanRecord| {
            json!([
                format!("{}{}", span.trace_id(), span.span_id()),
                self.service,
                span.name(),
                span.start().timestamp().unix_nanos(),
                span.end().timestamp().unix_nanos(),
                format!("{:?}", span.outcome()),
                attributes(span.attributes()),
            ])
        };
        batch.iter().map(|span| row(span).to_string()).collect()
    }

    fn format(&self) -> &str {
        "sqlite.spans.1"
    }
}

impl Encoder<LogRecord> for Rows {
    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        self.begin(setup);
        Ok(())
    }

    fn encode(&mut self, batch: &Batch<LogRecord>) -> Payload {
        let key = random();
        let row = |(place, log): (usize, &LogRecord)| {
            json!([
                format!("{key:032x}{place:08x}"),
                self.service,
                log.severity().to_string(),
                log.time().unix_nanos(),
                log.body().to_string(),
                attributes(log.attributes()),
            ])
        };
        batch.iter().enumerate().map(|each| row(each).to_string()).collect()
    }

    fn format(&self) -> &str {
        "sqlite.logs.1"
    }
}

/// Attributes as one text.
fn attributes(attributes: &[bellwether::label::KeyValue]) -> String {
    let pairs = attributes
        .iter()
        .map(|attribute| (attribute.key.to_string(), Value::String(attribute.value.to_string())));
    Value::Object(pairs.collect::<Map<_, _>>()).to_string()
}

/// A number that no other batch has.
fn random() -> u128 {
    let half = || RandomState::new().build_hasher().finish();
    u128::from(half()) << 64 | u128::from(half())
}

/// Writes rows of one table. It connects when there is something to write, and again after an error.
#[derive(Debug)]
struct Tables {
    path: PathBuf,
    table: rows::Table,
    connection: Option<Connection>,
}

impl Tables {
    fn new(path: PathBuf, table: rows::Table) -> Self {
        Self { path, table, connection: None }
    }

    /// One attempt: all rows in one transaction. How many were refused.
    fn write(&mut self, payload: &Payload, deadline: &Deadline) -> rusqlite::Result<usize> {
        // Nothing ends the wait for a lock when the deadline moves nearer: so it is short.
        let patience = deadline.left().min(Duration::from_millis(100));
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(rows::connect(&self.path, self.table, patience)?),
        };
        connection.busy_timeout(patience)?;
        rows::insert(connection, self.table, payload, deadline)
    }
}

impl Sender for Tables {
    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let error = match self.write(payload, deadline) {
            Ok(0) => return Ok(()),
            Ok(n_refused) => {
                let message = format_args!("{n_refused} rows are none of ours");
                return Err(ExportError::partial(n_refused, message));
            }
            Err(error) => error,
        };
        let message = format!("SQLite at {}: {error}", self.path.display());
        if !may_pass(&error) {
            return Err(ExportError::reject(message));
        }
        // Whatever the connection's state is, the next attempt has a new one.
        if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) {
            self.connection = None;
        }
        Err(ExportError::retry(message))
    }

    fn name(&self) -> &str {
        "sqlite"
    }
}

/// Whether another attempt may do it: the schema and what is no database do not mend themselves.
fn may_pass(error: &rusqlite::Error) -> bool {
    !matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::Unknown // A table or a column that is missing.
                | ErrorCode::NotADatabase
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::TypeMismatch
                | ErrorCode::AuthorizationForStatementDenied
        )
    )
}
