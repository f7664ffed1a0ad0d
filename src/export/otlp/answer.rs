//! What a server says: partial successes, warnings, and the message of an error.

use super::signal::{Encoding, Names};
use crate::export::wire::protobuf::{Read, fields};

/// What a server says of records that it took.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Partial {
    /// How many it refused.
    pub(super) rejected: u64,
    /// Why, or what it has to say besides.
    pub(super) message: String,
}

impl Partial {
    /// What `body` says; of a body that is no answer of OTLP, nothing.
    pub(super) fn read(body: &[u8], names: &Names, encoding: Encoding) -> Self {
        match encoding {
            Encoding::Protobuf => Self::read_protobuf(body),
            Encoding::Json => Self::read_json(body, names).unwrap_or_default(),
        }
    }

    fn read_protobuf(body: &[u8]) -> Self {
        let mut partial = Self::default();
        for (number, value) in fields(body) {
            let (1, Read::Bytes(message)) = (number, value) else { continue };
            for field in fields(message) {
                match field {
                    // An int64: a negative one counts nothing.
                    (1, Read::Number(n)) => partial.rejected = positive(n.cast_signed()),
                    (2, Read::Bytes(text)) => partial.message = text_of(text),
                    _ => {}
                }
            }
        }
        partial
    }

    fn read_json(body: &[u8], names: &Names) -> Option<Self> {
        let body: serde_json::Value = serde_json::from_slice(body).ok()?;
        let partial = body.get("partialSuccess")?;
        let rejected = partial.get(names.rejected).map_or(0, number);
        let message = partial.get("errorMessage").and_then(|text| text.as_str());
        Some(Self { rejected, message: text_of(message.unwrap_or_default().as_bytes()) })
    }
}

/// The message of a `google.rpc.Status`, or of what else a server sends with an error; empty if there is none.
pub(super) fn error_message(body: &[u8], encoding: Option<Encoding>) -> String {
    match encoding {
        Some(Encoding::Protobuf) => {
            let texts = fields(body).filter_map(|field| match field {
                (2, Read::Bytes(text)) => Some(text_of(text)),
                _ => None,
            });
            texts.last().unwrap_or_default()
        }
        Some(Encoding::Json) => {
            let body = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
            let message = body.get("message").and_then(|text| text.as_str());
            text_of(message.unwrap_or_default().as_bytes())
        }
        None => text_of(body),
    }
}

/// A whole number, or the text of one.
fn number(value: &serde_json::Value) -> u64 {
    let text = value.as_str().and_then(|text| text.parse().ok());
    positive(value.as_i64().or(text).unwrap_or(0))
}

fn positive(n: i64) -> u64 {
    n.try_into().unwrap_or(0)
}

/// The longest text of a server that is kept. Arbitrary: what an error's message has.
const MOST_TEXT: usize = 512;

fn text_of(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(MOST_TEXT)];
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::signal::OtlpSignal as _, *};
    use crate::{
        export::wire::protobuf::{Guess, Protobuf},
        trace::SpanRecord,
    };

    fn partial(rejected: u64, message: &str) -> Partial {
        Partial { rejected, message: message.to_owned() }
    }

    #[test]
    fn a_partial_success_is_read_in_both_forms() {
        let read = |body: &[u8], encoding| Partial::read(body, SpanRecord::NAMES, encoding);
        let mut body = Vec::new();
        Protobuf(&mut body).message(1, Guess::Short, |message| {
            message.varint(1, 3);
            message.bytes(2, b"too old");
        });
        assert_eq!(read(&body, Encoding::Protobuf), partial(3, "too old"));
        assert_eq!(read(b"", Encoding::Protobuf), partial(0, ""));
        for (body, expected) in [
            (
                &br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#[..],
                partial(3, "too old"),
            ),
            (br#"{"partialSuccess":{"rejectedSpans":3}}"#, partial(3, "")),
            (br#"{"partialSuccess":{"rejectedSpans":-3,"errorMessage":"odd"}}"#, partial(0, "odd")),
            (br#"{"partialSuccess":{"rejectedSpans":[7],"errorMessage":7}}"#, partial(0, "")),
            (b"{}", partial(0, "")),
            (b"no JSON", partial(0, "")),
        ] {
            assert_eq!(read(body, Encoding::Json), expected);
        }
    }

    #[test]
    fn the_message_of_an_error_is_read_and_cut() {
        let mut body = Vec::new();
        Protobuf(&mut body).varint(1, 3);
        Protobuf(&mut body).bytes(2, b"no such tenant");
        assert_eq!(error_message(&body, Some(Encoding::Protobuf)), "no such tenant");
        let json = br#"{"code":3,"message":"no such tenant"}"#;
        assert_eq!(error_message(json, Some(Encoding::Json)), "no such tenant");
        assert_eq!(error_message(b" no such tenant\n", None), "no such tenant");
        assert_eq!(error_message(&[b'x'; 9_999], None).len(), MOST_TEXT);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            for encoding in [Encoding::Protobuf, Encoding::Json] {
                let partial = Partial::read(&body, SpanRecord::NAMES, encoding);
                prop_assert!(partial.rejected <= i64::MAX as u64);
                prop_assert!(error_message(&body, Some(encoding)).len() <= 3 * MOST_TEXT);
            }
        }
    }
}
