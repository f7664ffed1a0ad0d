//! What a Prometheus page counts.

use std::{collections::BTreeMap, fmt::Write as _};

/// The series that count and have grown, with what they have grown by; none of the library's own. Ports are
/// left out, which are others each time.
pub(crate) fn grown(before: &str, after: &str) -> String {
    let before = counts(before);
    let mut text = String::new();
    for (series, count) in counts(after) {
        let grown = count - before.get(&series).unwrap_or(&0.0);
        if grown != 0.0 {
            writeln!(text, "{} {grown}", without_port(&series)).unwrap();
        }
    }
    text
}

fn counts(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let series = lines.map(|line| line.rsplit_once(' ').unwrap());
    let counts = series.filter(|(series, _)| {
        let name = series.split('{').next().unwrap();
        (name.ends_with("_count") || name.ends_with("_total")) && !name.starts_with("telemetry_")
    });
    counts.map(|(series, count)| (series.to_owned(), count.parse().unwrap())).collect()
}

fn without_port(series: &str) -> String {
    let Some((start, rest)) = series.split_once(",server_port=\"") else {
        return series.to_owned();
    };
    let (_, end) = rest.split_once('"').unwrap();
    format!("{start}{end}")
}
