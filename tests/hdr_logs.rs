//! The logs of HdrHistogram's own tests.
//!
//! The data is no part of the repository; `BELLWETHER_CONFORMANCE` names the folder that has it.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use bellwether::metric::{BucketLayout, HistogramParts, HistogramSnapshot, hdr_log as log};

/// Of the form V2: what HdrHistogram's tests state of it.
const LOG: &str = "jHiccup-2.0.7S.logV2";

#[test]
fn the_totals_of_a_known_log_are_the_stated_ones() {
    let Some(folder) = folder() else { return };
    let intervals = intervals(&folder, LOG);
    assert_eq!(intervals.len(), 62);
    let all = merged(&intervals);
    assert_eq!(all.count(), 48_761);
    assert_eq!(all.quantile(0.999), Some(1_745_879_039.0));
    assert_eq!(all.max(), Some(1_796_210_687.0));
}

#[test]
fn each_line_of_an_older_form_is_an_error_that_names_it() {
    let Some(folder) = folder() else { return };
    for name in ["jHiccup-2.0.6.logV1", "jHiccup-2.0.1.logV0", "ycsb.logV1"] {
        let text = text(&folder, name);
        let mut read = 0;
        for interval in log::read(&text) {
            let error = interval.expect_err(name).to_string();
            assert!(error.starts_with("line ") && error.contains("form V2"), "{error}");
            read += 1;
        }
        assert!(read > 80, "{name}: {read}");
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
    let intervals = intervals(&folder, LOG);
    let mut text = log::header(intervals[0].start);
    for interval in &intervals {
        // The digits of the log: what is rewritten with them does not change.
        let &BucketLayout::Hdr { significant_digits } = interval.histogram.layout() else {
            panic!("not in ticks");
        };
        text.push_str(&interval.to_line(significant_digits).expect("it was read"));
    }
    let again: Vec<_> = log::read(&text).map(|one| one.expect("as written")).collect();
    assert_eq!(again, intervals);
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

fn intervals(folder: &Path, name: &str) -> Vec<log::Interval> {
    log::read(&text(folder, name)).map(|interval| interval.expect("it can be read")).collect()
}

fn text(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(format!("{name}.hlog"))).expect("the folder has the log")
}

fn merged(intervals: &[log::Interval]) -> HistogramSnapshot {
    // HdrHistogram's tests add up with three digits, whatever those of the log.
    let layout = BucketLayout::Hdr { significant_digits: 3 };
    let parts = HistogramParts { layout, ..HistogramParts::default() };
    let mut all = HistogramSnapshot::from_parts(parts).expect("legal");
    intervals.iter().for_each(|interval| all.merge(&interval.histogram));
    all
}
