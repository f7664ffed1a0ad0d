//! Rows are written: with what they refer to, and without those that the database refuses.

use std::{
    cmp::{Ordering, Reverse},
    collections::HashMap,
    ops::Range,
};

use super::{
    aging::SEEN_EVERY,
    dialect::{Fault, Link, Server},
    plan::Plan,
    row::Cell,
    rows::Decoded,
    table::Table,
};

/// What became of the records of a payload.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// How many from the first are written or refused.
    pub(super) n_settled: usize,
    /// How many of these were refused, and why the last of them was.
    pub(super) n_refused: usize,
    pub(super) reason: Option<String>,
}

/// Why no more was written.
#[derive(Debug)]
pub(super) enum Stop {
    Later(String),
    TooLarge(String),
}

/// What is in the database, for all that this connection knows.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// When a series or a process was last said to be seen, by its id.
    series: HashMap<i64, i64>,
    resources: HashMap<i64, i64>,
}

/// More are not known: 32 MB. Then they are said again. Arbitrary.
const MOST_KNOWN: usize = 1 << 20;

impl Known {
    /// Whether it was said to be seen shortly before `now`, or later.
    fn is_fresh(seen: &HashMap<i64, i64>, id: i64, now: i64) -> bool {
        seen.get(&id).is_some_and(|seen| now.saturating_sub(*seen) < SEEN_EVERY)
    }

    fn note(&mut self, new: &References<'_>) {
        if self.series.len() + self.resources.len() > MOST_KNOWN {
            *self = Self::default();
        }
        note(&mut self.series, &new.series);
        note(&mut self.resources, &new.resource);
    }

    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// Notes rows by their first cell, the id, and the last, when they were seen.
fn note(seen: &mut HashMap<i64, i64>, rows: &[Vec<Cell<'_>>]) {
    for row in rows {
        if let [Cell::Int(id), .., Cell::Int(at)] = row[..] {
            seen.insert(id, at);
        }
    }
}

/// The rows in the order of their keys: neighbours are on one page of an index, which is then written once. Those that
/// have the same nulls stand together.
fn by_key<'a>(cells: &[Cell<'a>], table: &Table) -> Vec<Cell<'a>> {
    let mut rows: Vec<_> = cells.chunks_exact(table.columns.len()).collect();
    let nulls = |row: &[Cell<'_>]| {
        row.iter().fold(0_u64, |bits, cell| bits << 1 | u64::from(*cell == Cell::Null))
    };
    rows.sort_by(|a, b| {
        let pairs = a.iter().zip(*b).take(table.n_key);
        let orders = pairs.map(|pair| match pair {
            (Cell::Int(a), Cell::Int(b)) => a.cmp(b),
            (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
            _ => Ordering::Equal,
        });
        nulls(a).cmp(&nulls(b)).then(orders.fold(Ordering::Equal, Ordering::then))
    });
    rows.concat()
}

/// The rows that others refer to, and that are to be written before these.
#[derive(Debug, Default)]
struct References<'a> {
    series: Vec<Vec<Cell<'a>>>,
    resource: Vec<Vec<Cell<'a>>>,
}

/// A payload that is being written.
pub(super) struct Writer<'a> {
    pub(super) server: &'a dyn Server,
    pub(super) plan: &'a Plan,
    pub(super) decoded: &'a Decoded<'a>,
    pub(super) known: &'a mut Known,
}

impl<'a> Writer<'a> {
    /// Writes all rows. A part that has a row which is refused is written in halves, so that of all rows only such
    /// ones are refused. What is settled is so for good: the next attempt goes on behind it.
    pub(super) async fn write(
        &mut self,
        link: &mut dyn Link,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let all = 0..self.decoded.len();
        let mut parts = Vec::from([all]);
        while let Some(part) = parts.pop() {
            let mut n_refused = self.decoded.n_refused(part.clone());
            if let Err(error) = self.write_part(link, part.clone()).await {
                let fault = error.as_database_error().map(|error| self.server.fault(error));
                match fault {
                    Some(Fault::OfRows) if part.len() > 1 => {
                        let middle = part.start + part.len() / 2;
                        parts.push(middle..part.end);
                        parts.push(part.start..middle);
                        continue;
                    }
                    Some(Fault::OfRows) => {
                        n_refused = 1;
                        progress.reason = Some(error.to_string());
                    }
                    Some(Fault::TooLarge) => return Err(Stop::TooLarge(error.to_string())),
                    Some(Fault::OfDatabase) | None => return Err(Stop::Later(error.to_string())),
                }
            }
            progress.n_settled = part.end;
            progress.n_refused += n_refused;
        }
        Ok(())
    }

    async fn write_part(
        &mut self,
        link: &mut dyn Link,
        part: Range<usize>,
    ) -> Result<(), sqlx::Error> {
        let cells = self.decoded.cells(part.clone());
        if cells.is_empty() {
            return Ok(());
        }
        let new = self.references(part);
        for (insert, rows) in
            [(&self.plan.resources, &new.resource), (&self.plan.series, &new.series)]
        {
            if let (Some(insert), false) = (insert, rows.is_empty()) {
                link.insert(insert, &rows.concat()).await?;
            }
        }
        link.insert(&self.plan.rows, &by_key(cells, &self.plan.rows.table)).await?;
        self.known.note(&new);
        Ok(())
    }

    /// What rows of these records refer to, and was not said to be seen in the hour before.
    fn references(&self, part: Range<usize>) -> References<'a> {
        let mut new = References::default();
        if self.plan.is_plain() {
            return new;
        }
        let (width, age) = (self.plan.rows.table.columns.len(), self.plan.rows.table.age);
        let time = |row: &[Cell<'_>]| if let Cell::Int(time) = row[age] { time } else { 0 };
        let rows = || self.decoded.cells(part.clone()).chunks_exact(width);
        let newest = rows().map(time).max().unwrap_or(0);
        if let Some(row) = self.decoded.resource(newest)
            && let Cell::Int(id) = row[0]
            && !Known::is_fresh(&self.known.resources, id, newest)
        {
            new.resource.push(row.to_vec());
        }
        for (series, row) in self.decoded.series(part.clone()).zip(rows()) {
            let Cell::Int(id) = series[0] else { continue };
            if !Known::is_fresh(&self.known.series, id, time(row)) {
                new.series.push([series, &[Cell::Int(time(row))]].concat());
            }
        }
        // Each once, in one order, so that no two processes wait for each other.
        let key = |row: &Vec<Cell<'_>>| match row[..] {
            [Cell::Int(id), .., Cell::Int(seen)] => (id, Reverse(seen)),
            _ => (0, Reverse(0)),
        };
        new.series.sort_by_key(key);
        new.series.dedup_by_key(|row| key(row).0);
        new
    }
}
