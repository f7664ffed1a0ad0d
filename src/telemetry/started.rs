//! The pipes of all routes, started.

use std::sync::Arc;

use super::{
    attempts, builder::Processors, doctor::Remembered, keeping::Keeping, logs::Logs, names,
    source::Source,
};
use crate::{
    alert::notify::Notification,
    error::{Error, ErrorKind},
    export::Routes,
    log::{LogOptions, LogRecord},
    metric::{DataPoint, MetricsOptions},
    pipeline::{AnyPipe, Pipe, Route, Setup, Signal},
    resource::Resource,
    trace::SpanRecord,
};

/// The pipes of all routes.
pub(super) struct Started {
    pub(super) spans: Arc<Source<SpanRecord>>,
    pub(super) metrics: Arc<Source<DataPoint>>,
    pub(super) logs: Logs,
    pub(super) notifications: Vec<Pipe<Notification>>,
    pub(super) options: Vec<MetricsOptions>, // In the order of the pipes of `metrics`.
    pub(super) pipes: Vec<Arc<dyn AnyPipe>>,
}

type AllProcessors = (Processors<SpanRecord>, Processors<DataPoint>, Processors<LogRecord>);

impl Started {
    pub(super) fn new(
        resource: &Resource,
        (mut routes, kept): (Routes, Keeping),
        (of_spans, of_metrics, of_logs): AllProcessors,
        (log_options, makes_wide_events): (Option<LogOptions>, bool),
    ) -> Result<Self, Error> {
        let setup = &Setup::new(resource.clone());
        let (spans, metrics, logs) = (routes.take(), routes.take(), routes.take());
        let notifications = routes.take();
        if let Some((signal, name)) = routes.left() {
            let text = format!(
                "the route {name:?} is of the signal {signal:?}, which telemetry does not send"
            );
            return Err(Error::new(ErrorKind::InvalidOption, text));
        }
        let options =
            metrics.iter().map(|route: &Route<DataPoint>| route.options.clone()).collect();
        let spans = started(spans, &kept, setup)?;
        let metrics = started(metrics, &kept, setup)?;
        let logs = started(logs, &kept, setup)?;
        let kept = Keeping { spool: None, ..kept };
        let notifications = started(notifications, &kept, setup)?;
        let pipes = any(&spans).chain(any(&metrics)).chain(any(&logs));
        let pipes = pipes.chain(any(&notifications)).collect();
        Ok(Self {
            spans: Arc::new(Source::new(of_spans, spans)),
            metrics: Arc::new(Source::new(of_metrics, metrics)),
            logs: Logs::new(Arc::new(Source::new(of_logs, logs)), log_options)
                .with_wide_events(makes_wide_events),
            notifications,
            options,
            pipes,
        })
    }

    /// What the doctor will ask for.
    pub(super) fn remembered(&self, hears_of_alerts: bool) -> Remembered {
        Remembered::new(&self.spans, hears_of_alerts)
    }
}

fn started<S: Signal>(
    routes: Vec<Route<S>>,
    kept: &Keeping,
    setup: &Setup,
) -> Result<Vec<Pipe<S>>, Error> {
    let completed = names::distinct(routes).into_iter().map(|route| {
        let watch = attempts::recorded(route.name(), S::NAME);
        kept.complete(route.watched(watch))
    });
    // If one fails, the pipes that were started before it end when they are dropped.
    completed.map(|route| Pipe::start(route, setup)).collect()
}

fn any<S: Signal>(pipes: &[Pipe<S>]) -> impl Iterator<Item = Arc<dyn AnyPipe>> {
    pipes.iter().map(|pipe| Arc::new(pipe.clone()) as Arc<dyn AnyPipe>)
}
