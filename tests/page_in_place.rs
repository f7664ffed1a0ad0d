//! A page that is read in place says what the page of a snapshot says.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use bellwether::{
    Labels,
    export::prometheus::{Format, Page},
    metric::{Aggregation, HistogramOptions, OutOfRange, PageBounds, Registry, Unit, View, Views},
    resource::Resource,
    trace::sampler::AlwaysOn,
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
    prop::collection::vec((0..12u8, 0..4u8, value), 0..400)
}

fn run(registry: &Registry, steps: &[Step]) {
    let counter = registry.counter("closed", "C").labels::<Served>().build().unwrap();
    let open = registry.counter("open", "").unit(Unit::Bytes).labels::<Open<'_>>().build().unwrap();
    let money = registry.float_counter("money", "").labels::<Open<'_>>().build().unwrap();
    let active = registry.up_down_counter("active", "").labels::<Served>().build().unwrap();
    let gauge = registry.gauge("gauge", "").labels::<Open<'_>>().build().unwrap();
    let times =
        registry.histogram("times", "").unit(Unit::Seconds).labels::<Served>().build().unwrap();
    let sizes =
        registry.histogram("sizes", "").unit(Unit::Bytes).labels::<Open<'_>>().build().unwrap();
    let bounds = HistogramOptions::new().aggregation(Aggregation::Explicit(&[1.0, 10.0, 100.0]));
    let bounded =
        registry.histogram("bounded", "").labels::<Open<'_>>().options(bounds).build().unwrap();
    let options = HistogramOptions::new();
    let ticks = options.aggregation(Aggregation::Hdr { significant_digits: 2 });
    let ticks = registry
        .histogram("ticks", "")
        .unit(Unit::new("ns"))
        .labels::<Open<'_>>()
        .options(ticks)
        .build()
        .unwrap();
    let ranged = options.range(0.5, 100.0, OutOfRange::Clamp);
    let ranged = ranged.page_bounds(PageBounds::Explicit(&[0.7, 30.0, 30.1]));
    let ranged =
        registry.histogram("ranged", "").labels::<Served>().options(ranged).build().unwrap();
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
            8 => ticks.with(Open { route }).record(value),
            9 => ranged.with(served).record(value),
            10 => (0..200).for_each(|n| times.with(served).record(value * f64::from(n))),
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
            .gauge("observed", "").observe(|to| to.observe(1.5, &[]))
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
    registry.counter("secret", "").build().unwrap().inc();
    registry.set_views(Views::new([View::new("secret").drop()]).unwrap());
    let mut page = Page::new(Format::Text);
    assert_eq!(page.render_registry(&registry, &Resource::default()), b"");
}

#[test]
fn a_view_that_only_chooses_bounds_is_the_same_in_place() {
    let registry = Registry::new();
    let latency = registry.histogram("latency", "").unit(Unit::Seconds).build().unwrap();
    [0.2, 0.2, 0.7].into_iter().for_each(|value| latency.record(value));
    let views = [View::new("latency").page_bounds([0.2, 0.6]), View::new("*").limit(9)];
    registry.set_views(Views::new(views).unwrap());
    let expected = "# TYPE latency_seconds histogram\n\
         latency_seconds_bucket{le=\"0.2\"} 2\n\
         latency_seconds_bucket{le=\"0.6\"} 2\n\
         latency_seconds_bucket{le=\"+Inf\"} 3\n\
         latency_seconds_sum 1.1\n\
         latency_seconds_count 3\n";
    let (mut in_place, mut of_snapshot) = (Page::new(Format::Text), Page::new(Format::Text));
    let page = in_place.render_registry(&registry, &Resource::default());
    assert_eq!(String::from_utf8_lossy(page), expected);
    let page = of_snapshot.render(&registry.snapshot(), &Resource::default());
    assert_eq!(String::from_utf8_lossy(page), expected);
}

#[test]
fn each_bucket_that_people_query_shows_an_exemplar_that_lies_in_it() {
    let _scope = bellwether::testing::scope();
    let telemetry = bellwether::builder("test").sampler(AlwaysOn).start().unwrap();
    let registry = Registry::new();
    let latency = registry.histogram("latency", "").unit(Unit::Seconds).build().unwrap();
    let bounds = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5,
        0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 25.0, 60.0,
    ];
    {
        let _span = bellwether::span("sampled").enter();
        bounds.into_iter().for_each(|bound| latency.record(bound));
    }
    let mut page = Page::new(Format::OpenMetrics);
    let page = page.render_registry(&registry, &Resource::default());
    let page = String::from_utf8_lossy(page);
    let exemplars = page.lines().filter_map(|line| {
        let (line, exemplar) = line.split_once(" # {")?;
        let (_, le) = line.split_once("le=\"")?;
        let value = exemplar.split_once("} ")?.1.split_once(' ')?.0;
        Some((le.split_once('"')?.0.parse().unwrap(), value.parse().unwrap()))
    });
    let exemplars: Vec<(f64, f64)> = exemplars.collect();
    assert_eq!(exemplars, bounds.map(|bound| (bound, bound)));
    drop(telemetry);
}
