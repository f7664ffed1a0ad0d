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

/// Of keys and values as text or as bytes, which the headers of messages have.
impl<K, V> Injector for Vec<(K, V)>
where
    K: AsRef<str> + From<&'static str>,
    V: for<'a> From<&'a str>,
{
    fn set(&mut self, name: &'static str, value: &str) {
        let mut is_set = false;
        self.retain_mut(|(key, old)| keep_first(key.as_ref(), old, name, value, &mut is_set));
        if !is_set {
            self.push((name.into(), value.into()));
        }
    }

    fn remove(&mut self, name: &'static str) {
        self.retain(|(key, _)| !key.as_ref().eq_ignore_ascii_case(name));
    }
}

// Of one type of values alone: so it need not be written where a map is made to be injected into.
impl<S: BuildHasher> Injector for HashMap<String, String, S> {
    fn set(&mut self, name: &'static str, value: &str) {
        let mut is_set = false;
        // Names in another case are other keys here, but the same header on the wire.
        self.retain(|key, old| keep_first(key, old, name, value, &mut is_set));
        if !is_set {
            self.insert(name.into(), value.into());
        }
    }

    fn remove(&mut self, name: &'static str) {
        self.retain(|key, _| !key.eq_ignore_ascii_case(name));
    }
}

impl Injector for BTreeMap<String, String> {
    fn set(&mut self, name: &'static str, value: &str) {
        let mut is_set = false;
        self.retain(|key, old| keep_first(key, old, name, value, &mut is_set));
        if !is_set {
            self.insert(name.into(), value.into());
        }
    }

    fn remove(&mut self, name: &'static str) {
        self.retain(|key, _| !key.eq_ignore_ascii_case(name));
    }
}

/// Whether to keep an entry: the first one of `name` gets `value`, and the others go.
fn keep_first<V: for<'a> From<&'a str>>(
    key: &str,
    old: &mut V,
    name: &str,
    value: &str,
    is_set: &mut bool,
) -> bool {
    if !key.eq_ignore_ascii_case(name) {
        return true;
    }
    if *is_set {
        return false;
    }
    *is_set = true;
    *old = value.into();
    true
}
