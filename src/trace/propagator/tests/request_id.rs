//! `X-Request-ID`.

use super::*;
use crate::{
    context::Baggage,
    trace::propagator::{Propagators, RequestId},
};

fn of(id: &[u8]) -> Context {
    RequestId::new().extract(&[("X-Request-ID", id)])
}

#[test]
fn an_id_goes_out_as_it_came_in() {
    for id in ["1", "7b5dc8e3-5d1c", "a,b;c=d%20\\\"{}", &"x".repeat(256)] {
        let context = of(id.as_bytes());
        assert_eq!(RequestId::new().of(&context).as_deref(), Some(id));
        assert_eq!(written(&RequestId::new(), &context), [("x-request-id".into(), id.into())]);
        assert_eq!(*context.span(), SpanContext::NONE);
    }
}

#[test]
fn what_is_no_id_is_ignored() {
    let long = "x".repeat(257);
    for id in [&b""[..], b" \t", b"a b", b"a\n", b"\xff", "é".as_bytes(), long.as_bytes()] {
        assert_eq!(of(id), Context::NONE, "{id:?}");
    }
    assert!(written(&RequestId::new(), &Context::NONE).is_empty());
    assert!(written(&RequestId::new().generated(), &Context::NONE).is_empty());
}

#[test]
fn where_none_came_in_it_is_the_trace_id_if_that_was_asked_for() {
    let context = context(true);
    assert!(written(&RequestId::new(), &context).is_empty());
    let generated = RequestId::new().generated();
    assert_eq!(written(&generated, &context)[0].1, context.trace_id().to_string());
    let came = context.with_baggage(of(b"7b5dc8e3").baggage().clone());
    assert_eq!(written(&generated, &came)[0].1, "7b5dc8e3");
}

#[test]
fn it_is_in_no_other_header_and_no_other_header_makes_it() {
    let propagators = Propagators::default().with(RequestId::new());
    let headers = [("x-request-id", "7b5dc8e3"), ("baggage", "tenant=acme,http.request.id=forged")];
    let context = propagators.extract(&headers);
    assert_eq!(RequestId::new().of(&context).as_deref(), Some("7b5dc8e3"));
    assert_eq!(context.baggage().get("http.request.id").as_deref(), Some("7b5dc8e3"));
    let mut written = written(&propagators, &context);
    written.sort();
    assert_eq!(
        written,
        headers
            .map(|(name, value)| (name.into(), value.into()))
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
    );

    let forged = propagators.extract(&[("baggage", "http.request.id=forged")]);
    assert_eq!(RequestId::new().of(&forged), None);
    let own = Context::NONE.with_baggage(Baggage::EMPTY.with("http.request.id", "sent"));
    assert_eq!(RequestId::new().of(&own), None);
}
