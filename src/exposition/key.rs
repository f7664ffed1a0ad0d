//! A label's name in the characters that every Prometheus reads.

use std::borrow::Cow;

/// Replaces an empty key, and precedes one that begins with a digit.
pub(super) const NO_KEY: &str = "key_";

/// A key in the characters that every Prometheus reads: `service.name` is `service_name`. Anything but
/// an ASCII letter or digit becomes `_`, never two in a row.
///
/// A key that begins with a digit, or is empty, gets `key_` in front. A key that begins with two
/// underscores, which Prometheus reserves, gets `exported_` in their place.
pub(crate) fn label_name(key: &str) -> Cow<'_, str> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins_with_digit = key.starts_with(|first: char| first.is_ascii_digit());
    if !key.is_empty() && !begins_with_digit && !key.contains("__") && key.chars().all(is_legal) {
        return Cow::Borrowed(key);
    }
    let (mut name, key) = if key.starts_with("__") {
        ("exported_".to_owned(), key.trim_start_matches('_'))
    } else if key.is_empty() || begins_with_digit {
        (NO_KEY.to_owned(), key)
    } else {
        (String::with_capacity(key.len()), key)
    };
    for c in key.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => name.push(c),
            _ if name.ends_with('_') => {}
            _ => name.push('_'),
        }
    }
    Cow::Owned(name)
}
