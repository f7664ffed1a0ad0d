//! A log record, as processors and exporters see it.

use std::{borrow::Cow, fmt};

use super::{CallSite, LogLimits, LogSeverity, text};
use crate::{
    clock::{self, Timestamp},
    context::{self, SpanContext, SpanId, TraceFlags, TraceId},
    label::{KeyValue, Value, owned_bytes},
    pipeline::Signal,
};

/// One log record: what happened, when, how grave it is, and in which span.
///
/// The [macros](crate::log) make them, and so do the bridges from other libraries. One that is made by hand
/// is handed over by [`emit`](super::emit).
///
/// # Examples
///
/// ```
/// use bellwether::log::{LogRecord, LogSeverity};
///
/// let record = LogRecord::new(LogSeverity::WARN, "the card was refused")
///     .with_target("shop::pay")
///     .with_attribute("cart", 7);
/// assert_eq!(record.body().to_string(), "the card was refused");
/// bellwether::log::emit(record);
/// ```
#[derive(Clone, Debug)]
pub struct LogRecord(Box<Body>); // A pointer: records are sorted, and moved from hand to hand.

#[derive(Clone, Debug)]
struct Body {
    time: Timestamp,
    observed: Timestamp,
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
    severity: LogSeverity,
    dropped_attributes: u32,
    truncated_texts: u32,
    repeated: u32,
    body: Value,
    attributes: Vec<KeyValue>,
    origin: Origin,
    rare: Option<Box<Rare>>,
}

/// Where a record comes from.
#[derive(Clone, Debug)]
enum Origin {
    Site(&'static CallSite),
    Target(Cow<'static, str>),
}

/// What few records have.
#[derive(Clone, Debug, Default)]
struct Rare {
    event_name: Option<Cow<'static, str>>,
    severity_text: Option<Cow<'static, str>>,
    location: Option<(Cow<'static, str>, u32)>,
    suppressed: u64,
}

impl LogRecord {
    /// A record that happens now, in the span that this thread is in, with the target `""`.
    #[must_use]
    pub fn new(severity: LogSeverity, body: impl Into<Value>) -> Self {
        let now = clock::now().timestamp();
        Self::of(severity, body.into(), Origin::Target(Cow::Borrowed("")), now)
    }

    /// A record of a call site, without a body.
    pub(super) fn at_site(site: &'static CallSite, now: Timestamp) -> Self {
        Self::of(site.severity(), Value::from_static(""), Origin::Site(site), now)
    }

    fn of(severity: LogSeverity, body: Value, origin: Origin, now: Timestamp) -> Self {
        let ids = context::ids();
        Self(Box::new(Body {
            time: now,
            observed: now,
            trace_id: ids.trace_id,
            span_id: ids.span_id,
            flags: ids.flags(),
            severity,
            dropped_attributes: 0,
            truncated_texts: 0,
            repeated: 0,
            body,
            attributes: Vec::new(),
            origin,
            rare: None,
        }))
    }

    /// Sets the target: which part of the program it is of, by default `""`. Filters go by it.
    #[must_use]
    pub fn with_target(mut self, target: impl Into<Cow<'static, str>>) -> Self {
        self.0.origin = Origin::Target(target.into());
        self
    }

    /// Adds an attribute. Of equal keys the last one counts.
    #[must_use]
    pub fn with_attribute(
        mut self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<Value>,
    ) -> Self {
        self.set_attribute(key, value);
        self
    }

    /// Sets the span that it belongs to, in place of the one that the thread is in.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<SpanContext>) -> Self {
        let context = context.into();
        self.0.trace_id = context.trace_id();
        self.0.span_id = context.span_id();
        self.0.flags = context.flags();
        self
    }

    /// Sets when it happened, in place of now. When it was observed stays now.
    #[must_use]
    pub fn with_time(mut self, time: Timestamp) -> Self {
        self.0.time = time;
        self
    }

    /// Sets when this process, or another one, saw it, in place of now.
    #[cfg(feature = "opentelemetry")]
    #[must_use]
    pub(crate) fn with_observed(mut self, observed: Timestamp) -> Self {
        self.0.observed = observed;
        self
    }

    /// Counts `n` attributes that its source had and that are not in it.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn count_dropped(&mut self, n: u32) {
        self.0.dropped_attributes = self.0.dropped_attributes.saturating_add(n);
    }

    /// Sets the name of the event, for records that all have one shape (OpenTelemetry's `EventName`).
    #[must_use]
    pub fn with_event_name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.rare_mut().event_name = Some(name.into());
        self
    }

    /// Sets what the source calls its severity, where that is another word than ours.
    #[must_use]
    pub fn with_severity_text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.rare_mut().severity_text = Some(text.into());
        self
    }

    /// Sets the file and the line of the source.
    #[must_use]
    pub fn with_location(mut self, file: impl Into<Cow<'static, str>>, line: u32) -> Self {
        self.rare_mut().location = Some((file.into(), line));
        self
    }

    /// As [`with_attribute`](Self::with_attribute).
    pub fn set_attribute(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        self.0.attributes.push(KeyValue { key, value });
    }

    /// Sets the body.
    pub fn set_body(&mut self, body: impl Into<Value>) {
        self.0.body = body.into();
    }

    /// Sets the body to what `args` print, up to the limit of bodies.
    #[doc(hidden)]
    pub fn print_body(&mut self, args: fmt::Arguments<'_>) {
        self.0.body = text::print(args);
    }

    /// As [`set_attribute`](Self::set_attribute), with what `args` print.
    #[doc(hidden)]
    pub fn print_attribute(&mut self, key: impl Into<Cow<'static, str>>, args: fmt::Arguments<'_>) {
        self.set_attribute(key, text::print(args));
    }
}

/// What it has.
impl LogRecord {
    /// When it happened.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.0.time
    }

    /// When this process saw it: the same, unless its source said when it happened.
    #[must_use]
    pub fn observed(&self) -> Timestamp {
        self.0.observed
    }

    /// How grave it is.
    #[must_use]
    pub fn severity(&self) -> LogSeverity {
        self.0.severity
    }

    /// What the source calls its severity: the name of [`severity`](Self::severity), unless it was
    /// [set](Self::with_severity_text).
    #[must_use]
    pub fn severity_text(&self) -> &str {
        let text = self.rare().and_then(|rare| rare.severity_text.as_deref());
        text.unwrap_or_else(|| self.severity().as_str())
    }

    /// Which part of the program it is of: the path of the module, where a macro made it.
    #[must_use]
    pub fn target(&self) -> &str {
        match &self.0.origin {
            Origin::Site(site) => site.target(),
            Origin::Target(target) => target,
        }
    }

    /// The file and the line of the source, if they are known.
    #[must_use]
    pub fn location(&self) -> Option<(&str, u32)> {
        let set = self.rare().and_then(|rare| rare.location.as_ref());
        match (set, &self.0.origin) {
            (Some((file, line)), _) => Some((file, *line)),
            (None, Origin::Site(site)) => site.location(),
            (None, Origin::Target(_)) => None,
        }
    }

    /// What happened; mostly text.
    #[must_use]
    pub fn body(&self) -> &Value {
        &self.0.body
    }

    /// The attributes, in the order in which they were set. Of equal keys the last one counts.
    #[must_use]
    pub fn attributes(&self) -> &[KeyValue] {
        &self.0.attributes
    }

    /// The attributes, to be changed by a processor.
    pub fn attributes_mut(&mut self) -> &mut Vec<KeyValue> {
        &mut self.0.attributes
    }

    /// The trace that it belongs to, if it belongs to one.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        self.0.trace_id.is_valid().then_some(self.0.trace_id)
    }

    /// The span that it belongs to, if it belongs to one.
    #[must_use]
    pub fn span_id(&self) -> Option<SpanId> {
        self.0.span_id.is_valid().then_some(self.0.span_id)
    }

    /// The flags of its span: whether that is sampled.
    #[must_use]
    pub fn flags(&self) -> TraceFlags {
        self.0.flags
    }

    /// The name of the event, if it has one.
    #[must_use]
    pub fn event_name(&self) -> Option<&str> {
        self.rare().and_then(|rare| rare.event_name.as_deref())
    }

    /// How many attributes were beyond the [limit](LogLimits::attributes).
    #[must_use]
    pub fn dropped_attributes(&self) -> u32 {
        self.0.dropped_attributes
    }

    /// How many of its texts were cut to their limit.
    #[must_use]
    pub fn truncated_texts(&self) -> u32 {
        self.0.truncated_texts
    }

    /// How many records like it were [folded](super::LogOptions::fold_duplicates) into it.
    #[must_use]
    pub fn repeated(&self) -> u32 {
        self.0.repeated
    }

    /// How many records of its call site were suppressed by the
    /// [limit](super::LogOptions::per_call_site). It is not zero in a record that stands for them, and has
    /// no other content.
    #[must_use]
    pub fn suppressed(&self) -> u64 {
        self.rare().map_or(0, |rare| rare.suppressed)
    }

    /// The call site, if it is known.
    pub(crate) fn site(&self) -> Option<&'static CallSite> {
        match self.0.origin {
            Origin::Site(site) => Some(site),
            Origin::Target(_) => None,
        }
    }

    fn rare(&self) -> Option<&Rare> {
        self.0.rare.as_deref()
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.0.rare.get_or_insert_default()
    }
}

/// On its way.
impl LogRecord {
    /// A record that stands for `n` of `site` that were suppressed.
    pub(super) fn of_suppressed(site: &'static CallSite, n: u64) -> Self {
        let mut record = Self::at_site(site, clock::now().timestamp());
        // It is of no span: the records that it stands for may be of many.
        (record.0.trace_id, record.0.span_id) = (TraceId::INVALID, SpanId::INVALID);
        record.0.flags = TraceFlags::default();
        record.set_body(format!("{n} records of this call site were suppressed"));
        record.rare_mut().suppressed = n;
        record
    }

    /// Cuts what is beyond the limits, and counts it.
    pub(super) fn limit(&mut self, limits: &LogLimits) {
        let Body { body, attributes, origin, rare, dropped_attributes, truncated_texts, .. } =
            &mut *self.0;
        let (items, chars) = (limits.array_items as usize, limits.value_chars);
        *truncated_texts += u32::from(match body {
            Value::Array(_) => text::cut_value(body, items, chars),
            _ => text::cut_body(body, limits.body_bytes),
        });
        if let Origin::Target(target) = origin {
            *truncated_texts += u32::from(text::cut_name(target));
        }
        *truncated_texts += rare.as_mut().map_or(0, |rare| rare.limit());
        if attributes.len() > limits.attributes {
            let n = (attributes.len() - limits.attributes) as u32;
            *dropped_attributes = dropped_attributes.saturating_add(n);
            attributes.truncate(limits.attributes);
            attributes.shrink_to_fit();
        }
        for attribute in attributes {
            *truncated_texts += u32::from(text::cut_value(&mut attribute.value, items, chars));
            *truncated_texts += u32::from(text::cut_name(&mut attribute.key));
        }
    }

    /// Counts attributes that were left out before they were set.
    #[cfg(feature = "log")]
    pub(crate) fn add_dropped_attributes(&mut self, n: u32) {
        self.0.dropped_attributes = self.0.dropped_attributes.saturating_add(n);
    }

    /// Counts `n` more records like it.
    pub(super) fn add_repeated(&mut self, n: u32) {
        self.0.repeated = self.0.repeated.saturating_add(n);
    }
}

impl Signal for LogRecord {
    const NAME: &'static str = "logs";

    type RouteOptions = ();

    /// Lines of a file are in the order of time.
    const IS_ORDERED: bool = true;

    /// Whether it is an error, or worse.
    fn is_urgent(&self) -> bool {
        self.severity() >= LogSeverity::ERROR
    }

    fn weight(&self) -> usize {
        let Body { body, attributes, origin, rare, .. } = &*self.0;
        let of_target = match origin {
            Origin::Site(_) => 0,
            Origin::Target(target) => owned_bytes(target),
        };
        let of_attributes: usize = attributes.iter().map(KeyValue::heap_bytes).sum();
        let of_rare = rare.as_ref().map_or(0, |rare| rare.bytes());
        size_of::<Self>()
            + size_of::<Body>()
            + body.heap_bytes()
            + size_of::<KeyValue>() * attributes.capacity()
            + of_attributes
            + of_target
            + of_rare
    }
}

impl Rare {
    /// Cuts what is too long; how many texts were.
    fn limit(&mut self) -> u32 {
        let file = self.location.as_mut().map(|(file, _)| file);
        let texts = [self.event_name.as_mut(), self.severity_text.as_mut(), file];
        texts.into_iter().flatten().map(|text| u32::from(text::cut_name(text))).sum()
    }

    fn bytes(&self) -> usize {
        let texts = [&self.event_name, &self.severity_text];
        let of_texts: usize = texts.into_iter().flatten().map(owned_bytes).sum();
        let of_location = self.location.as_ref().map_or(0, |(file, _)| owned_bytes(file));
        size_of::<Self>() + of_texts + of_location
    }
}
