//! What the demonstration prints: for a person, in 80 columns, with colour where the terminal has it.

mod account;
mod paint;
mod routes;
mod tree;

pub(crate) use account::{account, totals};
pub(crate) use paint::Paint;
pub(crate) use routes::routes;
pub(crate) use tree::tree;

/// Columns of a terminal.
const WIDTH: usize = 80;

/// In milliseconds, or in microseconds where those would be a fraction.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 1e-3 {
        format!("{:.0} µs", seconds * 1e6)
    } else {
        format!("{:.1} ms", seconds * 1e3)
    }
}

/// `text` in lines of at most 80 columns, each indented by two.
pub(crate) fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut column = WIDTH; // So that the first word begins a line.
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column + 1 + width > WIDTH {
            lines.push_str(if lines.is_empty() { " " } else { "\n " });
            column = 1;
        }
        lines.push(' ');
        lines.push_str(word);
        column += 1 + width;
    }
    lines
}

/// `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_the_unit_that_suits_it() {
        let texts = [0.0000004, 0.00025, 0.001, 0.0123].map(duration);
        assert_eq!(texts, ["0 µs", "250 µs", "1.0 ms", "12.3 ms"]);
    }

    #[test]
    fn wrapped_text_keeps_its_words_and_the_width() {
        let text = "word ".repeat(40);
        let lines = wrapped(&text);
        assert!(lines.lines().all(|line| line.starts_with("  w") && line.len() <= WIDTH));
        assert_eq!(lines.lines().count(), 3);
        assert_eq!(lines.split_whitespace().count(), 40);
    }

    #[test]
    fn thousands_are_set_apart() {
        let texts = [0, 999, 1_000, 1_234_567].map(thousands);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }
}
