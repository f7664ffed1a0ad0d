//! The quota, the floor of free space, and the ends of the types.

use super::*;
use crate::pipeline::spool::{
    cursor::{At, Cursor, WHOLE},
    format::{FrameHeader, MAX_FRAME, Mark, SEGMENT_HEADER, STEP, header_sum},
};

/// What was appended is dropped, or is still there.
fn accounts(max_bytes: u64, n: u64, before: impl Fn(&mut SpoolReader) -> Vec<u64>) {
    let disk = ModelDisk::new(1);
    let settings = SpoolSettings { max_bytes, ..small(600) };
    let (mut writer, mut reader) = open(&disk, &settings);
    write(&mut writer, 0..4);
    let mut read = before(&mut reader);
    write(&mut writer, 4..n);
    let figures = writer.handle().figures();
    assert!(figures.bytes <= max_bytes);
    let on_disk: usize = segments(&disk).iter().map(|name| disk.read(name).len()).sum();
    assert_eq!(figures.bytes, on_disk as u64);
    let rest = drain(&mut reader);
    // The newest are all there.
    assert!(rest.iter().copied().eq(n - rest.len() as u64..n), "{rest:?}");
    read.extend(rest);
    assert_eq!(read.len() as u64 + figures.dropped_records, n);
    assert!(figures.dropped_records > 0);
}

#[test]
fn the_oldest_are_dropped_and_counted_when_the_quota_is_used_up() {
    accounts(4096, 100, |_| Vec::new());
    accounts(4096, 100, |reader| vec![id(&reader.next().unwrap().payload)]);
    accounts(4096, 100, drain);
}

#[test]
fn what_an_earlier_process_left_is_counted_when_it_is_dropped() {
    let disk = ModelDisk::new(1);
    let settings = SpoolSettings { max_bytes: 6000, ..small(1000) };
    let (mut writer, mut reader) = open(&disk, &settings);
    write(&mut writer, 0..30);
    let entry = reader.next().unwrap();
    reader.done(&entry.position);
    disk.kill();
    let (mut writer, mut reader) = open(&disk, &settings);
    let in_flight = reader.next().unwrap();
    assert_eq!(id(&in_flight.payload), 1);
    for id in 30..100 {
        write(&mut writer, [id]);
    }
    assert!(!reader.holds(&in_flight.position));
    reader.done(&in_flight.position); // Which is nothing any more.
    let dropped = reader.handle().figures().dropped_records;
    assert_eq!(drain(&mut reader), Vec::from_iter(2 + dropped..100));
    assert!(dropped > 30);
}

#[test]
fn what_is_dropped_while_it_is_read_is_counted_or_delivered_and_never_both() {
    let disk = ModelDisk::new(1);
    let settings = SpoolSettings { max_bytes: 4096, ..small(600) };
    let (mut writer, mut reader) = open(&disk, &settings);
    let n = 5000;
    let thread = std::thread::spawn(move || {
        let mut read = Vec::new();
        let far = crate::clock::deadline(std::time::Duration::from_secs(60));
        while read.last() != Some(&(n - 1)) {
            assert!(reader.wait(far));
            read.extend(drain(&mut reader));
        }
        (read, reader.handle().figures())
    });
    for id in 0..n {
        writer.append(&payload(id, 1, 20)).unwrap();
        if id % 3 == 0 || id == n - 1 {
            writer.sync().unwrap();
        }
    }
    let (read, figures) = thread.join().unwrap();
    assert!(read.is_sorted_by(|one, next| one < next));
    assert_eq!(read.len() as u64 + figures.dropped_records, n);
    assert_eq!((figures.skipped_records, figures.skipped_bytes), (0, 0));
}

#[test]
fn a_quota_of_the_least_size_keeps_the_newest() {
    let disk = ModelDisk::new(1);
    let settings = SpoolSettings { max_bytes: 4096, ..small(1 << 20) };
    let (mut writer, mut reader) = open(&disk, &settings);
    for id in 0..50 {
        writer.append(&payload(id, 2, 1000)).unwrap();
    }
    writer.sync().unwrap();
    let left = drain(&mut reader);
    assert_eq!(left.last(), Some(&49));
    assert_eq!(2 * (50 - left.len()) as u64, reader.handle().figures().dropped_records);
}

#[test]
fn what_is_larger_than_the_quota_or_a_frame_is_refused_and_costs_nothing_else() {
    let disk = ModelDisk::new(1);
    let settings = SpoolSettings { max_bytes: 4096, ..small(1 << 20) };
    let (mut writer, mut reader) = open(&disk, &settings);
    writer.append(&payload(1, 1, 10)).unwrap();
    let error = writer.append(&payload(2, 1, 4096)).unwrap_err();
    assert!(error.is_too_large() && error.unkept() == 0);
    let wide = SpoolSettings { max_bytes: u64::MAX, ..small(u64::MAX) };
    let other = ModelDisk::new(2);
    let error = open(&other, &wide).0.append(&payload(2, 1, MAX_FRAME as usize)).unwrap_err();
    assert!(error.is_too_large());
    writer.sync().unwrap();
    assert_eq!(drain(&mut reader), [1]);
}

#[test]
fn what_would_go_below_the_floor_is_refused_until_there_is_room_again() {
    let disk = ModelDisk::new(1);
    let settings = SpoolSettings { free_floor: Some(4 << 20), ..small(600) };
    let (mut writer, mut reader) = open(&disk, &settings);
    write(&mut writer, [0]);
    disk.set_room(6 << 20);
    // Little was granted in advance, so that others' use of the disk is seen soon.
    let mut kept = vec![0];
    let error = loop {
        match writer.append(&payload(kept.len() as u64, 1, 2000)) {
            Ok(()) => kept.push(kept.len() as u64),
            Err(error) => break error,
        }
        assert!(kept.len() < 1200);
    };
    assert!(error.is_full() && error.unkept() == 0, "{error}");
    disk.set_room(5 << 20);
    writer.append(&payload(kept.len() as u64, 1, 20)).unwrap();
    writer.sync().unwrap();
    kept.push(kept.len() as u64);
    assert_eq!(drain(&mut reader), kept);
}

#[test]
fn unless_something_else_is_said_a_twentieth_of_the_disk_stays_free_but_no_more_than_512_mib() {
    for (size, floor) in [(1 << 40, 512 << 20), (1 << 30, (1 << 30) / 20)] {
        let disk = ModelDisk::new(1);
        disk.set_size(size);
        let (mut writer, _reader) = open(&disk, &SpoolSettings { free_floor: None, ..small(600) });
        disk.set_room(floor);
        assert!(writer.append(&payload(0, 1, 20)).unwrap_err().is_full());
        disk.set_room(floor + 1000);
        writer.append(&payload(0, 1, 20)).unwrap();
    }
}

#[test]
fn a_full_disk_hands_back_what_is_not_durable_and_is_used_again_when_it_has_room() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(600));
    write(&mut writer, [0, 1]);
    disk.set_room(100);
    let (mut to_write, mut refused) = (Vec::from_iter(2..30), 0);
    let mut unsynced = Vec::new();
    for id in std::mem::take(&mut to_write) {
        match writer.append(&payload(id, 1, 20)) {
            Ok(()) => unsynced.push(id),
            Err(error) => {
                assert!(error.is_full(), "{error}");
                refused += 1;
                to_write.extend(unsynced.drain(unsynced.len() - error.unkept()..));
                to_write.push(id);
            }
        }
    }
    assert!(refused > 0);
    disk.set_room(1 << 20);
    to_write.extend(
        writer.sync().map_or_else(
            |error| unsynced.split_off(unsynced.len() - error.unkept()),
            |()| Vec::new(),
        ),
    );
    write(&mut writer, to_write);
    let mut read = drain(&mut reader);
    read.sort_unstable();
    assert_eq!(read, Vec::from_iter(0..30));
}

#[test]
fn numbers_of_segments_wrap_at_the_end_of_their_type() {
    let disk = ModelDisk::new(1);
    let (mut writer, _reader) = open(&disk, &small(300));
    write(&mut writer, [0]);
    disk.kill();
    // As if it had been the last but one of all numbers.
    let name = segments(&disk)[0].clone();
    let bytes = disk.read(&name);
    let folder = disk.root();
    folder.remove(&name).unwrap();
    disk.put(&name.replacen("0000000000000001", "fffffffffffffffe", 1), &bytes);
    for round in 1..5 {
        let (mut writer, _reader) = open(&disk, &small(300));
        write(&mut writer, [2 * round, 2 * round + 1]);
        disk.kill();
    }
    let (_writer, mut reader) = open(&disk, &small(300));
    let mut read = Vec::new();
    for _ in 0..5 {
        let entry = reader.next().unwrap();
        read.push(id(&entry.payload));
        reader.done(&entry.position);
    }
    assert_eq!(read, [0, 2, 3, 4, 5]);
    disk.kill();
    let (_writer, mut reader) = open(&disk, &small(300));
    assert_eq!(drain(&mut reader), [6, 7, 8, 9]);
    assert_eq!(segments(&disk).len(), 0);
}

#[test]
fn any_number_of_tiny_segments_come_and_go_over_the_end_of_their_numbers() {
    let n = drill::size(2_000, 10_000_000) as u64;
    let disk = ModelDisk::new(1);
    let (mut writer, _reader) = open(&disk, &small(1));
    write(&mut writer, [0]);
    disk.kill();
    // As if there had been nearly as many as there are numbers.
    let name = segments(&disk)[0].clone();
    let bytes = disk.read(&name);
    disk.root().remove(&name).unwrap();
    let number = format!("{:016x}", u64::MAX - n / 2);
    disk.put(&name.replacen("0000000000000001", &number, 1), &bytes);
    let (mut writer, mut reader) = open(&disk, &small(1));
    assert_eq!(drain(&mut reader), [0]);
    for id in 1..n {
        write(&mut writer, [id]);
        assert_eq!(drain(&mut reader), [id]);
        if id % 997 == 0 {
            disk.kill();
            (writer, reader) = open(&disk, &small(1));
            assert!(reader.next().is_none(), "after {id}");
        }
    }
    assert_eq!(segments(&disk).len(), 1, "the one that is written to");
    assert_eq!(reader.handle().figures().skipped_bytes, 0);
}

#[test]
fn the_generation_of_a_cursor_wraps_at_the_end_of_its_type() {
    let disk = ModelDisk::new(1);
    let (mut cursor, at) = Cursor::open(disk.root()).unwrap();
    assert_eq!(at, None);
    cursor.set_generation(u64::MAX - 2);
    for number in 0..6 {
        let at = At { number, offset: WHOLE };
        cursor.save(at).unwrap();
        disk.lose_power();
        let found;
        (cursor, found) = Cursor::open(disk.root()).unwrap();
        assert_eq!(found, Some(at));
    }
}

#[test]
fn a_frame_of_the_greatest_lengths_is_none_and_overflows_nothing() {
    let mark: Mark = *b"marked!!";
    let mut bytes = [0xff; 40];
    bytes[..8].copy_from_slice(&mark);
    bytes[16..24].copy_from_slice(&(SEGMENT_HEADER as u64).to_le_bytes());
    let sum = header_sum(&bytes, 8);
    bytes[8..12].copy_from_slice(&sum.to_le_bytes());
    assert_eq!(FrameHeader::decode(&bytes, mark, SEGMENT_HEADER as u64), None);
    assert_eq!(SEGMENT_HEADER % STEP, 0);
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    let folder = Folder::new("never-made");
    for (settings, form) in [
        (SpoolSettings { max_bytes: 4095, ..SpoolSettings::default() }, FORM),
        (SpoolSettings { segment_bytes: 0, ..SpoolSettings::default() }, FORM),
        (SpoolSettings::default(), ""),
        (SpoolSettings::default(), &"x".repeat(97)),
    ] {
        let error = Spool::open(&folder.0, settings, form).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
    }
    assert!(!folder.0.exists());
    let least = SpoolSettings { max_bytes: 4096, segment_bytes: 1, ..SpoolSettings::default() };
    assert!(Spool::open(&folder.0, least, &"x".repeat(96)).is_ok());
}
