//! Expressions and the window against loops over every sample there ever was.

use super::*;

/// All ticks: nanoseconds since the start, and the value of each series that was there.
type History = Vec<(u64, BTreeMap<u8, f64>)>;

/// When, and what.
type Sample = (u64, f64);

/// The samples of `series` in (now - range, now], and the one at the tick before them.
fn in_range(history: &History, series: u8, range: u64) -> (Option<Sample>, Vec<Sample>) {
    let now = history.last().unwrap().0;
    let inside = |tick: &&(u64, BTreeMap<u8, f64>)| now - tick.0 < range;
    let sample = |tick: &(u64, BTreeMap<u8, f64>)| Some((tick.0, *tick.1.get(&series)?));
    let before = history.iter().rev().find(|tick| !inside(tick)).and_then(sample);
    (before, history.iter().filter(inside).filter_map(sample).collect())
}

/// How much it grew, and between which instants. A sum that appeared after the first of all ticks, and was
/// not there at the start of the range, counts from zero.
fn increase(history: &History, series: u8, range: u64, is_sum: bool) -> Option<(f64, u64, u64)> {
    let (before, inside) = in_range(history, series, range);
    let &newest = inside.last()?;
    let now = history.last().unwrap().0;
    let base = history.iter().rposition(|tick| now - tick.0 >= range).unwrap_or(0);
    let born = born(history, series).filter(|_| is_sum);
    let is_absent = !history[base].1.contains_key(&series);
    let from_zero = is_absent && born.is_some_and(|born| born > base);
    let zero = from_zero.then_some((history[base].0, 0.0));
    let samples: Vec<(u64, f64)> = before.or(zero).into_iter().chain(inside).collect();
    if samples.len() < 2 {
        return None;
    }
    let mut amount = newest.1 - samples[0].1;
    for pair in samples.windows(2) {
        if pair[1].1 < pair[0].1 {
            amount += pair[0].1;
        }
    }
    Some((amount, samples[0].0, newest.0))
}

/// The tick at which the series appeared, after the first of all ticks.
fn born(history: &History, series: u8) -> Option<usize> {
    history.iter().position(|tick| tick.1.contains_key(&series)).filter(|&at| at > 0)
}

fn values_of(history: &History, series: u8, range: u64) -> Vec<f64> {
    in_range(history, series, range).1.into_iter().map(|(_, value)| value).collect()
}

fn naive(function: &str, history: &History, series: u8, range: u64, is_sum: bool) -> Option<f64> {
    let values = values_of(history, series, range);
    match function {
        "last" => history.last().unwrap().1.get(&series).copied(),
        "increase" => Some(increase(history, series, range, is_sum)?.0),
        "avg" => (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64),
        "min" => values.into_iter().reduce(f64::min),
        "max" => values.into_iter().reduce(f64::max),
        "p50" | "p90" => {
            let q = if function == "p50" { 0.5 } else { 0.9 };
            let mut sorted = values;
            sorted.sort_by(f64::total_cmp);
            let rank = ((q * sorted.len() as f64).ceil() as usize).max(1);
            sorted.get(rank - 1).copied()
        }
        _ => unreachable!(),
    }
}

fn expression(function: &str, range: Duration) -> Expr {
    let all = series("x");
    match function {
        "last" => all.last(),
        "increase" => all.increase(range),
        "rate" => all.rate(range),
        "avg" => all.avg(range),
        "min" => all.min(range),
        "max" => all.max(range),
        "p50" => all.p50(range),
        "p90" => all.p90(range),
        _ => unreachable!(),
    }
}

const FUNCTIONS: [&str; 8] = ["last", "increase", "rate", "avg", "min", "max", "p50", "p90"];

/// Says what it found at each tick.
struct Spy<C>(C, Arc<Mutex<BTreeMap<u8, f64>>>);

impl<C: Condition> Condition for Spy<C> {
    fn evaluate(&self, window: &SampleWindow, now: Ticks) -> Vec<(LabelSet, f64)> {
        let found = self.0.evaluate(window, now);
        let number = |labels: &LabelSet| labels.get("s").unwrap().parse().unwrap();
        *self.1.lock() = found.iter().map(|(labels, value)| (number(labels), *value)).collect();
        Vec::new()
    }

    fn needs(&self) -> Vec<Need> {
        self.0.needs()
    }
}

/// A tick: how long after the last, and the values of three series, where they are.
fn tick() -> impl Strategy<Value = (u64, Vec<Option<u16>>)> {
    let step = prop_oneof![6 => Just(1000_u64), 1 => 1500_u64..9000];
    let value = prop_oneof![1 => Just(None), 5 => (0_u16..50).prop_map(Some)];
    (step, proptest::collection::vec(value, 3))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_function_matches_loops_over_all_samples(
        is_counter in any::<bool>(),
        ranges in proptest::collection::vec(1_u64..12, FUNCTIONS.len()),
        trace in proptest::collection::vec(tick(), 1..40),
    ) {
        let clock = ManualClock::new();
        let found: Vec<_> = FUNCTIONS.iter().map(|_| Arc::default()).collect();
        let rules = FUNCTIONS.iter().zip(&ranges).zip(&found);
        let rules = rules.map(|((&function, &range), found)| {
            let any = expression(function, Duration::from_secs(range)).at_least(-1e9);
            Rule::new(function, Spy(any, Arc::clone(found)))
        });
        let mut engine = Standalone::new(rules.collect(), settings()).unwrap();
        // Slots are whole seconds of the wall clock; the manual clock begins on one.
        let start = clock.now();
        let mut history = History::new();
        for (step, values) in trace {
            clock.advance(Duration::from_millis(step));
            let now = clock.now().nanos_since(start);
            let slot = now / 1_000_000_000 * 1_000_000_000;
            if history.last().is_some_and(|last| last.0 / 1_000_000_000 == slot / 1_000_000_000) {
                continue;
            }
            let values: BTreeMap<u8, f64> = (0..)
                .zip(values)
                .filter_map(|(series, value)| Some((series, f64::from(value?))))
                .collect();
            let kind = if is_counter { Kind::Counter } else { Kind::Gauge };
            let value = |value: f64| match kind {
                Kind::Counter => SeriesValue::Counter(value as u64),
                _ => SeriesValue::Gauge(value),
            };
            let all = values
                .iter()
                .map(|(number, &v)| (labels(&[("s", &number.to_string())]), value(v)));
            let family = family("x", kind, all.collect());
            engine.tick(&snapshot(&clock, vec![family]));
            history.push((now, values));

            // Ranges are measured between slots, rates between the true instants.
            let slots: History = history
                .iter()
                .map(|(at, values)| (at / 1_000_000_000 * 1_000_000_000, values.clone()))
                .collect();
            for ((&function, &range), found) in FUNCTIONS.iter().zip(&ranges).zip(&found) {
                let found = found.lock().clone();
                for series in 0..3 {
                    let range = range * 1_000_000_000;
                    let expected = if function == "rate" {
                        rate_of_true_times(&slots, &history, series, range, is_counter)
                    } else {
                        naive(function, &slots, series, range, is_counter)
                    };
                    prop_assert_eq!(
                        found.get(&series).copied(), expected,
                        "{} of {} over {}", function, series, range
                    );
                }
            }
        }
    }
}

/// The ends are found by slots; the time is that between the true instants of the two.
fn rate_of_true_times(
    slots: &History,
    times: &History,
    series: u8,
    range: u64,
    is_sum: bool,
) -> Option<f64> {
    let (amount, first, last) = increase(slots, series, range, is_sum)?;
    let at = |slot| times[slots.iter().position(|tick| tick.0 == slot).unwrap()].0;
    Some(amount / Duration::from_nanos(at(last) - at(first)).as_secs_f64())
}
