//! Views from configuration: a line of text, or a map of options.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    View,
    parse::{ONE_AGGREGATION, POWERS_OF_TWO, kind_named, no_kind},
};

/// A view's options as a map.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    instrument: String,
    kind: Option<String>,
    unit: Option<String>,
    #[serde(default)]
    drop: bool,
    rename: Option<String>,
    keep_labels: Option<Vec<String>>,
    #[serde(default)]
    drop_labels: Vec<String>,
    bounds: Option<Vec<f64>>,
    hdr: Option<u8>,
    #[serde(default)]
    exponential: bool,
    page_bounds: Option<PageBounds>,
    limit: Option<usize>,
}

/// A list of bounds, or the word for powers of two.
#[derive(Deserialize)]
#[serde(untagged)]
enum PageBounds {
    Explicit(Vec<f64>),
    Named(String),
}

/// Reads the line of [`View`]'s `FromStr`, or a map of the same options with lists as lists and the
/// pattern as `instrument`. An option that there is not, or a value that is not legal, is an error.
impl<'de> Deserialize<'de> for View {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrMap)
    }
}

struct TextOrMap;

impl<'de> Visitor<'de> for TextOrMap {
    type Value = View;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a view: a line of text or a map of options")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<View, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<View, A::Error> {
        let options = Options::deserialize(MapAccessDeserializer::new(map))?;
        let name = options.instrument.clone();
        let error = |fault: String| A::Error::custom(format_args!("view of {name:?}: {fault}"));
        let view = options.view().map_err(error)?;
        match view.fault() {
            None => Ok(view),
            Some((option, fault)) => Err(error(format!("{option}: {fault}"))),
        }
    }
}

impl Options {
    fn view(self) -> Result<View, String> {
        let kind = |name: String| kind_named(&name).ok_or_else(|| no_kind(&name));
        let mut view = View::new(self.instrument).drop_labels(self.drop_labels);
        view.drop = self.drop;
        view.kind = self.kind.map(kind).transpose()?;
        view.unit = self.unit;
        view.rename = self.rename;
        view.limit = self.limit;
        view = match self.keep_labels {
            Some(keys) => view.keep_labels(keys),
            None => view,
        };
        view = match self.page_bounds {
            None => view,
            Some(PageBounds::Explicit(bounds)) => view.page_bounds(bounds),
            Some(PageBounds::Named(name)) if name == POWERS_OF_TWO => view.page_powers_of_two(),
            Some(PageBounds::Named(name)) => {
                return Err(format!(
                    "page_bounds: {name:?} is neither {POWERS_OF_TWO:?} nor bounds"
                ));
            }
        };
        match (self.bounds, self.hdr, self.exponential) {
            (None, None, false) => Ok(view),
            (Some(bounds), None, false) => Ok(view.bounds(bounds)),
            (None, Some(digits), false) => Ok(view.hdr(digits)),
            (None, None, true) => Ok(view.exponential()),
            _ => Err(ONE_AGGREGATION.to_owned()),
        }
    }
}
