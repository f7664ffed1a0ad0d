//! Legal names, and their form on a Prometheus page.

use super::{
    family::Kind,
    unit::Unit,
    unit_word::{UnitWord, joined_words},
};

/// The longest legal instrument name (OpenTelemetry metrics API, "Instrument name syntax").
const MAX_NAME_BYTES: usize = 255;

/// What is wrong with `name` as an instrument name, if anything.
pub(crate) const fn name_fault(name: &str) -> Option<&'static str> {
    let bytes = name.as_bytes();
    if bytes.is_empty() || !bytes[0].is_ascii_alphabetic() {
        return Some("must start with an ASCII letter");
    }
    if bytes.len() > MAX_NAME_BYTES {
        return Some("must have at most 255 characters");
    }
    let mut place = 1;
    while place < bytes.len() {
        if !matches!(bytes[place], b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'/')
        {
            return Some("may hold only ASCII letters, digits, `_`, `.`, `-` and `/`");
        }
        place += 1;
    }
    None
}

/// What is wrong with `key` as a label key, if anything.
pub(crate) const fn key_fault(key: &str) -> Option<&'static str> {
    let bytes = key.as_bytes();
    if bytes.is_empty() || !(bytes[0].is_ascii_alphabetic() || bytes[0] == b'_') {
        return Some("must start with an ASCII letter or `_`");
    }
    let mut place = 1;
    while place < bytes.len() {
        if !matches!(bytes[place], b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.') {
            return Some("may hold only ASCII letters, digits, `_` and `.`");
        }
        place += 1;
    }
    None
}

/// One of the samples that a series has on a Prometheus page, without its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// The value itself; for a summary, its quantiles.
    Value,
    /// A count up to a bound.
    Bucket,
    Sum,
    Count,
    /// When the sum began.
    Created,
}

impl Part {
    /// The samples that a family of this kind has.
    pub(crate) const fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Counter => &[Self::Value, Self::Created],
            Kind::Histogram => &[Self::Bucket, Self::Count, Self::Sum, Self::Created],
            Kind::Summary => &[Self::Value, Self::Count, Self::Sum, Self::Created],
            Kind::Info | Kind::UpDownCounter | Kind::Gauge | Kind::StateSet => &[Self::Value],
        }
    }

    /// The suffix of its name, after the name of the family.
    pub(crate) const fn suffix(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Value, Kind::Counter) => "_total",
            (Self::Value, Kind::Info) => "_info",
            (Self::Value, _) => "",
            (Self::Bucket, _) => "_bucket",
            (Self::Sum, _) => "_sum",
            (Self::Count, _) => "_count",
            (Self::Created, _) => "_created",
        }
    }
}

/// The name of a family on a Prometheus page, without the suffix of a sample: the name in
/// [plain characters](plain_name), and the unit's words if it does not end in them (OpenTelemetry
/// specification, "Prometheus and OpenMetrics Compatibility").
pub(crate) fn exposition_name(name: &str, kind: Kind, unit: Unit) -> String {
    with_unit(plain_name(name), kind, unit)
}

/// `name` without the suffix that its samples get anyway, and with the words of its unit.
///
/// `x`, `x_total` and `x.total` are the same counter on a page.
pub(crate) fn with_unit(mut name: String, kind: Kind, unit: Unit) -> String {
    if let Some(word) = Part::Value.suffix(kind).strip_prefix('_')
        && let Some(stem) = name.strip_suffix(word).and_then(|stem| stem.strip_suffix(['_', '.']))
        && !stem.is_empty()
    {
        name.truncate(stem.len());
    }
    if let Some(word) = unit_word(unit, kind) {
        let lacking = word.lacking_in(&name);
        if !lacking.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
        name.push_str(lacking);
    }
    name
}

/// `name` in the characters that every Prometheus accepts: anything but an ASCII letter or digit
/// becomes `_`. No `_` is at an end or beside another one. A name that begins with a digit gets a
/// leading `_`.
pub(crate) fn plain_name(name: &str) -> String {
    let mut plain = joined_words(name);
    if plain.is_empty() || plain.starts_with(|first: char| first.is_ascii_digit()) {
        plain.insert(0, '_'); // Registration refuses such names, but a page must not depend on that.
    }
    plain
}

/// The words that stand for `unit` at the end of a name on a Prometheus page, if it has any.
pub(crate) fn unit_word(unit: Unit, kind: Kind) -> Option<UnitWord> {
    match (kind, unit.as_str()) {
        (Kind::Info | Kind::StateSet, _) => None, // OpenMetrics forbids it.
        (Kind::Gauge, "1") => Some(UnitWord::RATIO),
        (_, ucum) => UnitWord::of(ucum),
    }
}

/// Every name that a family has on a page: its own and those of its samples. Two families that share a
/// name cannot be on one page.
pub(crate) fn claimed_names(name: &str, kind: Kind, unit: Unit) -> Vec<String> {
    let base = exposition_name(name, kind, unit);
    let suffixes = Part::of(kind).iter().map(|part| part.suffix(kind));
    let samples = suffixes.filter(|suffix| !suffix.is_empty());
    let samples = samples.map(|suffix| format!("{base}{suffix}"));
    samples.chain([base.clone()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_opentelemetrys_syntax() {
        for legal in ["a", "http.server.request.duration", "A/b-c_d.9", &"x".repeat(255)] {
            assert_eq!(name_fault(legal), None, "{legal}");
        }
        for illegal in ["", "9a", "_a", ".a", "a b", "a\n", "é", "a{", &"x".repeat(256)] {
            assert!(name_fault(illegal).is_some(), "{illegal}");
        }
    }

    #[test]
    fn names_are_mapped_with_their_units() {
        for (name, kind, unit, expected) in [
            ("shop.request.duration", Kind::Histogram, "s", "shop_request_duration_seconds"),
            ("up.seconds", Kind::Gauge, "s", "up_seconds"),
            ("seconds", Kind::Gauge, "s", "seconds"),
            ("seconds.before", Kind::Gauge, "s", "seconds_before_seconds"),
            ("queue.length", Kind::UpDownCounter, "{item}", "queue_length"),
            ("cpu", Kind::Gauge, "1", "cpu_ratio"),
            ("cpu.ratio", Kind::Gauge, "1", "cpu_ratio"),
            ("cpu", Kind::UpDownCounter, "1", "cpu"),
            ("items", Kind::Counter, "1", "items"),
            ("load", Kind::Gauge, "%", "load_percent"),
            ("requests", Kind::Gauge, "1/s", "requests_per_second"),
            ("requests", Kind::Gauge, "{request}/s", "requests_per_second"),
            ("throughput", Kind::Gauge, "By/s", "throughput_bytes_per_second"),
            ("throughput.bytes", Kind::Gauge, "By/s", "throughput_bytes_per_second"),
            ("throughput.bytes_per_second", Kind::Gauge, "By/s", "throughput_bytes_per_second"),
            ("sent.total", Kind::Counter, "By", "sent_bytes"),
            ("cpu.seconds.total", Kind::Counter, "s", "cpu_seconds"),
            ("orders.total", Kind::Counter, "", "orders"),
            ("orders._total", Kind::Counter, "", "orders"),
            ("total", Kind::Counter, "", "total"),
            ("orders.total", Kind::Gauge, "", "orders_total"),
            ("build.info", Kind::Info, "s", "build"),
            ("mode", Kind::StateSet, "s", "mode"),
        ] {
            assert_eq!(exposition_name(name, kind, Unit::new(unit)), expected, "{name} in {unit}");
        }
    }

    #[test]
    fn signs_become_single_underscores_between_words() {
        for (name, expected) in [
            ("a.b-c/d_e", "a_b_c_d_e"),
            ("a..b__c._d", "a_b_c_d"),
            ("a.", "a"),
            (".a", "a"),
            ("(lambda).function.executions(#)", "lambda_function_executions"),
            ("9lives", "_9lives"),
            (".9", "_9"),
            ("é", "_"),
            ("", "_"),
        ] {
            assert_eq!(plain_name(name), expected, "{name}");
        }
        assert_eq!(claimed_names("a._", Kind::Counter, Unit::NONE), ["a_total", "a_created", "a"]);
    }

    #[test]
    fn each_kind_claims_the_names_of_its_samples() {
        let claims = |kind| claimed_names("x", kind, Unit::NONE).join(" ");
        assert_eq!(claims(Kind::Counter), "x_total x_created x");
        assert_eq!(claims(Kind::Histogram), "x_bucket x_count x_sum x_created x");
        assert_eq!(claims(Kind::Summary), "x_count x_sum x_created x");
        assert_eq!(claims(Kind::Info), "x_info x");
        for kind in [Kind::Gauge, Kind::UpDownCounter, Kind::StateSet] {
            assert_eq!(claims(kind), "x");
        }
    }
}
