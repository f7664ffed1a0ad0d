//! A route: one exporter of one signal, with its settings and processors.

use std::fmt;

use super::{
    Batch, DeadLetters, Encoder, Exporter, Processor, Sender, Settings, Setup, Signal, Watch,
};
use crate::error::Error;

/// Takes one signal to one exporter: a queue, a worker thread, and the exporter.
///
/// A [`Backend`](crate::export::Backend) adds its routes. For an exporter of your own, the route is
/// the backend.
///
/// # Examples
///
/// ```
/// use bellwether::{export::Memory, pipeline::{Overflow, Route}, trace::SpanRecord};
///
/// let spans = Memory::<SpanRecord>::new();
/// let route = Route::new(spans.clone())
///     .named("recent")
///     .settings(|settings| settings.overflow = Overflow::DropOldest)
///     .process(|spans: &mut Vec<SpanRecord>| spans.retain(|span| span.name() != "GET /health"));
/// let telemetry = bellwether::builder("shop").export(route).start()?;
/// # Ok::<(), bellwether::Error>(())
/// ```
#[must_use = "a route that is given to no builder sends nothing"]
pub struct Route<S: Signal> {
    pub(super) name: String,
    pub(super) exporter: AnyExporter<S>,
    pub(super) settings: Settings,
    pub(super) processors: Vec<RouteProcessor<S>>,
    pub(super) watch: Option<Watch>,
    pub(crate) options: S::RouteOptions,
}

pub(super) enum AnyExporter<S> {
    Whole(Box<dyn Exporter<S>>),
    Wire(Box<dyn Encoder<S>>, Box<dyn Sender>),
}

impl<S: 'static> AnyExporter<S> {
    /// Starts the exporter, and asks it where it sends to.
    pub(super) fn start(&mut self, setup: &Setup) -> Result<Option<String>, Error> {
        match self {
            Self::Whole(exporter) => {
                exporter.start(setup)?;
                Ok(exporter.destination())
            }
            Self::Wire(encoder, sender) => {
                encoder.start(setup)?;
                sender.start(setup)?;
                Ok(sender.destination())
            }
        }
    }
}

/// A processor that gets copies, because other routes share the records of a batch.
pub(super) type RouteProcessor<S> = Box<dyn Fn(&Batch<S>) -> Batch<S> + Send>;

impl<S: Signal> Route<S> {
    /// Creates a route to `exporter`, with the signal's default settings.
    pub fn new(exporter: impl Exporter<S>) -> Self {
        Self::of(exporter.name().to_owned(), AnyExporter::Whole(Box::new(exporter)))
    }

    /// Creates a route that encodes and sends in two steps, with the name of `sender`.
    pub fn wire(encoder: impl Encoder<S>, sender: impl Sender) -> Self {
        let name = sender.name().to_owned();
        Self::of(name, AnyExporter::Wire(Box::new(encoder), Box::new(sender)))
    }

    fn of(name: String, exporter: AnyExporter<S>) -> Self {
        let (settings, options) = (S::settings(), S::RouteOptions::default());
        Self { name, exporter, settings, processors: Vec::new(), watch: None, options }
    }

    /// Sets the name in reports, series and the name of the thread, in place of the exporter's name.
    /// If two routes of one signal have the same name, the second gets a number: `file`, `file-2`.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Changes the settings of the queue, the batches and the attempts.
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Keeps records on disk until they are delivered. For a route that [encodes and sends](Self::wire);
    /// another one refuses to start with it.
    ///
    /// A record is safe once a [`persist`](crate::Telemetry::persist) that began after it has returned, and
    /// at the latest a [`batch_delay`](Settings::batch_delay) and a write after it was offered: it is
    /// delivered at least once then, though the process crash, or the power fail. What is left at a shutdown
    /// is sent by the next process that starts the route on this folder.
    ///
    /// While the disk takes nothing, because it is full say, records are sent without having been on it. If
    /// the backend is away too, they wait in memory, within the queue's bounds.
    #[cfg(all(feature = "spool", unix))]
    #[cfg_attr(docsrs, doc(cfg(feature = "spool")))]
    pub fn spool(self, folder: impl Into<super::SpoolFolder>) -> Self {
        let folder = folder.into();
        self.settings(|settings| settings.spool = Some(folder))
    }

    /// Writes what the backend refuses for good to a file, besides counting it. For a route that [encodes and
    /// sends](Self::wire); another one refuses to start with it.
    pub fn dead_letters(self, file: impl Into<DeadLetters>) -> Self {
        let file = file.into();
        self.settings(|settings| settings.dead_letters = Some(file))
    }

    /// As [`dead_letters`](Self::dead_letters), where the route may have them and has none.
    pub(crate) fn dead_letters_by_default(mut self, file: Option<&DeadLetters>) -> Self {
        if let (AnyExporter::Wire(..), None) = (&self.exporter, &self.settings.dead_letters) {
            self.settings.dead_letters = file.cloned();
        }
        self
    }

    /// Lets only those records on this route that `is_wanted` says yes to: to send errors to one place and all
    /// else to another, say. The others are counted as dropped, with the reason `filtered`. It is a
    /// [processor](Self::process) that copies nothing, and runs in its turn among them.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{export::Memory, pipeline::Route, trace::{SpanRecord, Status}};
    ///
    /// let (errors, all) = (Memory::<SpanRecord>::new(), Memory::<SpanRecord>::new());
    /// let is_error = |span: &SpanRecord| matches!(span.status(), Status::Error(_));
    /// let telemetry = bellwether::builder("shop")
    ///     .export(Route::new(errors.clone()).named("errors").filter(is_error))
    ///     .export(all.clone())
    ///     .start()?;
    /// bellwether::span("checkout").enter().end();
    /// telemetry.flush(std::time::Duration::from_secs(5));
    /// assert_eq!((errors.len(), all.len()), (0, 1));
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn filter(mut self, is_wanted: impl Fn(&S) -> bool + Send + 'static) -> Self {
        self.processors.push(Box::new(move |batch| batch.filter(&is_wanted)));
        self
    }

    /// Adds a processor that changes or removes records on this route alone, before they are exported.
    /// Processors run in the order in which they were added. Removed records are counted as dropped,
    /// with the reason `filtered`.
    pub fn process(mut self, processor: impl Processor<S>) -> Self
    where
        S: Clone,
    {
        self.processors.push(Box::new(move |batch| {
            let mut records: Vec<S> = batch.iter().cloned().collect();
            processor.process(&mut records);
            records.truncate(batch.len());
            records.into()
        }));
        self
    }

    /// Has `watch` called after each attempt.
    pub(crate) fn watched(self, watch: Watch) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<S: Signal> fmt::Debug for Route<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Route({} to {})", S::NAME, self.name)
    }
}
