//! The tables and their rows.

use std::{path::Path, time::Duration};

use bellwether::export::{Deadline, Payload};
use rusqlite::{Connection, ErrorCode, TransactionBehavior, params_from_iter, types::Value};

/// A table: its name, and its columns with the key first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    name: &'static str,
    columns: &'static [&'static str],
}

pub(crate) const SPANS: Table = Table {
    name: "spans",
    columns: &["key", "service", "name", "start_ns", "end_ns", "outcome", "attributes"],
};

pub(crate) const LOGS: Table = Table {
    name: "logs",
    columns: &["key", "service", "severity", "time_ns", "body", "attributes"],
};

/// Opens the file, and creates the table if there is none; waits so long for others that write.
pub(crate) fn connect(
    path: &Path,
    table: Table,
    patience: Duration,
) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(patience)?; // The library's default is seconds.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let Table { name, columns } = table;
    let columns = columns[1..].iter().map(|column| format!(", {column} NOT NULL"));
    let columns: String = columns.collect();
    connection.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS {name} (key TEXT PRIMARY KEY{columns}) WITHOUT ROWID"
    ))?;
    Ok(connection)
}

/// Inserts the records in one transaction, until `deadline`; what is there already stays as it is. Returns how
/// many are no rows of the table.
pub(crate) fn insert(
    connection: &mut Connection,
    table: Table,
    payload: &Payload,
    deadline: &Deadline,
) -> rusqlite::Result<usize> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let places = vec!["?"; table.columns.len()].join(",");
    let mut n_refused = 0;
    {
        let insert = format!(
            "INSERT INTO {} ({}) VALUES ({places}) ON CONFLICT(key) DO NOTHING",
            table.name,
            table.columns.join(",")
        );
        let mut insert = transaction.prepare(&insert)?;
        for record in payload.records() {
            if deadline.is_over() {
                return Err(interrupted());
            }
            let Some(values) = values(record, table) else {
                n_refused += 1;
                continue;
            };
            match insert.execute(params_from_iter(values)) {
                Ok(_) => {}
                // A rule that this row breaks: the others are fine.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                    n_refused += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
    transaction.commit()?;
    Ok(n_refused)
}

/// The values of a record, unless it is no row.
fn values(record: &[u8], table: Table) -> Option<Vec<Value>> {
    let values: Vec<serde_json::Value> = serde_json::from_slice(record).ok()?;
    let value = |value| match value {
        serde_json::Value::String(text) => Some(Value::Text(text)),
        serde_json::Value::Number(number) => {
            Some(number.as_i64().map_or(Value::Real(number.as_f64()?), Value::Integer))
        }
        _ => None,
    };
    let values: Option<Vec<Value>> = values.into_iter().map(value).collect();
    values.filter(|values| values.len() == table.columns.len())
}

fn interrupted() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT);
    rusqlite::Error::SqliteFailure(code, Some("the time of the attempt is over".to_owned()))
}
