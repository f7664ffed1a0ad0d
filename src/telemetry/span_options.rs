//! What a builder says of spans, and the tracer that it makes.

use std::{borrow::Cow, sync::Arc};

use super::{logs::Logs, percentiles::Percentiles, source::Source, wide_events::WideEvents};
use crate::{
    diagnostics,
    error::{Error, ErrorKind},
    trace::{
        ErrorTexts, OpenSpans, SpanLimits, SpanRecord, SpanSink, Tracer,
        sampler::{self, P99, Sampler, Tail},
    },
};

/// What a builder says of spans.
#[derive(Default)]
pub(super) struct SpanOptions {
    pub(super) sampler: Option<Box<dyn Sampler>>, // None is the environment's.
    pub(super) remote_sampled: Option<f64>,       // Traces a second; None is no limit.
    pub(super) distrusts_callers: bool,
    pub(super) tail: Option<Tail>,
    pub(super) open: OpenSpans,
    pub(super) limits: Option<SpanLimits>, // None is the environment's.
    pub(super) error_texts: ErrorTexts,
    pub(super) baggage_attributes: Vec<Cow<'static, str>>,
    pub(super) makes_wide_events: bool,
}

impl SpanOptions {
    /// Lets the tail sampler know the percentiles, if it asks for them; where they are kept.
    pub(super) fn percentiles(
        &mut self,
        has_history: bool,
    ) -> Result<Option<Arc<Percentiles>>, Error> {
        let Some(tail) = self.tail.take_if(|tail| tail.needs_p99()) else { return Ok(None) };
        if !has_history {
            let text = "the tail sampler has `slower_than_p99`, which needs the history";
            return Err(Error::new(ErrorKind::InvalidOption, text.to_owned()));
        }
        let percentiles = Arc::new(Percentiles::default());
        let asked = percentiles.clone();
        self.tail = Some(tail.with_p99(P99::new(move |route| asked.of(route))));
        Ok(Some(percentiles))
    }

    /// A tracer that passes its spans to `source`, and shows them where wide events are made.
    pub(super) fn into_tracer(self, source: &Arc<Source<SpanRecord>>, logs: &Logs) -> Arc<Tracer> {
        let sink = ToSource { source: source.clone(), wide_events: logs.wide_events.clone() };
        let mut tracer = Tracer::builder(sink)
            .limits(self.limits.unwrap_or_else(SpanLimits::from_env))
            .error_texts(self.error_texts)
            .open_spans(self.open)
            .baggage_attributes(self.baggage_attributes);
        if let Some(sampler) = self.sampler.or_else(sampler_of_environment) {
            tracer = tracer.boxed_sampler(sampler);
        }
        if let Some(traces) = self.remote_sampled {
            tracer = tracer.remote_sampled_per_second(traces);
        }
        if self.distrusts_callers {
            tracer = tracer.untrusted_callers();
        }
        if let Some(tail) = self.tail {
            tracer = tracer.tail_sampler(tail);
        }
        tracer.build()
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
struct ToSource {
    source: Arc<Source<SpanRecord>>,
    wide_events: Option<Arc<WideEvents>>,
}

impl SpanSink for ToSource {
    fn accept(&self, spans: &mut Vec<SpanRecord>) {
        if !self.is_used() {
            self.source.leave_unclaimed(spans);
        } else if self.source.process(spans) {
            self.show(spans);
            self.source.push(spans);
        }
    }

    fn see(&self, spans: &mut Vec<SpanRecord>) {
        if self.is_used() && self.source.process(spans) {
            self.show(spans);
        }
    }
}

impl ToSource {
    /// Whether spans have any effect.
    fn is_used(&self) -> bool {
        self.source.is_used() || self.wide_events.is_some() && !self.source.is_inherited()
    }

    fn show(&self, spans: &[SpanRecord]) {
        if let Some(wide_events) = &self.wide_events {
            wide_events.see(spans);
        }
    }
}
