//! Keys of labels on a page: legal, unique within a series, and not reserved by Prometheus.

use std::borrow::Cow;

use super::{
    escaping::{Escaping, unreserved},
    key::{NO_KEY, label_name},
    name::Translation,
};
use crate::{label::LabelSet, metric::Kind};

/// What the keys of a family's labels depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LabelNaming<'a> {
    pub(crate) kind: Kind,
    pub(crate) translation: Translation,
    pub(crate) escaping: Escaping,
    /// The family's name as it was registered, and its Prometheus name: a state set has a key with that
    /// name.
    pub(crate) family: (&'a str, &'a str),
}

/// The names of the keys of a label set on a page.
#[derive(Debug, PartialEq)]
pub(crate) struct LabelNames {
    names: Vec<String>, // In the order of the keys.
    joined: bool,       // Whether two of them are equal.
}

impl LabelNaming<'_> {
    /// The names of the keys of `labels`.
    pub(crate) fn names(self, labels: &LabelSet) -> LabelNames {
        let names: Vec<String> = labels.iter().map(|(key, _)| self.name(key)).collect();
        let joined = (1..names.len()).any(|place| names[..place].contains(&names[place]));
        LabelNames { names, joined }
    }

    /// Any labels under their names. Labels that share a name become one, with their values in the
    /// order of the keys. The label that names a state comes last.
    pub(crate) fn joined<'v>(
        self,
        labels: impl Iterator<Item = (&'v str, &'v str)>,
    ) -> Vec<(String, Cow<'v, str>)> {
        let mut joined: Vec<(String, Cow<'v, str>)> = Vec::new();
        let mut state = None;
        for (key, value) in labels {
            let name = self.name(key);
            if self.is_state(key) {
                state = Some((name, Cow::Borrowed(value)));
            } else {
                add(&mut joined, name, Cow::Borrowed(value));
            }
        }
        if let Some((name, value)) = state {
            add(&mut joined, name, value);
        }
        joined
    }

    /// Whether the key names the state of a state set. It comes last, so that sorting by labels keeps
    /// the states of one thing together, as OpenMetrics requires.
    fn is_state(self, key: &str) -> bool {
        self.kind == Kind::StateSet && key == self.family.0
    }

    /// The name of a key; another key may have the same name.
    fn name(self, key: &str) -> String {
        if self.is_state(key) {
            return self.family.1.to_owned();
        }
        let name = match key {
            _ if self.translation.is_plain() => label_name(key).into_owned(),
            "" => NO_KEY.to_owned(),
            _ => unreserved(self.escaping.escape_key(key)),
        };
        let reserved = match self.kind {
            Kind::Histogram => name == "le",
            Kind::Summary => name == "quantile" || name == "window",
            _ => false,
        };
        if reserved { format!("exported_{name}") } else { name }
    }
}

impl LabelNames {
    /// The names, in the order of the keys.
    pub(crate) fn as_slice(&self) -> &[String] {
        &self.names
    }

    /// Whether series with these names may have equal labels although their label sets differ.
    pub(crate) fn are_joined(&self) -> bool {
        self.joined
    }

    /// Whether two series of a family, one with these names and the other with `other` or these, may
    /// have equal labels although their label sets differ.
    pub(crate) fn are_ambiguous_with(&self, other: &Self) -> bool {
        let includes = |a: &Self, b: &Self| a.names.iter().all(|name| b.names.contains(name));
        self.joined || other.joined || includes(self, other) && includes(other, self)
    }
}

/// Appends `value` to the values of the label `name`.
fn add<'v>(joined: &mut Vec<(String, Cow<'v, str>)>, name: String, value: Cow<'v, str>) {
    match joined.iter_mut().find(|(other, _)| *other == name) {
        Some((_, values)) => {
            let values = values.to_mut();
            values.push(';');
            values.push_str(&value);
        }
        None => joined.push((name, value)),
    }
}
