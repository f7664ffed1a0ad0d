//! Names that are not plain, and how Prometheus 3 writes them.
//!
//! A plain name has only the characters that every Prometheus reads: ASCII letters, digits, `_`, and
//! `:` in the name of a metric; it does not begin with a digit. Other names are written in quotes for a
//! scraper that accepts UTF-8. For any other scraper they are escaped by the scheme that it requests
//! (Prometheus, "UTF-8 metric and label name escaping schemes"). Where that page and Prometheus' own
//! library differ, as for other characters under `dots`, this follows the library.

/// How a name that is not plain is written; plain names stay unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Escaping {
    /// `allow-utf-8`: unchanged, in quotes.
    AllowUtf8,
    /// `underscores`: each other character is `_`.
    #[default]
    Underscores,
    /// `dots`: a dot is `_dot_`, an underscore `__`, and each other character `__`.
    Dots,
    /// `values`: `U__`, and each other character is its code point between underscores; an underscore
    /// is `__`. The name can be restored.
    Values,
}

impl Escaping {
    /// The scheme with this name in the parameter `escaping` of a header.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "allow-utf-8" => Some(Self::AllowUtf8),
            "underscores" => Some(Self::Underscores),
            "dots" => Some(Self::Dots),
            "values" => Some(Self::Values),
            _ => None,
        }
    }

    /// Writes `name` by this scheme.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::export::prometheus::Escaping;
    ///
    /// let name = "http.status_code";
    /// assert_eq!(Escaping::Underscores.escape(name), "http_status_code");
    /// assert_eq!(Escaping::Dots.escape(name), "http_dot_status__code");
    /// assert_eq!(Escaping::Values.escape(name), "U__http_2e_status__code");
    /// assert_eq!(Escaping::AllowUtf8.escape(name), name);
    /// ```
    #[must_use]
    pub fn escape(self, name: &str) -> String {
        self.escape_with(name, Colons::Plain)
    }

    /// Writes the key of a label by this scheme: as a name, but a colon is not plain.
    pub(super) fn escape_key(self, key: &str) -> String {
        self.escape_with(key, Colons::Special)
    }

    fn escape_with(self, name: &str, colons: Colons) -> String {
        if self == Self::AllowUtf8 || is_plain(name, colons) {
            return name.to_owned();
        }
        let mut escaped = String::with_capacity(name.len() + 8);
        if self == Self::Values {
            escaped.push_str("U__");
        }
        for (place, character) in name.char_indices() {
            match (self, character) {
                (Self::Dots | Self::Values, '_') => escaped.push_str("__"),
                (Self::Dots, '.') => escaped.push_str("_dot_"),
                _ if is_plain_at(character, place, colons) => escaped.push(character),
                (Self::Values, _) => {
                    escaped.push_str(&format!("_{:x}_", u32::from(character)));
                }
                (Self::Dots, _) => escaped.push_str("__"),
                _ => escaped.push('_'),
            }
        }
        // Only an empty name has nothing to escape.
        if escaped.is_empty() { "_".to_owned() } else { escaped }
    }
}

/// Whether a plain name may have a colon: only that of a metric may.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Colons {
    Plain,
    Special,
}

/// Whether the name of a metric needs neither quotes nor escaping.
pub(crate) fn is_plain_name(name: &str) -> bool {
    is_plain(name, Colons::Plain)
}

/// Whether the key of a label needs neither quotes nor escaping.
pub(crate) fn is_plain_key(key: &str) -> bool {
    is_plain(key, Colons::Special)
}

/// The escaped key, without two underscores at the start, which Prometheus reserves.
pub(super) fn unreserved(key: String) -> String {
    if key.starts_with("__") { format!("exported_{key}") } else { key }
}

fn is_plain(name: &str, colons: Colons) -> bool {
    !name.is_empty()
        && name.char_indices().all(|(place, character)| is_plain_at(character, place, colons))
}

fn is_plain_at(character: char, place: usize, colons: Colons) -> bool {
    match character {
        'a'..='z' | 'A'..='Z' | '_' => true,
        '0'..='9' => place > 0,
        ':' => colons == Colons::Plain,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Escaping::*, *};

    #[test]
    fn known_names_are_escaped_as_prometheus_does() {
        let known = [
            ("no:escaping_required", ["no:escaping_required"; 3]),
            (
                "mysystem.prod.west.cpu.load",
                [
                    "mysystem_prod_west_cpu_load",
                    "mysystem_dot_prod_dot_west_dot_cpu_dot_load",
                    "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load",
                ],
            ),
            (
                "mysystem.prod.west.cpu.load_total",
                [
                    "mysystem_prod_west_cpu_load_total",
                    "mysystem_dot_prod_dot_west_dot_cpu_dot_load__total",
                    "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load__total",
                ],
            ),
            (
                "http.status:sum",
                ["http_status:sum", "http_dot_status:sum", "U__http_2e_status:sum"],
            ),
            ("label with 😱", ["label_with__", "label__with____", "U__label_20_with_20__1f631_"]),
            ("花火", ["__", "____", "U___82b1__706b_"]),
            (
                "metric.name/with/slashes",
                [
                    "metric_name_with_slashes",
                    "metric_dot_name__with__slashes",
                    "U__metric_2e_name_2f_with_2f_slashes",
                ],
            ),
            ("9lives", ["_lives", "__lives", "U___39_lives"]),
        ];
        for (name, expected) in known {
            assert_eq!([Underscores, Dots, Values].map(|scheme| scheme.escape(name)), expected);
            assert_eq!(AllowUtf8.escape(name), name);
        }
    }

    #[test]
    fn a_colon_is_plain_in_a_name_and_not_in_a_key() {
        assert_eq!(Values.escape("a:b"), "a:b");
        assert_eq!(Values.escape_key("a:b"), "U__a_3a_b");
        assert_eq!(Underscores.escape_key("a:b"), "a_b");
    }

    proptest::proptest! {
        #[test]
        fn what_is_escaped_is_plain(name in "\\PC*|[a-z._0-9\u{0}-\u{20}é]*") {
            for scheme in [Underscores, Dots, Values] {
                assert!(is_plain_name(&scheme.escape(&name)), "{name:?}");
                assert!(is_plain_key(&scheme.escape_key(&name)), "{name:?}");
            }
        }

        #[test]
        fn values_tell_names_apart(a in "[a-c._:0-9]{1,6}", b in "[a-c._:0-9]{1,6}") {
            // A plain name that looks escaped is the one exception that the scheme has.
            if !a.starts_with("U__") && !b.starts_with("U__") {
                assert_eq!(Values.escape(&a) == Values.escape(&b), a == b);
            }
        }
    }
}
