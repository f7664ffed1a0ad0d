#![no_main]
//! Recovery of a whole folder: the input is a list of damages to a folder with real segments, and of files
//! that come along. Whatever is there, a spool opens, reads to the end, and takes and returns what is new.
use std::{
    fs,
    path::{Path, PathBuf},
};

use bellwether::pipeline::{Payload, Spool, SpoolReader, SpoolSettings, SpoolWriter};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let base = Path::new("/dev/shm");
    let base = if base.is_dir() { base.to_owned() } else { std::env::temp_dir() };
    let folder = base.join(format!("bellwether-fuzz-spool-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    prepare(&folder);
    damage(&folder, data);

    let (mut writer, mut reader) = open(&folder);
    let before = drain(&mut reader);
    assert!(before.len() < 100);
    writer.append(&payload(77)).expect("room");
    writer.sync().expect("a disk");
    let after = drain(&mut reader);
    assert_eq!(after.last().map(Vec::as_slice), Some(&[77; 60][..]), "what is new comes last");
    drop((writer, reader));
    let (_writer, mut reader) = open(&folder);
    assert_eq!(drain(&mut reader).len(), 0, "what is done with does not come again");
    let _ = fs::remove_dir_all(&folder);
});

fn open(folder: &Path) -> (SpoolWriter, SpoolReader) {
    let mut settings = SpoolSettings::default();
    settings.segment_bytes = 500;
    settings.free_floor = Some(0);
    Spool::open(folder, settings, "fuzz.1").expect("a folder of ours opens whatever is in it")
}

fn payload(byte: u8) -> Payload {
    let mut payload = Payload::with_head(*b"head");
    payload.record(|bytes| bytes.resize(60, byte));
    payload
}

fn prepare(folder: &Path) {
    let (mut writer, mut reader) = open(folder);
    for byte in 0..8 {
        writer.append(&payload(byte)).expect("room");
    }
    writer.sync().expect("a disk");
    let first = reader.next().expect("eight");
    reader.done(&first.position);
}

fn drain(reader: &mut SpoolReader) -> Vec<Vec<u8>> {
    let mut read = Vec::new();
    while let Some(entry) = reader.next() {
        read.push(entry.payload.bytes().to_vec());
        reader.done(&entry.position);
    }
    reader.save();
    read
}

/// Each damage is what is done, to which file, where, how much, and with which byte.
fn damage(folder: &Path, data: &[u8]) {
    for (n, step) in data.chunks(6).enumerate() {
        let &[kind, file, at, high, length, byte] = step else {
            break;
        };
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path()).collect();
        files.retain(|path| path.is_file() && !path.ends_with("lock"));
        files.sort_unstable();
        let Some(path) = files.get(usize::from(file) % files.len().max(1)) else {
            break;
        };
        let mut bytes = fs::read(path).unwrap_or_default();
        let at = usize::from(u16::from_le_bytes([at, high])).min(bytes.len());
        let end = (at + usize::from(length)).min(bytes.len());
        match kind % 7 {
            0 => bytes[at..end].fill(byte),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|it| *it ^= byte | 1),
            2 => bytes.truncate(at),
            3 => bytes.extend(std::iter::repeat_n(byte, usize::from(length))),
            4 => drop(bytes.splice(at..at, std::iter::repeat_n(byte, usize::from(length)))),
            5 => {
                let number = u64::from(byte) << (length % 64);
                let name = format!("{number:016x}-{n:016x}.seg");
                let _ = fs::write(folder.join(name), &bytes);
            }
            _ => {
                let _ = fs::remove_file(path);
                continue;
            }
        }
        let _ = fs::write(path, bytes);
    }
}
