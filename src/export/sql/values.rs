//! Many rows in one statement, for databases that take them as `VALUES (…), (…)`.

use std::{collections::HashMap, sync::Arc};

use super::{
    dialect::{Insert, Server},
    row::Cell,
    table::{Clash, Column, Table},
};

/// So many rows has a statement. Each is prepared once, so they are few; a batch of any length takes few of them.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// More text is not in one statement, but for that of a single row: a quarter of what the oldest servers take.
const MOST_BYTES: usize = 1 << 20;

/// How rows are inserted: `place` is what stands for a value, and `ending` what follows the rows.
pub(super) fn insert(
    server: &impl Server,
    table: Arc<Table>,
    place: impl Fn(&Column) -> String,
    ending: String,
) -> Insert {
    let columns = table.columns.iter().map(|column| [server.quoted(&column.name), place(column)]);
    let columns = columns.collect();
    let statement = format!("INSERT INTO {}", server.quoted(&table.name)).into();
    Insert { table, statement, columns, ending }
}

/// Which columns of a row are written, a bit for each from the lowest: those that are null need not be, unless an
/// update has to make them so.
fn written(table: &Table, row: &[Cell<'_>]) -> u64 {
    let is_written = |cell: &Cell<'_>| table.clash != Clash::Same || *cell != Cell::Null;
    row.iter().rev().fold(0, |bits, cell| bits << 1 | u64::from(is_written(cell)))
}

/// The statement that inserts `n_rows` rows of these columns.
pub(super) fn statement(insert: &Insert, columns: u64, n_rows: usize) -> String {
    let written = || insert.columns.iter().enumerate().filter(|(n, _)| columns >> n & 1 == 1);
    let join =
        |part: usize| written().map(|(_, column)| &*column[part]).collect::<Vec<_>>().join(", ");
    let row = format!("({})", join(1));
    let rows = vec![row.as_str(); n_rows].join(",");
    format!("{} ({}) VALUES {rows}{}", insert.statement, join(0), insert.ending)
}

/// The statements that were made, by their table, their columns and their number of rows.
#[derive(Debug, Default)]
pub(super) struct Statements(HashMap<(usize, u64, usize), Arc<str>>);

/// Some rows with the same columns, and the statement that inserts them.
pub(super) struct Part<'a> {
    pub(super) statement: Arc<str>,
    cells: &'a [Cell<'a>],
    width: usize,
    columns: u64,
}

impl<'a> Part<'a> {
    /// The arguments of the statement.
    pub(super) fn arguments(&self) -> impl Iterator<Item = Cell<'a>> {
        let (width, columns) = (self.width, self.columns);
        let cells = self.cells.iter().enumerate();
        cells.filter(move |(n, _)| columns >> (n % width) & 1 == 1).map(|(_, cell)| *cell)
    }
}

impl Statements {
    /// The rows of `cells` in parts, in order.
    pub(super) fn parts<'a>(&mut self, insert: &Insert, cells: &'a [Cell<'a>]) -> Vec<Part<'a>> {
        let (table, width) = (&*insert.table, insert.columns.len());
        let rows: Vec<_> = cells.chunks_exact(width).collect();
        let mut parts = Vec::new();
        let mut done = 0;
        for alike in rows.chunk_by(|a, b| written(table, a) == written(table, b)) {
            let (columns, end) = (written(table, alike[0]), done + alike.len());
            while done < end {
                let fits = |n: &usize| {
                    let n = *n;
                    n == 1 || n <= end - done && bytes(&rows[done..done + n]) <= MOST_BYTES
                };
                let n = SIZES.into_iter().find(fits).unwrap_or(1);
                let key = (Arc::as_ptr(&insert.table) as usize, columns, n);
                let made = self.0.entry(key);
                let statement =
                    made.or_insert_with(|| statement(insert, columns, n).into()).clone();
                let cells = &cells[done * width..(done + n) * width];
                parts.push(Part { statement, cells, width, columns });
                done += n;
            }
        }
        parts
    }
}

fn bytes(rows: &[&[Cell<'_>]]) -> usize {
    let texts = rows.iter().flat_map(|row| row.iter()).map(|cell| match cell {
        Cell::Text(text) => text.len(),
        _ => 0,
    });
    texts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_parts_of_the_same_columns_and_not_too_much_text() {
        use Cell::{Int, Null, Real, Text};
        let table = Arc::new(Table::samples(&super::super::options::Options::default()));
        let columns = table.columns.iter().map(|column| [column.name.to_string(), "?".to_owned()]);
        let columns: Vec<_> = columns.collect();
        let (statement, ending) = ("INSERT INTO s".into(), ";".to_owned());
        let insert = Insert { table, statement, columns, ending };
        let row = |time, value, buckets| {
            let mut row = [Null; 12];
            (row[0], row[1], row[2]) = (Int(7), Int(time), Int(1));
            (row[3], row[11]) = (value, buckets);
            row
        };
        let long = "x".repeat(MOST_BYTES / 3);
        let mut rows = vec![row(0, Real(1.5), Null); 300];
        rows.extend([row(1, Null, Text(&long)); 5]);
        let cells = rows.concat();
        let mut statements = Statements::default();
        let parts = statements.parts(&insert, &cells);
        let shown: Vec<_> =
            parts.iter().map(|part| (part.cells.len() / 12, part.arguments().count())).collect();
        let sizes = [256, 16, 16, 4, 4, 4, 1, 1, 1, 1, 1];
        assert_eq!(shown, sizes.map(|n| (n, n * 4)));
        assert_eq!(
            &*parts[10].statement,
            "INSERT INTO s (series, time, started, buckets) VALUES (?, ?, ?, ?);"
        );
        assert_eq!(statements.0.len(), 4, "each is made once");
        let all: Vec<_> = parts.iter().flat_map(Part::arguments).collect();
        let expected: Vec<_> = cells.iter().copied().filter(|cell| *cell != Null).collect();
        assert_eq!(all, expected);
    }
}
