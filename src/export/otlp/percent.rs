//! Percent encoding, as headers and gRPC's messages have it.

/// The text whose percent encoding is `text`; `None` if it is none.
pub(super) fn decoded(text: &str) -> Option<String> {
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
