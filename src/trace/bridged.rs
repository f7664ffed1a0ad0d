//! What spans of other libraries need besides: times that they give by hand, links with attributes.

use std::borrow::Cow;

use super::{
    Link, Span, SpanBuilder,
    active::Active,
    failure::{self, ErrorTexts},
    local,
};
use crate::{clock::Ticks, context::SpanContext, label::KeyValue};

/// Whether a tail sampler decides which spans of this thread are exported.
pub(crate) fn is_held() -> bool {
    local::with_tracer(|_, local| Some(local.bound.as_ref()?.tracer.is_held())).unwrap_or(false)
}

impl SpanBuilder {
    /// As [`link`](Self::link), with attributes.
    pub(crate) fn link_with(mut self, context: SpanContext, attributes: Vec<KeyValue>) -> Self {
        self.seed.links.get_or_insert_default().0.push(Link::new(context, attributes));
        self
    }
}

impl Span {
    /// As [`add_event`](Self::add_event), of one that happened at `at`. Of an error's event, the texts are
    /// kept as those of our own are.
    pub(crate) fn add_event_at(
        &mut self,
        name: Cow<'static, str>,
        at: Ticks,
        attributes: impl IntoIterator<Item = KeyValue>,
    ) {
        let Some(room) = self.with_record(Active::room_for_event).flatten() else { return };
        let gathered = if name == failure::EVENT {
            let tracer = self.with_record(|record| record.tracer());
            let texts = tracer.map_or(ErrorTexts::Off, local::error_texts);
            room.gather(attributes.into_iter().filter_map(|attribute| texts.admit(attribute)))
        } else {
            room.gather(attributes)
        };
        self.with_record(|record| record.add_event(name, at, gathered));
    }
}

impl ErrorTexts {
    /// The attribute of an error's event, if it is kept, as it is kept.
    fn admit(&self, attribute: KeyValue) -> Option<KeyValue> {
        if !matches!(&*attribute.key, "exception.message" | "exception.stacktrace") {
            return Some(attribute);
        }
        match self {
            Self::Kept => Some(attribute),
            Self::Redacted(redaction) => {
                let text = redaction.redact(&attribute.value.to_string())?;
                Some(KeyValue { value: text.into(), ..attribute })
            }
            Self::Off => None,
        }
    }
}
