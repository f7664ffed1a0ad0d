//! `http::HeaderMap` as a carrier.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Extractor, Injector};

impl Extractor for HeaderMap {
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8])) {
        for value in self.get_all(name) {
            each(value.as_bytes());
        }
    }
}

impl Injector for HeaderMap {
    fn set(&mut self, name: &'static str, value: &str) {
        // What is set here is printable ASCII, so it always is a header value.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.insert(HeaderName::from_static(name), value);
        }
    }

    fn remove(&mut self, name: &'static str) {
        HeaderMap::remove(self, name);
    }
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
}
