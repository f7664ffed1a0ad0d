//! One test for each thing that a spool does.

use std::time::Duration;

use super::*;
use crate::{
    clock,
    pipeline::spool::{disk::model::Fault, reader::SAVED_AFTER},
};

#[test]
fn what_is_durable_is_read_in_order_and_only_once() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(500));
    writer.append(&payload(0, 3, 50)).unwrap();
    assert!(reader.next().is_none());
    assert_eq!((writer.unsynced(), writer.handle().figures().pending_records), (1, 0));
    writer.sync().unwrap();
    assert_eq!((writer.unsynced(), writer.handle().figures().pending_records), (0, 3));
    write(&mut writer, 1..20);
    let first = reader.next().unwrap();
    assert_eq!((id(&first.payload), first.payload.len(), first.is_inherited), (0, 3, false));
    assert!(reader.holds(&first.position));
    reader.done(&first.position);
    assert!(!reader.holds(&first.position));
    assert_eq!(drain(&mut reader), Vec::from_iter(1..20));
    let figures = reader.handle().figures();
    assert_eq!(
        (figures.pending_records, figures.skipped_bytes, figures.dropped_records),
        (0, 0, 0)
    );
    // All but the one that is written to.
    assert_eq!(segments(&disk).len(), 1);
    assert_eq!(figures.bytes, disk.read(&segments(&disk)[0]).len() as u64);
}

#[test]
fn a_payload_without_records_and_one_without_bytes_are_kept_as_they_are() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(500));
    let mut empty = Payload::with_head(*b"head");
    writer.append(&empty).unwrap();
    empty.record(|_| ());
    writer.append(&empty.skip(1)).unwrap();
    writer.append(&empty).unwrap();
    writer.sync().unwrap();
    let lengths: Vec<_> = std::iter::from_fn(|| reader.next()).map(|it| it.payload.len()).collect();
    assert_eq!(lengths, [0, 0, 1]);
}

#[test]
fn a_part_of_a_payload_is_kept_with_its_head() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(500));
    let mut whole = Payload::with_head(*b"of shop");
    for text in ["one", "two", "three"] {
        whole.record(|bytes| bytes.extend_from_slice(text.as_bytes()));
    }
    writer.append(&whole.skip(1)).unwrap();
    writer.sync().unwrap();
    let read = reader.next().unwrap().payload;
    assert_eq!((read.head(), read.bytes(), read.len()), (&b"of shop"[..], &b"twothree"[..], 2));
    assert_eq!(read.records().next(), Some(&b"two"[..]));
}

#[test]
fn a_later_process_begins_behind_what_is_done_with() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(500));
    write(&mut writer, 0..10);
    for _ in 0..3 {
        let entry = reader.next().unwrap();
        reader.done(&entry.position);
    }
    reader.next().unwrap(); // In flight.
    disk.kill();
    let (mut writer, mut reader) = open(&disk, &small(500));
    write(&mut writer, 10..12);
    let first = reader.next().unwrap();
    assert_eq!((id(&first.payload), first.is_inherited), (3, true));
    assert_eq!(drain(&mut reader), Vec::from_iter(4..12));
}

#[test]
fn what_a_killed_process_was_done_with_survives_a_loss_of_power_once_the_next_one_has_begun() {
    for seed in 1..60 {
        let disk = ModelDisk::new(seed);
        let (mut writer, mut reader) = open(&disk, &small(1 << 20));
        write(&mut writer, 0..3);
        let entry = reader.next().unwrap();
        reader.done(&entry.position);
        disk.kill();
        drop(open(&disk, &small(1 << 20)));
        disk.lose_power();
        let (_writer, mut reader) = open(&disk, &small(1 << 20));
        assert_eq!(drain(&mut reader), [1, 2], "seed {seed}");
    }
}

#[test]
fn done_says_that_all_before_is_done_with() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(300));
    write(&mut writer, 0..10);
    let entries: Vec<_> = std::iter::from_fn(|| reader.next()).collect();
    reader.done(&entries[7].position);
    assert_eq!(reader.handle().figures().pending_records, 2);
    assert_eq!(segments(&disk).len(), 2); // One payload in each.
    disk.kill();
    let (_writer, mut reader) = open(&disk, &small(300));
    assert_eq!(drain(&mut reader), [8, 9]);
}

#[test]
fn a_segment_is_removed_only_once_the_cursor_is_durably_behind_it() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(300));
    write(&mut writer, 0..4);
    let n_segments = segments(&disk).len();
    disk.fail(Fault::Eio, 5, 40);
    // Reading takes six calls or more; then nothing works.
    let entry = reader.next().unwrap();
    reader.done(&entry.position);
    assert_eq!(segments(&disk).len(), n_segments);
    while disk.is_faulty() {
        reader.save();
        let _ = reader.next();
    }
    assert!(reader.handle().figures().failed_cursors > 0);
    drain(&mut reader);
    assert_eq!(segments(&disk).len(), 1);
}

#[test]
fn a_segment_that_comes_back_is_not_delivered_again() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(300));
    write(&mut writer, 0..4);
    let name = segments(&disk)[0].clone();
    let bytes = disk.read(&name);
    assert_eq!(drain(&mut reader), [0, 1, 2, 3]);
    disk.kill();
    drop(open(&disk, &small(300)));
    assert_eq!(segments(&disk).len(), 0);
    disk.kill();
    disk.put(&name, &bytes);
    let (mut writer, mut reader) = open(&disk, &small(300));
    assert_eq!(drain(&mut reader), [0; 0]);
    assert!(!segments(&disk).contains(&name));
    // The next number is behind the cursor, not behind what came back.
    write(&mut writer, [9]);
    disk.kill();
    let (_writer, mut reader) = open(&disk, &small(300));
    assert_eq!(drain(&mut reader), [9]);
}

#[test]
fn a_loss_of_power_has_little_delivered_again() {
    for seed in 1..20 {
        let disk = ModelDisk::new(seed);
        let (mut writer, mut reader) = open(&disk, &small(1 << 20));
        write(&mut writer, 0..100);
        assert_eq!(drain(&mut reader).len(), 100);
        disk.lose_power();
        let (_writer, mut reader) = open(&disk, &small(1 << 20));
        let again = drain(&mut reader);
        let frame = format::frame_length(&payload(0, 1, 20), FORM).unwrap();
        let most = SAVED_AFTER.div_ceil(frame) as usize;
        assert!(again.len() <= most, "{} of {most}", again.len());
    }
}

#[test]
fn the_cursor_is_made_durable_only_once_in_a_while() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(1 << 20));
    write(&mut writer, 0..100);
    let entries: Vec<_> = std::iter::from_fn(|| reader.next()).collect();
    let mut calls = entries.iter().map(|entry| {
        let before = disk.calls();
        reader.done(&entry.position);
        disk.calls() - before
    });
    calls.next(); // Creates the file too.
    let n_saved = calls.filter(|n| *n > 1).count() as u64; // A write, and a sync or more.
    let n_bytes = 100 * format::frame_length(&payload(0, 1, 20), FORM).unwrap();
    assert!((1..=n_bytes.div_ceil(SAVED_AFTER)).contains(&n_saved), "{n_saved}");
}

#[test]
fn numbers_go_on_behind_the_cursor_though_no_segment_is_left() {
    let disk = ModelDisk::new(1);
    for round in 0..3 {
        let (mut writer, mut reader) = open(&disk, &small(300));
        write(&mut writer, [round]);
        disk.kill();
        drop((writer, reader));
        (writer, reader) = open(&disk, &small(300));
        assert_eq!(drain(&mut reader), [round]);
        assert_eq!(segments(&disk).len(), 0);
        drop(writer);
        disk.kill();
    }
}

#[test]
fn a_sync_that_failed_is_final_for_its_segment() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(10_000));
    write(&mut writer, [0, 1]);
    writer.append(&payload(2, 1, 20)).unwrap();
    writer.append(&payload(3, 1, 20)).unwrap();
    disk.fail(Fault::Eio, 1, 1); // The sync, not the write.
    let error = writer.sync().unwrap_err();
    assert_eq!((error.unkept(), error.is_full(), writer.unsynced()), (2, false, 0));
    assert!(std::error::Error::source(&error).is_some(), "what the disk said");
    // The next sync of that file would say that all is well.
    writer.sync().unwrap();
    write(&mut writer, [2, 3]);
    assert_eq!(segments(&disk).len(), 2);
    let figures = writer.handle().figures();
    assert_eq!((figures.failed_writes, figures.syncs, figures.pending_records), (1, 2, 4));
    assert_eq!(drain(&mut reader), [0, 1, 2, 3]);
}

#[test]
fn what_was_written_again_elsewhere_is_not_found_twice_by_a_later_process() {
    let disk = ModelDisk::new(1);
    let (mut writer, _reader) = open(&disk, &small(10_000));
    write(&mut writer, [0, 1]);
    writer.append(&payload(2, 1, 20)).unwrap();
    disk.fail(Fault::Eio, 1, 1);
    assert_eq!(writer.sync().unwrap_err().unkept(), 1);
    write(&mut writer, [2, 3]);
    disk.kill();
    let (_writer, mut reader) = open(&disk, &small(10_000));
    assert_eq!(drain(&mut reader), [0, 1, 2, 3]);
    assert_eq!(reader.handle().figures().skipped_bytes, 0);
}

#[test]
fn a_segment_of_which_nothing_is_durable_goes_when_it_fails() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(10_000));
    for _ in 0..20 {
        writer.append(&payload(0, 1, 20)).unwrap();
        disk.fail(Fault::Enospc, 0, 1);
        let error = writer.sync().unwrap_err();
        assert_eq!((error.unkept(), error.is_full()), (1, true));
    }
    assert_eq!(segments(&disk), [""; 0]);
    assert_eq!(writer.handle().figures().bytes, 0);
    write(&mut writer, [7]);
    assert_eq!(drain(&mut reader), [7]);
}

#[test]
fn a_full_segment_is_durable_before_the_next_one_begins() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(400));
    for id in 0..5 {
        writer.append(&payload(id, 1, 20)).unwrap();
    }
    let n = writer.unsynced() as u64;
    assert!((1..5).contains(&n), "{n}");
    assert_eq!(drain(&mut reader), Vec::from_iter(0..5 - n));
    disk.fail(Fault::Eio, 0, 1);
    assert_eq!(writer.sync().unwrap_err().unkept() as u64, n);
}

#[test]
fn a_reader_waits_for_what_is_durable_and_is_woken() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(400));
    let far = clock::deadline(Duration::from_secs(60));
    assert!(!reader.wait(clock::deadline(Duration::ZERO)));
    let handle = writer.handle();
    handle.wake();
    assert!(!reader.wait(far));
    let thread = std::thread::spawn(move || {
        let is_some = reader.wait(far);
        (is_some, drain(&mut reader), reader)
    });
    write(&mut writer, [5]);
    let (is_some, ids, mut reader) = thread.join().unwrap();
    assert_eq!((is_some, ids), (true, vec![5]));
    let thread = std::thread::spawn(move || reader.wait(far));
    handle.wake();
    assert!(!thread.join().unwrap());
}

#[test]
fn what_a_process_left_is_taken_over_when_nobody_holds_it() {
    let disk = ModelDisk::new(1);
    let (mut first, first_reader) = open(&disk, &small(400));
    let (mut second, second_reader) = open(&disk, &small(400));
    let (mut third, mut third_reader) = open(&disk, &small(400));
    write(&mut first, 0..2);
    write(&mut second, 10..15);
    write(&mut third, 20..22);
    assert_eq!(disk.names("").iter().filter(|name| name.len() == 1).count(), 2);
    let entry = third_reader.next().unwrap();
    assert!(!third_reader.adopt());
    drop((second, second_reader));
    assert!(third_reader.adopt());
    // What was left behind comes first, then what is its own.
    third_reader.done(&entry.position);
    assert_eq!(drain(&mut third_reader), [10, 11, 12, 13, 14, 21]);
    assert_eq!(disk.names("2"), ["cursor"]);
    // The folder is free again.
    let (_fourth, mut fourth_reader) = open(&disk, &small(400));
    assert_eq!(
        (fourth_reader.next().is_none(), disk.names("").contains(&"4".into())),
        (true, false)
    );
    drop((first, first_reader));
    let (_fifth, mut reader) = open(&disk, &small(400));
    assert_eq!(drain(&mut reader), [0, 1]);
}

#[test]
fn a_new_process_reads_the_folders_of_all_that_ended() {
    let disk = ModelDisk::new(1);
    let spools: Vec<_> = (0..4).map(|_| open(&disk, &small(400))).collect();
    let mut ends = Vec::new();
    for (n, (mut writer, reader)) in spools.into_iter().enumerate() {
        write(&mut writer, [n as u64]);
        ends.push((writer, reader));
    }
    disk.kill();
    let (mut writer, mut reader) = open(&disk, &small(400));
    write(&mut writer, [9]);
    let mut read = drain(&mut reader);
    assert_eq!(read.pop(), Some(9));
    read.sort_unstable();
    assert_eq!(read, [0, 1, 2, 3]);
}

#[test]
fn a_place_that_stays_unreadable_is_given_up_after_a_while() {
    let clock = clock::ManualClock::new();
    let _entered = clock::enter(Some(clock.clone()));
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(20_000));
    for id in 0..40 {
        writer.append(&payload(id, 1, 400)).unwrap();
    }
    writer.sync().unwrap();
    let first = reader.next().unwrap();
    reader.done(&first.position);
    disk.fail(Fault::Eio, 0, 1);
    assert!(reader.next().is_none());
    clock.advance(Duration::from_secs(9));
    disk.fail(Fault::Eio, 2, 1); // Open, header.
    assert!(reader.next().is_none());
    clock.advance(Duration::from_secs(2));
    disk.fail(Fault::Eio, 2, 1);
    // It goes on at the next 4,096 bytes.
    let ids = drain(&mut reader);
    assert!((2..15).contains(&ids[0]), "{ids:?}");
    assert_eq!(ids.last(), Some(&39));
    assert!(reader.handle().figures().skipped_bytes > 3000);
    assert_eq!(reader.handle().figures().failed_reads, 3);
}

#[test]
fn files_that_are_all_in_use_cost_nothing() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(400));
    write(&mut writer, 0..4);
    disk.fail(Fault::Emfile, 0, 20);
    let mut read = Vec::new();
    while read.len() < 4 {
        read.extend(drain(&mut reader));
    }
    assert_eq!(read, [0, 1, 2, 3]);
    assert_eq!(reader.handle().figures().failed_reads, 20);
}

#[test]
fn files_that_are_all_in_use_for_long_cost_nothing_either() {
    let clock = clock::ManualClock::new();
    let _entered = clock::enter(Some(clock.clone()));
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(400));
    write(&mut writer, 0..4);
    disk.fail(Fault::Emfile, 0, 5);
    while disk.is_faulty() {
        assert!(reader.next().is_none());
        clock.advance(Duration::from_secs(11));
    }
    assert_eq!(drain(&mut reader), [0, 1, 2, 3]);
    let figures = reader.handle().figures();
    assert_eq!((figures.failed_reads, figures.skipped_bytes), (5, 0));
}

#[test]
fn a_look_for_what_others_left_that_fails_is_counted() {
    let disk = ModelDisk::new(1);
    let (_writer, mut reader) = open(&disk, &small(400));
    disk.fail(Fault::Eio, 0, 1);
    assert!(!reader.adopt());
    assert_eq!(reader.handle().figures().failed_reads, 1);
    assert!(!reader.adopt());
    assert_eq!(reader.handle().figures().failed_reads, 1);
}

#[test]
fn who_is_done_with_something_older_is_done_with_what_is_newer_all_the_same() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(1 << 20));
    write(&mut writer, 0..10);
    let entries: Vec<_> = std::iter::from_fn(|| reader.next()).collect();
    reader.done(&entries[7].position);
    reader.done(&entries[3].position);
    disk.kill();
    let (_writer, mut reader) = open(&disk, &small(1 << 20));
    assert_eq!(drain(&mut reader), [8, 9]);
}

#[test]
fn folders_that_no_spool_makes_are_left_alone() {
    for name in ["1", "02", "two"] {
        let disk = ModelDisk::new(1);
        let (mut writer, _reader) = open(&disk, &small(400));
        write(&mut writer, [0]);
        disk.kill();
        let segment = segments(&disk)[0].clone();
        let bytes = disk.read(&segment);
        disk.root().remove(&segment).unwrap();
        let below = disk.root().sub_folder(name, true).unwrap();
        assert_eq!(below.create(&segment).unwrap().write_at(&bytes, 0).unwrap(), bytes.len());
        let (_writer, mut reader) = open(&disk, &small(400));
        assert!(reader.next().is_none(), "of {name}");
        assert_eq!(disk.names(name), [&*segment]);
    }
}
