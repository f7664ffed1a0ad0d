//! What to set up: every option of a telemetry.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use super::{running::Part, tick::OnTransition};
use crate::{
    alert::{Rule, Transition, notify::Notification},
    diagnostics::Hook,
    error::Error,
    export::{Backend, Routes},
    history,
    label::Value,
    metric::{DataPoint, View},
    pipeline::{Processor, Route},
    resource::Resource,
    series::Changes,
    trace::{SpanLimits, SpanRecord, sampler::Sampler},
};

pub(super) type Processors<S> = Vec<Box<dyn Processor<S>>>;
type StartPart = Box<dyn FnOnce(&Resource) -> Result<Box<dyn Part>, Error> + Send>;

/// What telemetry consists of: made by [`builder`](crate::builder), ended by [`start`](Self::start).
///
/// Nothing is opened and no thread runs before `start`.
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    pub(super) resource: Resource,
    pub(super) routes: Routes,
    pub(super) span_processors: Processors<SpanRecord>,
    pub(super) metric_processors: Processors<DataPoint>,
    pub(super) alert_attributes: Vec<Cow<'static, str>>,
    pub(super) external_url: Option<String>,
    pub(super) parts: Vec<StartPart>,
    pub(super) sampler: Option<Box<dyn Sampler>>,
    pub(super) limits: SpanLimits,
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
            resource: Resource::service(service),
            routes: Routes::default(),
            span_processors: Vec::new(),
            metric_processors: Vec::new(),
            alert_attributes: vec!["service.name".into()],
            external_url: None,
            parts: Vec::new(),
            sampler: None,
            limits: SpanLimits::default(),
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

    /// Adds an attribute of the service, such as `deployment.environment.name`.
    pub fn resource(self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        Self { resource: self.resource.with(key, value), ..self }
    }

    /// Sends to `backend` what it takes: sampled spans, readings of metrics. Each signal goes by a
    /// [`Route`] of its own, with a queue and a thread.
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

    /// Lets `processor` change or remove sampled spans before any route gets them, after those that
    /// were added before. What it removes is counted in `telemetry.processor.dropped`.
    pub fn span_processor(mut self, processor: impl Processor<SpanRecord>) -> Self {
        self.span_processors.push(Box::new(processor));
        self
    }

    /// Lets `processor` change or remove the data points of each reading before a route gets them,
    /// after those that were added before. What it removes is counted in `telemetry.processor.dropped`.
    /// A Prometheus page is no route: it shows what is recorded, by the [views](Self::view).
    pub fn metric_processor(mut self, processor: impl Processor<DataPoint>) -> Self {
        self.metric_processors.push(Box::new(processor));
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
    /// list of [`Views`](crate::metric::Views) is that of the global registry from `start` on, also after shutdown; without
    /// a view the registry keeps those that it has.
    pub fn view(mut self, view: View) -> Self {
        self.views.push(view);
        self
    }

    /// Puts a label on every series of the process; one of the series' own with the same key wins, and
    /// of two with one key the later. Spans do not get it: [`resource`](Self::resource) says what
    /// holds for these too.
    ///
    /// The labels are those of the [global registry](crate::metric::Registry::global) from `start` on, also after
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
    /// It is the limit of the [global registry](crate::metric::Registry::global) from `start` on, also after shutdown
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
    /// [`InstrumentBuilder::observe`](crate::metric::InstrumentBuilder::observe).
    ///
    /// Where a scrape tells how long it has itself (`X-Prometheus-Scrape-Timeout-Seconds`), the page
    /// is answered within that time, whatever the patience. As [`series_limit`](Self::series_limit),
    /// it holds from `start` on, also after shutdown.
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

    /// Tells a notifier about alerts that fire and are resolved, through a queue and on a thread of its
    /// own: a [`Webhook`], a [`Writer`], or a [`Route`] with settings or to an exporter of your own. A full
    /// queue drops its oldest notifications: the newest tell how things stand.
    ///
    /// An alert that is sent has the label `service_name` beside its own, and more if
    /// [`alert_resource_label`](Self::alert_resource_label) says so.
    ///
    /// [`Webhook`]: crate::alert::notify
    /// [`Writer`]: crate::alert::notify::Writer
    pub fn notify(mut self, notifier: impl Into<Route<Notification>>) -> Self {
        self.routes.add(notifier.into());
        self
    }

    /// Adds the resource's attribute `key` to the labels of the alerts that are sent, as Prometheus adds
    /// its external labels: where an alert has no such label of its own. The label's name is that of a
    /// Prometheus page: `deployment.environment.name` becomes `deployment_environment_name`.
    ///
    /// `service.name` is there without a call. Of an attribute that the resource has not, a diagnostic tells
    /// at [`start`](Self::start), and alerts have no such label. An attribute that changes at each start, as the id of an
    /// instance, makes each start's alerts new ones for whoever receives them.
    pub fn alert_resource_label(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.alert_attributes.push(key.into());
        self
    }

    /// Where alerts can be looked up, as in the interface of Prometheus: the `generatorURL` of alerts that
    /// are sent is `URL/graph?g0.expr=ALERTS{alertname="NAME"}`. Without it, it is the address of the
    /// Prometheus listener, if there is one.
    pub fn external_url(mut self, url: impl Into<String>) -> Self {
        self.external_url = Some(url.into());
        self
    }

    /// Calls `call` at every change of an alert's state, on the ticker's thread: it should be quick. A
    /// panic in it is reported and changes nothing. Notifications of the change are queued before: they
    /// are delivered even if `call` leaves the process.
    pub fn on_transition(mut self, call: impl Fn(&Transition) + Send + 'static) -> Self {
        self.on_transition.push(Box::new(call));
        self
    }

    /// At most about `bytes` for the past of all series, which [windows](crate::Telemetry::window) and alert
    /// rules look back on; 32 MiB by default. It is a cap: nothing is allocated before there is something
    /// to keep. `telemetry.history.size` is what is used.
    ///
    /// A sample of a counter takes about a byte, one that is the same as the last none. What a rule
    /// selects is kept for as long as the rule looks back, with all buckets at each tick where it asks for
    /// the values of histograms. Over the budget the oldest ticks go first, then the oldest of the samples
    /// that are kept every ten seconds: windows get shorter and say so, and
    /// [`RuleStatus::shortened`](crate::alert::RuleStatus::shortened) says it of a rule.
    ///
    /// If a single tick of all series is more than the budget, only the instruments that rules select are
    /// kept, a diagnostic tells of it, and windows span no time. If even these are more, all rules are in
    /// error.
    pub fn history_budget(self, bytes: usize) -> Self {
        Self { history: Some(bytes), ..self }
    }

    /// Keeps no past: a [window](crate::Telemetry::window) spans no time, and alert rules that look back are
    /// refused by [`start`](Self::start). Rules of present values work.
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

    /// How often rules are evaluated and samples are kept; one second by default.
    pub fn tick(self, interval: Duration) -> Self {
        Self { tick: interval, ..self }
    }

    /// Gets what the crate has to say about itself, by kind and text, from `start` on; by default it is
    /// a line on stderr for each kind and minute. The hook serves the whole process, also after
    /// shutdown, until another start sets another.
    pub fn on_diagnostic(self, hook: impl Fn(&str, &str) + Send + Sync + 'static) -> Self {
        Self { on_diagnostic: Some(Arc::new(hook)), ..self }
    }

    /// Lets `start` fail if instruments that were used already clash; by default it does not, as one of
    /// them may be a dependency's.
    ///
    /// Of instruments with one name and another kind, unit, aggregation or set of label keys, or with
    /// names that are one on a Prometheus page, the first that is used is kept. Each other one records
    /// into nothing. A diagnostic reports it, with both places in the source, and what it
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

    /// Starts nothing: no thread, no listener, no rule, no span and no id, and no series
    /// of the crate's own. Metrics are still recorded and can be read, with the views and limits that
    /// the builder was given; a window spans no time. What callers send goes on as it came: the
    /// [`parent`](crate::trace::SpanBuilder::parent) of a span is what [`inject`](crate::inject) writes.
    ///
    /// The environment variable `OTEL_SDK_DISABLED=true` does the same, unless
    /// [`enabled`](Self::enabled) says otherwise. Not started, and after shutdown, it is the same too. Only a snapshot that has callbacks to ask
    /// needs a thread, on which these run.
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

    /// Starts everything, whatever the environment variable `OTEL_SDK_DISABLED` and an earlier
    /// [`disabled`](Self::disabled) say.
    pub fn enabled(self) -> Self {
        Self { disabled: false, ..self }
    }

    /// Adds something that serves until shutdown.
    pub(super) fn part(
        mut self,
        start: impl FnOnce(&Resource) -> Result<Box<dyn Part>, Error> + Send + 'static,
    ) -> Self {
        self.parts.push(Box::new(start));
        self
    }
}

/// Begins to set up telemetry for the service called `service`.
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

/// What OpenTelemetry takes for true in an environment variable.
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
