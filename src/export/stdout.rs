//! Prints spans on standard output, for people or as JSON lines.
//!
//! - What is sent, and when? Each span, one line, when its batch is full or a second old.
//! - What if somebody holds the lock of [`std::io::stdout`], or has printed half a line? Nobody is
//!   waited for, so that a thread which leaves the process with the lock in hand costs no span: a
//!   batch is one write to the operating system (elsewhere than on Unix it waits), and comes before
//!   what std still has in its buffer.
//! - What happens when standard output is closed? The batch is rejected and counted; when it blocks,
//!   the worker waits, and the queue drops what does not fit.
//! - What may be doubled? A line, after an error in the middle of a batch that is no closed pipe.

use std::fmt::Write as _;

use super::wire::{
    lines::{self, Lines},
    span,
};
use crate::{
    pipeline::{Batch, ExportError, Exporter, OneLine},
    trace::{SpanRecord, Status},
    util::{civil::civil, standard},
};

/// An exporter that prints each span on standard output.
#[derive(Debug)]
pub struct Stdout {
    format: Format,
    lines: Lines,
    torn: bool,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Human,
    Json,
}

impl Stdout {
    /// One line for people: start (UTC), duration, name, kind, outcome, ids, attributes. Control
    /// characters are escaped, so that no value can move the cursor or forge a line.
    #[must_use]
    pub fn human() -> Self {
        Self { format: Format::Human, lines: Lines::default(), torn: false }
    }

    /// One JSON object a line, in the schema of [`File`](super::File).
    #[must_use]
    pub fn json() -> Self {
        Self { format: Format::Json, lines: Lines::default(), torn: false }
    }
}

impl Exporter<SpanRecord> for Stdout {
    fn export(&mut self, batch: &Batch<SpanRecord>) -> Result<(), ExportError<SpanRecord>> {
        self.lines.clear(self.torn);
        for record in batch {
            match self.format {
                Format::Human => self.lines.line(|out| human_line(out, record)),
                Format::Json => self.lines.line(|out| span::write(out, record)),
            }
        }
        let written = self.lines.write_to(&mut standard::Stdout);
        lines::answer(written, batch, &mut self.torn, "standard output")
    }

    fn name(&self) -> &str {
        "stdout"
    }
}

fn human_line(out: &mut Vec<u8>, span: &SpanRecord) {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_human(&mut text, span);
    out.extend_from_slice(text.as_bytes());
}

fn write_human(text: &mut String, span: &SpanRecord) -> std::fmt::Result {
    write!(
        text,
        "{} {:>10} {} {} {} trace={} span={}",
        Utc(span.start().unix_nanos()),
        format!("{:.1?}", span.end().since(span.start())),
        OneLine(span.name()),
        span.kind().as_str(),
        span.outcome().as_str(),
        span.trace_id(),
        span.span_id(),
    )?;
    if let Some(parent) = span.parent_span_id() {
        write!(text, " parent={parent}")?;
    }
    match span.status() {
        Status::Error(description) if !description.is_empty() => {
            write!(text, " status=error: {}", OneLine(description))?;
        }
        Status::Unset => {}
        status => write!(text, " status={}", status.as_str())?,
    }
    for attribute in span::last_of_each_key(span.attributes()) {
        write!(text, " {}=", OneLine(&attribute.key))?;
        write!(text, "{}", OneLine(&attribute.value.to_string()))?;
    }
    Ok(())
}

/// Nanoseconds since the Unix epoch as RFC 3339 with microseconds.
struct Utc(u64);

impl std::fmt::Display for Utc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, micros) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000 / 1_000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::wire::span::sample;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (951_868_800, "2000-03-01T00:00:00.000000Z"),
            (1_577_836_799, "2019-12-31T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(Utc(seconds * 1_000_000_000).to_string(), date);
        }
    }

    #[test]
    fn a_span_is_one_line_with_its_duration_and_ids() {
        let mut line = Vec::new();
        human_line(&mut line, &sample("check\nout\u{1b}[2J"));
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "2020-01-01T00:00:00.000000Z     12.5ms check\\nout\\u{1b}[2J server error \
             trace=0000000000000000000000000000000a span=000000000000000b parent=000000000000000c \
             status=error: no money cart=7"
        );
    }
}
