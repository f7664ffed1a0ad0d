//! The names of a family and its samples: by the user's translation strategy, then by the escaping that
//! a reader requests.

use std::borrow::Cow;

use super::escaping::{Escaping, unreserved};
use crate::{
    metric::{Kind, Unit},
    snapshot::{Part, plain_name, unit_word, with_unit},
};

/// How the names of instruments and label keys become names on a page. The values are those of
/// `translation_strategy` in OpenTelemetry's configuration.
///
/// Names that are not plain after this are escaped as the scraper requests ([`Escaping`]).
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

/// The format whose rules hold for the suffix of a counter and of an info.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    /// The suffix is part of the family's name; a sum may fall.
    Prometheus,
    /// The family has no suffix and its sample always has it, whatever the strategy. A sum is there
    /// only if it cannot fall.
    OpenMetrics,
}

/// How names are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Naming {
    pub(crate) translation: Translation,
    pub(crate) escaping: Escaping,
    pub(crate) model: Model,
}

/// The names of a family and its samples.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FamilyName {
    /// The name before `_bucket`, `_sum`, `_count` and `_created`.
    family: String,
    /// The name of a sample that is the value itself.
    value: String,
}

impl Translation {
    /// Whether dots and the like become underscores before any escaping.
    pub(crate) fn is_plain(self) -> bool {
        matches!(
            self,
            Self::UnderscoreEscapingWithSuffixes | Self::UnderscoreEscapingWithoutSuffixes
        )
    }

    fn has_suffixes(self) -> bool {
        matches!(self, Self::UnderscoreEscapingWithSuffixes | Self::NoUtf8EscapingWithSuffixes)
    }

    /// The name before it is escaped, without `_total` or `_info`.
    fn base(self, name: &str, kind: Kind, unit: Unit) -> String {
        let base = if self.is_plain() { plain_name(name) } else { name.to_owned() };
        match self {
            _ if self.has_suffixes() => with_unit(base, kind, unit),
            _ if base.is_empty() => "_".to_owned(), // Registration refuses it.
            _ => base,
        }
    }
}

impl FamilyName {
    /// The names of the family `name` by `naming`.
    ///
    /// Suffixes are escaped with the name, so samples have the same name in every format. OpenMetrics
    /// derives the family from the sample, and requires the suffixes whatever the strategy.
    pub(crate) fn new((name, kind, unit): (&str, Kind, Unit), naming: Naming) -> Self {
        let Naming { translation, escaping, model } = naming;
        let base = translation.base(name, kind, unit);
        let escape = |name: &str| match kind {
            // The name is also the key of a label.
            Kind::StateSet => unreserved(escaping.escape_key(name)),
            _ => escaping.escape(name),
        };
        let suffix = Part::Value.suffix(kind);
        let added = if translation.has_suffixes() { suffix } else { "" };
        let sample = escape(&format!("{base}{added}"));
        if model == Model::Prometheus || suffix.is_empty() {
            return Self { family: sample.clone(), value: sample };
        }
        let stem = sample.strip_suffix(suffix).filter(|stem| !stem.is_empty());
        let family = stem.unwrap_or(&sample).to_owned();
        Self { value: format!("{family}{suffix}"), family }
    }

    /// The names of the resource.
    pub(crate) fn target(model: Model) -> Self {
        let family = if model == Model::OpenMetrics { "target" } else { "target_info" };
        Self { family: family.to_owned(), value: "target_info".to_owned() }
    }

    /// The name of the family.
    pub(crate) fn family(&self) -> &str {
        &self.family
    }

    /// The name of the samples of this part.
    pub(crate) fn sample(&self, part: Part, kind: Kind) -> Cow<'_, str> {
        match part {
            Part::Value => Cow::Borrowed(&self.value),
            part => Cow::Owned(format!("{}{}", self.family, part.suffix(kind))),
        }
    }

    /// Every name that the family uses: its own and those of its samples.
    pub(crate) fn claims(&self, kind: Kind) -> impl Iterator<Item = Cow<'_, str>> {
        let samples = Part::of(kind).iter().map(move |&part| self.sample(part, kind));
        let own = Cow::Borrowed(self.family());
        samples.filter(|name| *name != self.family).chain([own])
    }

    /// The words of the unit if OpenMetrics may show them: if the name ends in them.
    pub(crate) fn unit(&self, unit: Unit, kind: Kind) -> Option<String> {
        let word = unit_word(unit, kind)?;
        let rest = self.family.strip_suffix(word.as_str())?;
        rest.ends_with('_').then(|| word.as_str().to_owned())
    }
}
