//! The names of spans, each made once: `GET /orders/{id}` of a method and a route.
//!
//! A process has few of them. Each is kept for the life of the process, so that a request allocates neither
//! its name nor the attribute of its route. The table has a bound: beyond it, a name is allocated for each
//! request.

use once_cell::race::OnceRef;

use crate::{sync::Mutex, util::hash::Hash};

/// A name, and the text in it that follows the method.
#[derive(Debug)]
pub(super) struct Name {
    method: &'static str, // Empty if the text is all.
    whole: Box<str>,
    start: usize, // Of the text; the beginning of a character.
}

impl Name {
    fn new(method: &'static str, text: &str) -> Self {
        let whole = if method.is_empty() { text.to_owned() } else { format!("{method} {text}") };
        Self { method, start: whole.len() - text.len(), whole: whole.into() }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.whole
    }

    pub(super) fn text(&self) -> &str {
        &self.whole[self.start..]
    }

    fn is(&self, method: &str, text: &str) -> bool {
        self.text() == text && self.method == method
    }
}

/// Arbitrary: as many operations as no service has. Names are leaked, so they must have a bound.
const PLACES: usize = 4096;

/// How many places are looked at for one name.
const PROBES: usize = 8;

/// The longest text that is kept: what is longer was not written by people.
const MAX_BYTES: usize = 512;

static NAMES: [OnceRef<'static, Name>; PLACES] = [const { OnceRef::new() }; PLACES];

/// The name of `text` behind `method`, if it is in the table or fits in it.
pub(super) fn intern(method: &'static str, text: &str) -> Option<&'static Name> {
    intern_in(&NAMES, method, text)
}

/// The name, if it is in the table.
pub(super) fn find(method: &str, text: &str) -> Option<&'static Name> {
    look(&NAMES, method, text).ok()
}

fn intern_in(
    names: &'static [OnceRef<'static, Name>],
    method: &'static str,
    text: &str,
) -> Option<&'static Name> {
    match look(names, method, text) {
        Ok(name) => Some(name),
        Err(None) => None,
        Err(Some(_)) if text.len() > MAX_BYTES => None,
        Err(Some(_)) => insert(names, method, text),
    }
}

/// The name, or the first place that is free for it.
fn look(
    names: &'static [OnceRef<'static, Name>],
    method: &str,
    text: &str,
) -> Result<&'static Name, Option<&'static OnceRef<'static, Name>>> {
    let mut hash = Hash::new();
    hash.push(method.as_bytes());
    hash.push(text.as_bytes());
    let first = hash.value() as usize;
    for probe in 0..PROBES {
        let place = &names[first.wrapping_add(probe) % names.len()];
        match place.get() {
            Some(name) if name.is(method, text) => return Ok(name),
            Some(_) => {}
            None => return Err(Some(place)),
        }
    }
    Err(None)
}

#[cold]
fn insert(
    names: &'static [OnceRef<'static, Name>],
    method: &'static str,
    text: &str,
) -> Option<&'static Name> {
    /// So that no name is leaked twice. No lock is taken inside it.
    static INSERTING: Mutex<()> = Mutex::new(());
    let _inserting = INSERTING.lock();
    match look(names, method, text) {
        Ok(name) => Some(name),
        Err(None) => None,
        Err(Some(place)) => {
            let name: &'static Name = Box::leak(Box::new(Name::new(method, text)));
            place.set(name).ok().map(|()| name)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    #[test]
    fn a_name_is_made_once_and_has_its_text_within() {
        let name = intern("GET", "/names/{id}").unwrap();
        assert_eq!((name.as_str(), name.text()), ("GET /names/{id}", "/names/{id}"));
        assert!(ptr::eq(name, intern("GET", &String::from("/names/{id}")).unwrap()));
        assert!(!ptr::eq(name, intern("PUT", "/names/{id}").unwrap()));
        let whole = intern("", "GET /names/{id}").unwrap();
        assert_eq!((whole.as_str(), whole.text()), ("GET /names/{id}", "GET /names/{id}"));
        assert!(find("", "names.Never").is_none() && find("PUT", "/names/{id}").is_some());
    }

    #[test]
    fn a_hundred_thousand_names_take_the_places_that_there_are_and_no_more() {
        let names: &'static [OnceRef<'static, Name>] =
            Box::leak((0..64).map(|_| OnceRef::new()).collect());
        let mut kept = Vec::new();
        for n in 0..100_000 {
            let text = format!("/{n}");
            if let Some(name) = intern_in(names, "GET", &text) {
                assert_eq!(name.text(), text);
                kept.push(text);
            }
        }
        assert_eq!(kept.len(), names.iter().filter(|place| place.get().is_some()).count());
        assert!((32..=64).contains(&kept.len()), "{}", kept.len());
        for text in &kept {
            assert_eq!(intern_in(names, "GET", text).unwrap().text(), text);
        }
        let long = "x".repeat(MAX_BYTES + 1);
        assert!(intern("GET", &long).is_none() && intern("GET", &long[1..]).is_some());
    }
}
