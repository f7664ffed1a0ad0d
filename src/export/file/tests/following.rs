//! The path is renamed, removed, truncated, replaced by others.

use std::io::{self, Write as _};

use super::*;

#[test]
fn a_file_that_was_renamed_or_removed_is_opened_anew() {
    let folder = Folder::new("rotated");
    let (path, old) = (folder.file(), folder.0.join("spans.1"));
    let mut file = File::open(&path).unwrap();
    export(&mut file, &["a", "b"]);
    fs::rename(&path, &old).unwrap();
    export(&mut file, &["c"]);
    assert_eq!((names(&old), names(&path)), (vec!["a".into(), "b".into()], vec!["c".into()]));
    fs::remove_file(&path).unwrap();
    export(&mut file, &["d"]);
    assert_eq!(names(&path), ["d"]);
    fs::rename(&old, &path).unwrap(); // Another file stands there, with lines of its own.
    export(&mut file, &["e"]);
    assert_eq!(names(&path), ["a", "b", "e"]);
}

#[test]
fn a_file_that_was_truncated_is_appended_to_from_its_new_end() {
    let folder = Folder::new("truncated");
    let path = folder.file();
    let mut file = File::open(&path).unwrap();
    export(&mut file, &["a", "b"]);
    fs::write(&path, "").unwrap();
    export(&mut file, &["c"]);
    assert_eq!(names(&path), ["c"]);
}

#[test]
fn a_line_that_an_earlier_process_left_torn_stays_alone() {
    let folder = Folder::new("torn");
    let path = folder.file();
    fs::write(&path, r#"{"name":"ha"#).unwrap();
    let mut file = File::open(&path).unwrap();
    export(&mut file, &["a"]);
    export(&mut file, &["b"]);
    assert_eq!(names(&path), ["torn", "a", "b"]);
}

#[test]
fn a_folder_that_vanished_is_tried_again_and_named() {
    let folder = Folder::new("vanished");
    let mut file = File::open(folder.file()).unwrap();
    fs::remove_dir_all(&folder.0).unwrap();
    let batch = vec![sample("a")].into();
    let error = export_all(&mut file, &batch).unwrap_err();
    assert!(error.is_retry(), "{error:?}");
    assert!(error.to_string().contains("spans.jsonl"), "{error}");
    fs::create_dir_all(&folder.0).unwrap();
    export_all(&mut file, &batch).unwrap();
    assert_eq!(names(&folder.file()), ["a"]);
}

#[test]
fn a_path_that_leads_elsewhere_and_cannot_be_opened_leaves_the_open_file_and_is_reported_once() {
    // What becomes of the folder, and what makes it whole again.
    type Step = fn(&Path);
    let remove_folder: Step = |folder| fs::remove_dir_all(folder).unwrap();
    let remove_file: Step = |folder| fs::remove_file(folder).unwrap();
    let cases: [(&str, Step, Step); 4] = [
        ("gone", |_| {}, |_| {}),
        ("no-folder", |folder| fs::write(folder, "").unwrap(), remove_file),
        (
            "a-folder-at-the-path",
            |folder| fs::create_dir_all(folder.join("spans.jsonl")).unwrap(),
            remove_folder,
        ),
        (
            "a-circle-of-links",
            |folder| std::os::unix::fs::symlink(folder, folder).unwrap(),
            remove_file,
        ),
    ];
    for (name, spoil, mend) in cases {
        let folder = Folder::new(name);
        let (inner, moved) = (folder.0.join("logs"), folder.0.join("old"));
        let path = inner.join("spans.jsonl");
        fs::create_dir(&inner).unwrap();
        let mut file = File::open(&path).unwrap();
        export(&mut file, &["a"]);
        fs::rename(&inner, &moved).unwrap();
        spoil(&inner);
        let n_reports = n_reported("cannot follow", || {
            export(&mut file, &["b"]);
            export(&mut file, &["c"]);
        });
        assert_eq!(n_reports, 1, "{name}");
        assert_eq!(names(&moved.join("spans.jsonl")), ["a", "b", "c"], "{name}");
        mend(&inner);
        fs::create_dir(&inner).unwrap();
        export(&mut file, &["d"]);
        assert_eq!(names(&path), ["d"], "{name}");
        // Another trouble is reported anew.
        fs::rename(&inner, folder.0.join("older")).unwrap();
        assert_eq!(n_reported("cannot follow", || export(&mut file, &["e"])), 1, "{name}");
    }
}

#[test]
fn a_folder_that_was_replaced_gets_a_file_of_its_own() {
    let folder = Folder::new("replaced");
    let (inner, moved) = (folder.0.join("logs"), folder.0.join("old"));
    fs::create_dir(&inner).unwrap();
    let path = inner.join("spans.jsonl");
    let mut file = File::open(&path).unwrap();
    export(&mut file, &["a"]);
    fs::rename(&inner, &moved).unwrap();
    fs::create_dir(&inner).unwrap();
    export(&mut file, &["b"]);
    assert_eq!(names(&moved.join("spans.jsonl")), ["a"]);
    assert_eq!(names(&path), ["b"]);
}

#[test]
fn a_full_disk_is_tried_again() {
    let Ok(mut file) = File::open("/dev/full") else {
        // Not `eprintln!`, which is captured: the test would pass in silence.
        let _ = writeln!(io::stderr(), "SKIPPED: a full disk: no /dev/full");
        return;
    };
    let error = export_all(&mut file, &vec![sample("a")].into()).unwrap_err();
    assert!(error.is_retry(), "{error:?}");
}

#[test]
fn lines_of_two_writers_do_not_interleave() {
    let folder = Folder::new("shared");
    let path = folder.file();
    let write = |name: &'static str| {
        let mut file = File::open(&path).unwrap();
        move || (0..50).for_each(|_| export(&mut file, &[name; 20]))
    };
    let threads = [write("a"), write("b")].map(std::thread::spawn);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let names = names(&path);
    assert_eq!(names.len(), 2000);
    assert_eq!(names.iter().filter(|name| *name == "a").count(), 1000);
}
