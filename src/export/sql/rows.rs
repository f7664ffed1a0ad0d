//! A payload as rows of tables: what its bytes are is checked here.

use std::ops::Range;

use super::{
    dialect::Server,
    plan::Plan,
    row::{Cell, Cells},
    table::{Column, Table},
};
use crate::pipeline::Payload;

/// The rows of a payload.
pub(super) struct Decoded<'a> {
    /// The process that the records are of: its id, the service, the attributes.
    resource: Option<[Cell<'a>; 3]>,
    /// The cells of all rows.
    cells: Vec<Cell<'a>>,
    /// Of each row the cells of its series, but for when that was seen.
    series: Vec<Cell<'a>>,
    /// Where in `cells` the rows of each record end; a record that was refused has none.
    ends: Vec<usize>,
    is_refused: Vec<bool>,
    /// How many cells a row has.
    width: usize,
}

/// How many cells of a record are of its series, which come first: the id, the name, the kind, the unit, the
/// temporality, the labels.
const OF_SERIES: usize = 6;

impl<'a> Decoded<'a> {
    pub(super) fn of(payload: &'a Payload, plan: &Plan, server: &dyn Server) -> Self {
        let table = &*plan.rows.table;
        let mut decoded = Self {
            resource: resource(payload.head()),
            cells: Vec::with_capacity(payload.len() * table.columns.len()),
            series: Vec::new(),
            ends: Vec::with_capacity(payload.len()),
            is_refused: Vec::with_capacity(payload.len()),
            width: table.columns.len(),
        };
        for record in payload.records() {
            let before = (decoded.cells.len(), decoded.series.len());
            let is_read = decoded.record(record, plan, server).is_some();
            if !is_read {
                decoded.cells.truncate(before.0);
                decoded.series.truncate(before.1);
            }
            decoded.is_refused.push(!is_read);
            decoded.ends.push(decoded.cells.len());
        }
        decoded
    }

    /// Reads a record; `None` if it is none, or the database has nothing for its value.
    fn record(&mut self, record: &'a [u8], plan: &Plan, server: &dyn Server) -> Option<()> {
        let table = &*plan.rows.table;
        let mut cells = Cells::of(record);
        if plan.is_plain() {
            while !cells.is_over() {
                self.row(table, server, &mut cells, &[], &[])?;
            }
            return (!record.is_empty()).then_some(());
        }
        let [id, service, _] = self.resource?;
        match &plan.series {
            Some(series) => {
                let begin = self.series.len();
                for column in &series.table.columns[..OF_SERIES] {
                    self.series.push(checked(column, server, cells.next()??)?);
                }
                self.series.extend([id, service]);
                let first = [self.series[begin]];
                self.row(table, server, &mut cells, &first, &[])?;
            }
            None => self.row(table, server, &mut cells, &[], &[id, service])?,
        }
        cells.is_over().then_some(())
    }

    /// Reads a row whose `first` and `last` cells are known.
    fn row(
        &mut self,
        table: &Table,
        server: &dyn Server,
        cells: &mut Cells<'a>,
        first: &[Cell<'a>],
        last: &[Cell<'a>],
    ) -> Option<()> {
        self.cells.extend_from_slice(first);
        for column in &table.columns[first.len()..table.columns.len() - last.len()] {
            self.cells.push(checked(column, server, cells.next()??)?);
        }
        self.cells.extend_from_slice(last);
        Some(())
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many of these records have no rows, because they were refused.
    pub(super) fn n_refused(&self, records: Range<usize>) -> usize {
        self.is_refused[records].iter().filter(|is_refused| **is_refused).count()
    }

    /// The cells of the rows of these records.
    pub(super) fn cells(&self, records: Range<usize>) -> &[Cell<'a>] {
        &self.cells[self.span(records)]
    }

    /// The row of the process, which was seen then.
    pub(super) fn resource(&self, seen: i64) -> Option<[Cell<'a>; 4]> {
        let [id, service, attributes] = self.resource?;
        Some([id, service, attributes, Cell::Int(seen)])
    }

    /// Of the rows of these records that have a series, the cells of that, but for when it was seen.
    pub(super) fn series(&self, records: Range<usize>) -> impl Iterator<Item = &[Cell<'a>]> {
        let Range { start, end } = self.span(records);
        let width = OF_SERIES + 2;
        let is_there = !self.series.is_empty();
        let range =
            if is_there { start / self.width * width..end / self.width * width } else { 0..0 };
        self.series[range].chunks_exact(width)
    }

    fn span(&self, records: Range<usize>) -> Range<usize> {
        let start = |place: usize| place.checked_sub(1).map_or(0, |before| self.ends[before]);
        start(records.start)..start(records.end)
    }
}

/// The process that a payload is of, if its head says so.
fn resource(head: &[u8]) -> Option<[Cell<'_>; 3]> {
    let cells: Vec<Cell<'_>> = Cells::of(head).collect::<Option<_>>()?;
    match cells[..] {
        [id @ Cell::Int(_), service @ Cell::Text(_), attributes @ Cell::Text(_)] => {
            Some([id, service, attributes])
        }
        _ => None,
    }
}

/// The cell as it is stored, if it may be in the column.
fn checked<'a>(column: &Column, server: &dyn Server, cell: Cell<'a>) -> Option<Cell<'a>> {
    server.stored(column, cell).filter(|cell| column.takes(*cell))
}
