//! Texts of records: printed within bounds, and cut to their limits.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

use crate::{
    label::{self, Text, Value},
    util::catch::catch,
};

/// What `args` print. A literal is not copied. What prints itself without end is stopped, beyond every
/// limit, which is applied later. If it panics, the text says so behind what was printed until then.
pub(crate) fn print(args: fmt::Arguments<'_>) -> Value {
    if let Some(text) = args.as_str() {
        return Value::from_static(text);
    }
    let mut printed = Printed { place: [0; IN_PLACE], len: 0, long: None };
    // An error is that it is full, or a `Display` that fails: what was printed until then stands.
    if catch(|| printed.write_fmt(args)).is_err() {
        let _ = printed.write_str("(panicked while it was shown)");
    }
    printed.value()
}

/// The most bytes of a text that is printed.
const MOST_PRINTED: usize = 1 << 20;

/// The highest limit of texts: a printed text that is cut is beyond it, so that it is counted as cut.
pub(super) const MOST_LIMIT: usize = MOST_PRINTED - 4;

/// How much of a borrowed text is copied at least ([`Text`]).
pub(super) const MOST_COPIED: usize = 64 << 10;

/// Long enough for most messages. Arbitrary.
const IN_PLACE: usize = 256;

/// A text that is short at first, and does not allocate as long as it is.
struct Printed {
    place: [u8; IN_PLACE],
    len: usize,
    long: Option<String>,
}

impl Printed {
    fn value(&self) -> Value {
        match &self.long {
            Some(text) => Text::from(text.as_str()).into(),
            None => Text::from(str::from_utf8(&self.place[..self.len]).unwrap_or_default()).into(),
        }
    }
}

impl fmt::Write for Printed {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Some(long) = &mut self.long {
            let room = MOST_PRINTED.saturating_sub(long.len());
            if text.len() <= room {
                long.push_str(text);
                return Ok(());
            }
            long.push_str(&text[..within(text, room)]);
            return Err(fmt::Error);
        }
        let end = self.len + text.len();
        if let Some(place) = self.place.get_mut(self.len..end) {
            place.copy_from_slice(text.as_bytes());
            self.len = end;
            return Ok(());
        }
        let mut long = String::with_capacity(2 * end.min(MOST_PRINTED));
        long.push_str(str::from_utf8(&self.place[..self.len]).unwrap_or_default());
        self.long = Some(long);
        self.write_str(text)
    }
}

/// Cuts a body to `bytes`, at a character; whether it has been cut, now or when it was made.
pub(super) fn cut_body(body: &mut Value, bytes: usize) -> bool {
    let Value::String(text) = body else { return false };
    if text.len() > bytes {
        *text = Text::from(&text[..within(text, bytes)]);
        return true;
    }
    text.is_truncated()
}

/// Cuts a value to its limits; whether it has been cut, now or when it was made.
pub(super) fn cut_value(value: &mut Value, items: usize, chars: usize) -> bool {
    match value {
        Value::String(text) => text.truncate(chars),
        Value::Array(array) => {
            let (n_items, n_texts) = array.truncate(items, chars);
            n_items + n_texts > 0
        }
        Value::Bool(_) | Value::I64(_) | Value::F64(_) => false,
    }
}

/// The most characters of keys, targets and other names, as of spans.
pub(super) const MOST_NAME: usize = label::MAX_VALUE_BYTES;

/// Cuts a name; whether it was too long.
pub(super) fn cut_name(name: &mut Cow<'static, str>) -> bool {
    let Some(end) = label::end_within(name, MOST_NAME) else { return false };
    match name {
        Cow::Borrowed(text) => *text = &text[..end],
        // A copy, because a shortened String would keep the memory of the long one.
        Cow::Owned(text) => *text = text[..end].to_owned(),
    }
    true
}

/// The end of the last character of `text` that ends within `bytes`.
fn within(text: &str, bytes: usize) -> usize {
    (0..=bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(args: fmt::Arguments<'_>) -> String {
        print(args).to_string()
    }

    #[test]
    fn what_is_printed_is_whole_wherever_its_pieces_end() {
        for n in [0, 1, 22, 23, 255, 256, 257, 300, 5000] {
            let text: String = (0..n).map(|n| ['a', 'ä', '€'][n % 3]).collect();
            for split in [0, 1, n / 2, n] {
                let split = within(&text, split);
                let (head, tail) = text.split_at(split);
                assert_eq!(printed(format_args!("{head}{tail}")), text, "{n}");
            }
        }
    }

    #[test]
    fn a_literal_is_not_copied() {
        let value = print(format_args!("a literal that is longer than what is held in place"));
        assert_eq!(value.heap_bytes(), 0);
    }

    /// Prints without end, and would never return.
    struct Endless;

    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                f.write_str("€uro")?;
            }
        }
    }

    #[test]
    fn what_prints_itself_without_end_is_stopped_at_a_character() {
        label::copy_up_to(MOST_PRINTED);
        let value = print(format_args!("{Endless}"));
        let Value::String(text) = value else { panic!("no text") };
        assert!(text.starts_with("€uro€uro"));
        assert!((MOST_LIMIT..=MOST_PRINTED).contains(&text.len()), "{}", text.len());
    }

    #[test]
    fn a_display_that_fails_leaves_what_it_printed() {
        struct Failing;
        impl fmt::Display for Failing {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("half")?;
                Err(fmt::Error)
            }
        }
        assert_eq!(printed(format_args!("{Failing} more")), "half");
    }

    #[test]
    fn a_display_that_panics_leaves_what_it_printed_and_a_word_about_it() {
        struct Panicking;
        impl fmt::Display for Panicking {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("half")?;
                panic!("on purpose")
            }
        }
        assert_eq!(printed(format_args!("{Panicking} more")), "half(panicked while it was shown)");
    }

    #[test]
    fn texts_and_arrays_are_cut_to_their_limits_and_short_ones_are_not() {
        for (value, cut, is_cut) in [
            (Value::from("äöü"), Value::from("äöü"), false),
            (Value::from("äöüß"), Value::from("äöü"), true),
            (Value::from([1, 2]), Value::from([1, 2]), false),
            (Value::from([1, 2, 3]), Value::from([1, 2]), true),
            (Value::from(7), Value::from(7), false),
        ] {
            let mut limited = value;
            assert_eq!((cut_value(&mut limited, 2, 3), &limited), (is_cut, &cut));
        }
        let mut body = Value::from("aäö");
        assert!(cut_body(&mut body, 4));
        assert_eq!(body, Value::from("aä"));
        assert!(!cut_body(&mut body, 3));
    }
}
