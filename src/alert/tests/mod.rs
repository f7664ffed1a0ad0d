//! The engine against naive twins: an automaton written from the rules of Prometheus' state machine,
//! and loops over all samples.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    clock::{ManualClock, Ticks},
    error::ErrorKind,
    history::BUDGET_BYTES,
    label::LabelSet,
    metric::{Family, HistogramSnapshot, Kind, PageBounds, Series, SeriesValue, Snapshot, Unit},
    sync::Mutex,
};

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> Settings {
    Settings::default()
}

fn labels(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::new(pairs.iter().map(|&(key, value)| (key.to_owned(), value)))
}

fn family(name: &'static str, kind: Kind, series: Vec<(LabelSet, SeriesValue)>) -> Family {
    let series = series
        .into_iter()
        .map(|(labels, value)| Series::new(labels, value, Ticks::ORIGIN))
        .collect();
    let page_bounds = PageBounds::default();
    Family {
        name: name.into(),
        kind,
        unit: Unit::NONE,
        help: "".into(),
        page_bounds,
        begins_at_zero: true,
        series,
    }
}

fn snapshot(clock: &ManualClock, families: Vec<Family>) -> Snapshot {
    Snapshot::new(clock.now(), clock.now(), families)
}

fn gauges(clock: &ManualClock, values: &[(&str, f64)]) -> Snapshot {
    let series = values.iter().map(|&(s, value)| (labels(&[("s", s)]), SeriesValue::Gauge(value)));
    snapshot(clock, vec![family("g", Kind::Gauge, series.collect())])
}

/// A window, and the history that it is on.
struct Ticked {
    replay: replay::Replay,
    window: SampleWindow,
}

impl Ticked {
    fn new(needs: impl IntoIterator<Item = Need>, budget_bytes: usize) -> Self {
        let replay = replay::Replay::new(SECOND, budget_bytes);
        let window = SampleWindow::new(needs, replay.history.clone());
        Self { replay, window }
    }

    /// Takes the samples of a snapshot; whether there is room for them.
    fn tick(&mut self, snapshot: &Snapshot) -> bool {
        self.replay.play(snapshot).unwrap().1.is_none()
    }

    fn selected(&self, name: &'static str) -> Vec<SeriesWindow<'_>> {
        self.window.select(&series(name)).collect()
    }
}

/// `text` is one transition a line: `seconds state→state {labels} value`.
fn story(engine: &mut Standalone, clock: &ManualClock, ticks: &[&[(&str, f64)]]) -> String {
    let mut text = String::new();
    for (second, values) in ticks.iter().enumerate() {
        for Transition { from, to, alert } in engine.tick(&gauges(clock, values)).transitions {
            let s = alert.labels().get("s").unwrap_or("-");
            text += &format!("{second} {from}→{to} {s} {}\n", alert.value());
        }
        clock.advance(SECOND);
    }
    text
}

fn trouble() -> Comparison {
    series("g").last().above(0.0)
}

mod conditions;
mod naive;
mod reference;
mod rules;
mod sending;
mod states;
mod window;
