//! The logs of HdrHistogram's own tests, of all the versions of its format.
//!
//! The data is no part of the repository; `BELLWETHER_CONFORMANCE` names the folder that has it.

use std::{io::Write as _, path::PathBuf};

use bellwether::metric::{BucketLayout, HistogramParts, HistogramSnapshot, histogram::log};

/// File, histograms, values, P99.9 and maximum, as HdrHistogram's tests state them.
const LOGS: [(&str, usize, u64, f64, f64); 4] = [
    ("jHiccup-2.0.7S.logV2", 62, 48_761, 1_745_879_039.0, 1_796_210_687.0),
    ("jHiccup-2.0.6.logV1", 88, 65_964, 1_829_765_119.0, 1_888_485_375.0),
    ("jHiccup-2.0.1.logV0", 81, 61_256, 1_510_998_015.0, 1_569_718_271.0),
    ("ycsb.logV1", 602, 300_056, 1_214_463.0, 1_546_239.0),
];

#[test]
fn the_totals_of_known_logs_are_the_stated_ones() {
    let Some(folder) = folder() else { return };
    for (name, histograms, values, p999, max) in LOGS {
        let intervals = intervals(&folder, name);
        assert_eq!(intervals.len(), histograms, "{name}");
        let all = merged(&intervals);
        assert_eq!(all.count(), values, "{name}");
        assert_eq!((all.quantile(0.999), all.max()), (Some(p999), Some(max)), "{name}");
    }
}

#[test]
fn tags_divide_a_log() {
    let Some(folder) = folder() else { return };
    let all = intervals(&folder, "tagged-Log.logV2");
    let (tagged, plain): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.tag.is_some());
    assert!(tagged.iter().all(|one| one.tag.as_deref() == Some("A")));
    let (tagged, plain) = (merged(&tagged), merged(&plain));
    assert_eq!(tagged.count() + plain.count(), 32_290);
    assert_eq!(tagged, plain);
}

#[test]
fn a_known_log_that_is_written_again_is_the_same() {
    let Some(folder) = folder() else { return };
    for (name, ..) in LOGS {
        let intervals = intervals(&folder, name);
        let mut text = log::header(intervals[0].start);
        for interval in &intervals {
            // The digits of the log: what is rewritten with them does not change.
            let &BucketLayout::Hdr { significant_digits } = interval.histogram.layout() else {
                panic!("{name}: not in ticks");
            };
            text.push_str(&interval.to_line(significant_digits).expect("it was read"));
        }
        let again: Vec<_> = log::read(&text).map(|one| one.expect("as written")).collect();
        assert_eq!(again, intervals, "{name}");
    }
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("BELLWETHER_CONFORMANCE");
    if folder.is_none() {
        // Not `eprintln!`, which is captured: the test would pass in silence.
        let _ = writeln!(std::io::stderr(), "SKIPPED: HDR logs: BELLWETHER_CONFORMANCE is unset");
    }
    let resources = "hdrhistogram/src/test/resources/org/HdrHistogram";
    folder.map(|folder| PathBuf::from(folder).join(resources))
}

fn intervals(folder: &std::path::Path, name: &str) -> Vec<log::Interval> {
    let file = folder.join(format!("{name}.hlog"));
    let text = std::fs::read_to_string(file).expect("the folder has the log");
    log::read(&text).map(|interval| interval.expect("the log can be read")).collect()
}

fn merged(intervals: &[log::Interval]) -> HistogramSnapshot {
    // HdrHistogram's tests add up with three digits, whatever those of the log.
    let layout = BucketLayout::Hdr { significant_digits: 3 };
    let parts = HistogramParts { layout, ..HistogramParts::default() };
    let mut all = HistogramSnapshot::from_parts(parts).expect("legal");
    intervals.iter().for_each(|interval| all.merge(&interval.histogram));
    all
}
