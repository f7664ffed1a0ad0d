//! The indices of exponential buckets as computed elsewhere with 2,000 bits.
//!
//! The data is no part of the repository; `BELLWETHER_CONFORMANCE` names the folder that has it.

use std::{io::Write as _, path::PathBuf};

use bellwether::metric::exponential_index;
use serde_json::Value;

#[test]
fn every_index_is_the_one_that_is_stated() {
    let Some(folder) = std::env::var_os("BELLWETHER_CONFORMANCE") else {
        // Not `eprintln!`, which is captured: the test would pass in silence.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: exponential buckets: BELLWETHER_CONFORMANCE is unset"
        );
        return;
    };
    let file = PathBuf::from(folder).join("generated/exp_histogram_index.json");
    let text = std::fs::read_to_string(&file).expect("the folder has the file");
    let table: Value = serde_json::from_str(&text).expect("the file is JSON");
    let rows: Vec<(String, i32, i32)> =
        serde_json::from_value(table["rows"].clone()).expect("rows of three");
    assert_eq!(rows.len(), 4_046);
    for (text, scale, index) in rows {
        let value = hexadecimal(&text);
        assert_eq!(exponential_index(value, scale), Some(index), "{text} at scale {scale}");
    }
}

/// The number that C writes as `0x1.8p+3`: exact, as both factors are.
fn hexadecimal(text: &str) -> f64 {
    let (significand, exponent) = text.trim_start_matches("0x").split_once('p').expect("a p");
    let (whole, fraction) = significand.split_once('.').unwrap_or((significand, ""));
    let digits = u64::from_str_radix(&format!("{whole}{fraction}"), 16).expect("digits");
    let mut exponent: i32 = exponent.parse().expect("an exponent");
    exponent -= 4 * fraction.len() as i32;
    let mut value = digits as f64;
    // In steps, because 2^-1074 is a number and 2^1074 is none.
    while exponent != 0 {
        let step = exponent.clamp(-1000, 1000);
        value *= 2f64.powi(step);
        exponent -= step;
    }
    value
}
