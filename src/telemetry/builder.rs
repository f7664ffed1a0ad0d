//! The options of telemetry.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use super::{keeping::Keeping, running::Part, span_options::SpanOptions, tick::OnTransition};
use crate::{
    alert::{Rule, Transition, notify::Notification},
    diagnostics::Hook,
    error::Error,
    export::{Backend, Routes},
    history,
    label::Value,
    log::{LogOptions, LogRecord},
    metric::{DataPoint, View},
    pipeline::{DeadLetters, Processor, Route},
    processor::Redact,
    resource::Resource,
    series::Changes,
    trace::{
        ErrorTexts, SpanLimits, SpanRecord,
        propagator::Propagators,
        sampler::{IntoSampler, Tail},
    },
};

pub(super) type Processors<S> = Vec<Box<dyn Processor<S>>>;
pub(super) type StartPart = Box<dyn FnOnce(&Resource) -> Result<Box<dyn Part>, Error> + Send>;

/// Configures telemetry: [`builder`](crate::builder) returns one, [`start`](Self::start) starts it.
///
/// Before `start` nothing is opened and no thread runs.
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    pub(super) resource: Resource,
    pub(super) detects_resource: bool,
    pub(super) routes: Routes,
    pub(super) kept: Keeping,
    pub(super) span_processors: Processors<SpanRecord>,
    pub(super) metric_processors: Processors<DataPoint>,
    pub(super) log_processors: Processors<LogRecord>,
    /// `None` if nothing is said of logs: they are then taken where a route is for them.
    pub(super) logs: Option<LogOptions>,
    pub(super) alert_attributes: Vec<Cow<'static, str>>,
    pub(super) external_url: Option<String>,
    pub(super) parts: Vec<StartPart>,
    pub(super) spans: SpanOptions,
    pub(super) propagators: Option<Propagators>,
    pub(super) views: Vec<View>,
    pub(super) registry: Changes,
    pub(super) max_owning_threads: Option<usize>,
    pub(super) rules: Vec<Rule>,
    pub(super) on_transition: Vec<OnTransition>,
    pub(super) on_diagnostic: Option<Hook>,
    pub(super) tick: Duration,
    /// In bytes; `None` without a history.
    pub(super) history: Option<usize>,
    pub(super) disabled: bool,
    pub(super) deny_conflicts: bool,
}

impl Builder {
    pub(super) fn new(service: &str) -> Self {
        Self {
            resource: Resource::begun(service),
            detects_resource: false,
            routes: Routes::default(),
            kept: Keeping::default(),
            span_processors: Vec::new(),
            metric_processors: Vec::new(),
            log_processors: Vec::new(),
            logs: None,
            alert_attributes: vec!["service.name".into()],
            external_url: None,
            parts: Vec::new(),
            spans: SpanOptions::default(),
            propagators: None,
            views: Vec::new(),
            registry: Changes::default(),
            max_owning_threads: None,
            rules: Vec::new(),
            on_transition: Vec::new(),
            on_diagnostic: None,
            tick: Duration::from_secs(1),
            history: Some(history::BUDGET_BYTES),
            deny_conflicts: false,
            disabled: is_disabled(std::env::var("OTEL_SDK_DISABLED").ok().as_deref()),
        }
    }

    /// Adds an attribute of the service, such as `deployment.environment.name`. It holds before what
    /// `OTEL_RESOURCE_ATTRIBUTES` says, and before what is [detected](Self::detect_resource).
    pub fn resource(self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        Self { resource: self.resource.with(key, value), ..self }
    }

    /// Adds what can be found out about the host, the process, its container, its pod and its cloud, without
    /// any network; [`Resource::detected`] has the table. It is looked up at [`start`](Self::start).
    ///
    /// Without this call too, the attributes in `OTEL_RESOURCE_ATTRIBUTES` (`key=value,key=value`,
    /// percent-encoded) are added. A list with an error, of more than 16,384 bytes or more than 128 attributes
    /// is left out as a whole, and reported to the [diagnostic hook](Self::on_diagnostic). What the code
    /// says holds before these, and these hold before what is detected.
    ///
    /// # Examples
    ///
    /// ```
    /// let telemetry = bellwether::builder("shop").detect_resource().start()?;
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn detect_resource(self) -> Self {
        Self { detects_resource: true, ..self }
    }

    /// Sends to `backend` the signals it takes: sampled spans, readings of metrics, log records. Each signal has
    /// its own [`Route`], with a queue and a thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::{
    ///     export::{Memory, Route},
    ///     metric::{DataPoint, Temporality},
    ///     trace::SpanRecord,
    /// };
    ///
    /// let (spans, metrics) = (Memory::<SpanRecord>::new(), Memory::<DataPoint>::new());
    /// let every_minute = Route::new(metrics.clone())
    ///     .interval(Duration::from_secs(60))
    ///     .temporality(Temporality::Delta);
    /// let telemetry =
    ///     bellwether::builder("shop").export(spans.clone()).export(every_minute).start()?;
    /// bellwether::span("checkout").enter().end();
    /// telemetry.shutdown(Duration::from_secs(5)); // Sends the last reading too.
    /// assert_eq!(spans.len(), 1);
    /// assert!(metrics.records().iter().any(|point| point.name() == "telemetry.queue.offered"));
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn export(mut self, backend: impl Backend) -> Self {
        backend.routes(&mut self.routes);
        self
    }

    /// Keeps what goes over a network in folders below `folder` until it is delivered, in at most `max_bytes`
    /// for each route: spans, log records and readings of metrics, over an outage, a crash and a restart.
    /// The folder of a route is called by its signal and its name: `spans-otlp`. Where two backends are of one
    /// kind, [name](Route::named) their routes: the second is `otlp-2` otherwise, whichever that is in the next
    /// version of your program, and would get what the other had left.
    /// A route that has a [folder of its own](Route::spool) keeps that. Notifications of alerts are not
    /// kept: after a restart the rules are evaluated anew.
    ///
    /// What is promised, and when, is said at [`Route::spool`]; [`Telemetry::persist`](crate::Telemetry::persist)
    /// waits for it.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// let telemetry = bellwether::builder("shop").spool("/var/spool/shop", 64 << 20).start()?;
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    #[cfg(all(feature = "spool", unix))]
    #[cfg_attr(docsrs, doc(cfg(feature = "spool")))]
    pub fn spool(mut self, folder: impl Into<std::path::PathBuf>, max_bytes: u64) -> Self {
        self.kept.spool = Some(crate::pipeline::SpoolFolder::new(folder).max_bytes(max_bytes));
        self
    }

    /// Writes what backends refuse for good to a file, besides counting it: for each route that encodes and
    /// sends, unless it has a [file of its own](Route::dead_letters). [`DeadLetters`] says what is in it.
    pub fn dead_letters(mut self, file: impl Into<DeadLetters>) -> Self {
        self.kept.dead_letters = Some(file.into());
        self
    }

    /// Adds a processor that changes or removes sampled spans before any route gets them. Processors
    /// run in the order in which they were added. Removed spans are counted in
    /// `telemetry.processor.dropped`.
    pub fn span_processor(mut self, processor: impl Processor<SpanRecord>) -> Self {
        self.span_processors.push(Box::new(processor));
        self
    }

    /// Adds a processor that changes or removes the data points of each reading before a route gets
    /// them. Processors run in the order in which they were added. Removed data points are counted in
    /// `telemetry.processor.dropped`. Each route has its own readings, so with two routes a processor runs
    /// twice. A Prometheus page is not a route: it shows what is recorded, through the
    /// [views](Self::view).
    pub fn metric_processor(mut self, processor: impl Processor<DataPoint>) -> Self {
        self.metric_processors.push(Box::new(processor));
        self
    }

    /// Adds a processor that changes or removes log records before any route gets them. Processors run in
    /// the order in which they were added. Removed records are counted in `telemetry.processor.dropped`.
    pub fn log_processor(mut self, processor: impl Processor<LogRecord>) -> Self {
        self.log_processors.push(Box::new(processor));
        self
    }

    /// Drops, masks, hashes or renames attributes by their keys, in spans, log records and data points, before
    /// any route gets them: what is taken away reaches neither a queue nor a spool. It is a processor of
    /// each of the three signals, and runs in the order in which processors were added. [`Redact`] says what
    /// it reaches, and what not.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::processor::Redact;
    ///
    /// let redact = Redact::new().drop("*password*").mask("user.email").hash("user.id");
    /// let telemetry = bellwether::builder("shop").redact(redact).start()?;
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn redact(self, redact: Redact) -> Self {
        self.span_processor(redact.clone()).log_processor(redact.clone()).metric_processor(redact)
    }

    /// Sets which log records are kept, and how many; by default what `RUST_LOG` says, or `info`.
    ///
    /// Logs are recorded if a backend takes them. With this call they are also recorded if none does, for
    /// their figures alone: `log.records` counts them by level and target, `log.errors` counts errors by
    /// target and place in the source, and `log.error.sites` counts the places that had errors, so that an
    /// alert can fire at a message that was never seen before.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{error, log::LogOptions};
    /// use std::time::Duration;
    ///
    /// let logs = LogOptions::new().filter("warn".parse()?);
    /// let telemetry = bellwether::builder("shop").logs(logs).start()?;
    /// for _ in 0..3 {
    ///     error!(target: "shop::pay", "the card reader is gone");
    /// }
    /// telemetry.flush(Duration::from_secs(5));
    /// let labels = [("level", "error"), ("target", "shop::pay")];
    /// assert_eq!(telemetry.snapshot().value("log.records", &labels).unwrap().as_f64(), 3.0);
    /// assert_eq!(telemetry.snapshot().value("log.error.sites", &[]).unwrap().as_f64(), 1.0);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn logs(self, logs: LogOptions) -> Self {
        Self { logs: Some(logs), ..self }
    }

    /// Makes a wide event of each unit of work, as one log record: when a local root has ended (a span without
    /// a parent in this process), its name, attributes, kind, `outcome` and `duration_ms`, and for the spans
    /// below it by name `NAME.count`, `NAME.duration_ms` (their sum) and, if any failed, `NAME.errors`. People
    /// call them canonical log lines: one row for each request, with all that is to be known of it.
    ///
    /// Its target is `wide_event`, its level `ERROR` if the root failed and `INFO` else, whatever the filter
    /// of logs says; its ids are those of the root. It is made of spans that were recorded, also if they are
    /// not sampled, after the span processors and the tail sampler. It comes within two seconds, or with a
    /// flush. Of a trace, 8,192 spans and 64 names are told apart; other names are `_OTHER`. Spans that end
    /// after their local root are in no event; `telemetry.wide_events.left_out` counts them. It needs a
    /// backend that takes logs.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::{export::Memory, log::LogRecord, span};
    ///
    /// let logs = Memory::<LogRecord>::new();
    /// let telemetry = bellwether::builder("shop").wide_events().export(logs.clone()).start()?;
    /// let request = span("GET /cart").enter();
    /// request.set_attribute("cart", 7);
    /// (0..3).for_each(|_| span("db.query").enter().end());
    /// request.end();
    /// telemetry.flush(Duration::from_secs(5));
    /// let event = &logs.records()[0];
    /// let attribute = |key| &event.attributes().iter().find(|of| of.key == key).unwrap().value;
    /// assert_eq!(event.body(), &"GET /cart".into());
    /// assert_eq!((attribute("cart"), attribute("db.query.count")), (&7.into(), &3.into()));
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn wide_events(mut self) -> Self {
        self.spans.makes_wide_events = true;
        self
    }

    /// Decides which traces are sampled: a [`Sampler`](crate::trace::sampler::Sampler), or a number, the probability with which each is.
    /// [`sampler`](crate::trace::sampler) has the samplers to choose from.
    ///
    /// It is asked where a trace begins. Spans with a parent are decided as that was, also if it is a
    /// caller's; an [`EverySpan`](crate::trace::sampler::EverySpan) around the sampler asks it about each
    /// span.
    ///
    /// Without this call `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` decide, and without these every
    /// trace is sampled. A variable that names no sampler is reported to the
    /// [diagnostic hook](Self::on_diagnostic), and the default holds.
    /// [`Telemetry::set_sampler`](crate::Telemetry::set_sampler) puts another one in place later.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::trace::sampler::{Adaptive, rules};
    ///
    /// let sampler = rules().route("/health", 0.0).otherwise(Adaptive::per_second(20));
    /// let telemetry = bellwether::builder("shop").sampler(sampler).start()?;
    /// assert!(!bellwether::span("GET /health").enter().is_recording());
    /// assert!(bellwether::span("GET /orders").enter().is_recording());
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn sampler(mut self, sampler: impl IntoSampler) -> Self {
        self.spans.sampler = Some(sampler.into_sampler());
        self
    }

    /// Samples at most `traces` a second in the long run because callers sample them, and as many, or one, at
    /// once. Beyond that a caller's trace goes on, and is not sampled. By default there is no limit: a caller
    /// that has all its traces sampled has them sampled here too.
    ///
    /// It stays in force when another sampler is [put in place](crate::Telemetry::set_sampler). While the
    /// limit is near, the trace state of such a trace does not say with what probability it was sampled. See
    /// [`untrusted_callers`](Self::untrusted_callers) for callers that may be anybody.
    ///
    /// # Examples
    ///
    /// ```
    /// let telemetry = bellwether::builder("shop").remote_sampled_per_second(2).start()?;
    /// let headers = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    /// let serve = || bellwether::span("serve").parent(bellwether::extract(&headers)).enter();
    /// assert_eq!((0..5).filter(|_| serve().is_recording()).count(), 2);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn remote_sampled_per_second(mut self, traces: impl Into<f64>) -> Self {
        self.spans.remote_sampled = Some(traces.into());
        self
    }

    /// Continues no caller's trace: for a service that anybody may call. A span whose parent is of another
    /// process begins a trace of its own, about which the sampler is asked as about any other. The caller's
    /// baggage is left out. If the span is recorded, it has a link to the caller's, with the attribute
    /// `caller.untrusted`, and without the caller's trace state.
    ///
    /// It is for all callers of the process. For some of them,
    /// [`SpanBuilder::root`](crate::trace::SpanBuilder::root) and a link do the same. Where no span is
    /// recorded (disabled, shut down, a muted thread), what a caller sent is passed on as ever.
    ///
    /// # Examples
    ///
    /// ```
    /// let telemetry = bellwether::builder("shop").untrusted_callers().start()?;
    /// let headers = [
    ///     ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ///     ("baggage", "tenant=acme"),
    /// ];
    /// let caller = bellwether::extract(&headers);
    /// let request = bellwether::span("GET /").parent(caller.clone()).enter();
    /// assert_ne!(request.context().trace_id(), caller.trace_id());
    /// assert!(request.context().baggage().is_empty());
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn untrusted_callers(mut self) -> Self {
        self.spans.distrusts_callers = true;
        self
    }

    /// Decides what is exported when traces have ended in this process: keeps errors, slow ones and samples
    /// of all others. By default every span is exported that was sampled at its start.
    ///
    /// Exemplars lead only to traces that are kept. See [`Tail`] for what it means across services, and
    /// for its bounds.
    pub fn tail_sampler(mut self, tail: Tail) -> Self {
        self.spans.tail = Some(tail);
        self
    }

    /// Exports spans that are open, too, as they stand: at each [`flush`](crate::Telemetry::flush), at
    /// shutdown and at the end of the process. By default a span is exported when it has ended, so that one
    /// that never ends is only counted (`telemetry.spans.open`,
    /// [`Report::open_spans`](crate::pipeline::Report::open_spans)).
    ///
    /// The record has all that was set so far, and ends at that moment. It has the attribute
    /// `bellwether.span.open`, for which OpenTelemetry has no word, and
    /// [`SpanRecord::is_open`](crate::trace::SpanRecord::is_open) tells processors. It is offered and
    /// counted as any other. When the span ends, a second record with the same ids comes: backends show the
    /// later one, or both. Only sampled spans are exported. With a [tail sampler](Self::tail_sampler) a
    /// flush exports those whose traces are kept already: others are not decided about before their local
    /// root has ended. At shutdown it decides about all traces as they stand, open spans among them.
    ///
    /// A flush on a muted thread, such as an exporter's, exports no open spans.
    ///
    /// So that others than its owner can read it, each recorded span is kept in a table behind locks while
    /// it is open. A span then costs some 150 ns more, and each change some 40 ns (`cargo run --release
    /// --example span_cost` shows both kinds). Spans that are open for longer than an hour are reported, as
    /// [`report_open_spans`](Self::report_open_spans) does it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::{export::Memory, trace::SpanRecord};
    ///
    /// let spans = Memory::<SpanRecord>::new();
    /// let telemetry = bellwether::builder("shop").export(spans.clone()).export_open_spans().start()?;
    /// let import = bellwether::span("import").enter();
    /// import.set_attribute("rows", 20_000);
    /// let report = telemetry.flush(Duration::from_secs(5));
    /// assert_eq!((report.open_spans, report.totals().delivered), (1, 1));
    /// assert!(spans.records()[0].is_open());
    /// import.end();
    /// telemetry.flush(Duration::from_secs(5));
    /// assert!(!spans.records()[1].is_open());
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn export_open_spans(mut self) -> Self {
        self.spans.open.are_exported = true;
        self
    }

    /// Reports spans that have been open for longer than `age` to the
    /// [diagnostic hook](Self::on_diagnostic): how many, the three names with most of them, and since when
    /// the oldest is open. Use it to find guards that are leaked, and futures and tasks that never end. The
    /// next report comes when twice as many are overdue.
    ///
    /// Each recorded span is then watched, which costs what [`export_open_spans`](Self::export_open_spans)
    /// says. Without any of this, [`export_open_spans`](Self::export_open_spans) and
    /// [`give_up_open_spans`](Self::give_up_open_spans), spans are watched only while more than 16,384 are
    /// open: one in 64 of those that start then. Such a span is reported when it has been open for longer
    /// than a minute.
    pub fn report_open_spans(mut self, age: Duration) -> Self {
        self.spans.open.overdue = Some(age);
        self
    }

    /// Gives up spans that have been open for longer than `age`, so that what is leaked is not held for ever:
    /// they are exported as they stand, with the mark of [`export_open_spans`](Self::export_open_spans), if
    /// they are sampled, and what they hold is freed. They count as ended, and leave room for others: at
    /// most about 262,144 spans may be open.
    ///
    /// They are reported first, as [`report_open_spans`](Self::report_open_spans) does it: the next report
    /// comes when twice as many are overdue, with those that were given up meanwhile. If a span that was
    /// given up ends after all, it is not exported again, and what was set on it since is lost: choose an
    /// age that no honest span reaches. It costs what `export_open_spans` says. By default no span is given up.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let day = Duration::from_secs(24 * 60 * 60);
    /// let telemetry = bellwether::builder("shop").give_up_open_spans(day).start()?;
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn give_up_open_spans(mut self, age: Duration) -> Self {
        self.spans.open.given_up = Some(age);
        self
    }

    /// Reads and writes trace headers in these formats, from [`start`](Self::start) on, also where telemetry
    /// is disabled and after shutdown. By default, and with each start that names none, they are those of
    /// the environment variable `OTEL_PROPAGATORS` ([`Propagators::from_env`]), or W3C's:
    /// [`Propagators::default`].
    pub fn propagators(self, propagators: Propagators) -> Self {
        Self { propagators: Some(propagators), ..self }
    }

    /// Lets every span take the entry `key` of its [baggage](crate::context::Baggage) as an attribute. No
    /// entry is taken otherwise: who sends requests chooses what is in it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::{export::Memory, trace::SpanRecord};
    ///
    /// let spans = Memory::<SpanRecord>::new();
    /// let telemetry = bellwether::builder("shop").baggage_attribute("tenant").export(spans.clone());
    /// let telemetry = telemetry.start()?;
    /// let caller = bellwether::extract(&[("baggage", "tenant=acme,other=1")]);
    /// bellwether::span("GET /").parent(caller).enter().end();
    /// telemetry.shutdown(Duration::from_secs(5));
    /// let attributes = spans.records()[0].attributes().to_vec();
    /// assert_eq!(attributes, [bellwether::label::KeyValue::new("tenant", "acme")]);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn baggage_attribute(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.spans.baggage_attributes.push(key.into());
        self
    }

    /// Limits the attributes, events and links of a span, and the length of their texts. By default the
    /// limits are those of the environment at `start`, as [`SpanLimits::from_env`] reads them. What is
    /// beyond is counted in the span and in `telemetry.spans.truncated`.
    pub fn span_limits(mut self, limits: SpanLimits) -> Self {
        self.spans.limits = Some(limits);
        self
    }

    /// Gives `hook` each text of an error that a span records, and keeps what it returns: the
    /// description of the status, the message of the event, and each cause. Use it to remove secrets,
    /// or to cut texts. There is one hook; a later one replaces it.
    ///
    /// The hook runs on the thread that records the error. It may use spans; errors of its own are
    /// recorded without a text. It sees up to twice as many bytes as
    /// [`SpanLimits::text_chars`] keeps, so that what it looks for is rarely cut in half. If it panics,
    /// the text is left out, and a diagnostic reports it once.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use bellwether::{export::Memory, trace::{self, SpanRecord, Status}};
    ///
    /// let spans = Memory::<SpanRecord>::new();
    /// let telemetry = bellwether::builder("shop")
    ///     .export(spans.clone())
    ///     .redact_errors(|text| match text.split_once("password=") {
    ///         Some((before, _)) => format!("{before}password=***").into(),
    ///         None => Cow::Borrowed(text),
    ///     })
    ///     .start()?;
    /// {
    ///     let _span = bellwether::span("connect").enter();
    ///     trace::record_error("no server at db:5432?password=hunter2");
    /// }
    /// telemetry.flush(std::time::Duration::from_secs(5));
    /// let description = "no server at db:5432?password=***";
    /// assert_eq!(spans.records()[0].status(), &Status::Error(description.into()));
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn redact_errors(
        mut self,
        hook: impl Fn(&str) -> Cow<'_, str> + Send + Sync + 'static,
    ) -> Self {
        self.spans.error_texts = self.spans.error_texts.redacted(Box::new(hook));
        self
    }

    /// Keeps no texts of errors, whatever [`redact_errors`](Self::redact_errors) says: a span that
    /// failed has the outcome, a status without a description, and `error.type`. No error is formatted.
    pub fn without_error_texts(mut self) -> Self {
        self.spans.error_texts = ErrorTexts::Off;
        self
    }

    /// Adds a view of the process's instruments: it changes names, labels, buckets or limits. The
    /// views become the [`Views`](crate::metric::Views) of the global registry at `start`, and stay
    /// after shutdown. Without a view the registry keeps the ones it has.
    pub fn view(mut self, view: View) -> Self {
        self.views.push(view);
        self
    }

    /// Adds a label to every series of the process. If a series has a label with the same key, the
    /// label of the series wins; if a key is added twice, the later value wins. Spans do not get the
    /// label: use [`resource`](Self::resource) for attributes of both.
    ///
    /// The labels become those of the [global registry](crate::metric::Registry::global) at `start`,
    /// and stay after shutdown. Series that were recorded before get them too. Without a label the
    /// registry keeps the ones it has. A look-up of a series, such as
    /// [`Snapshot::value`](crate::metric::Snapshot::value), must name them. For a
    /// [reader](crate::metric::Reader) of differences that has already collected, a series with other
    /// labels is a new series.
    ///
    /// [`start`](Self::start) returns an error if a key is illegal.
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

    /// Limits each instrument of the process to `limit` label sets besides the overflow series; 2,000
    /// by default. A limit of the instrument or of a view takes precedence. Closed label sets are not
    /// limited.
    ///
    /// The limit becomes that of the [global registry](crate::metric::Registry::global) at `start`,
    /// also for instruments in use, and stays after shutdown. A lower limit keeps the existing series,
    /// and sends new label sets to the overflow series. A higher limit gives new label sets their own
    /// series at once. A handle that was bound to the overflow series stays there.
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

    /// Limits the memory of series to about `bytes`; 64 MiB by default. This counts the series of all
    /// instruments of the process that are not closed, and the cells of all series.
    ///
    /// The cells that threads own take at most half of it; beyond that, a thread records into cells
    /// that threads share. Beyond the whole budget, new label sets go to the overflow series, and
    /// existing series continue.
    ///
    /// As [`series_limit`](Self::series_limit), it applies from `start` on, also after shutdown, and
    /// counts existing series.
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

    /// How long a reader of the series, such as the tick or a scrape, waits for one callback and for
    /// one [source](Self::source); half a second by default. A slower one delays a reader once. From
    /// then on it is read in the background, and its values are those of its last reading. See
    /// [`InstrumentBuilder::observe`](crate::metric::InstrumentBuilder::observe).
    ///
    /// If a scrape sends its own timeout (`X-Prometheus-Scrape-Timeout-Seconds`), the page is returned
    /// within that time, whatever the patience is. As [`series_limit`](Self::series_limit), it applies
    /// from `start` on, also after shutdown.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::{Unit, metric::Registry};
    ///
    /// // Asks a machine that takes its time.
    /// let ask = |to: &mut bellwether::metric::Observations| {
    ///     std::thread::sleep(Duration::from_millis(20));
    ///     to.observe(21.5, &[]);
    /// };
    /// let name = "room.temperature";
    /// let _observer = Registry::global().gauge(name, "").unit(Unit::new("Cel")).observe(ask)?;
    /// let patience = Duration::from_secs(5);
    /// let telemetry = bellwether::builder("shop").callback_patience(patience).start()?;
    /// assert_eq!(telemetry.snapshot().value(name, &[]).unwrap().as_f64(), 21.5);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn callback_patience(mut self, patience: Duration) -> Self {
        self.registry.patience = Some(patience);
        self
    }

    /// Limits how many threads own a table of cells to `n`. The default is twice the number of cores,
    /// at least 8 and at most 32.
    ///
    /// A thread with its own table records without a shared cache line. A further thread adds to a few
    /// tables that threads share, which costs some nanoseconds more. It takes over the table of a
    /// thread that has ended. Records in shared tables are counted in `telemetry.records.shared`. The
    /// work of a reader and the memory of series grow with `n`, not with the number of threads.
    ///
    /// It applies to the process from `start` on, also after shutdown. A thread that owns a table
    /// keeps it until it ends. Zero counts as one.
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

    /// Sends alerts that fire or are resolved to a notifier, through a queue and on a thread of its
    /// own. A notifier is a [`Webhook`], a [`Writer`], or a [`Route`] with settings or to an exporter
    /// of your own. A full queue drops its oldest notifications, because the newest have the current
    /// state.
    ///
    /// A sent alert has the label `service_name` besides its own labels, and those of
    /// [`alert_resource_label`](Self::alert_resource_label).
    ///
    /// [`Webhook`]: crate::alert::notify
    /// [`Writer`]: crate::alert::notify::Writer
    pub fn notify(mut self, notifier: impl Into<Route<Notification>>) -> Self {
        self.routes.add(notifier.into());
        self
    }

    /// Adds the resource's attribute `key` to the labels of sent alerts, unless an alert already has
    /// that label. Prometheus adds its external labels like this. The label's name is that on a
    /// Prometheus page: `deployment.environment.name` becomes `deployment_environment_name`.
    ///
    /// `service.name` is added without a call. If the resource does not have the attribute, a
    /// diagnostic reports it at [`start`](Self::start), and alerts do not get the label. Do not use an
    /// attribute that changes at each start, such as an instance id: a receiver then takes the alerts
    /// of each start for new ones.
    pub fn alert_resource_label(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.alert_attributes.push(key.into());
        self
    }

    /// Sets the URL of an interface like that of Prometheus, in which alerts can be looked up. The
    /// `generatorURL` of sent alerts is then `URL/graph?g0.expr=ALERTS{alertname="NAME"}`. Without it,
    /// the `generatorURL` is the page of the Prometheus listener, if there is one. A listener on all
    /// addresses is named by the host name.
    pub fn external_url(mut self, url: impl Into<String>) -> Self {
        self.external_url = Some(url.into());
        self
    }

    /// Calls `call` at every change of an alert's state, on the ticker's thread: it should be quick. A
    /// panic in it is reported and has no other effect. The notifications of the change are queued
    /// before, so they are delivered even if `call` leaves the process.
    pub fn on_transition(mut self, call: impl Fn(&Transition) + Send + 'static) -> Self {
        self.on_transition.push(Box::new(call));
        self
    }

    /// Limits the memory for the past of all series to about `bytes`; 32 MiB by default.
    /// [Windows](crate::Telemetry::window) and alert rules read this past. Nothing is allocated before
    /// there is something to keep. `telemetry.history.size` is the memory in use.
    ///
    /// A sample of a counter takes about a byte, and none if it equals the sample before. Series that
    /// a rule selects are kept for as long as the rule looks back. If the rule reads the values of
    /// histograms, all their buckets are kept at each tick. Over the budget the oldest ticks are given
    /// up first, down to the last minute of them; then the oldest of the samples that are kept every ten
    /// seconds or every minute. Windows get shorter, as their duration says, and for a rule
    /// [`RuleStatus::shortened`](crate::alert::RuleStatus::shortened) is set.
    ///
    /// If a single tick of all series exceeds the budget, only the instruments that rules select are
    /// kept. A diagnostic reports it, and windows span no time. If even these instruments exceed the
    /// budget, all rules are in error.
    pub fn history_budget(self, bytes: usize) -> Self {
        Self { history: Some(bytes), ..self }
    }

    /// Keeps no past: a [window](crate::Telemetry::window) spans no time, and [`start`](Self::start)
    /// returns an error for alert rules that look back. Rules on present values work.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let telemetry = bellwether::builder("shop").without_history().start()?;
    /// assert_eq!(telemetry.window(Duration::from_secs(60)).duration(), Duration::ZERO);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn without_history(self) -> Self {
        Self { history: None, ..self }
    }

    /// Sets how often rules are evaluated and samples are kept; one second by default.
    pub fn tick(self, interval: Duration) -> Self {
        Self { tick: interval, ..self }
    }

    /// Sets a hook for the crate's own diagnostics, called with kind and text, from `start` on. By
    /// default they go to stderr, one line for each kind and minute. The hook serves the whole
    /// process, also after shutdown, until another start sets another.
    pub fn on_diagnostic(self, hook: impl Fn(&str, &str) + Send + Sync + 'static) -> Self {
        Self { on_diagnostic: Some(Arc::new(hook)), ..self }
    }

    /// Makes `start` fail if instruments that are already in use conflict. By default it does not
    /// fail, because one of them may belong to a dependency.
    ///
    /// Two instruments conflict if they have one name and another kind, unit, aggregation or set of
    /// label keys, or if their names are the same on a Prometheus page. The one that is used first is
    /// kept, and each other one records into nothing. A diagnostic reports the conflict with both
    /// places in the source. Refused records are counted in `telemetry.instruments.refused`, by name
    /// and place of the instrument.
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
    /// let denied = bellwether::builder("shop").deny_conflicts().start();
    /// assert_eq!(denied.unwrap_err().kind(), bellwether::ErrorKind::Conflict);
    /// let telemetry = bellwether::builder("shop").start()?;
    /// let snapshot = telemetry.snapshot();
    /// let refused = snapshot.family("telemetry.instruments.refused").unwrap();
    /// assert_eq!(refused.series()[0].labels().get("instrument"), Some("shop.orders"));
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn deny_conflicts(self) -> Self {
        Self { deny_conflicts: true, ..self }
    }

    /// Starts nothing: no thread, no listener, no rule, no spans and no ids, and no series of the
    /// crate's own. Metrics are still recorded and can be read, with the builder's views and limits. A
    /// window spans no time. A caller's context is passed on unchanged: [`inject`](crate::inject)
    /// writes the [`parent`](crate::trace::SpanBuilder::parent) of a span.
    ///
    /// The environment variable `OTEL_SDK_DISABLED=true` has the same effect, unless
    /// [`enabled`](Self::enabled) is called. So has telemetry that was not started, or was shut down.
    /// Only a snapshot with callbacks to run needs a thread, for these.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// let _telemetry = bellwether::builder("shop").disabled().start()?;
    /// let headers = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    /// let request = bellwether::span("GET /").parent(bellwether::extract(&headers)).enter();
    /// assert!(!request.is_recording());
    /// let mut outgoing: HashMap<String, String> = HashMap::new();
    /// bellwether::inject(&mut outgoing);
    /// assert_eq!(outgoing["traceparent"], headers[0].1);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn disabled(self) -> Self {
        Self { disabled: true, ..self }
    }

    /// Starts everything, regardless of the environment variable `OTEL_SDK_DISABLED` and of an earlier
    /// [`disabled`](Self::disabled).
    pub fn enabled(self) -> Self {
        Self { disabled: false, ..self }
    }

    /// Adds a part that serves until shutdown.
    pub(super) fn part(
        mut self,
        start: impl FnOnce(&Resource) -> Result<Box<dyn Part>, Error> + Send + 'static,
    ) -> Self {
        self.parts.push(Box::new(start));
        self
    }
}

/// Returns a builder of telemetry for the service called `service`.
///
/// If `service` is empty, the environment names it: `OTEL_SERVICE_NAME`, or `service.name` in
/// `OTEL_RESOURCE_ATTRIBUTES`, or the platform if the resource is
/// [detected](Builder::detect_resource); otherwise it is `unknown_service:` and the name of the executable.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{Counter, export::Memory, trace::SpanRecord};
///
/// static ORDERS: Counter = Counter::new("shop.orders", "Orders accepted");
///
/// let spans = Memory::<SpanRecord>::new();
/// let telemetry = bellwether::builder("shop").export(spans.clone()).start()?;
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

/// Whether OpenTelemetry takes this value of an environment variable for true.
fn is_disabled(value: Option<&str>) -> bool {
    value.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
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
