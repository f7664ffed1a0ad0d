//! Pools of connections and of threads: what is in use, what waits, and what timed out.

use bellwether_macros::Labels;

use super::{Begun, Bound, set};
use crate::{
    label::Labels,
    metric::{
        BoundCounter, BoundHistogram, BoundUpDownCounter, Counter, Held, Histogram, Unit,
        UpDownCounter,
    },
};

/// A pool of connections, by OpenTelemetry's semantic conventions for database clients. It also
/// measures any other pool of things that are borrowed and given back.
///
/// Records `db.client.connection.count` by `db.client.connection.state` (`used` or `idle`), `.max`,
/// `.pending_requests` (requests that wait), `.timeouts`, `.wait_time` and `.use_time`, all by
/// `db.client.connection.pool.name`. Guards count uses and waits. The pool must set how many
/// connections are [idle](Self::set_idle), and how many there may be.
///
/// # What to alert on
///
/// The pool is about to run out:
///
/// ```promql
/// sum by (db_client_connection_pool_name) (
///     db_client_connection_count{db_client_connection_state="used"})
///   / sum by (db_client_connection_pool_name) (db_client_connection_max) > 0.9
/// ```
///
/// It has run out: requests time out, or wait long.
///
/// ```promql
/// sum by (db_client_connection_pool_name) (increase(db_client_connection_timeouts_total[5m])) > 0
///
/// histogram_quantile(0.99, sum by (le, db_client_connection_pool_name)
///   (rate(db_client_connection_wait_time_seconds_bucket[5m]))) > 0.1
/// ```
///
/// Connections are held for too long, which is why it runs out:
///
/// ```promql
/// histogram_quantile(0.99, sum by (le, db_client_connection_pool_name)
///   (rate(db_client_connection_use_time_seconds_bucket[5m]))) > 5
/// ```
///
/// # Examples
///
/// ```
/// use bellwether::{bundle::ConnectionPool, testing};
///
/// static POOL: ConnectionPool = ConnectionPool::new("orders");
///
/// let scope = testing::scope();
/// POOL.set_max(10);
/// let waiting = POOL.wait();
/// let used = waiting.acquired(); // Beside the connection, for as long as it is borrowed.
/// assert_eq!((POOL.in_use(), POOL.utilisation()), (1, Some(0.1)));
/// drop(used);
/// assert_eq!(POOL.in_use(), 0);
///
/// POOL.wait().timed_out();
/// let labels = [("db.client.connection.pool.name", "orders")];
/// scope.assert_value("db.client.connection.timeouts", &labels, 1.0);
/// ```
#[derive(Debug)]
pub struct ConnectionPool {
    name: &'static str,
    instruments: Instruments<NamedConnections, ConnectionsInState>,
    bound: Bound<Slots>,
}

/// A pool of threads that run tasks.
///
/// OpenTelemetry has no convention for it; the names follow those for connections:
/// `thread_pool.thread.count` by `thread_pool.thread.state` (`used` or `idle`), `.max`,
/// `thread_pool.task.pending` (tasks that wait for a thread), `.timeouts` (tasks that were rejected or
/// given up), `.wait_time` and `.duration`, all by `thread_pool.name`.
///
/// # What to alert on
///
/// All threads are busy, and tasks wait:
///
/// ```promql
/// sum by (thread_pool_name) (thread_pool_thread_count{thread_pool_thread_state="used"})
///   / sum by (thread_pool_name) (thread_pool_thread_max) > 0.95
///
/// histogram_quantile(0.99, sum by (le, thread_pool_name)
///   (rate(thread_pool_task_wait_time_seconds_bucket[5m]))) > 0.1
/// ```
///
/// Tasks are rejected:
///
/// ```promql
/// sum by (thread_pool_name) (increase(thread_pool_task_timeouts_total[5m])) > 0
/// ```
///
/// # Examples
///
/// ```
/// use bellwether::{bundle::ThreadPool, testing};
///
/// static WORKERS: ThreadPool = ThreadPool::new("workers");
///
/// let scope = testing::scope();
/// let waiting = WORKERS.wait(); // Where the task is handed in.
/// let task = move || {
///     let _used = waiting.acquired();
///     assert_eq!((WORKERS.waiting(), WORKERS.in_use()), (0, 1));
/// };
/// task();
/// scope.assert_value("thread_pool.task.duration", &[("thread_pool.name", "workers")], 1.0);
/// ```
#[derive(Debug)]
pub struct ThreadPool {
    name: &'static str,
    instruments: Instruments<NamedThreads, ThreadsInState>,
    bound: Bound<Slots>,
}

/// A request that waits for a pool. Dropped without a result, it was given up by the caller: neither a
/// waiting time nor a time-out is recorded.
#[derive(Debug)]
#[must_use = "dropping it ends the wait"]
pub struct Waiting {
    slots: &'static Slots,
    begun: Begun,
    pending: Held,
}

/// An item of a pool in use. When it is dropped, it is given back and its time is recorded.
#[derive(Debug)]
#[must_use = "dropping it gives it back"]
pub struct InUse {
    slots: &'static Slots,
    begun: Begun,
    _used: Held,
}

impl ConnectionPool {
    /// A pool for a static, by its name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        let instruments = Instruments::new(Names {
            unit: Unit::new("{connection}"),
            count: "db.client.connection.count",
            max: "db.client.connection.max",
            pending: "db.client.connection.pending_requests",
            timeouts: "db.client.connection.timeouts",
            wait: "db.client.connection.wait_time",
            usage: "db.client.connection.use_time",
        });
        Self { name, instruments, bound: Bound::new() }
    }

    fn slots(&self) -> &'static Slots {
        let pool = self.name;
        let in_state = |state| ConnectionsInState { pool, state };
        self.bound.get(|| self.instruments.bind(|| NamedConnections { pool }, in_state))
    }
}

impl ThreadPool {
    /// A pool for a static, by its name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        let instruments = Instruments::new(Names {
            unit: Unit::new("{thread}"),
            count: "thread_pool.thread.count",
            max: "thread_pool.thread.max",
            pending: "thread_pool.task.pending",
            timeouts: "thread_pool.task.timeouts",
            wait: "thread_pool.task.wait_time",
            usage: "thread_pool.task.duration",
        });
        Self { name, instruments, bound: Bound::new() }
    }

    fn slots(&self) -> &'static Slots {
        let pool = self.name;
        let in_state = |state| ThreadsInState { pool, state };
        self.bound.get(|| self.instruments.bind(|| NamedThreads { pool }, in_state))
    }
}

/// The methods of both pools.
macro_rules! pool {
    ($pool:ident) => {
        impl $pool {
            /// Begins to wait. If the pool has an item at hand, end the wait at once.
            pub fn wait(&self) -> Waiting {
                let slots = self.slots();
                Waiting { slots, begun: Begun::now(), pending: slots.pending.hold() }
            }

            /// Sets how many are idle; the last call counts.
            pub fn set_idle(&self, n: u64) {
                set(&self.slots().idle, n);
            }

            /// Sets how many there may be at most.
            pub fn set_max(&self, n: u64) {
                set(&self.slots().max, n);
            }

            /// How many are in use, in the scope of this thread.
            #[must_use]
            pub fn in_use(&self) -> i64 {
                self.slots().used.value()
            }

            /// How many wait, in the scope of this thread.
            #[must_use]
            pub fn waiting(&self) -> i64 {
                self.slots().pending.value()
            }

            /// The share in use now of the most there may be; `None` if the maximum was never set.
            #[must_use]
            pub fn utilisation(&self) -> Option<f64> {
                let slots = self.slots();
                let max = slots.max.value();
                (max > 0).then(|| slots.used.value() as f64 / max as f64)
            }
        }
    };
}

pool!(ConnectionPool);
pool!(ThreadPool);

impl Waiting {
    /// Ends the wait with success, and begins the use.
    pub fn acquired(self) -> InUse {
        let Self { slots, begun, pending } = self;
        slots.wait.record(begun.seconds());
        drop(pending);
        InUse { slots, begun: Begun::now(), _used: slots.used.hold() }
    }

    /// Ends the wait because it took too long, or the pool was full.
    pub fn timed_out(self) {
        self.slots.timeouts.inc();
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.slots.usage.record(self.begun.seconds());
    }
}

/// The instruments of one kind of pool, by the labels of a pool and of one of its states.
#[derive(Debug)]
struct Instruments<P, S> {
    count: UpDownCounter<S>,
    max: UpDownCounter<P>,
    pending: UpDownCounter<P>,
    timeouts: Counter<P>,
    wait: Histogram<P>,
    usage: Histogram<P>,
}

/// The names of the instruments of one kind of pool.
struct Names {
    unit: Unit,
    count: &'static str,
    max: &'static str,
    pending: &'static str,
    timeouts: &'static str,
    wait: &'static str,
    usage: &'static str,
}

/// The series of one pool.
#[derive(Debug)]
struct Slots {
    used: BoundUpDownCounter,
    idle: BoundUpDownCounter,
    max: BoundUpDownCounter,
    pending: BoundUpDownCounter,
    timeouts: BoundCounter,
    wait: BoundHistogram,
    usage: BoundHistogram,
}

impl<P, S> Instruments<P, S> {
    const fn new(names: Names) -> Self {
        let request = Unit::new("{request}");
        Self {
            count: UpDownCounter::new(names.count, "How many the pool has, by state")
                .unit(names.unit),
            max: UpDownCounter::new(names.max, "How many the pool may have").unit(names.unit),
            pending: UpDownCounter::new(names.pending, "Who waits for the pool").unit(request),
            timeouts: Counter::new(names.timeouts, "Who gave up to wait for the pool")
                .unit(Unit::new("{timeout}")),
            wait: Histogram::new(names.wait, "Time until the pool had one").unit(Unit::Seconds),
            usage: Histogram::new(names.usage, "Time until it was given back").unit(Unit::Seconds),
        }
    }
}

impl<P: Labels, S: Labels> Instruments<P, S> {
    fn bind(&self, named: impl Fn() -> P, in_state: impl Fn(State) -> S) -> Slots {
        Slots {
            used: self.count.bind(in_state(State::Used)),
            idle: self.count.bind(in_state(State::Idle)),
            max: self.max.bind(named()),
            pending: self.pending.bind(named()),
            timeouts: self.timeouts.bind(named()),
            wait: self.wait.bind(named()),
            usage: self.usage.bind(named()),
        }
    }
}

#[derive(Labels, Clone, Copy, Debug)]
enum State {
    Idle,
    Used,
}

#[derive(Labels, Debug)]
struct NamedConnections {
    #[label(name = "db.client.connection.pool.name")]
    pool: &'static str,
}

#[derive(Labels, Debug)]
struct ConnectionsInState {
    #[label(name = "db.client.connection.pool.name")]
    pool: &'static str,
    #[label(name = "db.client.connection.state")]
    state: State,
}

#[derive(Labels, Debug)]
struct NamedThreads {
    #[label(name = "thread_pool.name")]
    pool: &'static str,
}

#[derive(Labels, Debug)]
struct ThreadsInState {
    #[label(name = "thread_pool.name")]
    pool: &'static str,
    #[label(name = "thread_pool.thread.state")]
    state: State,
}

#[cfg(test)]
mod tests {
    use std::{panic, thread, time::Duration};

    use super::*;
    use crate::testing::{self, Scope, carry};

    static POOL: ConnectionPool = ConnectionPool::new("test");
    static OTHER: ConnectionPool = ConnectionPool::new("other");
    const NAMED: &[(&str, &str)] = &[("db.client.connection.pool.name", "test")];
    const SECOND: Duration = Duration::from_secs(1);

    fn series(scope: &Scope, name: &str) -> f64 {
        scope.value(&format!("db.client.connection.{name}"), NAMED)
    }

    fn sum(scope: &Scope, name: &str) -> f64 {
        let snapshot = scope.snapshot();
        let series = snapshot.value(&format!("db.client.connection.{name}"), NAMED);
        series.unwrap().as_histogram().unwrap().sum()
    }

    #[test]
    fn a_use_is_waited_for_timed_and_given_back() {
        let scope = testing::scope();
        let waiting = POOL.wait();
        assert_eq!((POOL.waiting(), series(&scope, "pending_requests")), (1, 1.0));
        scope.advance(SECOND);
        let used = waiting.acquired();
        assert_eq!((POOL.waiting(), POOL.in_use()), (0, 1));
        let in_state = [NAMED[0], ("db.client.connection.state", "used")];
        scope.assert_value("db.client.connection.count", &in_state, 1.0);
        scope.advance(SECOND * 3);
        drop(used);
        assert_eq!(POOL.in_use(), 0);
        assert_eq!((sum(&scope, "wait_time"), sum(&scope, "use_time")), (1.0, 3.0));
    }

    #[test]
    fn who_gives_up_is_counted_only_where_the_time_ran_out() {
        let scope = testing::scope();
        POOL.wait().timed_out();
        drop(POOL.wait());
        assert_eq!((series(&scope, "timeouts"), POOL.waiting()), (1.0, 0));
        assert_eq!(series(&scope, "wait_time"), 0.0);
    }

    #[test]
    fn a_panic_gives_back_what_was_used() {
        let scope = testing::scope();
        let panicking = panic::catch_unwind(|| {
            let _used = POOL.wait().acquired();
            let _waiting = POOL.wait();
            panic::resume_unwind(Box::new(()));
        });
        assert!(panicking.is_err());
        assert_eq!((POOL.in_use(), POOL.waiting(), series(&scope, "use_time")), (0, 0, 1.0));
    }

    #[test]
    fn what_the_pool_tells_takes_the_place_of_what_it_told_before() {
        let scope = testing::scope();
        assert_eq!(POOL.utilisation(), None);
        for (idle, max) in [(3, 8), (7, 4)] {
            POOL.set_idle(idle);
            POOL.set_max(max);
        }
        OTHER.set_max(100);
        let held = [POOL.wait().acquired(), POOL.wait().acquired()];
        let in_state = [NAMED[0], ("db.client.connection.state", "idle")];
        scope.assert_value("db.client.connection.count", &in_state, 7.0);
        assert_eq!((series(&scope, "max"), POOL.utilisation()), (4.0, Some(0.5)));
        drop(held);
    }

    #[test]
    fn many_who_tell_at_once_leave_what_one_of_them_told() {
        let _scope = testing::scope();
        let tell: Vec<_> = (1..=4)
            .map(|_| thread::spawn(carry(|| (0..50).for_each(|_| POOL.set_max(9)))))
            .collect();
        tell.into_iter().for_each(|thread| thread.join().unwrap());
        let used = POOL.wait().acquired();
        assert_eq!(POOL.utilisation(), Some(1.0 / 9.0));
        drop(used);
    }

    #[test]
    fn a_task_may_be_handed_in_on_one_thread_and_run_on_another() {
        static WORKERS: ThreadPool = ThreadPool::new("test");
        let scope = testing::scope();
        let waiting = WORKERS.wait();
        thread::spawn(carry(move || drop(waiting.acquired()))).join().unwrap();
        let labels = [("thread_pool.name", "test")];
        scope.assert_value("thread_pool.task.wait_time", &labels, 1.0);
        scope.assert_value("thread_pool.task.duration", &labels, 1.0);
        assert_eq!((WORKERS.waiting(), WORKERS.in_use()), (0, 0));
    }
}
