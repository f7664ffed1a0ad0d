//! Numbered spans, as OTLP brings them: each has the attributes `writer` and `seq`.

use prost::Message as _;

/// The few fields of OTLP that are read, by their numbers.
#[derive(Clone, PartialEq, prost::Message)]
struct Body {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<Resource>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Resource {
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<Scope>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Scope {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Span {
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Value {
    #[prost(int64, optional, tag = "3")]
    int: Option<i64>,
}

/// The writer and the number of each span in the body of a request, in order.
pub fn numbered_spans(body: &[u8]) -> Vec<(i64, i64)> {
    let body = Body::decode(body).unwrap();
    let scopes = body.resources.into_iter().flat_map(|resource| resource.scopes);
    let numbers = |span: Span| {
        let number = |key: &str| {
            let found = span.attributes.iter().find(|attribute| attribute.key == key);
            found.and_then(|attribute| attribute.value.as_ref()?.int).unwrap()
        };
        (number("writer"), number("seq"))
    };
    scopes.flat_map(|scope| scope.spans).map(numbers).collect()
}
