//! What tests assert about series and spans, and the messages if an assertion fails.

use crate::{
    label::LabelSet,
    metric::{Registry, SeriesValue, Snapshot},
    trace::SpanRecord,
};

/// The number of a series; 0 if it does not exist.
pub(super) fn value(snapshot: &Snapshot, name: &str, labels: &[(&str, &str)]) -> f64 {
    snapshot.value(name, labels).map_or(0.0, SeriesValue::as_f64)
}

/// Panics unless the series has this number. A series that does not exist, but could, counts as 0.
#[track_caller]
pub(super) fn assert_value(
    snapshot: &Snapshot,
    name: &str,
    labels: &[(&str, &str)],
    expected: f64,
) {
    let found = value(snapshot, name, labels);
    if snapshot.value(name, labels).is_none() {
        assert_known(snapshot, name, labels);
    }
    if found.total_cmp(&expected).is_eq() || found == expected {
        return;
    }
    let series = snapshot.family(name).map_or(&[][..], |family| family.series());
    let lines: String = series
        .iter()
        .map(|series| format!("\n  {name}{} = {}", series.labels(), series.value().as_f64()))
        .collect();
    panic!("{name} with {labels:?} is {found}, not {expected}; the series of {name}:{lines}");
}

/// Panics if no instrument has this name, or none of its series can have these labels.
#[track_caller]
fn assert_known(snapshot: &Snapshot, name: &str, labels: &[(&str, &str)]) {
    let registry = Registry::global();
    let mut names = registry.names();
    names.extend(snapshot.families().iter().map(|family| family.name.clone()));
    if !names.iter().any(|known| known == name) {
        let nearest = nearest(name, names.iter().map(|known| &**known));
        let nearest = nearest.map_or_else(String::new, |name| format!("; the nearest is {name:?}"));
        panic!(
            "no instrument is called {name:?}{nearest} (a static is known once it is used, or told \
             to `register`)"
        );
    }
    let wanted = LabelSet::new(labels.iter().map(|&(key, value)| (key.to_owned(), value)));
    let mut known = registry.labels_of(name);
    let series = snapshot.family(name).map_or(&[][..], |family| family.series());
    known.extend(series.iter().map(|series| series.labels().clone()));
    if !known.contains(&wanted) {
        let known: Vec<String> = known.iter().map(LabelSet::to_string).collect();
        match nearest(&wanted.to_string(), known.iter().map(String::as_str)) {
            Some(nearest) => panic!("{name} has no series {wanted}; the nearest has {nearest}"),
            None => panic!("{name} has no series {wanted}, and no other"),
        }
    }
}

/// The only span called `name`.
#[track_caller]
pub(super) fn one_span(spans: Vec<SpanRecord>, name: &str) -> SpanRecord {
    let mut named: Vec<&SpanRecord> = spans.iter().filter(|span| span.name() == name).collect();
    let n_named = named.len();
    if let (1, Some(span)) = (n_named, named.pop()) {
        return span.clone();
    }
    let nearest = match nearest(name, spans.iter().map(SpanRecord::name)) {
        Some(nearest) if n_named == 0 => format!("; the nearest is {nearest:?}"),
        _ => String::new(),
    };
    let tree = super::tree::render(&spans);
    panic!("{n_named} spans called {name:?}, not one{nearest}; the spans:\n{tree}")
}

/// The text with the fewest changes from `wanted`; the first one if there are several.
fn nearest<'a>(wanted: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    among.min_by_key(|text| distance(wanted, text))
}

/// How many characters have to be inserted, removed or replaced to turn `a` into `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (n, a) in a.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], n + 1);
        for (place, b) in b.iter().enumerate() {
            let replaced = before + usize::from(a != *b);
            before = row[place + 1];
            row[place + 1] = replaced.min(before + 1).min(row[place] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_the_number_of_changes() {
        for (a, b, changes) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("orders", "orders", 0),
            ("ordres", "orders", 2),
            ("kitten", "sitting", 3),
            ("é", "e", 1),
        ] {
            assert_eq!(distance(a, b), changes, "{a} {b}");
        }
    }
}
