//! A backend that was away for a minute, and all its clients: by the real delays, on a clock of the test's own.

use super::*;
use crate::pipeline::{answer::Decision, retry::Attempts};

const CLIENTS: usize = 500;
const AWAY: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// When requests come, in order: each client sends one a second, from its own instant on; from zero to [`AWAY`]
/// all are refused at once.
fn requests(retry: &Retry, asked: Option<Duration>) -> Vec<Duration> {
    let zero = real_instant();
    let mut seed = 1;
    let mut all = Vec::new();
    for client in 0..CLIENTS {
        let offset = SECOND * client as u32 / CLIENTS as u32;
        let mut attempts = Attempts::new(retry.clone(), zero + offset);
        let mut at = offset;
        while at < AWAY {
            all.push(at);
            let refused = Decision::Retry { after: asked };
            at += attempts.fail(refused, zero + at, random(&mut seed)).unwrap().length;
        }
        all.extend((0..5).map(|n| at + SECOND * n));
    }
    all.sort_unstable();
    all
}

/// Knuth's generator, mixed: the same numbers in each run.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed ^ (*seed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd)
}

/// The most requests within any second from `begin` on, in multiples of what comes when all is well.
fn most(requests: &[Duration], begin: Duration) -> f64 {
    let late = &requests[requests.partition_point(|&at| at < begin)..];
    let within = |&at: &Duration| late.partition_point(|&other| other < at + SECOND);
    let counts = late.iter().enumerate().map(|(n, at)| within(at) - n);
    counts.max().unwrap() as f64 / CLIENTS as f64
}

#[test]
fn a_backend_that_comes_back_gets_no_more_than_twice_its_usual_requests() {
    let requests = requests(&Retry::default(), None);
    let rate = most(&requests, AWAY - SECOND);
    assert!(rate <= 2.0, "{rate}");
    // Before that, it is asked less than usual, but for the first seconds.
    let rate = most(&requests[..requests.partition_point(|&at| at < AWAY)], SECOND * 10);
    assert!(rate <= 1.0, "{rate}");
}

#[test]
fn a_backend_that_goes_away_gets_no_more_than_twice_its_usual_requests() {
    let rate = most(&requests(&Retry::default(), None), Duration::ZERO);
    assert!(rate <= 2.0, "{rate}");
    let eager = Retry { initial: Duration::from_millis(100), ..Retry::default() };
    assert!(most(&requests(&eager, None), Duration::ZERO) > 2.0, "the first delay is why");
}

#[test]
fn clients_that_were_asked_to_wait_alike_come_back_as_they_came() {
    let requests = requests(&Retry::default(), Some(SECOND * 30));
    let rate = most(&requests, Duration::ZERO);
    assert!(rate <= 2.0, "{rate}");
}
