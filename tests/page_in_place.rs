//! A page that is read in place says what the page of a snapshot says.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use bellwether::{
    Labels,
    export::prometheus::{Format, Page},
    metric::{Aggregation, HistogramOptions, Kind, Registry, Unit, View, Views},
    resource::Resource,
};
use proptest::prelude::*;

#[derive(Labels, Clone, Copy)]
struct Served {
    cached: bool,
    #[label(range = 0..=3)]
    shard: u8,
}

#[derive(Labels)]
struct Open<'a> {
    route: &'a str,
}

/// One step: which kind of instrument, which series, and what.
type Step = (u8, u8, f64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = prop_oneof![Just(0.0), 1e-12..1e-3, 1e-3..1e3, 1e3..1e14];
    prop::collection::vec((0..9u8, 0..4u8, value), 0..400)
}

fn run(registry: &Registry, steps: &[Step]) {
    let counter = registry.counter::<Served>("closed", "C", Unit::NONE).unwrap();
    let open = registry.counter::<Open<'_>>("open", "", Unit::Bytes).unwrap();
    let money = registry.float_counter::<Open<'_>>("money", "", Unit::NONE).unwrap();
    let active = registry.up_down_counter::<Served>("active", "", Unit::NONE).unwrap();
    let gauge = registry.gauge::<Open<'_>>("gauge", "", Unit::NONE).unwrap();
    let times = registry.histogram::<Served>("times", "", Unit::Seconds).unwrap();
    let sizes = registry.histogram::<Open<'_>>("sizes", "", Unit::Bytes).unwrap();
    let bounds = HistogramOptions::new().aggregation(Aggregation::Explicit(&[1.0, 10.0, 100.0]));
    let bounded = registry.histogram_with::<Open<'_>>("bounded", "", Unit::NONE, bounds).unwrap();
    for &(kind, series, value) in steps {
        let served = Served { cached: series > 1, shard: series };
        let route = ["/", "/a", "/b", "/\"c"][usize::from(series)];
        match kind {
            0 => counter.with(served).add(value as u64),
            1 => open.with(Open { route }).inc(),
            2 => money.with(Open { route }).add(value),
            3 => active.with(served).add(if value > 1.0 { 1 } else { -1 }),
            4 => gauge.with(Open { route }).set(value),
            5 => times.with(served).record(value),
            6 => sizes.with(Open { route }).record(value),
            7 => bounded.with(Open { route }).record(value),
            _ => drop((open.remove(Open { route }), sizes.remove(Open { route }))),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_page_in_place_is_the_page_of_a_snapshot(rounds in prop::collection::vec(steps(), 1..4)) {
        let registry = Registry::builder().label("region", "eu").build();
        let _observed = registry
            .observe(Kind::Gauge, "observed", "", Unit::NONE, |to| to.observe(1.5, &[]))
            .unwrap();
        let resource = Resource::service("test");
        for format in [Format::Text, Format::OpenMetrics] {
            let (mut in_place, mut of_snapshot) = (Page::new(format), Page::new(format));
            for steps in &rounds {
                // On another thread too, so that there is something to add up.
                std::thread::scope(|scope| drop(scope.spawn(|| run(&registry, steps)).join()));
                run(&registry, steps);
                let expected = of_snapshot.render(&registry.snapshot(), &resource);
                let page = in_place.render_registry(&registry, &resource);
                prop_assert_eq!(String::from_utf8_lossy(page), String::from_utf8_lossy(expected));
            }
        }
    }
}

#[test]
fn a_page_in_place_is_shown_through_views() {
    let registry = Registry::new();
    registry.counter::<()>("secret", "", Unit::NONE).unwrap().inc();
    registry.set_views(Views::new([View::new("secret").drop()]).unwrap());
    let mut page = Page::new(Format::Text);
    assert_eq!(page.render_registry(&registry, &Resource::default()), b"");
}
