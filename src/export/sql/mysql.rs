//! MySQL and MariaDB, by their protocol.

use std::{str::FromStr as _, sync::Arc};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Error, Executor as _,
    error::DatabaseError,
    mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError},
};

use super::{
    dialect::{Doing, Fault, Insert, Link, Server, columns},
    row::Cell,
    table::{Clash, Column, Kind, Table, TimeForm},
    values::{self, Statements},
};
use crate::transport::Secret;

/// A server of MySQL or MariaDB.
#[derive(Debug)]
pub(super) struct MySqlServer {
    /// With a password, maybe.
    url: Secret,
    password: Option<Secret>,
}

impl MySqlServer {
    pub(super) fn new(url: String, password: Option<Secret>) -> Self {
        Self { url: Secret::new(url), password }
    }

    fn options(&self) -> Result<MySqlConnectOptions, Error> {
        let configuration = |message: String| Error::Configuration(message.into());
        let url = self.url.read().map_err(configuration)?;
        // What it logs might come back here.
        let options = MySqlConnectOptions::from_str(&url)?.disable_statement_logging();
        match &self.password {
            Some(password) => Ok(options.password(&password.read().map_err(configuration)?)),
            None => Ok(options),
        }
    }
}

impl Server for MySqlServer {
    fn name(&self) -> &'static str {
        "mysql"
    }

    fn place(&self) -> String {
        let Ok(options) = self.options() else { return "MySQL".to_owned() };
        let database = options.get_database().unwrap_or_default();
        match options.get_socket() {
            Some(socket) => format!("MySQL at {}, database {database}", socket.display()),
            None => {
                let (host, port) = (options.get_host(), options.get_port());
                format!("MySQL at {host}:{port}, database {database}")
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        self.options().map(drop).map_err(|error| format!("MySQL: {error}"))
    }

    fn connect(&self) -> Doing<'_, Box<dyn Link>> {
        Box::pin(async move {
            let mut connection = self.options()?.connect().await?;
            // Otherwise a server may cut a text that is too long, and say nothing.
            connection
                .execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')")
                .await?;
            let link: Box<dyn Link> =
                Box::new(Connected { connection, statements: Statements::default() });
            Ok(link)
        })
    }

    fn quoted(&self, name: &str) -> String {
        format!("`{}`", name.replace('`', "``"))
    }

    fn type_of(&self, column: &Column) -> String {
        let word = match column.kind {
            Kind::Int | Kind::Time(TimeForm::Unix(_)) => "BIGINT",
            Kind::Real | Kind::Value => "DOUBLE",
            Kind::Hex(n) => return format!("CHAR({n}) CHARACTER SET ascii COLLATE ascii_bin"),
            Kind::Text => "LONGTEXT",
            Kind::Source => "VARCHAR(512)",
            Kind::Json => "JSON",
            Kind::Time(TimeForm::Native) => "DATETIME(6)",
        };
        word.to_owned()
    }

    /// With its indexes, for MySQL makes no others unless they are there.
    fn create(&self, table: &Table) -> Vec<String> {
        let mut lines = columns(self, table);
        for indexed in table.indexed {
            let is_text = |column: &&Column| column.name == *indexed && column.kind == Kind::Text;
            let length = if table.columns.iter().any(|one| is_text(&one)) { "(191)" } else { "" };
            let name = self.quoted(&format!("{}_{indexed}", table.name));
            lines.push(format!("    INDEX {name} ({}{length})", self.quoted(indexed)));
        }
        vec![format!(
            "CREATE TABLE IF NOT EXISTS {} (\n{}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
            self.quoted(&table.name),
            lines.join(",\n")
        )]
    }

    fn insert(&self, table: Arc<Table>) -> Insert {
        let ending = self.clause(&table);
        values::insert(self, table, stored, ending)
    }

    fn delete(&self, table: &Table, n: u32) -> String {
        let age = table.aged();
        let (name, column) = (self.quoted(&table.name), self.quoted(&age.name));
        format!("DELETE FROM {name} WHERE {column} < {} ORDER BY {column} LIMIT {n}", stored(age))
    }

    /// It has neither NaN nor infinities.
    fn stored<'a>(&self, column: &Column, cell: Cell<'a>) -> Option<Cell<'a>> {
        match cell {
            Cell::Real(value) if value.is_finite() => Some(cell),
            Cell::Real(_) if column.kind == Kind::Value => None,
            Cell::Real(_) => Some(Cell::Null),
            _ => Some(cell),
        }
    }

    /// By the classes of its states, data exceptions and constraints; and by numbers, where the state says nothing.
    fn fault(&self, error: &dyn DatabaseError) -> Fault {
        let number = error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number);
        let code = error.code().unwrap_or_default();
        match (number, code.get(..2)) {
            (Some(PACKET_TOO_LARGE), _) => Fault::TooLarge,
            (_, Some("22" | "23")) => Fault::OfRows,
            (Some(number), _) if OF_ROWS.contains(&number) => Fault::OfRows,
            _ => Fault::OfDatabase,
        }
    }
}

const PACKET_TOO_LARGE: u16 = 1153;

/// A row that is too large, twice; data that would be cut; a wrong text; a check that failed.
const OF_ROWS: [u16; 5] = [139, 1118, 1265, 1366, 3819];

impl MySqlServer {
    /// What follows the rows in an insert: what happens to one that is there already. `IGNORE` would hide errors.
    fn clause(&self, table: &Table) -> String {
        let new = |name: &str| format!("VALUES({})", self.quoted(name));
        let (key, rest) = table.columns.split_at(table.n_key);
        let set = match table.clash {
            Clash::Same => {
                let first = self.quoted(&key[0].name);
                format!("{first} = {first}")
            }
            Clash::Seen => {
                let seen = self.quoted("seen");
                format!("{seen} = GREATEST({seen}, {})", new("seen"))
            }
            Clash::Open => {
                // Each is set in its turn, and sees those before it: so the outcome is the last.
                let (last, others): (Vec<_>, Vec<_>) =
                    rest.iter().partition(|column| column.name == "outcome");
                let (outcome, duration) = (self.quoted("outcome"), self.quoted("duration"));
                let is_later = format!("{outcome} IS NULL AND {} >= {duration}", new("duration"));
                let set = |column: &Column| {
                    let name = self.quoted(&column.name);
                    format!("{name} = IF({is_later}, {}, {name})", new(&column.name))
                };
                others.into_iter().chain(last).map(set).collect::<Vec<_>>().join(", ")
            }
        };
        format!(" ON DUPLICATE KEY UPDATE {set}")
    }
}

/// What is written for a value.
fn stored(column: &Column) -> String {
    match column.kind {
        Kind::Time(TimeForm::Unix(nanos)) => format!("? DIV {nanos}"),
        Kind::Time(TimeForm::Native) => {
            "TIMESTAMP'1970-01-01 00:00:00' + INTERVAL (? DIV 1000) MICROSECOND".to_owned()
        }
        _ => "?".to_owned(),
    }
}

/// A connection to a server.
struct Connected {
    connection: MySqlConnection,
    statements: Statements,
}

impl Link for Connected {
    /// No transaction: each statement is one. But two that make tables at once might lock each other out.
    fn create<'a>(&'a mut self, statements: &'a [String]) -> Doing<'a, ()> {
        Box::pin(async move {
            self.connection.execute("DO GET_LOCK('bellwether', 10)").await?;
            for statement in statements {
                self.connection.execute(AssertSqlSafe(&**statement)).await?;
            }
            self.connection.execute("DO RELEASE_LOCK('bellwether')").await.map(drop)
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
            let Self { connection, statements } = self;
            let mut transaction = connection.begin().await?;
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
