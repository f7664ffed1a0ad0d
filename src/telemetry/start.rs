//! Starts what a builder configured.

use std::{borrow::Cow, net::SocketAddr, sync::Arc};

use super::{
    Builder, Telemetry,
    builder::StartPart,
    exit, own_series,
    readings::Readings,
    running::{Ending, Part, Running},
    started::Started,
    tick::Ticking,
};
use crate::{
    alert::{self, Engine, External},
    cells,
    clock::Slots,
    diagnostics,
    error::Error,
    history::{self, History},
    metric::{Registry, Views},
    resource::Resource,
    series::Changes,
    sync::Mutex,
    trace::{
        self, Tracer,
        propagator::{self, Propagators},
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
        self.introduce();
        let registry = Registry::global().clone();
        check_refusals(&registry, self.deny_conflicts)?;
        let views = Views::new(std::mem::take(&mut self.views))?;
        let changes = std::mem::take(&mut self.registry).checked()?;
        if self.disabled {
            self = self.reduced();
        }
        let percentiles = self.spans.percentiles(self.history.is_some())?;
        let history = past(self.history);
        let engine = self.engine(history.clone())?;
        let mut slots = Slots::new(self.tick);
        let board = engine.board().clone();
        let (parts, local_addrs) = serve(self.parts, &self.resource)?;
        let processors = (self.span_processors, self.metric_processors, self.log_processors);
        let of_logs = (self.logs, self.spans.makes_wide_events);
        let started = Started::new(&self.resource, (self.routes, self.kept), processors, of_logs)?;
        let tracer =
            (!self.disabled).then(|| self.spans.into_tracer(&started.spans, &started.logs));
        let (keys, url) = (&self.alert_attributes, self.external_url.as_deref());
        let external = external(&self.resource, keys, url, &local_addrs);
        change(&registry, changes, views, self.max_owning_threads);
        guide(self.propagators, tracer.as_deref());
        // If disabled, none of our own series are registered, because off means off.
        let register = |tracer| own_series::register(&registry, &started, &board, tracer);
        let observers = tracer.as_ref().map(register).unwrap_or_default();
        let remembered = started.remembered(!self.on_transition.is_empty());
        let Started { metrics, logs, notifications, options, pipes, .. } = started;
        let running = Arc::new(Running {
            generation: process::generation(),
            history,
            readings: Readings::new(&registry, metrics, options),
            logs,
            resource: self.resource,
            local_addrs,
            ending: Mutex::new(Ending { parts, observers, ..Ending::default() }),
            board,
            registry,
            pipes,
            remembered,
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

    /// Sets the hook, and completes the resource, of which it may hear.
    fn introduce(&mut self) {
        self.on_diagnostic.take().into_iter().for_each(|hook| diagnostics::set_hook(Some(hook)));
        let resource = std::mem::take(&mut self.resource);
        self.resource = resource.completed(self.detects_resource);
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

/// The parts, and where those listen that do.
type Serving = (Vec<Box<dyn Part>>, Vec<SocketAddr>);

/// Starts the parts.
fn serve(parts: Vec<StartPart>, resource: &Resource) -> Result<Serving, Error> {
    let parts = parts.into_iter().map(|start| start(resource)).collect::<Result<Vec<_>, _>>()?;
    let local_addrs = parts.iter().filter_map(|part| part.local_addr()).collect();
    Ok((parts, local_addrs))
}

/// Starts the threads that read and tick, and installs the tracer.
fn run(running: &Running, ticking: Ticking) -> Result<(), Error> {
    let readings = running.readings.start()?;
    let ticker = ticking.start()?;
    running.ending.lock().tickers.extend(readings.into_iter().chain([ticker]));
    running.tracer.iter().for_each(install);
    running.logs.install();
    Ok(())
}

/// The history of all series within a budget; without a budget, of the series that rules select.
fn past(budget_bytes: Option<usize>) -> Arc<Mutex<History>> {
    let of_selected = || History::of_selected(history::BUDGET_BYTES);
    Arc::new(Mutex::new(budget_bytes.map_or_else(of_selected, History::new)))
}

/// What alerts that are sent have besides. Attributes in `keys` that the resource lacks are reported:
/// alerts will not have these labels.
fn external(
    resource: &Resource,
    keys: &[Cow<'static, str>],
    url: Option<&str>,
    addrs: &[SocketAddr],
) -> External {
    for key in keys.iter().filter(|key| resource.get(key).is_none()) {
        let text =
            format_args!("the resource has no attribute {key:?}, so alerts have no such label");
        diagnostics::report("alert label", text);
    }
    External::new(resource, keys, url, addrs.first().copied())
}

/// Applies the settings that stay in force after shutdown.
fn change(registry: &Registry, changes: Changes, views: Views, most_owners: Option<usize>) {
    registry.change(changes);
    most_owners.into_iter().for_each(cells::set_most_owners);
    if !views.is_empty() {
        registry.set_views(views);
    }
}

/// Sets which headers are read and written, and to which traces exemplars lead.
fn guide(propagators: Option<Propagators>, tracer: Option<&Tracer>) {
    propagator::install(propagators.or_else(propagator::from_environment));
    trace::show_exemplars_of(tracer);
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
