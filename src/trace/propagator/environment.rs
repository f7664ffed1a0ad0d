//! Environment variables as a carrier (OpenTelemetry, "Environment Variables as Context Propagation
//! Carriers").

use std::{collections::BTreeMap, env, ffi::OsStr, process::Command};

use super::{Extractor, Injector};

/// Environment variables as a carrier: of this process, to join the trace of whoever started it, or of
/// another one that is to be started.
///
/// A header's name is in upper case there, with `_` for what is no letter or digit: `TRACEPARENT`,
/// `TRACESTATE`, `BAGGAGE`, `X_B3_TRACEID`. It is how batch jobs and steps of a build carry their trace
/// ([OpenTelemetry](https://opentelemetry.io/docs/specs/otel/context/env-carriers/)). Whoever may look at
/// the process can read its variables.
///
/// A [`Command`] is an injector too: what is set there is in the child's environment.
///
/// # Examples
///
/// A parent, and its child:
///
/// ```
/// use std::process::Command;
/// use bellwether::trace::propagator::Environment;
///
/// let job = bellwether::span("nightly").enter();
/// let mut command = Command::new("true");
/// bellwether::inject(&mut command);
/// drop(job);
///
/// // What the child does first.
/// let parent = bellwether::extract(&Environment::of_process());
/// let _step = bellwether::span("import").parent(parent).enter();
/// ```
///
/// Names and values, for what starts the process elsewhere:
///
/// ```
/// use bellwether::{extract, trace::{inject_context, propagator::Environment}};
///
/// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let mut environment = Environment::default();
/// inject_context(&extract(&[("traceparent", parent)]), &mut environment);
/// assert_eq!(environment.iter().collect::<Vec<_>>(), [("TRACEPARENT", parent)]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, Vec<u8>>,
}

impl Environment {
    /// The variables of this process as they are now. Those whose names no header has, such as
    /// `http_proxy`, are left out. Values need not be UTF-8.
    #[must_use]
    pub fn of_process() -> Self {
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect()
    }

    /// Names and values, in the order of the names. Values that are not UTF-8 are left out.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value).ok()?)))
    }
}

impl<N: AsRef<str>, V: AsRef<OsStr>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let normal = variables.into_iter().filter(|(name, _)| is_normal(name.as_ref()));
        let variables = normal.map(|(name, value)| {
            (name.as_ref().to_owned(), value.as_ref().as_encoded_bytes().to_vec())
        });
        Self { variables: variables.collect() }
    }
}

impl Extractor for Environment {
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8])) {
        let is_it = |other: &str| other.chars().eq(letters(name));
        if let Some((_, value)) = self.variables.iter().find(|(variable, _)| is_it(variable)) {
            each(value);
        }
    }
}

impl Injector for Environment {
    fn set(&mut self, name: &'static str, value: &str) {
        self.variables.insert(variable(name), value.into());
    }

    fn remove(&mut self, name: &'static str) {
        self.variables.remove(&variable(name));
    }
}

/// What is set and removed is so in the child's environment.
impl Injector for Command {
    fn set(&mut self, name: &'static str, value: &str) {
        self.env(variable(name), value);
    }

    fn remove(&mut self, name: &'static str) {
        self.env_remove(variable(name));
    }
}

/// The name of the variable for the header `name`.
fn variable(name: &str) -> String {
    letters(name).collect()
}

fn letters(name: &str) -> impl Iterator<Item = char> {
    let starts_with_digit = name.starts_with(|first: char| first.is_ascii_digit());
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    starts_with_digit.then_some('_').into_iter().chain(name.chars().map(upper))
}

/// Whether a header may have it as its variable.
fn is_normal(variable: &str) -> bool {
    let is_legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    variable.chars().all(is_legal) && !variable.starts_with(|c: char| c.is_ascii_digit())
}
