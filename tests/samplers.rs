//! Samplers as a service meets them: shares, rates and floors over a million traces, callers, the
//! environment, and another sampler while threads record.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    collections::{BTreeMap, HashMap},
    process::Command,
    sync::{
        Arc, Barrier, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bellwether::{
    Builder, Telemetry,
    context::SpanContext,
    export::Memory,
    extract, inject, span, testing,
    trace::{
        self, SpanBuilder, SpanKind, SpanRecord, Tracer,
        sampler::{
            self, Adaptive, AlwaysOff, AlwaysOn, EverySpan, IntoSampler, ParentBased, Probability,
            RateLimited, SpanCondition, TraceIdRatio,
        },
    },
};

/// Telemetry is the process's: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn builder() -> Builder {
    bellwether::builder("shop")
}

/// What became of the traces of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    began: u64,
    sampled: u64,
    estimate: f64, // Of how many began, by what the sampled ones say.
}

impl Count {
    fn begin(&mut self, root: SpanBuilder) {
        let root = root.enter();
        self.began += 1;
        if root.is_recording() {
            self.sampled += 1;
            let said = Probability::of_state(root.context().span().state());
            self.estimate += said.map_or(f64::NAN, Probability::adjusted_count);
        }
    }

    /// The share `p` was sampled, within five standard deviations, and the estimate is as near.
    #[track_caller]
    fn assert_share(&self, p: f64) {
        let began = self.began as f64;
        let most = 5.0 * (began * p * (1.0 - p)).sqrt();
        let off = self.sampled as f64 - began * p;
        assert!(off.abs() <= most, "{self:?}: off by {off:.0} > {most:.0}");
        if p > 0.0 {
            let off = self.estimate - began;
            assert!(off.abs() <= most / p + 1e-6 * began, "{self:?}: off by {off:.0}");
        }
    }
}

#[test]
fn a_million_traces_are_sampled_as_the_rules_say_and_can_be_counted() {
    let _turn = turn();
    let sampler = sampler::rules()
        .route("/health", 0.0)
        .attribute("tenant", "acme", 1.0)
        .when(SpanCondition::name("checkout*").and(SpanCondition::kind(SpanKind::Server)), 0.5)
        .kind(SpanKind::Consumer, 0.1)
        .otherwise(0.01);
    let _telemetry = builder().sampler(sampler).start().unwrap();
    let mut counts = BTreeMap::<_, Count>::new();
    for n in 0..1_000_000 {
        let (kind, root) = match n % 5 {
            0 => ("health", span("GET /health").kind(SpanKind::Server)),
            1 if n % 100 == 1 => ("acme", span("GET /orders").attribute("tenant", "acme")),
            1 => ("other tenant", span("GET /orders").attribute("tenant", "other")),
            2 => ("checkout", span("checkout pay").kind(SpanKind::Server)),
            3 => ("consumed", span("orders").kind(SpanKind::Consumer)),
            _ => ("outgoing", span("checkout call").kind(SpanKind::Client)),
        };
        counts.entry(kind).or_default().begin(root);
    }
    for (kind, p) in [
        ("health", 0.0),
        ("acme", 1.0),
        ("other tenant", 0.01),
        ("checkout", 0.5),
        ("consumed", 0.1),
        ("outgoing", 0.01),
    ] {
        counts[kind].assert_share(p);
    }
}

#[test]
fn a_million_traces_have_the_ratio_of_their_ids() {
    let _turn = turn();
    for (sampler, p) in [
        (TraceIdRatio::new(0.001).into_sampler(), 0.001),
        (TraceIdRatio::new(0.3).into_sampler(), 0.3),
        (0.05.into_sampler(), 0.05),
        (0.9.into_sampler(), 0.9),
    ] {
        let shown = format!("{sampler:?}");
        let telemetry = builder().sampler(sampler).start().unwrap();
        let n = (0..250_000).filter(|_| span("a").enter().is_recording()).count() as f64;
        let (expected, most) = (250_000.0 * p, 5.0 * f64::sqrt(250_000.0 * p * (1.0 - p)));
        assert!((n - expected).abs() <= most, "{n} of {expected} by {shown}");
        telemetry.shutdown(Duration::from_secs(5));
    }
}

/// A tracer of this thread, under a clock of the test's own.
fn tracer(sampler: impl IntoSampler) -> Arc<Tracer> {
    Tracer::builder(|spans: &mut Vec<SpanRecord>| spans.clear()).sampler(sampler).build()
}

#[test]
fn a_million_traces_keep_to_a_target_and_its_floors() {
    let scope = testing::scope();
    let _entered = trace::enter(Some(tracer(Adaptive::per_second(20).floor_per_minute(6))));
    let mut counts = HashMap::<String, Count>::new();
    let mut most_of_a_second = 0;
    // 1,000 seconds of 1,000 traces, spread evenly: a busy route has nearly all of them.
    for second in 0..1_000_u64 {
        let before: u64 = counts.values().map(|count| count.sampled).sum();
        for n in 0..1_000_u64 {
            scope.advance(Duration::from_millis(1));
            let name = match n {
                7 if second % 10 == 0 => "six a minute".to_owned(),
                8 if second % 60 == 0 => "one a minute".to_owned(),
                20..30 => format!("of ten {}", n % 10),
                _ => "busy".to_owned(),
            };
            counts.entry(name.clone()).or_default().begin(span(name));
        }
        let sampled = counts.values().map(|count| count.sampled).sum::<u64>() - before;
        most_of_a_second = most_of_a_second.max(sampled);
    }
    let sampled: u64 = counts.values().map(|count| count.sampled).sum();
    let most = 5.0 * 20_000_f64.sqrt();
    assert!((sampled as f64 - 20_000.0).abs() < most + 400.0, "{sampled} in 1,000 seconds");
    assert!(most_of_a_second <= 101, "{most_of_a_second}");
    for all in ["six a minute", "one a minute"] {
        assert_eq!(counts[all].sampled, counts[all].began, "{all}");
    }
    for n in 0..10 {
        let count = counts[&format!("of ten {n}")];
        // A thousand traces in 1,000 seconds, of which the floor is a hundred.
        assert!((95..200).contains(&count.sampled), "{n}: {count:?}");
    }
    let estimate: f64 = counts.values().map(|count| count.estimate).sum();
    assert!((estimate / 1e6 - 1.0).abs() < 5.0 / 20_000_f64.sqrt(), "{estimate}");
}

#[test]
fn a_million_traces_in_bursts_stay_within_five_targets_a_second() {
    let scope = testing::scope();
    let _entered = trace::enter(Some(tracer(Adaptive::per_second(10))));
    let mut count = Count::default();
    let mut last_seconds = Vec::new();
    for burst in 0..10 {
        let before = count.sampled;
        (0..100_000).for_each(|_| count.begin(span("burst")));
        last_seconds.push(count.sampled - before);
        scope.advance(Duration::from_millis(1_500 + 100 * burst));
    }
    assert!(last_seconds.iter().all(|n| (1..=51).contains(n)), "{last_seconds:?}");
}

#[test]
fn a_rate_is_kept_to_by_two_threads() {
    let _turn = turn();
    // So slow that no token comes back meanwhile.
    let _telemetry = builder().sampler(RateLimited::new(1e-3).burst(500)).start().unwrap();
    let both = Barrier::new(2);
    let record = || {
        both.wait();
        (0..100_000).filter(|_| span("a").enter().is_recording()).count()
    };
    let sampled = std::thread::scope(|scope| {
        let other = scope.spawn(record);
        record() + other.join().unwrap()
    });
    assert_eq!(sampled, 500);
}

#[test]
fn a_hundred_thousand_routes_are_bounded() {
    let scope = testing::scope();
    let entered = trace::enter(Some(tracer(RateLimited::new(1).per_route())));
    let sampled = |n: u32| (0..n).filter(|n| span(format!("/{n}")).enter().is_recording()).count();
    // As many as there are places, and one that all others share.
    let n = sampled(100_000);
    assert!((1_500..=2_049).contains(&n), "{n}");
    drop(entered);
    let _entered = trace::enter(Some(tracer(Adaptive::per_second(10).floor_per_minute(60))));
    let n = sampled(100_000);
    assert!((5..=51).contains(&n), "{n}");
    drop(scope);
}

const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const NOT_SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

fn served(traceparent: &'static str) -> bool {
    span("serve").parent(extract(&[("traceparent", traceparent)])).enter().is_recording()
}

#[test]
fn a_ratio_given_alone_does_not_tear_callers_traces() {
    let _turn = turn();
    for sampler in [0.0.into_sampler(), Box::new(AlwaysOff), Box::new(TraceIdRatio::new(0.0))] {
        let telemetry = builder().sampler(sampler).start().unwrap();
        assert!(served(SAMPLED) && !served(NOT_SAMPLED) && !span("a").enter().is_recording());
        telemetry.shutdown(Duration::from_secs(5));
    }
    let telemetry = builder().sampler(EverySpan::new(AlwaysOff)).start().unwrap();
    assert!(!served(SAMPLED));
    telemetry.set_sampler(EverySpan::new(AlwaysOn));
    assert!(served(NOT_SAMPLED));
    telemetry.set_sampler(ParentBased::new(AlwaysOn).remote_sampled(RateLimited::new(2)));
    assert_eq!((0..5).filter(|_| served(SAMPLED)).count(), 2);
}

#[test]
fn a_service_that_samples_more_has_all_that_one_that_samples_less_has() {
    let _turn = turn();
    let telemetry = builder().sampler(0.1).start().unwrap();
    let mut calls = Vec::new();
    while calls.len() < 200 {
        let _client = span("call").kind(SpanKind::Client).enter();
        let mut headers = HashMap::new();
        inject(&mut headers);
        if headers.contains_key("tracestate") {
            calls.push(headers);
        }
    }
    // Each decides for itself, by the same random bits.
    telemetry.set_sampler(EverySpan::new(0.2));
    for headers in &calls {
        assert_eq!(headers["tracestate"], in_state(Probability::new(0.1)));
        let serve = span("serve").parent(extract(headers)).enter();
        assert!(serve.is_recording());
        let said = Probability::of_state(serve.context().span().state());
        assert_eq!(said, Some(Probability::new(0.2)));
    }
    telemetry.set_sampler(EverySpan::new(0.05));
    let n = calls
        .iter()
        .filter(|headers| span("serve").parent(extract(*headers)).enter().is_recording())
        .count();
    assert!((65..=135).contains(&n), "{n} of 200"); // Half of them.
}

/// The header's entry, as one writes it who knows of nothing but whole numbers.
fn in_state(probability: Probability) -> String {
    let digits = format!("{:014x}", probability.threshold());
    format!("ot=th:{}", digits.trim_end_matches('0'))
}

#[test]
fn strangers_begin_traces_of_our_own() {
    let _turn = turn();
    let spans = Memory::<SpanRecord>::new();
    let telemetry = builder().untrusted_callers().export(spans.clone()).start().unwrap();
    let caller = extract(&[("traceparent", NOT_SAMPLED), ("baggage", "admin=true")]);
    {
        let request = span("serve").parent(caller.clone()).enter();
        let mut headers = HashMap::new();
        inject(&mut headers);
        let next = extract(&headers);
        assert_eq!(next.trace_id(), request.context().trace_id());
        assert_ne!(next.trace_id(), caller.trace_id());
        assert!(next.span().is_sampled() && next.baggage().is_empty());
    }
    assert!(telemetry.flush(Duration::from_secs(5)).settled);
    let record = &spans.records()[0];
    assert_eq!(record.parent_span_id(), None);
    let linked: Vec<_> = record.links().iter().map(|link| link.context().clone()).collect();
    assert_eq!(linked, [caller.span().clone()]);
    // Once nothing is recorded, what a caller sent goes on as it came.
    telemetry.shutdown(Duration::from_secs(5));
    let _request = span("serve").parent(caller.clone()).enter();
    assert_eq!(bellwether::current(), caller);
}

#[test]
fn a_sampler_is_replaced_while_threads_record() {
    let _turn = turn();
    let telemetry = builder().sampler(AlwaysOff).start().unwrap();
    let (is_done, begun) = (AtomicBool::new(false), Barrier::new(3));
    let record = || {
        begun.wait();
        let mut torn = 0;
        while !is_done.load(Ordering::Relaxed) {
            let root = span("root").enter();
            let child = span("child").enter();
            torn += usize::from(root.is_recording() != child.is_recording());
        }
        torn
    };
    let torn = std::thread::scope(|scope| {
        let threads = [scope.spawn(record), scope.spawn(record)];
        begun.wait();
        for n in 0..500 {
            let (p, is_on) = if n % 2 == 0 { (1.0, true) } else { (0.0, false) };
            telemetry.set_sampler(p);
            let decided = std::thread::spawn(|| span("root").enter().is_recording());
            assert_eq!(decided.join().unwrap(), is_on);
            assert_eq!(span("root").enter().is_recording(), is_on);
        }
        is_done.store(true, Ordering::Relaxed);
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(torn, [0, 0]);
}

#[test]
fn a_sampler_that_comes_too_late_has_no_effect() {
    let _turn = turn();
    let telemetry: Telemetry = builder().disabled().start().unwrap();
    telemetry.set_sampler(AlwaysOn);
    assert!(!span("a").enter().is_recording());
    drop(telemetry);
    let telemetry = builder().sampler(AlwaysOff).start().unwrap();
    telemetry.shutdown(Duration::from_secs(5));
    telemetry.set_sampler(AlwaysOn);
    assert!(!span("a").enter().is_recording());
}

/// What the environment asks for, in a process that has it: this program again, with one test.
fn in_environment(sampler: &str, argument: Option<&str>) -> String {
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "says_how_it_samples", "--nocapture"]);
    again.env("OTEL_TRACES_SAMPLER", sampler).env("SAYS_HOW_IT_SAMPLES", "1");
    argument.into_iter().for_each(|argument| _ = again.env("OTEL_TRACES_SAMPLER_ARG", argument));
    let output = again.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = text.lines().find_map(|line| line.split_once("SAMPLES ")).unwrap();
    said.1.to_owned()
}

#[test]
fn says_how_it_samples() {
    if std::env::var_os("SAYS_HOW_IT_SAMPLES").is_none() {
        return;
    }
    let faults = Arc::new(Mutex::new(Vec::new()));
    let heard = faults.clone();
    let hook = move |kind: &str, _: &str| heard.lock().unwrap().push(kind.to_owned());
    let telemetry = builder().on_diagnostic(hook).start().unwrap();
    let roots = (0..10_000).filter(|_| span("a").enter().is_recording()).count();
    let (sampled, not_sampled) = (served(SAMPLED), served(NOT_SAMPLED));
    telemetry.shutdown(Duration::from_secs(5));
    // What is said in code comes first.
    let by_code = builder().sampler(AlwaysOff).start().unwrap();
    assert!(served(SAMPLED) && !span("a").enter().is_recording());
    drop(by_code);
    let faults = faults.lock().unwrap();
    println!("SAMPLES {} roots, {sampled} {not_sampled}, faults {faults:?}", roots.div_ceil(1_000));
}

#[test]
fn the_environment_decides_where_the_code_does_not() {
    let _turn = turn();
    for (sampler, argument, expected) in [
        ("always_on", None, "10 roots, true true, faults []"),
        ("always_off", None, "0 roots, false false, faults []"),
        ("parentbased_always_off", None, "0 roots, true false, faults []"),
        ("parentbased_traceidratio", Some("0.45"), "5 roots, true false, faults []"),
        ("traceidratio", Some("0"), "0 roots, false false, faults []"),
        ("parentbased_traceidratio", Some("x"), "10 roots, true false, faults [\"sampler\"]"),
        ("jaeger_remote", None, "10 roots, true false, faults [\"sampler\"]"),
    ] {
        assert_eq!(in_environment(sampler, argument), expected, "{sampler}");
    }
}

#[test]
fn a_sampler_can_be_tried_without_telemetry() {
    use bellwether::trace::sampler::{Candidate, Sampler as _};
    let name = "checkout".into();
    let id = "000000000000000000ffffffffffffff".parse().unwrap();
    let root = Candidate::new(&SpanContext::NONE, id, &name, SpanKind::Server);
    assert_eq!(root.randomness(), (1 << 56) - 1);
    let sampling = sampler::rules().name("check*", 1e-9).otherwise(0.0).sample(&root);
    assert!(sampling.is_sampled());
}
