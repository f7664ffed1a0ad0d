//! Records as lines: a record is the line of one point.

use super::{options::Options, tags::Tags};
use crate::{
    error::Error,
    pipeline::{Batch, Encoder, Payload, Setup, Signal},
};

/// A signal whose records are points.
pub(super) trait Point: Signal {
    /// The name of the format of its lines, with a number that changes with them.
    const FORMAT: &str;

    /// Appends the line; nothing if no line can express the record.
    fn write(&self, out: &mut Vec<u8>, options: &Options, tags: &mut Tags);
}

/// Encodes records of one signal.
#[derive(Debug)]
pub(super) struct Lines {
    options: Options,
    tags: Tags,
}

impl Lines {
    pub(super) fn new(options: Options) -> Self {
        Self { options, tags: Tags::default() }
    }
}

impl<S: Point> Encoder<S> for Lines {
    fn encode(&mut self, batch: &Batch<S>) -> Payload {
        let Self { options, tags } = self;
        let payload = Payload::each(batch, |out, record| record.write(out, options, tags));
        tags.report();
        payload
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        self.tags.read(&self.options.resource_tags, setup);
        Ok(())
    }

    fn format(&self) -> &str {
        S::FORMAT
    }
}
