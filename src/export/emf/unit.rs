//! CloudWatch's words for units ("MetricDatum" in Amazon's reference of its API).

use crate::metric::{Kind, Unit};

/// The word for what a metric of this kind and unit counts.
pub(super) fn word(kind: Kind, unit: Unit) -> &'static str {
    match unit.as_str() {
        "s" => "Seconds",
        "ms" => "Milliseconds",
        "us" => "Microseconds",
        "By" => "Bytes",
        "kBy" => "Kilobytes",
        "MBy" => "Megabytes",
        "GBy" => "Gigabytes",
        "TBy" => "Terabytes",
        "bit" => "Bits",
        "kbit" => "Kilobits",
        "Mbit" => "Megabits",
        "Gbit" => "Gigabits",
        "Tbit" => "Terabits",
        "%" => "Percent",
        "By/s" => "Bytes/Second",
        "kBy/s" => "Kilobytes/Second",
        "MBy/s" => "Megabytes/Second",
        "GBy/s" => "Gigabytes/Second",
        "TBy/s" => "Terabytes/Second",
        "bit/s" => "Bits/Second",
        "kbit/s" => "Kilobits/Second",
        "Mbit/s" => "Megabits/Second",
        "Gbit/s" => "Gigabits/Second",
        "Tbit/s" => "Terabits/Second",
        "1/s" => "Count/Second",
        "" if kind == Kind::Counter => "Count",
        other if is_annotation(other) => "Count",
        other if other.strip_suffix("/s").is_some_and(is_annotation) => "Count/Second",
        _ => "None",
    }
}

/// Whether it is a thing that is counted, `{request}` say.
fn is_annotation(text: &str) -> bool {
    text.starts_with('{') && text.ends_with('}')
}
