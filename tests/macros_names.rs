//! Names that are constants, and values of the types that users have.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use bellwether::{
    Histogram, Labels, Unit, count, gauge, histogram, metric::Summary, observe, testing, time,
};

mod names {
    pub(super) const HITS: &str = "names.hits";
    pub(super) const QUERY: &str = "names.query";
}

#[test]
fn a_constant_names_an_instrument() {
    const LOAD: &str = "names.load";
    #[observe(name = names::QUERY)]
    fn query() -> Result<u8, String> {
        Err("no".into())
    }
    let scope = testing::scope();
    count!(names::HITS, by = 2, tier = "l1");
    count!(names::HITS, tier = "l1");
    gauge!(LOAD, 0.5, room = "attic");
    histogram!(concat!("names.", "size"), 1.0);
    assert!(time!(names::QUERY, query()).is_err());
    scope.assert_value("names.hits", &[("tier", "l1")], 3.0);
    scope.assert_value("names.load", &[("room", "attic")], 0.5);
    scope.assert_value("names.size", &[], 1.0);
    scope.assert_value("names.query.duration", &[("outcome", "error")], 2.0);
    assert_eq!(scope.span("names.query").name(), "names.query");
}

#[derive(Labels)]
struct Peer<'a> {
    address: IpAddr,
    grade: char,
    method: &'a http::Method,
    status: Option<http::StatusCode>,
}

#[test]
fn addresses_characters_methods_and_status_codes_are_label_values() {
    static PEERS: bellwether::Counter<Peer<'static>> = bellwether::Counter::new("peers", "Peers");
    let scope = testing::scope();
    let (method, status) = (&http::Method::GET, Some(http::StatusCode::NOT_FOUND));
    PEERS.with(Peer { address: Ipv6Addr::LOCALHOST.into(), grade: 'ü', method, status }).inc();
    let labels = [("address", "::1"), ("grade", "ü"), ("method", "GET"), ("status", "404")];
    scope.assert_value("peers", &labels, 1.0);
    count!("peers.dynamic", address = Ipv4Addr::LOCALHOST, status = http::StatusCode::OK, a = 'b');
    let labels = [("a", "b"), ("address", "127.0.0.1"), ("status", "200")];
    scope.assert_value("peers.dynamic", &labels, 1.0);
}

#[derive(Labels)]
struct Cached {
    hit: bool,
}

#[test]
fn a_duration_is_recorded_in_the_unit_of_the_instrument() {
    static SECONDS: Histogram = Histogram::new("unit.s", "").unit(Unit::Seconds);
    static MILLIS: Histogram<Cached> = Histogram::new("unit.ms", "").unit(Unit::new("ms"));
    static NONE: Summary = Summary::new("unit.none", "");
    let scope = testing::scope();
    let time = Duration::from_micros(2_500);
    SECONDS.record(time);
    SECONDS.bind(()).record(time);
    MILLIS.with(Cached { hit: true }).record(time);
    MILLIS.bind(Cached { hit: true }).record(time);
    MILLIS.bind(Cached { hit: true }).record(1.0);
    NONE.record(time);
    histogram!("unit.dynamic", time);
    assert_eq!(SECONDS.snapshot().sum(), 0.005);
    assert_eq!(MILLIS.bind(Cached { hit: true }).snapshot().sum(), 6.0);
    assert_eq!(NONE.snapshot().sum(), 0.0025);
    let snapshot = scope.snapshot();
    let dynamic = snapshot.value("unit.dynamic", &[]).and_then(|value| value.as_histogram());
    assert_eq!(dynamic.map(|all| all.sum()), Some(0.0025));
}
