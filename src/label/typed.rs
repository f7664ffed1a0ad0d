//! Typed labels: the traits behind `#[derive(Labels)]`.

use std::{borrow::Cow, sync::Arc};

/// A struct whose fields are the labels of a series; derive it with `#[derive(Labels)]`.
///
/// If every field has a fixed number of values (enums, `bool`, declared ranges and lists), the set is
/// *closed*: the index of a series is computed, with no look-up. Otherwise a series is looked up by its
/// values.
///
/// An implementor must keep this contract: `KEYS` has no key twice; `visit` calls its argument once for
/// each key, in that order; in a closed set `index` is below `CARDINALITY`, and `at` is its inverse.
///
/// A label with an empty value counts as absent, as in Prometheus and in a
/// [`LabelSet`](super::LabelSet). Combinations of a closed set that differ only in this are shown as
/// one series.
pub trait Labels {
    /// The label keys, in the order of the fields.
    const KEYS: &'static [&'static str];

    /// How many different values there are, if that is fixed.
    const CARDINALITY: Option<usize>;

    /// The index of this value in a closed set; unused in an open set.
    fn index(&self) -> usize;

    /// Calls `each` with each value as text, in the order of [`KEYS`](Self::KEYS).
    fn visit(&self, each: &mut dyn FnMut(&str));

    /// The values at `index` of a closed set, in the order of [`KEYS`](Self::KEYS).
    fn at(index: usize) -> Vec<Cow<'static, str>>;

    /// Whether all values at `index` of a closed set are known by name, so that none stands for other
    /// values. [`show_all`](crate::Counter::show_all) shows these combinations. True for all by
    /// default.
    #[must_use]
    fn is_listed(_index: usize) -> bool {
        true
    }
}

/// No labels: an instrument without labels has one series.
impl Labels for () {
    const KEYS: &'static [&'static str] = &[];
    const CARDINALITY: Option<usize> = Some(1);

    fn index(&self) -> usize {
        0
    }

    fn visit(&self, _each: &mut dyn FnMut(&str)) {}

    fn at(_index: usize) -> Vec<Cow<'static, str>> {
        Vec::new()
    }
}

/// No labels: the instrument itself records.
#[diagnostic::on_unimplemented(
    message = "an instrument with labels is recorded in by one of its series",
    label = "this instrument has labels: `{Self}`",
    note = "name them first: `INSTRUMENT.with(labels).inc()`, or keep `INSTRUMENT.bind(labels)`; with labels of texts, `with_labels` and `bind_labels`"
)]
pub trait NoLabels: Labels {
    /// The only value.
    const NONE: Self;
}

impl NoLabels for () {
    const NONE: Self = ();
}

/// Labels that are pairs of texts; the instrument declares the keys.
///
/// # Examples
///
/// ```
/// use bellwether::{Counter, label::Dynamic};
///
/// static HITS: Counter<Dynamic> = Counter::dynamic("cache.hits", "Hits", &["tier", "shard"]);
///
/// HITS.with_labels(&[("tier", "l1"), ("shard", "7")]).inc();
/// let hot = HITS.bind_labels(&[("shard", "7"), ("tier", "l1")]);
/// hot.add(2);
/// assert_eq!(hot.value(), 3);
/// ```
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no value: it only names a kind of labels")]
pub enum Dynamic {}

/// Labels that are pairs of texts with any keys: each series has keys of its own, as
/// [`InstrumentBuilder::any_keys`](crate::metric::InstrumentBuilder::any_keys) says.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no value: it only names a kind of labels")]
pub enum AnyKeys {}

/// A reference has the labels of its target.
impl<L: Labels + ?Sized> Labels for &L {
    const KEYS: &'static [&'static str] = L::KEYS;
    const CARDINALITY: Option<usize> = L::CARDINALITY;

    #[inline]
    fn index(&self) -> usize {
        (**self).index()
    }

    #[inline]
    fn visit(&self, each: &mut dyn FnMut(&str)) {
        (**self).visit(each);
    }

    fn at(index: usize) -> Vec<Cow<'static, str>> {
        L::at(index)
    }

    fn is_listed(index: usize) -> bool {
        L::is_listed(index)
    }
}

/// One field of a [`Labels`] struct; an enum gets it from `#[derive(Labels)]`.
///
/// The contract is that of [`Labels`], for one value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of a label",
    label = "no label value",
    note = "text, whole numbers, `bool`, `char` and IP addresses are, with the feature `http` its `Method` and `StatusCode` too, and an `Option` of one",
    note = "an enum without data becomes one by `#[derive(Labels)]`",
    note = "anything that can be shown becomes text, `key = value.to_string()`; another type implements `LabelValue`, whose `visit` says the text"
)]
pub trait LabelValue {
    /// How many different values there are, if that is fixed.
    const CARDINALITY: Option<usize>;

    /// The index of this value in a closed set; unused in an open set.
    fn index(&self) -> usize;

    /// Calls `each` with the value as text.
    fn visit(&self, each: &mut dyn FnMut(&str));

    /// The value at `index` of a closed set.
    fn at(index: usize) -> Cow<'static, str>;

    /// Whether the value at `index` of a closed set is known by name; as [`Labels::is_listed`].
    #[must_use]
    fn is_listed(_index: usize) -> bool {
        true
    }
}

/// The values of labels in the order of their keys, as in `count!`: the first value, and the others. It
/// is a list of types and not a slice, so that each record finds its series without a call.
pub trait LabelValues {
    /// Calls `each` with the values as text, one after the other.
    fn visit(&self, each: &mut dyn FnMut(&str));
}

impl LabelValues for () {
    #[inline]
    fn visit(&self, _each: &mut dyn FnMut(&str)) {}
}

impl<V: LabelValue, R: LabelValues> LabelValues for (&V, R) {
    #[inline]
    fn visit(&self, each: &mut dyn FnMut(&str)) {
        self.0.visit(each);
        self.1.visit(each);
    }
}

impl LabelValue for bool {
    const CARDINALITY: Option<usize> = Some(2);

    #[inline]
    fn index(&self) -> usize {
        usize::from(*self)
    }

    #[inline]
    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each(if *self { "true" } else { "false" });
    }

    fn at(index: usize) -> Cow<'static, str> {
        if index == 0 { "false".into() } else { "true".into() }
    }
}

impl LabelValue for char {
    const CARDINALITY: Option<usize> = None;

    #[inline]
    fn index(&self) -> usize {
        0
    }

    #[inline]
    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each(self.encode_utf8(&mut [0; 4]));
    }

    fn at(_index: usize) -> Cow<'static, str> {
        Cow::Borrowed("")
    }
}

/// Text and numbers have no fixed number of values, so they make the set open.
macro_rules! open_values {
    ($($text:ty),* ; $($number:ty),*) => {
        $(impl LabelValue for $text {
            const CARDINALITY: Option<usize> = None;

            #[inline]
            fn index(&self) -> usize {
                0
            }

            #[inline]
            fn visit(&self, each: &mut dyn FnMut(&str)) {
                each(self);
            }

            fn at(_index: usize) -> Cow<'static, str> {
                Cow::Borrowed("")
            }
        })*
        $(impl LabelValue for $number {
            const CARDINALITY: Option<usize> = None;

            #[inline]
            fn index(&self) -> usize {
                0
            }

            #[inline]
            fn visit(&self, each: &mut dyn FnMut(&str)) {
                each(Digits::of(*self).as_str());
            }

            fn at(_index: usize) -> Cow<'static, str> {
                Cow::Borrowed("")
            }
        })*
    };
}

open_values!(
    str, String, Cow<'_, str>, Box<str>, Arc<str>;
    u8, u16, u32, u64, usize, i8, i16, i32, i64, isize
);

/// A reference has the value of its target.
impl<V: LabelValue + ?Sized> LabelValue for &V {
    const CARDINALITY: Option<usize> = V::CARDINALITY;

    #[inline]
    fn index(&self) -> usize {
        (**self).index()
    }

    #[inline]
    fn visit(&self, each: &mut dyn FnMut(&str)) {
        LabelValue::visit(*self, each);
    }

    fn at(index: usize) -> Cow<'static, str> {
        V::at(index)
    }

    fn is_listed(index: usize) -> bool {
        V::is_listed(index)
    }
}

/// `None` is the empty value, which Prometheus reads as an absent label. It has index 0; a `Some` of an
/// empty value reads the same.
impl<V: LabelValue> LabelValue for Option<V> {
    const CARDINALITY: Option<usize> = match V::CARDINALITY {
        Some(cardinality) => cardinality.checked_add(1),
        None => None,
    };

    #[inline]
    fn index(&self) -> usize {
        self.as_ref().map_or(0, |value| value.index() + 1)
    }

    #[inline]
    fn visit(&self, each: &mut dyn FnMut(&str)) {
        match self {
            Some(value) => LabelValue::visit(value, each),
            None => each(""),
        }
    }

    fn at(index: usize) -> Cow<'static, str> {
        index.checked_sub(1).map_or(Cow::Borrowed(""), V::at)
    }

    fn is_listed(index: usize) -> bool {
        index.checked_sub(1).is_none_or(V::is_listed)
    }
}

/// A whole number as text, without an allocation, because labels are read on the hot path.
pub(super) struct Digits {
    bytes: [u8; 20], // i64::MIN and u64::MAX have twenty characters.
    start: usize,
}

impl Digits {
    pub(super) fn of(value: impl TryInto<i64> + TryInto<u64> + Copy) -> Self {
        let negative = matches!(TryInto::<i64>::try_into(value), Ok(signed) if signed < 0);
        let mut rest = match (TryInto::<u64>::try_into(value), TryInto::<i64>::try_into(value)) {
            (Ok(unsigned), _) => unsigned,
            (_, Ok(signed)) => signed.unsigned_abs(),
            _ => 0, // No type of at most 64 bits gets here.
        };
        let mut digits = Self { bytes: [b'0'; 20], start: 20 };
        loop {
            digits.start -= 1;
            digits.bytes[digits.start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if negative {
            digits.start -= 1;
            digits.bytes[digits.start] = b'-';
        }
        digits
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[self.start..]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_their_display() {
        for value in [0, 7, -1, 404, i64::MIN, i64::MAX] {
            LabelValue::visit(&value, &mut |text| assert_eq!(text, value.to_string()));
        }
        LabelValue::visit(&u64::MAX, &mut |text| assert_eq!(text, u64::MAX.to_string()));
    }

    #[test]
    fn a_character_is_its_text() {
        for value in ['a', 'ü', '\u{1f980}'] {
            LabelValue::visit(&value, &mut |text| assert_eq!(text, value.to_string()));
        }
    }

    #[test]
    fn none_has_the_first_place_and_no_text() {
        assert_eq!(<Option<bool> as LabelValue>::CARDINALITY, Some(3));
        for (place, value) in [None, Some(false), Some(true)].into_iter().enumerate() {
            let text = value.map_or("", |value| if value { "true" } else { "false" });
            assert_eq!(LabelValue::index(&value), place);
            assert_eq!(<Option<bool> as LabelValue>::at(place), text);
            LabelValue::visit(&value, &mut |visited| assert_eq!(visited, text));
        }
        assert_eq!(<Option<&str> as LabelValue>::CARDINALITY, None);
    }
}
