//! Texts that are cut, and values that a label can have.

use crate::label::Value;

/// The longest value of a label that Loki takes unless it is configured otherwise.
const MOST_VALUE: usize = 2_048;

/// The beginning of `text`, of at most `most` bytes: whole characters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    &text[..end]
}

/// Whether a label can have this value: an empty one is none, and what has U+FFFD Loki cannot read again.
pub(super) fn fits_label(value: &str) -> bool {
    !value.is_empty() && value.len() <= MOST_VALUE && !value.contains('\u{fffd}')
}

/// `value` as a label can have it; still empty if it is.
pub(super) fn made_fit(value: &str) -> String {
    cut(&value.replace('\u{fffd}', "_"), MOST_VALUE).to_owned()
}

/// `value` as text, which is written into `room` unless it is text already.
pub(super) fn text_of<'a>(value: &'a Value, room: &'a mut Vec<u8>) -> &'a str {
    use std::io::Write as _;
    if let Value::String(text) = value {
        return text;
    }
    room.clear();
    // Writing to a Vec cannot fail.
    let _ = write!(room, "{value}");
    str::from_utf8(room).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!([cut("aé", 3), cut("aé", 2), cut("aé", 1), cut("é", 0)], ["aé", "a", "a", ""]);
    }

    #[test]
    fn a_value_of_a_label_is_neither_empty_nor_long_nor_unreadable() {
        let long = "x".repeat(MOST_VALUE);
        assert!(fits_label(&long) && fits_label("\0\n\"é"));
        assert!(!fits_label(&format!("{long}x")) && !fits_label("") && !fits_label("a\u{fffd}"));
        let fit = made_fit(&format!("\u{fffd}{}", "é".repeat(MOST_VALUE)));
        assert!(fits_label(&fit) && fit.starts_with("_é") && fit.len() == MOST_VALUE - 1);
    }
}
