//! What stays of the rotated files, and how they are compressed.

use super::*;
use crate::export::file::disk::{Call, faults};

const FOREIGN: [&str; 7] = [
    "spans-2019-01-01.jsonl",
    "spans-2019-01-01T00-00-00Z.json",
    "spans-2019-01-01T00-00-00Z.jsonl.bak",
    "spans-2019-01-01T00-00-00Z.jsonl.gz.tmp",
    "spans-other-2019-01-01T00-00-00Z.jsonl",
    "spans.jsonl.1",
    "other-2019-01-01T00-00-00Z.jsonl",
];

/// A folder with files that are none of ours, and the clock at the start of 2020.
fn crowded(name: &str) -> (Folder, ManualClock, clock::Entered) {
    let folder = Folder::new(name);
    for foreign in FOREIGN {
        fs::write(folder.0.join(foreign), "").unwrap();
    }
    // Ours by their names, but no files.
    fs::create_dir(folder.0.join("spans-2019-01-01T00-00-00Z.jsonl")).unwrap();
    std::os::unix::fs::symlink("/dev/null", folder.0.join("spans-2019-01-02T00-00-00Z.jsonl"))
        .unwrap();
    let clock = ManualClock::new();
    let entered = clock::enter(Some(clock.clone()));
    (folder, clock, entered)
}

/// The names of the spans in the rotated files that are there. Fails if something else is missing.
fn rotated(folder: &Folder) -> Vec<String> {
    let there = files(&folder.0);
    for foreign in FOREIGN {
        assert!(there.iter().any(|name| name == foreign), "{foreign} is gone");
    }
    for other in ["spans-2019-01-01T00-00-00Z.jsonl", "spans-2019-01-02T00-00-00Z.jsonl"] {
        assert!(there.iter().any(|name| name == other), "{other} is gone");
    }
    let ours = there.iter().filter(|name| name.starts_with("spans-2020"));
    ours.flat_map(|name| names(&folder.0.join(name))).collect()
}

#[test]
fn the_oldest_files_beyond_the_number_go_and_nobody_elses() {
    let (folder, clock, _entered) = crowded("keep-files");
    let open = |n| File::builder(folder.file()).rotate_bytes(1).keep_files(n).open().unwrap();
    let mut file = open(3);
    for name in ["a", "b", "c", "d", "e"] {
        export(&mut file, &[name]);
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(rotated(&folder), ["b", "c", "d"]);
    export(&mut file, &["f", "g"]);
    assert_eq!(rotated(&folder), ["d", "e", "f"]);
    drop(open(1));
    assert_eq!(rotated(&folder), ["f"], "at the start already");
    assert_eq!(names(&folder.file()), ["g"]);
}

#[test]
fn all_files_together_take_no_more_than_the_bytes() {
    let (folder, _clock, _entered) = crowded("keep-bytes");
    let size = |path: &Path| fs::metadata(path).unwrap().len();
    export(&mut File::open(folder.file()).unwrap(), &["a"]);
    let line = size(&folder.file());
    fs::remove_file(folder.file()).unwrap();
    let most = 7 * line + line / 2;
    let builder = File::builder(folder.file()).rotate_bytes(2 * line).keep_bytes(most);
    let mut file = builder.open().unwrap();
    for n in 0..40 {
        export(&mut file, &[&n.to_string()[..1], "x", "y"]);
        let all = files(&folder.0).into_iter().filter(|name| !FOREIGN.contains(&name.as_str()));
        let total: u64 = all
            .filter(|name| name.starts_with("spans-2020") || name == "spans.jsonl")
            .map(|name| size(&folder.0.join(name)))
            .sum();
        assert!(total <= most, "{total} of {most}");
        assert!(n < 4 || total >= 4 * line, "{total} is less than could stay");
    }
    rotated(&folder);
}

#[test]
fn the_newest_rotated_file_stays_however_large_it_is() {
    let (folder, clock, _entered) = crowded("keep-newest");
    let builder = File::builder(folder.file()).rotate_every(Rotation::Hourly).keep_bytes(10);
    let mut file = builder.open().unwrap();
    for name in ["a", "b", "c"] {
        export(&mut file, &[name]);
        clock.advance(Duration::from_secs(3600));
    }
    assert_eq!(rotated(&folder), ["b"]);
}

#[test]
fn files_that_are_older_than_the_age_go() {
    let (folder, clock, _entered) = crowded("keep-age");
    let age = Duration::from_secs(2 * 3600);
    let builder = || File::builder(folder.file()).rotate_every(Rotation::Hourly).keep_age(age);
    let mut file = builder().open().unwrap();
    for name in ["a", "b", "c", "d", "e"] {
        export(&mut file, &[name]);
        clock.advance(Duration::from_secs(3600));
    }
    assert_eq!(rotated(&folder), ["b", "c", "d"], "two hours are not more than two hours");
    clock.advance(Duration::from_secs(3600 * 24));
    drop(builder().open().unwrap());
    assert_eq!(rotated(&folder), [""; 0], "the newest one too");
}

#[test]
fn a_file_that_cannot_be_removed_is_reported_once_and_tried_again() {
    let (folder, _clock, _entered) = crowded("unremovable");
    let builder = File::builder(folder.file()).rotate_bytes(1).keep_files(1);
    let mut file = builder.open().unwrap();
    faults::fail(&[Call::Remove]);
    assert_eq!(n_reported("cannot tidy up", || export(&mut file, &["a", "b", "c", "d"])), 1);
    assert_eq!(rotated(&folder), ["a", "b", "c"]);
    faults::fail(&[]);
    export(&mut file, &["e"]);
    assert_eq!(rotated(&folder), ["d"]);
}

#[cfg(feature = "gzip")]
mod gzip {
    use super::*;

    fn open(folder: &Folder) -> File {
        File::builder(folder.file()).rotate_bytes(1).gzip().open().unwrap()
    }

    fn wait(file: &File) {
        let compressor = file.appended.lock().compressor.clone();
        compressor.wait();
    }

    #[test]
    fn a_rotated_file_is_compressed_once_it_is_not_the_newest_and_ten_seconds_old() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, clock, _entered) = crowded("gzip");
        let mut file = open(&folder);
        export(&mut file, &["a", "b"]);
        let first = folder.0.join("spans-2020-01-01T00-00-00Z.jsonl");
        fs::set_permissions(&first, fs::Permissions::from_mode(0o604)).unwrap();
        let before = fs::metadata(&first).unwrap();
        clock.advance(Duration::from_secs(9));
        export(&mut file, &["c"]);
        wait(&file);
        assert!(first.exists(), "too early");
        clock.advance(Duration::from_secs(1));
        export(&mut file, &["d"]);
        wait(&file);
        let compressed = folder.0.join("spans-2020-01-01T00-00-00Z.jsonl.gz");
        let after = fs::metadata(&compressed).unwrap();
        assert_eq!(after.permissions().mode(), before.permissions().mode());
        assert_eq!(after.modified().unwrap(), before.modified().unwrap());
        assert!(fs::read(compressed).unwrap().starts_with(&[0x1f, 0x8b]));
        let ours: Vec<_> = files(&folder.0);
        let ours: Vec<_> = ours.iter().filter(|name| name.starts_with("spans-2020")).collect();
        assert_eq!(
            ours,
            [
                "spans-2020-01-01T00-00-00Z.jsonl.gz",
                "spans-2020-01-01T00-00-09Z.jsonl",
                "spans-2020-01-01T00-00-10Z.jsonl",
            ]
        );
        assert_eq!(rotated(&folder), ["a", "b", "c"]);
    }

    #[test]
    fn the_newest_rotated_file_stays_plain_however_old_it_is() {
        let (folder, clock, _entered) = crowded("gzip-newest");
        export(&mut open(&folder), &["a", "b"]);
        clock.advance(Duration::from_secs(1_000_000));
        wait(&open(&folder));
        assert!(folder.0.join("spans-2020-01-01T00-00-00Z.jsonl").exists());
    }

    #[test]
    fn what_an_interrupted_compression_left_is_cleaned_up_at_the_start_and_done_again() {
        let (folder, clock, _entered) = crowded("gzip-left");
        export(&mut open(&folder), &["a", "b", "c"]);
        clock.advance(Duration::from_secs(10));
        let first = folder.0.join("spans-2020-01-01T00-00-00Z.jsonl");
        // It ended while it wrote, or between the rename and the removal of the plain file.
        for left in [".gz.0123456789abcdef.tmp", ".gz"] {
            let mut left_behind = first.clone().into_os_string();
            left_behind.push(left);
            let whole = fs::read(&first).unwrap();
            fs::write(&left_behind, if left == ".gz" { &whole[..] } else { &whole[..5] }).unwrap();
            wait(&open(&folder));
            assert!(!first.exists());
            let all = files(&folder.0);
            assert!(!all.iter().any(|name| name.ends_with("abcdef.tmp")), "{all:?}");
            assert_eq!(rotated(&folder), ["a", "b"]);
            fs::write(&first, whole).unwrap();
        }
    }

    #[test]
    fn a_name_in_the_way_leaves_the_plain_file_and_no_rest() {
        let (folder, clock, _entered) = crowded("gzip-failed");
        let mut file = open(&folder);
        export(&mut file, &["a", "b", "c"]);
        clock.advance(Duration::from_secs(10));
        let taken = folder.0.join("spans-2020-01-01T00-00-00Z.jsonl.gz");
        fs::create_dir(&taken).unwrap();
        export(&mut file, &["d"]);
        wait(&file);
        fs::remove_dir(&taken).unwrap();
        assert_eq!(rotated(&folder), ["a", "b", "c"]);
        let all = files(&folder.0);
        assert!(!all.iter().any(|name| name.ends_with(".tmp") && name.contains("2020")), "{all:?}");
        export(&mut file, &["e"]);
        wait(&file);
        assert!(taken.is_file());
    }

    #[test]
    fn a_line_that_comes_last_is_in_the_plain_file_which_stays() {
        let folder = Folder::new("gzip-last");
        let plain = folder.0.join("spans-2020-01-01T00-00-00Z.jsonl");
        export(&mut File::open(&plain).unwrap(), &["a"]);
        let late = plain.clone();
        faults::at_rename(move || export(&mut File::open(late).unwrap(), &["b"]));
        crate::export::file::gzip::compress(&plain).unwrap();
        assert_eq!(names(&plain), ["a", "b"]);
        crate::export::file::gzip::compress(&plain).unwrap();
        assert!(!plain.exists());
        assert_eq!(all_names(&folder), ["a", "b"]);
        assert_eq!(files(&folder.0).len(), 1);
    }

    #[test]
    fn a_file_whose_name_went_to_another_one_is_not_replaced_by_the_older_lines() {
        let folder = Folder::new("gzip-other");
        let plain = folder.0.join("spans-2020-01-01T00-00-00Z.jsonl");
        export(&mut File::open(&plain).unwrap(), &["a"]);
        let (other, new) = (plain.clone(), folder.0.join("new"));
        export(&mut File::open(&new).unwrap(), &["b"]);
        faults::at_rename(move || fs::rename(new, other).unwrap());
        crate::export::file::gzip::compress(&plain).unwrap();
        assert_eq!(names(&plain), ["b"]);
    }

    #[test]
    fn a_file_that_was_written_to_meanwhile_stays() {
        let folder = Folder::new("gzip-late");
        let plain = folder.0.join("spans-2020-01-01T00-00-00Z.jsonl");
        fs::write(&plain, "a\n").unwrap();
        let source = fs::File::open(&plain).unwrap();
        let is_still = |n_bytes| crate::export::file::gzip::is_still(&plain, &source, n_bytes);
        assert!(is_still(2).unwrap());
        fs::write(&plain, "a\nb\n").unwrap();
        assert!(!is_still(2).unwrap());
        // Another file has its name now.
        fs::write(folder.0.join("new"), "b\n").unwrap();
        fs::rename(folder.0.join("new"), &plain).unwrap();
        assert!(!is_still(2).unwrap());
        fs::remove_file(&plain).unwrap();
        assert!(!is_still(2).unwrap());
    }

    #[test]
    fn compressed_files_are_counted_and_removed_as_plain_ones() {
        let (folder, clock, _entered) = crowded("gzip-kept");
        let builder = File::builder(folder.file()).rotate_bytes(1).keep_files(3);
        let mut file = builder.gzip().open().unwrap();
        for name in ["a", "b", "c", "d", "e", "f", "g"] {
            export(&mut file, &[name]);
            clock.advance(Duration::from_secs(10));
            wait(&file);
        }
        assert_eq!(rotated(&folder), ["d", "e", "f"]);
        let n_compressed = files(&folder.0).iter().filter(|name| name.ends_with(".gz")).count();
        assert_eq!(n_compressed, 2);
    }
}
