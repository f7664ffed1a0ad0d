//! A strict reader of bodies of the bulk API, and of documents as a mapping would take them: from what is documented
//! and from what Elasticsearch's parser of documents refuses.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};

/// A document that is to be created.
#[derive(Clone, Debug)]
pub(super) struct Doc {
    pub(super) index: Option<String>,
    pub(super) id: String,
    /// Its leaves by their whole names; of objects in a list, in the order in which they come.
    pub(super) fields: BTreeMap<String, Vec<Json>>,
}

impl Doc {
    /// A field that has one value.
    pub(super) fn get(&self, field: &str) -> Option<&Json> {
        let values = self.fields.get(field)?;
        assert_eq!(values.len(), 1, "{field} has several values");
        values.first()
    }

    pub(super) fn text(&self, field: &str) -> Option<&str> {
        match self.get(field)? {
            Json::Text(text) => Some(text),
            other => panic!("{field} is {other:?}"),
        }
    }

    pub(super) fn number(&self, field: &str) -> Option<f64> {
        match self.get(field)? {
            Json::Number(number) => Some(number.as_f64().unwrap()),
            other => panic!("{field} is {other:?}"),
        }
    }

    pub(super) fn whole(&self, field: &str) -> Option<u64> {
        match self.get(field)? {
            Json::Number(number) => number.as_u64(),
            other => panic!("{field} is {other:?}"),
        }
    }
}

/// JSON in which no object has a field twice, which Elasticsearch refuses.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// The documents of a body; an error where a server would refuse one or all.
pub(super) fn read(body: &[u8]) -> Result<Vec<Doc>, String> {
    let text = str::from_utf8(body).map_err(|error| error.to_string())?;
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the body does not end in a line feed".to_owned());
    }
    let lines: Vec<&str> = text.split_terminator('\n').collect();
    let mut docs = Vec::new();
    for pair in lines.chunks(2) {
        let [action, source] = pair else { return Err("an action without a document".to_owned()) };
        let (index, id) = action_of(&parse(action)?)?;
        let mut fields = BTreeMap::new();
        let Json::Object(_) = parse(source)? else { return Err(format!("{source} is no object")) };
        leaves(&parse(source)?, "", 1, &mut fields)?;
        let names: Vec<&String> = fields.keys().collect();
        for name in &names {
            let inner = format!("{name}.");
            if names.iter().any(|other| other.starts_with(&inner)) {
                return Err(format!("{name} is a value and an object"));
            }
        }
        docs.push(Doc { index, id, fields });
    }
    Ok(docs)
}

fn parse(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| format!("{error}: {text:.100}"))
}

fn action_of(action: &Json) -> Result<(Option<String>, String), String> {
    let Json::Object(actions) = action else { return Err("no action".to_owned()) };
    let [(name, Json::Object(parameters))] = &actions[..] else {
        return Err("not one action".to_owned());
    };
    if name != "create" {
        return Err(format!("{name} is not what a data stream takes"));
    }
    let (mut index, mut id) = (None, None);
    for (key, value) in parameters {
        match (&**key, value) {
            ("_index", Json::Text(name)) => index = Some(name.clone()),
            ("_id", Json::Text(text)) if (1..=512).contains(&text.len()) => id = Some(text.clone()),
            other => return Err(format!("{other:?}")),
        }
    }
    Ok((index, id.ok_or("no id")?))
}

/// Collects the leaves of `json`, with dots in names as the steps that they are to a mapping.
fn leaves(
    json: &Json,
    path: &str,
    depth: usize,
    fields: &mut BTreeMap<String, Vec<Json>>,
) -> Result<(), String> {
    if depth > 20 {
        return Err("deeper than `index.mapping.depth.limit`".to_owned());
    }
    match json {
        Json::Object(inner) => {
            for (name, value) in inner {
                // Java's notion of blank is narrower than Rust's, but for four control characters.
                let is_blank = |part: &str| {
                    part.chars().all(|c| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
                };
                if name.split('.').any(is_blank) {
                    return Err(format!("a field is called {name:?}"));
                }
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(value, &path, depth + 1, fields)?;
            }
        }
        Json::List(items) => {
            for item in items {
                leaves(item, path, depth, fields)?;
            }
        }
        leaf => fields.entry(path.to_owned()).or_default().push(leaf.clone()),
    }
    Ok(())
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Number(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json::Number(value.into()))
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
                serde_json::Number::from_f64(value).map(Json::Number).ok_or(E::custom("no number"))
            }

            fn visit_str<E>(self, value: &str) -> Result<Json, E> {
                Ok(Json::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Json::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut object: Vec<(String, Json)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, _>()? {
                    if object.iter().any(|(other, _)| *other == key) {
                        return Err(A::Error::custom(format!("duplicate field {key:?}")));
                    }
                    object.push((key, value));
                }
                Ok(Json::Object(object))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

#[test]
fn the_reader_of_these_tests_refuses_what_a_server_refuses() {
    let doc =
        |source: &str| read(format!("{{\"create\":{{\"_id\":\"a\"}}}}\n{source}\n").as_bytes());
    assert_eq!(doc(r#"{"a.b":1,"a":{"c":[2,3]}}"#).unwrap()[0].fields["a.c"].len(), 2);
    for bad in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"a.b":2}"#,
        r#"{"":1}"#,
        r#"{" ":1}"#,
        r#"{"a..b":1}"#,
        r#"{".a":1}"#,
        r#"{"a":NaN}"#,
        "[]",
        "",
    ] {
        assert!(doc(bad).is_err(), "{bad}");
    }
    for body in [
        "{\"create\":{\"_id\":\"a\"}}\n{}",
        "{\"create\":{\"_id\":\"a\"}}\n",
        "{\"index\":{\"_id\":\"a\"}}\n{}\n",
        "{\"create\":{\"_type\":\"a\"}}\n{}\n",
        "{\"create\":{}}\n{}\n",
        "{\"create\":{\"_id\":\"a\"},\"index\":{}}\n{}\n",
    ] {
        assert!(read(body.as_bytes()).is_err(), "{body}");
    }
    let deep = format!("{}1{}", "{\"a\":".repeat(25), "}".repeat(25));
    assert!(doc(&deep).is_err());
}
