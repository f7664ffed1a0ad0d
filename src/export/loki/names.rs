//! Names that Loki takes: `[a-zA-Z_][a-zA-Z0-9_]*`.

/// Appends `key` as a name, as Loki makes one of an attribute that comes by OTLP: `_` stands for each character that
/// no name has, and `key` is before a name that would begin with `_`, `key_` before one with a digit. Names that
/// begin with `__` are Loki's own: of ours none does.
pub(super) fn put(out: &mut Vec<u8>, key: &str) {
    match key.as_bytes().first() {
        Some(first) if first.is_ascii_alphabetic() => {}
        None | Some(b'0'..=b'9') => out.extend_from_slice(b"key_"),
        Some(_) => out.extend_from_slice(b"key"),
    }
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(byte),
            0x80..0xc0 => {} // Within a character, for which one `_` stands.
            _ => out.push(b'_'),
        }
    }
}

/// `key` as a name.
pub(super) fn name_of(key: &str) -> String {
    let mut name = Vec::with_capacity(key.len());
    put(&mut name, key);
    String::from_utf8(name).unwrap_or_default() // It is ASCII.
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_a_legal_name_as_lokis_own_rules_make_it() {
        for (key, name) in [
            ("http.route", "http_route"),
            ("Already_1", "Already_1"),
            ("7up", "key_7up"),
            ("_x", "key_x"),
            ("__x", "key__x"),
            (".x", "key_x"),
            ("é", "key_"),
            ("né\u{1f600}e", "n__e"),
            ("", "key_"),
        ] {
            assert_eq!(name_of(key), name, "{key:?}");
        }
    }
}
