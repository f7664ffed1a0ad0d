//! gRPC calls, served and made, by OpenTelemetry's semantic conventions for RPC.
//!
//! The label `error.type` is the status if that is an error, or the argument of
//! [`GrpcCall::set_error`]. If the guard is dropped without a status, it is `cancelled` or `panic`.

use std::borrow::Cow;

use bellwether_macros::Labels;

use super::{Begun, given::Given};
use crate::{
    context,
    metric::{Held, Histogram, Unit, UpDownCounter},
};

/// The calls that a gRPC server answers.
///
/// Records `rpc.server.call.duration` by `rpc.system.name` (`grpc`), `rpc.method`
/// (`package.Service/Method`), `rpc.response.status_code` (`OK`, `NOT_FOUND`) and `error.type`.
/// `rpc.server.call.active` are those in flight. [`Window::requests`] derives throughput, error rates
/// and quantiles from them.
///
/// Of a server's statuses, `UNKNOWN`, `DEADLINE_EXCEEDED`, `UNIMPLEMENTED`, `INTERNAL`, `UNAVAILABLE`
/// and `DATA_LOSS` are errors. Methods that strangers made up are better all called `_OTHER`.
///
/// [`Window::requests`]: crate::metric::Window::requests
///
/// # What to alert on
///
/// Many calls fail, are slow, or pile up:
///
/// ```promql
/// sum by (rpc_method) (rate(rpc_server_call_duration_seconds_count{error_type!~"|cancelled"}[5m]))
///   / sum by (rpc_method) (rate(rpc_server_call_duration_seconds_count[5m])) > 0.01
///
/// histogram_quantile(0.99,
///   sum by (le, rpc_method) (rate(rpc_server_call_duration_seconds_bucket[5m]))) > 1
///
/// sum(rpc_server_call_active) > 100
/// ```
///
/// # Examples
///
/// ```
/// use bellwether::{bundle::{GrpcCode, GrpcServer}, testing};
///
/// static CALLS: GrpcServer = GrpcServer::new();
///
/// let scope = testing::scope();
/// CALLS.start("shop.Orders/Get").end(GrpcCode::NotFound);
/// let labels = [
///     ("rpc.system.name", "grpc"),
///     ("rpc.method", "shop.Orders/Get"),
///     ("rpc.response.status_code", "NOT_FOUND"),
///     ("error.type", ""), // The caller's fault.
/// ];
/// scope.assert_value("rpc.server.call.duration", &labels, 1.0);
/// ```
#[derive(Debug)]
pub struct GrpcServer {
    duration: Histogram<Answered<'static>>,
    active: UpDownCounter<BeingAnswered>,
}

/// The calls that a gRPC client makes.
///
/// Records `rpc.client.call.duration` by `rpc.system.name` (`grpc`), `rpc.method`, `server.address`,
/// `server.port`, `rpc.response.status_code` and `error.type`. `rpc.client.call.active` are those in
/// flight. Each status but `OK` is an error.
///
/// # What to alert on
///
/// A service that ours depends on fails, or is slow:
///
/// ```promql
/// sum by (server_address) (rate(rpc_client_call_duration_seconds_count{
///     rpc_response_status_code=~"UNAVAILABLE|DEADLINE_EXCEEDED|INTERNAL|UNKNOWN"}[5m]))
///   / sum by (server_address) (rate(rpc_client_call_duration_seconds_count[5m])) > 0.05
///
/// histogram_quantile(0.99, sum by (le, server_address)
///   (rate(rpc_client_call_duration_seconds_bucket[5m]))) > 2
/// ```
///
/// # Examples
///
/// ```
/// use bellwether::{bundle::{GrpcClient, GrpcCode}, testing};
///
/// static STOCK: GrpcClient = GrpcClient::new();
///
/// let scope = testing::scope();
/// STOCK.start("shop.Stock/Take", "stock.internal", 443).end(GrpcCode::Unavailable);
/// let labels = [
///     ("rpc.system.name", "grpc"),
///     ("rpc.method", "shop.Stock/Take"),
///     ("server.address", "stock.internal"),
///     ("server.port", "443"),
///     ("rpc.response.status_code", "UNAVAILABLE"),
///     ("error.type", "UNAVAILABLE"),
/// ];
/// scope.assert_value("rpc.client.call.duration", &labels, 1.0);
/// ```
#[derive(Debug)]
pub struct GrpcClient {
    duration: Histogram<Called<'static>>,
    active: UpDownCounter<BeingCalled<'static>>,
}

/// A call under way: recorded when it is dropped, with what was set until then.
#[derive(Debug)]
#[must_use = "a call that is dropped without a status was cancelled"]
pub struct GrpcCall<'a> {
    side: Side<'a>,
    method: Cow<'static, str>,
    begun: Begun,
    code: Option<GrpcCode>,
    error: Option<Cow<'static, str>>,
    _active: Held,
}

/// The status of a gRPC call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "gRPC's codes are these; others count as unknown")]
#[expect(missing_docs, reason = "they are their names")]
pub enum GrpcCode {
    Ok,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

impl GrpcServer {
    /// A server for a static.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            duration: Histogram::new("rpc.server.call.duration", "Duration of RPC server calls")
                .unit(Unit::Seconds),
            active: UpDownCounter::new("rpc.server.call.active", "RPC server calls in flight")
                .unit(Unit::new("{call}")),
        }
    }

    /// Starts a call that was received, of a method by its full name: `package.Service/Method`.
    pub fn start(&self, method: impl Into<Cow<'static, str>>) -> GrpcCall<'_> {
        let method = method.into();
        context::note_measured();
        GrpcCall::new(Side::Server(self), method, self.hold())
    }

    /// Counts a call as in flight: for one that whoever measures it will [`record`](Self::record).
    pub(crate) fn hold(&self) -> Held {
        self.active.bind(BeingAnswered { system: SYSTEM }).hold()
    }

    /// Records a call that is over.
    pub(crate) fn record(&self, over: &GrpcExchange<'_>) {
        let error = over.error_type(GrpcCode::is_server_error);
        let labels = Answered { system: SYSTEM, method: over.method, code: over.code(), error };
        let duration: &Histogram<Answered<'_>> = &self.duration;
        duration.with(labels).record(over.seconds);
    }
}

impl Default for GrpcServer {
    fn default() -> Self {
        Self::new()
    }
}

impl GrpcClient {
    /// A client for a static.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            duration: Histogram::new("rpc.client.call.duration", "Duration of RPC client calls")
                .unit(Unit::Seconds),
            active: UpDownCounter::new("rpc.client.call.active", "RPC client calls in flight")
                .unit(Unit::new("{call}")),
        }
    }

    /// Starts a call of the method `package.Service/Method` to the host `address` at `port`; an empty
    /// address, and a port of 0, are not known and no labels.
    pub fn start(
        &self,
        method: impl Into<Cow<'static, str>>,
        address: impl Into<Cow<'static, str>>,
        port: u16,
    ) -> GrpcCall<'_> {
        let address = address.into();
        let active = self.hold(&address, port);
        GrpcCall::new(Side::Client(self, address, port), method.into(), active)
    }

    /// As [`GrpcServer::hold`].
    pub(crate) fn hold(&self, address: &str, port: u16) -> Held {
        let series: &UpDownCounter<BeingCalled<'_>> = &self.active;
        series.bind(BeingCalled { system: SYSTEM, address, port: Given::port(port) }).hold()
    }

    /// Records a call that is over.
    pub(crate) fn record(&self, address: &str, port: u16, over: &GrpcExchange<'_>) {
        let labels = Called {
            system: SYSTEM,
            method: over.method,
            address,
            port: Given::port(port),
            code: over.code(),
            error: over.error_type(|code| code != GrpcCode::Ok),
        };
        let duration: &Histogram<Called<'_>> = &self.duration;
        duration.with(labels).record(over.seconds);
    }
}

impl Default for GrpcClient {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> GrpcCall<'a> {
    fn new(side: Side<'a>, method: Cow<'static, str>, active: Held) -> Self {
        Self { side, method, begun: Begun::now(), code: None, error: None, _active: active }
    }

    /// Ends the call with its status.
    pub fn end(mut self, code: GrpcCode) {
        self.code = Some(code);
    }

    /// Sets what went wrong, with or without a status: a word from a small set, because each is a
    /// series of its own.
    pub fn set_error(&mut self, kind: impl Into<Cow<'static, str>>) {
        self.error = Some(kind.into());
    }
}

impl Drop for GrpcCall<'_> {
    fn drop(&mut self) {
        let error = match (&self.error, self.code) {
            (Some(kind), _) => Some(&**kind),
            (None, Some(_)) => None,
            (None, None) => Some(self.begun.abandoned().as_str()),
        };
        let (method, seconds) = (&*self.method, self.begun.seconds());
        let over = GrpcExchange { method, code: self.code, error, seconds };
        match &self.side {
            Side::Server(server) => server.record(&over),
            Side::Client(client, address, port) => client.record(address, *port, &over),
        }
    }
}

impl GrpcCode {
    const ALL: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// The name, as gRPC has it: `NOT_FOUND`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }

    /// Whether the server is at fault, by OpenTelemetry's conventions.
    #[must_use]
    pub const fn is_server_error(self) -> bool {
        matches!(
            self,
            Self::Unknown
                | Self::DeadlineExceeded
                | Self::Unimplemented
                | Self::Internal
                | Self::Unavailable
                | Self::DataLoss
        )
    }
}

/// By its number, which is what `grpc-status` has; one that gRPC does not have is `Unknown`.
impl From<i32> for GrpcCode {
    fn from(number: i32) -> Self {
        let known = usize::try_from(number).ok().and_then(|place| Self::ALL.get(place));
        known.copied().unwrap_or(Self::Unknown)
    }
}

/// What is recorded of a call that is over.
#[derive(Debug)]
pub(crate) struct GrpcExchange<'a> {
    pub(crate) method: &'a str,
    pub(crate) code: Option<GrpcCode>,
    /// What went wrong besides the status.
    pub(crate) error: Option<&'a str>,
    pub(crate) seconds: f64,
}

impl<'a> GrpcExchange<'a> {
    fn code(&self) -> &'static str {
        self.code.map_or("", GrpcCode::as_str)
    }

    /// The label `error.type`.
    fn error_type(&self, is_error: fn(GrpcCode) -> bool) -> &'a str {
        let of_code = || self.code.filter(|code| is_error(*code)).map(GrpcCode::as_str);
        self.error.or_else(of_code).unwrap_or_default()
    }
}

/// The side of the call, and what only this side knows of it.
#[derive(Debug)]
enum Side<'a> {
    Server(&'a GrpcServer),
    /// With the address and port.
    Client(&'a GrpcClient, Cow<'static, str>, u16),
}

const SYSTEM: &str = "grpc";

#[derive(Labels, Clone, Copy, Debug)]
struct BeingAnswered {
    #[label(name = "rpc.system.name")]
    system: &'static str,
}

#[derive(Labels, Clone, Copy, Debug)]
struct Answered<'a> {
    #[label(name = "rpc.system.name")]
    system: &'static str,
    #[label(name = "rpc.method")]
    method: &'a str,
    #[label(name = "rpc.response.status_code")]
    code: &'static str,
    #[label(name = "error.type")]
    error: &'a str,
}

#[derive(Labels, Clone, Copy, Debug)]
struct BeingCalled<'a> {
    #[label(name = "rpc.system.name")]
    system: &'static str,
    #[label(name = "server.address")]
    address: &'a str,
    #[label(name = "server.port")]
    port: Given<'a>,
}

#[derive(Labels, Clone, Copy, Debug)]
struct Called<'a> {
    #[label(name = "rpc.system.name")]
    system: &'static str,
    #[label(name = "rpc.method")]
    method: &'a str,
    #[label(name = "server.address")]
    address: &'a str,
    #[label(name = "server.port")]
    port: Given<'a>,
    #[label(name = "rpc.response.status_code")]
    code: &'static str,
    #[label(name = "error.type")]
    error: &'a str,
}

#[cfg(test)]
mod tests {
    use std::{panic, time::Duration};

    use super::*;
    use crate::testing;

    static SERVER: GrpcServer = GrpcServer::new();
    static CLIENT: GrpcClient = GrpcClient::new();
    const DURATION: &str = "rpc.server.call.duration";
    const ACTIVE: &[(&str, &str)] = &[("rpc.system.name", "grpc")];

    fn answered<'a>(code: &'a str, error: &'a str) -> [(&'a str, &'a str); 4] {
        [
            ("rpc.system.name", "grpc"),
            ("rpc.method", "shop.Orders/Get"),
            ("rpc.response.status_code", code),
            ("error.type", error),
        ]
    }

    #[test]
    fn a_status_is_an_error_by_the_rules_of_its_side() {
        let scope = testing::scope();
        for code in GrpcCode::ALL {
            SERVER.start("shop.Orders/Get").end(code);
            CLIENT.start("shop.Orders/Get", "", 0).end(code);
        }
        let server = ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE"];
        for code in GrpcCode::ALL.map(GrpcCode::as_str) {
            let is_error = server.contains(&code) || code == "DATA_LOSS";
            let labels = answered(code, if is_error { code } else { "" });
            scope.assert_value(DURATION, &labels, 1.0);
            let labels = answered(code, if code == "OK" { "" } else { code });
            scope.assert_value("rpc.client.call.duration", &labels, 1.0);
        }
    }

    #[test]
    fn a_code_is_known_by_its_number_and_others_are_unknown() {
        for (number, code) in GrpcCode::ALL.into_iter().enumerate() {
            assert_eq!(GrpcCode::from(i32::try_from(number).unwrap()), code);
        }
        for number in [-1, 17, i32::MAX, i32::MIN] {
            assert_eq!(GrpcCode::from(number), GrpcCode::Unknown);
        }
    }

    #[test]
    fn a_call_that_panics_fails_or_is_dropped_is_over_and_has_its_word() {
        let scope = testing::scope();
        let earlier = scope.snapshot();
        let panicking = panic::catch_unwind(|| {
            let _call = SERVER.start("shop.Orders/Get");
            panic::resume_unwind(Box::new(()));
        });
        assert!(panicking.is_err());
        drop(SERVER.start(String::from("shop.Orders/Get")));
        let mut call = SERVER.start("shop.Orders/Get");
        scope.assert_value("rpc.server.call.active", ACTIVE, 1.0);
        scope.advance(Duration::from_millis(250));
        call.set_error("empty_cart");
        call.end(GrpcCode::Internal);
        for (code, error) in [("", "panic"), ("", "cancelled"), ("INTERNAL", "empty_cart")] {
            scope.assert_value(DURATION, &answered(code, error), 1.0);
        }
        let calls = scope.snapshot().since(&earlier).requests(DURATION).unwrap();
        assert_eq!((calls.count, calls.errors, calls.cancelled), (3, 2, 1));
        assert_eq!((calls.in_flight, calls.latency.sum()), (Some(0), 0.25));
    }
}
