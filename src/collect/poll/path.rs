//! Paths to values in a JSON document.

use serde_json::Value;

use crate::error::{Error, ErrorKind};

/// A JSON pointer (RFC 6901), in which one part may be `*`: each element of an array, or each member
/// of an object.
#[derive(Clone, Debug)]
pub(super) struct Path {
    text: String,
    before: Vec<String>,
    /// The part after the `*`, if there is one.
    behind: Option<Vec<String>>,
    /// What is wrong with the text, if anything.
    fault: Option<&'static str>,
}

/// One place that a path leads to.
pub(super) struct Found<'a> {
    /// The name of the member or the index of the element that `*` matched.
    pub(super) key: Option<String>,
    /// The document, or what `*` matched: paths of labels begin here.
    pub(super) base: &'a Value,
    pub(super) value: Option<&'a Value>,
}

impl Path {
    pub(super) fn new(text: String) -> Self {
        let mut parts = text.split('/').map(|part| part.replace("~1", "/").replace("~0", "~"));
        let is_rooted = parts.next().is_none_or(|first| first.is_empty());
        let parts: Vec<String> = parts.collect();
        let mut pieces = parts.split(|part| part == "*");
        let before = pieces.next().unwrap_or_default().to_vec();
        let behind = pieces.next().map(<[String]>::to_vec);
        let fault = match pieces.next() {
            _ if !is_rooted => Some("must be empty or start with a slash"),
            Some(_) => Some("may have one `*`"),
            None => None,
        };
        Self { text, before, behind, fault }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        match self.fault {
            None => Ok(()),
            Some(fault) => {
                let text = format!("the path {:?} {fault}", self.text);
                Err(Error::new(ErrorKind::InvalidOption, text))
            }
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn has_star(&self) -> bool {
        self.behind.is_some()
    }

    /// The places in `document`; `None` if there is nothing that `*` can match.
    pub(super) fn find<'a>(&self, document: &'a Value) -> Option<Vec<Found<'a>>> {
        let found = follow(document, &self.before);
        let Some(behind) = &self.behind else {
            return Some(vec![Found { key: None, base: document, value: found }]);
        };
        let place = |key, base| Found { key: Some(key), base, value: follow(base, behind) };
        match found? {
            Value::Array(elements) => {
                let numbered = elements.iter().enumerate();
                Some(numbered.map(|(number, element)| place(number.to_string(), element)).collect())
            }
            Value::Object(members) => {
                Some(members.iter().map(|(name, member)| place(name.clone(), member)).collect())
            }
            _ => None,
        }
    }
}

/// The value at the end of `parts`; a null counts as absent.
fn follow<'a>(value: &'a Value, parts: &[String]) -> Option<&'a Value> {
    let found = parts.iter().try_fold(value, |value, part| match value {
        Value::Object(members) => members.get(part),
        // By RFC 6901 an index has no leading zero and no sign.
        Value::Array(elements) => {
            let number: usize = part.parse().ok()?;
            elements.get(number).filter(|_| number.to_string() == *part)
        }
        _ => None,
    })?;
    (!found.is_null()).then_some(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(path: &str, document: &Value) -> Option<Vec<Value>> {
        let path = Path::new(path.to_owned());
        let found = path.find(document)?;
        Some(found.into_iter().map(|found| found.value.cloned().unwrap_or_default()).collect())
    }

    #[test]
    fn a_pointer_leads_where_rfc_6901_says() {
        let document = json!({
            "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5,
            "k\"l": 6, " ": 7, "m~n": 8, "null": null,
        });
        for (path, expected) in [
            ("", document.clone()),
            ("/foo", json!(["bar", "baz"])),
            ("/foo/0", json!("bar")),
            ("/", json!(0)),
            ("/a~1b", json!(1)),
            ("/c%d", json!(2)),
            ("/i\\j", json!(5)),
            ("/k\"l", json!(6)),
            ("/ ", json!(7)),
            ("/m~0n", json!(8)),
        ] {
            assert_eq!(values(path, &document), Some(vec![expected]), "{path}");
        }
        for missing in ["/no", "/foo/2", "/foo/-", "/foo/01", "/foo/+1", "/foo/0/x", "/null"] {
            assert_eq!(values(missing, &document), Some(vec![Value::Null]), "{missing}");
        }
    }

    #[test]
    fn a_star_stands_for_each_element_and_each_member() {
        let document = json!({"list": [{"n": 1}, {"n": 2}, {}], "map": {"a": 1, "b": 2}, "x": 1});
        assert_eq!(values("/list/*/n", &document), Some(vec![json!(1), json!(2), json!(null)]));
        assert_eq!(values("/map/*", &document), Some(vec![json!(1), json!(2)]));
        assert_eq!(values("/*/0/n", &document).map(|all| all.len()), Some(3));
        assert_eq!(values("/x/*", &document), None);
        assert_eq!(values("/no/*", &document), None);
        let path = Path::new("/map/*".to_owned());
        let found = path.find(&document).unwrap();
        assert_eq!(found[1].key.as_deref(), Some("b"));
    }

    #[test]
    fn a_path_that_is_none_is_refused() {
        for path in ["a", "a/b", " /a", "/*/a/*"] {
            assert!(Path::new(path.to_owned()).check().is_err(), "{path}");
        }
    }
}
