//! What `benches/alert.rs` measures: fifty rules over series that all change at each tick.

use std::{sync::Arc, time::Duration};

use super::{Engine, Rule, Settings, ratio, series};
use crate::{
    clock::{self, ManualClock, Slots},
    error::Error,
    history::History,
    metric::{BoundCounter, BoundGauge, BoundHistogram, Registry, Unit},
    sync::Mutex,
};

/// Rules under load. Not part of the API.
#[doc(hidden)]
#[derive(Debug)]
pub struct Bench {
    clock: ManualClock,
    registry: Registry,
    requests: Vec<BoundCounter>,
    queues: Vec<BoundGauge>,
    latencies: Vec<BoundHistogram>,
    slots: Slots,
    history: Arc<Mutex<History>>,
    engine: Engine,
    round: u64,
}

const MINUTE: Duration = Duration::from_secs(60);
const KEYS: [&str; 4] = ["http.request.method", "http.response.status_code", "http.route", "n"];

impl Bench {
    /// Half of the series are counters, four of ten are gauges, and one of ten is a histogram.
    #[doc(hidden)]
    #[must_use]
    pub fn new(n_series: usize) -> Self {
        let history = Arc::new(Mutex::new(History::new(1 << 30)));
        let engine = Engine::new(rules(), Settings::default(), history.clone());
        let registry = Registry::builder().series_limit(n_series).byte_budget(1 << 30).build();
        let requests = registry.counter("requests", "").keys(&KEYS).build();
        let queues = registry.gauge("queue", "").keys(&KEYS).build();
        let latencies = registry.histogram("latency", "").unit(Unit::Seconds).keys(&KEYS).build();
        let (requests, queues, latencies) = (legal(requests), legal(queues), legal(latencies));
        Self {
            clock: ManualClock::new(),
            requests: (0..n_series / 2)
                .map(|n| with_labels(n, |labels| requests.bind_labels(labels)))
                .collect(),
            queues: (0..n_series * 2 / 5)
                .map(|n| with_labels(n, |labels| queues.bind_labels(labels)))
                .collect(),
            latencies: (0..n_series / 10)
                .map(|n| with_labels(n, |labels| latencies.bind_labels(labels)))
                .collect(),
            registry,
            slots: Slots::new(Duration::from_secs(1)),
            history,
            engine: legal(engine),
            round: 0,
        }
    }

    /// Changes every series.
    #[doc(hidden)]
    pub fn record(&mut self) {
        self.round += 1;
        let round = self.round;
        (1..).zip(&self.requests).for_each(|(n, requests)| requests.add(n + round % 3));
        (0..).zip(&self.queues).for_each(|(n, queue)| queue.set((round + n) as f64));
        for (n, latency) in (0..).zip(&self.latencies) {
            (0..60).for_each(|k| latency.record(0.001 * ((round + n + k * 7) % 100) as f64));
        }
    }

    /// Takes a tick, a second after the last one. Returns how many alerts changed.
    #[doc(hidden)]
    pub fn tick(&mut self) -> usize {
        self.clock.advance(Duration::from_secs(1));
        let _installed = clock::enter(Some(self.clock.clone()));
        let registry = self.registry.prepare();
        let Some(slot) = self.slots.next(clock::now()) else { return 0 };
        self.history.lock().tick(&registry, slot);
        self.engine.tick(slot).transitions.len()
    }
}

fn with_labels<T>(n: usize, bind: impl Fn(&[(&str, &str)]) -> T) -> T {
    let values = [
        ["GET", "PUT"][n % 2].to_owned(),
        ["200", "404", "500"][n % 3].to_owned(),
        format!("/route/{}", n / 6),
        n.to_string(),
    ];
    let labels: Vec<_> = KEYS.into_iter().zip(values.iter().map(String::as_str)).collect();
    bind(&labels)
}

fn legal<T>(made: Result<T, Error>) -> T {
    made.unwrap_or_else(|error| panic!("{error}"))
}

/// Half of the rules read all counters or all gauges, once or twice. The other half read some series.
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
