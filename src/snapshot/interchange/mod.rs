//! Snapshots between processes: how serde writes one, and how a foreign one is checked.
//!
//! `form` has the shape, as plain types with serde's derives. Each family that is read is limited and
//! checked at once, so that at most one unchecked family is held. An error names the place.

mod form;
mod parts;

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, SeqAccess, Visitor},
    ser::SerializeStruct,
};

use super::{
    family::{Family, Snapshot},
    interchange::{
        form::FamilyForm,
        parts::{MAX_SERIES, Time, shown},
    },
    merge::page_collision,
};

const FORMAT: &str = "bellwether.snapshot";
const VERSION: u32 = 1;

/// Writes a document that names its format: `format` (`bellwether.snapshot`), `version` (1), `started`
/// and `taken`, and `families`, each with `name`, `kind`, `unit` in UCUM's spelling, `help` and
/// `series`. A series has a map of `labels`, `started` and a `value`, named by its type:
///
/// ```json
/// {"format": "bellwether.snapshot", "version": 1, "started": 1577836800000000000,
///  "taken": 1577836801000000000, "families": [
///   {"name": "shop.requests", "kind": "counter", "unit": "", "help": "Requests served", "series": [
///     {"labels": {"route": "/"}, "started": 1577836800000000000, "value": {"counter": 7}}]},
///   {"name": "shop.size", "kind": "histogram", "unit": "By", "help": "", "series": [
///     {"labels": {}, "started": 1577836800000000000, "value": {"histogram": {
///       "layout": {"explicit": [10.0, 20.0]}, "buckets": [[0, 3], [2, 1]], "sum": 45.5,
///       "exemplars": []}}}]}]}
/// ```
///
/// - Times are nanoseconds since the Unix epoch.
/// - A value is a `counter`, `float_counter`, `up_down_counter`, `gauge`, `histogram`, `summary`,
///   `state`, or the word `info` alone.
/// - The `layout` of a histogram is `exponential`, or `explicit` with bounds, or `hdr` with
///   `significant_digits`. `buckets` are pairs of a number and a count, numbered as in
///   [`BucketLayout`](super::BucketLayout), without empty buckets.
/// - `exemplars` of a histogram are optional and ascend. Each has a `value`, a `trace_id` and a
///   `span_id` in hexadecimal digits, the time when it was `taken` and, optionally, its own `labels` as
///   pairs. The ids are zero if it has no trace.
/// - A counter's series may have one `exemplar` beside its value.
/// - A `summary` has `count`, `sum` and `windows`, each with its length in `nanos` and a `histogram`.
/// - A number that is not finite is the text `NaN`, `inf` or `-inf`.
///
/// Any self-describing format of serde works, such as JSON, YAML, CBOR or MessagePack. A reader ignores
/// unknown fields; any change other than a new field gets a new version. A reader of JSON should be
/// exact: `serde_json` is with its feature `float_roundtrip`.
impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The latest date comes first: it reveals a step of the wall clock before any other date is
        // read.
        let taken = self.taken().unix_nanos();
        let mut document = serializer.serialize_struct("Snapshot", 5)?;
        document.serialize_field("format", FORMAT)?;
        document.serialize_field("version", &VERSION)?;
        document.serialize_field("started", &self.started().unix_nanos())?;
        document.serialize_field("taken", &taken)?;
        document.serialize_field("families", &Families(self.families()))?;
        document.end()
    }
}

struct Families<'a>(&'a [Family]);

impl Serialize for Families<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(FamilyForm::of))
    }
}

/// Reads what `Serialize` writes, of this version. The document is foreign: limit its bytes if it comes
/// from another machine.
///
/// An error names the family and the series. It is an error if
///
/// - there are more than a million series, 128 labels in a set, or 1,000 units that no earlier document
///   had;
/// - a name, key or unit is not legal, a label value is longer than 1,024 bytes, or a description is
///   longer than 64 KiB;
/// - a name or a label set occurs twice, or two names are the same on a Prometheus page;
/// - a value does not fit its family's kind;
/// - buckets do not ascend, there is no bucket of that number, or counts add up to more than 2^64;
/// - exemplars do not ascend, two are in one bucket, or one has an id of zero and no labels, or labels
///   that no [`Exemplar`](super::Exemplar) can have.
///
/// Times are those of the other process's wall clock. They can be compared with each other and
/// [merged](Snapshot::merge), but not compared with snapshots that were taken here.
///
/// # Examples
///
/// ```
/// use bellwether::metric::{Registry, Snapshot};
///
/// let registry = Registry::new();
/// registry.counter("shop.orders", "Orders accepted").build()?.add(3);
/// let text = serde_json::to_string(&registry.snapshot())?;
/// let read: Snapshot = serde_json::from_str(&text)?;
/// assert_eq!(read.value("shop.orders", &[]).unwrap().as_f64(), 3.0);
///
/// let error = serde_json::from_str::<Snapshot>(&text.replace("3}", "-3}")).unwrap_err();
/// assert!(error.to_string().contains("invalid value: integer `-3`"), "{error}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Document::deserialize(deserializer)?;
        let Checked(families) = document.families;
        if let Some((a, b, name)) = page_collision(families.iter()) {
            let (a, b) = (families[a].name(), families[b].name());
            let text = format_args!("{a:?} and {b:?} are both `{name}` on a Prometheus page");
            return Err(D::Error::custom(text));
        }
        Ok(Self::new(document.started.0, document.taken.0, families))
    }
}

#[derive(Deserialize)]
#[serde(rename = "Snapshot")]
struct Document {
    #[serde(rename = "format")]
    _format: ThisFormat,
    #[serde(rename = "version")]
    _version: ThisVersion,
    started: Time,
    taken: Time,
    families: Checked,
}

struct ThisFormat;

impl<'de> Deserialize<'de> for ThisFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)? {
            format if format == FORMAT => Ok(Self),
            format => {
                Err(D::Error::custom(format_args!("format {:?} is not {FORMAT:?}", shown(&format))))
            }
        }
    }
}

struct ThisVersion;

impl<'de> Deserialize<'de> for ThisVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            VERSION => Ok(Self),
            version => Err(D::Error::custom(format_args!("version {version} is not {VERSION}"))),
        }
    }
}

/// Families that are legal, without equal names.
struct Checked(Vec<Family>);

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(CheckedVisitor)
    }
}

struct CheckedVisitor;

impl<'de> Visitor<'de> for CheckedVisitor {
    type Value = Checked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of families")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Checked, A::Error> {
        let (mut families, mut names, mut n_series) = (Vec::new(), BTreeSet::new(), 0);
        while let Some(form) = list.next_element::<FamilyForm<'static>>()? {
            let name = shown(form.name());
            let error = |fault: String| A::Error::custom(format_args!("family {name:?}{fault}"));
            let family = form.checked().map_err(error)?;
            // A family without series counts as one.
            n_series += family.series.len().max(1);
            if n_series > MAX_SERIES {
                return Err(error(format!(": more than {MAX_SERIES} series")));
            }
            if !names.insert(family.name.clone()) {
                return Err(error(": is there twice".to_owned()));
            }
            families.push(family);
        }
        Ok(Checked(families))
    }
}

#[cfg(test)]
mod tests;
