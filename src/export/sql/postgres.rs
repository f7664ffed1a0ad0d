//! PostgreSQL, by its own protocol.

use std::{borrow::Cow, str::FromStr as _, sync::Arc};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Error,
    error::DatabaseError,
    postgres::{PgBindIterExt as _, PgConnectOptions, PgConnection},
};

use super::{
    conflict,
    dialect::{Doing, Fault, Insert, Link, Server, names},
    row::Cell,
    table::{Clash, Column, Kind, Table, TimeForm},
};
use crate::transport::Secret;

/// A server of PostgreSQL, or of what speaks its protocol.
#[derive(Debug)]
pub(super) struct PostgresServer {
    /// With a password, maybe.
    url: Secret,
    password: Option<Secret>,
}

impl PostgresServer {
    pub(super) fn new(url: String, password: Option<Secret>) -> Self {
        Self { url: Secret::new(url), password }
    }

    fn options(&self) -> Result<PgConnectOptions, Error> {
        let configuration = |message: String| Error::Configuration(message.into());
        let url = self.url.read().map_err(configuration)?;
        // What it logs might come back here.
        let mut options = PgConnectOptions::from_str(&url)?.disable_statement_logging();
        if options.get_application_name().is_none() {
            options = options.application_name("bellwether");
        }
        match &self.password {
            Some(password) => Ok(options.password(&password.read().map_err(configuration)?)),
            None => Ok(options),
        }
    }
}

impl Server for PostgresServer {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn place(&self) -> String {
        let Ok(options) = self.options() else { return "PostgreSQL".to_owned() };
        let (host, port) = (options.get_host(), options.get_port());
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        match options.get_socket() {
            Some(socket) => format!("PostgreSQL at {}, database {database}", socket.display()),
            None => format!("PostgreSQL at {host}:{port}, database {database}"),
        }
    }

    fn check(&self) -> Result<(), String> {
        self.options().map(drop).map_err(|error| format!("PostgreSQL: {error}"))
    }

    fn connect(&self) -> Doing<'_, Box<dyn Link>> {
        Box::pin(async move {
            let connection = self.options()?.connect().await?;
            let link: Box<dyn Link> = Box::new(Connected(connection));
            Ok(link)
        })
    }

    fn type_of(&self, column: &Column) -> String {
        let word = match column.kind {
            Kind::Int | Kind::Time(TimeForm::Unix(_)) => "BIGINT",
            Kind::Real | Kind::Value => "DOUBLE PRECISION",
            Kind::Hex(_) | Kind::Text | Kind::Source => "TEXT",
            Kind::Json => "JSONB",
            Kind::Time(TimeForm::Native) => "TIMESTAMPTZ",
        };
        word.to_owned()
    }

    /// Rows come in the order of time, so that their pages need no more than a range each.
    fn index_method(&self, table: &Table, column: &str) -> &'static str {
        if table.aged().name == column { " USING brin" } else { "" }
    }

    /// One statement for any number of rows: an argument is all cells of a column.
    fn insert(&self, table: Arc<Table>) -> Insert {
        let columns = || table.columns.iter().enumerate();
        let arrays = columns().map(|(n, column)| format!("${}::{}[]", n + 1, array(column.kind)));
        let aliases = columns().map(|(n, _)| format!("c{n}"));
        let values = columns().map(|(n, column)| stored(column, &format!("c{n}")));
        let statement = format!(
            "INSERT INTO {} ({}) SELECT {}{} FROM UNNEST({}) AS r({}){}{}",
            self.quoted(&table.name),
            names(self, &table.columns),
            one_of_each_key(&table),
            join(values),
            join(arrays),
            join(aliases),
            best_first(&table),
            conflict::clause(self, &table, "GREATEST"),
        );
        Insert { table, statement: statement.into(), columns: Vec::new(), ending: String::new() }
    }

    fn delete(&self, table: &Table, n: u32) -> String {
        let (name, age) = (self.quoted(&table.name), table.aged());
        let (column, before) = (self.quoted(&age.name), stored(age, "$1::bigint"));
        format!(
            "DELETE FROM {name} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {name} WHERE {column} < {before} LIMIT {n}))"
        )
    }

    /// By the classes of "PostgreSQL Error Codes": data exceptions, constraints, and limits of the program.
    fn fault(&self, error: &dyn DatabaseError) -> Fault {
        let code = error.code().unwrap_or_default();
        match code.get(..2) {
            Some("22" | "23" | "54") => Fault::OfRows,
            _ => Fault::OfDatabase,
        }
    }

    fn hypertable(&self, table: &Table, keep: Option<i64>) -> Vec<String> {
        let text = |name: &str| format!("'{}'", name.replace('\'', "''"));
        let name = text(&self.quoted(&table.name));
        let age = text(&table.aged().name);
        let now = format!("{}_now", table.name);
        let mut statements = vec![
            format!(
                "SELECT create_hypertable({name}, {age}, chunk_time_interval => {DAY}, if_not_exists => TRUE, \
                 migrate_data => TRUE)"
            ),
            format!(
                "CREATE OR REPLACE FUNCTION {}() RETURNS BIGINT LANGUAGE SQL STABLE AS \
                 'SELECT (extract(epoch FROM now()) * 1000000000)::BIGINT'",
                self.quoted(&now)
            ),
            format!(
                "SELECT set_integer_now_func({name}, {}, replace_if_exists => TRUE)",
                text(&self.quoted(&now))
            ),
        ];
        if let Some(nanos) = keep {
            statements.push(format!(
                "SELECT add_retention_policy({name}, BIGINT '{nanos}', if_not_exists => TRUE)"
            ));
        }
        statements
    }
}

/// A chunk of a hypertable has a day, in nanoseconds.
const DAY: u64 = 86_400_000_000_000;

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// The type of the items of an argument.
fn array(kind: Kind) -> &'static str {
    match kind {
        Kind::Int | Kind::Time(_) => "bigint",
        Kind::Real | Kind::Value => "double precision",
        Kind::Hex(_) | Kind::Text | Kind::Source | Kind::Json => "text",
    }
}

/// What is written for a value.
fn stored(column: &Column, value: &str) -> String {
    match column.kind {
        Kind::Json => format!("{value}::jsonb"),
        Kind::Time(TimeForm::Unix(nanos)) => format!("{value} / {nanos}"),
        Kind::Time(TimeForm::Native) => {
            format!("timestamptz 'epoch' + ({value} / 1000) * interval '1 microsecond'")
        }
        _ => value.to_owned(),
    }
}

/// An update touches each row once: of rows with one key, the first in this order is taken.
fn best_first(table: &Table) -> String {
    let place = |name: &str| table.columns.iter().position(|column| column.name == name);
    let place = |name: &str| place(name).unwrap_or_default();
    let key = join((0..table.n_key).map(|n| format!("c{n}")));
    match table.clash {
        Clash::Same => String::new(),
        Clash::Seen => format!(" ORDER BY {key}, c{} DESC", place("seen")),
        Clash::Open => {
            let (outcome, duration) = (place("outcome"), place("duration"));
            format!(" ORDER BY {key}, c{outcome} IS NULL, c{duration} DESC")
        }
    }
}

fn one_of_each_key(table: &Table) -> String {
    match table.clash {
        Clash::Same => String::new(),
        Clash::Seen | Clash::Open => {
            format!("DISTINCT ON ({}) ", join((0..table.n_key).map(|n| format!("c{n}"))))
        }
    }
}

/// A connection to a server.
struct Connected(PgConnection);

impl Link for Connected {
    fn create<'a>(&'a mut self, statements: &'a [String]) -> Doing<'a, ()> {
        Box::pin(async move {
            let mut transaction = self.0.begin().await?;
            for statement in BEFORE {
                sqlx::query(statement).execute(&mut *transaction).await?;
            }
            for statement in statements {
                sqlx::query(AssertSqlSafe(&**statement)).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        })
    }

    fn number<'a>(&'a mut self, query: &'a str) -> Doing<'a, Option<i64>> {
        Box::pin(async move {
            let number = sqlx::query_scalar(AssertSqlSafe(query)).fetch_optional(&mut self.0);
            Ok(number.await?.flatten())
        })
    }

    fn insert<'a>(&'a mut self, insert: &'a Insert, cells: &'a [Cell<'a>]) -> Doing<'a, ()> {
        Box::pin(async move {
            let columns = &insert.table.columns;
            let mut query = sqlx::query(AssertSqlSafe(insert.statement.clone()));
            for (place, column) in columns.iter().enumerate() {
                let cells = cells.chunks_exact(columns.len()).map(|row| row[place]);
                // An array that is shorter than others has nulls behind its end, so that one of nulls may be empty.
                let is_empty = cells.clone().all(|cell| cell == Cell::Null);
                let cells = cells.take(if is_empty { 0 } else { usize::MAX });
                query = match column.kind {
                    Kind::Int | Kind::Time(_) => query.bind(cells.map(int).bind_iter()),
                    Kind::Real | Kind::Value => query.bind(cells.map(real).bind_iter()),
                    Kind::Json => query.bind(cells.map(json).bind_iter()),
                    Kind::Hex(_) | Kind::Text | Kind::Source => {
                        query.bind(cells.map(text).bind_iter())
                    }
                };
            }
            query.execute(&mut self.0).await.map(drop)
        })
    }

    fn delete<'a>(&'a mut self, statement: &'a str, before: i64) -> Doing<'a, u64> {
        Box::pin(async move {
            let query = sqlx::query(AssertSqlSafe(statement)).bind(before);
            Ok(query.execute(&mut self.0).await?.rows_affected())
        })
    }

    fn close(self: Box<Self>) -> Doing<'static, ()> {
        Box::pin(self.0.close())
    }
}

/// Of two processes that make a table at once, one would fail though each says `IF NOT EXISTS`; and the server would
/// notify of what is there.
const BEFORE: [&str; 2] = [
    "SELECT pg_advisory_xact_lock(7090192401480119400)", // Arbitrary.
    "SET LOCAL client_min_messages = warning",
];

fn int(cell: Cell<'_>) -> Option<i64> {
    if let Cell::Int(value) = cell { Some(value) } else { None }
}

fn real(cell: Cell<'_>) -> Option<f64> {
    if let Cell::Real(value) = cell { Some(value) } else { None }
}

/// PostgreSQL has no U+0000 in its texts: U+FFFD stands for it.
fn text(cell: Cell<'_>) -> Option<Cow<'_, str>> {
    let Cell::Text(text) = cell else { return None };
    Some(match text.contains('\0') {
        true => text.replace('\0', "\u{fffd}").into(),
        false => text.into(),
    })
}

/// As [`text`], of JSON, where U+0000 is an escape.
fn json(cell: Cell<'_>) -> Option<Cow<'_, str>> {
    let Cell::Text(text) = cell else { return None };
    if !text.contains(r"\u0000") {
        return Some(text.into());
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    // What follows a backslash is read with it, so that of `\\u0000` no escape is seen.
    while let Some(place) = rest.find('\\') {
        let (before, escape) = rest.split_at(place);
        out.push_str(before);
        let length = if escape.starts_with(r"\u") { 6 } else { 2 };
        let (escape, after) = escape.split_at_checked(length)?;
        out.push_str(if escape == r"\u0000" { r"\ufffd" } else { escape });
        rest = after;
    }
    out.push_str(rest);
    Some(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_json_no_more_than_the_escape_of_nul_is_changed() {
        for (given, expected) in [
            (r#"{"a":"b"}"#, r#"{"a":"b"}"#),
            (r#"{"\u0000":"\u0000\u0000"}"#, r#"{"\ufffd":"\ufffd\ufffd"}"#),
            (r#""\\u0000""#, r#""\\u0000""#),
            (r#""\\\u0000\n\"\u0001""#, r#""\\\ufffd\n\"\u0001""#),
            (r#""é\u0000é""#, r#""é\ufffdé""#),
        ] {
            assert_eq!(json(Cell::Text(given)).unwrap(), expected);
        }
        assert_eq!(json(Cell::Null), None);
        assert_eq!(text(Cell::Text("a\0b")).unwrap(), "a\u{fffd}b");
    }

    #[test]
    fn a_password_is_in_no_name_of_the_server() {
        let server =
            PostgresServer::new("postgres://ann:secret@db.example.com:5433/shop".to_owned(), None);
        let shown = format!("{server:?} {}", server.place());
        assert!(!shown.contains("secret") && shown.contains("db.example.com:5433"), "{shown}");
        assert!(server.check().is_ok());
        let malformed = PostgresServer::new("db.example.com with:secret".to_owned(), None);
        let error = malformed.check().unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
