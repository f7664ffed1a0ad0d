//! An allocator that ends spans, also while a span's own memory is allocated: none is lost, and none
//! stays current for ever.
#![expect(unsafe_code, reason = "an allocator is unsafe to write")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    mem::ManuallyDrop,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use bellwether::{
    current,
    export::Memory,
    span,
    trace::{self, Span, SpanRecord, SpanScope, Tracer, sampler::Tail},
};

thread_local! {
    /// What the next allocation ends.
    static ON_STACK: ManuallyDrop<Cell<Option<SpanScope>>> = const { ManuallyDrop::new(Cell::new(None)) };
    static OWNED: ManuallyDrop<Cell<Option<Span>>> = const { ManuallyDrop::new(Cell::new(None)) };
}

thread_local! {
    /// Whether each allocation makes a span.
    static MAKES: ManuallyDrop<Cell<bool>> = const { ManuallyDrop::new(Cell::new(false)) };
}

thread_local! {
    /// Whether each allocation sets an attribute of the current span.
    static SETS: ManuallyDrop<Cell<bool>> = const { ManuallyDrop::new(Cell::new(false)) };
}

struct Ending;

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Ending {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        drop((ON_STACK.with(|scope| scope.take()), OWNED.with(|span| span.take())));
        if MAKES.with(|makes| makes.replace(false)) {
            span("of an allocation").enter().end();
            MAKES.with(|makes| makes.set(true));
        }
        if SETS.with(|sets| sets.replace(false)) {
            trace::set_attribute("bytes", layout.size() as i64);
            SETS.with(|sets| sets.set(true));
        }
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc`, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Ending = Ending;

#[test]
fn what_an_allocation_ends_within_a_spans_start_is_not_lost_and_not_current() {
    let spans = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&spans);
    let accept = move |batch: &mut Vec<SpanRecord>| {
        let names = batch.iter().map(|span| span.name().to_owned());
        sink.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(names);
    };
    let tracer = Tracer::builder(accept).build();
    let _entered = trace::enter(Some(Arc::clone(&tracer)));
    let (outer, owned) = (span("outer").enter(), span("owned").start());
    ON_STACK.with(|armed| armed.set(Some(outer)));
    OWNED.with(|armed| armed.set(Some(owned)));
    // Two records are in use, so that this span needs the memory of a third.
    let inner = span("inner").enter();
    assert!(ON_STACK.with(|armed| armed.take()).is_none(), "nothing was allocated");
    drop(inner);
    drop(span("next").enter());
    assert!(current().is_none());
    tracer.collect();
    let mut names = spans.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    names.sort_unstable();
    assert_eq!(names, ["inner", "next", "outer", "owned"]);
    assert_eq!(tracer.lost(), 0);
}

#[test]
fn an_allocation_may_make_a_span_while_a_tail_sampler_takes_some() {
    let tracer = Tracer::builder(|batch: &mut Vec<SpanRecord>| batch.clear())
        .tail_sampler(Tail::new().otherwise(1.0))
        .build();
    let _entered = trace::enter(Some(Arc::clone(&tracer)));
    tracer.close(); // From now on each span is handed over when it ends.
    MAKES.with(|makes| makes.set(true));
    span("root").enter().end();
    MAKES.with(|makes| makes.set(false));
    assert!(current().is_none());
}

#[test]
fn an_allocation_may_set_attributes_of_a_span_that_is_exported_as_it_stands() {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        let spans = Memory::<SpanRecord>::new();
        let builder = bellwether::builder("allocator").export(spans.clone()).export_open_spans();
        let telemetry = builder.start().unwrap();
        let import = span("import").enter();
        import.set_attribute("file", "a.csv");
        SETS.with(|sets| sets.set(true));
        telemetry.flush(Duration::from_secs(5));
        SETS.with(|sets| sets.set(false));
        import.end();
        telemetry.shutdown(Duration::from_secs(5));
        let are_open: Vec<_> = spans.records().iter().map(SpanRecord::is_open).collect();
        done.send(are_open).unwrap();
    });
    // Longer than everything above waits for, and only if it waits for itself.
    assert_eq!(is_done.recv_timeout(Duration::from_secs(60)), Ok(vec![true, false]));
}
