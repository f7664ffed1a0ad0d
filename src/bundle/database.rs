//! The calls to a database, by OpenTelemetry's semantic conventions.

use std::borrow::Cow;

use bellwether_macros::Labels;

use super::{Begun, ConnectionPool};
use crate::metric::{Held, Histogram, Timer, Unit, UpDownCounter};

/// A database, as one of its clients sees it.
///
/// Records `db.client.operation.duration` by `db.system.name`, `db.namespace`, `db.operation.name` and
/// `error.type`, `db.client.operation.active` (calls under way) and `db.client.lock.wait_time`. It has
/// a [`ConnectionPool`] with the name of the namespace. [`Window::requests`] derives rates and
/// quantiles from the calls.
///
/// `error.type` is the argument of [`Call::error`]; if the guard of a call is dropped without a result,
/// `cancelled` or `panic`.
///
/// [`Window::requests`]: crate::metric::Window::requests
///
/// # What to alert on
///
/// Calls fail, or are slow:
///
/// ```promql
/// sum by (db_namespace) (
///     rate(db_client_operation_duration_seconds_count{error_type!~"|cancelled"}[5m]))
///   / sum by (db_namespace) (rate(db_client_operation_duration_seconds_count[5m])) > 0.01
///
/// histogram_quantile(0.99, sum by (le, db_namespace, db_operation_name)
///   (rate(db_client_operation_duration_seconds_bucket[5m]))) > 0.5
/// ```
///
/// They wait for each other:
///
/// ```promql
/// sum by (db_namespace) (rate(db_client_lock_wait_time_seconds_sum[5m])) > 1
/// ```
///
/// (The sum of the waiting times grows by more than a second a second: at any time, more than one call
/// waits.) Connections run out: see [`ConnectionPool`].
///
/// # Examples
///
/// ```
/// use bellwether::{bundle::Database, testing};
///
/// static ORDERS: Database = Database::new("postgresql", "orders");
///
/// fn insert(scope: &testing::Scope) {
///     let _connection = ORDERS.connections().wait().acquired();
///     let call = ORDERS.call("INSERT");
///     call.ok();
/// }
///
/// let scope = testing::scope();
/// insert(&scope);
/// ORDERS.call("INSERT").error("23505"); // A key that is there already, in PostgreSQL's code.
/// let labels = [
///     ("db.system.name", "postgresql"),
///     ("db.namespace", "orders"),
///     ("db.operation.name", "INSERT"),
///     ("error.type", "23505"),
/// ];
/// scope.assert_value("db.client.operation.duration", &labels, 1.0);
/// ```
#[derive(Debug)]
pub struct Database {
    system: &'static str,
    namespace: &'static str,
    duration: Histogram<Called<'static>>,
    active: UpDownCounter<Named>,
    lock_wait: Histogram<Named>,
    connections: ConnectionPool,
}

/// A call under way: recorded when it ends.
#[derive(Debug)]
#[must_use = "a call that is dropped without a word was cancelled"]
pub struct Call<'a> {
    database: &'a Database,
    operation: Cow<'static, str>,
    begun: Begun,
    ended: Option<Cow<'static, str>>, // The `error.type`; empty after success.
    _active: Held,
}

impl Database {
    /// A database for a static: the name of the system in OpenTelemetry's spelling (`postgresql`,
    /// `mysql`, `redis`, `mongodb`), and the name of the database in it.
    #[must_use]
    pub const fn new(system: &'static str, namespace: &'static str) -> Self {
        Self {
            system,
            namespace,
            duration: Histogram::new(
                "db.client.operation.duration",
                "Duration of database client operations",
            )
            .unit(Unit::Seconds),
            active: UpDownCounter::new("db.client.operation.active", "Database calls under way")
                .unit(Unit::new("{operation}")),
            lock_wait: Histogram::new(
                "db.client.lock.wait_time",
                "Time that calls waited for locks",
            )
            .unit(Unit::Seconds),
            connections: ConnectionPool::new(namespace),
        }
    }

    /// Starts a call of this operation: its name (`SELECT`, `HGETALL`, or your own name for a
    /// statement), not its text.
    pub fn call(&self, operation: impl Into<Cow<'static, str>>) -> Call<'_> {
        let active = self.active.bind(self.named()).hold();
        Call {
            database: self,
            operation: operation.into(),
            begun: Begun::now(),
            ended: None,
            _active: active,
        }
    }

    /// Starts to wait for a lock, an advisory one or that of a transaction. Drop the timer when the
    /// wait ends.
    pub fn wait_for_lock(&self) -> Timer {
        self.lock_wait.bind(self.named()).start_timer()
    }

    /// The pool of its connections.
    #[must_use]
    pub fn connections(&self) -> &ConnectionPool {
        &self.connections
    }

    /// How many calls are under way, in the scope of this thread.
    #[must_use]
    pub fn active(&self) -> i64 {
        self.active.bind(self.named()).value()
    }

    fn named(&self) -> Named {
        Named { system: self.system, namespace: self.namespace }
    }
}

impl Call<'_> {
    /// Ends it with success.
    pub fn ok(self) {
        self.end(Cow::Borrowed(""));
    }

    /// Ends it with an error: a word or code from a small set, because each is a series of its own.
    pub fn error(self, kind: impl Into<Cow<'static, str>>) {
        self.end(kind.into());
    }

    fn end(mut self, error: Cow<'static, str>) {
        self.ended = Some(error);
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let Database { system, namespace, duration, .. } = self.database;
        let duration: &Histogram<Called<'_>> = duration;
        let error = self.ended.as_deref().unwrap_or_else(|| self.begun.abandoned().as_str());
        let labels = Called { system, namespace, operation: &self.operation, error };
        duration.with(labels).record(self.begun.seconds());
    }
}

#[derive(Labels, Debug)]
struct Named {
    #[label(name = "db.system.name")]
    system: &'static str,
    #[label(name = "db.namespace")]
    namespace: &'static str,
}

#[derive(Labels, Debug)]
struct Called<'a> {
    #[label(name = "db.system.name")]
    system: &'static str,
    #[label(name = "db.namespace")]
    namespace: &'static str,
    #[label(name = "db.operation.name")]
    operation: &'a str,
    #[label(name = "error.type")]
    error: &'a str,
}

#[cfg(test)]
mod tests {
    use std::{panic, time::Duration};

    use super::*;
    use crate::testing;

    static DATABASE: Database = Database::new("postgresql", "test");
    const DURATION: &str = "db.client.operation.duration";

    fn called<'a>(operation: &'a str, error: &'a str) -> [(&'a str, &'a str); 4] {
        [
            ("db.system.name", "postgresql"),
            ("db.namespace", "test"),
            ("db.operation.name", operation),
            ("error.type", error),
        ]
    }

    #[test]
    fn calls_are_recorded_by_operation_and_error() {
        let scope = testing::scope();
        let call = DATABASE.call("SELECT");
        assert_eq!(DATABASE.active(), 1);
        scope.advance(Duration::from_millis(125));
        call.ok();
        DATABASE.call("UPDATE").error("40001");
        let snapshot = scope.snapshot();
        let selected = snapshot.value(DURATION, &called("SELECT", "")).unwrap();
        assert_eq!(selected.as_histogram().unwrap().sum(), 0.125);
        scope.assert_value(DURATION, &called("UPDATE", "40001"), 1.0);
        assert_eq!(DATABASE.active(), 0);
    }

    #[test]
    fn a_call_that_panics_or_is_dropped_is_over_and_told_apart() {
        let scope = testing::scope();
        let panicking = panic::catch_unwind(|| {
            let _call = DATABASE.call("SELECT");
            panic::resume_unwind(Box::new(()));
        });
        assert!(panicking.is_err());
        drop(DATABASE.call(String::from("SELECT")));
        scope.assert_value(DURATION, &called("SELECT", "panic"), 1.0);
        scope.assert_value(DURATION, &called("SELECT", "cancelled"), 1.0);
        assert_eq!(DATABASE.active(), 0);
    }

    #[test]
    fn the_time_of_waiting_for_a_lock_is_recorded() {
        let scope = testing::scope();
        let waiting = DATABASE.wait_for_lock();
        scope.advance(Duration::from_secs(3));
        drop(waiting);
        let snapshot = scope.snapshot();
        let labels = [("db.system.name", "postgresql"), ("db.namespace", "test")];
        let waited = snapshot.value("db.client.lock.wait_time", &labels).unwrap();
        assert_eq!(waited.as_histogram().unwrap().sum(), 3.0);
    }

    #[test]
    fn its_connections_are_a_pool_of_its_name_and_its_calls_have_figures() {
        let scope = testing::scope();
        let earlier = scope.snapshot();
        let used = DATABASE.connections().wait().acquired();
        DATABASE.call("SELECT").ok();
        drop(DATABASE.call("SELECT"));
        let labels =
            [("db.client.connection.pool.name", "test"), ("db.client.connection.state", "used")];
        scope.assert_value("db.client.connection.count", &labels, 1.0);
        drop(used);
        let calls = scope.snapshot().since(&earlier).requests(DURATION).unwrap();
        assert_eq!((calls.count, calls.cancelled, calls.in_flight), (2, 1, Some(0)));
    }
}
