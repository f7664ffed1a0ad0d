//! Indices in a closed set, and fields with declared values: what `#[derive(Labels)]` computes with.
//!
//! An index of a closed set is a number of mixed radix, with a digit for each field. The declaration of
//! a field is a constant, so its digit takes a subtraction and a comparison ([`Range`]), a comparison
//! of texts ([`List`]), or a look-up without a lock ([`Interned`]). The digits of a declared field:
//!
//! ```text
//! 0, only for an `Option`: no value │ the declared values, in order │ any other value
//! ```
//!
//! These are public only for the code that the derive generates.

use std::{borrow::Cow, sync::Arc};

use super::{Interner, truncate, typed::Digits};

/// The product of the fields' cardinalities, if each has one and the product is at most `most`.
#[must_use]
pub const fn cardinality(fields: &[Option<usize>], most: usize) -> Option<usize> {
    let mut product: usize = 1;
    let mut place = 0;
    while place < fields.len() {
        let Some(radix) = fields[place] else { return None };
        match product.checked_mul(radix) {
            Some(wider) if wider <= most => product = wider,
            _ => return None,
        }
        place += 1;
    }
    Some(product)
}

/// The digits of `index`, the most significant first, in the radix of each field; 1 for an open field.
#[must_use]
pub fn places<const N: usize>(index: usize, fields: [Option<usize>; N]) -> [usize; N] {
    let mut rest = index;
    let mut places = fields;
    for place in places.iter_mut().rev() {
        // A type without values has the radix 0, and no index either.
        let radix = place.unwrap_or(1).max(1);
        *place = Some(rest % radix);
        rest /= radix;
    }
    places.map(Option::unwrap_or_default)
}

/// Whole numbers from `low` to `high`; any other value of the field's type is `other`.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    low: i128,
    n_values: usize,
    other: &'static str,
}

impl Range {
    /// The numbers from `low` to `high`, which must not be less.
    #[must_use]
    pub const fn new(low: i128, high: i128, other: &'static str) -> Self {
        Self { low, n_values: (high - low) as usize + 1, other }
    }

    /// The radix of a field of this type: how many values its digit has.
    ///
    /// # Panics
    ///
    /// Panics if the type does not contain the whole range; the derive calls it in a constant.
    #[must_use]
    pub const fn radix<N: Number>(&self) -> Option<usize> {
        let high = self.low + self.n_values as i128 - 1;
        assert!(
            self.low >= N::LEAST && high <= N::MOST,
            "the range goes beyond the type of its field"
        );
        let has_other = self.low > N::LEAST || high < N::MOST;
        Some(N::N_ABSENT + self.n_values + has_other as usize)
    }

    /// The digit of `value`.
    #[inline]
    pub fn index<N: Number>(&self, value: &N) -> usize {
        value.bits().map_or(0, |bits| N::N_ABSENT + self.offset(bits))
    }

    /// Calls `each` with `value` as text.
    #[inline]
    pub fn visit<N: Number>(&self, value: &N, each: &mut dyn FnMut(&str)) {
        match value.bits().map(|bits| self.offset(bits)) {
            None => each(""),
            Some(offset) if offset < self.n_values => {
                each(Digits::of(self.low + offset as i128).as_str());
            }
            Some(_) => each(self.other),
        }
    }

    /// The text of a digit.
    #[must_use]
    pub fn at<N: Number>(&self, place: usize) -> Cow<'static, str> {
        match place.checked_sub(N::N_ABSENT) {
            None => Cow::Borrowed(""),
            Some(offset) if offset < self.n_values => {
                Cow::Owned((self.low + offset as i128).to_string())
            }
            Some(_) => Cow::Borrowed(self.other),
        }
    }

    /// Whether the digit belongs to a number of the range, or to no value.
    #[must_use]
    pub const fn is_listed<N: Number>(&self, place: usize) -> bool {
        place < N::N_ABSENT + self.n_values
    }

    /// The distance of a number from the lowest; `n_values` outside the range.
    #[inline]
    fn offset(&self, bits: u64) -> usize {
        // Modulo 2^64, where each number of a type has different bits: numbers below the lowest become
        // the largest distances.
        bits.wrapping_sub(self.low as u64).min(self.n_values as u64) as usize
    }
}

/// A field with a declared range: a whole number, or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no declared range",
    label = "`range` stands at a whole number of at most 64 bits or an `Option` of one"
)]
pub trait Number {
    /// The smallest number of the type.
    const LEAST: i128;
    /// The largest number of the type.
    const MOST: i128;
    /// How many digit values come before those of the numbers: one, if a value may be missing.
    const N_ABSENT: usize;

    /// The number modulo 2^64, if there is a value.
    fn bits(&self) -> Option<u64>;
}

macro_rules! numbers {
    ($($number:ty)*) => {
        $(impl Number for $number {
            const LEAST: i128 = Self::MIN as i128;
            const MOST: i128 = Self::MAX as i128;
            const N_ABSENT: usize = 0;

            #[inline]
            fn bits(&self) -> Option<u64> {
                Some(*self as u64)
            }
        })*
    };
}

numbers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl<N: Number> Number for Option<N> {
    const LEAST: i128 = N::LEAST;
    const MOST: i128 = N::MOST;
    const N_ABSENT: usize = 1;

    #[inline]
    fn bits(&self) -> Option<u64> {
        self.as_ref()?.bits()
    }
}

impl<N: Number + ?Sized> Number for &N {
    const LEAST: i128 = N::LEAST;
    const MOST: i128 = N::MOST;
    const N_ABSENT: usize = N::N_ABSENT;

    #[inline]
    fn bits(&self) -> Option<u64> {
        (**self).bits()
    }
}

/// A list of texts.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// The declared texts, and last the text for any other.
    texts: &'static [&'static str],
    /// The index of a text in `texts`: a `match`, which compares with constants.
    find: fn(&str) -> usize,
}

impl List {
    /// The list of `texts`; the last one stands for every text that `find` does not know.
    #[must_use]
    pub const fn new(texts: &'static [&'static str], find: fn(&str) -> usize) -> Self {
        Self { texts, find }
    }

    /// The radix of a field of this type: how many values its digit has.
    #[must_use]
    pub const fn radix<W: Words>(&self) -> Option<usize> {
        Some(W::N_ABSENT + self.texts.len())
    }

    /// The digit of `value`.
    #[inline]
    pub fn index<W: Words>(&self, value: &W) -> usize {
        value.text().map_or(0, |text| W::N_ABSENT + (self.find)(text))
    }

    /// Calls `each` with `value` as text.
    #[inline]
    pub fn visit<W: Words>(&self, value: &W, each: &mut dyn FnMut(&str)) {
        each(value.text().map_or("", |text| self.text((self.find)(text))));
    }

    /// The text of a digit.
    #[must_use]
    pub fn at<W: Words>(&self, place: usize) -> Cow<'static, str> {
        Cow::Borrowed(place.checked_sub(W::N_ABSENT).map_or("", |place| self.text(place)))
    }

    /// Whether the digit belongs to a declared text, or to no value.
    #[must_use]
    pub const fn is_listed<W: Words>(&self, place: usize) -> bool {
        place + 1 < W::N_ABSENT + self.texts.len()
    }

    #[inline]
    fn text(&self, place: usize) -> &'static str {
        self.texts.get(place).copied().unwrap_or_default()
    }
}

/// The first `LIMIT` texts that occur; any later one is `other`.
#[derive(Debug)]
pub struct Interned<const LIMIT: usize> {
    interner: Interner<LIMIT>,
    other: &'static str,
}

impl<const LIMIT: usize> Interned<LIMIT> {
    /// A set without texts.
    #[must_use]
    pub const fn new(other: &'static str) -> Self {
        Self { interner: Interner::new(), other }
    }

    /// The radix of a field of this type. Not a method, because a constant cannot read a static.
    #[must_use]
    pub const fn radix<W: Words>() -> Option<usize> {
        Some(W::N_ABSENT + LIMIT + 1)
    }

    /// The digit of `value`.
    #[inline]
    pub fn index<W: Words>(&self, value: &W) -> usize {
        value.text().map_or(0, |text| W::N_ABSENT + self.place(text).unwrap_or(LIMIT))
    }

    /// Calls `each` with `value` as text.
    #[inline]
    pub fn visit<W: Words>(&self, value: &W, each: &mut dyn FnMut(&str)) {
        match value.text() {
            None => each(""),
            Some(text) if self.place(text).is_some() => each(truncate(text)),
            Some(_) => each(self.other),
        }
    }

    /// The text of a digit. A digit without a text yet reads like no other, here or in another set: two
    /// sets that are both empty are not the same set.
    pub fn at<W: Words>(&self, place: usize) -> Cow<'static, str> {
        match place.checked_sub(W::N_ABSENT) {
            None => Cow::Borrowed(""),
            Some(place) if place == LIMIT => Cow::Borrowed(self.other),
            Some(place) => Cow::Owned(match self.interner.text(place) {
                Some(text) => text.to_owned(),
                None => format!("free place {place} of {self:p}"),
            }),
        }
    }

    /// Whether the digit belongs to a text that has occurred, or to no value.
    pub fn is_listed<W: Words>(&self, place: usize) -> bool {
        let is_known = |place| place < LIMIT && self.interner.text(place).is_some();
        place.checked_sub(W::N_ABSENT).is_none_or(is_known)
    }

    /// The place of `text`. A text equal to `other` has none: no two digits have the same text.
    #[inline]
    fn place(&self, text: &str) -> Option<usize> {
        if text == self.other { None } else { self.interner.place(text) }
    }
}

/// A field whose text is declared or interned, or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no text",
    label = "`values` and `intern` stand at `&str`, `String`, `Cow`, `Box` or `Arc` of `str`, or an `Option` of one"
)]
pub trait Words {
    /// How many digit values come before those of the texts: one, if a value may be missing.
    const N_ABSENT: usize;

    /// The text, if there is a value.
    fn text(&self) -> Option<&str>;
}

macro_rules! words {
    ($($text:ty),*) => {
        $(impl Words for $text {
            const N_ABSENT: usize = 0;

            #[inline]
            fn text(&self) -> Option<&str> {
                Some(self)
            }
        })*
    };
}

words!(str, String, Cow<'_, str>, Box<str>, Arc<str>);

impl<W: Words> Words for Option<W> {
    const N_ABSENT: usize = 1;

    /// An empty text counts as absent: both read the same, so they must have the same digit.
    #[inline]
    fn text(&self) -> Option<&str> {
        self.as_ref()?.text().filter(|text| !text.is_empty())
    }
}

impl<W: Words + ?Sized> Words for &W {
    const N_ABSENT: usize = W::N_ABSENT;

    #[inline]
    fn text(&self) -> Option<&str> {
        (**self).text()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_product_is_closed_up_to_the_limit() {
        assert_eq!(cardinality(&[], 10), Some(1));
        assert_eq!(cardinality(&[Some(2), Some(5)], 10), Some(10));
        assert_eq!(cardinality(&[Some(2), Some(6)], 10), None);
        assert_eq!(cardinality(&[Some(2), None], 10), None);
        assert_eq!(cardinality(&[Some(usize::MAX), Some(usize::MAX)], usize::MAX), None);
    }

    /// The place, the text and the inverse agree, and are those of a number that is compared.
    fn check<N: Number>(low: i128, high: i128, value: N, number: i128) {
        let range = Range::new(low, high, "other");
        let inside = (low..=high).contains(&number);
        let place = if inside { number - low } else { high - low + 1 };
        let text = if inside { number.to_string() } else { "other".to_owned() };
        assert_eq!(range.index(&value), place as usize);
        assert_eq!(range.index(&Some(&value)), place as usize + 1);
        assert!(range.index(&value) < range.radix::<N>().unwrap());
        assert_eq!(range.at::<N>(place as usize), text);
        let mut visited = Vec::new();
        range.visit(&value, &mut |value| visited.push(value.to_owned()));
        assert_eq!(visited, [text]);
    }

    proptest! {
        #[test]
        fn a_range_matches_a_comparison(
            low in any::<i16>(),
            width in 0_i16..100,
            near in -200_i64..200,
            far in any::<i64>(),
        ) {
            let (low, high) = (i64::from(low), i64::from(low.saturating_add(width)));
            for value in [low + near, far, i64::MIN, i64::MAX] {
                check(low.into(), high.into(), value, value.into());
            }
            let unsigned = (low.unsigned_abs(), low.unsigned_abs() + width as u64);
            for value in [unsigned.0.saturating_add_signed(near), far as u64, 0, u64::MAX] {
                check(unsigned.0.into(), unsigned.1.into(), value, value.into());
            }
        }

        #[test]
        fn a_range_of_a_narrow_type_matches_a_comparison(
            bounds in any::<(i8, i8)>(),
            value in any::<i8>(),
        ) {
            let (low, high) = (bounds.0.min(bounds.1), bounds.0.max(bounds.1));
            check(low.into(), high.into(), value, value.into());
        }
    }

    #[test]
    fn a_range_at_the_ends_of_the_widest_types_holds() {
        let most = i128::from(u64::MAX);
        check(most - 3, most, u64::MAX, most);
        check(most - 3, most, 3_u64, 3);
        let least = i128::from(i64::MIN);
        check(least, least + 3, i64::MIN + 2, least + 2);
        check(least, least + 3, i64::MAX, i64::MAX.into());
    }

    #[test]
    fn a_range_that_is_all_of_its_type_has_no_place_for_others() {
        assert_eq!(Range::new(0, 255, "other").radix::<u8>(), Some(256));
        assert_eq!(Range::new(0, 254, "other").radix::<u8>(), Some(256));
        assert_eq!(Range::new(-128, 127, "other").radix::<Option<i8>>(), Some(257));
    }

    #[test]
    fn free_places_of_two_sets_do_not_read_the_same() {
        let (one, two) = (Interned::<2>::new("other"), Interned::<2>::new("other"));
        assert_ne!(one.at::<&str>(0), two.at::<&str>(0));
        assert_ne!(one.at::<&str>(0), one.at::<&str>(1));
        assert_eq!(one.at::<&str>(0), one.at::<&str>(0));
        assert_eq!(one.at::<&str>(2), two.at::<&str>(2));
    }
}
