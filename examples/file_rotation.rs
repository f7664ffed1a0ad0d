//! A file that is rotated, compressed and kept within limits, under load.
//!
//! ```text
//! cargo run --example file_rotation [-- FOLDER [SPANS [PAUSE_MS]]]
//! ```
//!
//! Writes that many spans (100,000 if nothing is said) to `FOLDER/app.jsonl` (without a folder, to one that is
//! removed at the end), in files of 256 KiB, and
//! prints how many were delivered. With a pause after each thousand it rotates as often as a service
//! might, so that a shipper that looks at one name sees each file. A shipper that tails the folder must have got each of them once.

#![expect(clippy::disallowed_methods, reason = "the pace of a service is not that of its spans")]

use std::{path::PathBuf, time::Duration};

use bellwether::{
    export::{File, Rotation},
    span,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let own = std::env::temp_dir().join(format!("bellwether-rotation-{}", std::process::id()));
    let chosen = arguments.next().map(PathBuf::from);
    let folder = chosen.clone().unwrap_or_else(|| own.clone());
    let mut number = |name: &str, default: u64| {
        let Some(text) = arguments.next() else { return Ok(default) };
        text.parse().map_err(|error| format!("{name} is {text:?}: {error}"))
    };
    let (n_spans, pause) = (number("SPANS", 100_000)?, number("PAUSE_MS", 0)?);

    let file = File::builder(folder.join("app.jsonl"))
        .create_folder()
        .rotate_bytes(256 << 10)
        .rotate_every(Rotation::Hourly)
        .keep_bytes(1 << 30)
        .keep_age(Duration::from_secs(7 * 24 * 3600))
        .gzip()
        .open()?;
    let telemetry = bellwether::builder("rotation").export(file).start()?;
    for n in 0..n_spans {
        drop(span("work").attribute("n", n).enter());
        if n % 1000 == 999 {
            let _ = telemetry.flush(Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(pause));
        }
    }
    let report = telemetry.shutdown(Duration::from_secs(10));
    println!("{report}");
    assert_eq!(report.queue("spans", "file").map(|queue| queue.delivered), Some(n_spans));
    if chosen.is_none() {
        std::fs::remove_dir_all(own)?;
    }
    Ok(())
}
