//! A disk that is full: a file system of 64 KiB in memory, in a mount namespace of a process of its own.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod rotated;
mod own_mount;

use std::{fs, time::Duration};

use bellwether::{
    export::File,
    pipeline::{Batch, Pipe, Route, Setup},
    trace::SpanRecord,
};
use own_mount::small_disk;
use rotated::{Folder, export, files, names, spans};

/// Exports until the disk is full; returns what was exported, and what of it is still to be sent.
fn fill(file: &mut File) -> (Vec<String>, Batch<SpanRecord>) {
    let mut exported = Vec::new();
    loop {
        let batch: Vec<String> = (0..7).map(|n| format!("{:05}", exported.len() + n)).collect();
        exported.extend(batch.clone());
        if let Err(error) = export(file, &spans(batch)) {
            assert!(error.is_retry(), "{error:?}");
            return (exported, error.as_unsent().unwrap().clone());
        }
    }
}

#[test]
fn lines_are_whole_and_once_after_the_disk_has_room_again() {
    const TEST: &str = "lines_are_whole_and_once_after_the_disk_has_room_again";
    let Some(disk) = small_disk(TEST, "64k").map(Folder) else { return };
    for rotate_bytes in [4_000, 1 << 30] {
        let ballast = disk.0.join("ballast");
        fs::write(&ballast, vec![0; 16 << 10]).unwrap();
        let mut file = File::builder(disk.file()).rotate_bytes(rotate_bytes).open().unwrap();
        let (exported, unsent) = fill(&mut file);
        assert!(!unsent.is_empty() && exported.len() > 50);
        assert!(export(&mut file, &unsent).is_err(), "it is still full");
        assert!(disk.file().exists(), "the live file is not lost");
        fs::remove_file(ballast).unwrap();
        export(&mut file, &unsent).unwrap();
        assert_eq!(names(&disk), exported);
        for name in files(&disk.0) {
            fs::remove_file(disk.0.join(name)).unwrap();
        }
    }
}

#[test]
fn a_pipeline_counts_what_a_full_disk_did_not_take() {
    const TEST: &str = "a_pipeline_counts_what_a_full_disk_did_not_take";
    let Some(disk) = small_disk(TEST, "64k").map(Folder) else { return };
    let file = File::builder(disk.file()).rotate_bytes(4_000).open().unwrap();
    let route = Route::new(file).settings(|settings| settings.retry.max_elapsed = Duration::ZERO);
    let pipe = Pipe::<SpanRecord>::start(route, &Setup::default()).unwrap();
    pipe.push((0..1000).map(|n| SpanRecord::new(format!("{n:04}"))).collect::<Vec<_>>());
    let _ = pipe.flush(Duration::from_secs(20));
    let report = pipe.shutdown(Duration::from_secs(20));
    let n_lines = names(&disk).len() as u64;
    assert!(n_lines > 50 && n_lines < 1000, "{n_lines}");
    assert_eq!((report.delivered, report.dropped.total()), (n_lines, 1000 - n_lines), "{report:?}");
}
