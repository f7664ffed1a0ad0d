//! Instruments of the API whose values come from callbacks.

use std::{collections::HashMap, sync::Arc};

use ::opentelemetry::{
    KeyValue as TheirKeyValue,
    metrics::{AsyncInstrument, Callback},
};

use super::{attributes::Scope, labels::Texts};
use crate::{
    diagnostics,
    error::Error,
    metric::{Observations, Observer, Registry, Unit},
    sync::Mutex,
    util::process,
};

/// A kind of family, and how a callback for one is registered, with its name and its description.
#[derive(Clone, Copy)]
pub(super) struct Register {
    pub(super) kind: &'static str,
    pub(super) register: RegisterFn,
}

type RegisterFn = fn(&Registry, (&str, &str), Unit, BoxedObserve) -> Result<Observer, Error>;

pub(super) type BoxedObserve = Box<dyn Fn(&mut Observations) + Send + Sync>;

/// The families of callbacks, by name: several scopes may observe one.
#[derive(Default)]
pub(super) struct Observed {
    /// The registry's lock is taken inside it. In a forked child nobody observes any more.
    by_name: Mutex<HashMap<(u32, String), Family>>,
}

struct Family {
    kind: &'static str,
    unit: Unit,
    callbacks: Arc<Callbacks>,
}

type Observe = Arc<dyn Fn(&mut Observations) + Send + Sync>;

/// The callbacks of one family. No lock is taken inside theirs.
#[derive(Default)]
struct Callbacks(Mutex<Vec<Observe>>);

/// The most callbacks of one name; arbitrary.
const MOST: usize = 1_024;

/// The most names; arbitrary, as many as of instruments that are recorded into.
const MOST_NAMES: usize = 4_096;

impl Observed {
    /// Adds callbacks for an instrument, unless there are too many. Returns what else is wrong with them.
    pub(super) fn add(
        &self,
        registry: &Registry,
        (name, help): (&str, &str),
        unit: Unit,
        Register { kind, register }: Register,
        new: Vec<Observe>,
    ) -> Result<(), String> {
        let key = (process::generation(), name.to_owned());
        let mut by_name = self.by_name.lock();
        if let Some(known) = by_name.get(&key) {
            let callbacks = known.callbacks.clone();
            let is_same = known.kind == kind && known.unit == unit;
            drop(by_name);
            if !is_same {
                return Err(format!(
                    "instrument {name:?} is observed already, as another kind or unit"
                ));
            }
            return callbacks.add(name, new);
        }
        // Those of a parent process are no more than its own limit.
        if by_name.keys().filter(|(process, _)| *process == key.0).count() >= MOST_NAMES {
            drop(by_name);
            let text = format_args!("instrument {name:?} is beyond the limit of {MOST_NAMES}");
            diagnostics::report("opentelemetry limit", text); // Not each.
            return Ok(());
        }
        let callbacks = Arc::new(Callbacks(Mutex::new(new)));
        let all = callbacks.clone();
        match register(registry, (name, help), unit, Box::new(move |to| all.call(to))) {
            Ok(observer) => {
                observer.keep();
                by_name.insert(key, Family { kind, unit, callbacks });
                Ok(())
            }
            Err(error) => {
                drop((by_name, callbacks)); // User code is dropped outside the lock.
                Err(error.to_string())
            }
        }
    }
}

impl Callbacks {
    fn add(&self, name: &str, new: Vec<Observe>) -> Result<(), String> {
        let mut all = self.0.lock();
        if all.len() + new.len() > MOST {
            drop(all);
            return Err(format!("instrument {name:?} has {MOST} callbacks already"));
        }
        all.extend(new);
        Ok(())
    }

    fn call(&self, to: &mut Observations) {
        let all = self.0.lock().clone();
        all.iter().for_each(|observe| observe(to));
    }
}

/// A number that is observed.
pub(super) trait Number: Copy + 'static {
    fn to_f64(self) -> f64;
}

impl Number for u64 {
    fn to_f64(self) -> f64 {
        self as f64
    }
}

impl Number for i64 {
    fn to_f64(self) -> f64 {
        self as f64
    }
}

impl Number for f64 {
    fn to_f64(self) -> f64 {
        self
    }
}

/// The API's callback as one of ours.
pub(super) fn observing<T: Number>(scope: Scope, callback: Callback<T>) -> Observe {
    Arc::new(move |to| callback(&To { to: Mutex::new(to), scope: &scope }))
}

struct To<'a> {
    /// No lock is taken inside it, and no code of the user's runs.
    to: Mutex<&'a mut Observations>,
    scope: &'a Scope,
}

impl<T: Number> AsyncInstrument<T> for To<'_> {
    fn observe(&self, value: T, attributes: &[TheirKeyValue]) {
        let texts = Texts::of(self.scope, attributes);
        match texts.with_static_keys() {
            Some(labels) => self.to.lock().observe(value.to_f64(), &labels),
            None => diagnostics::report(
                "opentelemetry",
                format_args!("a callback observes with more keys than are kept: it is left out"),
            ),
        }
    }
}
