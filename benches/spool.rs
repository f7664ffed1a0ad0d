//! How fast the spool takes payloads and makes them durable, beside a plain sequential writer of the same
//! bytes, with a sync as often, on the same disk in the same run.
//!
//! Takes turns, so that a disk that is slow for a while is slow for both; prints the medians and their ratio.
//! The folder is `BELLWETHER_SPOOL_BENCH`, or `target/tmp`: a disk, as a sync in memory says nothing.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bellwether::pipeline::{Payload, Spool, SpoolSettings};

/// A batch of spans, as large as those of OTLP are.
const RECORDS: usize = 512;
const RECORD_BYTES: usize = 300;
const ROUNDS: usize = 9;

fn payload() -> Payload {
    let mut payload = Payload::with_head(*b"service.name=shop, host.name=one, process.pid=7");
    for place in 0..RECORDS {
        payload.record(|bytes| bytes.resize(bytes.len() + RECORD_BYTES, place as u8));
    }
    payload
}

fn settings() -> SpoolSettings {
    let mut settings = SpoolSettings::default();
    settings.max_bytes = 64 << 30;
    settings.free_floor = Some(0);
    settings
}

/// `groups` syncs, each after as many payloads.
fn spooled(folder: &Path, payload: &Payload, groups: usize, per_group: usize) -> Duration {
    let (mut writer, _reader) = Spool::open(folder, settings(), "bench.1").expect("a folder");
    timed(|| {
        for _ in 0..groups {
            for _ in 0..per_group {
                writer.append(payload).expect("room");
            }
            writer.sync().expect("a disk");
        }
    })
}

fn plain(folder: &Path, payload: &Payload, groups: usize, per_group: usize) -> Duration {
    fs::create_dir_all(folder).expect("a folder");
    let mut file = File::create(folder.join("plain")).expect("a file");
    timed(|| {
        for _ in 0..groups {
            for _ in 0..per_group {
                file.write_all(payload.bytes()).expect("room");
            }
            file.sync_data().expect("a disk");
        }
    })
}

#[expect(clippy::disallowed_methods, reason = "a bench has no clock but the system's")]
fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn read_back(folder: &Path, payload: &Payload, n: usize) {
    let (mut writer, mut reader) = Spool::open(folder, settings(), "bench.1").expect("a folder");
    (0..n).for_each(|_| writer.append(payload).expect("room"));
    writer.sync().expect("a disk");
    let time = timed(|| {
        for _ in 0..n {
            let entry = reader.next().expect("as many as were written");
            reader.done(&entry.position);
        }
    });
    let mib = (n * payload.bytes().len()) as f64 / f64::from(1 << 20);
    println!("read and done: {:.0} MiB/s", mib / time.as_secs_f64());
}

fn main() {
    // `cargo test --benches` only wants to see that it runs.
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let folder = std::env::var_os("BELLWETHER_SPOOL_BENCH")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from)
        .join(format!("spool-bench-{}", std::process::id()));
    let payload = payload();
    let (rounds, total) = if is_test { (1, 16) } else { (ROUNDS, 1024) };
    for per_group in [1, 8, 64] {
        let groups = (total / per_group).max(1);
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let at = |name: &str| folder.join(format!("{name}-{per_group}-{round}"));
            others.push(plain(&at("plain"), &payload, groups, per_group));
            ours.push(spooled(&at("spool"), &payload, groups, per_group));
            let _ = fs::remove_dir_all(&folder);
        }
        let mib = (groups * per_group * payload.bytes().len()) as f64 / f64::from(1 << 20);
        let (ours, others) = (median(ours).as_secs_f64(), median(others).as_secs_f64());
        println!(
            "a sync after {per_group:2} payloads: spool {:5.0} MiB/s, plain {:5.0} MiB/s, ratio {:.2}",
            mib / ours,
            mib / others,
            others / ours
        );
    }
    read_back(&folder, &payload, total);
    let _ = fs::remove_dir_all(&folder);
}
