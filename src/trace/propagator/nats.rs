//! The headers of NATS' messages as carriers, as `async-nats` has them.

use ::async_nats::{HeaderMap, HeaderName, HeaderValue};

use super::{Extractor, Injector};

impl Extractor for HeaderMap {
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8])) {
        for (key, values) in self.iter() {
            let key: &str = key.as_ref();
            if key.eq_ignore_ascii_case(name) {
                values.iter().for_each(|value| each(value.as_str().as_bytes()));
            }
        }
    }
}

impl Injector for HeaderMap {
    fn set(&mut self, name: &'static str, value: &str) {
        // What this crate writes always is a legal header; what others do may not be.
        if let (Ok(key), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>())
            && !name.is_empty()
        {
            Injector::remove(self, name);
            self.insert(key, value);
        }
    }

    fn remove(&mut self, name: &'static str) {
        let is_it = |key: &HeaderName| AsRef::<str>::as_ref(key).eq_ignore_ascii_case(name);
        // A map has no way to take something away.
        if self.iter().any(|(key, _)| is_it(key)) {
            let mut kept = Self::new();
            for (key, values) in self.iter().filter(|(key, _)| !is_it(key)) {
                values.iter().for_each(|value| kept.append(key.clone(), value.clone()));
            }
            *self = kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{extract, inject_context};

    #[test]
    fn a_context_goes_through_headers() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut headers = HeaderMap::new();
        headers.insert("TraceParent", parent);
        headers.append("tracestate", "a=1");
        headers.append("tracestate", "b=2");
        headers.append("Nats-Msg-Id", "7");
        let context = extract(&headers);
        assert_eq!(context.span().state().as_str(), "a=1,b=2");
        inject_context(&context, &mut headers);
        assert_eq!(extract(&headers), context);
        assert_eq!((headers.len(), headers.get("TraceParent")), (3, None));
        Injector::remove(&mut headers, "traceparent");
        assert!(!extract(&headers).span().is_valid());
    }

    #[test]
    fn what_is_no_header_is_not_set() {
        let mut headers = HeaderMap::new();
        headers.set("", "1");
        headers.set("x trace:", "1");
        headers.set("x-value", "a\r\nb: c");
        assert!(headers.is_empty(), "{headers:?}");
    }
}
