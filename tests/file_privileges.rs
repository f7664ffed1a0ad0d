//! The file exporter after the process has given up its privileges, or gone to another folder.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "the ids of one thread have no safe call")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use bellwether::{
    export::{File, Memory},
    pipeline::{Batch, Deadline, ExportResult, Exporter as _},
    trace::SpanRecord,
};

/// Telemetry is the process's, and so is the current folder: one test at a time.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bellwether-{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("logs")).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("logs/spans.jsonl")
    }

    fn permit(&self, mode: u32) {
        fs::set_permissions(self.0.join("logs"), fs::Permissions::from_mode(mode)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.permit(0o755);
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// One span as an exporter gets it.
fn span() -> Batch<SpanRecord> {
    let memory = Memory::new();
    let telemetry = bellwether::builder("test").export(memory.clone()).start().unwrap();
    drop(bellwether::span("work").enter());
    telemetry.flush(Duration::from_secs(10));
    memory.records().into()
}

fn n_lines(path: &Path) -> usize {
    fs::read_to_string(path).unwrap().lines().count()
}

/// Runs `work` on a thread without privileges; `false`, and a word of it, if it has none to give up.
fn unprivileged(work: impl FnOnce() + Send) -> bool {
    const NOBODY: libc::uid_t = 65_534;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: the system call, unlike the function of libc, is of this thread alone; it has no
            // memory to get wrong.
            let changed = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
            if changed != 0 {
                let _ = writeln!(io::stderr(), "SKIPPED: privileges dropped: not root");
                return false;
            }
            work();
            true
        });
        thread.join().unwrap()
    })
}

fn export(file: &mut File, batch: &Batch<SpanRecord>) -> ExportResult<SpanRecord> {
    file.export(batch, &Deadline::after(Duration::from_secs(20)))
}

#[test]
fn a_folder_that_may_no_longer_be_looked_into_is_no_rotation() {
    let _turn = turn();
    let (folder, span) = (Folder::new("unreadable"), span());
    let mut file = File::open(folder.file()).unwrap();
    folder.permit(0o700);
    unprivileged(|| {
        export(&mut file, &span).unwrap();
        export(&mut file, &span).unwrap();
        assert!(fs::metadata(folder.file()).is_err(), "the folder is closed to this thread");
    });
    if n_lines(&folder.file()) > 0 {
        assert_eq!(n_lines(&folder.file()), 2);
        // Whoever may look again follows a rotation again.
        fs::rename(folder.file(), folder.0.join("logs/old")).unwrap();
        export(&mut file, &span).unwrap();
        assert_eq!(n_lines(&folder.file()), 1);
    }
}

#[test]
fn a_rotation_that_cannot_be_followed_leaves_the_renamed_file() {
    let _turn = turn();
    let span = span();
    // The path is free, or taken by a file of somebody else's.
    for taken in [false, true] {
        let folder = Folder::new("unwritable");
        let old = folder.0.join("logs/old");
        let mut file = File::open(folder.file()).unwrap();
        fs::rename(folder.file(), &old).unwrap();
        if taken {
            fs::write(folder.file(), "").unwrap();
            fs::set_permissions(folder.file(), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let was_run = unprivileged(|| export(&mut file, &span).unwrap());
        if was_run {
            assert_eq!(n_lines(&old), 1, "{taken}");
            export(&mut file, &span).unwrap();
            assert_eq!(n_lines(&folder.file()), 1, "{taken}");
        }
    }
}

#[test]
fn a_file_that_may_no_longer_be_rotated_is_written_to_and_keeps_its_name() {
    let _turn = turn();
    let (folder, span) = (Folder::new("unrotatable"), span());
    let mut file = File::builder(folder.file()).rotate_bytes(1).open().unwrap();
    let n_files = || fs::read_dir(folder.0.join("logs")).unwrap().count();
    let was_run = unprivileged(|| {
        export(&mut file, &span).unwrap();
        export(&mut file, &span).unwrap();
    });
    if was_run {
        assert_eq!((n_lines(&folder.file()), n_files()), (2, 1));
        export(&mut file, &span).unwrap();
        assert_eq!((n_lines(&folder.file()), n_files()), (1, 2));
    }
}

#[test]
fn a_relative_path_is_that_of_the_folder_it_was_opened_in() {
    let _turn = turn();
    let (folder, span) = (Folder::new("relative"), span());
    let before = std::env::current_dir().unwrap();
    std::env::set_current_dir(&folder.0).unwrap();
    let mut file = File::open("logs/spans.jsonl").unwrap();
    let elsewhere = folder.0.join("elsewhere");
    fs::create_dir_all(elsewhere.join("logs")).unwrap();
    std::env::set_current_dir(&elsewhere).unwrap();
    export(&mut file, &span).unwrap();
    std::env::set_current_dir(before).unwrap();
    assert_eq!(n_lines(&folder.file()), 1);
    assert!(!elsewhere.join("logs/spans.jsonl").exists());
}
