//! A family as it was last rendered: everything of its part of the page but the values.
//!
//! The constant texts of all series lie one after the other in an arena, in the order of the page, so
//! that rendering is one pass: copy a text, write a number. A series is recognised by its labels,
//! which is one comparison of addresses where the label set is the one that was seen before. From the
//! first that is not recognised on, the rest of the family is learnt anew.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Dialect, Format, Translation,
    buffer::PIECE,
    labels::{KeyStyle, Keys, push_label},
    names::Names,
    protobuf::push_label_pair,
    readings::FamilyReadings,
    shape::Shape,
    text,
};
use crate::{
    clock::Ticks,
    label::LabelSet,
    metric::{Edition, Head, Kind, Place, Reading, SeriesValue, Unit},
};

/// The texts of a family.
#[derive(Debug)]
pub(super) struct Template {
    name: String,
    help: String,
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    pub(super) names: Names,
    dialect: Dialect,
    translation: Translation,
    /// What stands before the first series.
    pub(super) head: Vec<u8>,
    keys: Vec<Keys>, // One for all series as a rule, and one more for the overflow series.
    shapes: Vec<Shape>,
    /// The series, in the order of the page.
    spots: Vec<Spot>,
    known: Vec<Known>, // Invariant: as many as spots.
    /// The edition whose places the spots have, if they are of one.
    edition: Option<Edition>,
    /// That of the places that are being visited, and whether it is the one of the spots.
    visited: Option<Edition>,
    is_current: bool,
    /// Whether two series may have the same labels on the page, so that they are sorted by these and
    /// merged; of a state set always, whose series come in another order.
    is_ambiguous: bool,
    arena: Arena,
}

/// The texts of all series; a text is found by where it starts and its place in `texts`.
#[derive(Debug)]
pub(super) struct Arena {
    pub(super) bytes: Vec<u8>, // Invariant: ends in `PIECE` bytes that belong to no text.
    pub(super) texts: Vec<Text>,
}

/// A constant text, and what stood there on the last page.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) len: u32,
    /// How long the number behind it was, with the end of its line.
    pub(super) number_len: u32,
    /// The bits of that number.
    pub(super) number: u64,
    /// Where the text stood; [`NOWHERE`] if not on the last page, or without a number that is known.
    pub(super) place: usize,
}

/// No place of any page.
pub(super) const NOWHERE: usize = usize::MAX;

/// A series whose texts are in the arena. A page of many reads these, and nothing else of a series
/// but its texts: they are small.
#[derive(Debug)]
struct Spot {
    /// The index of its place in the template's edition.
    index: u32,
    shape: u32,
    at: At,
}

/// What a series is recognised by in another edition.
#[derive(Debug)]
struct Known {
    labels: LabelSet,
    started: Ticks,
}

/// Where the texts of a series begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) byte: usize,
    pub(super) text: usize,
}

/// Series that are one on the page, by their labels there.
pub(super) type Merged = BTreeMap<Vec<u8>, (LabelSet, Ticks, SeriesValue)>;

impl Template {
    /// The empty template of a family, which will be called `names`.
    pub(super) fn new(
        family: &impl FamilyReadings,
        names: Names,
        translation: Translation,
        dialect: Dialect,
    ) -> Self {
        let Head { name, kind, unit, help } = family.head();
        let head = match dialect.format() {
            Format::Protobuf => super::protobuf::head(&names, kind, unit, help),
            format => text::head(&names, kind, unit, help, format),
        };
        Self {
            name: name.to_owned(),
            help: help.to_owned(),
            kind,
            unit,
            names,
            dialect,
            translation,
            head,
            keys: Vec::new(),
            shapes: Vec::new(),
            spots: Vec::new(),
            known: Vec::new(),
            edition: None,
            visited: None,
            is_current: false,
            is_ambiguous: kind == Kind::StateSet,
            arena: Arena { bytes: vec![0; PIECE], texts: Vec::new() },
        }
    }

    /// Whether it is the template of `family`.
    pub(super) fn is_of(&self, family: &impl FamilyReadings) -> bool {
        let (name, help) = (&*self.name, &*self.help);
        family.head() == Head { name, kind: self.kind, unit: self.unit, help }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_ambiguous(&self) -> bool {
        self.is_ambiguous
    }

    /// Begins the visits of places in `edition`.
    pub(super) fn begin(&mut self, edition: Option<Edition>) {
        self.is_current = edition.is_some() && edition == self.edition.take();
        self.visited = edition;
    }

    /// Ends the visits, of so many series.
    pub(super) fn end(&mut self, n_series: usize) {
        self.forget_from(n_series);
        self.edition = self.visited.take();
    }

    /// Finds the texts of the `nth` series, and learns them where it is another than last time.
    ///
    /// `None` if the series may have the labels of another one on the page, which makes the family
    /// ambiguous.
    #[inline(always)]
    pub(super) fn series(
        &mut self,
        nth: usize,
        place: Place<'_>,
        reading: Reading<'_>,
    ) -> Option<(At, &Shape, &mut Arena)> {
        let is_known = match self.spots.get(nth) {
            Some(spot) => {
                self.shapes[spot.shape as usize].fits(reading)
                    && (self.is_current && spot.index == place.index()
                        || self.recognises(nth, place))
            }
            None => false,
        };
        if !is_known {
            self.relearn(nth, place, reading)?;
        }
        Some(self.nth(nth))
    }

    /// The texts of the `nth` series, which is known.
    #[inline(always)]
    pub(super) fn nth(&mut self, nth: usize) -> (At, &Shape, &mut Arena) {
        let Spot { shape, at, .. } = self.spots[nth];
        (at, &self.shapes[shape as usize], &mut self.arena)
    }

    /// Whether the series at `place` is the `nth` of the page before; it then is so by its place.
    #[inline(never)]
    fn recognises(&mut self, nth: usize, place: Place<'_>) -> bool {
        let Known { labels, started } = &mut self.known[nth];
        let is_same = labels == place.labels() && *started == place.started();
        if is_same {
            // By its address from now on, and without keeping an older one.
            labels.clone_from(place.labels());
            self.spots[nth].index = place.index();
        }
        is_same
    }

    #[cold]
    fn relearn(&mut self, nth: usize, place: Place<'_>, reading: Reading<'_>) -> Option<()> {
        self.forget_from(nth);
        let (labels, started) = (place.labels(), place.started());
        let block = self.block(labels)?;
        self.learn(place.index(), (labels, started, reading), &block);
        Some(())
    }

    /// Learns the merged series anew.
    pub(super) fn learn_merged(&mut self, merged: &Merged) {
        self.forget_from(0);
        for (block, (labels, started, value)) in merged {
            self.learn(0, (labels, *started, value.into()), block); // Found by their number alone.
        }
    }

    /// Adds a series to those that are one with it on the page.
    pub(super) fn merge(&self, merged: &mut Merged, place: Place<'_>, reading: Reading<'_>) {
        let (labels, started, value) = (place.labels(), place.started(), reading.to_value());
        let block = self.block_with(&Keys::new(keys(labels), self.style()), labels);
        match merged.get_mut(&block) {
            Some((_, first, sum)) => {
                *first = (*first).min(started);
                merge(sum, &value);
            }
            None => {
                merged.insert(block, (labels.clone(), started, value));
            }
        }
    }

    /// Forgets the series from the `nth` on.
    fn forget_from(&mut self, nth: usize) {
        if let Some(Spot { at, .. }) = self.spots.get(nth) {
            self.arena.bytes.truncate(at.byte + PIECE);
            self.arena.texts.truncate(at.text);
            self.spots.truncate(nth);
            self.known.truncate(nth);
        }
    }

    /// The labels of a series as they stand on the page; `None` as for [`series`](Self::series).
    fn block(&mut self, labels: &LabelSet) -> Option<Vec<u8>> {
        let found = match self.keys.iter().position(|known| known.are(keys(labels))) {
            Some(found) => found,
            None => {
                let new = Keys::new(keys(labels), self.style());
                if new.are_joined() || self.keys.iter().any(|old| new.are_ambiguous_with(old)) {
                    self.is_ambiguous = true;
                    return None;
                }
                self.keys.push(new);
                self.keys.len() - 1
            }
        };
        Some(self.block_with(&self.keys[found], labels))
    }

    fn block_with(&self, keys: &Keys, labels: &LabelSet) -> Vec<u8> {
        let mut block = Vec::new();
        let push = match self.dialect.format() {
            Format::Protobuf => push_label_pair,
            _ => push_label,
        };
        keys.pairs(
            || labels.iter().map(|(_, value)| value),
            |key, value| push(&mut block, key, value),
        );
        block
    }

    /// Adds the texts of a series whose labels are `block` on the page.
    fn learn(
        &mut self,
        index: u32,
        (labels, started, reading): (&LabelSet, Ticks, Reading<'_>),
        block: &[u8],
    ) {
        let fitting = self.shapes.iter().position(|shape| shape.fits(reading));
        let shape = fitting.unwrap_or_else(|| {
            self.shapes.push(Shape::of(&reading.to_value(), self.unit, self.dialect.format()));
            self.shapes.len() - 1
        });
        let at = self.arena.open();
        match self.dialect.format() {
            Format::Protobuf => self.arena.text(|bytes| bytes.extend(block)),
            format => {
                let (lines, shape) = (text::Lines::new(&self.names, block), &self.shapes[shape]);
                lines.learn(&mut self.arena, self.kind, shape, started, format);
            }
        }
        self.arena.close();
        self.spots.push(Spot { index, shape: shape as u32, at });
        self.known.push(Known { labels: labels.clone(), started });
    }

    fn style(&self) -> KeyStyle<'_> {
        KeyStyle {
            kind: self.kind,
            translation: self.translation,
            escaping: self.dialect.escaping(),
            family: (&self.name, &self.names.family),
        }
    }
}

impl Arena {
    /// The text at `at`.
    pub(super) fn get(&self, at: At) -> &[u8] {
        &self.bytes[at.byte..at.byte + self.texts[at.text].len as usize]
    }

    /// Adds what `write` appends as a text.
    pub(super) fn text(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let len = (self.bytes.len() - start) as u32;
        self.texts.push(Text { len, number_len: 0, number: 0, place: NOWHERE });
    }

    /// Makes the arena ready for the texts of a series.
    fn open(&mut self) -> At {
        self.bytes.truncate(self.bytes.len() - PIECE);
        At { byte: self.bytes.len(), text: self.texts.len() }
    }

    fn close(&mut self) {
        self.bytes.resize(self.bytes.len() + PIECE, 0);
    }
}

fn keys(labels: &LabelSet) -> impl ExactSizeIterator<Item = &str> {
    labels.iter().map(|(key, _)| key)
}

/// Makes `value` the one value of two series.
fn merge(value: &mut SeriesValue, other: &SeriesValue) {
    match (value, other) {
        (SeriesValue::Counter(value), SeriesValue::Counter(other)) => {
            *value = value.wrapping_add(*other);
        }
        (SeriesValue::FloatCounter(value), SeriesValue::FloatCounter(other)) => *value += other,
        (SeriesValue::UpDownCounter(value), SeriesValue::UpDownCounter(other)) => {
            *value = value.wrapping_add(*other);
        }
        (SeriesValue::Histogram(value), SeriesValue::Histogram(other)) => {
            Arc::make_mut(value).merge(other);
        }
        (SeriesValue::State(value), SeriesValue::State(other)) => *value |= other,
        (value, other) => *value = other.clone(),
    }
}
