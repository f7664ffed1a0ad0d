//! What a route writes: its rows, and the rows that these refer to.

use std::sync::Arc;

use super::{
    dialect::{Insert, Server},
    options::Options,
    table::{PlainTable, Table},
};

/// The tables of a route.
#[derive(Debug)]
pub(super) struct Plan {
    /// Of the records themselves.
    pub(super) rows: Insert,
    /// Of the series that samples refer to.
    pub(super) series: Option<Insert>,
    /// Of the processes that records are of.
    pub(super) resources: Option<Insert>,
}

/// What a route has rows of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'a> {
    Samples,
    Spans,
    Logs,
    Plain(&'a PlainTable),
}

impl Plan {
    pub(super) fn new(server: &dyn Server, options: &Options, subject: Subject<'_>) -> Self {
        let insert = |table: Table| server.insert(Arc::new(table));
        let resources = || Some(insert(Table::resources(options)));
        match subject {
            Subject::Samples => Self {
                rows: insert(Table::samples(options)),
                series: Some(insert(Table::series(options))),
                resources: resources(),
            },
            Subject::Spans => {
                let rows = insert(Table::spans(options));
                Self { rows, series: None, resources: resources() }
            }
            Subject::Logs => {
                let rows = insert(Table::logs(options));
                Self { rows, series: None, resources: resources() }
            }
            Subject::Plain(table) => {
                Self { rows: insert(table.table()), series: None, resources: None }
            }
        }
    }

    /// Whether it is the table of a user, who says what is in it.
    pub(super) fn is_plain(&self) -> bool {
        self.resources.is_none()
    }

    /// All tables, those of the records first.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        let others = [self.series.as_ref(), self.resources.as_ref()].into_iter().flatten();
        std::iter::once(&self.rows).chain(others).map(|insert| &insert.table)
    }
}
