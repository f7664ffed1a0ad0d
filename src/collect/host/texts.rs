//! Reads the texts of the kernel.

use super::super::{
    collector::Failure,
    files::{Files, text},
};

/// The text at `path`; empty if there is no such file. Some kernels, and most imitations of one, lack
/// some files.
pub(super) fn text_if_any(files: &dyn Files, path: &str) -> Result<String, Failure> {
    match text(files, path) {
        Err(failure) if failure.reason() == "absent" => Ok(String::new()),
        read => read,
    }
}

/// The first word of a line, and the numbers after it.
pub(super) fn words_and_numbers(line: &str) -> Option<(&str, Vec<u64>)> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next()?;
    Some((name, words.map_while(|word| word.parse().ok()).collect()))
}
