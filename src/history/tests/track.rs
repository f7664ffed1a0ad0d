//! A track against a list of what was written into it.

use std::sync::Arc;

use proptest::prelude::*;

use crate::{
    clock::Ticks,
    history::{
        chunk::Pool,
        sample::{Cells, Form, Layout, LayoutId, Native, NativeCell, Sample},
        summary::Summary,
        track::Track,
    },
    snapshot::BucketLayout,
};

/// What happens at an instant.
#[derive(Clone, Debug)]
enum Event {
    Bits(u64),
    Histogram(u16, Cells),
    /// Nothing is written.
    Nothing,
    Stale,
    /// The sum begins anew.
    Restart(u64),
}

/// The sample of an instant, with its start.
type Expected = Option<(u64, Value)>;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Bits(u64),
    Histogram(LayoutId, Cells),
}

impl Value {
    fn of(sample: Sample<'_>) -> Self {
        match sample {
            Sample::Bits(bits) => Self::Bits(bits),
            Sample::Histogram(layout, cells) => Self::Histogram(layout, cells.clone()),
        }
    }
}

/// Writes the events into a track and into a list.
fn play(
    form: Form,
    is_sparse: bool,
    events: &[Event],
    pool: &mut Pool,
) -> Option<(Track, Vec<Expected>)> {
    let (mut track, mut twin): (Option<Track>, Vec<Expected>) = (None, Vec::new());
    let mut start = 1;
    for (at, event) in (100..).zip(events) {
        let ticks = Ticks::from_raw(start);
        let before = twin.last().cloned().flatten().filter(|_| !is_sparse);
        let sample = match event {
            Event::Bits(bits) => (Sample::Bits(*bits), (LayoutId(0), true)),
            Event::Histogram(layout, cells) => {
                let id = LayoutId(*layout);
                (Sample::Histogram(id, cells), (id, *layout != 1))
            }
            Event::Restart(to) => {
                start = *to;
                twin.push(before);
                continue;
            }
            Event::Nothing => {
                twin.push(before);
                continue;
            }
            Event::Stale => {
                track.iter_mut().for_each(|track| track.end(at, pool));
                twin.push(None);
                continue;
            }
        };
        let written = (at, ticks, sample.0, sample.1);
        match &mut track {
            Some(track) => track.push(written, pool),
            none => *none = Some(Track::new(form, is_sparse, written, pool)),
        }
        twin.push(Some((start, Value::of(sample.0))));
    }
    Some((track?, twin))
}

fn check(form: Form, is_sparse: bool, events: &[Event]) -> Result<(), TestCaseError> {
    let mut pool = Pool::default();
    let Some((track, twin)) = play(form, is_sparse, events, &mut pool) else { return Ok(()) };
    let end = 100 + twin.len() as u64;
    for (at, expected) in (100..).zip(&twin) {
        let found = track.value(at, &[]).map(|read| (read.start.to_raw(), Value::of(read.value())));
        prop_assert_eq!(&found, expected, "at {}", at);
    }
    for from in [100, 100 + twin.len() as u64 / 2] {
        let mut read: Vec<Expected> = vec![None; (end - from) as usize];
        track.read(from).each(end, |at, until, start, sample| {
            for at in at.max(from)..until {
                read[(at - from) as usize] = Some((start.to_raw(), Value::of(sample)));
            }
        });
        prop_assert_eq!(&read[..], &twin[(from - 100) as usize..]);
    }
    for summary in track.summaries() {
        check_summary(form, summary, &twin)?;
    }
    // What is let go of changes nothing that is needed.
    let mut track = track;
    let needed = 100 + twin.len() as u64 * 2 / 3;
    track.trim(needed, &mut pool);
    for at in needed..end {
        let found = track.value(at, &[]).map(|read| (read.start.to_raw(), Value::of(read.value())));
        prop_assert_eq!(&found, &twin[(at - 100) as usize]);
    }
    Ok(())
}

/// A summary against the samples from its chunk's first instant to its last.
fn check_summary(
    form: Form,
    (first, summary): (u64, &Summary),
    twin: &[Expected],
) -> Result<(), TestCaseError> {
    let samples = &twin[(first - 100) as usize..=(summary.last_at - 100) as usize];
    let there: Vec<(u64, u64)> = samples
        .iter()
        .flatten()
        .map(|(start, value)| match value {
            Value::Bits(bits) => (*start, *bits),
            Value::Histogram(_, cells) => (*start, cells.count()),
        })
        .collect();
    let values = || there.iter().map(|&(_, bits)| bits);
    prop_assert_eq!(summary.n_samples, there.len() as u64);
    prop_assert_eq!(
        (Some(summary.first), Some(summary.last)),
        (values().next(), values().next_back())
    );
    let pairs = || there.windows(2).map(|two| (two[0], two[1]));
    match form {
        Form::Whole | Form::Histogram => {
            let extremes = (Some(summary.min), Some(summary.max));
            prop_assert_eq!(extremes, (values().min(), values().max()));
            let grown = pairs().map(
                |((start, from), (other, to))| {
                    if start != other || to < from { to } else { to - from }
                },
            );
            prop_assert_eq!(summary.increase, grown.fold(0, u64::wrapping_add));
        }
        Form::Signed => {
            let signed = || values().map(u64::cast_signed);
            let extremes = (Some(summary.min.cast_signed()), Some(summary.max.cast_signed()));
            prop_assert_eq!(extremes, (signed().min(), signed().max()));
            let number = |bits: u64| bits.cast_signed() as f64;
            prop_assert!(are_same(f64::from_bits(summary.increase), grown(pairs(), number)));
        }
        Form::Float => {
            let numbers = || values().map(f64::from_bits);
            let (min, max) = (f64::from_bits(summary.min), f64::from_bits(summary.max));
            prop_assert!(are_same(min, numbers().fold(f64::NAN, f64::min)));
            prop_assert!(are_same(max, numbers().fold(f64::NAN, f64::max)));
            let increase = f64::from_bits(summary.increase);
            prop_assert!(are_same(increase, grown(pairs(), f64::from_bits)));
        }
    }
    Ok(())
}

/// By how much numbers grew: from zero where they fell, or began anew.
fn grown(pairs: impl Iterator<Item = ((u64, u64), (u64, u64))>, number: fn(u64) -> f64) -> f64 {
    pairs.fold(0.0, |sum, ((start, from), (other, to))| {
        let (from, to) = (number(from), number(to));
        sum + (to - if start != other || to < from { 0.0 } else { from })
    })
}

fn are_same(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan()
}

fn bits() -> impl Strategy<Value = u64> {
    prop_oneof![
        0u64..5,
        0u64..100_000,
        any::<u64>(),
        any::<f64>().prop_map(f64::to_bits),
        (-50i32..50).prop_map(|n| f64::from(n).to_bits()),
        Just((-0.0f64).to_bits()),
        Just(0x7ff0_0000_0000_0002), // Prometheus' mark of what is stale, as a value.
    ]
}

fn cells() -> impl Strategy<Value = Cells> {
    let cell = prop_oneof![0u64..40, any::<u64>()];
    let counts = prop::collection::btree_map(cell, bits(), 0..30);
    (bits(), counts).prop_map(|(sum, counts)| Cells {
        sum,
        cells: counts.into_iter().filter(|&(_, count)| count != 0).collect(),
    })
}

fn events(sample: impl Strategy<Value = Event>) -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        12 => sample,
        4 => Just(Event::Nothing),
        1 => Just(Event::Stale),
        1 => (1u64..1 << 40).prop_map(Event::Restart),
    ];
    // Some stand still for long.
    let run = (event, prop_oneof![9 => 1usize..3, 1 => 1usize..400]);
    prop::collection::vec(run, 1..120).prop_map(|runs| {
        let repeat = |(event, n): (Event, usize)| match event {
            Event::Nothing => vec![event; n],
            event => vec![event],
        };
        runs.into_iter().flat_map(repeat).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn numbers_are_read_as_they_were_written(
        form in prop_oneof![Just(Form::Whole), Just(Form::Signed), Just(Form::Float)],
        is_sparse: bool,
        events in events(bits().prop_map(Event::Bits)),
    ) {
        check(form, is_sparse, &events)?;
    }

    #[test]
    fn counters_that_grow_are_read_as_they_were_written(
        start in any::<u64>(),
        steps in prop::collection::vec(prop_oneof![5 => 900u64..1_100, 1 => 0u64..1 << 20, 1 => Just(0)], 1..1_500),
    ) {
        let mut value = start;
        let events = steps.iter().map(|step| {
            value = value.wrapping_add(*step);
            if *step == 0 { Event::Nothing } else { Event::Bits(value) }
        });
        check(Form::Whole, false, &events.collect::<Vec<_>>())?;
    }

    /// Layout 1 has counts that are no whole numbers, 2 is another one of whole ones.
    #[test]
    fn histograms_of_any_layout_are_read_as_they_were_written(
        is_sparse: bool,
        events in events((0u16..3, cells()).prop_map(|(layout, cells)| Event::Histogram(layout, cells))),
    ) {
        check(Form::Histogram, is_sparse, &events)?;
    }
}

#[test]
fn a_native_histogram_with_counts_of_fractions_is_kept_bit_for_bit() {
    let layout = Layout::Native(Native {
        schema: -4,
        zero_threshold: 1e-128f64.to_bits(),
        are_whole: false,
        bounds: [].as_slice().into(),
    });
    assert!(!layout.are_whole());
    let cell = |cell: NativeCell, count: f64| (cell.number(), count.to_bits());
    let mut value = Cells {
        sum: (-17.25f64).to_bits(),
        cells: vec![
            cell(NativeCell::Count, 7.75),
            cell(NativeCell::Zero, 0.5),
            cell(NativeCell::Positive(-3), 1.25),
            cell(NativeCell::Negative(2_000_000), 6.0),
        ],
    };
    value.cells.sort_unstable();
    let mut pool = Pool::default();
    let sample = (5, Ticks::ORIGIN, Sample::Histogram(LayoutId(3), &value), (LayoutId(3), false));
    let track = Track::new(Form::Histogram, true, sample, &mut pool);
    let read = track.value(5, &[]).unwrap();
    assert_eq!(Value::of(read.value()), Value::Histogram(LayoutId(3), value));
    assert!(track.value(6, &[]).is_none(), "it has samples only where they were added");
}

#[test]
fn the_bytes_of_a_counter_are_those_of_the_documentation() {
    let mut pool = Pool::default();
    let at = |at: u64, value: u64| (at, Ticks::ORIGIN, Sample::Bits(value), (LayoutId(0), true));
    let mut track = Track::new(Form::Whole, false, at(10, 7), &mut pool);
    track.push(at(11, 9), &mut pool);
    track.push(at(14, 12), &mut pool);
    track.end(15, &mut pool);
    track.push(at(17, 300), &mut pool);
    // The step of 2 is then the expected one; 3 is one more, and 288 are 286 more: 572 of zigzag.
    let bytes: &[u8] = &[0xe4, 7, 4, 0xc0 | 1 << 2 | 2, 0xe2, 0xe1, 1, 0x80 | 2, 0x3c];
    assert_eq!(track.open_bytes(), bytes);
}

#[test]
fn a_float_bound_of_columns_is_a_layout_of_its_own() {
    let columns = |bounds: &[f64]| Layout::Columns(Arc::from(bounds));
    assert_ne!(columns(&[1.0]), columns(&[1.0, 2.0]));
    assert_ne!(Layout::Buckets(BucketLayout::Exponential), columns(&[]));
}
