//! What to set up, and setting it up.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use super::{
    Telemetry, exit, own_series,
    running::{Ending, Part, Running},
    tick::{self, OnTransition},
};
use crate::{
    alert::{self, Engine, Rule, Transition, notify::Notification},
    cells, diagnostics,
    error::Error,
    history::History,
    label::Value,
    metric::{Registry, View, Views},
    pipeline::{AnyPipe, Chunk, Exporter, Overflow, Pipe, Settings},
    resource::Resource,
    series::Changes,
    sync::Mutex,
    trace::{self, SpanLimits, SpanRecord, Tracer, sampler::Sampler},
    util::process,
};

type Start<T> = Box<dyn FnOnce() -> Result<Pipe<T>, Error> + Send>;
type StartPart = Box<dyn FnOnce(&Resource) -> Result<Box<dyn Part>, Error> + Send>;

/// What telemetry consists of: made by [`builder`](crate::builder), ended by [`start`](Self::start).
///
/// Nothing is opened and no thread runs before `start`.
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    resource: Resource,
    exporters: Vec<Start<SpanRecord>>,
    notifiers: Vec<Start<Notification>>,
    parts: Vec<StartPart>,
    sampler: Option<Box<dyn Sampler>>,
    limits: SpanLimits,
    views: Vec<View>,
    registry: Changes,
    max_owning_threads: Option<usize>,
    rules: Vec<Rule>,
    on_transition: Vec<OnTransition>,
    tick: Duration,
    /// In bytes; `None` without a history.
    history: Option<usize>,
    disabled: bool,
    deny_conflicts: bool,
}

impl Builder {
    pub(super) fn new(service: &str) -> Self {
        Self {
            resource: Resource::service(service),
            exporters: Vec::new(),
            notifiers: Vec::new(),
            parts: Vec::new(),
            sampler: None,
            limits: SpanLimits::default(),
            views: Vec::new(),
            registry: Changes::default(),
            max_owning_threads: None,
            rules: Vec::new(),
            on_transition: Vec::new(),
            tick: Duration::from_secs(1),
            history: Some(HISTORY_BYTES),
            deny_conflicts: false,
            disabled: is_disabled(std::env::var("OTEL_SDK_DISABLED").ok().as_deref()),
        }
    }

    /// Adds an attribute of the service, such as `deployment.environment.name`.
    pub fn resource(self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        Self { resource: self.resource.with(key, value), ..self }
    }

    /// Sends every sampled span to `exporter`, through a queue and on a thread of its own.
    pub fn exporter(self, exporter: impl Exporter<SpanRecord>) -> Self {
        self.exporter_with(exporter, Settings::default())
    }

    /// [`exporter`](Self::exporter) with a queue, batches and retries to measure.
    pub fn exporter_with(
        mut self,
        exporter: impl Exporter<SpanRecord>,
        settings: Settings,
    ) -> Self {
        self.exporters.push(Box::new(|| Pipe::start(exporter, settings)));
        self
    }

    /// Decides which spans are sampled; by default as the parent was, and always where there is none.
    pub fn sampler(self, sampler: impl Sampler) -> Self {
        Self { sampler: Some(Box::new(sampler)), ..self }
    }

    /// Limits the attributes, events and links of a span.
    pub fn span_limits(self, limits: SpanLimits) -> Self {
        Self { limits, ..self }
    }

    /// Adds a view of the instruments of the process: of their names, labels, buckets and limits. The
    /// list of [`Views`] is that of the global registry from `start` on, also after shutdown; without
    /// a view the registry keeps those that it has.
    pub fn view(mut self, view: View) -> Self {
        self.views.push(view);
        self
    }

    /// Puts a label on every series of the process; one of the series' own with the same key wins, and
    /// of two with one key the later. Spans do not get it: [`resource`](Self::resource) says what
    /// holds for these too.
    ///
    /// The labels are those of the [global registry](Registry::global) from `start` on, also after
    /// shutdown, and also on series that were recorded before; without one the registry keeps those
    /// that it has. A look-up of a series, such as [`Snapshot::value`](crate::metric::Snapshot::value),
    /// names them too. To a [reader](crate::metric::Reader) of differences that has collected already,
    /// a series with other labels is a new one.
    ///
    /// An illegal key is an error of the start.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::Counter;
    ///
    /// static ORDERS: Counter = Counter::new("shop.orders", "Orders accepted");
    ///
    /// ORDERS.inc();
    /// let telemetry = bellwether::builder("shop").constant_label("region", "eu").start()?;
    /// let snapshot = telemetry.snapshot();
    /// assert_eq!(snapshot.value("shop.orders", &[("region", "eu")]).unwrap().as_f64(), 1.0);
    /// assert!(snapshot.value("shop.orders", &[]).is_none());
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn constant_label(mut self, key: impl Into<Cow<'static, str>>, value: &str) -> Self {
        self.registry.labels.push((key.into(), value.to_owned()));
        self
    }

    /// At most `limit` label sets an instrument of the process, besides the overflow series, unless
    /// the instrument or a view says otherwise; 2,000 by default. Closed label sets are not limited.
    ///
    /// It is the limit of the [global registry](Registry::global) from `start` on, also after shutdown
    /// and also for instruments in use. A lower one leaves the series that there are, and sends new
    /// label sets to the overflow series; a higher one gives new label sets series of their own at
    /// once. A handle that was bound to the overflow series stays with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Counter, label::Dynamic};
    ///
    /// static VISITS: Counter<Dynamic> = Counter::dynamic("shop.visits", "Visits", &["user"]);
    ///
    /// let telemetry = bellwether::builder("shop").series_limit(2).start()?;
    /// for user in ["ann", "bob", "eve", "joe"] {
    ///     VISITS.with_labels(&[("user", user)]).inc();
    /// }
    /// let snapshot = telemetry.snapshot();
    /// assert!(snapshot.value("shop.visits", &[("user", "bob")]).is_some());
    /// let rest = snapshot.value("shop.visits", &[("otel.metric.overflow", "true")]);
    /// assert_eq!(rest.unwrap().as_f64(), 2.0);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn series_limit(mut self, limit: usize) -> Self {
        self.registry.series_limit = Some(limit);
        self
    }

    /// At most about `bytes` for the series of all instruments of the process that are not closed,
    /// and for the cells of all series; 64 MiB by default. The cells that threads own take at most half
    /// of it: beyond that, a thread records into cells that threads share. Beyond the whole, new label
    /// sets go to the overflow series, and known ones go on.
    ///
    /// As [`series_limit`](Self::series_limit), it holds from `start` on, also after shutdown, and
    /// counts the series that there are.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Counter, label::Dynamic};
    ///
    /// static VISITS: Counter<Dynamic> = Counter::dynamic("shop.visits", "Visits", &["user"]);
    ///
    /// let telemetry = bellwether::builder("shop").byte_budget(1_000).start()?;
    /// for n in 0..1_000 {
    ///     VISITS.with_labels(&[("user", &n.to_string())]).inc();
    /// }
    /// let snapshot = telemetry.snapshot();
    /// let rest = snapshot.value("shop.visits", &[("otel.metric.overflow", "true")]);
    /// assert!(rest.unwrap().as_f64() > 980.0);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn byte_budget(mut self, bytes: u64) -> Self {
        self.registry.byte_budget = Some(bytes);
        self
    }

    /// How long whoever reads the series, the tick or a scrape for example, waits for one callback and
    /// for one [source](Self::source); half a second by default. What is slower delays a reader once
    /// and is then read beside: its values are those of the last reading. See
    /// [`Registry::observe`](Registry::observe).
    ///
    /// Where a scrape tells how long it has itself (`X-Prometheus-Scrape-Timeout-Seconds`), the page
    /// is answered within that time, whatever the patience. As [`series_limit`](Self::series_limit),
    /// it holds from `start` on, also after shutdown.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::{Unit, metric::{Kind, Registry}};
    ///
    /// // Asks a machine that takes its time.
    /// let ask = |to: &mut bellwether::metric::Observations| {
    ///     std::thread::sleep(Duration::from_millis(20));
    ///     to.observe(21.5, &[]);
    /// };
    /// let name = "room.temperature";
    /// let _observer = Registry::global().observe(Kind::Gauge, name, "", Unit::new("Cel"), ask)?;
    /// let patience = Duration::from_secs(5);
    /// let telemetry = bellwether::builder("shop").callback_patience(patience).start()?;
    /// assert_eq!(telemetry.snapshot().value(name, &[]).unwrap().as_f64(), 21.5);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn callback_patience(mut self, patience: Duration) -> Self {
        self.registry.patience = Some(patience);
        self
    }

    /// Lets at most `n` threads own a table of cells; by default twice as many as there are cores, and
    /// from 8 to 32.
    ///
    /// A thread that owns a table records without a shared cache line. Each further one adds to a few
    /// tables that threads share, which costs some nanoseconds more, and takes the table of one that
    /// has ended; how often that is so is counted in `telemetry.records.shared`. What a reader walks,
    /// and the memory of series, grow with `n` and not with the threads.
    ///
    /// It holds from `start` on for the process, also after shutdown. A thread that owns a table keeps
    /// it until it ends. Zero counts as one.
    ///
    /// # Examples
    ///
    /// ```
    /// let telemetry = bellwether::builder("shop").max_owning_threads(64).start()?;
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn max_owning_threads(mut self, n: usize) -> Self {
        self.max_owning_threads = Some(n);
        self
    }

    /// Adds an alert rule, evaluated at each tick over all series of the process.
    pub fn alert_rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Tells `notifier` about alerts that fire and are resolved, through a queue and on a thread of
    /// its own. A full queue drops its oldest notifications: the newest tell how things stand.
    pub fn notify(mut self, notifier: impl Exporter<Notification>) -> Self {
        let settings = Settings {
            max_items: 1_000,
            batch_delay: Duration::ZERO,
            overflow: Overflow::DropOldest,
            ..Settings::default()
        };
        self.notifiers.push(Box::new(|| Pipe::start(notifier, settings)));
        self
    }

    /// Calls `call` at every change of an alert's state, on the ticker's thread: it should be quick. A
    /// panic in it is reported and changes nothing. Notifications of the change are queued before: they
    /// are delivered even if `call` leaves the process.
    pub fn on_transition(mut self, call: impl Fn(&Transition) + Send + 'static) -> Self {
        self.on_transition.push(Box::new(call));
        self
    }

    /// At most about `bytes` for the past of all series, which [windows](Telemetry::window) look back
    /// on; 32 MiB by default. It is a cap: nothing is allocated before there is something to keep.
    ///
    /// A sample of a counter takes about a byte, one that is the same as the last none. Over the budget
    /// the oldest ticks go first, then the oldest of the samples that are kept every ten seconds, so
    /// that windows get shorter and say so.
    pub fn history_budget(self, bytes: usize) -> Self {
        Self { history: Some(bytes), ..self }
    }

    /// Keeps no past: a [window](Telemetry::window) spans no time, and alert rules that look back are
    /// refused by [`start`](Self::start).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::alert::{Rule, series};
    ///
    /// let full = Rule::new("QueueFull", series("queue.length").last().above(100.0));
    /// let busy = Rule::new("Busy", series("jobs").rate(Duration::from_secs(60)).above(1_000.0));
    ///
    /// let refused = bellwether::builder("shop").without_history().alert_rule(busy).start();
    /// assert!(refused.unwrap_err().to_string().contains("Busy"));
    /// let telemetry = bellwether::builder("shop").without_history().alert_rule(full).start()?;
    /// assert_eq!(telemetry.window(Duration::from_secs(60)).duration(), Duration::ZERO);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn without_history(self) -> Self {
        Self { history: None, ..self }
    }

    /// How often rules are evaluated and samples are kept; one second by default.
    pub fn tick(self, interval: Duration) -> Self {
        Self { tick: interval, ..self }
    }

    /// Gets what the crate has to say about itself, by kind and text; by default it is a line on
    /// stderr for each kind and minute. The hook serves the whole process, also after shutdown.
    pub fn on_diagnostic(self, hook: impl Fn(&str, &str) + Send + Sync + 'static) -> Self {
        diagnostics::set_hook(Some(Arc::new(hook)));
        self
    }

    /// Lets `start` fail if instruments that were used already clash, if `deny` is true; by default it
    /// does not, as one of them may be a dependency's.
    ///
    /// Of instruments with one name and another kind, unit, aggregation or set of label keys, or with
    /// names that are one on a Prometheus page, the first that is used is kept. Each other one records
    /// into nothing. It is told by a diagnostic of its own, with both places in the source, and what it
    /// would have recorded is counted in `telemetry.instruments.refused`, by its name and place.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Counter, Gauge};
    ///
    /// static ORDERS: Counter = Counter::new("shop.orders", "Orders accepted");
    /// static SAME_NAME: Gauge = Gauge::new("shop.orders", "Orders that are open");
    ///
    /// ORDERS.inc();
    /// SAME_NAME.set(3.0);
    /// let denied = bellwether::builder("shop").deny_conflicts(true).start();
    /// assert_eq!(denied.unwrap_err().kind(), bellwether::ErrorKind::Conflict);
    /// let telemetry = bellwether::builder("shop").start()?;
    /// let snapshot = telemetry.snapshot();
    /// let refused = snapshot.family("telemetry.instruments.refused").unwrap();
    /// assert_eq!(refused.series()[0].labels().get("instrument"), Some("shop.orders"));
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn deny_conflicts(self, deny: bool) -> Self {
        Self { deny_conflicts: deny, ..self }
    }

    /// Starts nothing if `disabled`: no thread, no listener, no rule, no span and no id, and no series
    /// of the crate's own. Metrics are still recorded and can be read, with the views and limits that
    /// the builder was given; a window spans no time. What callers send goes on as it came: the
    /// [`parent`](crate::trace::SpanBuilder::parent) of a span is what [`inject`](crate::inject) writes.
    ///
    /// The environment variable `OTEL_SDK_DISABLED=true` does the same, unless this says otherwise.
    /// Not started, and after shutdown, it is the same too. Only a snapshot that has callbacks to ask
    /// needs a thread, on which these run.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// let _telemetry = bellwether::builder("shop").disabled(true).start()?;
    /// let headers = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    /// let request = bellwether::span("GET /").parent(bellwether::extract(&headers)).enter();
    /// assert!(!request.is_recording());
    /// let mut outgoing: HashMap<String, String> = HashMap::new();
    /// bellwether::inject(&mut outgoing);
    /// assert_eq!(outgoing["traceparent"], headers[0].1);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn disabled(self, disabled: bool) -> Self {
        Self { disabled, ..self }
    }

    /// Adds something that serves until shutdown.
    pub(super) fn part(
        mut self,
        start: impl FnOnce(&Resource) -> Result<Box<dyn Part>, Error> + Send + 'static,
    ) -> Self {
        self.parts.push(Box::new(start));
        self
    }

    /// Starts everything.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](crate::ErrorKind::State) if telemetry is running already;
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if conflicts are
    /// [denied](Self::deny_conflicts) and there was one, with both places in the source;
    /// [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption) if a view has an option that is
    /// not legal; [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName) if the key of a
    /// [constant label](Self::constant_label) is not; the same if an alert rule is not legal, or looks
    /// back [where nothing is kept](Self::without_history); whatever a part answers that cannot start, a port in use for example. Nothing is
    /// left running then.
    pub fn start(mut self) -> Result<Telemetry, Error> {
        let slot = exit::slot()?;
        let registry = Registry::global().clone();
        check_refusals(&registry, self.deny_conflicts)?;
        let views = Views::new(std::mem::take(&mut self.views))?;
        let changes = std::mem::take(&mut self.registry).checked()?;
        if self.disabled {
            self = Self::new("").tick(self.tick).disabled(true);
        }
        let settings = alert::Settings { interval: self.tick, ..alert::Settings::default() };
        if self.history.is_none() {
            alert::refuse_looking_back(&self.rules)?;
        }
        let engine = Engine::new(std::mem::take(&mut self.rules), settings)?;
        let board = engine.board().clone();
        let parts = self.parts.into_iter().map(|start| start(&self.resource));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let spans = started(self.exporters)?;
        let notifications = started(self.notifiers)?;
        let pipes: Vec<Arc<dyn AnyPipe>> = any(&spans).chain(any(&notifications)).collect();
        let tracer = (!self.disabled).then(|| tracer_into(spans, self.limits, self.sampler));
        registry.change(changes);
        self.max_owning_threads.into_iter().for_each(cells::set_most_owners);
        if !views.is_empty() {
            registry.set_views(views);
        }
        // Disabled, nothing is asked that would need a thread.
        let observers = match &tracer {
            None => Vec::new(),
            Some(tracer) => own_series::register(&registry, &pipes, &board, tracer),
        };
        let history = self.history.filter(|_| tracer.is_some()).map(History::new);
        let running = Arc::new(Running {
            generation: process::generation(),
            history: Mutex::new(history),
            local_addrs: parts.iter().filter_map(|part| part.local_addr()).collect(),
            ending: Mutex::new(Ending { parts, observers, ..Ending::default() }),
            board,
            registry,
            pipes,
            tracer,
        });
        let telemetry = Telemetry { running };
        if !self.disabled {
            // Where a window of a young telemetry begins.
            telemetry.running.remember(&telemetry.running.registry.prepare());
        }
        // Before the first tick, whose callback may leave the process.
        slot.fill(&telemetry.running);
        if !self.disabled {
            let running = Arc::downgrade(&telemetry.running);
            let ticker = tick::start(running, engine, notifications, self.on_transition)?;
            telemetry.running.ending.lock().ticker = Some(ticker);
            telemetry.running.tracer.iter().for_each(install);
        }
        Ok(telemetry)
    }
}

/// What the past of all series takes by default: five minutes of ticks and an hour of ten seconds of
/// some thousand series that change all the time.
const HISTORY_BYTES: usize = 32 << 20;

/// Begins to set up telemetry for the service called `service`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{Counter, export::Memory};
///
/// static ORDERS: Counter = Counter::new("shop.orders", "Orders accepted");
///
/// let spans = Memory::new();
/// let telemetry = bellwether::builder("shop").exporter(spans.clone()).start()?;
///
/// {
///     let _scope = bellwether::span("checkout").enter();
///     ORDERS.inc();
/// }
/// let report = telemetry.flush(Duration::from_secs(5));
/// assert_eq!((report.totals().delivered, spans.records().len()), (1, 1));
/// # Ok::<(), bellwether::Error>(())
/// ```
pub fn builder(service: &str) -> Builder {
    Builder::new(service)
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("resource", &self.resource).finish_non_exhaustive()
    }
}

/// Where `registry` has refused statics, an error with all of the reasons if that is to be one; the
/// hook is told of them otherwise.
fn check_refusals(registry: &Registry, deny: bool) -> Result<(), Error> {
    if !deny {
        registry.tell_refusals();
        return Ok(());
    }
    let refusals = registry.refusals();
    let [(kind, first), rest @ ..] = refusals.as_slice() else { return Ok(()) };
    let more = rest.iter().map(|(_, refusal)| format!("; {refusal}"));
    Err(Error::new(*kind, first.clone() + &more.collect::<String>()))
}

/// Makes `tracer` that of the process.
fn install(tracer: &Arc<Tracer>) {
    let replaced = trace::install(tracer.clone());
    if exit::is_child() {
        std::mem::forget(replaced); // The parent's, with queues that nobody serves here.
    }
}

/// What OpenTelemetry takes for true in an environment variable.
fn is_disabled(value: Option<&str>) -> bool {
    value.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

fn started<T: Send + Sync + 'static>(starts: Vec<Start<T>>) -> Result<Vec<Pipe<T>>, Error> {
    // A pipe that was started before one that fails ends by itself when it is dropped.
    starts.into_iter().map(|start| start()).collect()
}

fn any<T: Send + Sync + 'static>(pipes: &[Pipe<T>]) -> impl Iterator<Item = Arc<dyn AnyPipe>> {
    pipes.iter().map(|pipe| Arc::new(pipe.clone()) as Arc<dyn AnyPipe>)
}

/// A tracer that hands its spans to `pipes`.
fn tracer_into(
    pipes: Vec<Pipe<SpanRecord>>,
    limits: SpanLimits,
    sampler: Option<Box<dyn Sampler>>,
) -> Arc<Tracer> {
    let generation = process::generation();
    let sink = move |batch: &mut Vec<SpanRecord>| {
        // In a forked child a queue's lock may be held by a thread that stayed behind.
        if generation == process::generation() {
            fan_out(&pipes, batch);
        }
    };
    let tracer = Tracer::builder(sink).limits(limits);
    match sampler {
        Some(sampler) => tracer.sampler(sampler),
        None => tracer,
    }
    .build()
}

/// Offers the same spans to every exporter; they are shared, not copied.
fn fan_out(pipes: &[Pipe<SpanRecord>], spans: &mut Vec<SpanRecord>) {
    if pipes.is_empty() {
        return;
    }
    let chunk: Chunk<SpanRecord> = std::mem::take(spans).into();
    pipes.iter().for_each(|pipe| pipe.push(chunk.clone()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_true_disables() {
        for (value, disabled) in
            [(None, false), (Some("true"), true), (Some(" TRUE "), true), (Some("1"), false)]
        {
            assert_eq!(is_disabled(value), disabled, "{value:?}");
        }
    }
}
