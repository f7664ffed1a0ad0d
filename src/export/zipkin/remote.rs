//! The other side of a call, by the attributes of its span.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{
    label::Value,
    trace::{SpanKind, SpanRecord},
};

/// The other side of a call.
#[derive(Debug, PartialEq)]
pub(super) enum Remote<'a> {
    Name(&'a str),
    Ipv4(Ipv4Addr, Option<u16>),
    Ipv6(Ipv6Addr, Option<u16>),
}

/// The attributes that name the other side, the best first, each with the one that has the port
/// (OpenTelemetry, "OpenTelemetry to Zipkin Transformation", "Remote endpoint").
const RANKS: [(&str, Option<&str>); 11] = [
    ("peer.service", None),
    ("server.address", Some("server.port")),
    ("net.peer.name", Some("net.peer.port")),
    ("network.peer.address", Some("network.peer.port")),
    ("server.socket.domain", None),
    ("server.socket.address", Some("server.socket.port")),
    ("net.sock.peer.name", None),
    ("net.sock.peer.addr", Some("net.sock.peer.port")),
    ("peer.hostname", None),
    ("peer.address", None),
    ("db.name", None),
];

/// The other side of a span that calls. What is called has none: Zipkin knows its callers by their spans.
pub(super) fn remote_of(span: &SpanRecord) -> Option<Remote<'_>> {
    if !matches!(span.kind(), SpanKind::Client | SpanKind::Producer) {
        return None;
    }
    let get = |key: &str| {
        let found = span.attributes().iter().rev().find(|attribute| attribute.key == key);
        found.map(|attribute| &attribute.value)
    };
    RANKS.iter().find_map(|(key, port)| {
        let Some(Value::String(text)) = get(key) else { return None };
        (!text.is_empty()).then(|| Remote::new(text, port.and_then(get).and_then(port_of)))
    })
}

impl<'a> Remote<'a> {
    /// A text that is an address is one; Zipkin has no place for the port of a name.
    fn new(text: &'a str, port: Option<u16>) -> Self {
        match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => Self::Ipv4(address, port),
            Ok(IpAddr::V6(address)) => Self::Ipv6(address, port),
            Err(_) => Self::Name(text),
        }
    }
}

fn port_of(value: &Value) -> Option<u16> {
    let port = match value {
        Value::I64(port) => u16::try_from(*port).ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    port.filter(|&port| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::KeyValue;

    fn remote(attributes: &[(&'static str, Value)]) -> String {
        let mut span = SpanRecord::new("call").with_kind(SpanKind::Client);
        let attributes = attributes.iter().map(|(key, value)| KeyValue::new(*key, value.clone()));
        *span.attributes_mut() = attributes.collect();
        format!("{:?}", remote_of(&span))
    }

    #[test]
    fn the_best_of_the_attributes_names_the_other_side() {
        let mut left: Vec<(&str, Value)> =
            RANKS.iter().rev().map(|(key, _)| (*key, format!("by {key}").into())).collect();
        while let Some((best, _)) = left.last() {
            assert_eq!(remote(&left), format!("Some(Name(\"by {best}\"))"));
            left.pop();
        }
        assert_eq!(remote(&[]), "None");
        let unusable = [("server.address", 7.into()), ("peer.service", "".into())];
        assert_eq!(remote(&unusable), "None");
    }

    #[test]
    fn an_address_has_its_port() {
        for port in [Value::from(8080), "8080".into()] {
            let peer = [("network.peer.address", "10.1.2.80".into()), ("network.peer.port", port)];
            assert_eq!(remote(&peer), "Some(Ipv4(10.1.2.80, Some(8080)))");
        }
        for port in [Value::from(0), 70_000.into(), "http".into(), true.into()] {
            let peer = [("net.sock.peer.addr", "2001:db8::1".into()), ("net.sock.peer.port", port)];
            assert_eq!(remote(&peer), "Some(Ipv6(2001:db8::1, None))");
        }
        assert_eq!(
            remote(&[("peer.address", "::ffff:1.2.3.4".into())]),
            "Some(Ipv4(1.2.3.4, None))"
        );
    }

    #[test]
    fn only_who_calls_has_another_side() {
        for kind in [SpanKind::Internal, SpanKind::Server, SpanKind::Consumer, SpanKind::Producer] {
            let mut span = SpanRecord::new("call").with_kind(kind);
            span.set_attribute("peer.service", "db");
            assert_eq!(remote_of(&span).is_some(), kind == SpanKind::Producer, "{kind:?}");
        }
    }
}
