//! Starts what a builder configured.

use std::{borrow::Cow, sync::Arc};

use super::{
    Builder, Telemetry,
    builder::{Processors, Sampling},
    exit, names, own_series,
    percentiles::Percentiles,
    readings::Readings,
    running::{Ending, Running},
    source::Source,
    tick::Ticking,
};
use crate::{
    alert::{self, Engine, External, notify::Notification},
    cells,
    clock::Slots,
    diagnostics,
    error::{Error, ErrorKind},
    export::Routes,
    history::{self, History},
    metric::{DataPoint, MetricsOptions, Registry, Views},
    pipeline::{AnyPipe, Pipe, Route, Setup, Signal},
    resource::Resource,
    series::Changes,
    sync::Mutex,
    trace::{
        self, SpanLimits, SpanRecord, SpanSink, Tracer, TracerBuilder, propagator,
        sampler::{self, P99, Sampler, Tail},
    },
    util::process,
};

impl Builder {
    /// Starts everything.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::State`](crate::ErrorKind::State) if telemetry is running already.
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if conflicts are
    ///   [denied](Self::deny_conflicts) and there was one, with both places in the source.
    /// - [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption) if a view has an option that is
    ///   not legal, or if a route has a signal that telemetry does not send.
    /// - [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName) if the key of a
    ///   [constant label](Self::constant_label) is not legal.
    /// - The error of a part that cannot start, for example because its port is in use.
    ///
    /// After an error nothing is left running.
    pub fn start(mut self) -> Result<Telemetry, Error> {
        let slot = exit::slot()?;
        self.on_diagnostic.take().into_iter().for_each(|hook| diagnostics::set_hook(Some(hook)));
        let registry = Registry::global().clone();
        check_refusals(&registry, self.deny_conflicts)?;
        let views = Views::new(std::mem::take(&mut self.views))?;
        let changes = std::mem::take(&mut self.registry).checked()?;
        if self.disabled {
            self = self.reduced();
        }
        if self.history.is_none() && self.sampling.tail.as_ref().is_some_and(Tail::needs_p99) {
            let text = "the tail sampler has `slower_than_p99`, which needs the history";
            return Err(Error::new(ErrorKind::InvalidOption, text.to_owned()));
        }
        let history = past(self.history);
        let engine = self.engine(history.clone())?;
        let mut slots = Slots::new(self.tick);
        let board = engine.board().clone();
        let parts = self.parts.into_iter().map(|start| start(&self.resource));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let local_addrs: Vec<_> = parts.iter().filter_map(|part| part.local_addr()).collect();
        let Started { spans, metrics, notifications, options, pipes } = Started::new(
            &Setup::new(self.resource.clone()),
            self.routes,
            (self.span_processors, self.metric_processors),
        )?;
        let percentiles = add_percentiles(&mut self.sampling.tail);
        let tracer = (!self.disabled).then(|| {
            let limits = self.limits.unwrap_or_else(SpanLimits::from_env);
            let tracer = Tracer::builder(ToSource(spans.clone())).limits(limits);
            let tracer = tracer.error_texts(self.error_texts);
            sampled(tracer.baggage_attributes(self.baggage_attributes), self.sampling).build()
        });
        let (keys, url) = (&self.alert_attributes, self.external_url.as_deref());
        report_missing(keys, &self.resource);
        let external = External::new(&self.resource, keys, url, local_addrs.first().copied());
        change(&registry, changes, views, self.max_owning_threads);
        propagator::install(self.propagators.or_else(propagator::from_environment));
        trace::show_exemplars_of(tracer.as_deref());
        // If disabled, none of our own series are registered, because off means off.
        let register =
            |tracer| own_series::register(&registry, &pipes, &board, tracer, &spans, &metrics);
        let observers = tracer.as_ref().map(register).unwrap_or_default();
        let running = Arc::new(Running {
            generation: process::generation(),
            history,
            readings: Readings::new(&registry, metrics, options),
            resource: self.resource,
            local_addrs,
            ending: Mutex::new(Ending { parts, observers, ..Ending::default() }),
            board,
            registry,
            pipes,
            tracer,
        });
        let telemetry = Telemetry { running };
        if !self.disabled {
            // The first instant of the history: windows begin here while telemetry is younger than
            // their length.
            telemetry.running.remember(&mut slots);
        }
        // Before the first tick: a callback there may end the process, and the exit hook needs
        // `running`.
        slot.fill(&telemetry.running);
        if !self.disabled {
            let ticking = Ticking {
                running: Arc::downgrade(&telemetry.running),
                slots,
                engine,
                notifiers: notifications,
                external,
                on_transition: self.on_transition,
                percentiles,
            };
            run(&telemetry.running, ticking)?;
        }
        Ok(telemetry)
    }

    /// What disabled telemetry has of it.
    fn reduced(self) -> Self {
        let Self { resource, tick, propagators, .. } = self;
        Self { resource, tick, propagators, ..Self::new("").disabled() }
    }

    /// The engine that evaluates the rules over `history`.
    fn engine(&mut self, history: Arc<Mutex<History>>) -> Result<Engine, Error> {
        let rules = std::mem::take(&mut self.rules);
        if self.history.is_none() {
            alert::refuse_looking_back(&rules)?;
        }
        let settings = alert::Settings { interval: self.tick, ..alert::Settings::default() };
        Engine::new(rules, settings, history)
    }
}

/// Starts the threads that read and tick, and installs the tracer.
fn run(running: &Running, ticking: Ticking) -> Result<(), Error> {
    let readings = running.readings.start()?;
    let ticker = ticking.start()?;
    running.ending.lock().tickers.extend(readings.into_iter().chain([ticker]));
    running.tracer.iter().for_each(install);
    Ok(())
}

/// The history of all series within a budget; without a budget, of the series that rules select.
fn past(budget_bytes: Option<usize>) -> Arc<Mutex<History>> {
    let of_selected = || History::of_selected(history::BUDGET_BYTES);
    Arc::new(Mutex::new(budget_bytes.map_or_else(of_selected, History::new)))
}

/// Reports the attributes in `keys` that the resource lacks; alerts will not have these labels.
fn report_missing(keys: &[Cow<'static, str>], resource: &Resource) {
    for key in keys.iter().filter(|key| resource.get(key).is_none()) {
        let text =
            format_args!("the resource has no attribute {key:?}, so alerts have no such label");
        diagnostics::report("alert label", text);
    }
}

/// Applies the settings that stay in force after shutdown.
fn change(registry: &Registry, changes: Changes, views: Views, most_owners: Option<usize>) {
    registry.change(changes);
    most_owners.into_iter().for_each(cells::set_most_owners);
    if !views.is_empty() {
        registry.set_views(views);
    }
}

/// Reports the statics that `registry` has refused: as one error with all reasons if `deny` is set,
/// otherwise to the diagnostic hook.
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

/// Installs `tracer` as the tracer of the process.
fn install(tracer: &Arc<Tracer>) {
    let replaced = trace::install(tracer.clone());
    if exit::is_child() {
        std::mem::forget(replaced); // It is the parent's, and its queues are not served here.
    }
}

/// The pipes of all routes.
struct Started {
    spans: Arc<Source<SpanRecord>>,
    metrics: Arc<Source<DataPoint>>,
    notifications: Vec<Pipe<Notification>>,
    options: Vec<MetricsOptions>, // In the order of the pipes of `metrics`.
    pipes: Vec<Arc<dyn AnyPipe>>,
}

impl Started {
    fn new(
        setup: &Setup,
        mut routes: Routes,
        (of_spans, of_metrics): (Processors<SpanRecord>, Processors<DataPoint>),
    ) -> Result<Self, Error> {
        let (spans, metrics, notifications) = (routes.take(), routes.take(), routes.take());
        if let Some((signal, name)) = routes.left() {
            let text = format!(
                "the route {name:?} is of the signal {signal:?}, which telemetry does not send"
            );
            return Err(Error::new(ErrorKind::InvalidOption, text));
        }
        let options =
            metrics.iter().map(|route: &Route<DataPoint>| route.options.clone()).collect();
        let spans = started(spans, setup)?;
        let metrics = started(metrics, setup)?;
        let notifications = started(notifications, setup)?;
        let pipes = any(&spans).chain(any(&metrics)).chain(any(&notifications)).collect();
        Ok(Self {
            spans: Arc::new(Source::new(of_spans, spans)),
            metrics: Arc::new(Source::new(of_metrics, metrics)),
            notifications,
            options,
            pipes,
        })
    }
}

fn started<S: Signal>(routes: Vec<Route<S>>, setup: &Setup) -> Result<Vec<Pipe<S>>, Error> {
    // If one fails, the pipes that were started before it end when they are dropped.
    names::distinct(routes).into_iter().map(|route| Pipe::start(route, setup)).collect()
}

fn any<S: Signal>(pipes: &[Pipe<S>]) -> impl Iterator<Item = Arc<dyn AnyPipe>> {
    pipes.iter().map(|pipe| Arc::new(pipe.clone()) as Arc<dyn AnyPipe>)
}

/// Lets the tail sampler know the percentiles, if it asks for them.
fn add_percentiles(tail: &mut Option<Tail>) -> Option<Arc<Percentiles>> {
    let asking = tail.take_if(|tail| tail.needs_p99())?;
    let percentiles = Arc::new(Percentiles::default());
    let asked = percentiles.clone();
    *tail = Some(asking.with_p99(P99::new(move |route| asked.of(route))));
    Some(percentiles)
}

/// `tracer` with what decides about its spans.
fn sampled(mut tracer: TracerBuilder, sampling: Sampling) -> TracerBuilder {
    if let Some(sampler) = sampling.sampler.or_else(sampler_of_environment) {
        tracer = tracer.boxed_sampler(sampler);
    }
    if let Some(traces) = sampling.remote_sampled {
        tracer = tracer.remote_sampled_per_second(traces);
    }
    if sampling.distrusts_callers {
        tracer = tracer.untrusted_callers();
    }
    match sampling.tail {
        Some(tail) => tracer.tail_sampler(tail),
        None => tracer,
    }
}

/// The sampler of the environment, if it names one. What is wrong with it is reported.
fn sampler_of_environment() -> Option<Box<dyn Sampler>> {
    let variable = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
    let found = sampler::of_environment(variable);
    found.faults.iter().for_each(|fault| diagnostics::report("sampler", format_args!("{fault}")));
    found.sampler
}

/// Passes spans to their processors and routes.
struct ToSource(Arc<Source<SpanRecord>>);

impl SpanSink for ToSource {
    fn accept(&self, spans: &mut Vec<SpanRecord>) {
        self.0.offer(spans);
    }

    fn see(&self, spans: &mut Vec<SpanRecord>) {
        if self.0.is_used() {
            self.0.process(spans);
        }
    }
}
