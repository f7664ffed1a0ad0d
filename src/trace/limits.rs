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

    /// The limits that `look_up` finds by the names of variables; `report` is told of values that are no
    /// number.
    fn read(
        look_up: impl Fn(&str) -> Option<String>,
        mut report: impl FnMut(&str, &str),
    ) -> Self {
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
    pub(super) most: u32,
    pub(super) attributes: Vec<KeyValue>, // Empty.
}

/// The attributes of an event or a link, within the limits.
pub(super) struct Gathered {
    pub(super) attributes: Vec<KeyValue>,
    pub(super) cuts: Cuts,
}

impl Room {
    /// The first of `attributes`, and how many more there are. If they do not know how many they are,
    /// they are asked for as many again as there is room for, since they may be endless.
    pub(super) fn gather(self, attributes: impl IntoIterator<Item = KeyValue>) -> Gathered {
        let Self { limits, most, attributes: kept } = self;
        let mut gathered = Gathered { attributes: kept, cuts: Cuts::NONE };
        let mut rest = attributes.into_iter().fuse();
        for mut attribute in rest.by_ref().take(most as usize) {
            if !limits.allow(&attribute.key, &attribute.value) {
                limits.cut(&mut attribute, &mut gathered.cuts);
            }
            gathered.attributes.push(attribute);
        }
        let n_more = match rest.size_hint() {
            (least, Some(at_most)) if least == at_most => least,
            _ => rest.take(most.max(1) as usize).count(),
        };
        gathered.cuts.attributes = to_u32(n_more);
        gathered
    }
}

fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
