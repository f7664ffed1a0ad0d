//! When a file is rotated, what it is called then, and what happens when that fails.

use super::*;
use crate::export::file::disk::{Call, faults};

/// 2020-01-01T00:00:00Z, where the manual clock begins.
fn manual() -> (ManualClock, clock::Entered) {
    let clock = ManualClock::new();
    let entered = clock::enter(Some(clock.clone()));
    (clock, entered)
}

/// How long the line of a span is whose name has one letter.
fn line_bytes() -> u64 {
    let folder = Folder::new("line");
    export(&mut File::open(folder.file()).unwrap(), &["a"]);
    fs::metadata(folder.file()).unwrap().len()
}

#[test]
fn a_file_is_rotated_before_the_line_that_would_make_it_too_large() {
    let folder = Folder::new("by-size");
    let (clock, _entered) = manual();
    let mut file = File::builder(folder.file()).rotate_bytes(2 * line_bytes()).open().unwrap();
    export(&mut file, &["a", "b"]);
    assert_eq!(files(&folder.0), ["spans.jsonl"], "two lines fit exactly");
    clock.advance(Duration::from_secs(3661));
    export(&mut file, &["c"]);
    assert_eq!(files(&folder.0), ["spans-2020-01-01T01-01-01Z.jsonl", "spans.jsonl"]);
    assert_eq!(names(&folder.0.join("spans-2020-01-01T01-01-01Z.jsonl")), ["a", "b"]);
    assert_eq!(names(&folder.file()), ["c"]);
}

#[test]
fn a_batch_spans_files_and_a_line_does_not() {
    let folder = Folder::new("batch");
    let (_clock, _entered) = manual();
    let mut file = File::builder(folder.file()).rotate_bytes(2 * line_bytes()).open().unwrap();
    let long = "x".repeat(5000);
    export(&mut file, &["a", "b", "c", "d", "e", &long, "f"]);
    let date = "spans-2020-01-01T00-00-00Z";
    for (name, expected) in [
        (".jsonl", &["a", "b"][..]),
        ("_001.jsonl", &["c", "d"]),
        ("_002.jsonl", &["e"]),
        ("_003.jsonl", &[long.as_str()]),
    ] {
        assert_eq!(names(&folder.0.join(format!("{date}{name}"))), expected);
    }
    assert_eq!(names(&folder.file()), ["f"]);
    assert_eq!(files(&folder.0).len(), 5);
}

#[test]
fn a_file_is_rotated_at_the_full_hour_of_utc_and_an_empty_one_is_not() {
    let folder = Folder::new("by-time");
    let (clock, _entered) = manual();
    clock.advance(Duration::from_secs(3599));
    let mut file = File::builder(folder.file()).rotate_every(Rotation::Hourly).open().unwrap();
    export(&mut file, &["a"]);
    export(&mut file, &["b"]);
    clock.advance(Duration::from_secs(1));
    export(&mut file, &["c"]);
    clock.advance(Duration::from_secs(3599));
    export(&mut file, &["d"]);
    assert_eq!(names(&folder.0.join("spans-2020-01-01T01-00-00Z.jsonl")), ["a", "b"]);
    assert_eq!(names(&folder.file()), ["c", "d"]);
    // Days pass in which somebody else has emptied it.
    fs::write(folder.file(), "").unwrap();
    clock.advance(Duration::from_secs(3 * 24 * 3600));
    export(&mut file, &["e"]);
    assert_eq!(files(&folder.0).len(), 2);
    assert_eq!(names(&folder.file()), ["e"]);
}

#[test]
fn periods_of_ones_own_begin_at_their_multiples() {
    let folder = Folder::new("quarters");
    let (clock, _entered) = manual();
    clock.advance(Duration::from_secs(14 * 60 + 59));
    let quarter = Duration::from_secs(900);
    let mut file = File::builder(folder.file()).rotate_every(quarter).open().unwrap();
    export(&mut file, &["a"]);
    clock.advance(Duration::from_secs(1));
    export(&mut file, &["b"]);
    clock.advance(quarter - Duration::from_nanos(1));
    export(&mut file, &["c"]);
    assert_eq!(files(&folder.0), ["spans-2020-01-01T00-15-00Z.jsonl", "spans.jsonl"]);
}

/// Dates what was written to the file last.
fn written_at(path: &Path, seconds_of_2020: u64) {
    let at = std::time::UNIX_EPOCH + Duration::from_secs(1_577_836_800 + seconds_of_2020);
    fs::File::options().append(true).open(path).unwrap().set_modified(at).unwrap();
}

#[test]
fn after_a_restart_the_file_is_of_the_period_in_which_it_was_written() {
    for (now, is_rotated) in [(3599, false), (3600, true), (90_000, true)] {
        let folder = Folder::new("restarted");
        let (clock, _entered) = manual();
        export(&mut File::open(folder.file()).unwrap(), &["a"]);
        written_at(&folder.file(), 5);
        clock.advance(Duration::from_secs(now));
        let mut file = File::builder(folder.file()).rotate_every(Rotation::Hourly).open().unwrap();
        export(&mut file, &["b"]);
        assert_eq!(files(&folder.0).len(), 1 + usize::from(is_rotated), "{now}");
        assert_eq!(all_names(&folder), ["a", "b"]);
    }
}

#[test]
fn a_clock_that_is_set_back_rotates_nothing_early_and_names_go_on() {
    let folder = Folder::new("set-back");
    let (clock, _entered) = manual();
    let day = Duration::from_secs(24 * 3600);
    clock.advance(2 * day);
    let open = || File::builder(folder.file()).rotate_every(Rotation::Hourly).open().unwrap();
    let mut file = open();
    export(&mut file, &["a"]);
    clock.advance(Duration::from_secs(3600));
    export(&mut file, &["b"]);
    clock.step_wall(clock.wall() - day);
    export(&mut file, &["c"]);
    assert_eq!(files(&folder.0).len(), 2);
    clock.advance(Duration::from_secs(3600));
    export(&mut file, &["d"]);
    clock.advance(Duration::from_secs(3600));
    export(&mut file, &["e"]);
    assert_eq!(
        files(&folder.0),
        [
            "spans-2020-01-03T01-00-00Z.jsonl",
            "spans-2020-01-03T01-00-00Z_001.jsonl",
            "spans-2020-01-03T01-00-00Z_002.jsonl",
            "spans.jsonl"
        ]
    );
    assert_eq!(all_names(&folder), ["a", "b", "c", "d", "e"]);
}

#[test]
fn names_go_on_after_a_restart_and_beside_what_is_in_the_way() {
    let folder = Folder::new("names");
    let (_clock, _entered) = manual();
    let most = line_bytes();
    let open = || File::builder(folder.file()).rotate_bytes(most).open().unwrap();
    export(&mut open(), &["a", "b"]);
    fs::create_dir(folder.0.join("spans-2020-01-01T00-00-00Z_001.jsonl")).unwrap();
    // Another one is there compressed only: its name is not to be had again.
    fs::write(folder.0.join("spans-2020-01-01T00-00-00Z_003.jsonl.gz"), "").unwrap();
    export(&mut open(), &["c"]);
    assert_eq!(names(&folder.0.join("spans-2020-01-01T00-00-00Z_004.jsonl")), ["b"]);
    fs::remove_file(folder.0.join("spans-2020-01-01T00-00-00Z_003.jsonl.gz")).unwrap();
    fs::remove_file(folder.0.join("spans-2020-01-01T00-00-00Z_004.jsonl")).unwrap();
    export(&mut open(), &["d"]);
    assert_eq!(names(&folder.0.join("spans-2020-01-01T00-00-00Z_002.jsonl")), ["c"]);
}

#[test]
fn a_torn_line_is_ended_before_its_file_is_rotated() {
    let folder = Folder::new("torn-end");
    let (_clock, _entered) = manual();
    let most = line_bytes();
    let mut file = File::builder(folder.file()).rotate_bytes(most).open().unwrap();
    // The disk takes all of the line but its end.
    faults::leave_room(most as usize - 1);
    let batch = vec![sample("a"), sample("b")].into();
    let unsent = export_all(&mut file, &batch).unwrap_err().unsent.unwrap();
    faults::leave_room(usize::MAX);
    assert_eq!(unsent.len(), 1);
    export_all(&mut file, &unsent).unwrap();
    assert_eq!(all_names(&folder), ["a", "b"]);
    for name in files(&folder.0) {
        let length = fs::metadata(folder.0.join(&name)).unwrap().len();
        assert_eq!(length, most, "{name} has a line, with its end, and no empty one");
    }
    assert_eq!(files(&folder.0).len(), 2);
}

#[test]
fn a_torn_line_is_ended_in_the_file_that_others_have_renamed() {
    let folder = Folder::new("torn-moved");
    let moved = folder.0.join("moved");
    let most = line_bytes();
    let mut file = File::open(folder.file()).unwrap();
    faults::leave_room(most as usize - 1);
    export_all(&mut file, &vec![sample("a")].into()).unwrap_err();
    faults::leave_room(usize::MAX);
    fs::rename(folder.file(), &moved).unwrap();
    export(&mut file, &["b"]);
    assert!(fs::read(&moved).unwrap().ends_with(b"\n"));
    assert_eq!(fs::metadata(folder.file()).unwrap().len(), most, "no empty line");
}

#[test]
fn what_another_process_left_torn_stands_alone() {
    let folder = Folder::new("torn-by-another");
    let mut file = File::open(folder.file()).unwrap();
    export(&mut file, &["a"]);
    let mut other = fs::File::options().append(true).open(folder.file()).unwrap();
    std::io::Write::write_all(&mut other, b"{\"na").unwrap();
    export(&mut file, &["b"]);
    assert_eq!(names(&folder.file()), ["a", "torn", "b"]);
}

#[test]
fn a_rotation_that_fails_is_reported_once_and_writing_goes_on() {
    for call in [Call::Reserve, Call::Rename, Call::Open] {
        let folder = Folder::new("unwritable");
        let (clock, _entered) = manual();
        let mut file = File::builder(folder.file()).rotate_every(Rotation::Hourly).open().unwrap();
        export(&mut file, &["a"]);
        clock.advance(Duration::from_secs(3600));
        faults::fail(&[call]);
        let n_reports = n_reported("cannot rotate", || {
            export(&mut file, &["b", "c"]);
            export(&mut file, &["d"]);
        });
        assert_eq!(n_reports, 1, "{call:?}");
        assert_eq!(all_names(&folder), ["a", "b", "c", "d"], "{call:?}");
        faults::fail(&[]);
        export(&mut file, &["e"]);
        assert_eq!(names(&folder.file()), ["e"], "it is done as soon as it can be");
        assert_eq!(all_names(&folder), ["a", "b", "c", "d", "e"], "{call:?}");
        assert!(files(&folder.0).len() <= 3, "{:?}", files(&folder.0));
        clock.advance(Duration::from_secs(3600));
        faults::fail(&[call]);
        assert_eq!(n_reported("cannot rotate", || export(&mut file, &["f"])), 1, "anew");
        faults::fail(&[]);
    }
}

#[test]
fn a_rename_replaces_nothing_that_another_process_has_rotated_meanwhile() {
    let folder = Folder::new("lost-race");
    let (_clock, _entered) = manual();
    let open = || File::builder(folder.file()).rotate_bytes(1).open().unwrap();
    let (mut file, mut other) = (open(), open());
    export(&mut file, &["a"]);
    // The other one rotates when this one has looked already, and begins a new file.
    faults::at_rename(move || export(&mut other, &["b", "c"]));
    export(&mut file, &["d"]);
    let mut all = all_names(&folder);
    all.sort();
    assert_eq!(all, ["a", "b", "c", "d"]);
    // Or there is no file any more at that moment.
    let (path, moved) = (folder.file(), folder.0.join("moved"));
    faults::at_rename(move || fs::rename(path, moved).unwrap());
    assert_eq!(n_reported("cannot rotate", || export(&mut file, &["e"])), 0);
    let mut all = all_names(&folder);
    all.sort();
    assert_eq!(all, ["a", "b", "c", "d", "e"]);
}

#[test]
fn a_link_stays_and_the_file_it_leads_to_is_rotated() {
    let (folder, elsewhere) = (Folder::new("link"), Folder::new("link-target"));
    let (_clock, _entered) = manual();
    std::os::unix::fs::symlink(elsewhere.file(), folder.file()).unwrap();
    let mut file = File::builder(folder.file()).rotate_bytes(1).open().unwrap();
    export(&mut file, &["a", "b"]);
    assert_eq!(files(&folder.0), ["spans.jsonl"]);
    assert!(fs::symlink_metadata(folder.file()).unwrap().is_symlink());
    assert_eq!(files(&elsewhere.0), ["spans-2020-01-01T00-00-00Z.jsonl", "spans.jsonl"]);
    assert_eq!(all_names(&elsewhere), ["a", "b"]);
}

#[test]
fn what_is_no_file_on_a_disk_is_not_rotated() {
    let mut file = File::builder("/dev/null").rotate_bytes(1).keep_files(1).open().unwrap();
    export(&mut file, &["a", "b"]);
    assert!(!files(Path::new("/dev")).iter().any(|name| name.starts_with("null-")));
}

#[test]
fn own_rotation_goes_on_after_that_of_others() {
    let folder = Folder::new("both");
    let (_clock, _entered) = manual();
    let most = 2 * line_bytes();
    let mut file = File::builder(folder.file()).rotate_bytes(most).open().unwrap();
    export(&mut file, &["a"]);
    fs::rename(folder.file(), folder.0.join("spans-0")).unwrap();
    export(&mut file, &["b", "c", "d"]);
    fs::write(folder.file(), "").unwrap();
    export(&mut file, &["e", "f"]);
    fs::remove_file(folder.file()).unwrap();
    export(&mut file, &["g", "h", "i"]);
    assert_eq!(
        files(&folder.0),
        [
            "spans-0",
            "spans-2020-01-01T00-00-00Z.jsonl",
            "spans-2020-01-01T00-00-00Z_001.jsonl",
            "spans.jsonl"
        ]
    );
    assert_eq!(all_names(&folder), ["a", "b", "c", "g", "h", "i"]);
}

#[test]
fn permissions_are_as_asked_for_whatever_the_umask_and_a_file_that_exists_keeps_its_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new("mode");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let mut file = File::builder(folder.file()).mode(0o666).rotate_bytes(1).open().unwrap();
    assert_eq!(mode(&folder.file()), 0o666);
    export(&mut file, &["a", "b"]);
    for name in files(&folder.0) {
        assert_eq!(mode(&folder.0.join(&name)), 0o666, "{name}");
    }
    drop(File::builder(folder.file()).mode(0o600).open().unwrap());
    assert_eq!(mode(&folder.file()), 0o666);
}

#[test]
fn a_missing_folder_is_created_where_that_was_asked_for_also_later() {
    let folder = Folder::new("missing");
    let path = folder.0.join("a/b/spans.jsonl");
    assert!(File::builder(&path).open().is_err());
    let mut file = File::builder(&path).create_folder().open().unwrap();
    export(&mut file, &["a"]);
    fs::remove_dir_all(folder.0.join("a")).unwrap();
    export(&mut file, &["b"]);
    assert_eq!(names(&path), ["b"]);
}

#[test]
fn options_that_cannot_be_held_are_refused() {
    let builder = || File::builder("/no/such/folder/spans.jsonl");
    for (wrong, text) in [
        (builder().rotate_bytes(0), "rotate_bytes must be at least 1"),
        (builder().keep_files(0), "keep_files must be at least 1"),
        (builder().rotate_bytes(10).keep_bytes(19), "keep_bytes (19) must have room"),
        (builder().rotate_every(Duration::from_millis(999)), "rotate_every must be at least"),
    ] {
        let error = wrong.open().unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidOption);
        assert!(error.to_string().contains(text), "{error}");
    }
    let error = builder().rotate_bytes(10).keep_bytes(20).open().unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Io);
}
