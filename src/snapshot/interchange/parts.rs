//! The parts of a document that are limited while they are read.

use std::{collections::BTreeSet, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, SeqAccess, Visitor},
};

use crate::{clock::Ticks, snapshot::unit::Unit, sync::Mutex};

/// The most series of one snapshot; arbitrary, 500 families at their limit.
pub(crate) const MAX_SERIES: usize = 1_000_000;
/// The most bytes of a unit (OpenTelemetry metrics API, "Instrument unit").
const MAX_UNIT_BYTES: usize = 63;
/// The most units that are learned by reading; they are kept until the process ends. Arbitrary.
pub(crate) const MAX_LEARNED_UNITS: usize = 1_000;

/// A time, written in nanoseconds since the Unix epoch.
#[derive(Clone, Copy)]
pub(crate) struct Time(pub(crate) Ticks);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.unix_nanos())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            nanos if nanos <= i64::MAX as u64 => Ok(Self(Ticks::of_unix_nanos(nanos))),
            nanos => Err(D::Error::custom(format_args!("{nanos} ns is a time after 2262"))),
        }
    }
}

/// At most `MAX` items; the rest of a longer list is never read.
pub(crate) struct AtMost<T, const MAX: usize>(pub(crate) Vec<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for AtMost<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(AtMostVisitor(PhantomData))
    }
}

struct AtMostVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for AtMostVisitor<T, MAX> {
    type Value = AtMost<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if items.len() == MAX {
                return Err(A::Error::invalid_length(MAX + 1, &self));
            }
            items.push(item);
        }
        Ok(AtMost(items))
    }
}

impl<T, const MAX: usize> Default for AtMost<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Serialize, const MAX: usize> Serialize for AtMost<T, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

/// The unit with this spelling.
pub(crate) fn unit(ucum: &str) -> Result<Unit, &'static str> {
    /// Guards itself; no lock is taken inside it.
    static LEARNED: Mutex<Units> = Mutex::new(Units(BTreeSet::new()));
    let known = [Unit::NONE, Unit::Seconds, Unit::Bytes, Unit::Ratio];
    match known.into_iter().find(|unit| unit.as_str() == ucum) {
        Some(unit) => Ok(unit),
        None => LEARNED.lock().learn(ucum),
    }
}

/// Units that were read. They are kept until the process ends, so their number is limited.
pub(crate) struct Units(pub(crate) BTreeSet<&'static str>);

impl Units {
    pub(crate) fn learn(&mut self, ucum: &str) -> Result<Unit, &'static str> {
        if let Some(unit) = self.0.get(ucum) {
            return Ok(Unit::new(unit));
        }
        if ucum.len() > MAX_UNIT_BYTES || !ucum.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("is not at most 63 characters of ASCII without spaces");
        }
        if self.0.len() >= MAX_LEARNED_UNITS {
            return Err("is one too many: 1,000 others were read before");
        }
        let unit: &'static str = Box::leak(ucum.into());
        self.0.insert(unit);
        Ok(Unit::new(unit))
    }
}

/// The start of a foreign text, for use in an error.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
