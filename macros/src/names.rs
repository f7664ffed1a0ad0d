//! Which names are legal: the same rules that the library applies at run time (`snapshot/name.rs`
//! there), here so that the message stands at the literal.

use proc_macro2::Span;
use syn::{Error, Ident, LitStr, Result, ext::IdentExt as _};

/// The longest legal instrument name (OpenTelemetry metrics API, "Instrument name syntax").
const MAX_NAME_BYTES: usize = 255;

/// What `time!` and `#[observe]` append for their histogram.
pub(crate) const DURATION: &str = ".duration";

/// What `time!` and `#[observe]` append for their up-down counter.
pub(crate) const ACTIVE: &str = ".active";

/// Checks `name` as an instrument's, with room for `suffix` after it.
pub(crate) fn check_name(name: &str, suffix: &str, at: Span) -> Result<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
    let most = MAX_NAME_BYTES - suffix.len();
    let fault = if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        "it must start with an ASCII letter".to_owned()
    } else if !name.chars().all(legal) {
        "it may hold only ASCII letters, digits, `_`, `.`, `-` and `/`".to_owned()
    } else if name.len() > most {
        format!("it must have at most {most} characters")
    } else {
        return Ok(());
    };
    Err(Error::new(at, format!("{name:?} is no instrument name: {fault}")))
}

/// Checks `key` as a label's.
pub(crate) fn check_key(key: &str, at: Span) -> Result<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let fault = if !key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        "it must start with an ASCII letter or `_`"
    } else if !key.chars().all(legal) {
        "it may hold only ASCII letters, digits, `_` and `.`"
    } else {
        return Ok(());
    };
    Err(Error::new(at, format!("{key:?} is no label key: {fault}")))
}

/// Checks that no two of `keys` are one key, on a Prometheus page included, where `.` becomes `_`.
pub(crate) fn check_unique<'a>(keys: impl Iterator<Item = &'a Key>) -> Result<()> {
    let mut seen: Vec<&Key> = Vec::new();
    for key in keys {
        if let Some(other) = seen.iter().find(|other| other.mapped() == key.mapped()) {
            let message = if other.text == key.text {
                format!("the label key {:?} is there twice", key.text)
            } else {
                format!(
                    "the label keys {:?} and {:?} are one on a Prometheus page",
                    other.text, key.text
                )
            };
            return Err(Error::new(key.at, message));
        }
        seen.push(key);
    }
    Ok(())
}

/// The key of a label or of a span's field, and where it stands.
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) at: Span,
}

impl Key {
    fn mapped(&self) -> String {
        self.text.replace('.', "_")
    }
}

impl From<&Ident> for Key {
    fn from(ident: &Ident) -> Self {
        Self { text: ident.unraw().to_string(), at: ident.span() }
    }
}

impl From<&LitStr> for Key {
    fn from(literal: &LitStr) -> Self {
        Self { text: literal.value(), at: literal.span() }
    }
}

/// A way of writing names; `serde` has the same, under the same names.
#[derive(Clone, Copy)]
pub(crate) enum Case {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl Case {
    pub(crate) const NAMED: [(&str, Self); 8] = [
        ("lowercase", Self::Lower),
        ("UPPERCASE", Self::Upper),
        ("PascalCase", Self::Pascal),
        ("camelCase", Self::Camel),
        ("snake_case", Self::Snake),
        ("SCREAMING_SNAKE_CASE", Self::ScreamingSnake),
        ("kebab-case", Self::Kebab),
        ("SCREAMING-KEBAB-CASE", Self::ScreamingKebab),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|&(_, case)| case)
    }

    /// An identifier, of a variant or of a field, written so.
    pub(crate) fn of(self, name: &str) -> String {
        let snake = snake_case(name);
        match self {
            Self::Snake => snake,
            Self::ScreamingSnake => snake.to_uppercase(),
            Self::Kebab => snake.replace('_', "-"),
            Self::ScreamingKebab => snake.to_uppercase().replace('_', "-"),
            Self::Lower => snake.replace('_', ""),
            Self::Upper => snake.replace('_', "").to_uppercase(),
            Self::Pascal => snake.split('_').map(capitalised).collect(),
            Self::Camel => {
                let mut words = snake.split('_').filter(|word| !word.is_empty());
                let first = words.next().unwrap_or_default().to_owned();
                first + &words.map(capitalised).collect::<String>()
            }
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// `HttpRoute` as `http_route`, `HTTPRoute` too; digits stay with the letters before them.
fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (place, &c) in chars.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| chars[before]);
        let starts_word = c.is_uppercase()
            && before.is_some_and(|before| {
                let ends_acronym = chars.get(place + 1).is_some_and(|next| next.is_lowercase());
                before != '_' && (!before.is_uppercase() || ends_acronym)
            });
        if starts_word {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_starts_at_a_capital_and_an_acronym_is_one_word() {
        for (name, snake) in [
            ("Get", "get"),
            ("NotFound", "not_found"),
            ("HTTPRoute", "http_route"),
            ("Http2", "http2"),
            ("S3Bucket", "s3_bucket"),
            ("Already_Snake", "already_snake"),
            ("A", "a"),
            ("ÄrgerNis", "ärger_nis"),
        ] {
            assert_eq!(snake_case(name), snake);
        }
    }

    #[test]
    fn a_name_is_written_in_each_case() {
        let written = |name: &str| Case::NAMED.map(|(_, case)| case.of(name));
        let not_found = [
            "notfound",
            "NOTFOUND",
            "NotFound",
            "notFound",
            "not_found",
            "NOT_FOUND",
            "not-found",
            "NOT-FOUND",
        ];
        assert_eq!(written("NotFound"), not_found);
        assert_eq!(written("not_found"), not_found);
        assert!(Case::named("Train-Case").is_none());
    }

    #[test]
    fn a_name_leaves_room_for_its_suffix() {
        let check = |length: usize| check_name(&"x".repeat(length), DURATION, Span::call_site());
        assert!(check(246).is_ok());
        assert!(check(247).is_err());
    }
}
