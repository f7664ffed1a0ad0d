//! How much one span may hold, and how what is more is cut.

use std::borrow::Cow;

use crate::{
    diagnostics,
    label::{self, KeyValue, Value},
    sync::Mutex,
};

/// How much one span may hold; what is beyond is left out and counted.
///
/// The span's record has the counts ([`dropped_attributes`](super::SpanRecord::dropped_attributes) and its
/// like, [`truncated_texts`](super::SpanRecord::truncated_texts)), exporters send them, and their sums over
/// all spans are in `telemetry.spans.truncated`. What a processor sets is not limited.
///
/// # Examples
///
/// ```
/// use bellwether::trace::SpanLimits;
///
/// let limits = SpanLimits { events: 1_000, value_chars: 10_000, ..SpanLimits::from_env() };
/// let telemetry = bellwether::builder("shop").span_limits(limits).start()?;
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "any value is legal; a limit more is a breaking release"
)]
pub struct SpanLimits {
    /// The most attributes of a span.
    pub attributes: u32,
    /// The most events of a span.
    pub events: u32,
    /// The most links of a span.
    pub links: u32,
    /// The most attributes of an event.
    pub event_attributes: u32,
    /// The most attributes of a link.
    pub link_attributes: u32,
    /// The most items of an attribute that is an array.
    pub array_items: u32,
    /// The most characters of a text that is the value of an attribute, or an item of one.
    pub value_chars: usize,
    /// The most characters of every other text: names, keys, the description of a status.
    pub text_chars: usize,
}

impl SpanLimits {
    /// The default: 128 of each (OpenTelemetry trace SDK, "Span Limits"), which has no limit for texts and
    /// arrays; 1,024 characters are as many as a label has bytes, 128 items as many as there are
    /// attributes.
    pub const DEFAULT: Self = Self {
        attributes: 128,
        events: 128,
        links: 128,
        event_attributes: 128,
        link_attributes: 128,
        array_items: 128,
        value_chars: label::MAX_VALUE_BYTES,
        text_chars: label::MAX_VALUE_BYTES,
    };

    /// The limits that the environment sets, and the [default](Self::DEFAULT) for others.
    ///
    /// | variable | limit |
    /// |---|---|
    /// | `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT` | `attributes` |
    /// | `OTEL_SPAN_EVENT_COUNT_LIMIT` | `events` |
    /// | `OTEL_SPAN_LINK_COUNT_LIMIT` | `links` |
    /// | `OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT` | `event_attributes` |
    /// | `OTEL_LINK_ATTRIBUTE_COUNT_LIMIT` | `link_attributes` |
    /// | `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT` | `value_chars` |
    /// | `OTEL_ATTRIBUTE_COUNT_LIMIT` | the three of attributes, where their own is not set |
    /// | `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT` | `value_chars`, where its own is not set |
    ///
    /// A variable that is empty is not set. One that is no whole number is reported as a diagnostic, with
    /// its name and value, and counts as not set (OpenTelemetry, "Environment Variable Specification").
    #[must_use]
    pub fn from_env() -> Self {
        let look_up = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
        Self::read(look_up, |name, value| {
            let text = format_args!("{name} is {value:?}, which is no whole number; it is ignored");
            diagnostics::report_each("span limits", text);
        })
    }

    /// The limits that `look_up` finds by the names of variables; `report` is called with values that are no
    /// number.
    fn read(look_up: impl Fn(&str) -> Option<String>, mut report: impl FnMut(&str, &str)) -> Self {
        let mut number = |name: &str| {
            let value = look_up(name).filter(|value| !value.trim().is_empty())?;
            let number = value.trim().parse::<u64>();
            number.map_err(|_| report(name, &value)).ok()
        };
        let all_attributes = number("OTEL_ATTRIBUTE_COUNT_LIMIT");
        let all_values = number("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        let mut count = |name: &str, general: Option<u64>, default: u32| {
            let limit = number(name).or(general);
            limit.map_or(default, |limit| u32::try_from(limit).unwrap_or(u32::MAX))
        };
        let default = Self::DEFAULT;
        Self {
            attributes: count(
                "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
                all_attributes,
                default.attributes,
            ),
            events: count("OTEL_SPAN_EVENT_COUNT_LIMIT", None, default.events),
            links: count("OTEL_SPAN_LINK_COUNT_LIMIT", None, default.links),
            event_attributes: count(
                "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
                all_attributes,
                default.event_attributes,
            ),
            link_attributes: count(
                "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
                all_attributes,
                default.link_attributes,
            ),
            value_chars: number("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT")
                .or(all_values)
                .map_or(default.value_chars, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            ..default
        }
    }

    /// The same limits, to be pointed to by every span. Kept for ever: a process has few of them.
    pub(super) fn shared(self) -> &'static Self {
        /// No lock is taken inside it.
        static ALL: Mutex<Vec<&'static SpanLimits>> = Mutex::new(Vec::new());
        // Of a longer text not even a copy is needed. A character has at most four bytes.
        label::copy_up_to(self.value_chars.saturating_mul(4));
        let mut all = ALL.lock();
        if let Some(same) = all.iter().find(|other| ***other == self) {
            return same;
        }
        let new: &Self = Box::leak(Box::new(self));
        all.push(new);
        new
    }

    /// Whether an attribute is within the limits as it is, as most are. A text of so many bytes has no more
    /// characters.
    #[inline(always)] // It is known of most when the program is built.
    pub(super) fn allow(&self, key: &str, value: &Value) -> bool {
        let is_short = match value {
            Value::String(text) => text.len() <= self.value_chars && !text.is_truncated(),
            Value::Array(_) => false,
            _ => true,
        };
        is_short && key.len() <= self.text_chars
    }

    /// Cuts what is too long.
    pub(super) fn cut(&self, attribute: &mut KeyValue, cuts: &mut Cuts) {
        self.cut_text(&mut attribute.key, cuts);
        match &mut attribute.value {
            Value::String(text) => cuts.texts += u32::from(text.truncate(self.value_chars)),
            Value::Array(array) => {
                let (items, texts) = array.truncate(self.array_items as usize, self.value_chars);
                cuts.array_items = cuts.array_items.saturating_add(to_u32(items));
                cuts.texts = cuts.texts.saturating_add(to_u32(texts));
            }
            _ => {}
        }
    }

    /// Cuts a text that is no attribute's value, if it is too long.
    pub(super) fn cut_text(&self, text: &mut Cow<'static, str>, cuts: &mut Cuts) {
        let Some(end) = label::end_within(text, self.text_chars) else { return };
        match text {
            Cow::Borrowed(text) => *text = &text[..end],
            // A copy, because a shortened String would keep the memory of the long one.
            Cow::Owned(text) => *text = text[..end].to_owned(),
        }
        cuts.texts += 1;
    }
}

impl Default for SpanLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How much was beyond the limits, of one span or of a part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cuts {
    pub(super) attributes: u32,
    pub(super) events: u32,
    pub(super) links: u32,
    pub(super) texts: u32,
    pub(super) array_items: u32,
}

impl Cuts {
    pub(super) const NONE: Self =
        Self { attributes: 0, events: 0, links: 0, texts: 0, array_items: 0 };

    /// What each is called, in the order of the fields.
    pub(super) const NAMES: [&str; 5] = ["attributes", "events", "links", "texts", "array_items"];

    pub(super) fn as_array(&self) -> [u32; 5] {
        [self.attributes, self.events, self.links, self.texts, self.array_items]
    }

    pub(super) fn add(&mut self, other: Self) {
        for (sum, n) in [
            (&mut self.attributes, other.attributes),
            (&mut self.events, other.events),
            (&mut self.links, other.links),
            (&mut self.texts, other.texts),
            (&mut self.array_items, other.array_items),
        ] {
            *sum = sum.saturating_add(n);
        }
    }
}

/// What an event or a link may have, and the memory for it: the attributes of a former one were there.
pub(super) struct Room {
    pub(super) limits: &'static SpanLimits,
    pub(super) most: usize,
    pub(super) attributes: Vec<KeyValue>, // Empty.
}

/// The attributes of an event or a link, within the limits.
pub(super) struct Gathered {
    pub(super) attributes: Vec<KeyValue>,
    pub(super) cuts: Cuts,
}

impl Gathered {
    pub(super) const NOTHING: Self = Self { attributes: Vec::new(), cuts: Cuts::NONE };
}

impl Room {
    /// The first of `attributes`, and how many more there are. If they do not know how many they are,
    /// they are asked for as many again as there is room for, since they may be endless.
    pub(super) fn gather(self, attributes: impl IntoIterator<Item = KeyValue>) -> Gathered {
        let Self { limits, most, attributes: kept } = self;
        let mut gathered = Gathered { attributes: kept, cuts: Cuts::NONE };
        let mut rest = attributes.into_iter().fuse();
        for mut attribute in rest.by_ref().take(most) {
            if !limits.allow(&attribute.key, &attribute.value) {
                limits.cut(&mut attribute, &mut gathered.cuts);
            }
            gathered.attributes.push(attribute);
        }
        let n_more = match rest.size_hint() {
            (least, Some(at_most)) if least == at_most => least,
            _ => rest.take(most.max(1)).count(),
        };
        gathered.cuts.attributes = to_u32(n_more);
        gathered
    }
}

fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (SpanLimits, Vec<String>) {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        let mut told = Vec::new();
        let limits = SpanLimits::read(
            |name| find(name).map(|(_, value)| (*value).to_owned()),
            |name, value| told.push(format!("{name}={value}")),
        );
        (limits, told)
    }

    #[test]
    fn each_limit_has_its_variable() {
        let all = [
            ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1"),
            ("OTEL_SPAN_EVENT_COUNT_LIMIT", "2"),
            ("OTEL_SPAN_LINK_COUNT_LIMIT", "3"),
            ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "4"),
            ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "0"),
            ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "99999999999"),
            ("OTEL_ATTRIBUTE_COUNT_LIMIT", "7"),
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "8"),
        ];
        let expected = SpanLimits {
            attributes: 1,
            events: 2,
            links: 3,
            event_attributes: 4,
            link_attributes: 0,
            value_chars: 99_999_999_999,
            ..SpanLimits::DEFAULT
        };
        assert_eq!(read(&all), (expected, vec![]));
        assert_eq!(read(&[]), (SpanLimits::DEFAULT, vec![]));
    }

    #[test]
    fn a_general_limit_holds_where_there_is_no_other() {
        let (limits, _) = read(&[
            ("OTEL_ATTRIBUTE_COUNT_LIMIT", " 7 "),
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "8"),
            ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "9"),
            ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", ""),
        ]);
        let expected = SpanLimits {
            attributes: 7,
            event_attributes: 9,
            link_attributes: 7,
            value_chars: 8,
            ..SpanLimits::DEFAULT
        };
        assert_eq!(limits, expected);
    }

    #[test]
    fn what_is_no_number_is_told_and_counts_as_not_set() {
        let (limits, mut told) = read(&[
            ("OTEL_SPAN_EVENT_COUNT_LIMIT", "many"),
            ("OTEL_SPAN_LINK_COUNT_LIMIT", "-1"),
            ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1.5"),
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5000000000"),
            ("OTEL_ATTRIBUTE_COUNT_LIMIT", "5000000000"),
        ]);
        let expected = SpanLimits {
            attributes: u32::MAX,
            event_attributes: u32::MAX,
            link_attributes: u32::MAX,
            value_chars: 5_000_000_000,
            ..SpanLimits::DEFAULT
        };
        assert_eq!(limits, expected);
        let mut all = [
            "OTEL_SPAN_EVENT_COUNT_LIMIT=many",
            "OTEL_SPAN_LINK_COUNT_LIMIT=-1",
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT=1.5",
        ];
        told.sort();
        all.sort();
        assert_eq!(told, all);
    }

    #[test]
    fn a_text_is_cut_at_a_character_and_counted() {
        let limits = SpanLimits { text_chars: 4, ..SpanLimits::DEFAULT };
        for (text, cut, n) in
            [("abc\u{e9}", "abc\u{e9}", 0), ("ab\u{e9}de", "ab\u{e9}d", 1), ("", "", 0)]
        {
            for mut text in [Cow::Borrowed(text), Cow::Owned(text.to_owned())] {
                let mut cuts = Cuts::NONE;
                limits.cut_text(&mut text, &mut cuts);
                assert_eq!((&*text, cuts), (cut, Cuts { texts: n, ..Cuts::NONE }));
            }
        }
    }

    #[test]
    fn attributes_beyond_a_limit_are_counted_of_those_that_know_their_number_all() {
        let limits = SpanLimits::DEFAULT.shared();
        let gather = |attributes: &mut dyn Iterator<Item = KeyValue>| {
            let room = Room { limits, most: 2, attributes: Vec::new() };
            let gathered = room.gather(attributes);
            (gathered.attributes.len(), gathered.cuts.attributes)
        };
        let some = |n: usize| vec![KeyValue::new("k", 1); n].into_iter();
        for (n, expected) in [(0, (0, 0)), (1, (1, 0)), (2, (2, 0)), (3, (2, 1)), (9, (2, 7))] {
            assert_eq!(gather(&mut some(n)), expected);
        }
        for (n, expected) in [(1, (1, 0)), (3, (2, 1)), (9, (2, 2))] {
            assert_eq!(
                gather(&mut some(n).filter(|_| true)),
                expected,
                "asked up to twice as many"
            );
        }
    }

    #[test]
    fn equal_limits_are_shared() {
        let limits = SpanLimits { events: 77, ..SpanLimits::DEFAULT };
        assert!(std::ptr::eq(limits.shared(), limits.shared()));
        assert_eq!(*limits.shared(), limits);
    }
}
