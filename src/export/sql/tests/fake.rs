//! A database in memory, which does what a test says.

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc};

use sqlx::{
    Error,
    error::{DatabaseError, ErrorKind},
};

use super::super::{
    dialect::{Doing, Fault, Insert, Link, Server},
    row::Cell,
    table::{Column, Table},
};
use crate::sync::Mutex;

/// What is in it, and what it does next.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The rows of each insert, as text: the name of its table, and of each row the cells.
    pub(super) inserts: Vec<(String, Vec<Vec<String>>)>,
    /// How many inserts were asked for.
    pub(super) n_asked: usize,
    pub(super) n_connections: usize,
    pub(super) n_closed: usize,
    /// A row that has a cell with this text is refused.
    pub(super) bad: Option<&'static str>,
    /// What happens to inserts, by how many were asked for before.
    pub(super) trouble: Vec<(usize, Trouble)>,
    pub(super) version: Option<i64>,
    pub(super) statements: Vec<String>,
    /// The statements that delete, and before when.
    pub(super) deletes: Vec<(String, i64)>,
    /// How many rows a statement deletes.
    pub(super) n_deleted: u64,
    pub(super) delete_fails: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The answer never comes.
    Hangs,
    Gone,
    TooLarge,
}

impl State {
    /// The rows of a table.
    pub(super) fn rows(&self, table: &str) -> Vec<&Vec<String>> {
        let inserts = self.inserts.iter().filter(|(name, _)| name == table);
        inserts.flat_map(|(_, rows)| rows).collect()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Fake(pub(super) Arc<Mutex<State>>);

impl Fake {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { version: Some(1), ..State::default() })))
    }
}

impl Server for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn place(&self) -> String {
        "a fake".to_owned()
    }

    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn connect(&self) -> Doing<'_, Box<dyn Link>> {
        self.0.lock().n_connections += 1;
        let link: Box<dyn Link> = Box::new(self.clone());
        Box::pin(async { Ok(link) })
    }

    fn type_of(&self, column: &Column) -> String {
        format!("{:?}", column.kind)
    }

    fn insert(&self, table: Arc<Table>) -> Insert {
        Insert { table, statement: "".into(), columns: Vec::new(), ending: String::new() }
    }

    fn delete(&self, table: &Table, n: u32) -> String {
        format!("{} by {} at most {n}", table.name, table.aged().name)
    }

    fn fault(&self, error: &dyn DatabaseError) -> Fault {
        match error.message() {
            "bad" => Fault::OfRows,
            "large" => Fault::TooLarge,
            _ => Fault::OfDatabase,
        }
    }
}

impl Link for Fake {
    fn create<'a>(&'a mut self, statements: &'a [String]) -> Doing<'a, ()> {
        let mut state = self.0.lock();
        state.statements.extend_from_slice(statements);
        state.version = Some(1);
        Box::pin(async { Ok(()) })
    }

    fn number<'a>(&'a mut self, query: &'a str) -> Doing<'a, Option<i64>> {
        let version = self.0.lock().version;
        Box::pin(async move {
            match (query.contains("MAX"), version) {
                (true, None) => Err(database("no such table")),
                (true, version) => Ok(version),
                (false, _) => Ok(Some(0)),
            }
        })
    }

    fn insert<'a>(&'a mut self, insert: &'a Insert, cells: &'a [Cell<'a>]) -> Doing<'a, ()> {
        Box::pin(async move {
            let trouble = {
                let mut state = self.0.lock();
                let n = state.n_asked;
                state.n_asked += 1;
                state.trouble.iter().find(|(place, _)| *place == n).map(|(_, trouble)| *trouble)
            };
            match trouble {
                Some(Trouble::Hangs) => std::future::pending().await,
                Some(Trouble::Gone) => return Err(database("gone")),
                Some(Trouble::TooLarge) => return Err(database("large")),
                None => {}
            }
            let rows = cells.chunks_exact(insert.table.columns.len());
            let shown = |cell: &Cell<'_>| match cell {
                Cell::Null => "null".to_owned(),
                Cell::Int(value) => value.to_string(),
                Cell::Real(value) => value.to_string(),
                Cell::Text(text) => (*text).to_owned(),
            };
            let rows: Vec<Vec<_>> = rows.map(|row| row.iter().map(shown).collect()).collect();
            let mut state = self.0.lock();
            if let Some(bad) = state.bad
                && rows.iter().flatten().any(|cell| cell == bad)
            {
                return Err(database("bad"));
            }
            state.inserts.push((insert.table.name.clone(), rows));
            Ok(())
        })
    }

    fn delete<'a>(&'a mut self, statement: &'a str, before: i64) -> Doing<'a, u64> {
        let mut state = self.0.lock();
        let answer =
            if state.delete_fails { Err(database("no right")) } else { Ok(state.n_deleted) };
        state.deletes.push((statement.to_owned(), before));
        Box::pin(async { answer })
    }

    fn close(self: Box<Self>) -> Doing<'static, ()> {
        self.0.lock().n_closed += 1;
        Box::pin(async { Ok(()) })
    }
}

#[derive(Debug)]
struct Said(&'static str);

fn database(message: &'static str) -> Error {
    Error::Database(Box::new(Said(message)))
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl StdError for Said {}

impl DatabaseError for Said {
    fn message(&self) -> &str {
        self.0
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        None
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}
