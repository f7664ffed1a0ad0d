//! Names and values of dimensions, as CloudWatch takes them.

use super::options::Options;
use crate::{
    export::wire::{
        doubling::Doubling,
        json::{Json, Object},
    },
    label::LabelSet,
    resource::Resource,
};

/// The most dimensions of a set.
const MOST_DIMENSIONS: usize = 30;

/// The most bytes of a name, and of a value. CloudWatch takes names of 250: some room is left for what keeps them
/// apart.
const MOST_BYTES: [usize; 2] = [240, 1_024];

/// The dimensions of a document, and the labels that are none: properties. Their room is used again.
#[derive(Debug, Default)]
pub(super) struct Dimensions {
    /// Name, value, and the key that it had before.
    pairs: Vec<[String; 3]>,
    n: usize,
    /// Dimensions that are not sent as they are.
    pub(super) changed: Doubling,
}

impl Dimensions {
    /// Replaces them by those of series with `labels`.
    pub(super) fn read(&mut self, resource: &[(String, String)], labels: &LabelSet) {
        self.n = 0;
        for (name, value) in resource.iter().filter(|(name, _)| labels.get(name).is_none()) {
            self.add(name, value);
        }
        labels.iter().for_each(|(key, value)| self.add(key, value));
    }

    fn add(&mut self, key: &str, value: &str) {
        if value.is_empty() {
            return; // Without a value it is none.
        }
        if self.n == self.pairs.len() {
            self.pairs.push(Default::default());
        }
        let (before, rest) = self.pairs.split_at_mut(self.n);
        let [name, kept, original] = &mut rest[0];
        let mut is_changed = ascii(name, key, MOST_BYTES[0]);
        if name.is_empty() || name.starts_with(':') {
            name.replace_range(..name.len().min(1), "_");
            is_changed = true;
        }
        while name == "_aws" || before.iter().any(|[other, ..]| other == name) {
            name.push('_');
            is_changed = true;
        }
        is_changed |= ascii(kept, value, MOST_BYTES[1]);
        if kept.trim().is_empty() {
            "_".clone_into(kept);
            is_changed = true;
        }
        key.clone_into(original);
        self.n += 1;
        self.changed.add(is_changed.into());
    }

    fn pairs(&self) -> &[[String; 3]] {
        &self.pairs[..self.n]
    }

    /// The most bytes that they take in a document, where each may have to be escaped, and the names stand twice.
    pub(super) fn n_bytes(&self) -> usize {
        self.pairs().iter().map(|[name, value, _]| 4 * name.len() + 2 * value.len() + 10).sum()
    }

    /// Whether one has this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.pairs().iter().any(|[other, ..]| other == name)
    }

    /// Writes the sets that there are of those that the options name.
    pub(super) fn write_sets(&self, out: &mut Vec<u8>, options: &Options) {
        let find = |key: &String| self.pairs().iter().find(|[.., original]| original == key);
        let mut is_first = true;
        let mut write = |names: &mut dyn Iterator<Item = &String>| {
            if !std::mem::take(&mut is_first) {
                out.push(b',');
            }
            Json::new(out).array(names, |json, name| json.str(name));
        };
        let mut n_sets = 0;
        for set in options.dimensions.iter().filter(|set| set.iter().all(|key| find(key).is_some()))
        {
            for part in set.chunks(MOST_DIMENSIONS) {
                n_sets += 1;
                write(&mut part.iter().filter_map(find).map(|[name, ..]| name));
            }
        }
        if n_sets > 0 {
            return;
        }
        if self.n == 0 {
            return write(&mut std::iter::empty());
        }
        for part in self.pairs().chunks(MOST_DIMENSIONS) {
            write(&mut part.iter().map(|[name, ..]| name));
        }
    }

    /// Writes their values.
    pub(super) fn write_values(&self, object: &mut Object<'_>) {
        for [name, value, _] in self.pairs() {
            object.field(name).str(value);
        }
    }
}

/// Replaces `to` by `text` in plain ASCII, and says whether that is another text.
fn ascii(to: &mut String, text: &str, most: usize) -> bool {
    to.clear();
    let is_plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if text.len() <= most && text.bytes().all(is_plain) {
        to.push_str(text);
        return false;
    }
    let plain = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '_' };
    to.extend(text.chars().map(plain).take(most));
    true
}

/// The dimensions of the resource.
pub(super) fn of_resource(options: &Options, resource: &Resource) -> Vec<(String, String)> {
    let named = options.resource.iter();
    let found = named.filter_map(|(key, name)| Some((name, resource.get(key)?)));
    found.map(|(name, value)| (name.to_string(), value.to_string())).collect()
}
