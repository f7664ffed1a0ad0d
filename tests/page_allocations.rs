//! A page that is kept between scrapes allocates nothing for series that it knows: an allocator that
//! counts tells.
//!
//! One test, alone in its process: the counts are those of the thread.
#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use bellwether::{
    Labels,
    export::prometheus::{Format, Page},
    metric::{Registry, Unit},
    resource::Resource,
};

struct Counting;

thread_local!(static ALLOCATIONS: Cell<u64> = const { Cell::new(0) });

// SAFETY: hands every call on to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System` by `alloc` above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Labels)]
struct Route<'a> {
    route: &'a str,
    hit: bool,
}

#[test]
fn a_known_page_is_rendered_without_an_allocation() {
    let registry = Registry::new();
    let hits = registry.counter::<Route<'_>>("hits", "Hits", Unit::NONE).unwrap();
    let level = registry.gauge::<()>("level", "Level", Unit::NONE).unwrap();
    let time = registry.histogram::<Route<'_>>("time", "Time", Unit::Seconds).unwrap();
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
            let before = ALLOCATIONS.get();
            let len = page.render(&snapshot, &resource).len();
            (ALLOCATIONS.get() - before, len)
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
        let before = ALLOCATIONS.get();
        page.render(&snapshot, &resource);
        assert_eq!(ALLOCATIONS.get() - before, 0, "{format:?}");
    }
    for format in [Format::Text, Format::Text1, Format::OpenMetrics] {
        let mut page = Page::new(format);
        let render = |page: &mut Page| {
            let before = ALLOCATIONS.get();
            let len = page.render_registry(&registry, &resource).len();
            assert!(len > 500);
            ALLOCATIONS.get() - before
        };
        render(&mut page);
        record(0);
        let allocations = render(&mut page);
        // Those of the view of the registry: one list of its tables for each kind, one of the families.
        assert!(allocations <= 8, "{format:?} in place: {allocations}");
    }
}
