//! Backends that write to sockets and never ask: a place that cannot be one is an error at the start.
#![cfg(all(
    feature = "emf",
    feature = "graphite",
    feature = "influx",
    feature = "statsd",
    feature = "syslog"
))]

use bellwether::{
    Error,
    export::{
        Backend, emf::Emf, graphite::Graphite, influx::Influx, statsd::Statsd, syslog::Syslog,
    },
};

fn start(backend: impl Backend) -> Result<(), Error> {
    bellwether::builder("shop").export(backend).start().map(drop)
}

#[test]
fn a_place_without_a_port_is_an_error_at_the_start_that_names_it() {
    for (place, says) in [
        ("collector.example.com", "it is no `host:port`"),
        ("collector.example.com:graphite", "`graphite` is no port"),
    ] {
        for (scheme, result) in [
            ("udp", start(Statsd::udp(place))),
            ("tcp", start(Graphite::new(place))),
            ("tcp", start(Emf::agent(place, "Shop"))),
            ("udp", start(Influx::udp(place))),
            ("udp", start(Syslog::udp(place))),
            ("tcp", start(Syslog::tcp(place))),
        ] {
            let error = result.expect_err("nothing can be sent there").to_string();
            assert!(error.contains(&format!("{scheme}://{place}: {says}")), "{error}");
        }
    }
}
