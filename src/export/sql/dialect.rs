//! What differs between databases: how they are reached, what they call things, and what their errors mean.

use std::{
    fmt::{self, Write as _},
    pin::Pin,
    sync::Arc,
};

use sqlx::{Error, error::DatabaseError};

use super::{
    row::Cell,
    table::{Column, Table},
};

/// Work with a database.
pub(super) type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + 'a>>;

/// A database that is written to: where it is, and how it is spoken to.
pub(super) trait Server: fmt::Debug + Send + Sync {
    /// The name of its routes.
    fn name(&self) -> &'static str;

    /// Where it is, for people; without secrets.
    fn place(&self) -> String;

    /// What is wrong with how it is given, as far as that is known without it.
    fn check(&self) -> Result<(), String>;

    /// Whether a connection of before may still lead to it.
    fn is_there(&self) -> bool {
        true
    }

    fn connect(&self) -> Doing<'_, Box<dyn Link>>;

    /// A name as the database reads it, whatever is in it.
    fn quoted(&self, name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    /// The type of a column.
    fn type_of(&self, column: &Column) -> String;

    /// The statements that make a table unless it is there.
    fn create(&self, table: &Table) -> Vec<String> {
        let name = self.quoted(&table.name);
        let mut statements = vec![format!(
            "CREATE TABLE IF NOT EXISTS {name} (\n{}\n)",
            columns(self, table).join(",\n")
        )];
        statements.extend(table.indexed.iter().map(|column| {
            let index = self.quoted(&format!("{}_{column}", table.name));
            let using = self.index_method(table, column);
            format!("CREATE INDEX IF NOT EXISTS {index} ON {name}{using} ({})", self.quoted(column))
        }));
        statements
    }

    /// What says of which kind the index of a column is, if it is not the usual one.
    fn index_method(&self, table: &Table, column: &str) -> &'static str {
        let _ = (table, column);
        ""
    }

    /// How rows are inserted.
    fn insert(&self, table: Arc<Table>) -> Insert;

    /// The statement that deletes at most so many rows that are older than its argument.
    fn delete(&self, table: &Table, n: u32) -> String;

    /// What is stored in place of `cell`; `None` if the database has nothing for it, and a row without it says
    /// nothing.
    fn stored<'a>(&self, column: &Column, cell: Cell<'a>) -> Option<Cell<'a>> {
        let _ = column;
        Some(cell)
    }

    /// What an error means for what was sent.
    fn fault(&self, error: &dyn DatabaseError) -> Fault;

    /// The statements that have TimescaleDB keep a table in chunks, and drop them when they are so many
    /// nanoseconds old.
    fn hypertable(&self, table: &Table, keep: Option<i64>) -> Vec<String> {
        let _ = (table, keep);
        Vec::new()
    }
}

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is about what a row holds: others may be taken.
    OfRows,
    /// Fewer rows may be taken.
    #[cfg_attr(not(feature = "mysql"), allow(dead_code, reason = "only MySQL says so"))]
    TooLarge,
    /// It is about the database, and passes by itself, or when somebody mends it.
    OfDatabase,
}

/// A connection.
pub(super) trait Link: Send {
    /// Runs statements as one, while no other process does so.
    fn create<'a>(&'a mut self, statements: &'a [String]) -> Doing<'a, ()>;

    /// Asks for one number.
    fn number<'a>(&'a mut self, query: &'a str) -> Doing<'a, Option<i64>>;

    /// Inserts rows, all or none: their cells, one row after the other.
    fn insert<'a>(&'a mut self, insert: &'a Insert, cells: &'a [Cell<'a>]) -> Doing<'a, ()>;

    /// Deletes rows that are older than this instant, in nanoseconds. Returns how many.
    fn delete<'a>(&'a mut self, statement: &'a str, before: i64) -> Doing<'a, u64>;

    /// Says goodbye.
    fn close(self: Box<Self>) -> Doing<'static, ()>;
}

/// How rows of a table are inserted.
#[derive(Debug)]
pub(super) struct Insert {
    pub(super) table: Arc<Table>,
    /// The statement for any number of rows; or its head, where the rows themselves are in it.
    pub(super) statement: Arc<str>,
    /// The names of the columns, and what stands for a value in each.
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "mysql")),
        allow(dead_code, reason = "of rows")
    )]
    pub(super) columns: Vec<[String; 2]>,
    /// What follows the rows.
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "mysql")),
        allow(dead_code, reason = "of rows")
    )]
    pub(super) ending: String,
}

/// The lines that define the columns and the key of a table.
pub(super) fn columns(server: &(impl Server + ?Sized), table: &Table) -> Vec<String> {
    let line = |column: &Column| {
        let ending = if column.is_required { " NOT NULL" } else { "" };
        format!("    {} {}{ending}", server.quoted(&column.name), server.type_of(column))
    };
    let mut lines: Vec<String> = table.columns.iter().map(line).collect();
    lines.push(format!("    PRIMARY KEY ({})", names(server, &table.columns[..table.n_key])));
    lines
}

/// The names of columns, with commas between them.
pub(super) fn names(server: &(impl Server + ?Sized), columns: &[Column]) -> String {
    let mut out = String::new();
    for column in columns {
        let comma = if out.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(out, "{comma}{}", server.quoted(&column.name));
    }
    out
}
