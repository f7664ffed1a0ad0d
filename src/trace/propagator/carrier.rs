//! The maps and lists of std as carriers.

use std::{
    collections::{BTreeMap, HashMap},
    hash::BuildHasher,
};

use super::{Extractor, Injector};

impl<C: Extractor + ?Sized> Extractor for &C {
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8])) {
        (**self).values(name, each);
    }
}

impl<C: Injector + ?Sized> Injector for &mut C {
    fn set(&mut self, name: &'static str, value: &str) {
        (**self).set(name, value);
    }

    fn remove(&mut self, name: &'static str) {
        (**self).remove(name);
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>> Extractor for [(K, V)] {
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8])) {
        for (key, value) in self {
            if key.as_ref().eq_ignore_ascii_case(name) {
                each(value.as_ref());
            }
        }
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>, const N: usize> Extractor for [(K, V); N] {
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8])) {
        self.as_slice().values(name, each);
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>> Extractor for Vec<(K, V)> {
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8])) {
        self.as_slice().values(name, each);
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>, S> Extractor for HashMap<K, V, S> {
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8])) {
        for (key, value) in self {
            if key.as_ref().eq_ignore_ascii_case(name) {
                each(value.as_ref());
            }
        }
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>> Extractor for BTreeMap<K, V> {
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8])) {
        for (key, value) in self {
            if key.as_ref().eq_ignore_ascii_case(name) {
                each(value.as_ref());
            }
        }
    }
}

/// Of keys and values as texts, or as bytes, which the headers of messages are.
impl<K, V> Injector for Vec<(K, V)>
where
    K: AsRef<str> + From<&'static str>,
    V: for<'a> From<&'a str>,
{
    fn set(&mut self, name: &'static str, value: &str) {
        let mut first = First::of(name);
        self.retain_mut(|(key, old)| first.keeps(key.as_ref(), || *old = value.into()));
        if !first.was_seen {
            self.push((name.into(), value.into()));
        }
    }

    fn remove(&mut self, name: &'static str) {
        self.retain(|(key, _)| !key.as_ref().eq_ignore_ascii_case(name));
    }
}

// The maps are of one type of values alone: so it need not be written where one is made.

impl<S: BuildHasher> Injector for HashMap<String, String, S> {
    fn set(&mut self, name: &'static str, value: &str) {
        let mut first = First::of(name);
        self.retain(|key, old| first.keeps(key, || replace(old, value)));
        if !first.was_seen {
            self.insert(name.into(), value.into());
        }
    }

    fn remove(&mut self, name: &'static str) {
        self.retain(|key, _| !key.eq_ignore_ascii_case(name));
    }
}

impl Injector for BTreeMap<String, String> {
    fn set(&mut self, name: &'static str, value: &str) {
        let mut first = First::of(name);
        self.retain(|key, old| first.keeps(key, || replace(old, value)));
        if !first.was_seen {
            self.insert(name.into(), value.into());
        }
    }

    fn remove(&mut self, name: &'static str) {
        self.retain(|key, _| !key.eq_ignore_ascii_case(name));
    }
}

/// The first entry of a name, while entries are looked through. Names in another case are other keys of
/// a map, but the same header on the wire.
struct First<'a> {
    name: &'a str,
    was_seen: bool,
}

impl<'a> First<'a> {
    const fn of(name: &'a str) -> Self {
        Self { name, was_seen: false }
    }

    /// Whether to keep an entry: the first one of the name is set, and the others go.
    fn keeps(&mut self, key: &str, set: impl FnOnce()) -> bool {
        if !key.eq_ignore_ascii_case(self.name) {
            return true;
        }
        let is_first = !std::mem::replace(&mut self.was_seen, true);
        if is_first {
            set();
        }
        is_first
    }
}

/// Writes `value` over `old`, in its memory.
fn replace(old: &mut String, value: &str) {
    old.clear();
    old.push_str(value);
}
