//! Texts in formats that cannot escape what they reserve.

/// Writes `text` with `_` in place of each character that is reserved.
pub(crate) fn put(out: &mut Vec<u8>, text: &str, is_reserved: impl Fn(char) -> bool) {
    let mut rest = text;
    while let Some((place, reserved)) = rest.char_indices().find(|(_, c)| is_reserved(*c)) {
        out.extend_from_slice(&rest.as_bytes()[..place]);
        out.push(b'_');
        rest = &rest[place + reserved.len_utf8()..];
    }
    out.extend_from_slice(rest.as_bytes());
}
