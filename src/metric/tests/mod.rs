//! Instruments, registries and snapshots together.

mod callbacks;
mod histograms;
mod limits;
mod registration;
mod removal;
mod threads;
mod totals;

use std::thread;

use super::*;
use crate::{
    cells::{self, orphaned},
    label::{Dynamic, Labels},
    series::{Descriptor, Family as SeriesFamily, Found, Pin, Settings, Shape, lookup},
};

/// The test's own storage, so that tests of statics do not see each other.
fn scope() -> cells::Entered {
    cells::enter(Some(cells::Storage::new(true)))
}

#[derive(Clone, Copy)]
pub(super) struct Route<'a>(pub(super) &'a str);

impl Labels for Route<'_> {
    const KEYS: &'static [&'static str] = &["route"];
    const CARDINALITY: Option<usize> = None;

    fn index(&self) -> usize {
        0
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each(self.0);
    }

    fn at(_index: usize) -> Vec<std::borrow::Cow<'static, str>> {
        vec!["".into()]
    }
}

#[derive(Clone, Copy)]
pub(super) struct Hit(pub(super) bool);

impl Labels for Hit {
    const KEYS: &'static [&'static str] = &["hit"];
    const CARDINALITY: Option<usize> = Some(2);

    fn index(&self) -> usize {
        usize::from(self.0)
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each(if self.0 { "true" } else { "false" });
    }

    fn at(index: usize) -> Vec<std::borrow::Cow<'static, str>> {
        vec![["false", "true"][index].into()]
    }
}

/// An open family with these keys, on no registry's page.
pub(crate) fn open_family(
    kind: Kind,
    keys: &[&'static str],
    limit: usize,
) -> &'static SeriesFamily {
    open_family_within(kind, keys, limit, u64::MAX)
}

fn open_family_within(
    kind: Kind,
    keys: &[&'static str],
    limit: usize,
    bytes: u64,
) -> &'static SeriesFamily {
    let keys = keys.iter().map(|&key| key.into()).collect();
    let settings = Settings::new(limit, bytes, Default::default()).into();
    let shape = Shape::Open;
    let descriptor = Descriptor::new("test.open", "", kind);
    Box::leak(Box::new(SeriesFamily::new(
        &descriptor,
        keys,
        &settings,
        shape,
        &InstrumentView::default(),
    )))
}

pub(super) fn number(snapshot: &Snapshot, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    snapshot.value(name, labels).map(SeriesValue::as_f64)
}
