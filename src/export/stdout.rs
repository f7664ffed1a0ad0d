//! Prints spans, log records and metrics on standard output, for people or as JSON lines.
//!
//! - What is sent, and when? A line for each span, when its batch is full or a second old. A line for
//!   each series every ten seconds.
//! - What if another thread holds the lock of [`std::io::stdout`], or has printed half a line? The
//!   exporter does not wait for it, so a thread that leaves the process with the lock held costs no
//!   span. A batch is one write to the operating system, ahead of what std still has in its buffer. On
//!   other systems than Unix it does wait.
//! - What happens when standard output is closed? The batch is rejected and counted. When it blocks,
//!   the worker waits, and the queue drops what does not fit.
//! - What may be doubled? A line, after an error in the middle of a batch other than a closed pipe.

use std::{io::IsTerminal as _, sync::Arc};

use super::{
    Backend, Routes,
    wire::{
        lines::{self, Lines},
        record::{self, Format, Line},
    },
};
use crate::{
    error::Error,
    log::LogRecord,
    metric::DataPoint,
    pipeline::{Batch, Deadline, ExportError, ExportResult, Exporter, Route, Setup},
    sync::Mutex,
    trace::SpanRecord,
    util::standard,
};

/// Prints each span, each log record and each series of a metric on standard output.
///
/// # Examples
///
/// ```
/// use bellwether::export::Stdout;
///
/// let spans_and_logs = Stdout::human().without_metrics();
/// let telemetry = bellwether::builder("shop").export(spans_and_logs).start()?;
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stdout {
    format: Format,
    /// Which of spans, logs and metrics it takes as a backend.
    takes: [bool; 3],
    service: String,
    /// Held while a batch is written, so that lines of two routes stay whole. No lock is taken inside
    /// it.
    out: Arc<Mutex<Out>>,
}

#[derive(Debug, Default)]
struct Out {
    lines: Lines,
    torn: bool,
}

impl Stdout {
    /// Prints lines for people. A log record has: time (UTC), level, target, body, attributes, ids. A span
    /// has: start, duration, name, kind, outcome (`open` if it has not ended), ids, attributes. A series has:
    /// time, name, labels, value, unit. Control characters are escaped, so that no value can move the cursor
    /// or forge a line. On a terminal levels have colours, unless the environment has `NO_COLOR`.
    #[must_use]
    pub fn human() -> Self {
        Self::of(if shows_colors() { Format::Colored } else { Format::Human })
    }

    /// Prints one JSON object a line, in the schema of [`File`](super::File).
    #[must_use]
    pub fn json() -> Self {
        Self::of(Format::Json)
    }

    /// As [`json`](Self::json), with log records by the names of the Elastic Common Schema: see
    /// [`FileBuilder::ecs`](super::FileBuilder::ecs).
    #[must_use]
    pub fn ecs() -> Self {
        Self::of(Format::Ecs)
    }

    fn of(format: Format) -> Self {
        Self { format, takes: [true; 3], service: String::new(), out: Arc::default() }
    }

    /// Takes no spans.
    #[must_use]
    pub fn without_spans(mut self) -> Self {
        self.takes[0] = false;
        self
    }

    /// Takes no log records.
    #[must_use]
    pub fn without_logs(mut self) -> Self {
        self.takes[1] = false;
        self
    }

    /// Takes no metrics, which are a line for each series every ten seconds.
    #[must_use]
    pub fn without_metrics(mut self) -> Self {
        self.takes[2] = false;
        self
    }
}

/// Whether standard output is a terminal that shows colours, and whoever sits there has not said that they
/// want none (no-color.org).
fn shows_colors() -> bool {
    let says = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal()
        && !says("NO_COLOR")
        && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

impl Backend for Stdout {
    fn routes(self, routes: &mut Routes) {
        let [takes_spans, takes_logs, takes_metrics] = self.takes;
        if takes_spans {
            routes.add(Route::<SpanRecord>::new(self.clone()));
        }
        if takes_logs {
            routes.add(Route::<LogRecord>::new(self.clone()));
        }
        if takes_metrics {
            routes.add(Route::<DataPoint>::new(self));
        }
    }
}

impl<S: Line> Exporter<S> for Stdout {
    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        setup.service_name().clone_into(&mut self.service);
        Ok(())
    }

    fn export(&mut self, batch: &Batch<S>, deadline: &Deadline) -> ExportResult<S> {
        let Some(mut out) = self.out.try_lock_until(deadline.instant()) else {
            return Err(ExportError::retry("standard output: another signal is being written"));
        };
        let Out { lines, torn } = &mut *out;
        lines.clear(*torn);
        record::write(lines, self.format, &self.service, batch);
        let written = lines.write_to(&mut standard::Stdout);
        lines::answer(written, batch, torn, "standard output")
    }

    fn name(&self) -> &str {
        "stdout"
    }
}
