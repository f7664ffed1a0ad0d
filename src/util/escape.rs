//! Text as it stands between the quotes of a JSON string (RFC 8259, section 7).

/// Calls `put` with the pieces of `text`, in which `"`, `\` and control characters are escaped. So are
/// U+007F to U+009F, U+2028 and U+2029: some readers take them for line breaks or noise.
pub(crate) fn escape(text: &str, mut put: impl FnMut(&str)) {
    let bytes = text.as_bytes();
    let (mut copied, mut place) = (0, 0);
    while let Some(n_plain) = bytes[place..].iter().position(|&byte| !IS_PLAIN[byte as usize]) {
        place += n_plain;
        // A byte that is not plain is the first of a character.
        let Some(character) = text[place..].chars().next() else { break };
        let end = place + character.len_utf8();
        let short = match character {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => "",
            _ => {
                place = end;
                continue;
            }
        };
        put(&text[copied..place]);
        (copied, place) = (end, end);
        match short {
            "" => put(str::from_utf8(&code_of(character)).unwrap_or_default()),
            short => put(short),
        }
    }
    put(&text[copied..]);
}

/// Bytes that begin no character that is escaped, and those within characters: whole runs of them are copied
/// without a closer look.
const IS_PLAIN: [bool; 256] = {
    let mut is_plain = [true; 256];
    let mut byte = 0;
    while byte < 256 {
        // U+0080 to U+009F begin with 0xC2, U+2028 and U+2029 with 0xE2.
        is_plain[byte] = !matches!(byte as u8, ..0x20 | b'"' | b'\\' | 0x7f | 0xc2 | 0xe2);
        byte += 1;
    }
    is_plain
};

/// `\u` and four hexadecimal digits; of a character below U+10000.
fn code_of(character: char) -> [u8; 6] {
    let mut code = *b"\\u0000";
    let mut rest = u32::from(character);
    for digit in code[2..].iter_mut().rev() {
        *digit = b"0123456789abcdef"[rest as usize % 16];
        rest /= 16;
    }
    code
}
