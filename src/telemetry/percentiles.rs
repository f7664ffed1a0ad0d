//! The 99th percentiles of routes, which a tail sampler compares with.

use std::{collections::HashMap, sync::Arc, time::Duration};

use crate::{
    clock::{self, Ticks},
    metric::{Kind, Unit, Window},
    sync::Mutex,
};

/// The percentiles as they were read last.
#[derive(Default)]
pub(super) struct Percentiles {
    /// No lock is taken inside it.
    by_route: Mutex<Arc<HashMap<String, f64>>>,
    read: Mutex<Option<Ticks>>, // When they were; only the tick reads them.
}

/// Over how much time a percentile is.
pub(super) const LENGTH: Duration = Duration::from_secs(300);
/// How often they are read: all buckets of histograms are kept every ten seconds.
const EVERY: Duration = Duration::from_secs(10);
/// How many values a percentile needs: fewer have no hundredth.
const LEAST: u64 = 100;

impl Percentiles {
    /// The percentile of `route`, in seconds.
    pub(super) fn of(&self, route: &str) -> Option<f64> {
        let by_route = self.by_route.lock().clone();
        by_route.get(route).copied()
    }

    /// Reads them in the window that `window` gives, if it is time to.
    pub(super) fn refresh(&self, window: impl FnOnce() -> Window) {
        let (now, mut read_at) = (clock::now(), self.read.lock());
        if read_at.is_some_and(|read_at| now.since(read_at) < EVERY) {
            return;
        }
        *read_at = Some(now);
        drop(read_at);
        *self.by_route.lock() = Arc::new(read(&window()));
    }
}

/// The percentiles by route: by the label `http.route` of the histograms that have it, else by the name
/// of what is measured.
fn read(window: &Window) -> HashMap<String, f64> {
    const ROUTE: &str = "http.route";
    let mut by_route = HashMap::new();
    let families = window.later().families().iter();
    for family in families {
        if family.kind() != Kind::Histogram || family.unit() != Unit::Seconds {
            continue;
        }
        let Some(operation) = family.name().strip_suffix(".duration") else { continue };
        let has_routes = family.series().iter().any(|series| series.labels().get(ROUTE).is_some());
        let requests = match has_routes {
            true => window.requests_by(family.name(), ROUTE).into_iter().collect(),
            false => {
                let all = window.requests(family.name());
                all.map(|all| (operation.to_owned(), all)).into_iter().collect::<Vec<_>>()
            }
        };
        for (route, requests) in requests {
            if requests.latency.count() >= LEAST
                && let Some(p99) = requests.p99()
            {
                by_route.insert(route, p99);
            }
        }
    }
    by_route
}
