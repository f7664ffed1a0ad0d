//! Propagators by the names that OpenTelemetry gives them, from `OTEL_PROPAGATORS`.

use super::{B3, BaggageHeader, Datadog, Jaeger, OtTrace, Propagators, TraceContext, XRay};
use crate::diagnostics;

const VARIABLE: &str = "OTEL_PROPAGATORS";

type Add = fn(Propagators) -> Propagators;

/// OpenTelemetry's known values (SDK Environment Variables, "General SDK Configuration"), and Datadog's
/// name of its own format. The first two are the default ones.
const KNOWN: [(&str, Add); 8] = [
    ("tracecontext", |others| others.with(TraceContext)),
    ("baggage", |others| others.with(BaggageHeader)),
    ("b3", |others| others.with(B3::single())),
    ("b3multi", |others| others.with(B3::multi())),
    ("jaeger", |others| others.with(Jaeger)),
    ("xray", |others| others.with(XRay)),
    ("ottrace", |others| others.with(OtTrace)),
    ("datadog", |others| others.with(Datadog)),
];
const NONE: &str = "none";

impl Propagators {
    /// Those that the environment variable `OTEL_PROPAGATORS` names, in its order: `tracecontext`,
    /// `baggage`, `b3`, `b3multi`, `jaeger`, `xray`, `ottrace`, `datadog`, separated by commas, or `none`.
    /// The default if it is not set, or empty.
    ///
    /// A name that is there twice counts once, in upper or lower case. A name that is not known is
    /// reported as a diagnostic, with its place, and left out; so is `none` beside others. If no name
    /// remains, it is the default.
    ///
    /// [`Builder::start`](crate::Builder::start) uses it where no propagators were given.
    #[must_use]
    pub fn from_env() -> Self {
        of_environment(look_up).unwrap_or_default()
    }
}

/// Those that the environment names; `None` if they are the default ones.
pub(crate) fn from_environment() -> Option<Propagators> {
    of_environment(look_up)
}

fn look_up(variable: &str) -> Option<String> {
    std::env::var_os(variable).map(|value| value.to_string_lossy().into_owned())
}

pub(super) fn of_environment(look_up: impl FnOnce(&str) -> Option<String>) -> Option<Propagators> {
    let list = look_up(VARIABLE)?;
    let names: Vec<&str> = list.split(',').map(str::trim).collect();
    if matches!(names[..], [name] if name.eq_ignore_ascii_case(NONE)) {
        return Some(Propagators::none());
    }
    let mut chosen = Vec::new();
    for (place, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        match KNOWN.iter().position(|(known, _)| name.eq_ignore_ascii_case(known)) {
            Some(known) if chosen.contains(&known) => {}
            Some(known) => chosen.push(known),
            None => refuse(name, place + 1),
        }
    }
    match chosen[..] {
        [] | [0, 1] | [1, 0] => None,
        _ => Some(chosen.into_iter().fold(Propagators::none(), |all, known| KNOWN[known].1(all))),
    }
}

#[cold]
fn refuse(name: &str, place: usize) {
    let why = if name.eq_ignore_ascii_case(NONE) { "stands beside others" } else { "is not known" };
    let shown: String = name.chars().take(64).collect();
    diagnostics::report_each(
        "propagators",
        format_args!("{VARIABLE}: name {place}, {shown:?}, {why}, and is ignored"),
    );
}
