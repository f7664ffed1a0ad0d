//! Views as lines of text: a pattern, then options.

use std::{fmt, str::FromStr};

use super::{Buckets, Pattern, ShownBounds, View};
use crate::{
    error::{Error, ErrorKind},
    metric::Kind,
};

/// The longest text of a view.
pub(super) const MAX_TEXT_BYTES: usize = 16 << 10;

pub(super) const ONE_AGGREGATION: &str = "only one of bounds, hdr and exponential can be given";

/// What stands in the place of a view's bounds on a page.
pub(super) const POWERS_OF_TWO: &str = "powers_of_two";

const KINDS: [(&str, Kind); 7] = [
    ("counter", Kind::Counter),
    ("up_down_counter", Kind::UpDownCounter),
    ("gauge", Kind::Gauge),
    ("histogram", Kind::Histogram),
    ("summary", Kind::Summary),
    ("info", Kind::Info),
    ("state_set", Kind::StateSet),
];

/// The kind that is called `name` in texts.
pub(in crate::metric) fn kind_named(name: &str) -> Option<Kind> {
    KINDS.iter().find_map(|&(known, kind)| (known == name).then_some(kind))
}

/// What `kind` is called in texts.
pub(in crate::metric) fn kind_name(kind: Kind) -> &'static str {
    KINDS.iter().find(|(_, known)| *known == kind).map_or("", |(name, _)| name)
}

/// Reads a line such as `http.* drop_labels=user_id rename=web.requests`; an error tells at which
/// character. It has at most 16 KiB.
impl FromStr for View {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(Error::new(ErrorKind::Parse, "a view is longer than 16 KiB"));
        }
        let mut words = words(text);
        let Some((_, instrument)) = words.next() else {
            return Err(Error::new(ErrorKind::Parse, "a view is empty"));
        };
        let mut view = Self::new(instrument);
        let mut seen = Vec::new();
        for (at, word) in words {
            let error = |fault: String| {
                let character = text[..at].chars().count() + 1;
                Error::new(
                    ErrorKind::Parse,
                    format!("view {text:?}, character {character}: {fault}"),
                )
            };
            let (option, value) = match word.split_once('=') {
                Some((option, value)) => (option, Some(value)),
                None => (word, None),
            };
            // One histogram has one kind of buckets.
            let slot = if ["hdr", "exponential"].contains(&option) { "bounds" } else { option };
            if seen.contains(&slot) {
                return Err(error(match slot {
                    "bounds" => ONE_AGGREGATION.to_owned(),
                    _ => format!("{option:?} is given twice"),
                }));
            }
            seen.push(slot);
            view = view.with_option(option, value).map_err(error)?;
            if let Some((option, fault)) = view.fault() {
                return Err(error(format!("{option}: {fault}")));
            }
        }
        Ok(view)
    }
}

impl View {
    fn with_option(self, option: &str, value: Option<&str>) -> Result<Self, String> {
        match (option, value) {
            ("drop", None) => return Ok(self.drop()),
            ("exponential", None) => return Ok(self.exponential()),
            ("drop" | "exponential", Some(_)) => return Err(format!("{option:?} has no value")),
            _ => {}
        }
        let known = ["kind", "unit", "rename", "keep_labels", "drop_labels"];
        if !known
            .iter()
            .chain(&["bounds", "hdr", "page_bounds", "limit"])
            .any(|name| *name == option)
        {
            return Err(format!("there is no option {option:?}"));
        }
        let value = value.ok_or_else(|| format!("{option:?} needs a value: {option}=..."))?;
        let list = || value.split(',').filter(|item| !item.is_empty());
        Ok(match option {
            "kind" => self.kind(kind_named(value).ok_or_else(|| no_kind(value))?),
            "unit" => self.unit(value),
            "rename" => self.rename(value),
            "keep_labels" => self.keep_labels(list()),
            "drop_labels" => self.drop_labels(list()),
            "bounds" => self.bounds(list().map(number).collect::<Result<Vec<f64>, _>>()?),
            "hdr" => self.hdr(number(value)?),
            "page_bounds" if value == POWERS_OF_TWO => self.page_powers_of_two(),
            "page_bounds" => self.page_bounds(list().map(number).collect::<Result<Vec<f64>, _>>()?),
            _ => self.limit(number(value)?),
        })
    }
}

/// What is wrong with `value` as a kind.
pub(super) fn no_kind(value: &str) -> String {
    let names: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
    format!("{value:?} is no kind; kinds are {}", names.join(", "))
}

fn number<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{text:?} is no such number"))
}

/// The words of `text`, each with where it begins.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let place = move |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    text.split_whitespace().map(move |word| (place(word), word))
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.instrument.0)?;
        if let Some(kind) = self.kind {
            write!(f, " kind={}", kind_name(kind))?;
        }
        if let Some(unit) = &self.unit {
            write!(f, " unit={unit}")?;
        }
        if self.drop {
            f.write_str(" drop")?;
        }
        if let Some(name) = &self.rename {
            write!(f, " rename={name}")?;
        }
        if let Some(keys) = &self.keep_labels {
            write!(f, " keep_labels={}", joined(keys))?;
        }
        if !self.drop_labels.is_empty() {
            write!(f, " drop_labels={}", joined(&self.drop_labels))?;
        }
        match &self.buckets {
            None => {}
            Some(Buckets::Explicit(bounds)) => {
                write!(f, " bounds={}", numbers(bounds))?;
            }
            Some(Buckets::Exponential) => f.write_str(" exponential")?,
            Some(Buckets::Hdr { digits }) => write!(f, " hdr={digits}")?,
        }
        match &self.shown {
            None => {}
            Some(ShownBounds::PowersOfTwo) => write!(f, " page_bounds={POWERS_OF_TWO}")?,
            Some(ShownBounds::Explicit(bounds)) => {
                write!(f, " page_bounds={}", numbers(bounds))?;
            }
        }
        match self.limit {
            Some(limit) => write!(f, " limit={limit}"),
            None => Ok(()),
        }
    }
}

fn numbers(bounds: &[f64]) -> String {
    let bounds: Vec<_> = bounds.iter().map(f64::to_string).collect();
    bounds.join(",")
}

fn joined(keys: &[Pattern]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| key.0.as_str()).collect();
    keys.join(",")
}
