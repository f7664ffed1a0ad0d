//! Equal records that are handed over together become one.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use super::LogRecord;

/// Leaves the first of equal records, which counts the others. Equal are those of one target, severity and
/// place in the source, with one body and the same attributes.
pub(super) fn duplicates(records: &mut Vec<LogRecord>) {
    let mut firsts = HashMap::<u64, usize>::with_capacity(records.len());
    let mut kept = Vec::<LogRecord>::with_capacity(records.len());
    for record in records.drain(..) {
        let first = *firsts.entry(hash(&record)).or_insert(kept.len());
        match kept.get_mut(first) {
            Some(first) if is_equal(first, &record) => first.add_repeated(1 + record.repeated()),
            _ => kept.push(record),
        }
    }
    records.append(&mut kept);
}

fn hash(record: &LogRecord) -> u64 {
    let mut hasher = DefaultHasher::new();
    (record.target(), record.severity(), record.location()).hash(&mut hasher);
    (record.event_name(), record.severity_text()).hash(&mut hasher);
    record.body().to_string().hash(&mut hasher);
    for attribute in record.attributes() {
        (&attribute.key, attribute.value.to_string()).hash(&mut hasher);
    }
    hasher.finish()
}

fn is_equal(a: &LogRecord, b: &LogRecord) -> bool {
    let of = |record: &LogRecord| (record.severity(), record.suppressed());
    of(a) == of(b)
        && a.severity_text() == b.severity_text()
        && (a.target(), a.location(), a.event_name()) == (b.target(), b.location(), b.event_name())
        && (a.body(), a.attributes()) == (b.body(), b.attributes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogSeverity;

    #[test]
    fn equal_records_become_one_with_their_number_and_others_stay_in_order() {
        let of = |body: &'static str, cart: i64| {
            LogRecord::new(LogSeverity::WARN, body).with_attribute("cart", cart)
        };
        let mut records =
            vec![of("a", 1), of("b", 1), of("a", 1), of("a", 2), of("a", 1), of("b", 1)];
        duplicates(&mut records);
        let read: Vec<_> = records
            .iter()
            .map(|record| {
                (record.body().to_string(), &record.attributes()[0].value, record.repeated())
            })
            .map(|(body, cart, repeated)| format!("{body}{cart}+{repeated}"))
            .collect();
        assert_eq!(read, ["a1+2", "b1+1", "a2+0"]);
    }

    #[test]
    fn records_of_other_severities_targets_and_places_are_not_equal() {
        let of = || LogRecord::new(LogSeverity::WARN, "text");
        let mut records = vec![
            of(),
            LogRecord::new(LogSeverity::INFO, "text"),
            of().with_target("shop"),
            of().with_location("a.rs", 1),
            of().with_location("a.rs", 2),
            of().with_event_name("e"),
            of().with_event_name("e"),
            of().with_severity_text("notice"),
        ];
        duplicates(&mut records);
        assert_eq!(records.len(), 7);
    }
}
