//! The sampler that the environment asks for (OpenTelemetry's "Environment Variable Specification").

use super::{
    Sampler,
    always::{AlwaysOff, AlwaysOn, EverySpan},
    parent::ParentBased,
    ratio::TraceIdRatio,
};

/// What the environment says, and what is wrong with it. Without a sampler the default holds.
#[derive(Debug, Default)]
pub(crate) struct OfEnvironment {
    pub(crate) sampler: Option<Box<dyn Sampler>>,
    pub(crate) faults: Vec<String>,
}

const NAME: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";

/// The sampler that `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` ask for. `look_up` gives the value
/// of a variable.
///
/// Case and white space around do not matter, and an empty variable is one that is not set. The samplers of
/// vendors (`jaeger_remote`, `xray`) are not supported. A ratio that is no number is ignored: then every
/// trace is sampled.
pub(crate) fn of_environment(look_up: impl Fn(&str) -> Option<String>) -> OfEnvironment {
    let value = |variable| {
        let text = look_up(variable)?.trim().to_owned();
        if text.is_empty() { None } else { Some(text) }
    };
    let mut found = OfEnvironment::default();
    let Some(name) = value(NAME) else { return found };
    let faults = &mut found.faults;
    let ratio = |faults: &mut Vec<String>| {
        let Some(text) = value(ARGUMENT) else { return TraceIdRatio::new(1.0) };
        let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        if ratio.is_none() {
            faults.push(format!("{ARGUMENT} {text:?} is no number from 0 to 1, so it is 1"));
        }
        TraceIdRatio::new(ratio.unwrap_or(1.0))
    };
    found.sampler = match name.to_ascii_lowercase().as_str() {
        "always_on" => Some(Box::new(EverySpan::new(AlwaysOn))),
        "always_off" => Some(Box::new(EverySpan::new(AlwaysOff))),
        "traceidratio" => Some(Box::new(EverySpan::new(ratio(faults)))),
        "parentbased_always_on" => Some(Box::new(ParentBased::new(AlwaysOn))),
        "parentbased_always_off" => Some(Box::new(ParentBased::new(AlwaysOff))),
        "parentbased_traceidratio" => Some(Box::new(ParentBased::new(ratio(faults)))),
        _ => {
            faults.push(format!(
                "{NAME} {name:?} is no sampler that there is, so it is \"parentbased_always_on\""
            ));
            None
        }
    };
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found, as its `Debug` shows it, and the number of faults.
    fn found(name: &str, argument: Option<&str>) -> (String, usize) {
        let found = of_environment(|variable| match variable {
            NAME => Some(name.to_owned()),
            ARGUMENT => argument.map(str::to_owned),
            _ => None,
        });
        (
            found.sampler.map(|sampler| format!("{sampler:?}")).unwrap_or_default(),
            found.faults.len(),
        )
    }

    fn shown(sampler: &dyn Sampler) -> String {
        format!("{sampler:?}")
    }

    #[test]
    fn each_name_is_the_sampler_that_opentelemetry_says() {
        let quarter = || TraceIdRatio::new(0.25);
        let cases: [(&str, Box<dyn Sampler>); 6] = [
            ("always_on", Box::new(EverySpan::new(AlwaysOn))),
            ("always_off", Box::new(EverySpan::new(AlwaysOff))),
            ("traceidratio", Box::new(EverySpan::new(quarter()))),
            ("parentbased_always_on", Box::new(ParentBased::new(AlwaysOn))),
            ("parentbased_always_off", Box::new(ParentBased::new(AlwaysOff))),
            ("ParentBased_TraceIdRatio ", Box::new(ParentBased::new(quarter()))),
        ];
        for (name, expected) in cases {
            assert_eq!(found(name, Some(" 0.25 ")), (shown(&expected), 0), "{name}");
        }
    }

    #[test]
    fn nothing_and_emptiness_are_no_fault() {
        let none = of_environment(|_| None);
        assert!(none.sampler.is_none() && none.faults.is_empty());
        assert_eq!(found(" ", Some("x")), (String::new(), 0));
        for unset in [None, Some(""), Some(" ")] {
            let all = EverySpan::new(TraceIdRatio::new(1.0));
            assert_eq!(found("traceidratio", unset), (shown(&all), 0));
        }
        // Nobody asks for the ratio of a sampler that has none.
        assert_eq!(found("always_on", Some("x")).1, 0);
    }

    #[test]
    fn what_is_not_known_is_a_fault_and_the_default_holds() {
        for name in ["sometimes", "jaeger_remote", "parentbased_jaeger_remote", "xray"] {
            assert_eq!(found(name, None), (String::new(), 1), "{name}");
        }
        for argument in ["half", "1.5", "-0.1", "NaN", "inf", "50%"] {
            let all = ParentBased::new(TraceIdRatio::new(1.0));
            let expected = (shown(&all), 1);
            assert_eq!(found("parentbased_traceidratio", Some(argument)), expected, "{argument}");
        }
    }
}
