//! `http::HeaderMap` as a carrier.

use std::str::FromStr as _;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Extractor, Injector};

// The names that nearly every request is asked for.
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
static BAGGAGE: HeaderName = HeaderName::from_static("baggage");

impl Extractor for HeaderMap {
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8])) {
        // A name that is parsed already is found twice as fast.
        let values = match name {
            "traceparent" => self.get_all(&TRACEPARENT),
            "tracestate" => self.get_all(&TRACESTATE),
            "baggage" => self.get_all(&BAGGAGE),
            other => self.get_all(other),
        };
        for value in values {
            each(value.as_bytes());
        }
    }
}

impl Injector for HeaderMap {
    fn set(&mut self, name: &'static str, value: &str) {
        // What this crate writes always is a legal header; what others do may not be.
        if let (Some(name), Ok(value)) = (header_name(name), HeaderValue::from_str(value)) {
            self.insert(name, value);
        }
    }

    fn remove(&mut self, name: &'static str) {
        HeaderMap::remove(self, name);
    }
}

/// The name, if it is legal: `from_static` allocates nothing, and panics at one that it does not take.
fn header_name(name: &'static str) -> Option<HeaderName> {
    let is_plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    if !name.is_empty() && name.bytes().all(is_plain) {
        return Some(HeaderName::from_static(name));
    }
    HeaderName::from_str(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{extract, inject_context};

    #[test]
    fn a_context_goes_through_a_header_map() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "TraceParent",
            HeaderValue::from_static("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        );
        headers.append("tracestate", HeaderValue::from_static("a=1"));
        headers.append("tracestate", HeaderValue::from_static("b=2"));
        let context = extract(&headers);
        assert_eq!(context.span().state().as_str(), "a=1,b=2");

        let mut outgoing = HeaderMap::new();
        inject_context(&context, &mut outgoing);
        assert_eq!(extract(&outgoing), context);
    }

    #[test]
    fn a_name_that_is_no_lower_case_is_set_all_the_same_and_an_illegal_one_is_not() {
        let mut headers = HeaderMap::new();
        for name in ["X-Trace", "x-trace", "", "x trace", "\u{e9}"] {
            headers.set(name, "1");
            headers.set("x-value", "\n");
        }
        assert_eq!(headers.iter().count(), 1);
        assert_eq!(headers["x-trace"], "1");
        Injector::remove(&mut headers, "X-TRACE");
        assert!(headers.is_empty());
    }
}
