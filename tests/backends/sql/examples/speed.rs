//! How many records a second reach a database: by a route, and by a loop that is written by hand for the same rows over
//! the same library, one after the other in one run.
//!
//! ```text
//! cargo run --release --example speed -- sqlite|postgres|mysql PATH|URL
//! ```
//!
//! The route encodes data points, queues and decodes them; by hand the rows are in memory, and go in the same way:
//! `COPY` into PostgreSQL, 256 rows by a prepared statement into the others.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use bellwether::{
    export::sql::Sql,
    metric::{DataPoint, Registry, Temporality},
    pipeline::{Pipe, Route, Setup},
    resource::Resource,
};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, MySqlConnection,
    PgConnection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

const SERIES: usize = 10_000;
const ROUNDS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, place] = &arguments[..] else { panic!("KIND PLACE") };
    let points = points();
    let sql = match kind.as_str() {
        "sqlite" => Sql::sqlite(place),
        "postgres" => Sql::postgres(place, None).create_tables(),
        "mysql" => Sql::mysql(place, None).create_tables(),
        other => panic!("{other} is no database"),
    };
    let ours = ours(sql, points.clone());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let rows = rows(&points);
    let theirs = match kind.as_str() {
        "sqlite" => runtime.block_on(sqlite(place, &rows)),
        "postgres" => runtime.block_on(postgres(place, &rows)),
        _ => runtime.block_on(mysql(place, &rows)),
    };
    let theirs = report("by hand", theirs.expect("the database takes it"));
    println!("ratio {:.2}", ours / theirs);
}

/// Readings of counters, the first of each apart: it is what makes their series known.
fn points() -> Vec<Vec<DataPoint>> {
    let registry = Registry::new();
    let hits = registry.counter("http.server.hits", "").keys(&["method", "route"]);
    let hits = hits.series_limit(SERIES).build().expect("it is legal");
    let round = |_| {
        for n in 0..SERIES {
            hits.with_labels(&[("method", "GET"), ("route", &format!("/route/{n}"))]).add(n as u64);
        }
        registry.snapshot().data_points(Temporality::Cumulative)
    };
    (0..=ROUNDS).map(round).collect()
}

fn ours(sql: Sql, mut points: Vec<Vec<DataPoint>>) -> f64 {
    let pipe = Pipe::start(Route::<DataPoint>::from(sql), &Setup::new(Resource::service("shop")));
    let pipe = pipe.expect("it starts");
    pipe.push(points.remove(0));
    assert!(pipe.flush(PATIENCE), "{}", pipe.report());
    let begin = Instant::now();
    points.into_iter().for_each(|points| pipe.push(points));
    assert!(pipe.flush(PATIENCE), "{}", pipe.report());
    let time = begin.elapsed();
    let report = pipe.shutdown(PATIENCE);
    assert_eq!(report.delivered as usize, (ROUNDS + 1) * SERIES, "{report}");
    self::report("bellwether", time)
}

fn report(name: &str, time: Duration) -> f64 {
    let rate = (ROUNDS * SERIES) as f64 / time.as_secs_f64();
    println!("{name}: {rate:.0} records/s");
    rate
}

/// What a row by hand has: the series, the time, the start and the value; all else is null.
type Row = (i64, i64, i64, f64);

fn rows(points: &[Vec<DataPoint>]) -> Vec<Row> {
    let row = |(n, point): (usize, &DataPoint)| {
        let (time, start) = (point.taken().timestamp(), point.started().timestamp());
        let (time, start) = (time.unix_nanos().cast_signed(), start.unix_nanos().cast_signed());
        // As wide as a hash, and in the order of the index, which is the best order.
        let id = i64::MIN + n as i64 * (i64::MAX / SERIES as i64 * 2);
        (id, time, start, point.value().as_f64())
    };
    points[1..].iter().flat_map(|points| points.iter().enumerate().map(row)).collect()
}

const TABLE: &str = "bellwether_samples";
const COLUMNS: &str = "series, time, started, value";
const BATCH: usize = 8_192;
const CHUNK: usize = 256;

fn insert(n: usize, ending: &str) -> String {
    let rows = vec!["(?,?,?,?)"; n].join(",");
    format!("INSERT INTO {TABLE} ({COLUMNS}) VALUES {rows} {ending}")
}

macro_rules! by_values {
    ($connection:expr, $rows:expr, $ending:expr) => {{
        let statement: std::sync::Arc<str> = insert(CHUNK, $ending).into();
        let begin = Instant::now();
        for batch in $rows.chunks(BATCH) {
            let mut transaction = $connection.begin().await?;
            for chunk in batch.chunks(CHUNK) {
                let text = match chunk.len() {
                    CHUNK => statement.clone(),
                    n => insert(n, $ending).into(),
                };
                let mut query = sqlx::query(AssertSqlSafe(text));
                for (series, time, start, value) in chunk {
                    query = query.bind(series).bind(time).bind(start).bind(value);
                }
                query.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
        }
        Ok(begin.elapsed())
    }};
}

async fn sqlite(place: &str, rows: &[Row]) -> sqlx::Result<Duration> {
    let options = SqliteConnectOptions::new()
        .filename(place)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection: SqliteConnection = options.connect().await?;
    connection.execute(AssertSqlSafe(format!("DELETE FROM {TABLE}"))).await?;
    by_values!(connection, rows, "ON CONFLICT DO NOTHING")
}

async fn mysql(place: &str, rows: &[Row]) -> sqlx::Result<Duration> {
    let mut connection = MySqlConnection::connect(place).await?;
    connection.execute(AssertSqlSafe(format!("DELETE FROM {TABLE}"))).await?;
    by_values!(connection, rows, "ON DUPLICATE KEY UPDATE series = series")
}

/// Into a temporary table, and from there, because `COPY` alone knows no rows that are there already.
async fn postgres(place: &str, rows: &[Row]) -> sqlx::Result<Duration> {
    let mut connection = PgConnection::connect(place).await?;
    connection.execute(AssertSqlSafe(format!("TRUNCATE {TABLE}"))).await?;
    let create =
        format!("CREATE TEMPORARY TABLE batch AS SELECT {COLUMNS} FROM {TABLE} WHERE 1 = 0");
    connection.execute(AssertSqlSafe(create)).await?;
    let begin = Instant::now();
    for batch in rows.chunks(BATCH) {
        let mut text = String::new();
        for (series, time, start, value) in batch {
            let _ = writeln!(text, "{series}\t{time}\t{start}\t{value}");
        }
        let mut transaction = connection.begin().await?;
        let mut copy = transaction.copy_in_raw("COPY batch FROM STDIN").await?;
        copy.send(text.into_bytes()).await?;
        copy.finish().await?;
        let insert =
            format!("INSERT INTO {TABLE} ({COLUMNS}) SELECT * FROM batch ON CONFLICT DO NOTHING");
        transaction.execute(AssertSqlSafe(insert)).await?;
        transaction.execute("TRUNCATE batch").await?;
        transaction.commit().await?;
    }
    Ok(begin.elapsed())
}
