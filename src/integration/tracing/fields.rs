//! The values of fields, as attributes.

use std::{error::Error, fmt};

use ::tracing_core::field::{Field, Visit};

use crate::{
    label::{KeyValue, Value},
    log,
    trace::{SpanBuilder, SpanKind, Status},
    util::catch::catch,
};

/// Takes the values of fields one by one.
pub(super) trait Take {
    fn take(&mut self, name: &'static str, value: Value);

    /// Takes what no literal names.
    fn take_more(&mut self, more: KeyValue);
}

/// Shows the fields of a span or an event to what takes values.
pub(super) struct Fields<'a, T>(pub(super) &'a mut T);

/// The most causes of an error that are kept: arbitrary, and a bound for a chain that leads back to itself.
const MOST_CAUSES: usize = 16;

impl<T: Take> Visit for Fields<'_, T> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.take(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.take(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.take(field.name(), value.into());
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.0.take(field.name(), value.into());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.0.take(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.take(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.take(field.name(), value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.0.take(field.name(), log::print(format_args!("{value}")));
        let texts = catch(|| causes(value)).unwrap_or_default(); // `source` is the user's, too.
        if !texts.is_empty() {
            self.0.take_more(KeyValue::new(format!("{}.chain", field.name()), texts));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.take(field.name(), log::print(format_args!("{value:?}")));
    }
}

fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut texts = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next.filter(|_| texts.len() < MOST_CAUSES) {
        texts.push(log::print(format_args!("{cause}")).to_string());
        next = cause.source();
    }
    texts
}

/// What a span's fields say of the span itself.
#[derive(Default)]
pub(super) struct Said {
    pub(super) name: Option<String>,
    pub(super) kind: Option<SpanKind>,
    pub(super) status: Option<Status>,
}

impl Said {
    /// Whether the field says something of the span, which is noted.
    #[inline]
    fn notes(&mut self, name: &str, value: &Value) -> bool {
        name.starts_with("otel.") && self.notes_otel(name, value)
    }

    #[cold]
    fn notes_otel(&mut self, name: &str, value: &Value) -> bool {
        let text = value.to_string();
        match name {
            "otel.name" => self.name = Some(text),
            "otel.kind" => self.kind = kind(&text).or(self.kind),
            "otel.status_code" => self.note_code(&text),
            "otel.status_description" => self.status = Some(Status::Error(text.into())),
            _ => return false,
        }
        true
    }

    fn note_code(&mut self, code: &str) {
        if code.eq_ignore_ascii_case("ok") {
            self.status = Some(Status::Ok);
        } else if code.eq_ignore_ascii_case("error") {
            // A description that was given before stays.
            if !matches!(self.status, Some(Status::Error(_))) {
                self.status = Some(Status::Error("".into()));
            }
        } else if code.eq_ignore_ascii_case("unset") {
            self.status = Some(Status::Unset);
        }
    }
}

fn kind(text: &str) -> Option<SpanKind> {
    [
        ("server", SpanKind::Server),
        ("client", SpanKind::Client),
        ("producer", SpanKind::Producer),
        ("consumer", SpanKind::Consumer),
        ("internal", SpanKind::Internal),
    ]
    .into_iter()
    .find_map(|(name, kind)| name.eq_ignore_ascii_case(text).then_some(kind))
}

/// The fields that a span begins with.
pub(super) struct First {
    pub(super) builder: SpanBuilder,
    pub(super) said: Said,
}

impl Take for First {
    fn take(&mut self, name: &'static str, value: Value) {
        if !self.said.notes(name, &value) {
            self.builder.add_attribute(name, value);
        }
    }

    fn take_more(&mut self, more: KeyValue) {
        self.builder.add_attributes(vec![more]);
    }
}

/// The fields that come later.
#[derive(Default)]
pub(super) struct Late {
    pub(super) attributes: Vec<KeyValue>,
    pub(super) said: Said,
}

impl Take for Late {
    fn take(&mut self, name: &'static str, value: Value) {
        if !self.said.notes(name, &value) {
            self.attributes.push(KeyValue::new(name, value));
        }
    }

    fn take_more(&mut self, more: KeyValue) {
        self.attributes.push(more);
    }
}
