//! Percent encoding (RFC 3986, 2.1).

use std::fmt::Write as _;

/// Appends `text` as a value in a query: all but the characters that are never reserved are encoded.
pub(crate) fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(byte.into());
            }
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
}

/// The text whose percent encoding is `text`; `None` if it is none.
#[cfg(feature = "otlp")]
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let byte = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                let digit = |digit: &u8| char::from(*digit).to_digit(16);
                (digit(high)? << 4 | digit(low)?) as u8
            }
            (b'%', _) => return None,
            (byte, after) => {
                rest = after;
                *byte
            }
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_encoded_byte_by_byte() {
        let mut text = String::from("q=");
        encode(&mut text, "a-Z.0_~ é/%\n");
        assert_eq!(text, "q=a-Z.0_~%20%C3%A9%2F%25%0A");
        #[cfg(feature = "otlp")]
        assert_eq!(decoded(&text["q=".len()..]).as_deref(), Some("a-Z.0_~ é/%\n"));
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn what_encodes_nothing_is_no_text() {
        for bad in ["%", "%4", "%zz", "a%é1", "%FF"] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }
}
