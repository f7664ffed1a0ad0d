//! Spans that go from thread to thread, and those of threads that end.

use super::*;

#[test]
fn a_span_may_end_on_another_thread() {
    let kept = Kept::new(AlwaysOn);
    let root = span("root").enter();
    let mut moved = span("moved").start();
    std::thread::spawn(move || {
        moved.set_attribute("there", true);
        let _scope = moved.enter();
        assert!(current().span().is_valid());
    })
    .join()
    .unwrap();
    drop(root);
    assert_eq!(kept.tree(), "root(moved)");
}

#[test]
fn a_full_buffer_is_handed_over_by_its_thread() {
    let kept = Kept::new(AlwaysOn);
    (0..255).for_each(|_| span("small").enter().end());
    assert_eq!(kept.spans.lock().len(), 0);
    span("small").enter().end();
    assert_eq!(kept.spans.lock().len(), 256);
    for _ in 0..14 {
        let scope = span("large").enter();
        (0..10).for_each(|i| scope.set_attribute(format!("k{i}"), "v".repeat(1_000)));
    }
    assert_eq!(kept.spans.lock().len(), 256 + 12);
}

#[test]
fn what_another_thread_collects_is_handed_over_before_the_next_spans_of_its_thread() {
    let ((entered, has_entered), (let_go, held)) = (mpsc::channel(), mpsc::channel::<()>());
    let held = Mutex::new(held);
    let names = Arc::new(Mutex::new(Vec::new()));
    let kept = names.clone();
    let sink = move |batch: &mut Vec<SpanRecord>| {
        if std::thread::current().name() == Some("collector") {
            let _ = (entered.send(()), held.lock().recv());
        }
        kept.lock().extend(batch.drain(..).map(|span| span.name().to_owned()));
    };
    let tracer = Tracer::builder(sink).sampler(EverySpan::new(AlwaysOn)).build();
    let (goes_on, may_go_on) = mpsc::channel::<()>();
    let (done, is_done) = mpsc::channel();
    let own = Arc::clone(&tracer);
    let recorder = std::thread::spawn(move || {
        let _entered = enter(Some(own));
        span("first").enter().end();
        done.send(()).unwrap();
        may_go_on.recv().unwrap();
        (0..256).for_each(|_| span("later").enter().end());
        done.send(()).unwrap();
    });
    is_done.recv().unwrap();
    let own = Arc::clone(&tracer);
    let collector = std::thread::Builder::new().name("collector".to_owned());
    let collector = collector.spawn(move || own.collect()).unwrap();
    has_entered.recv().unwrap();
    goes_on.send(()).unwrap();
    // It waits for the collector, unless it may overtake.
    let _ = is_done.recv_timeout(Duration::from_millis(100));
    drop(let_go);
    collector.join().unwrap();
    recorder.join().unwrap();
    tracer.collect();
    let names = names.lock();
    assert_eq!((names[0].as_str(), names.len()), ("first", 257));
}

#[test]
fn an_ended_thread_leaves_nothing_behind_and_loses_nothing() {
    let kept = Kept::new(AlwaysOn);
    for _ in 0..300 {
        let tracer = Arc::clone(&kept.tracer);
        std::thread::spawn(move || {
            let _entered = enter(Some(tracer));
            span("short").enter().end();
        })
        .join()
        .unwrap();
    }
    assert_eq!(kept.spans().len(), 300);
    assert_eq!(kept.tracer.n_threads(), 0);
}

#[test]
fn spans_work_in_destructors_of_a_thread() {
    /// Ends a span when its thread-local is destroyed.
    struct Late(Option<(Arc<Tracer>, mpsc::Sender<bool>)>);
    impl Drop for Late {
        fn drop(&mut self) {
            if let Some((tracer, sender)) = self.0.take() {
                let _entered = enter(Some(tracer));
                let scope = span("late").enter();
                let _ = sender.send(scope.is_recording() && current().span().is_valid());
            }
        }
    }
    thread_local!(static LATE: std::cell::RefCell<Late> = const { std::cell::RefCell::new(Late(None)) });
    let kept = Kept::new(AlwaysOn);
    for before in [true, false] {
        let (sender, receiver) = mpsc::channel();
        let tracer = Arc::clone(&kept.tracer);
        std::thread::spawn(move || {
            let _entered = enter(Some(Arc::clone(&tracer)));
            // Both orders of registration, since destructors run in one or the other.
            if before {
                span("early").enter().end();
            }
            LATE.with(|late| late.borrow_mut().0 = Some((tracer, sender)));
            if !before {
                span("early").enter().end();
            }
        })
        .join()
        .unwrap();
        assert!(receiver.recv().unwrap());
    }
    assert_eq!(kept.spans().len(), 4);
    assert_eq!(kept.tracer.n_threads(), 0);
}

#[test]
fn a_span_that_outlives_its_tracers_reign_still_reaches_it() {
    let spans = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&spans);
    let tracer = Tracer::builder(move |batch: &mut Vec<_>| sink.lock().append(batch)).build();
    let entered = enter(Some(Arc::clone(&tracer)));
    let open = span("open").start();
    drop(entered);
    tracer.close();
    drop(open);
    assert_eq!(spans.lock().len(), 1);
    let orphan = {
        let _entered = enter(Some(Arc::clone(&tracer)));
        span("orphan").start()
    };
    let _other = Kept::new(AlwaysOn);
    drop(span("binds the thread to the other tracer").enter());
    drop(tracer);
    drop(orphan); // Its tracer is gone: nothing to do, and nothing to panic about.
    assert_eq!(spans.lock().len(), 1);
}

#[test]
fn a_sink_may_end_spans_after_the_tracer_was_closed() {
    let (send, open) = mpsc::channel::<Span>();
    let open = Mutex::new(open);
    let spans = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&spans);
    let tracer = Tracer::builder(move |batch: &mut Vec<_>| {
        sink.lock().append(batch);
        let ended = open.lock().try_iter().collect::<Vec<_>>();
        drop(ended);
    })
    .build();
    let _entered = enter(Some(Arc::clone(&tracer)));
    tracer.close();
    send.send(span("of the sink").start()).unwrap();
    span("a").enter().end();
    span("b").enter().end();
    let names: Vec<_> = spans.lock().iter().map(|span| span.name().to_owned()).collect();
    assert_eq!(names, ["a", "of the sink", "b"]);
}

#[test]
fn the_last_span_of_a_tracer_reaches_its_sink_from_a_thread_that_has_ended() {
    /// Lets go of its tracer before the span, when its thread-local is destroyed.
    struct Late(Option<Arc<Tracer>>);
    impl Drop for Late {
        fn drop(&mut self) {
            if let Some(tracer) = self.0.take() {
                let entered = enter(Some(tracer));
                let scope = span("late").enter();
                drop(entered);
                drop(scope);
            }
        }
    }
    thread_local!(static LATE: std::cell::RefCell<Late> = const { std::cell::RefCell::new(Late(None)) });
    for before in [true, false] {
        let (send, received) = mpsc::channel();
        let sink = move |batch: &mut Vec<SpanRecord>| {
            // This thread's spans are free: what is carried is current.
            let caller = caller(1);
            let _carried = span("in the sink").parent(caller.clone()).enter();
            send.send((batch.len(), current() == caller.into())).unwrap();
        };
        std::thread::spawn(move || {
            let tracer = Tracer::builder(sink).build();
            let early = || drop(span("nobody's").parent(caller(1)).enter());
            if before {
                early();
            }
            LATE.with(|late| late.borrow_mut().0 = Some(tracer));
            if !before {
                early();
            }
        })
        .join()
        .unwrap();
        assert_eq!(received.iter().collect::<Vec<_>>(), [(1, true)]);
    }
}

#[test]
fn open_spans_are_counted_wherever_they_start_and_end() {
    let kept = Kept::new(AlwaysOn);
    assert_eq!(kept.tracer.open(), 0);
    let scope = span("scope").enter();
    let moved = span("moved").start();
    span("over").enter().end();
    std::mem::forget(span("leaked").start());
    assert_eq!(kept.tracer.open(), 3);
    let tracer = kept.tracer.clone();
    std::thread::spawn(move || {
        let _entered = enter(Some(tracer));
        drop(moved);
        std::mem::forget(span("leaked").start());
    })
    .join()
    .unwrap();
    assert_eq!(kept.tracer.open(), 3);
    drop(scope);
    assert_eq!((kept.tracer.open(), kept.spans().len()), (2, 3));
}

#[test]
fn a_million_open_spans_are_recorded_up_to_a_bound_and_the_others_are_counted() {
    let kept = Kept::new(ParentBased::new(AlwaysOn));
    let spans: Vec<Span> = (0..1_000_000).map(|_| span("open").start()).collect();
    let n_recorded = spans.iter().filter(|span| span.is_recording()).count();
    assert!((1 << 18..1_000_000).contains(&n_recorded), "{n_recorded}");
    assert_eq!(kept.tracer.lost(), 1_000_000 - n_recorded as u64);
    assert!(spans.iter().all(|span| span.context().span().is_valid()));
    drop(spans);
    assert_eq!(kept.tracer.open(), 0);
    assert!(span("after").start().is_recording());
}

#[test]
fn spans_that_end_on_other_threads_leave_room() {
    let kept = Kept::new(AlwaysOn);
    let (send, receive) = mpsc::sync_channel::<Span>(64);
    let tracer = kept.tracer.clone();
    let ending = std::thread::spawn(move || {
        let _entered = enter(Some(tracer));
        receive.into_iter().for_each(drop);
    });
    for _ in 0..400_000 {
        let span = span("moved").start();
        assert!(span.is_recording());
        send.send(span).unwrap();
    }
    drop(send);
    ending.join().unwrap();
    assert_eq!((kept.tracer.open(), kept.tracer.lost()), (0, 0));
}

#[test]
fn a_thread_that_ends_the_spans_of_others_has_no_room_for_more_of_its_own() {
    let kept = Kept::new(AlwaysOn);
    let (send, receive) = mpsc::sync_channel::<Vec<Span>>(0);
    let tracer = kept.tracer.clone();
    let ending = std::thread::spawn(move || {
        let _entered = enter(Some(tracer));
        span("own").enter().end(); // From now on this thread counts for itself.
        receive.into_iter().for_each(drop);
        let open: Vec<Span> = (0..400_000).map(|_| span("open").start()).collect();
        let n_recorded = open.iter().filter(|span| span.is_recording()).count();
        assert!((1 << 18..270_000).contains(&n_recorded), "{n_recorded}");
    });
    for _ in 0..6 {
        send.send((0..50_000).map(|_| span("moved").start()).collect()).unwrap();
    }
    drop(send);
    ending.join().unwrap();
}
