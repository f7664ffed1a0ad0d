//! What shippers read while the file is rotated under load: each line, whole, once.
//!
//! The followers here do what the documentation of Fluent Bit and of Filebeat states. Both know a file
//! by its device and inode, and read on in one that was renamed.
//!
//! - Fluent Bit (`tail`): `Path` is the live file alone. When the path leads to another file, that is
//!   read from its beginning, and the old one for `Rotate_Wait` on, which is until it is removed here.
//! - Filebeat (`filestream`): `paths` has the rotated files too, and leaves out `*.gz`. A file is read
//!   from its beginning when a scan finds it first, and on from there under whatever name; when it is
//!   removed, what is left of it is read to its end (`close.on_state_change.removed`).
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod rotated;

use std::{
    collections::HashMap,
    fs,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    sync::mpsc::sync_channel,
    time::Duration,
};

use bellwether::{
    export::{File, FileBuilder},
    testing,
};
use rotated::{Folder, export, files, name, spans};

/// A file that is being read. It is held open, so that nothing else gets its inode.
struct Tailed {
    file: fs::File,
    inode: u64,
    rest: Vec<u8>, // A line whose end has not come yet.
}

impl Tailed {
    fn open(path: &PathBuf) -> io::Result<Self> {
        let file = fs::File::open(path)?;
        let inode = file.metadata()?.ino();
        Ok(Self { file, inode, rest: Vec::new() })
    }

    /// Reads to the end of what is there by now.
    fn read(&mut self, lines: &mut Vec<String>) {
        let mut buffer = vec![0; 32 << 10];
        loop {
            let n = self.file.read(&mut buffer).unwrap();
            if n == 0 {
                return;
            }
            self.rest.extend_from_slice(&buffer[..n]);
            while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                lines.push(name(&self.rest[..end]));
                self.rest.drain(..=end);
            }
        }
    }
}

trait Shipper: Send {
    /// Looks for files, and reads what is new.
    fn look(&mut self, lines: &mut Vec<String>);
}

struct FluentBit {
    path: PathBuf,
    live: Option<Tailed>,
    rotated: Vec<Tailed>,
}

impl Shipper for FluentBit {
    fn look(&mut self, lines: &mut Vec<String>) {
        for tailed in self.rotated.iter_mut().chain(&mut self.live) {
            tailed.read(lines);
        }
        let is_removed = |tailed: &Tailed| tailed.file.metadata().unwrap().nlink() == 0;
        self.rotated.retain(|tailed| !is_removed(tailed));
        let Ok(there) = Tailed::open(&self.path) else { return };
        if self.live.as_ref().is_none_or(|live| live.inode != there.inode) {
            self.rotated.extend(self.live.replace(there));
        }
    }
}

struct Filebeat {
    folder: PathBuf,
    /// By inode. All files are on one device.
    tailed: HashMap<u64, Tailed>,
}

impl Shipper for Filebeat {
    fn look(&mut self, lines: &mut Vec<String>) {
        let matching = files(&self.folder).into_iter();
        for name in matching.filter(|name| name.starts_with("app") && name.ends_with(".jsonl")) {
            // It may be gone, or be another file by now.
            if let Ok(there) = Tailed::open(&self.folder.join(name)) {
                self.tailed.entry(there.inode).or_insert(there);
            }
        }
        self.tailed.retain(|_, tailed| {
            let is_removed = tailed.file.metadata().unwrap().nlink() == 0;
            tailed.read(lines);
            !is_removed
        });
    }
}

const N_LINES: usize = 20_000;
const BATCH: usize = 100;

/// Writes [`N_LINES`] lines with `builder` while `shipper` looks without pause. The writer waits for a
/// whole look after every `lead` batches: that is as far as the shipper may fall behind. It also waits until
/// `is_compressed`.
fn shipped(
    builder: FileBuilder,
    mut shipper: impl Shipper + 'static,
    lead: usize,
    is_compressed: impl Fn() -> bool,
) -> Vec<String> {
    let (ask, asked) = sync_channel::<()>(0);
    let (looked, wait) = sync_channel::<()>(0);
    let shipper = std::thread::spawn(move || {
        let mut lines = Vec::new();
        loop {
            shipper.look(&mut lines);
            match asked.try_recv() {
                Ok(()) => {
                    shipper.look(&mut lines);
                    looked.send(()).unwrap();
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => {}
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return lines,
            }
        }
    });
    let scope = testing::scope();
    let mut file = builder.open().unwrap();
    for first in (0..N_LINES).step_by(BATCH) {
        scope.advance(Duration::from_secs(10)); // Compression waits for that.
        let batch = (first..first + BATCH).map(|n| format!("{n:05}"));
        export(&mut file, &spans(batch)).unwrap();
        if (first / BATCH).is_multiple_of(lead) {
            ask.send(()).unwrap();
            wait.recv().unwrap();
            while !is_compressed() {
                std::thread::yield_now();
            }
        }
    }
    ask.send(()).unwrap();
    wait.recv().unwrap();
    drop(ask);
    shipper.join().unwrap()
}

fn expected() -> impl Iterator<Item = String> {
    (0..N_LINES).map(|n| format!("{n:05}"))
}

/// Some ten batches a file.
const ROTATE_BYTES: u64 = 300_000;

#[test]
fn a_shipper_of_the_live_file_reads_each_line_once_over_its_rotations() {
    let folder = Folder::new("fluent-bit");
    let builder = File::builder(folder.file()).rotate_bytes(ROTATE_BYTES).gzip();
    let shipper = FluentBit { path: folder.file(), live: None, rotated: Vec::new() };
    let lines = shipped(builder, shipper, 5, || true);
    assert!(files(&folder.0).len() > 15, "{:?}", files(&folder.0));
    assert!(lines.into_iter().eq(expected()), "and in order");
}

#[test]
fn a_shipper_of_all_plain_files_reads_each_line_once_though_it_is_a_rotation_behind() {
    let folder = Folder::new("filebeat");
    let builder = File::builder(folder.file()).rotate_bytes(ROTATE_BYTES).gzip();
    let shipper = Filebeat { folder: folder.0.clone(), tailed: HashMap::new() };
    // Whole files are rotated, and the ones before them compressed, between two looks.
    let is_plain = |name: &String| name.ends_with(".jsonl") && name != "app.jsonl";
    let is_compressed = || files(&folder.0).iter().filter(|name| is_plain(name)).count() <= 4;
    let mut lines = shipped(builder, shipper, 8, is_compressed);
    lines.sort();
    assert!(lines.into_iter().eq(expected()));
    let there = files(&folder.0);
    assert!(there.iter().filter(|name| name.ends_with(".gz")).count() >= 5, "{there:?}");
}
