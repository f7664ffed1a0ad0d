//! The families of a registry, and which names may not be on one page together.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    iter,
    panic::Location,
    sync::Arc,
};

use crate::{
    error::{Error, ErrorKind},
    label::Labels,
    metric::observable::Observable,
    series::{
        Descriptor, Family, InstrumentView, Settings, Shape, WINDOW_KEY, check_key, illegal_key,
    },
    snapshot::{self, Kind, Unit, Views, claimed_names, name_fault},
    util::process,
};

#[derive(Default)]
pub(super) struct Families {
    pub(super) by_name: BTreeMap<Cow<'static, str>, Arc<Family>>,
    /// The family that has taken each name on a page.
    pub(super) claims: HashMap<String, Arc<Family>>,
    pub(super) observables: Vec<(u64, Arc<Observable>)>,
    /// The process whose callbacks these are, by its generation.
    generation: u32,
    pub(super) next_observable: u64,
    /// Whether a name was ever freed, so that a new family may not be the first of its name.
    pub(super) has_removed: bool,
    /// Why statics were refused so far, each reason once.
    pub(super) refusals: Vec<(ErrorKind, String)>,
    pub(super) views: Views,
}

impl Families {
    /// Removes the callbacks that a forked child has inherited. They speak for the parent, and may
    /// wait for something that a thread of the parent held. So they are neither run nor dropped.
    pub(super) fn disown_inherited(&mut self) {
        if self.observables.is_empty() || self.generation == process::generation() {
            return;
        }
        for (_, observable) in std::mem::take(&mut self.observables) {
            self.remove(observable.family());
            std::mem::forget(observable);
        }
    }

    /// Adds a callback of this process and returns its number. Callbacks of another process are gone.
    pub(super) fn add(&mut self, observable: Observable) -> u64 {
        let number = self.next_observable;
        self.next_observable += 1;
        self.generation = process::generation();
        self.observables.push((number, Arc::new(observable)));
        number
    }

    /// Removes a family and its rates, if it has any, and frees their names. The caller holds the
    /// family, so it is dropped outside the lock.
    pub(super) fn remove(&mut self, family: &Arc<Family>) {
        self.has_removed = true;
        for family in with_rates(family) {
            self.by_name.remove(&family.name);
            self.claims.retain(|_, claimant| !Arc::ptr_eq(claimant, family));
        }
    }

    /// Whether a name of this family's samples is taken.
    pub(super) fn is_taken(&self, family: &snapshot::Family) -> bool {
        let claims = claimed_names(&family.name, family.kind, family.unit);
        claims.iter().any(|claim| self.claims.contains_key(claim))
    }

    /// Adds a family and its rates, if it has any. Fails if their names, or names of their samples,
    /// are taken.
    pub(super) fn admit(&mut self, family: &Arc<Family>) -> Result<(), Error> {
        with_rates(family).try_for_each(|family| self.check(family))?;
        for family in with_rates(family) {
            let claims = claimed_names(&family.name, family.kind, family.unit);
            self.claims.extend(claims.into_iter().map(|claim| (claim, family.clone())));
            self.by_name.insert(family.name.clone(), family.clone());
        }
        Ok(())
    }

    /// Whether the name of a family and those of its samples are free.
    fn check(&self, family: &Family) -> Result<(), Error> {
        if let Some(other) = self.by_name.get(&family.name) {
            return Err(conflict((&family.name, family.place), other, "is registered twice"));
        }
        let claims = claimed_names(&family.name, family.kind, family.unit);
        let taken = claims.iter().find_map(|claim| Some((claim, self.claims.get(claim)?)));
        if let Some((claim, other)) = taken {
            let text = format!(
                "{:?} ({}) and {:?} ({}) are both `{claim}` on a Prometheus page",
                family.name, family.place, other.name, other.place
            );
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        Ok(())
    }
}

/// A family without series of its own: a callback gives its values, or they are computed from others.
pub(super) fn observed_family(descriptor: &Descriptor, settings: &Arc<Settings>) -> Family {
    let shape = Shape::Closed { len: 0, at: <() as Labels>::at };
    Family::new(descriptor, Vec::new(), settings, shape, &InstrumentView::default())
}

/// The family of the rates of the throughput that `descriptor` describes.
pub(super) fn rates_family(descriptor: &Descriptor, settings: &Arc<Settings>) -> Family {
    let described = Descriptor {
        name: rates_name(descriptor).into(),
        help: descriptor.help.clone(),
        unit: Unit::new("{event}/s"),
        place: descriptor.place,
        ..Descriptor::new("", "", Kind::Gauge)
    };
    let mut family = observed_family(&described, settings);
    family.is_rates = true;
    family
}

/// A family, and the family of its rates.
fn with_rates(family: &Arc<Family>) -> impl Iterator<Item = &Arc<Family>> {
    iter::once(family).chain(&family.rates)
}

/// The error of a second family of one name; `name` and `place` are those of the second.
pub(super) fn conflict(
    (name, place): (&str, &Location<'_>),
    other: &Family,
    difference: &str,
) -> Error {
    let text = format!("{name:?} {difference}: at {} and at {place}", other.place);
    Error::new(ErrorKind::Conflict, text)
}

/// How a registration differs from the family of the same name, if it does.
pub(super) fn difference(
    family: &Family,
    descriptor: &Descriptor,
    keys: &[Cow<'static, str>],
    shape: &Shape,
) -> Option<&'static str> {
    let is_of_rates = family.rates.is_some();
    if family.kind != descriptor.kind
        || family.number_kind != descriptor.number
        || is_of_rates != descriptor.has_rates
    {
        return Some("is registered with two kinds");
    }
    if family.unit != descriptor.unit {
        return Some("is registered with two units");
    }
    if family.declared != descriptor.histogram {
        return Some("is registered with two aggregations, ranges or bounds on a page");
    }
    if family.keys != keys {
        return Some("is registered with two sets of label keys");
    }
    (!family.has_shape(shape)).then_some("is registered with two sets of label values")
}

pub(super) fn check_name(name: &str) -> Result<(), Error> {
    match name_fault(name) {
        None => Ok(()),
        Some(fault) => {
            Err(Error::new(ErrorKind::InvalidName, format!("instrument name {name:?} {fault}")))
        }
    }
}

pub(super) fn check_keys<K: AsRef<str> + PartialEq>(keys: &[K]) -> Result<(), Error> {
    for (place, key) in keys.iter().enumerate() {
        check_key(key.as_ref())?;
        if keys[..place].contains(key) {
            return Err(illegal_key(key.as_ref(), "is given twice"));
        }
    }
    Ok(())
}

/// Checks that a throughput may have these keys, and that its rates may have their name.
pub(super) fn check_rates(
    descriptor: &Descriptor,
    keys: &[Cow<'static, str>],
) -> Result<(), Error> {
    check_name(&rates_name(descriptor))?;
    match keys.iter().any(|key| key == WINDOW_KEY) {
        true => {
            Err(illegal_key(WINDOW_KEY, "is the one that tells the rates of a throughput apart"))
        }
        false => Ok(()),
    }
}

fn rates_name(descriptor: &Descriptor) -> String {
    format!("{}.rate", descriptor.name)
}
