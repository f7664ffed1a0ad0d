//! Traces that are decided about when they have ended.

use std::{
    collections::HashMap,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use proptest::prelude::*;

use super::*;
use crate::{
    clock::ManualClock,
    trace::sampler::{LocalTrace, P99, Tail},
};

const SECOND: Duration = Duration::from_secs(1);

fn kept(tail: Tail) -> Kept {
    Kept::with(|builder| builder.tail_sampler(tail))
}

/// What is exported once every trace is decided whose root has ended.
fn names(kept: &Kept) -> Vec<String> {
    kept.tracer.flush();
    let mut names: Vec<_> = kept.spans.lock().iter().map(|span| span.name().to_owned()).collect();
    names.sort();
    names
}

fn fail() {
    set_status(Status::Error("no".into()));
}

#[test]
fn a_trace_with_an_error_anywhere_is_kept_whole_and_others_are_not() {
    let kept = kept(Tail::new().errors(1.0));
    for has_failed in [false, true] {
        let _root = span(if has_failed { "bad" } else { "good" }).enter();
        let _child = span("child").enter();
        span("leaf").enter().end();
        if has_failed {
            fail();
        }
    }
    assert_eq!(names(&kept), ["bad", "child", "leaf"]);
    assert_eq!(kept.tracer.tail_counts(), Some(([("kept", 3), ("dropped", 3), ("cut", 0)], 0)));
}

#[test]
fn a_trace_is_decided_by_all_that_ended_before_its_root_on_whatever_thread() {
    let kept = kept(Tail::new().errors(1.0));
    let root = span("root").start();
    let (context, tracer) = (root.context(), kept.tracer.clone());
    let (done, may_end) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|threads| {
        threads.spawn(|| {
            let _entered = enter(Some(tracer));
            let failing = span("failing").parent(context).enter();
            fail();
            drop(failing);
            done.wait();
            may_end.wait(); // Its buffer is not handed over by the end of the thread.
        });
        done.wait();
        drop(root);
        assert_eq!(names(&kept), ["failing", "root"]);
        may_end.wait();
    });
}

#[test]
fn spans_that_end_after_the_decision_follow_it() {
    let kept = kept(Tail::new().errors(1.0));
    let mut late = Vec::new();
    for has_failed in [false, true] {
        let root = span("root").enter();
        if has_failed {
            fail();
        }
        late.push(span(if has_failed { "late" } else { "nobody's" }).start());
        drop(root);
    }
    assert_eq!(names(&kept), ["root"]);
    drop(late);
    assert_eq!(names(&kept), ["late", "root"]);
}

#[test]
fn a_trace_waits_for_every_local_root_that_is_open() {
    let kept = kept(Tail::new().errors(1.0));
    let outer = span("outer").enter();
    let called = outer.context().span().clone().into_remote();
    span("called").parent(called).enter().end();
    assert!(names(&kept).is_empty());
    fail();
    drop(outer);
    assert_eq!(names(&kept), ["called", "outer"]);
}

#[test]
fn headers_carry_the_heads_decision_and_records_that_of_the_tail() {
    for tail_sees in [true, false] {
        let tail = Tail::new().errors(1.0);
        let tail = if tail_sees { tail } else { tail.only_sampled() };
        let kept =
            Kept::with(|builder| builder.sampler(ParentBased::new(AlwaysOff)).tail_sampler(tail));
        {
            let root = span("root").enter();
            assert_eq!((current().span().is_sampled(), root.is_recording()), (false, tail_sees));
            let child = span("child").enter();
            assert!(!child.context().span().is_sampled());
            fail();
        }
        assert_eq!(names(&kept).len(), if tail_sees { 2 } else { 0 });
        assert!(kept.spans.lock().iter().all(|span| span.context().is_sampled()));
    }
}

#[test]
fn slow_traces_are_kept_by_a_duration_and_by_what_knows_the_percentile() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let p99 = P99::new(|route| (route == "/known").then_some(0.5));
    let kept = kept(Tail::new().slower_than(2 * SECOND, 1.0).slower_than_p99(1.0).with_p99(p99));
    for (name, route, millis) in [
        ("slow", "/other", 2_001),
        ("fast", "/other", 2_000),
        ("slow for its route", "/known", 501),
        ("fast for its route", "/known", 500),
    ] {
        let root = span(name).enter();
        root.set_attribute("http.route", route);
        clock.advance(Duration::from_millis(millis));
    }
    assert_eq!(names(&kept), ["slow", "slow for its route"]);
}

#[test]
fn the_first_traces_of_each_route_and_minute_are_kept() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let kept = kept(Tail::new().first_per_minute(2));
    for _ in 0..2 {
        for name in ["a", "b", "a", "a", "a"] {
            span(name).enter().end();
        }
        kept.tracer.flush();
        clock.advance(60 * SECOND);
    }
    assert_eq!(names(&kept), ["a", "a", "a", "a", "b", "b"]);
}

#[test]
fn of_many_routes_a_thousand_are_told_apart() {
    let kept = kept(Tail::new().first_per_minute(1));
    for n in 0..5_000 {
        span(format!("route {n}")).enter().end();
    }
    assert_eq!(names(&kept).len(), 1_001); // And one for all others.
}

#[test]
fn attributes_and_criteria_of_ones_own_keep_traces() {
    let tail = Tail::new().attribute("tenant", "acme", 1.0);
    let kept = kept(tail.matching(|trace: &LocalTrace<'_>| trace.spans().len() > 2, 1.0));
    for (name, tenant, n_children) in
        [("acme", "acme", 0), ("few", "other", 1), ("many", "other", 2)]
    {
        let root = span(name).enter();
        root.set_attribute("tenant", tenant);
        (0..n_children).for_each(|_| span("child").enter().end());
    }
    assert_eq!(names(&kept), ["acme", "child", "child", "many"]);
}

#[test]
fn a_criterion_may_panic_and_use_spans_and_flush() {
    let tracer = Arc::new(Mutex::new(None::<Arc<Tracer>>));
    let inner = tracer.clone();
    let matching = move |trace: &LocalTrace<'_>| {
        span("of the criterion").enter().end();
        let tracer = inner.lock().clone();
        tracer.iter().for_each(|tracer| tracer.flush());
        assert!(trace.route() != "panics", "by intent");
        true
    };
    let kept = kept(Tail::new().matching(matching, 1.0).otherwise(0.0));
    *tracer.lock() = Some(kept.tracer.clone());
    for name in ["panics", "matches"] {
        span(name).enter().end();
    }
    assert_eq!(names(&kept), ["matches"]);
    tracer.lock().take();
}

#[test]
fn a_criterion_that_panics_costs_no_trace_that_another_one_keeps() {
    let kept = kept(Tail::new().matching(|_| panic!("by intent"), 0.5).errors(1.0));
    {
        let _root = span("bad").enter();
        fail();
    }
    assert_eq!(names(&kept), ["bad"]);
}

#[test]
fn a_trace_of_many_spans_is_cut_and_what_was_cut_is_counted() {
    let kept = kept(Tail::new().otherwise(1.0).max_spans_per_trace(100));
    {
        let _root = span("root").enter();
        (0..1_000).for_each(|_| span("child").enter().end());
    }
    assert_eq!(names(&kept).len(), 101); // The root is the one that is never cut.
    let (counts, n_bytes) = kept.tracer.tail_counts().unwrap();
    assert_eq!((counts, n_bytes), ([("kept", 101), ("dropped", 0), ("cut", 900)], 0));
}

#[test]
fn beyond_its_bytes_the_oldest_trace_is_decided_as_it_stands() {
    let kept = kept(Tail::new().errors(1.0).max_bytes(100_000));
    let mut roots = Vec::new();
    for _ in 0..1_000 {
        let root = span("root").root().start();
        let failing = span("failing").parent(root.context()).enter();
        fail();
        drop(failing);
        roots.push(root);
    }
    kept.tracer.collect();
    let n_decided = kept.spans.lock().len();
    let (_, n_bytes) = kept.tracer.tail_counts().unwrap();
    assert!(n_decided > 100 && n_decided < 1_000 && n_bytes <= 100_000, "{n_decided} {n_bytes}");
    drop(roots); // They follow, each as its trace was decided.
    assert_eq!(names(&kept).len(), 2_000);
}

#[test]
fn a_root_that_never_ends_is_waited_for_no_longer_than_said() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let kept = kept(Tail::new().errors(1.0).max_wait(10 * SECOND));
    let root = span("leaked").enter();
    span("child").enter().end();
    fail();
    clock.advance(10 * SECOND);
    assert!(names(&kept).is_empty());
    clock.advance(SECOND);
    assert!(names(&kept).is_empty(), "the child has not failed");
    drop(root);
    assert!(names(&kept).is_empty());
    assert_eq!(kept.tracer.tail_counts().unwrap().0, [("kept", 0), ("dropped", 2), ("cut", 0)]);
}

#[test]
fn what_waits_at_the_end_is_decided_as_it_stands() {
    let kept = kept(Tail::new().errors(1.0));
    let root = span("root").enter();
    {
        let _failing = span("failing").enter();
        fail();
    }
    kept.tracer.close();
    drop(root);
    assert_eq!(names(&kept), ["failing", "root"]);
}

#[test]
fn a_ratio_keeps_its_share_beside_all_errors() {
    let kept = kept(Tail::new().errors(1.0).otherwise(0.1));
    let (n, n_errors) = (40_000, 400);
    for i in 0..n {
        let root = span(if i % (n / n_errors) == 0 { "bad" } else { "good" }).enter();
        if i % (n / n_errors) == 0 {
            fail();
        }
        drop(root);
    }
    let names = names(&kept);
    let n_good = names.iter().filter(|name| *name == "good").count() as f64;
    assert_eq!(names.len() - n_good as usize, n_errors);
    // Five standard deviations of a binomial distribution.
    let (expected, variance) = (0.1 * (n - n_errors) as f64, 0.09 * (n - n_errors) as f64);
    assert!((n_good - expected).abs() < 5.0 * variance.sqrt(), "{n_good} of {expected}");
    // Each says how many it stands for.
    let spans = kept.spans.lock();
    let standing = |span: &SpanRecord| span.probability().unwrap().adjusted_count();
    let estimated: f64 = spans.iter().map(standing).sum();
    assert!((estimated - n as f64).abs() < 5.0 * 10.0 * variance.sqrt(), "{estimated}");
    assert!(
        spans.iter().all(|span| standing(span) == if span.name() == "bad" { 1.0 } else { 10.0 })
    );
}

#[test]
fn what_the_head_samples_with_a_probability_is_exported_with_the_smaller_one() {
    use crate::trace::sampler::ConsistentProbability;

    for (head, tail, exported) in [(0.5, 0.25, 0.25), (0.25, 0.5, 0.25)] {
        let tail = Tail::new().otherwise(tail).only_sampled();
        let head = ConsistentProbability::new(head);
        let kept = Kept::with(|builder| builder.sampler(head).tail_sampler(tail));
        (0..1_000).for_each(|_| span("root").enter().end());
        let n_kept = names(&kept).len();
        assert!((150..350).contains(&n_kept), "{n_kept}");
        let spans = kept.spans.lock();
        assert!(spans.iter().all(|span| span.probability().unwrap().to_f64() == exported));
    }
}

#[test]
fn an_end_that_is_far_ahead_does_not_stop_the_first_of_each_minute() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let kept = kept(Tail::new().first_per_minute(1));
    let ahead = clock::now().after(10_000_000_000_000);
    span("far ahead").start().end_at(ahead);
    for _ in 0..2 {
        kept.tracer.flush();
        clock.advance(60 * SECOND);
        span("far ahead").enter().end();
    }
    assert_eq!(names(&kept).len(), 3);
}

#[test]
fn a_root_that_is_open_for_longer_than_traces_wait_is_slow() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    for (limit, expected) in [(5, &["child", "root"][..]), (20, &[])] {
        let kept = kept(Tail::new().slower_than(limit * SECOND, 1.0).max_wait(10 * SECOND));
        let root = span("root").enter();
        span("child").enter().end();
        clock.advance(11 * SECOND);
        kept.tracer.collect();
        clock.advance(SECOND);
        drop(root);
        assert_eq!(names(&kept), expected);
    }
}

#[test]
fn what_no_sampler_wanted_is_not_exported_by_the_next_tracer_either() {
    let first = Kept::with(|builder| builder.sampler(AlwaysOff).tail_sampler(Tail::new()));
    let _root = span("root").enter();
    let second = Kept::new(ParentBased::new(AlwaysOn));
    span("child").enter().end();
    assert!(second.spans().is_empty());
    drop((second, first));
}

#[test]
fn callers_that_all_name_one_trace_have_the_room_of_one() {
    let kept = kept(Tail::new().otherwise(1.0).max_spans_per_trace(10));
    let caller = caller(1);
    let requests: Vec<_> =
        (0..100).map(|_| span("request").parent(caller.clone()).start()).collect();
    drop(requests);
    assert_eq!(names(&kept).len(), 11); // The last root is the one that is never cut.
    assert_eq!(kept.tracer.tail_counts().unwrap().0, [("kept", 11), ("dropped", 0), ("cut", 89)]);
}

#[test]
fn traces_over_threads_are_whole_whoever_collects_meanwhile() {
    const N: u32 = 2_000;
    let kept = kept(Tail::new().errors(1.0));
    let (is_over, expected) = (AtomicBool::new(false), Mutex::new(HashMap::new()));
    let traced = &|| enter(Some(kept.tracer.clone()));
    thread::scope(|threads| {
        let makers = [0, 1].map(|maker| {
            let (send, receive) = mpsc::sync_channel::<(Context, bool, mpsc::Sender<()>)>(0);
            threads.spawn(move || {
                let _entered = traced();
                for (order, has_failed, done) in receive {
                    let _order = order.enter();
                    let (outer, inner) = (span("outer").enter(), span("inner").enter());
                    if has_failed {
                        fail();
                    }
                    drop((inner, outer));
                    done.send(()).unwrap();
                }
            });
            let expected = &expected;
            threads.spawn(move || {
                let _entered = traced();
                for n in 0..N {
                    let (root, has_failed) = (span("root").enter(), (n + maker) % 5 == 0);
                    let (done, wait) = mpsc::channel();
                    send.send((root.context(), has_failed, done)).unwrap();
                    wait.recv().unwrap();
                    let n_expected = if has_failed { 3 } else { 0 };
                    expected.lock().insert(root.context().trace_id(), n_expected);
                }
            })
        });
        threads.spawn(|| {
            while !is_over.load(Relaxed) {
                kept.tracer.flush()
            }
        });
        makers.into_iter().for_each(|maker| maker.join().unwrap());
        is_over.store(true, Relaxed);
    });
    kept.tracer.flush();
    let mut n_kept: HashMap<TraceId, i32> = HashMap::new();
    kept.spans.lock().iter().for_each(|span| *n_kept.entry(span.trace_id()).or_default() += 1);
    let expected = expected.into_inner();
    assert_eq!(expected.len(), 2 * N as usize);
    for (trace, n) in expected {
        assert_eq!(n_kept.get(&trace).copied().unwrap_or(0), n);
    }
}

proptest! {
    /// Traces of some spans, ended in any order with collections between: each is kept whole or not at
    /// all, and exactly if one of its spans that ended before its root has failed.
    #[test]
    fn any_order_of_ends_decides_as_a_naive_twin(
        ends in prop::collection::vec((0usize..6, 0u8..4), 1..80),
    ) {
        let kept = kept(Tail::new().errors(1.0));
        let mut roots: Vec<Option<Span>> = (0..6).map(|_| Some(span("root").root().start())).collect();
        let contexts: Vec<_> = roots.iter().flatten().map(Span::context).collect();
        let mut has_failed = [false; 6];
        let mut n_spans = [0; 6];
        for (which, act) in ends {
            match act {
                0 | 1 if roots[which].is_some() => {
                    let child = span("child").parent(contexts[which].clone()).enter();
                    if act == 1 {
                        fail();
                        has_failed[which] = true;
                    }
                    drop(child);
                    n_spans[which] += 1;
                }
                2 if roots[which].take().is_some() => n_spans[which] += 1,
                3 => kept.tracer.collect(),
                _ => {}
            }
        }
        let ended: Vec<bool> = roots.iter().map(Option::is_none).collect();
        kept.tracer.flush();
        let spans = kept.spans.lock();
        for which in 0..6 {
            let n = spans.iter().filter(|span| span.trace_id() == contexts[which].trace_id()).count();
            let expected = if ended[which] && has_failed[which] { n_spans[which] } else { 0 };
            prop_assert_eq!(n, expected, "trace {}", which);
        }
    }
}

#[test]
fn a_flush_waits_for_another_thread_that_decides() {
    let (began, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let barriers = (began.clone(), go_on.clone());
    let matching = move |trace: &LocalTrace<'_>| {
        if trace.route() == "slow" {
            barriers.0.wait();
            barriers.1.wait();
        }
        true
    };
    let kept = kept(Tail::new().matching(matching, 1.0));
    span("slow").enter().end();
    let tracer = kept.tracer.clone();
    let other = thread::spawn(move || tracer.flush());
    began.wait();
    span("meanwhile").enter().end();
    let tracer = kept.tracer.clone();
    let flushing = thread::spawn(move || tracer.flush());
    // Long enough for it to have given up, if it did.
    let since = clock::now();
    while clock::now().seconds_since(since) < 0.3 && !flushing.is_finished() {
        thread::yield_now();
    }
    go_on.wait();
    for thread in [other, flushing] {
        thread.join().unwrap();
    }
    assert_eq!(kept.spans.lock().len(), 2);
}

#[test]
fn of_several_criteria_that_match_the_largest_share_holds() {
    for shares in [[0.0, 1.0], [1.0, 0.0]] {
        let tail = Tail::new().errors(shares[0]).matching(|_| true, shares[1]);
        let kept = kept(tail);
        let root = span("root").enter();
        fail();
        drop(root);
        assert_eq!(names(&kept), ["root"], "{shares:?}");
    }
}
