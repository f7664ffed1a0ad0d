//! A family as it is sent: its names, the names of its labels, and which of its series were sent.

use std::collections::HashMap;

use super::series::{About, Form};
use crate::{
    clock::Ticks,
    exposition::{Escaping, FamilyName, LabelNames, LabelNaming, Model, Naming, Translation},
    label::LabelSet,
    metric::{DataPoint, Kind, PageBounds, Unit},
};

/// A family that was sent.
pub(super) struct Family {
    kind: Kind,
    pub(super) unit: Unit,
    help: String,
    pub(super) page_bounds: PageBounds,
    pub(super) names: FamilyName,
    pub(super) about: About,
    /// Whether another family has taken one of its names: then it is not sent.
    pub(super) is_left_out: bool,
    shapes: Vec<Shape>, // One for all series as a rule.
    /// Whether two series may have the same labels when they are sent: then these are added up.
    pub(super) is_ambiguous: bool,
    /// The reading of which nothing more is sent, since it is not known what of it was.
    pub(super) is_mute_in: Option<u64>,
    /// Whether there were points of it since the last reading began.
    pub(super) is_met: bool,
    pub(super) known: HashMap<LabelSet, Known>,
}

/// A series that was sent.
pub(super) struct Known {
    pub(super) form: Form,
    /// The number of the last reading that had it.
    pub(super) reading: u64,
    /// The newest exemplar that was sent.
    pub(super) exemplar: Option<Ticks>,
}

/// The names of the keys of label sets.
struct Shape {
    keys: Vec<String>,
    names: Vec<String>,
    label_names: LabelNames,
}

/// How names become those of Prometheus.
#[derive(Clone, Copy, Debug)]
pub(super) struct Namer {
    pub(super) translation: Translation,
}

impl Namer {
    pub(super) fn naming(self, translation: Translation) -> Naming {
        Naming { translation, escaping: self.escaping(), model: Model::Prometheus }
    }

    /// What is not plain after its translation stays as it is: protobuf has no need of escapes.
    fn escaping(self) -> Escaping {
        if self.translation.is_plain() { Escaping::Underscores } else { Escaping::AllowUtf8 }
    }

    /// The names of the labels of a family.
    pub(super) fn labels<'a>(self, kind: Kind, family: (&'a str, &'a str)) -> LabelNaming<'a> {
        let (translation, escaping) = (self.translation, self.escaping());
        LabelNaming { kind, translation, escaping, family }
    }
}

impl Family {
    pub(super) fn new(point: &DataPoint, names: FamilyName, is_left_out: bool) -> Self {
        let (kind, unit, help) = (point.kind(), point.unit(), point.help());
        Self {
            kind,
            unit,
            help: help.to_owned(),
            page_bounds: point.page_bounds(),
            about: About::new(&names, kind, unit, help),
            names,
            is_left_out,
            shapes: Vec::new(),
            is_ambiguous: false,
            is_mute_in: None,
            is_met: false,
            known: HashMap::new(),
        }
    }

    /// Whether `point`, of this name, is of this family.
    pub(super) fn is_of(&self, point: &DataPoint) -> bool {
        (self.kind, self.unit, self.page_bounds)
            == (point.kind(), point.unit(), point.page_bounds())
            && self.help == point.help()
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Learns the keys of `labels`, if they are new.
    pub(super) fn learn(&mut self, namer: Namer, name: &str, labels: &LabelSet, reading: u64) {
        if self.shapes.iter().any(|shape| shape.is_of(labels)) {
            return;
        }
        let label_names = namer.labels(self.kind, (name, self.names.family())).names(labels);
        let is_ambiguous = label_names.are_joined()
            || self.shapes.iter().any(|shape| shape.label_names.are_ambiguous_with(&label_names));
        if is_ambiguous && !self.is_ambiguous {
            self.is_ambiguous = true;
            // Series that were sent under labels that others may have: from the next reading on, they
            // are sent as what they are together.
            let was_sent = self.known.drain().any(|(_, known)| known.reading == reading);
            self.is_mute_in = was_sent.then_some(reading);
        }
        let keys = labels.iter().map(|(key, _)| key.to_owned()).collect();
        let names = label_names.as_slice();
        let names = names.iter().map(|name| spared(name, names)).collect();
        self.shapes.push(Shape { keys, names, label_names });
    }

    /// The labels under which a series is sent, sorted, with those of the target.
    pub(super) fn pairs<'v>(
        &'v self,
        labels: &'v LabelSet,
        target: &'v [(String, String)],
    ) -> Vec<(&'v str, &'v str)> {
        let of_target = target.iter().map(|(name, value)| (&**name, &**value));
        let mut pairs: Vec<(&str, &str)> = of_target.collect();
        if let Some(shape) = self.shapes.iter().find(|shape| shape.is_of(labels)) {
            let values = labels.iter().map(|(_, value)| value);
            pairs.extend(shape.names.iter().map(|name| &**name).zip(values));
        }
        pairs.sort_unstable();
        pairs
    }
}

impl Shape {
    fn is_of(&self, labels: &LabelSet) -> bool {
        labels.len() == self.keys.len()
            && labels.iter().zip(&self.keys).all(|((key, _), own)| key == own)
    }
}

/// The name of a label beside those of the target, which come first: `job` becomes `exported_job`, as it
/// does in a scrape. `others` are the names beside it.
pub(super) fn spared(name: &str, others: &[String]) -> String {
    let mut spared = name.to_owned();
    if TARGET.contains(&name) {
        while spared == name || others.contains(&spared) {
            spared.insert_str(0, "exported_");
        }
    }
    spared
}

/// The labels of the target.
pub(super) const TARGET: [&str; 2] = ["job", "instance"];
