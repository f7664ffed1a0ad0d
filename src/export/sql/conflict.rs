//! What SQLite and PostgreSQL do with a row that is there already.

use super::{
    dialect::{Server, names},
    table::{Clash, Column, Table},
};

/// What follows the rows in an insert; `greatest` is the function that gives the greater of two.
pub(super) fn clause(server: &impl Server, table: &Table, greatest: &str) -> String {
    let own = |name: &str| format!("{}.{}", server.quoted(&table.name), server.quoted(name));
    let new = |name: &str| format!("excluded.{}", server.quoted(name));
    let (key, rest) = table.columns.split_at(table.n_key);
    let key = names(server, key);
    match table.clash {
        // Without the key, which a table of the user's may not have.
        Clash::Same => " ON CONFLICT DO NOTHING".to_owned(),
        Clash::Seen => format!(
            " ON CONFLICT ({key}) DO UPDATE SET {} = {greatest}({}, {})",
            server.quoted("seen"),
            own("seen"),
            new("seen"),
        ),
        Clash::Open => {
            let set = |column: &Column| {
                format!("{} = {}", server.quoted(&column.name), new(&column.name))
            };
            format!(
                " ON CONFLICT ({key}) DO UPDATE SET {} WHERE {} IS NULL AND {} >= {}",
                rest.iter().map(set).collect::<Vec<_>>().join(", "),
                own("outcome"),
                new("duration"),
                own("duration"),
            )
        }
    }
}
