//! Lines of JSON.

use super::MessageFormat;
use crate::{
    error::Error,
    export::wire::record::Line,
    pipeline::{Batch, Encoder, Payload, Setup},
};

/// A line of JSON for each record, as [`File`](crate::export::File) and [`Stdout`](crate::export::Stdout) write them:
/// an object with `signal`, `service.name` and what the record has. Of the resource, the name of the service alone.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct JsonLines;

impl JsonLines {
    /// The lines.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl<S: Line> MessageFormat<S> for JsonLines {
    fn encoder(&self) -> Box<dyn Encoder<S>> {
        Box::new(Objects { service: String::new(), format: format!("json.{}.1", S::NAME) })
    }

    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn join(&self, _head: &[u8], records: &[&[u8]], message: &mut Vec<u8>) -> bool {
        records.iter().for_each(|line| message.extend_from_slice(line));
        true
    }
}

/// Writes each record as an object and a line break.
struct Objects {
    service: String,
    format: String,
}

impl<S: Line> Encoder<S> for Objects {
    fn encode(&mut self, batch: &Batch<S>) -> Payload {
        Payload::each(batch, |out, record| {
            record.json(&self.service, out);
            out.push(b'\n');
        })
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        setup.service_name().clone_into(&mut self.service);
        Ok(())
    }

    fn format(&self) -> &str {
        &self.format
    }
}
