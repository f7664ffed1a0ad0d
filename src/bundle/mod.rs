//! Ready-made metrics for servers and clients of HTTP and gRPC, pools, caches, queues and databases.
//!
//! A bundle is a static with a small set of instruments, under the names that dashboards expect. Its
//! guards record how work ended. A guard that is dropped without being ended records *cancelled*, or
//! *panic* while the thread unwinds; nothing stays counted as in flight. Each bundle's page says what to
//! alert on.
//!
//! | bundle | what it records |
//! | --- | --- |
//! | [`HttpServer`], [`HttpClient`] | requests by route and status, in flight, latency, sizes |
//! | [`GrpcServer`], [`GrpcClient`] | calls by method and status, in flight, latency |
//! | [`ConnectionPool`], [`ThreadPool`] | in use, idle, waiting, time-outs, waiting time, utilisation |
//! | [`Cache`] | hits and misses, evictions by cause, size, latency |
//! | [`Queue`] | length, in and out, time in the queue, age of the oldest, consumer's speed |
//! | [`Database`] | calls by operation and error, latency, waiting for locks, its connections |
//!
//! Names are OpenTelemetry's where its semantic conventions have them (`http.*`, `rpc.*`, `db.*`). Several
//! bundles of one type share their families and differ in a label with their name.
//!
//! A request that is served, and a message that is processed, is often the work of a function under
//! [`#[observe]`](macro@crate::observe). It is measured once, by the bundle: the function keeps its span
//! and `NAME.active`, and records no duration of its own unless it says `duration = always`. What
//! a function only uses (clients, databases, caches, pools) changes nothing of it.
//!
//! # Examples
//!
//! ```
//! use bellwether::{bundle::{HttpServer, Method}, testing};
//!
//! static HTTP: HttpServer = HttpServer::new();
//!
//! let scope = testing::scope();
//! let request = HTTP.start(Method::Get, "/orders/{id}");
//! assert_eq!(HTTP.in_flight(), 1);
//! request.end(200);
//!
//! assert_eq!(HTTP.in_flight(), 0);
//! let served = scope.snapshot();
//! assert_eq!(served.family("http.server.request.duration").unwrap().series().len(), 1);
//! ```

mod given;
mod http;
#[cfg(feature = "tower")]
mod recent;
mod grpc;
mod pool;
mod cache;
mod queue;
mod message;
mod database;

use once_cell::race::OnceRef;

pub use cache::{Cache, EvictionCause, Lookup};
pub use database::{Call, Database};
pub use grpc::{GrpcCall, GrpcClient, GrpcCode, GrpcServer};
pub use http::{HttpClient, HttpRequest, HttpServer, Method, Scheme};
pub use pool::{ConnectionPool, InUse, ThreadPool, Waiting};
pub use queue::{Processing, Queue, Ticket};
#[cfg(feature = "tower")]
pub(crate) use {grpc::GrpcExchange, http::HttpExchange};

use crate::{
    clock::{self, Ticks},
    context::Outcome,
    metric::BoundUpDownCounter,
    sync::Mutex,
};

/// When work began.
#[derive(Clone, Copy, Debug)]
struct Begun {
    at: Ticks,
    was_panicking: bool,
}

impl Begun {
    fn now() -> Self {
        Self { at: clock::now(), was_panicking: std::thread::panicking() }
    }

    fn seconds(self) -> f64 {
        clock::now().seconds_since(self.at)
    }

    /// The outcome of work whose guard is dropped without a result.
    fn abandoned(self) -> Outcome {
        let panics = std::thread::panicking() && !self.was_panicking;
        if panics { Outcome::Panic } else { Outcome::Cancelled }
    }
}

/// The series of one bundle, looked up at its first use.
#[derive(Debug)]
struct Bound<T: 'static>(OnceRef<'static, T>);

impl<T> Bound<T> {
    const fn new() -> Self {
        Self(OnceRef::new())
    }

    /// The series. They live as long as the process, like their families.
    fn get(&self, bind: impl FnOnce() -> T) -> &'static T {
        self.0.get().unwrap_or_else(|| {
            let bound: &'static T = Box::leak(Box::new(bind()));
            // If two threads get here, both receive the series of the first.
            match self.0.set(bound) {
                Ok(()) => bound,
                Err(()) => self.0.get().unwrap_or(bound),
            }
        })
    }
}

/// Sets the sum to `n`, for a total that is counted elsewhere and reported now and then.
fn set(sum: &BoundUpDownCounter, n: u64) {
    /// Held so that two concurrent calls do not both add their difference. A storage's own locks are
    /// taken inside it.
    static SETTING: Mutex<()> = Mutex::new(());
    let _setting = SETTING.lock();
    sum.add(i64::try_from(n).unwrap_or(i64::MAX).saturating_sub(sum.value()));
}
