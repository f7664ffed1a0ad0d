//! Calls of databases with a span and figures each. sqlx and redis have no hook that sees all calls: a
//! function around each call takes its place. Copy [`measured`] into a service.

use std::{error::Error, future::Future};

use bellwether::{InSpan as _, bundle::Database, span, trace::SpanKind};

/// The orders in a database of sqlx.
pub static ORDERS: Database = Database::new("sqlite", "orders");

/// The carts in a server of redis, by the number of its database.
pub static CARTS: Database = Database::new("redis", "0");

/// Runs a call with a span, and measures it: `db.client.operation.duration` by its operation, with what
/// `code` says of an error. A call that is dropped before its end was cancelled.
///
/// # Errors
///
/// Those of `call`.
pub async fn measured<T, E: Error + 'static>(
    database: &'static Database,
    operation: &'static str,
    code: impl Fn(&E) -> String,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let measured = database.call(operation);
    let span = span(operation).kind(SpanKind::Client).attribute("db.operation.name", operation);
    let answer = call.try_in_span(span.start()).await;
    match &answer {
        Ok(_) => measured.ok(),
        Err(error) => measured.error(code(error)),
    }
    answer
}

/// What an error of sqlx is, in a few words that never change.
#[must_use]
pub fn sqlx_code(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.code().unwrap_or("database".into()).into_owned(),
        sqlx::Error::PoolTimedOut => "pool_timed_out".to_owned(),
        sqlx::Error::RowNotFound => "row_not_found".to_owned(),
        sqlx::Error::Io(_) => "io".to_owned(),
        _ => "_OTHER".to_owned(),
    }
}

/// What an error of redis is, by the word that the server answered with.
#[must_use]
pub fn redis_code(error: &redis::RedisError) -> String {
    error.code().unwrap_or(error.category()).to_owned()
}
