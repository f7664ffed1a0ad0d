//! A page that is kept between scrapes allocates nothing for series that it knows: an allocator that
//! counts tells.
//!
//! One test, alone in its process: the counts are those of the thread.

mod counting;

use bellwether::{
    Labels,
    export::prometheus::{Format, Page},
    metric::{Registry, Unit},
    resource::Resource,
};

#[derive(Labels)]
struct Route<'a> {
    route: &'a str,
    hit: bool,
}

#[test]
fn a_known_page_is_rendered_without_an_allocation() {
    let registry = Registry::new();
    let hits = registry.counter("hits", "Hits").labels::<Route<'_>>().build().unwrap();
    let level = registry.gauge("level", "Level").build().unwrap();
    let time = registry
        .histogram("time", "Time")
        .unit(Unit::Seconds)
        .labels::<Route<'_>>()
        .build()
        .unwrap();
    let record = |round: u32| {
        for route in ["/", "/a", "/b\"\n"] {
            for hit in [true, false] {
                hits.bind(Route { route, hit }).add(1 << round);
                time.bind(Route { route, hit }).record(f64::from(round) * 1.3);
            }
        }
        level.set(f64::from(round).sqrt() * 1e7);
    };

    let resource = Resource::service("test");
    for format in [Format::Text, Format::Text1, Format::OpenMetrics, Format::Protobuf] {
        let mut page = Page::new(format);
        // The numbers grow, and with them the room that the page keeps.
        let render = |page: &mut Page, round| {
            record(round);
            let snapshot = registry.snapshot();
            let before = counting::allocations();
            let len = page.render(&snapshot, &resource).len();
            (counting::allocations() - before, len)
        };
        let (first, _) = render(&mut page, 0);
        assert!(first > 10, "the allocator counts");
        render(&mut page, 1);
        for round in 2..20 {
            let (allocations, len) = render(&mut page, round);
            assert!(len > 500);
            // Where the room or the buckets of a native histogram have to grow, they double.
            assert!(allocations <= 1, "{format:?}, round {round}: {allocations}");
        }
        record(0);
        let snapshot = registry.snapshot();
        page.render(&snapshot, &resource);
        let before = counting::allocations();
        page.render(&snapshot, &resource);
        assert_eq!(counting::allocations() - before, 0, "{format:?}");
    }
    for format in [Format::Text, Format::Text1, Format::OpenMetrics] {
        let mut page = Page::new(format);
        let render = |page: &mut Page| {
            let before = counting::allocations();
            let len = page.render_registry(&registry, &resource).len();
            assert!(len > 500);
            counting::allocations() - before
        };
        render(&mut page);
        record(0);
        let allocations = render(&mut page);
        // Those of the view of the registry: one list of its tables for each kind, one of the families.
        assert!(allocations <= 8, "{format:?} in place: {allocations}");
    }
}
