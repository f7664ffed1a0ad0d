//! Texts of a message: each place has its own rules.

/// Writes `text` as a field of the header, or a name: printable ASCII without spaces, `most` characters of it at
/// most. For what else there is stands `_`; nothing is `-`.
pub(super) fn field(out: &mut Vec<u8>, text: &str, most: usize) {
    match text.is_empty() {
        true => out.push(b'-'),
        false => printable(out, text, most, |_| true),
    }
}

/// Writes the name of a parameter (RFC 5424, SD-NAME): at most 32 characters.
pub(super) fn name(out: &mut Vec<u8>, text: &str) {
    match text.is_empty() {
        true => out.push(b'_'),
        false => printable(out, text, MOST_NAME, is_of_name),
    }
}

pub(super) const MOST_NAME: usize = 32;

pub(super) fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'=' | b']' | b'"')
}

fn printable(out: &mut Vec<u8>, text: &str, most: usize, is_legal: impl Fn(u8) -> bool) {
    // A first byte for each character; those after it begin with the bits 10.
    let firsts = text.bytes().filter(|byte| byte & 0xc0 != 0x80);
    out.extend(firsts.take(most).map(|byte| match byte.is_ascii_graphic() && is_legal(byte) {
        true => byte,
        false => b'_',
    }));
}

/// Whether [`field`] leaves `text` as it is.
pub(super) fn is_field(text: &str, most: usize) -> bool {
    text.len() <= most && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Writes the value of a parameter, with escapes (RFC 5424, 6.3.3).
pub(super) fn value(out: &mut Vec<u8>, text: &str) {
    pieces(
        out,
        text,
        |byte| matches!(byte, b'"' | b'\\' | b']' | 0),
        |out, byte| match byte {
            0 => out.extend_from_slice(NUL.as_bytes()),
            byte => out.extend_from_slice(&[b'\\', byte]),
        },
    );
}

/// Writes text of the message itself.
pub(super) fn message(out: &mut Vec<u8>, text: &str) {
    pieces(out, text, |byte| byte == 0, |out, _| out.extend_from_slice(NUL.as_bytes()));
}

/// What stands for a NUL, which ends a message for many receivers.
pub(super) const NUL: &str = "\u{fffd}";

/// Writes `text`, but for the bytes that are special: those are written by `replace`.
fn pieces(
    out: &mut Vec<u8>,
    text: &str,
    is_special: impl Fn(u8) -> bool,
    replace: impl Fn(&mut Vec<u8>, u8),
) {
    let mut rest = text.as_bytes();
    while let Some(place) = rest.iter().position(|byte| is_special(*byte)) {
        out.extend_from_slice(&rest[..place]);
        replace(out, rest[place]);
        rest = &rest[place + 1..];
    }
    out.extend_from_slice(rest);
}

/// Takes away what is beyond `end`, and the rest of a character that was cut.
pub(super) fn cut(out: &mut Vec<u8>, end: usize) {
    if out.len() <= end {
        return;
    }
    let is_first = |place: &usize| out[*place] & 0xc0 != 0x80;
    let end = (0..=end).rev().find(is_first).unwrap_or(0);
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_field_has_printable_ascii_alone_and_ends_in_time() {
        let of = |text| written(|out| field(out, text, 8));
        assert_eq!(
            [of("shop"), of(""), of("a b\u{7f}é"), of("日本\n~!")],
            ["shop", "-", "a_b__", "___~!"]
        );
        assert_eq!(
            (of("12345678").len(), of("123456789").len(), of("日本日本日本日本日本")),
            (8, 8, "________".into())
        );
        for text in ["shop", "", "a b", "é", "12345678", "123456789"] {
            assert_eq!(is_field(text, 8), of(text) == text, "{text}");
        }
    }

    #[test]
    fn a_name_has_nothing_that_ends_it() {
        let of = |text| written(|out| name(out, text));
        assert_eq!([of("http.route"), of(""), of("a=b]c\"d e")], ["http.route", "_", "a_b_c_d_e"]);
        assert_eq!(of(&"k".repeat(33)), "k".repeat(32));
    }

    #[test]
    fn a_value_is_escaped_and_a_message_is_not() {
        let text = "a\"b\\c]d\0\n[é";
        assert_eq!(written(|out| value(out, text)), "a\\\"b\\\\c\\]d\u{fffd}\n[é");
        assert_eq!(written(|out| message(out, text)), "a\"b\\c]d\u{fffd}\n[é");
    }

    #[test]
    fn a_text_is_cut_between_two_characters() {
        for end in 0..=9 {
            let mut out = "aé日x".as_bytes().to_vec();
            cut(&mut out, end);
            assert_eq!(
                str::from_utf8(&out).unwrap(),
                ["", "a", "a", "aé", "aé", "aé", "aé日", "aé日x", "aé日x", "aé日x"][end]
            );
        }
    }
}
