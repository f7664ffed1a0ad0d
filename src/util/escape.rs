//! Text as it stands between the quotes of a JSON string (RFC 8259, section 7).

/// Calls `put` with the pieces of `text`, in which `"`, `\` and control characters are escaped. So are
/// U+007F to U+009F, U+2028 and U+2029: some readers take them for line breaks or noise.
pub(crate) fn escape(text: &str, mut put: impl FnMut(&str)) {
    // Every character that is escaped has a leading byte of its own, so whole runs are copied.
    let mut copied = 0;
    for (place, character) in text.char_indices() {
        let short = match character {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => "",
            _ => continue,
        };
        put(&text[copied..place]);
        copied = place + character.len_utf8();
        match short {
            "" => put(str::from_utf8(&code_of(character)).unwrap_or_default()),
            short => put(short),
        }
    }
    put(&text[copied..]);
}

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
