//! What `benches/alert.rs` measures: fifty rules over a thousand series that all move at each tick.

use std::{sync::Arc, time::Duration};

use super::{Rule, Settings, Standalone, ratio, series};
use crate::{
    clock::{ManualClock, Ticks},
    label::LabelSet,
    metric::{
        BucketLayout, Family, HistogramSnapshot, Kind, PageBounds, Series, SeriesValue, Snapshot,
        Unit,
    },
};

/// An engine under load. Not part of the API.
#[doc(hidden)]
#[derive(Debug)]
pub struct Bench {
    engine: Standalone,
    clock: ManualClock,
    labels: Vec<LabelSet>,
    tick: u64,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Bench {
    #[doc(hidden)]
    #[must_use]
    pub fn new() -> Self {
        let labels = (0..1000_usize).map(|n| {
            LabelSet::new([
                ("http.request.method", ["GET", "PUT"][n % 2].to_owned()),
                ("http.response.status_code", ["200", "404", "500"][n % 3].to_owned()),
                ("http.route", format!("/route/{}", n / 6)),
                ("n", n.to_string()),
            ])
        });
        Self {
            engine: Standalone::within(256 << 20, rules(), Settings::default())
                .unwrap_or_else(|error| panic!("{error}")),
            clock: ManualClock::new(),
            labels: labels.collect(),
            tick: 0,
        }
    }

    /// 500 counters, 400 gauges and 100 histograms, a second after the last.
    #[doc(hidden)]
    pub fn snapshot(&mut self) -> Snapshot {
        self.tick += 1;
        self.clock.advance(Duration::from_secs(1));
        let tick = self.tick;
        let histogram = |n: u64| {
            let cells = (0..60).map(|cell| (2000 + cell, tick + n + u64::from(cell)));
            Arc::new(HistogramSnapshot::from_cells(
                BucketLayout::Exponential,
                cells.collect(),
                tick as f64,
            ))
        };
        let families = vec![
            self.family("requests", Kind::Counter, 500, |n| SeriesValue::Counter(tick * (n + 1))),
            self.family("queue", Kind::Gauge, 400, |n| SeriesValue::Gauge((tick + n) as f64)),
            self.family("latency", Kind::Histogram, 100, |n| SeriesValue::Histogram(histogram(n))),
        ];
        Snapshot::new(self.clock.now(), self.clock.now(), families)
    }

    #[doc(hidden)]
    pub fn tick(&mut self, snapshot: &Snapshot) -> usize {
        self.engine.tick(snapshot).transitions.len()
    }

    fn family(
        &self,
        name: &'static str,
        kind: Kind,
        n: usize,
        value: impl Fn(u64) -> SeriesValue,
    ) -> Family {
        let series = (0..).zip(&self.labels[..n]);
        let series = series
            .map(|(n, labels)| Series::new(labels.clone(), value(n), Ticks::ORIGIN))
            .collect();
        let page_bounds = PageBounds::default();
        Family { name: name.into(), kind, unit: Unit::NONE, help: "".into(), page_bounds, series }
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

/// Half of the rules read all 500 counters or all gauges, once or twice, half read some series.
fn rules() -> Vec<Rule> {
    let requests = || series("requests");
    let failed = || requests().label_starts_with("http.response.status_code", "5");
    let condition = |n: usize| {
        let route = format!("/route/{}", n % 10);
        let of_route = |name: &'static str| series(name).label("http.route", route.clone());
        match n % 10 {
            0 => requests().last(),
            1 => requests().rate(MINUTE).by(&["http.route"]),
            2 => requests().increase(5 * MINUTE),
            3 => requests().rate(5 * MINUTE).sum(),
            4 => series("queue").last(),
            5 => of_route("queue").avg(MINUTE),
            6 | 7 => ratio(failed().rate(MINUTE).sum(), requests().rate(MINUTE).sum()),
            8 => of_route("latency").p99(MINUTE),
            _ => of_route("latency").p99(MINUTE).sum(),
        }
    };
    (0..50).map(|n| Rule::new(format!("R{n}"), condition(n).above(1e18))).collect()
}
