//! Ten million random label sets thrown at one instrument: what it costs, and that nothing is lost.
//!
//! `cargo run --release --example cardinality [-- SETS]`. It fails if memory grows by more than
//! 64 MiB, if the series that was there before is touched, or if the overflow series is off by one.
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]

use std::time::Instant;

use bellwether::{
    Counter, Labels,
    label::OVERFLOW_KEY,
    metric::{Registry, SeriesValue},
};

static REQUESTS: Counter<Request<'static>> = Counter::new("requests", "Requests by who sent them");

#[derive(Labels)]
struct Request<'a> {
    user: &'a str,
    route: &'a str,
}

/// What each label set adds.
const EACH: u64 = 3;

fn main() -> Result<(), String> {
    let sets = std::env::args().nth(1).map_or(Ok(10_000_000), |sets| sets.parse::<u64>());
    let sets = sets.map_err(|error| format!("SETS is a number: {error}"))?;
    let known = REQUESTS.bind(Request { user: "known", route: "/" });
    known.add(7);
    let before = resident_bytes();

    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut beyond = Vec::with_capacity(100_000); // Nanoseconds of single records beyond the limit.
    for set in 0..sets {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let (user, route) =
            (format!("user-{random:016x}"), format!("/item/{}", random % 1_000_003));
        let request = Request { user: &user, route: &route };
        if set % 64 == 63 && beyond.len() < beyond.capacity() && set > 10_000 {
            let start = Instant::now();
            REQUESTS.with(request).add(EACH);
            beyond.push(start.elapsed().as_nanos() as u64);
        } else {
            REQUESTS.with(request).add(EACH);
        }
    }

    let grown = resident_bytes().saturating_sub(before);
    let snapshot = Registry::global().snapshot();
    let family = snapshot.family("requests").ok_or("the family is gone")?;
    let sum: f64 = family.series().iter().map(|series| series.value().as_f64()).sum();
    let overflow = snapshot.value("requests", &[(OVERFLOW_KEY, "true")]);
    let overflow = overflow.map_or(0.0, SeriesValue::as_f64);
    println!(
        "{sets} label sets: {} series, {overflow} in the overflow series",
        family.series().len()
    );
    println!("resident memory grew by {} KiB", grown / 1024);
    beyond.sort_unstable();
    if let Some(p99) = beyond.get(beyond.len() * 99 / 100) {
        let p50 = beyond[beyond.len() / 2];
        println!(
            "a record beyond the limit, two clock readings included: p50 {p50} ns, p99 {p99} ns"
        );
    }

    let own = family.series().len() as u64 - 2; // Without the known one and the overflow series.
    if known.value() != 7 {
        return Err(format!("the known series is {}, not 7", known.value()));
    }
    if sum != (7 + sets * EACH) as f64 || overflow != ((sets - own) * EACH) as f64 {
        return Err(format!("the sum is {sum}, of which {overflow} are in the overflow series"));
    }
    if grown > 64 << 20 {
        return Err(format!("memory grew by {grown} bytes"));
    }
    Ok(())
}

/// Zero where the system does not say.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
