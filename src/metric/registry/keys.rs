//! Label keys that are known at run time. Each key and each list is kept once, for the life of the
//! process.

use std::collections::BTreeSet;

use crate::sync::Mutex;

/// Returns `texts` as a static list. Equal lists are kept once.
pub(super) fn intern_list(texts: &[&str]) -> &'static [&'static str] {
    static LISTS: Mutex<BTreeSet<&'static [&'static str]>> = Mutex::new(BTreeSet::new());
    let texts: Vec<&'static str> = texts.iter().map(|text| intern(text)).collect();
    let mut lists = LISTS.lock();
    match lists.get(&*texts) {
        Some(known) => known,
        None => {
            let list: &'static [&'static str] = texts.leak();
            lists.insert(list);
            list
        }
    }
}

/// Returns `text` as a static text. Equal texts are kept once.
fn intern(text: &str) -> &'static str {
    static TEXTS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut texts = TEXTS.lock();
    match texts.get(text) {
        Some(known) => known,
        None => {
            let text: &'static str = Box::leak(text.into());
            texts.insert(text);
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_once() {
        let keys = ["test.dynamic.kept".to_owned(), "a".to_owned()];
        let lists = [(); 2].map(|()| intern_list(&keys.clone().each_ref().map(|key| &**key)));
        assert!(std::ptr::eq(lists[0], lists[1]));
        assert_eq!(lists[0], keys);
    }
}
