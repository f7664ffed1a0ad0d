//! How the texts of the kernel are read.

use super::super::{
    collector::Failure,
    files::{Files, text},
};

/// The text at `path`, or none where there is no such file: some kernels, and most imitations of one,
/// lack some.
pub(super) fn text_if_any(files: &dyn Files, path: &str) -> Result<String, Failure> {
    match text(files, path) {
        Err(failure) if failure.reason() == "absent" => Ok(String::new()),
        read => read,
    }
}

/// The figures that a line of names and numbers has: the first word, and the numbers behind it.
pub(super) fn words_and_numbers(line: &str) -> Option<(&str, Vec<u64>)> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next()?;
    Some((name, words.map_while(|word| word.parse().ok()).collect()))
}
