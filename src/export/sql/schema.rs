//! The tables are made, and brought to the version of this program.

use std::fmt::Write as _;

use super::{
    dialect::{Link, Server},
    options::Options,
    plan::Plan,
    table::{PlainTable, Table},
};

/// The version of the tables. A later one adds a step to [`STEPS`].
pub(super) const VERSION: i64 = 1;

/// The statements that bring the tables from a version to the next.
type Step = fn(&dyn Server, &Options) -> Vec<String>;

/// The first is from version 1.
const STEPS: [Step; VERSION as usize - 1] = [];

/// The statements that make all tables.
pub(super) fn statements(
    server: &dyn Server,
    options: &Options,
    plain: Option<&PlainTable>,
) -> Vec<String> {
    match plain {
        Some(plain) => server.create(&plain.table()),
        None => statements_from(server, options, 0),
    }
}

/// The statements that bring tables of the version `found` to that of this program; 0 is none.
fn statements_from(server: &dyn Server, options: &Options, found: i64) -> Vec<String> {
    let mut statements = Vec::new();
    if found == 0 {
        let aging = [Table::samples, Table::spans, Table::logs].map(|table| table(options));
        let others = [Table::versions, Table::resources, Table::series].map(|table| table(options));
        for table in others.iter().chain(&aging) {
            statements.extend(server.create(table));
        }
        if options.has_hypertables {
            let keep = options.keep.map(|keep| i64::try_from(keep.as_nanos()).unwrap_or(i64::MAX));
            statements.extend(aging.iter().flat_map(|table| server.hypertable(table, keep)));
        }
    } else {
        let steps = STEPS.iter().skip(usize::try_from(found - 1).unwrap_or(usize::MAX));
        statements.extend(steps.flat_map(|step| step(server, options)));
    }
    let versions = server.quoted(&Table::versions(options).name);
    let version = server.quoted("version");
    statements.push(format!(
        "INSERT INTO {versions} ({version}) SELECT {VERSION} FROM (SELECT 1 AS one) AS one \
         WHERE NOT EXISTS (SELECT 1 FROM {versions} WHERE {version} = {VERSION})"
    ));
    statements
}

/// Makes the tables if that was chosen, and looks whether they are those that the plan needs. An error says what is
/// wrong with them.
pub(super) async fn settle(
    link: &mut dyn Link,
    server: &dyn Server,
    options: &Options,
    plan: &Plan,
) -> Result<(), String> {
    match plan.is_plain() {
        true if options.creates_tables => {
            let statements = server.create(&plan.rows.table);
            link.create(&statements).await.map_err(|error| made_in_vain(&error))?;
        }
        true => {}
        false => bring_up(link, server, options).await?,
    }
    for table in plan.tables() {
        let question = question(server, table);
        link.number(&question).await.map_err(|error| {
            format!("the table {} is not there, or not as it has to be: {error}", table.name)
        })?;
    }
    Ok(())
}

async fn bring_up(
    link: &mut dyn Link,
    server: &dyn Server,
    options: &Options,
) -> Result<(), String> {
    let versions = Table::versions(options).name;
    let question =
        format!("SELECT MAX({}) FROM {}", server.quoted("version"), server.quoted(&versions));
    let found = match link.number(&question).await {
        Ok(found) => found.unwrap_or(0),
        // It is not there, most probably; otherwise what follows says what is wrong.
        Err(sqlx::Error::Database(_)) if options.creates_tables => 0,
        Err(error) => {
            return Err(format!(
                "the table {versions} says of which version the others are, and cannot be read; \
                 `create_tables` makes it: {error}"
            ));
        }
    };
    match found {
        VERSION => Ok(()),
        newer if newer > VERSION => Err(format!(
            "the tables are of version {newer}, says {versions}; this program knows them up to {VERSION}"
        )),
        older if options.creates_tables => {
            let statements = statements_from(server, options, older);
            link.create(&statements).await.map_err(|error| made_in_vain(&error))
        }
        older => Err(format!(
            "the tables are of version {older}, says {versions}, and not of {VERSION}: `create_tables` brings \
             them up"
        )),
    }
}

fn made_in_vain(error: &sqlx::Error) -> String {
    format!("the tables cannot be made: {error}")
}

/// A question that has an answer if the table has all of its columns.
fn question(server: &dyn Server, table: &Table) -> String {
    let name = server.quoted(&table.name);
    let mut columns = String::new();
    for column in &table.columns {
        let comma = if columns.is_empty() { "" } else { ", " };
        // With the table's name: SQLite takes a name in quotes that is no column for a text. Writing to a String
        // cannot fail.
        let _ = write!(columns, "{comma}{name}.{}", server.quoted(&column.name));
    }
    format!("SELECT COUNT(*) FROM (SELECT {columns} FROM {name} WHERE 1 = 0) AS probe")
}
