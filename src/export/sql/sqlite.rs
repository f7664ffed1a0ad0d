//! SQLite: a file, which a thread of `sqlx` writes.

use std::{path::PathBuf, sync::Arc, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _,
    error::DatabaseError,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
};

use super::{
    conflict,
    dialect::{Doing, Fault, Insert, Link, Server},
    row::Cell,
    table::{Column, Kind, Table, TimeForm},
    values::{self, Statements},
};

/// A file of SQLite's.
#[derive(Debug)]
pub(super) struct DatabaseFile(PathBuf);

impl DatabaseFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// A commit is on disk, whatever happens to the machine, and readers do not wait for it.
    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.0)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE)
            .pragma("cache_size", CACHE)
            .thread_name(|_| "bellwether-sqlite".to_owned())
            // What it logs might come back here.
            .disable_statement_logging()
    }
}

/// In KiB, if it is negative: the pages that a batch touches stay in memory until it is committed. Arbitrary.
const CACHE: &str = "-8192";

/// So long the thread waits for others that write. Nobody waits for the thread: an attempt ends by its deadline.
const PATIENCE: Duration = Duration::from_secs(2);

impl Server for DatabaseFile {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn place(&self) -> String {
        format!("SQLite at {}", self.0.display())
    }

    fn check(&self) -> Result<(), String> {
        match self.0.as_os_str().is_empty() {
            true => Err("the path of SQLite's file is empty".to_owned()),
            false => Ok(()),
        }
    }

    /// What is written to a file that somebody removed is nowhere.
    fn is_there(&self) -> bool {
        self.0.exists()
    }

    fn connect(&self) -> Doing<'_, Box<dyn Link>> {
        Box::pin(async move {
            let connection = self.options().connect().await?;
            let link: Box<dyn Link> =
                Box::new(Opened { connection, statements: Statements::default() });
            Ok(link)
        })
    }

    fn type_of(&self, column: &Column) -> String {
        let word = match column.kind {
            Kind::Int | Kind::Time(TimeForm::Unix(_)) => "INTEGER",
            Kind::Real | Kind::Value => "REAL",
            Kind::Hex(_) | Kind::Text | Kind::Source | Kind::Json => "TEXT",
            Kind::Time(TimeForm::Native) => "TEXT", // As its functions of dates read and write it.
        };
        word.to_owned()
    }

    fn insert(&self, table: Arc<Table>) -> Insert {
        let ending = conflict::clause(self, &table, "max");
        values::insert(self, table, stored, ending)
    }

    fn delete(&self, table: &Table, n: u32) -> String {
        let (name, age) = (self.quoted(&table.name), table.aged());
        let (column, before) = (self.quoted(&age.name), stored(age));
        format!(
            "DELETE FROM {name} WHERE rowid IN (SELECT rowid FROM {name} WHERE {column} < {before} LIMIT {n})"
        )
    }

    /// Constraints, what is too big, and what has another type ("Result and Error Codes" of its documentation): all
    /// else is of the file.
    fn fault(&self, error: &dyn DatabaseError) -> Fault {
        let code: Option<i32> = error.code().and_then(|code| code.parse().ok());
        match code.map(|code| code & 0xff) {
            Some(TOO_BIG | CONSTRAINT | MISMATCH) => Fault::OfRows,
            _ => Fault::OfDatabase,
        }
    }
}

const TOO_BIG: i32 = 18;
const CONSTRAINT: i32 = 19;
const MISMATCH: i32 = 20;

/// What is written for an argument. An instant of the plain table is text that SQLite's functions of dates read.
/// Arguments have no numbers: each would be looked up among all of a statement.
fn stored(column: &Column) -> String {
    match column.kind {
        Kind::Time(TimeForm::Unix(nanos)) => format!("? / {nanos}"),
        Kind::Time(TimeForm::Native) => {
            "(SELECT strftime('%Y-%m-%d %H:%M:%S', t / 1000000000, 'unixepoch') \
             || printf('.%06d', t / 1000 % 1000000) FROM (SELECT ? AS t))"
                .to_owned()
        }
        _ => "?".to_owned(),
    }
}

/// A file that is open.
struct Opened {
    connection: SqliteConnection,
    statements: Statements,
}

impl Link for Opened {
    fn create<'a>(&'a mut self, statements: &'a [String]) -> Doing<'a, ()> {
        Box::pin(async move {
            let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
            for statement in statements {
                sqlx::query(AssertSqlSafe(&**statement)).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        })
    }

    fn number<'a>(&'a mut self, query: &'a str) -> Doing<'a, Option<i64>> {
        Box::pin(async move {
            let number =
                sqlx::query_scalar(AssertSqlSafe(query)).fetch_optional(&mut self.connection);
            Ok(number.await?.flatten())
        })
    }

    fn insert<'a>(&'a mut self, insert: &'a Insert, cells: &'a [Cell<'a>]) -> Doing<'a, ()> {
        Box::pin(async move {
            // At once the one who writes: a transaction that becomes so later may have to begin again.
            let Self { connection, statements } = self;
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            for part in statements.parts(insert, cells) {
                let mut query = sqlx::query(AssertSqlSafe(part.statement.clone()));
                for cell in part.arguments() {
                    query = match cell {
                        Cell::Null => query.bind(None::<i64>),
                        Cell::Int(value) => query.bind(value),
                        Cell::Real(value) => query.bind(value),
                        Cell::Text(text) => query.bind(text),
                    };
                }
                query.execute(&mut *transaction).await?;
            }
            transaction.commit().await
        })
    }

    fn delete<'a>(&'a mut self, statement: &'a str, before: i64) -> Doing<'a, u64> {
        Box::pin(async move {
            let query = sqlx::query(AssertSqlSafe(statement)).bind(before);
            Ok(query.execute(&mut self.connection).await?.rows_affected())
        })
    }

    fn close(self: Box<Self>) -> Doing<'static, ()> {
        Box::pin(self.connection.close())
    }
}
