//! Which names are legal, and what they become on a Prometheus page.

use super::{family::Kind, unit::Unit};

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

/// The name of a family on a Prometheus page, without the suffix of a sample: characters that are
/// not legal there become `_`, and the unit's word is appended where the name does not end in it
/// (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility").
pub(crate) fn exposition_name(name: &str, kind: Kind, unit: Unit) -> String {
    let mut mapped = sanitised(name);
    // `x` and `x.total` are the same counter on a page, which appends `_total` itself.
    let appended = match kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        _ => "",
    };
    mapped.truncate(mapped.strip_suffix(appended).unwrap_or(&mapped).len());
    if let Some(word) = unit_word(unit, kind)
        && !mapped.strip_suffix(word).is_some_and(|rest| rest.ends_with('_'))
    {
        mapped.push('_');
        mapped.push_str(word);
    }
    mapped
}

/// A label key on a Prometheus page.
pub(crate) fn sanitised(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The word that stands for `unit` at the end of a name on a Prometheus page, if it has one.
pub(crate) fn unit_word(unit: Unit, kind: Kind) -> Option<&'static str> {
    if matches!(kind, Kind::Info | Kind::StateSet) {
        return None; // OpenMetrics forbids it.
    }
    match unit.as_str() {
        "s" => Some("seconds"),
        "ms" => Some("milliseconds"),
        "us" => Some("microseconds"),
        "ns" => Some("nanoseconds"),
        "min" => Some("minutes"),
        "h" => Some("hours"),
        "d" => Some("days"),
        "By" => Some("bytes"),
        "KiBy" => Some("kibibytes"),
        "MiBy" => Some("mebibytes"),
        "GiBy" => Some("gibibytes"),
        "kBy" => Some("kilobytes"),
        "MBy" => Some("megabytes"),
        "GBy" => Some("gigabytes"),
        "m" => Some("meters"),
        "V" => Some("volts"),
        "A" => Some("amperes"),
        "J" => Some("joules"),
        "W" => Some("watts"),
        "g" => Some("grams"),
        "Cel" => Some("celsius"),
        "Hz" => Some("hertz"),
        "%" => Some("percent"),
        "1" if kind == Kind::Gauge => Some("ratio"),
        _ => None, // Annotations such as `{item}`, and units without a word, are not appended.
    }
}

/// Every name that a family takes on a page: its own and those of its samples. Two families that
/// share one cannot stand on one page.
pub(crate) fn claimed_names(name: &str, kind: Kind, unit: Unit) -> Vec<String> {
    let base = exposition_name(name, kind, unit);
    let suffixes: &[&str] = match kind {
        Kind::Counter => &["_total", "_created"],
        Kind::Histogram => &["_bucket", "_count", "_sum", "_created"],
        Kind::Summary => &["_count", "_sum", "_created"],
        Kind::Info => &["_info"],
        Kind::UpDownCounter | Kind::Gauge | Kind::StateSet => &[],
    };
    let samples = suffixes.iter().map(|suffix| format!("{base}{suffix}"));
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
        let name = |name, kind, unit| exposition_name(name, kind, Unit::new(unit));
        assert_eq!(
            name("shop.request.duration", Kind::Histogram, "s"),
            "shop_request_duration_seconds"
        );
        assert_eq!(name("up.seconds", Kind::Gauge, "s"), "up_seconds");
        assert_eq!(name("queue.length", Kind::UpDownCounter, "{item}"), "queue_length");
        assert_eq!(name("orders.total", Kind::Counter, ""), "orders");
        assert_eq!(name("cpu", Kind::Gauge, "1"), "cpu_ratio");
        assert_eq!(name("build.info", Kind::Info, "s"), "build");
    }
}
