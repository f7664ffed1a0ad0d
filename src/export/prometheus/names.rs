//! What a family is called on a page: the user's translation strategy, then the scraper's escaping.

use super::{
    Dialect, Format,
    escaping::{page_name, unreserved},
};
use crate::{
    metric::{Kind, Unit},
    snapshot::{exposition_name, sanitised, unit_word},
};

/// How the names of instruments and label keys become names on a page; these are the values that
/// OpenTelemetry's configuration has for `translation_strategy`.
///
/// Names that are then not plain are escaped as the scraper asks ([`Escaping`](super::Escaping)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Translation {
    /// `shop.request.duration` in seconds is `shop_request_duration_seconds`, the counter
    /// `shop.orders` is `shop_orders_total`.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// `shop_request_duration` and `shop_orders`.
    UnderscoreEscapingWithoutSuffixes,
    /// `shop.request.duration_seconds` and `shop.orders_total`.
    NoUtf8EscapingWithSuffixes,
    /// `shop.request.duration` and `shop.orders`, as the instruments were named.
    NoTranslation,
}

/// The names of a family on a page.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Names {
    /// In the lines of help and type; what `_bucket`, `_sum`, `_count` and `_created` are added to.
    pub(super) family: String,
    /// Of a sample that is the value itself.
    pub(super) value: String,
}

impl Translation {
    /// Whether dots and the like become underscores before any escaping.
    pub(super) fn is_plain(self) -> bool {
        matches!(
            self,
            Self::UnderscoreEscapingWithSuffixes | Self::UnderscoreEscapingWithoutSuffixes
        )
    }

    fn has_suffixes(self) -> bool {
        matches!(self, Self::UnderscoreEscapingWithSuffixes | Self::NoUtf8EscapingWithSuffixes)
    }

    /// The key of a label, before it is escaped.
    pub(super) fn key(self, key: &str) -> String {
        if self.is_plain() { sanitised(key) } else { key.to_owned() }
    }

    /// The name before it is escaped, without `_total` or `_info`.
    fn base(self, name: &str, kind: Kind, unit: Unit) -> String {
        match self {
            Self::UnderscoreEscapingWithSuffixes => page_name(exposition_name(name, kind, unit)),
            Self::UnderscoreEscapingWithoutSuffixes => page_name(sanitised(name)),
            Self::NoTranslation => name.to_owned(),
            Self::NoUtf8EscapingWithSuffixes => {
                let base =
                    suffix(kind).and_then(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
                match unit_word(unit, kind) {
                    Some(word) if !ends_in_word(base, word) => format!("{base}_{word}"),
                    _ => base.to_owned(),
                }
            }
        }
    }
}

impl Names {
    /// The names of the family called `name`.
    ///
    /// A suffix is part of what is escaped: samples so have one name in every format. OpenMetrics
    /// derives the family from the sample, and demands the suffixes whatever the strategy.
    pub(super) fn new(
        (name, kind, unit): (&str, Kind, Unit),
        translation: Translation,
        dialect: Dialect,
    ) -> Self {
        let mut base = translation.base(name, kind, unit);
        if base.is_empty() {
            base.push('_'); // Registration refuses it; a page must not depend on that.
        }
        let escape = |name: &str| match kind {
            // It is the key of a label too.
            Kind::StateSet => unreserved(dialect.escaping().escape_key(name)),
            _ => dialect.escaping().escape(name),
        };
        let Some(suffix) = suffix(kind) else {
            let family = escape(&base);
            return Self { value: family.clone(), family };
        };
        let added = if translation.has_suffixes() { suffix } else { "" };
        let sample = escape(&format!("{base}{added}"));
        if dialect.format() != Format::OpenMetrics {
            return Self { family: sample.clone(), value: sample };
        }
        let stem = sample.strip_suffix(suffix).filter(|stem| !stem.is_empty());
        let family = stem.unwrap_or(&sample).to_owned();
        Self { value: format!("{family}{suffix}"), family }
    }

    /// Every name that the family takes on a page.
    pub(super) fn claims(&self, kind: Kind) -> impl Iterator<Item = String> {
        let suffixes: &[&str] = match kind {
            Kind::Counter => &["_created"],
            Kind::Histogram => &["_bucket", "_count", "_sum", "_created"],
            Kind::Summary => &["_count", "_sum", "_created"],
            Kind::Info | Kind::UpDownCounter | Kind::Gauge | Kind::StateSet => &[],
        };
        let samples = suffixes.iter().map(|suffix| format!("{}{suffix}", self.family));
        let own = (self.value != self.family).then(|| self.value.clone());
        samples.chain(own).chain([self.family.clone()])
    }

    /// The unit of the family where OpenMetrics may say so: where the name ends in it.
    pub(super) fn unit(&self, unit: Unit, kind: Kind) -> Option<&'static str> {
        unit_word(unit, kind)
            .filter(|word| self.family.strip_suffix(word).is_some_and(|rest| rest.ends_with('_')))
    }
}

/// The names of the resource.
pub(super) fn target(format: Format) -> Names {
    let family = if format == Format::OpenMetrics { "target" } else { "target_info" };
    Names { family: family.to_owned(), value: "target_info".to_owned() }
}

fn suffix(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Counter => Some("_total"),
        Kind::Info => Some("_info"),
        _ => None,
    }
}

fn ends_in_word(name: &str, word: &str) -> bool {
    name.strip_suffix(word).is_some_and(|rest| rest.ends_with(['_', '.']))
}

#[cfg(test)]
mod tests {
    use super::{super::Escaping, Translation::*, *};

    fn names(
        kind: Kind,
        unit: Unit,
        translation: Translation,
        format: Format,
        escaping: Escaping,
    ) -> (String, String) {
        let dialect = Dialect::new(format, escaping);
        let names = Names::new(("shop.sent", kind, unit), translation, dialect);
        (names.family, names.value)
    }

    #[test]
    fn each_strategy_has_its_names() {
        let of = |translation, format| {
            names(Kind::Counter, Unit::Bytes, translation, format, Escaping::AllowUtf8)
        };
        let pair = |family: &str, value: &str| (family.to_owned(), value.to_owned());
        for (translation, text, family) in [
            (UnderscoreEscapingWithSuffixes, "shop_sent_bytes_total", "shop_sent_bytes"),
            (UnderscoreEscapingWithoutSuffixes, "shop_sent", "shop_sent"),
            (NoUtf8EscapingWithSuffixes, "shop.sent_bytes_total", "shop.sent_bytes"),
            (NoTranslation, "shop.sent", "shop.sent"),
        ] {
            assert_eq!(of(translation, Format::Text1), pair(text, text));
            assert_eq!(
                of(translation, Format::OpenMetrics),
                pair(family, &format!("{family}_total"))
            );
        }
    }

    #[test]
    fn a_sample_has_one_name_in_every_format_and_scheme() {
        for (escaping, value) in [
            (Escaping::Dots, "shop_dot_sent__total"),
            (Escaping::Values, "U__shop_2e_sent__total"),
            (Escaping::Underscores, "shop_sent_total"),
        ] {
            for format in [Format::Text, Format::OpenMetrics] {
                let translation = NoUtf8EscapingWithSuffixes;
                let names = names(Kind::Counter, Unit::NONE, translation, format, escaping);
                assert_eq!(names.1, value);
            }
        }
    }
}
