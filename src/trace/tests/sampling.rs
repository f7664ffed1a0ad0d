//! Which spans samplers are asked about, callers, and samplers that are replaced.

use std::sync::{
    Barrier,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::*;

/// Samples all, and says which spans it was asked about.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<Mutex<Vec<(String, bool)>>>);

impl Sampler for Asked {
    fn sample(&self, span: &Candidate<'_>) -> Sampling {
        self.0.lock().push((span.name().to_owned(), span.parent().is_valid()));
        Sampling::SAMPLE
    }
}

fn asked(names: &[(&str, bool)]) -> Vec<(String, bool)> {
    names.iter().map(|(name, has_parent)| ((*name).to_owned(), *has_parent)).collect()
}

#[test]
fn a_sampler_is_asked_about_roots_alone() {
    let sampler = Asked::default();
    let kept = Kept::with(|builder| builder.sampler(sampler.clone()));
    let root = span("root").enter();
    span("child").enter().end();
    span("owned child").start().end();
    drop(root);
    span("of a caller").parent(caller(1)).enter().end();
    span("of an unsampled caller").parent(caller(0)).start().end();
    assert_eq!(*sampler.0.lock(), asked(&[("root", false)]));
    assert_eq!(kept.spans().len(), 4);
}

#[test]
fn a_ratio_leaves_the_traces_of_callers_whole() {
    let kept = Kept::with(|builder| builder.sampler(0.0));
    let served = span("served").parent(caller(1)).enter();
    span("child").enter().end();
    drop(served);
    span("root").enter().end();
    assert_eq!(kept.tree(), "");
    let names: Vec<_> = kept.spans().iter().map(|span| span.name().to_owned()).collect();
    assert_eq!(names, ["child", "served"]);
}

#[test]
fn every_span_is_asked_about_where_that_is_said() {
    let sampler = Asked::default();
    let _kept = Kept::with(|builder| builder.sampler(EverySpan::new(sampler.clone())));
    let root = span("root").enter();
    span("child").enter().end();
    drop(root);
    span("of a caller").parent(caller(1)).enter().end();
    let expected = asked(&[("root", false), ("child", true), ("of a caller", true)]);
    assert_eq!(*sampler.0.lock(), expected);
}

#[test]
fn a_probability_is_in_every_record_and_goes_out() {
    let kept = Kept::with(|builder| builder.sampler(1.0));
    let root = span("root").enter();
    let child = span("child").enter();
    let mut headers = std::collections::HashMap::new();
    inject(&mut headers);
    assert_eq!(headers["tracestate"], "ot=th:0");
    drop((child, root));
    span("owned").start().end();
    let said: Vec<_> = kept.spans().iter().map(SpanRecord::probability).collect();
    assert_eq!(said, [Some(Probability::ONE); 3]);
    let plain = Kept::new(AlwaysOn);
    span("root").enter().end();
    assert_eq!(plain.spans()[0].probability(), None);
}

fn distrusting(sampler: impl Sampler) -> Kept {
    Kept::with(|builder| builder.sampler(sampler).untrusted_callers())
}

/// A caller's context with baggage, of a trace that is sampled.
fn stranger() -> Context {
    Context::new(caller(1), Baggage::EMPTY.with("tenant", "acme"))
}

#[test]
fn an_untrusted_callers_trace_is_linked_and_not_continued() {
    let sampler = Asked::default();
    let kept = distrusting(sampler.clone());
    let stranger = stranger();
    let served = span("entered").parent(stranger.clone()).enter();
    assert!(current().baggage().is_empty() && current().span().state().is_empty());
    span("child").enter().end();
    drop(served);
    span("owned").parent(stranger.clone()).start().end();
    assert_eq!(*sampler.0.lock(), asked(&[("entered", false), ("owned", false)]));

    let spans = kept.spans();
    assert_eq!(kept.tree(), "entered(child) owned");
    for name in ["entered", "owned"] {
        let root = spans.iter().find(|span| span.name() == name).unwrap();
        assert_ne!(root.trace_id(), stranger.trace_id());
        assert!(!root.parent_is_remote());
        let link = &root.links()[0];
        assert_eq!(link.context().trace_id(), stranger.trace_id());
        assert_eq!(link.context().span_id(), stranger.span_id());
        assert!(link.context().is_remote() && link.context().state().is_empty());
        assert_eq!(link.attributes(), [KeyValue::new("caller.untrusted", true)]);
    }
    let child = spans.iter().find(|span| span.name() == "child").unwrap();
    assert!(child.links().is_empty());
}

#[test]
fn an_untrusted_caller_decides_nothing() {
    let kept = distrusting(AlwaysOff);
    for parent in [stranger(), SpanContext::decision(true).into()] {
        assert!(!span("a").parent(parent).enter().is_recording());
    }
    drop(kept);
    let kept = distrusting(AlwaysOn);
    for parent in [caller(0), caller(0).with_deferred_sampling(), SpanContext::decision(false)] {
        assert!(span("a").parent(parent).enter().is_recording());
    }
    // The last one has no span to link to.
    let links: Vec<_> = kept.spans().iter().map(|span| span.links().len()).collect();
    assert_eq!(links, [1, 1, 0]);
}

#[test]
fn an_untrusted_caller_that_is_current_is_not_continued_either() {
    let kept = distrusting(AlwaysOn);
    let carried = {
        let _muted = mute();
        span("carried").parent(stranger()).enter()
    };
    span("a").enter().end();
    span("b").start().end();
    drop(carried);
    assert_eq!(kept.tree(), "a b");
    assert!(kept.spans().iter().all(|span| span.links().len() == 1));
}

#[test]
fn a_parent_of_this_process_is_trusted() {
    let kept = distrusting(AlwaysOn);
    let root = span("root").start();
    span("child").parent(root.context()).enter().end();
    drop(root);
    assert_eq!(kept.tree(), "root(child)");
}

#[test]
fn callers_are_heeded_within_their_limit() {
    let clock = ManualClock::new();
    let _installed = clock::enter(Some(clock.clone()));
    let kept = Kept::with(|builder| builder.sampler(AlwaysOff).remote_sampled_per_second(3.0));
    let serve = || {
        let parent = caller(1);
        let served = span("served").parent(parent.clone()).enter();
        assert_eq!(served.context().trace_id(), parent.trace_id());
        let child = span("child").enter();
        assert_eq!(served.is_recording(), child.is_recording());
        served.is_recording()
    };
    assert_eq!((0..10).filter(|_| serve()).count(), 3);
    clock.advance(Duration::from_secs(1));
    // Nor does another sampler bring back what was used.
    assert_eq!((0..2).filter(|_| serve()).count(), 2);
    kept.tracer.set_sampler(AlwaysOn);
    assert_eq!((0..10).filter(|_| serve()).count(), 1);
    assert!((0..10).all(|_| span("root").enter().is_recording()));
    assert!((0..10).all(|_| !span("unsampled").parent(caller(0)).enter().is_recording()));
    clock.advance(Duration::from_secs(1));
    assert_eq!((0..10).filter(|_| serve()).count(), 3);
}

#[test]
fn a_caller_beyond_the_limit_keeps_its_state_but_for_the_probability() {
    let clock = ManualClock::new();
    let _installed = clock::enter(Some(clock.clone()));
    let kept = Kept::with(|builder| builder.remote_sampled_per_second(4.0));
    let state = TraceState::parse("ot=th:0,a=1").unwrap();
    let states: Vec<_> = (0..5)
        .map(|_| {
            let parent = caller(1).with_state(state.clone());
            let served = span("served").parent(parent).enter();
            served.context().span().state().as_str().to_owned()
        })
        .collect();
    // From the third on less than half of the tokens are left.
    assert_eq!(states, ["ot=th:0,a=1", "ot=th:0,a=1", "a=1", "a=1", "a=1"]);
    assert_eq!(kept.spans().len(), 4);
}

#[test]
fn a_new_sampler_decides_from_then_on_and_what_has_begun_stays() {
    let kept = Kept::with(|builder| builder.sampler(AlwaysOn));
    let root = span("root").enter();
    kept.tracer.set_sampler(AlwaysOff);
    let child = span("child").enter();
    assert!(child.is_recording());
    let other = span("other").root().enter();
    assert!(!other.is_recording());
    kept.tracer.set_sampler(1.0);
    assert!(!span("child of other").enter().is_recording());
    drop((other, child, root));
    assert!(span("last").enter().is_recording());
    kept.tracer.set_sampler(EverySpan::new(AlwaysOff));
    let before = span("before").enter();
    assert!(!before.is_recording());
    kept.tracer.set_sampler(EverySpan::new(AlwaysOn));
    assert!(span("asked about").enter().is_recording());
}

#[test]
fn the_old_sampler_goes_when_no_thread_has_it_and_may_panic_then() {
    #[derive(Debug)]
    struct Dropped(Arc<AtomicBool>);
    impl Sampler for Dropped {
        fn sample(&self, _: &Candidate<'_>) -> Sampling {
            Sampling::SAMPLE
        }
    }
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
            span("of the drop").enter().end();
            std::panic::resume_unwind(Box::new("in a drop"));
        }
    }
    let is_dropped = Arc::new(AtomicBool::new(false));
    let kept = Kept::with(|builder| builder.sampler(Dropped(is_dropped.clone())));
    span("a").enter().end();
    kept.tracer.set_sampler(AlwaysOn);
    assert!(!is_dropped.load(Ordering::Relaxed));
    span("b").enter().end();
    assert!(is_dropped.load(Ordering::Relaxed));
    assert_eq!(kept.tree(), "a b");
}

#[test]
fn a_sampler_may_replace_itself() {
    #[derive(Debug)]
    struct Once(Arc<Mutex<Option<Arc<Tracer>>>>);
    impl Sampler for Once {
        fn sample(&self, _: &Candidate<'_>) -> Sampling {
            let tracer = self.0.lock().take();
            tracer.iter().for_each(|tracer| tracer.set_sampler(AlwaysOff));
            Sampling::SAMPLE
        }
    }
    let own = Arc::new(Mutex::new(None));
    let kept = Kept::with(|builder| builder.sampler(Once(own.clone())));
    *own.lock() = Some(kept.tracer.clone());
    span("a").enter().end();
    span("b").enter().end();
    assert_eq!(kept.tree(), "a");
}

/// Writes its number on what it samples.
#[derive(Debug)]
struct Numbered(u64);

impl Sampler for Numbered {
    fn sample(&self, _: &Candidate<'_>) -> Sampling {
        Sampling::SAMPLE.with_attribute("sampler", self.0)
    }
}

#[test]
fn threads_that_record_have_the_sampler_that_was_put_in_place_before() {
    const LAST: u64 = 200;
    let kept = Kept::with(|builder| builder.sampler(Numbered(0)));
    let (in_place, both) = (AtomicU64::new(0), Barrier::new(2));
    let record = || {
        let _entered = enter(Some(kept.tracer.clone()));
        both.wait();
        loop {
            let before = in_place.load(Ordering::Acquire);
            let root = span("root").enter();
            root.set_attribute("in place", before);
            span("child").enter().end();
            if before == LAST {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(record);
        both.wait();
        for number in 1..=LAST {
            kept.tracer.set_sampler(Numbered(number));
            in_place.store(number, Ordering::Release);
            // Some spans with each, as far as the other thread gets to run.
            (0..20).for_each(|_| span("root").enter().end());
        }
    });
    let number = |span: &SpanRecord, key: &str| {
        let found = span.attributes().iter().find(|attribute| attribute.key == key);
        found.map(|attribute| attribute.value.to_string().parse::<u64>().unwrap())
    };
    let spans = kept.spans();
    let roots: Vec<_> = spans.iter().filter(|span| span.name() == "root").collect();
    for root in &roots {
        let (by, in_place) = (number(root, "sampler").unwrap(), number(root, "in place"));
        assert!(by >= in_place.unwrap_or(0), "{by} for {in_place:?}");
    }
    let of_other = roots.iter().filter(|root| number(root, "in place").is_some()).count();
    assert!(of_other > 0);
    assert_eq!(spans.iter().filter(|span| span.name() == "child").count(), of_other);
    assert_eq!(roots.len() - of_other, 20 * LAST as usize);
}
