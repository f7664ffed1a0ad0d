//! The tables: what they are called, their columns, and what happens to a row that is there already.

use std::borrow::Cow;

use super::{options::Options, row::Cell};

/// A table of a database.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// How many columns, from the first, are the key that no two rows have in common.
    pub(super) n_key: usize,
    pub(super) clash: Clash,
    /// The place of the column by which rows grow old.
    pub(super) age: usize,
    /// Columns that have an index each, besides the key.
    pub(super) indexed: &'static [&'static str],
}

/// A column.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: Cow<'static, str>,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Real,
    /// A number without which a row says nothing.
    Value,
    /// So many hexadecimal digits.
    #[cfg_attr(not(feature = "mysql"), allow(dead_code, reason = "only MySQL asks how many"))]
    Hex(u8),
    Text,
    /// The text of a series, which is a part of a key.
    Source,
    Json,
    /// An instant, which a row has as nanoseconds.
    Time(TimeForm),
}

/// How a plain table has its instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeForm {
    /// As the database has instants.
    Native,
    /// As a whole number of units of so many nanoseconds since 1970.
    Unix(i64),
}

/// What happens to a row whose key is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clash {
    /// It is the same row, sent again.
    Same,
    /// It is of the same thing, which was seen again: the last column has when.
    Seen,
    /// A span that was open, and is so no more, or for longer.
    Open,
}

impl Kind {
    /// Whether `cell` may be in such a column.
    fn takes(self, cell: Cell<'_>) -> bool {
        match cell {
            Cell::Null => true,
            Cell::Int(_) => matches!(self, Self::Int | Self::Time(_)),
            Cell::Real(_) => matches!(self, Self::Real | Self::Value),
            Cell::Text(_) => {
                matches!(self, Self::Hex(_) | Self::Text | Self::Source | Self::Json)
            }
        }
    }
}

impl Column {
    /// Whether `cell` may be in it.
    pub(super) fn takes(&self, cell: Cell<'_>) -> bool {
        self.kind.takes(cell) && !(self.is_required && cell == Cell::Null)
    }

    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name: Cow::Borrowed(name), kind, is_required: true }
    }

    fn or_null(self) -> Self {
        Self { is_required: false, ..self }
    }
}

const fn int(name: &'static str) -> Column {
    Column::new(name, Kind::Int)
}

const fn text(name: &'static str) -> Column {
    Column::new(name, Kind::Text)
}

const fn json(name: &'static str) -> Column {
    Column::new(name, Kind::Json)
}

fn real(name: &'static str) -> Column {
    Column::new(name, Kind::Real).or_null()
}

impl Table {
    fn named(options: &Options, name: &str, columns: Vec<Column>, n_key: usize) -> Self {
        Self {
            name: format!("{}{name}", options.prefix),
            columns,
            n_key,
            clash: Clash::Same,
            age: 1,
            indexed: &[],
        }
    }

    /// The column by which rows grow old.
    pub(super) fn aged(&self) -> &Column {
        &self.columns[self.age]
    }

    /// The processes and their attributes.
    pub(super) fn resources(options: &Options) -> Self {
        let columns = vec![int("id"), text("service"), json("attributes"), int("seen")];
        let clash = Clash::Seen;
        Self { clash, age: 3, ..Self::named(options, "resources", columns, 1) }
    }

    /// The series.
    pub(super) fn series(options: &Options) -> Self {
        let columns = vec![
            int("id"),
            text("name"),
            text("kind"),
            text("unit"),
            text("temporality"),
            json("labels"),
            int("resource"),
            text("service"),
            int("seen"),
        ];
        let (clash, indexed) = (Clash::Seen, &["name"][..]);
        Self { clash, age: 8, indexed, ..Self::named(options, "series", columns, 1) }
    }

    /// The values of series.
    pub(super) fn samples(options: &Options) -> Self {
        let columns = vec![
            int("series"),
            int("time"),
            int("started"),
            Column::new("value", Kind::Value).or_null(),
            int("count").or_null(),
            real("sum"),
            real("min"),
            real("max"),
            real("p50"),
            real("p90"),
            real("p99"),
            json("buckets").or_null(),
        ];
        Self { indexed: &["time"], ..Self::named(options, "samples", columns, 2) }
    }

    /// The spans.
    pub(super) fn spans(options: &Options) -> Self {
        let columns = vec![
            Column::new("trace_id", Kind::Hex(32)),
            Column::new("span_id", Kind::Hex(16)),
            int("start"),
            int("duration"),
            Column::new("parent_span_id", Kind::Hex(16)).or_null(),
            text("name"),
            text("kind"),
            text("status"),
            text("status_message").or_null(),
            text("outcome").or_null(),
            text("trace_state").or_null(),
            json("attributes"),
            json("events").or_null(),
            json("links").or_null(),
            int("resource"),
            text("service"),
        ];
        let (clash, indexed) = (Clash::Open, &["start"][..]);
        Self { clash, age: 2, indexed, ..Self::named(options, "spans", columns, 3) }
    }

    /// The log records.
    pub(super) fn logs(options: &Options) -> Self {
        let columns = vec![
            int("time"),
            int("batch"),
            int("place"),
            int("severity"),
            text("severity_text"),
            text("body"),
            text("target"),
            text("event_name").or_null(),
            Column::new("trace_id", Kind::Hex(32)).or_null(),
            Column::new("span_id", Kind::Hex(16)).or_null(),
            json("attributes"),
            int("resource"),
            text("service"),
        ];
        Self { age: 0, indexed: &["trace_id"], ..Self::named(options, "logs", columns, 3) }
    }

    /// Which versions the schema has been.
    pub(super) fn versions(options: &Options) -> Self {
        Self { age: 0, ..Self::named(options, "schema", vec![int("version")], 1) }
    }
}

/// A table of three columns, with a row for each value of each series: for what reads such a table already.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sqlite")] {
/// use bellwether::export::sql::{PlainTable, Sql};
///
/// let table = PlainTable::new("monitor_data").columns("at", "source", "value").unix_seconds();
/// let sql = Sql::sqlite("monitor.db").plain_table(table);
/// assert!(sql.schema()[0].contains(r#""at" INTEGER NOT NULL"#));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PlainTable {
    name: String,
    columns: [String; 3],
    form: TimeForm,
}

impl PlainTable {
    /// The table `name`, whose columns are `timestamp`, `source` and `value`.
    pub fn new(name: impl Into<String>) -> Self {
        let columns = ["timestamp", "source", "value"].map(str::to_owned);
        Self { name: name.into(), columns, form: TimeForm::Native }
    }

    /// The names of its columns.
    #[must_use]
    pub fn columns(
        self,
        timestamp: impl Into<String>,
        source: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        Self { columns: [timestamp.into(), source.into(), value.into()], ..self }
    }

    /// Has instants as whole seconds since 1970, in place of the type that the database has for them.
    #[must_use]
    pub fn unix_seconds(self) -> Self {
        Self { form: TimeForm::Unix(1_000_000_000), ..self }
    }

    /// Has instants as milliseconds since 1970, in place of the type that the database has for them.
    #[must_use]
    pub fn unix_millis(self) -> Self {
        Self { form: TimeForm::Unix(1_000_000), ..self }
    }

    pub(super) fn table(&self) -> Table {
        let [time, source, value] = self.columns.clone();
        let kinds = [Kind::Time(self.form), Kind::Source, Kind::Value];
        let columns = [time, source, value].into_iter().zip(kinds);
        let columns =
            columns.map(|(name, kind)| Column { name: name.into(), kind, is_required: true });
        Table {
            name: self.name.clone(),
            columns: columns.collect(),
            n_key: 2,
            clash: Clash::Same,
            age: 0,
            indexed: &[],
        }
    }
}

/// `monitor_data (timestamp, source, value)`.
impl Default for PlainTable {
    fn default() -> Self {
        Self::new("monitor_data")
    }
}
