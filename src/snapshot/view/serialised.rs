//! Views from configuration: a map of options.

use serde::{Deserialize, Deserializer, de::Error as _};

use super::View;
use crate::snapshot::family::Kind;

/// The word that may replace the list of bounds on a page.
const POWERS_OF_TWO: &str = "powers_of_two";

const KINDS: [(&str, Kind); 7] = [
    ("counter", Kind::Counter),
    ("up_down_counter", Kind::UpDownCounter),
    ("gauge", Kind::Gauge),
    ("histogram", Kind::Histogram),
    ("summary", Kind::Summary),
    ("info", Kind::Info),
    ("state_set", Kind::StateSet),
];

/// The kind with this name in serialised forms.
pub(crate) fn kind_named(name: &str) -> Option<Kind> {
    KINDS.iter().find_map(|&(known, kind)| (known == name).then_some(kind))
}

/// The name of `kind` in serialised forms.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    KINDS.iter().find(|(_, known)| *known == kind).map_or("", |(name, _)| name)
}

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

/// Reads a map of the options, with the pattern as `instrument` and lists as lists. An unknown option,
/// or a value that is not legal, is an error.
impl<'de> Deserialize<'de> for View {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let options = Options::deserialize(deserializer)?;
        let name = options.instrument.clone();
        let error = |fault: String| D::Error::custom(format_args!("view of {name:?}: {fault}"));
        let view = options.view().map_err(error)?;
        match view.fault() {
            None => Ok(view),
            Some((option, fault)) => Err(error(format!("{option}: {fault}"))),
        }
    }
}

impl Options {
    fn view(self) -> Result<View, String> {
        let kind = |name: String| {
            let names = KINDS.map(|(name, _)| name).join(", ");
            kind_named(&name).ok_or_else(|| format!("{name:?} is no kind; kinds are {names}"))
        };
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
            _ => Err("only one of bounds, hdr and exponential can be given".to_owned()),
        }
    }
}
