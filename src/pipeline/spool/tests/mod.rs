//! The spool on a disk that loses power and fails, and on the real one.

mod damage;
#[path = "../../../../tests/drill/mod.rs"]
mod drill;
mod faults;
mod limits;
mod mebibyte;
mod own_folder;
mod processes;
mod random;
mod scenarios;
mod world;

use std::{fs, path::PathBuf};

use super::{disk::model::ModelDisk, *};

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = format!("bellwether-spool-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(folder);
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const FORM: &str = "test.1";

/// Settings of a spool whose segments are soon full.
fn small(segment_bytes: u64) -> SpoolSettings {
    SpoolSettings { segment_bytes, free_floor: Some(0), ..SpoolSettings::default() }
}

fn open(disk: &ModelDisk, settings: &SpoolSettings) -> (SpoolWriter, SpoolReader) {
    Spool::on(disk.root(), settings, FORM).unwrap()
}

/// A payload of `n_records` records of `length` bytes, all of which say `id`.
fn payload(id: u64, n_records: usize, length: usize) -> Payload {
    let mut payload = Payload::with_head(*b"head");
    for place in 0..n_records {
        payload.record(|bytes| {
            bytes.extend_from_slice(&id.to_le_bytes());
            bytes.resize(bytes.len() + length, place as u8);
        });
    }
    payload
}

/// Which payload it is. All of it must be as it was.
fn id(read: &Payload) -> u64 {
    let first = read.records().next().expect("a record");
    let id = u64::from_le_bytes(first[..8].try_into().unwrap());
    assert_eq!(read.head(), b"head");
    let expected = payload(id, read.len(), first.len() - 8);
    assert!(read.records().eq(expected.records()), "payload {id} is not as it was written");
    id
}

/// Writes these payloads of one record, as one group.
fn write(writer: &mut SpoolWriter, ids: impl IntoIterator<Item = u64>) {
    for id in ids {
        writer.append(&payload(id, 1, 20)).unwrap();
    }
    writer.sync().unwrap();
}

/// Reads all that is there, and is done with it.
fn drain(reader: &mut SpoolReader) -> Vec<u64> {
    let mut ids = Vec::new();
    while let Some(entry) = reader.next() {
        ids.push(id(&entry.payload));
        reader.done(&entry.position);
    }
    ids
}

/// The names of the segments that are read, in order.
fn segments(disk: &ModelDisk) -> Vec<String> {
    disk.names("").into_iter().filter(|name| name.ends_with(".seg")).collect()
}
