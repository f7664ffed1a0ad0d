//! What a span costs its thread, and a context its headers.
//!
//! A plain loop: the least of many rounds, which a busy machine disturbs less than a mean, beside
//! the two readings of the clock that no recorded span can do without.

use std::{collections::HashMap, fmt, hint::black_box, sync::Arc, sync::Barrier};

use bellwether::{
    clock::{self, Ticks},
    extract,
    label::KeyValue,
    observe, span,
    trace::{
        self, SpanRecord, Tracer, inject_context,
        sampler::{
            self, Adaptive, AlwaysOff, AlwaysOn, ConsistentProbability, RateLimited, Sampler,
            TraceIdRatio,
        },
    },
};

const ROUNDS: usize = 400;
const CALLS: u32 = 2_000;

fn main() {
    measure("two readings of the clock", || _ = black_box((clock::now(), clock::now())));
    let lock = parking_lot::Mutex::new(0_u64);
    measure("a lock, taken and given back", || *black_box(&lock).lock() += 1);
    let root = || drop(black_box(span("root").enter()));
    measure("span, no tracer", root);
    under(AlwaysOff, || measure("root span, unsampled", root));
    under(TraceIdRatio::new(1e-9), || measure("root span, trace-id ratio 1e-9", root));
    under(ConsistentProbability::new(1e-9), || measure("root span, probability 1e-9", root));
    under(RateLimited::new(1e-3), || measure("root span, rate limited", root));
    under(by_rules(), || measure("root span, by rules", root));
    under(adaptive_sampler().floor_per_minute(0), || {
        measure("root span, adaptive, no floor", root)
    });
    under(adaptive_sampler(), || measure("root span, adaptive", root));
    under(AlwaysOn, || {
        measure("root span, sampled", root);
        measure("root span, owned", || drop(black_box(span("root").start())));
        measure("1 + 10 nested spans, sampled", || {
            let _root = span("root").enter();
            (0..10).for_each(|_| drop(black_box(span("child").enter())));
        });
        let _outer = span("outer").enter();
        measure("child span, sampled", root);
        measure("child span with 3 attributes", || {
            let scope = span("child").enter();
            scope.set_attribute("a", 1);
            scope.set_attribute("b", "text");
            scope.set_attribute("c", true);
        });
        let user = String::from("ann.smith@shop.example");
        measure("child span with a borrowed text", || {
            span("child").enter().set_attribute("user", black_box(&user));
        });
        measure("child span with an event of 2 attributes", || {
            let attributes = [KeyValue::new("user", &user), KeyValue::new("attempt", 2)];
            span("child").enter().add_event("tried", attributes);
        });
    });
    errors();
    two_threads("root span, sampled, on each of 2 threads", AlwaysOn);
    two_threads("root span, rate limited, on each of 2", RateLimited::new(1e-3));
    two_threads("root span, adaptive, on each of 2 threads", adaptive_sampler());
    headers();
}

/// A recorded error is three texts, of which each allocates; one that is not recorded costs nothing.
fn errors() {
    #[observe(name = "observed")]
    fn observed(fails: bool) -> Result<(), fmt::Error> {
        if fails { Err(fmt::Error) } else { Ok(()) }
    }
    let call = |fails| move || _ = black_box(observed(black_box(fails)));
    under(AlwaysOff, || {
        measure("observed function, unsampled, Ok", call(false));
        measure("observed function, unsampled, Err", call(true));
    });
    under(AlwaysOn, || {
        measure("observed function, sampled, Ok", call(false));
        measure("observed function, sampled, Err", call(true));
    });
}

fn headers() {
    under(AlwaysOn, || {
        let context = span("root").enter().context();
        let mut map: HashMap<String, String> = HashMap::new();
        measure("inject into and extract from a map", || {
            inject_context(black_box(&context), &mut map);
            black_box(extract(black_box(&map)));
        });
        let pairs = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
        measure("extract from pairs", || drop(black_box(extract(black_box(&pairs)))));
    });
}

fn two_threads(what: &str, sampler: impl Sampler) {
    let (tracer, both) = (tracer(sampler), Barrier::new(2));
    let work = || {
        let _entered = trace::enter(Some(Arc::clone(&tracer)));
        both.wait();
        least(|| drop(black_box(span("root").enter())))
    };
    let slower = std::thread::scope(|scope| {
        let other = scope.spawn(work);
        work().max(other.join().unwrap_or(f64::NAN))
    });
    print(what, slower);
}

fn adaptive_sampler() -> Adaptive {
    Adaptive::per_second(1)
}

fn by_rules() -> impl Sampler {
    sampler::rules().route("/health", 0.0).name("checkout*", 1.0).otherwise(1e-9)
}

fn under(sampler: impl Sampler, work: impl FnOnce()) {
    let _entered = trace::enter(Some(tracer(sampler)));
    work();
}

fn tracer(sampler: impl Sampler) -> Arc<Tracer> {
    // What a sink leaves is used again, as what an exporter has delivered.
    Tracer::builder(|_: &mut Vec<SpanRecord>| ()).sampler(sampler).build()
}

fn measure(what: &str, call: impl FnMut()) {
    print(what, least(call));
}

fn print(what: &str, nanos: f64) {
    println!("{what:<42} {nanos:8.1} ns");
}

/// The nanoseconds of one call in the quickest round.
fn least(mut call: impl FnMut()) -> f64 {
    let mut round = || {
        let start: Ticks = clock::now();
        (0..CALLS).for_each(|_| call());
        clock::now().nanos_since(start) as f64 / f64::from(CALLS)
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}
