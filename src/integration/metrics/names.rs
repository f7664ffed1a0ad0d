//! From the facade's names to instruments, for one kind.

use std::{collections::HashMap, fmt, sync::Arc};

use super::{
    kind::Kind,
    name,
    refusals::{Refusal, refuse},
    settings::{Claim, Settings},
};
use crate::{
    diagnostics,
    label::truncate,
    metric::{Unit, bridge},
    sync::Mutex,
    util::hash::BuildHash,
};

/// The names of one kind: those with an instrument, and those that only have a description.
pub(super) struct Names<K: Kind> {
    /// Guards the names. The locks of the settings and of the registry are taken inside it.
    known: Mutex<Known<K>>,
    /// Stands for all names beyond the limit.
    beyond: Arc<K>,
}

struct Known<K> {
    made: HashMap<Box<str>, Named<K>, BuildHash>,
    described: HashMap<Box<str>, Description, BuildHash>,
}

struct Named<K> {
    instrument: Arc<K>,
    /// The name of its family.
    legal: Box<str>,
    is_described: bool,
    unit: Unit,
    /// Whether another unit came later, which is reported once.
    is_late: bool,
}

#[derive(Default)]
struct Description {
    help: Box<str>,
    unit: Unit,
}

/// What there is to count and to report, once nothing is locked.
#[derive(Default)]
pub(super) struct Report {
    refusal: Option<Refusal>,
    text: Option<String>,
}

impl<K: Kind> Names<K> {
    pub(super) fn new() -> Self {
        let known = Known { made: HashMap::default(), described: HashMap::default() };
        Self { known: Mutex::new(known), beyond: Arc::new(bridge::nameless(K::FAMILY)) }
    }

    /// The instrument of `name`, which is registered if it is new and there is room for it.
    pub(super) fn find_or_add(&self, name: &str, settings: &Settings) -> (Arc<K>, Report) {
        let known_by = name::known(name);
        let mut known = self.known.lock();
        if let Some(named) = known.made.get(&*known_by) {
            return (named.instrument.clone(), Report::default());
        }
        if !settings.admit_name() {
            let report = Report { refusal: Some(Refusal::Name), text: settings.limit_report(name) };
            return (self.beyond.clone(), report);
        }
        let description = known.described.remove(&*known_by).unwrap_or_default();
        let (named, report) = Self::register(name, &known_by, description, settings);
        let instrument = named.instrument.clone();
        known.made.insert(known_by.into(), named);
        (instrument, report)
    }

    fn register(
        name: &str,
        known_by: &str,
        said: Description,
        settings: &Settings,
    ) -> (Named<K>, Report) {
        let unit = said.unit;
        let build = |legal: &str| {
            let builder = K::builder(&settings.registry, legal, &said.help).unit(unit);
            let (instrument, error) = K::build(match settings.idle {
                Some(idle) => builder.expire_after(idle),
                None => builder,
            });
            let (instrument, legal) = (Arc::new(instrument), legal.into());
            let is_described = !said.help.is_empty();
            (Named { instrument, legal, is_described, unit, is_late: false }, error)
        };
        let legal = name::legal(name);
        let other = name::apart(name, &legal);
        let why = match settings.claim(&legal, known_by) {
            Claim::Others => format!("another name is {legal:?} already"),
            claim => match (claim, build(&legal)) {
                (_, (named, None)) => return (named, Report::default()),
                // A clash of kinds: under another name it would be no better.
                (Claim::Own, (refused, Some(error))) => {
                    let text =
                        format!("{error}; the first is kept, the other records into nothing");
                    return (refused, Report::of(text));
                }
                (_, (_, Some(error))) => error.to_string(),
            },
        };
        let (named, error) = build(&other);
        let text = match error {
            None => format!("{known_by:?} is recorded as {other:?}: {why}"),
            Some(error) => format!("{error}; {known_by:?} records into nothing"),
        };
        (named, Report::of(text))
    }

    /// Keeps what is said of `name`, for now or for when it is registered. What was said first counts.
    pub(super) fn describe(
        &self,
        name: &str,
        unit: Unit,
        help: &str,
        settings: &Settings,
    ) -> Report {
        let (name, help) = (&*name::known(name), truncate(help));
        let unit = if settings.ignores_units { Unit::NONE } else { unit };
        let mut known = self.known.lock();
        if let Some(named) = known.made.get_mut(name) {
            // Some libraries say it with each record.
            if !named.is_described && !help.is_empty() {
                named.is_described = true;
                settings.registry.describe(&named.legal, help);
            }
            if unit == Unit::NONE || unit == named.unit || named.is_late {
                return Report::default();
            }
            named.is_late = true;
            let (of, own) = (&named.legal, named.unit);
            let text = format!("{of:?} stays in {own:?}: the unit {unit:?} came too late");
            return Report { refusal: Some(Refusal::LateUnit), text: Some(text) };
        }
        if known.described.len() >= settings.name_limit && !known.described.contains_key(name) {
            return Report { refusal: Some(Refusal::Description), text: None };
        }
        let said = known.described.entry(name.into()).or_default();
        if said.help.is_empty() {
            said.help = help.into();
        }
        if said.unit == Unit::NONE {
            said.unit = unit;
        }
        Report::default()
    }
}

impl Report {
    fn of(text: String) -> Self {
        Self { refusal: None, text: Some(text) }
    }

    /// Counts and reports it, if there is something. Not to be called under a lock.
    pub(super) fn send(self) {
        if let Some(refusal) = self.refusal {
            refuse(refusal);
        }
        if let Some(text) = self.text {
            diagnostics::report_each("metrics facade", format_args!("{text}"));
        }
    }
}

impl<K: Kind> fmt::Debug for Names<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.known.lock();
        let (names, described) = (known.made.len(), known.described.len());
        f.debug_struct("Names").field("names", &names).field("described", &described).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{label::AnyKeys, metric::Counter, metric::Registry};

    #[test]
    fn a_name_of_any_length_takes_little_memory() {
        let (names, settings) = (Names::<Counter<AnyKeys>>::new(), Settings::new(Registry::new()));
        let long = |n: u8| format!("{}{n}", "x".repeat(1 << 20));
        for n in 0..3 {
            names.find_or_add(&long(n), &settings).1.send();
            names.find_or_add(&long(n), &settings).1.send();
            names.describe(&long(n + 10), Unit::NONE, "Never recorded", &settings).send();
        }
        let known = names.known.lock();
        assert_eq!((known.made.len(), known.described.len()), (3, 3));
        let mut all = known.made.keys().chain(known.described.keys());
        assert!(all.all(|name| name.len() < 2_000));
    }
}
