//! The facade's names as legal names of instruments.

use std::borrow::Cow;

use crate::{label::truncate, util::hash::Hash};

/// The longest legal name.
const MAX_BYTES: usize = 255;

/// What the facade's `name` is known by: itself, and its beginning and a hash if it is longer than texts of
/// ours are. Names are kept for ever, and a stranger may have made them.
pub(super) fn known(name: &str) -> Cow<'_, str> {
    let beginning = truncate(name);
    if beginning.len() == name.len() {
        return Cow::Borrowed(name);
    }
    let mut hash = Hash::new();
    hash.push(name.as_bytes());
    Cow::Owned(format!("{beginning}…{:016x}", hash.value()))
}

/// `name` with `_` for each character that may not be there, and `metric_` in front if it does not begin
/// with a letter. What is longer than 255 bytes is cut, and ends in a hash of the whole.
pub(super) fn legal(name: &str) -> Cow<'_, str> {
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic());
    if begins && name.len() <= MAX_BYTES && name.chars().all(is_legal) {
        return Cow::Borrowed(name);
    }
    let before = if begins { "" } else { "metric_" };
    let kept = name.chars().map(|c| if is_legal(c) { c } else { '_' });
    // Cut while it is made: a stranger may have made the name as long as he likes.
    let legal: String = before.chars().chain(kept).take(MAX_BYTES + 1).collect();
    Cow::Owned(if legal.len() > MAX_BYTES { apart(name, &legal) } else { legal })
}

/// A name for `name`, of which `legal` is taken: that, and a hash of `name`.
pub(super) fn apart(name: &str, legal: &str) -> String {
    let suffix = format!("_{:08x}", hash(name));
    let end = legal.len().min(MAX_BYTES - suffix.len());
    format!("{}{suffix}", &legal[..end]) // All ASCII.
}

fn is_legal(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/')
}

/// The same in every process: the name on a dashboard depends on it (FNV-1a).
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_known_by_short_ones_that_differ() {
        assert_eq!(known("tokio::tasks"), "tokio::tasks");
        let [one, other] = ["y", "z"].map(|last| "x".repeat(1 << 20) + last);
        assert!(known(&one).len() < 2_000 && known(&one) != known(&other));
        assert_eq!(known(&one), known(&one.clone()));
    }

    #[test]
    fn a_name_keeps_what_is_legal_of_it() {
        let long = "x".repeat(300);
        for (name, expected) in [
            ("http.requests/total-1_a", "http.requests/total-1_a"),
            ("tokio::tasks", "tokio__tasks"),
            ("9lives", "metric_9lives"),
            ("_hidden", "metric__hidden"),
            ("größe", "gr__e"),
            ("a{b=\"c\"}\n", "a_b__c___"),
            ("", "metric_"),
            (&"é".repeat(2), "metric___"),
        ] {
            assert_eq!(legal(name), expected);
        }
        let cut = legal(&long);
        assert_eq!((cut.len(), &cut[..3]), (255, "xxx"));
        assert_ne!(cut, legal(&format!("{long}y")), "both are cut, and differ");
        assert_eq!(apart("a b", "a_b"), format!("a_b_{:08x}", hash("a b")));
        assert_eq!(hash("foobar"), 0xbf9c_f968, "as the authors of FNV give it");
    }
}
