//! What the lines of a route have in common: tags of the resource, times that differ, and a count of what no line
//! could express.

use std::{borrow::Cow, collections::HashSet};

use super::line::Line;
use crate::{
    export::wire::{doubling::Doubling, span::last_of_each_key},
    label::{KeyValue, Value},
    pipeline::Setup,
};

/// An attribute, and the name of the tag that it is.
pub(super) type Renamed = (Cow<'static, str>, Cow<'static, str>);

/// What the lines of a route have in common.
#[derive(Debug, Default)]
pub(super) struct Tags {
    of_resource: Vec<(String, String)>,
    /// Characters that no line can express.
    replaced: Doubling,
    /// The times of this batch.
    times: HashSet<u64>,
    /// The last time that was asked for, and what it became.
    last: Option<(u64, u64)>,
}

impl Tags {
    /// Reads those of the attributes `wanted` that the resource has.
    pub(super) fn read(&mut self, wanted: &[Renamed], setup: &Setup) {
        let service = setup.service_name();
        let value = |key: &str| match key {
            "service.name" => (!service.is_empty()).then(|| service.to_owned()),
            _ => setup.resource().get(key).map(ToString::to_string),
        };
        let found = wanted.iter().filter_map(|(key, tag)| Some((tag.to_string(), value(key)?)));
        self.of_resource = found.collect();
    }

    /// Writes them, but for those that the record has itself: a line has no tag twice.
    pub(super) fn put(&self, line: &mut Line<'_>, is_taken: impl Fn(&str) -> bool) {
        let own = self.of_resource.iter().filter(|(key, _)| !is_taken(key));
        own.for_each(|(key, value)| line.tag(key, value));
    }

    /// Writes the tags of a span or a log record: its `own`, the attributes that are `wanted`, those of the
    /// resource.
    pub(super) fn put_all(
        &self,
        line: &mut Line<'_>,
        own: &[(&str, &str)],
        wanted: &[Renamed],
        attributes: &[KeyValue],
    ) {
        own.iter().for_each(|(key, value)| line.tag(key, value));
        let is_own = |tag: &str| own.iter().any(|(key, _)| *key == tag);
        for attribute in last_of_each_key(attributes) {
            let Some((_, tag)) = wanted.iter().find(|(key, _)| *key == attribute.key) else {
                continue;
            };
            match &attribute.value {
                _ if is_own(tag) => {}
                Value::String(text) => line.tag(tag, text),
                value => line.tag(tag, &value.to_string()),
            }
        }
        let is_attribute = |tag: &str| {
            let of = |key: &str| attributes.iter().any(|attribute| attribute.key == key);
            wanted.iter().any(|(key, other)| other == tag && of(key))
        };
        self.put(line, |tag| is_own(tag) || is_attribute(tag));
    }

    /// A time that no other record of the batch has: InfluxDB takes two points with the same tags and time for
    /// one.
    pub(super) fn distinct(&mut self, nanos: u64) -> i64 {
        // Many in a row may have one time: each begins where the one before was put.
        let mut free = match self.last {
            Some((asked, given)) if asked == nanos => given,
            _ => nanos,
        };
        while !self.times.insert(free) {
            free = free.wrapping_add(1);
        }
        self.last = Some((nanos, free));
        i64::try_from(free).unwrap_or(i64::MAX)
    }

    /// Counts characters that were replaced.
    pub(super) fn note(&mut self, n_replaced: u64) {
        self.replaced.add(n_replaced);
    }

    /// Ends a batch. What was replaced is reported when it first happens, and whenever it has doubled.
    pub(super) fn report(&mut self) {
        self.times.clear();
        self.last = None;
        self.replaced.report("influx", "characters that no line can express are `_`");
    }

    /// How many characters were replaced, if that is to be reported.
    #[cfg(test)]
    pub(super) fn due(&mut self) -> Option<u64> {
        self.replaced.due()
    }
}
