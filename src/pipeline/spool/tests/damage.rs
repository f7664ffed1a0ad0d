//! Segments that are flipped, cut off, mixed up: what is whole is delivered, what is not is counted.

use std::ops::Range;

use super::*;
use crate::pipeline::spool::{
    disk::model::Fault,
    format::{FRAME_HEADER, FrameHeader, SEGMENT_HEADER, SegmentHeader, encode_frame},
};

/// A segment that is whole.
pub(super) struct Whole {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    /// Where its frames are, of which the payloads are numbered from 0.
    pub(super) frames: Vec<Range<usize>>,
    /// How many records each has.
    n_records: Vec<u64>,
}

impl Whole {
    /// One with payloads of so many records, of so many bytes each.
    pub(super) fn of(payloads: impl Iterator<Item = (usize, usize)>) -> Self {
        let disk = ModelDisk::new(1);
        let (mut writer, _reader) = open(&disk, &small(4 << 20));
        let mut n_records = Vec::new();
        for (id, (n, length)) in payloads.enumerate() {
            writer.append(&payload(id as u64, n, length)).unwrap();
            n_records.push(n as u64);
        }
        writer.sync().unwrap();
        disk.kill();
        let [name] = &segments(&disk)[..] else {
            panic!("one segment");
        };
        let bytes = disk.read(name);
        let mark = SegmentHeader::decode(&bytes[..SEGMENT_HEADER]).unwrap().mark;
        let mut frames = Vec::new();
        let mut at = SEGMENT_HEADER;
        while at < bytes.len() {
            let header = &bytes[at..at + FRAME_HEADER];
            let length = FrameHeader::decode(header, mark, at as u64).unwrap().length();
            frames.push(at..at + length as usize);
            at += length as usize;
        }
        assert_eq!((frames.len(), at), (n_records.len(), bytes.len()));
        Self { name: name.clone(), bytes, frames, n_records }
    }

    /// All but the frame that is hit are read, and what is not is counted.
    pub(super) fn check_flip(&self, at: usize, flip: u8) {
        let mut flipped = self.bytes.clone();
        flipped[at] ^= flip;
        let (ids, figures) = read(&with(&self.name, &flipped));
        let all = 0..self.frames.len() as u64;
        let Some(hit) = self.frames.iter().position(|frame| frame.contains(&at)) else {
            // The header of the segment is in the name, and in each frame.
            assert_eq!((ids, figures.skipped_bytes), (all.collect(), 0), "at {at}");
            return;
        };
        if ids.len() == self.frames.len() {
            // What fills a frame up is not looked at.
            assert!(self.bytes[at] == 0 && self.frames[hit].end - at < 32, "at {at}");
            return;
        }
        assert!(ids.into_iter().eq(all.filter(|id| *id as usize != hit)), "at {at}");
        assert_eq!(figures.skipped_bytes, self.frames[hit].len() as u64, "at {at}");
        let is_header = at < self.frames[hit].start + FRAME_HEADER;
        let known = if is_header { (0, 0) } else { (1, self.n_records[hit]) };
        assert_eq!((figures.skipped_frames, figures.skipped_records), known, "at {at}");
    }

    /// All frames that are whole are read, and the rest is counted.
    pub(super) fn check_cut(&self, length: usize) {
        let (ids, figures) = read(&with(&self.name, &self.bytes[..length]));
        let whole = self.frames.iter().filter(|frame| frame.end <= length).count();
        assert!(ids.into_iter().eq(0..whole as u64), "at {length}");
        let end = self.frames[..whole].last().map_or(SEGMENT_HEADER, |frame| frame.end);
        assert_eq!(figures.skipped_bytes, length.saturating_sub(end) as u64, "at {length}");
        let cut = self.frames.get(whole).filter(|cut| length >= cut.start + FRAME_HEADER);
        let known = cut.map_or(0, |_| self.n_records[whole]);
        assert_eq!(figures.skipped_records, known, "at {length}");
    }
}

/// A segment of eight payloads of different lengths.
fn one_segment() -> (String, Vec<u8>, Vec<Range<usize>>) {
    let Whole { name, bytes, frames, .. } = short();
    (name, bytes, frames)
}

fn short() -> Whole {
    Whole::of((0..8).map(|id| (2, 7 * id)))
}

/// What a reader finds, and what it counts.
fn read(disk: &ModelDisk) -> (Vec<u64>, SpoolFigures) {
    let (_writer, mut reader) = open(disk, &small(1 << 20));
    let ids = drain(&mut reader);
    let figures = reader.handle().figures();
    disk.kill();
    (ids, figures)
}

/// A disk that has only this segment.
fn with(name: &str, bytes: &[u8]) -> ModelDisk {
    let disk = ModelDisk::new(1);
    disk.put(name, bytes);
    disk
}

#[test]
fn a_flipped_byte_costs_at_most_the_frame_that_it_is_in() {
    let whole = short();
    for at in 0..whole.bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            whole.check_flip(at, flip);
        }
    }
}

#[test]
fn a_segment_that_is_cut_off_has_all_that_was_whole() {
    let whole = short();
    for length in 0..whole.bytes.len() {
        whole.check_cut(length);
    }
}

#[test]
fn a_damaged_frame_in_a_segment_of_this_process_is_counted_exactly() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(600));
    for id in 0..12 {
        writer.append(&payload(id, 3, 30)).unwrap();
    }
    writer.sync().unwrap();
    let name = segments(&disk)[0].clone();
    disk.change(&name, |bytes| bytes[SEGMENT_HEADER + 36] ^= 1); // A length.
    let ids = drain(&mut reader);
    assert_eq!(ids, Vec::from_iter(1..12));
    let figures = reader.handle().figures();
    assert_eq!((figures.skipped_records, figures.skipped_own, figures.pending_records), (3, 3, 0));
}

#[test]
fn zeros_and_garbage_at_any_place_cost_only_what_they_cover() {
    let (name, bytes, frames) = one_segment();
    for hit in 0..frames.len() {
        let mut zeroed = bytes.clone();
        zeroed[frames[hit].clone()].fill(0);
        let rest: Vec<u64> = (0..8).filter(|id| *id as usize != hit).collect();
        let (ids, figures) = read(&with(&name, &zeroed));
        assert_eq!((ids, figures.skipped_bytes), (rest, frames[hit].len() as u64));
    }
    let garbage: Vec<u8> =
        (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let (ids, figures) = read(&with(&name, &[&bytes[..], &garbage].concat()));
    assert_eq!((ids.len(), figures.skipped_bytes), (8, 200_000));
    let (ids, figures) = read(&with(&name, &garbage));
    assert_eq!((ids.len(), figures.skipped_bytes), (0, 200_000 - SEGMENT_HEADER as u64));
    let (ids, _) = read(&with(&name, &vec![0; 100_000]));
    assert_eq!(ids.len(), 0);
    // More than is read at once lies between.
    let mut far = bytes[..SEGMENT_HEADER].to_vec();
    far.extend_from_slice(&garbage[..128_000]);
    let mark = SegmentHeader::decode(&bytes[..SEGMENT_HEADER]).unwrap().mark;
    let offset = far.len() as u64;
    encode_frame(&payload(5, 1, 9), FORM, mark, offset, &mut far);
    let (ids, figures) = read(&with(&name, &far));
    assert_eq!((ids, figures.skipped_bytes), (vec![5], 128_000));
}

#[test]
fn no_content_of_a_record_is_taken_for_a_frame() {
    let (name, bytes, frames) = one_segment();
    let mark = SegmentHeader::decode(&bytes[..SEGMENT_HEADER]).unwrap().mark;
    // Somebody knows the format, and even the mark of another segment, and has it recorded.
    let mut forged = Vec::new();
    encode_frame(
        &payload(99, 1, 0),
        FORM,
        *b"\x01another",
        SEGMENT_HEADER as u64 + 64,
        &mut forged,
    );
    // And here is a frame of this very segment, at another place.
    forged.extend_from_slice(&bytes[frames[1].clone()]);
    for shift in 0..32 {
        let mut trap = Payload::new();
        trap.record(|bytes| {
            bytes.resize(shift, 0);
            bytes.extend_from_slice(&forged);
        });
        let mut segment = bytes[..SEGMENT_HEADER].to_vec();
        encode_frame(&trap, FORM, mark, SEGMENT_HEADER as u64, &mut segment);
        segment[SEGMENT_HEADER + 30] ^= 1;
        let offset = segment.len() as u64;
        encode_frame(&payload(3, 1, 0), FORM, mark, offset, &mut segment);
        assert_eq!(read(&with(&name, &segment)).0, [3]);
    }
}

#[test]
fn a_segment_of_another_version_or_form_is_set_aside_and_counted() {
    let (name, bytes, _) = one_segment();
    let newer = |bytes: &mut [u8]| bytes[8] = 2;
    let older = |bytes: &mut [u8]| bytes[8] = 0;
    let other = |bytes: &mut [u8]| bytes[32] = b'b';
    for change in [newer, older, other] {
        let mut changed = bytes.clone();
        change(&mut changed);
        let sum = format::header_sum(&changed[..SEGMENT_HEADER], 12);
        changed[12..16].copy_from_slice(&sum.to_le_bytes());
        let disk = with(&name, &changed);
        let (ids, figures) = read(&disk);
        assert_eq!((ids.len(), figures.segments_set_aside), (0, 1));
        assert_eq!((figures.bytes, figures.skipped_bytes), (bytes.len() as u64, 0));
        assert_eq!(disk.names(""), [name.replace(".seg", ".aside")]);
        // It is not looked at again, but goes first when room is needed.
        assert_eq!(read(&disk).1.segments_set_aside, 0);
        let (mut writer, _reader) =
            open(&disk, &SpoolSettings { max_bytes: 4096, ..small(1 << 20) });
        assert_eq!(writer.handle().figures().bytes, bytes.len() as u64);
        for id in 0..9 {
            writer.append(&payload(id, 1, 300)).unwrap();
        }
        assert!(!disk.names("").contains(&name.replace(".seg", ".aside")));
        assert_eq!(writer.handle().figures().dropped_records, 0);
    }
}

#[test]
fn frames_of_another_form_behind_a_damaged_header_are_skipped() {
    let (name, mut bytes, _) = one_segment();
    let mark = SegmentHeader::decode(&bytes[..SEGMENT_HEADER]).unwrap().mark;
    bytes[3] ^= 1;
    let offset = bytes.len() as u64;
    encode_frame(&payload(8, 5, 3), "other.1", mark, offset, &mut bytes);
    let (ids, figures) = read(&with(&name, &bytes));
    assert_eq!((ids.len(), figures.skipped_frames, figures.skipped_records), (8, 1, 5));
}

#[test]
fn files_that_are_swapped_missing_or_folders_stop_nothing() {
    let disk = ModelDisk::new(1);
    let (mut writer, reader) = open(&disk, &small(300));
    write(&mut writer, 0..5);
    disk.kill();
    let names = segments(&disk);
    let (first, third) = (disk.read(&names[0]), disk.read(&names[2]));
    disk.put(&names[0], &third);
    disk.put(&names[2], &first);
    disk.root().remove(&names[1]).unwrap();
    disk.root().sub_folder(&names[1], true).unwrap();
    drop((writer, reader));
    let (ids, figures) = read(&disk);
    assert_eq!(ids.len(), 5 - 5 / names.len());
    assert!(ids.contains(&4), "{ids:?}");
    assert_eq!(figures.segments_set_aside, 0);
}

#[test]
fn a_segment_that_somebody_removes_is_skipped() {
    let disk = ModelDisk::new(1);
    let (mut writer, mut reader) = open(&disk, &small(300));
    write(&mut writer, 0..5);
    let name = segments(&disk)[0].clone();
    disk.root().remove(&name).unwrap();
    let ids = drain(&mut reader);
    let figures = reader.handle().figures();
    assert_eq!(ids.len() as u64 + figures.skipped_records, 5);
    assert!(figures.skipped_bytes > 0 && ids.ends_with(&[4]));
    let on_disk: usize = segments(&disk).iter().map(|name| disk.read(name).len()).sum();
    assert_eq!(figures.bytes, on_disk as u64);
}

#[test]
fn a_damaged_cursor_has_all_delivered_and_a_torn_slot_leaves_the_other() {
    let cursor = |change: &dyn Fn(&mut Vec<u8>)| {
        let disk = ModelDisk::new(1);
        let (mut writer, mut reader) = open(&disk, &small(1 << 20));
        write(&mut writer, 0..4);
        for _ in 0..3 {
            let entry = reader.next().unwrap();
            reader.done(&entry.position);
            reader.save();
        }
        disk.kill();
        disk.change("cursor", change);
        read(&disk).0
    };
    assert_eq!(cursor(&|_| ()), [3]);
    for at in 0..40 {
        // Slots take turns: 0, 1, 0.
        assert_eq!(cursor(&|bytes| bytes[at] ^= 4), [2, 3], "at {at}");
        assert_eq!(cursor(&|bytes| bytes[4096 + at] ^= 4), [3], "at {at}");
    }
    assert_eq!(cursor(&|bytes| bytes.clear()), [0, 1, 2, 3]);
    assert_eq!(cursor(&|bytes| bytes.fill(0xff)), [0, 1, 2, 3]);
    assert_eq!(cursor(&|bytes| bytes.truncate(4100)), [3]);
}

#[test]
fn what_is_torn_is_counted_as_it_is_though_something_fails_at_the_start() {
    for after in 0..30 {
        let disk = ModelDisk::new(1);
        let (mut writer, _reader) = open(&disk, &small(400));
        write(&mut writer, [0]);
        disk.kill();
        disk.change(&segments(&disk)[0], |bytes| bytes.truncate(128 + 50));
        disk.fail(Fault::Eio, after, 1);
        let started = Spool::on(disk.root(), &small(400), FORM);
        let (_writer, mut reader) = started.unwrap_or_else(|_| open(&disk, &small(400)));
        // The fault may come only now.
        assert!(reader.next().is_none() && reader.next().is_none());
        assert_eq!(reader.handle().figures().skipped_bytes, 50, "after {after}");
    }
}
