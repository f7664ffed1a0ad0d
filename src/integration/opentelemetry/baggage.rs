//! Baggage, ours and OpenTelemetry's.

use ::opentelemetry::{
    Context as TheirContext,
    baggage::{Baggage as TheirBaggage, BaggageExt as _, KeyValueMetadata},
};

use super::caller::Caller;
use crate::context::Baggage;

/// The entries by key, because the API's have no order. Entries that stay in the process are those of the
/// caller.
pub(super) fn to_ours(theirs: &TheirContext) -> Baggage {
    let own = theirs.baggage();
    let caller = theirs.get::<Caller>().map(|Caller(caller)| caller.baggage());
    if own.is_empty() && caller.is_none() {
        return Baggage::EMPTY;
    }
    let caller = caller.unwrap_or(&Baggage::EMPTY);
    if is_same(own, caller) {
        return caller.clone();
    }
    let mut entries: Vec<_> = own.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    let sent = entries.into_iter().fold(Baggage::EMPTY, |baggage, (key, (value, metadata))| {
        baggage.with_properties(key.as_str(), value.as_str(), metadata.as_str())
    });
    let local = caller.iter().filter(|entry| entry.is_local());
    local.fold(sent, |baggage, entry| baggage.with_local(entry.key(), &entry.value()))
}

fn is_same(theirs: &TheirBaggage, ours: &Baggage) -> bool {
    let mut n_sent = 0;
    let are_same = ours.iter().filter(|entry| !entry.is_local()).all(|entry| {
        n_sent += 1;
        let Some((value, metadata)) = theirs.get_with_metadata(entry.key()) else { return false };
        value.as_str() == entry.value() && metadata.as_str() == entry.properties()
    });
    are_same && n_sent == theirs.len()
}

/// The entries that are sent.
pub(super) fn to_theirs(ours: &Baggage) -> TheirBaggage {
    let sent = ours.iter().filter(|entry| !entry.is_local());
    let sent = sent.map(|entry| {
        let (key, value) = (entry.key().to_owned(), entry.value().into_owned());
        KeyValueMetadata::new(key, value, entry.properties())
    });
    sent.collect()
}
