//! A sampling probability, and how a trace state says it (OpenTelemetry's "TraceState: Probability
//! Sampling" and "TraceState Handling").
//!
//! A trace has 56 random bits: those of `rv`, if its state has that, otherwise the low ones of its id. It
//! is sampled with probability `p` if they are at least `T = (1 - p) * 2^56`. Every process that compares
//! the same bits comes to the same decision, and a trace that is sampled with some probability is sampled
//! with every larger one. The state's `th` says `T`, so that whoever counts spans knows how many each
//! stands for.

use std::{cmp::Ordering, fmt};

use crate::context::{TraceId, TraceState};

/// The probability with which a trace was sampled: how many traces each of the sampled ones stands for.
///
/// It is kept as the threshold that OpenTelemetry puts into the trace state.
///
/// # Examples
///
/// ```
/// use bellwether::{context::TraceState, trace::sampler::Probability};
///
/// let quarter = Probability::new(0.25);
/// assert_eq!((quarter.to_f64(), quarter.adjusted_count()), (0.25, 4.0));
///
/// let state = TraceState::parse("ot=th:c,vendor=1")?;
/// assert_eq!(Probability::of_state(&state), Some(quarter));
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Probability {
    threshold: u64, // In [0, 2^56]. Random bits below it are rejected: 2^56 rejects all.
}

/// The number of values of the random bits.
const VALUES: u64 = 1 << 56;

/// The digits of a threshold that has all of them.
const DIGITS: usize = 14;

/// The entry of a trace state that is OpenTelemetry's.
const ENTRY: &str = "ot";

impl Probability {
    /// Every trace.
    pub const ONE: Self = Self { threshold: 0 };
    /// No trace.
    pub const ZERO: Self = Self { threshold: VALUES };

    /// The probability `p`, to the nearest threshold; less than 0 and NaN are 0, more than 1 is 1.
    #[must_use]
    #[expect(clippy::manual_clamp, reason = "a clamped NaN stays one, which max turns into 0")]
    pub fn new(p: f64) -> Self {
        // A power of two times a number is exact, and the rounded product at most 2^56.
        let accepted = (p.max(0.0).min(1.0) * VALUES as f64).round() as u64;
        Self { threshold: VALUES - accepted }
    }

    /// What `state` says (`ot=th:…`): `None` if it says nothing, or nothing legal.
    #[must_use]
    pub fn of_state(state: &TraceState) -> Option<Self> {
        Self::parse(member(state, "th")?)
    }

    /// That of a [threshold](Self::threshold); of one beyond 2^56, zero.
    #[inline]
    pub(super) fn of_threshold(threshold: u64) -> Self {
        Self { threshold: threshold.min(VALUES) }
    }

    /// The threshold: of the 2^56 values of the random bits, how many are rejected.
    #[must_use]
    pub const fn threshold(self) -> u64 {
        self.threshold
    }

    /// The probability, from 0 to 1.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.accepted() as f64 / VALUES as f64
    }

    /// How many traces a sampled one stands for, itself included: one by the probability. Infinite for
    /// [`ZERO`](Self::ZERO).
    #[must_use]
    pub fn adjusted_count(self) -> f64 {
        VALUES as f64 / self.accepted() as f64
    }

    /// Whether it samples a trace with these random bits, of which only the low 56 are looked at.
    #[must_use]
    #[inline]
    pub const fn accepts(self, randomness: u64) -> bool {
        randomness & (VALUES - 1) >= self.threshold
    }

    /// Half of it, `times` times; after 57 times at most it is zero.
    pub(super) fn halved(self, times: u32) -> Self {
        Self { threshold: VALUES - self.accepted().checked_shr(times).unwrap_or(0) }
    }

    const fn accepted(self) -> u64 {
        VALUES - self.threshold
    }

    /// Reads a threshold of one to fourteen hex digits, those left out being zeros.
    fn parse(digits: &str) -> Option<Self> {
        let is_legal = (1..=DIGITS).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = if is_legal { u64::from_str_radix(digits, 16).ok()? } else { return None };
        Some(Self { threshold: number << (4 * (DIGITS - digits.len())) })
    }

    /// The threshold as `th` has it: hex digits without zeros at the end. Not for zero, which has none.
    fn digits(self) -> String {
        let digits = format!("{:0width$x}", self.threshold, width = DIGITS);
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
    }

    /// The state of a span that was sampled with this probability, which is not zero.
    pub(super) fn write(self, state: &TraceState) -> TraceState {
        match Self::of_state(state) {
            Some(same) if same == self => state.clone(),
            _ => rewrite(state, Some(self)),
        }
    }
}

/// As the tail sampler keeps traces.
impl Probability {
    /// Whether a trace with this state is kept.
    pub(in crate::trace) fn chooses(self, state: &TraceState, trace_id: TraceId) -> bool {
        self.accepts(randomness(state, trace_id))
    }

    /// The state of a span that is kept. If all spans were `seen`, that alone is its probability; else it
    /// had to be accepted with that of the head too, if that is known, and the smaller one is.
    pub(in crate::trace) fn of_kept(self, state: &TraceState, seen: bool) -> TraceState {
        match Self::of_state(state) {
            _ if seen => self.write(state),
            Some(head) => Self::of_threshold(self.threshold.max(head.threshold)).write(state),
            None => erase(state),
        }
    }
}

/// The state of a span of which nobody knows with what probability it was sampled: without `th`.
pub(super) fn erase(state: &TraceState) -> TraceState {
    match member(state, "th") {
        Some(_) => rewrite(state, None),
        None => state.clone(),
    }
}

/// Whether `state` says with what probability its span was sampled, be it legal or not.
pub(super) fn is_said(state: &TraceState) -> bool {
    member(state, "th").is_some()
}

/// The random bits of a trace.
#[inline]
pub(super) fn randomness(state: &TraceState, trace_id: TraceId) -> u64 {
    let of_id = trace_id.to_u128() as u64 & (VALUES - 1);
    if state.is_empty() { of_id } else { explicit_randomness(state).unwrap_or(of_id) }
}

/// What `rv` says.
#[cold]
fn explicit_randomness(state: &TraceState) -> Option<u64> {
    let digits = member(state, "rv").filter(|digits| digits.len() == DIGITS)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_hex { u64::from_str_radix(digits, 16).ok() } else { None }
}

/// The value of `key` in OpenTelemetry's entry.
fn member<'a>(state: &'a TraceState, key: &str) -> Option<&'a str> {
    if state.is_empty() {
        return None;
    }
    members(state).find_map(|(other, value)| (other == key).then_some(value))
}

fn members(state: &TraceState) -> impl Iterator<Item = (&str, &str)> {
    let entry = state.get(ENTRY).unwrap_or_default();
    entry.split(';').filter_map(|member| member.split_once(':'))
}

/// `state` with another `th`, or without one. What else is in OpenTelemetry's entry stays, and if there
/// is no room for `th` beside it, there is none.
fn rewrite(state: &TraceState, th: Option<Probability>) -> TraceState {
    let others: Vec<_> = members(state)
        .filter(|(key, _)| *key != "th")
        .map(|(key, value)| format!("{key}:{value}"))
        .collect();
    let others = others.join(";");
    if let Some(th) = th {
        let separator = if others.is_empty() { "" } else { ";" };
        if let Ok(state) = state.with(ENTRY, &format!("th:{}{separator}{others}", th.digits())) {
            return state;
        }
    }
    state.with(ENTRY, &others).unwrap_or_else(|_| state.without(ENTRY))
}

impl fmt::Debug for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probability({})", self.to_f64())
    }
}

/// The larger probability is the greater one.
impl Ord for Probability {
    fn cmp(&self, other: &Self) -> Ordering {
        other.threshold.cmp(&self.threshold)
    }
}

impl PartialOrd for Probability {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &str) -> TraceState {
        TraceState::parse(text).unwrap()
    }

    #[test]
    fn a_threshold_reads_back_as_it_was_written() {
        for p in [1.0, 0.5, 0.25, 1.0 / 3.0, 0.1, 0.01, 1e-6, 2f64.powi(-56)] {
            let probability = Probability::new(p);
            let written = probability.write(&TraceState::EMPTY);
            assert_eq!(Probability::of_state(&written), Some(probability), "{written:?}");
            assert!((probability.to_f64() / p - 1.0).abs() < 1e-9, "{p}");
        }
        assert_eq!(Probability::ONE.write(&TraceState::EMPTY).as_str(), "ot=th:0");
        assert_eq!(Probability::new(0.25).write(&TraceState::EMPTY).as_str(), "ot=th:c");
    }

    #[test]
    fn probabilities_beyond_the_ends_are_the_ends() {
        for p in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY, 2f64.powi(-58)] {
            assert_eq!(Probability::new(p), Probability::ZERO, "{p}");
        }
        for p in [1.0, 2.0, f64::INFINITY] {
            assert_eq!(Probability::new(p), Probability::ONE, "{p}");
        }
        assert!(!Probability::ZERO.accepts(u64::MAX) && Probability::ONE.accepts(0));
    }

    #[test]
    fn only_one_to_fourteen_hex_digits_are_a_threshold() {
        for bad in ["", "+1", "g", "0x1", "123456789abcdef", "1.", "-"] {
            let state = state(&format!("ot=th:{bad}"));
            assert_eq!(Probability::of_state(&state), None, "{bad}");
            assert!(is_said(&state), "{bad}");
        }
        let upper = Probability::of_state(&state("a=1,ot=rv:0;th:FD70A"));
        assert_eq!(upper.map(Probability::threshold), Some(0xfd_70a0_0000_0000));
        assert_eq!(Probability::of_state(&state("ot=p:8,th=1")), None);
    }

    #[test]
    fn what_else_is_in_the_state_stays() {
        let before = state("a=1,ot=p:8;th:f;rv:0123456789abcd,b=2");
        let written = Probability::new(0.5).write(&before);
        assert_eq!(written.as_str(), "ot=th:8;p:8;rv:0123456789abcd,a=1,b=2");
        assert_eq!(erase(&written).as_str(), "ot=p:8;rv:0123456789abcd,a=1,b=2");
        assert_eq!(erase(&state("ot=th:8,a=1")).as_str(), "a=1");
        assert_eq!(erase(&state("ot=p:8,a=1")).as_str(), "ot=p:8,a=1");
    }

    #[test]
    fn a_threshold_for_which_there_is_no_room_is_not_left_as_it_was() {
        let full = format!("ot=th:8;x:{}", "y".repeat(256 - 7));
        let full = state(&full);
        let written = Probability::new(1.0 / 3.0).write(&full);
        assert_eq!(Probability::of_state(&written), None);
        assert!(!is_said(&written) && written.as_str().starts_with("ot=x:yyy"));
    }

    #[test]
    fn explicit_randomness_is_preferred_if_it_is_legal() {
        let id = TraceId::from_u128(0xffff_ffff_ffff_ffff_ff00_0000_0000_0007);
        assert_eq!(randomness(&TraceState::EMPTY, id), 7);
        assert_eq!(randomness(&state("ot=th:8;rv:fedcba98765432"), id), 0xfe_dcba_9876_5432);
        for bad in ["fedcba9876543", "fedcba987654321", "+edcba98765432", ""] {
            assert_eq!(randomness(&state(&format!("ot=rv:{bad}")), id), 7, "{bad}");
        }
    }

    #[test]
    fn halving_ends_at_zero() {
        assert_eq!(Probability::ONE.halved(1), Probability::new(0.5));
        assert_eq!(Probability::ONE.halved(56).adjusted_count(), VALUES as f64);
        assert_eq!(Probability::ONE.halved(57), Probability::ZERO);
        assert_eq!(Probability::new(0.3).halved(u32::MAX), Probability::ZERO);
        assert!(Probability::new(0.3) > Probability::new(0.2));
    }
}
