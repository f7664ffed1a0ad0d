//! Records as documents: a record is the line of its action and the line of its document, the head is what each
//! document has of its resource.

use std::borrow::Cow;

use super::{
    fields, labels,
    options::{Naming, Options},
};
use crate::{
    clock::Timestamp,
    context::hex,
    error::Error,
    export::wire::{
        familiar::Familiar,
        json::{Json, Object},
        log::date,
        number::put_canonical,
    },
    pipeline::{Batch, Encoder, Payload, Setup, Signal},
    util::random,
};

/// A signal whose records are documents.
pub(super) trait Document: Signal {
    /// The name of the format, with a number that changes with it.
    const FORMAT: &str;
    /// The same where each says in which index it is.
    const DAILY_FORMAT: &str;
    /// The type of its data stream.
    const TYPE: &str;

    /// When it was.
    fn time(&self) -> Timestamp;

    /// Its id, if it has one of its own.
    fn own_id(&self) -> Option<Id>;

    /// Whether a document can express it.
    fn is_document(&self) -> bool {
        true
    }

    /// Writes its fields, but for time and id.
    fn fields(&self, object: &mut Object<'_>, options: &Options, middles: &mut Familiar);
}

/// Encodes records of one signal.
#[derive(Debug)]
pub(super) struct Documents {
    options: Options,
    day: Day,
    head: Vec<u8>,
    /// The middles of buckets.
    middles: Familiar,
}

impl Documents {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            day: Day::default(),
            head: Vec::new(),
            middles: Familiar::of(put_canonical),
        }
    }

    /// Writes the action, which says where the document goes.
    fn action<S: Document>(&mut self, out: &mut Vec<u8>, time: Timestamp, id: &Id) {
        out.extend_from_slice(b"{\"create\":{");
        if let Naming::Daily { prefix } = &self.options.naming {
            out.extend_from_slice(b"\"_index\":\"");
            // Nothing in it needs to be escaped: that was checked at the start.
            out.extend_from_slice(prefix.as_bytes());
            out.push(b'-');
            out.extend_from_slice(S::TYPE.as_bytes());
            out.push(b'-');
            out.extend_from_slice(self.day.of(time));
            out.extend_from_slice(b"\",");
        }
        out.extend_from_slice(b"\"_id\":\"");
        out.extend_from_slice(id.bytes());
        out.extend_from_slice(b"\"}}\n");
    }
}

impl<S: Document> Encoder<S> for Documents {
    fn encode(&mut self, batch: &Batch<S>) -> Payload {
        let mut payload = Payload::with_head(&*self.head);
        let mut drawn = Drawn::new();
        for record in batch {
            let id = record.own_id().unwrap_or_else(|| drawn.next());
            payload.record(|out| {
                if !record.is_document() {
                    return;
                }
                let time = record.time();
                self.action::<S>(out, time, &id);
                Json::new(out).object(|object| {
                    object.field("@timestamp").bare(&date(time));
                    object.field("event.id").bare(id.bytes());
                    record.fields(object, &self.options, &mut self.middles);
                });
            });
        }
        payload
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        self.options.naming.check()?;
        let stream = match &self.options.naming {
            Naming::Streams { dataset, namespace } => Some([S::TYPE, dataset, namespace]),
            Naming::Daily { .. } => None,
        };
        let name = |key: &str| format!("labels.{}", labels::field_name(key));
        let mut keys: Vec<(Cow<'_, str>, String)> = Vec::new();
        for key in &self.options.resource_labels {
            let name = name(key);
            // A name twice would make each document one that is refused.
            if keys.iter().all(|(_, other)| *other != name) {
                keys.push((key.clone(), name));
            }
        }
        self.head = fields::of_resource(setup, stream, &keys);
        Ok(())
    }

    fn format(&self) -> &str {
        match self.options.naming {
            Naming::Streams { .. } => S::FORMAT,
            Naming::Daily { .. } => S::DAILY_FORMAT,
        }
    }
}

/// The id of a document: it is written once, so that a document that is sent again has it again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id {
    text: [u8; Self::ROOM],
    length: usize,
}

impl Id {
    const ROOM: usize = 32 + 16 + 1 + 16;

    /// The id of a span; of one that is open, and is written again later, with the time until which it is known.
    pub(super) fn of_span(trace: u128, span: u64, until: Option<u64>) -> Self {
        let mut text = [b'-'; Self::ROOM];
        text[..32].copy_from_slice(&hex::encode32(trace));
        text[32..48].copy_from_slice(&hex::encode16(span));
        let Some(until) = until else { return Self { text, length: 48 } };
        text[49..].copy_from_slice(&hex::encode16(until));
        Self { text, length: Self::ROOM }
    }

    fn of_number(number: u128) -> Self {
        let mut text = [0; Self::ROOM];
        text[..32].copy_from_slice(&hex::encode32(number));
        Self { text, length: 32 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }
}

/// Ids of records that have none of their own: 128 bits, drawn once for a batch and counted up within it.
///
/// Two batches of a million records each have an id in common by a chance of one in 10^32. A hash of the document
/// would take two records that are alike, of one instant, for one. Ids of a batch begin alike, which makes looking
/// them up cheap: Lucene keeps them sorted.
struct Drawn(u128);

impl Drawn {
    fn new() -> Self {
        let [high, low] = random::numbers();
        Self(u128::from(high) << 64 | u128::from(low))
    }

    fn next(&mut self) -> Id {
        let id = Id::of_number(self.0);
        self.0 = self.0.wrapping_add(1);
        id
    }
}

/// The last day that was asked for, as text.
#[derive(Debug)]
struct Day {
    number: u64,
    text: [u8; 10],
}

impl Default for Day {
    fn default() -> Self {
        Self { number: 0, text: *b"1970.01.01" }
    }
}

impl Day {
    /// The day of `time` in UTC: `2026.11.30`.
    fn of(&mut self, time: Timestamp) -> &[u8] {
        const NANOS: u64 = 86_400_000_000_000;
        let number = time.unix_nanos() / NANOS;
        if number != self.number {
            self.number = number;
            self.text.copy_from_slice(&date(time)[..10]);
            (self.text[4], self.text[7]) = (b'.', b'.');
        }
        &self.text
    }
}
