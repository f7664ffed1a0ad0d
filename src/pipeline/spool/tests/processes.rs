//! Several processes on one folder. The test binary starts itself: the variable says what it does then.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use super::*;
use crate::clock;

const ROLE: &str = "BELLWETHER_SPOOL_ROLE";
const AT: &str = "BELLWETHER_SPOOL_AT";

/// A process that runs `role`, and its answers.
struct Other {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Other {
    fn start(role: &str, path: &Path) -> Self {
        Self::start_by(Command::new(std::env::current_exe().unwrap()), role, path)
    }

    /// As `start`, by a command that the arguments are appended to.
    fn start_by(mut command: Command, role: &str, path: &Path) -> Self {
        let mut child = command
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .arg("pipeline::spool::tests::processes::another_process_does_its_part")
            .env(ROLE, role)
            .env(AT, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    /// The next line that is an answer; what the test harness prints is none.
    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.answers.read_line(&mut line).unwrap() > 0, "the process has ended");
            // The harness prints the test's name before, and no line break.
            if let Some((_, answer)) = line.trim_end().split_once("=> ") {
                return answer.to_owned();
            }
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn ends(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(answer: impl std::fmt::Display) {
    println!("=> {answer}");
    io::stdout().flush().unwrap();
}

fn until_told() {
    let _ = io::stdin().lock().read_line(&mut String::new());
}

#[test]
fn another_process_does_its_part() {
    let (Ok(role), Some(path)) = (std::env::var(ROLE), std::env::var_os(AT)) else {
        return; // Nobody asked for it.
    };
    let path = Path::new(&path);
    match role.as_str() {
        "hold" => {
            let (mut writer, _reader) = Spool::open(path, small(1000), FORM).unwrap();
            write(&mut writer, [u64::from(std::process::id())]);
            say(std::process::id());
            until_told();
        }
        "write" => {
            let (mut writer, _reader) = Spool::open(path, small(4000), FORM).unwrap();
            for id in 0.. {
                writer.append(&payload(id, 1, 50)).unwrap();
                if id % 7 == 0 {
                    writer.sync().unwrap();
                    say(id);
                }
            }
        }
        "modes" => own_folder::modes_without_umask(path),
        "measure" => measure(path),
        "starve" => starve(path),
        role => panic!("role {role}"),
    }
}

#[test]
fn each_process_has_a_folder_of_its_own_and_leaves_it_to_the_next() {
    let folder = Folder::new("processes");
    let n = drill::size(6, 100);
    let mut others: Vec<_> = (0..n).map(|_| Other::start("hold", &folder.0)).collect();
    let mut ids: Vec<u64> = others.iter_mut().map(|it| it.answer().parse().unwrap()).collect();
    let (mut writer, mut reader) = Spool::open(&folder.0, small(1000), FORM).unwrap();
    write(&mut writer, [1]);
    assert_eq!(drain(&mut reader), [1]);
    let folders =
        fs::read_dir(&folder.0).unwrap().filter(|it| it.as_ref().unwrap().path().is_dir());
    assert_eq!(folders.count(), n);
    // One after the other ends, and is read.
    let mut read = Vec::new();
    for (place, other) in others.into_iter().enumerate() {
        if place % 2 == 0 {
            other.kill()
        } else {
            other.ends()
        }
        assert!(reader.adopt());
        let left = drain(&mut reader);
        assert_eq!(left.len(), 1);
        read.extend(left);
    }
    read.sort_unstable();
    ids.sort_unstable();
    assert_eq!(read, ids);
}

#[test]
fn a_process_that_is_killed_loses_nothing_that_was_durable() {
    for round in 0..drill::size(3, 50) {
        let folder = Folder::new("killed");
        let mut other = Other::start("write", &folder.0);
        let mut acked = 0;
        for _ in 0..=20 * round + 5 {
            acked = other.answer().parse().unwrap();
        }
        other.kill();
        let (_writer, mut reader) = Spool::open(&folder.0, small(4000), FORM).unwrap();
        let read = drain(&mut reader);
        assert!(read.iter().copied().eq(0..read.len() as u64));
        assert!(read.len() as u64 > acked, "{} of {acked}", read.len());
        assert_eq!(reader.handle().figures().skipped_frames, 0);
    }
}

#[test]
fn files_are_for_their_user_alone_whatever_the_umask() {
    let folder = Folder::new("umask");
    fs::create_dir(&folder.0).unwrap();
    Other::start("modes", &folder.0).ends();
    assert!(folder.0.join("tight/lock").exists());
}

#[test]
fn where_no_more_files_can_be_opened_nothing_is_lost_and_all_goes_on_when_there_are() {
    let folder = Folder::new("starved");
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 40; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    let mut other = Other::start_by(limited, "starve", &folder.0);
    assert_eq!(other.answer(), "0 unkept, 1 failed write, 1 failed read, [0, 1, 2, 3] at last");
    other.ends();
}

/// Takes all files that a process may open, and lets go of them.
fn starve(path: &Path) {
    let (mut writer, reader) = Spool::open(path, small(300), FORM).unwrap();
    write(&mut writer, 0..3);
    drop((writer, reader));
    let (mut writer, mut reader) = Spool::open(path, small(300), FORM).unwrap();
    let mut taken = Vec::new();
    while let Ok(file) = fs::File::open("/dev/null") {
        taken.push(file);
    }
    assert!((1..40).contains(&taken.len()));
    let error = writer.append(&payload(3, 1, 20)).unwrap_err();
    assert!(reader.next().is_none());
    drop(taken);
    write(&mut writer, [3]);
    let (read, figures) = (drain(&mut reader), reader.handle().figures());
    let (unkept, writes, reads) = (error.unkept(), figures.failed_writes, figures.failed_reads);
    say(format_args!(
        "{unkept} unkept, {writes} failed write, {reads} failed read, {read:?} at last"
    ));
}

#[test]
fn a_large_backlog_is_opened_at_once_and_read_in_little_memory() {
    let folder = Folder::new("backlog");
    let (mut writer, reader) = Spool::open(
        &folder.0,
        SpoolSettings { max_bytes: u64::MAX, ..SpoolSettings::default() },
        FORM,
    )
    .unwrap();
    // One segment, and then copies of it under the next numbers.
    while reader.handle().figures().bytes < 15 << 20 {
        writer.append(&payload(3, 512, 500)).unwrap();
    }
    writer.sync().unwrap();
    drop((writer, reader));
    let first = fs::read_dir(&folder.0)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|ending| ending == "seg"))
        .unwrap();
    let name = first.file_name().unwrap().to_str().unwrap().to_owned();
    let n_segments = drill::size(256, 8_192) / 15;
    for number in 2..=n_segments {
        let copy = name.replacen("0000000000000001", &format!("{number:016x}"), 1);
        fs::copy(&first, folder.0.join(copy)).unwrap();
    }
    let mut other = Other::start("measure", &folder.0);
    let answer = other.answer();
    let figures: Vec<u64> = answer.split(' ').map(|figure| figure.parse().unwrap()).collect();
    let [millis, kib, n_payloads] = figures[..] else {
        panic!("{answer}");
    };
    println!("opened in {millis} ms, {kib} KiB more, {n_payloads} payloads");
    assert!(millis < 1000, "{millis} ms");
    assert!(kib <= 32 << 10, "{kib} KiB");
    assert!(n_payloads >= n_segments as u64 * 50);
}

/// How long it takes to the first payload, and what the memory grows by until all are read.
fn measure(path: &Path) {
    let begun = clock::real_instant();
    let before = peak_kib();
    let settings = SpoolSettings { max_bytes: u64::MAX, ..SpoolSettings::default() };
    let (_writer, mut reader) = Spool::open(path, settings, FORM).unwrap();
    let first = reader.next().unwrap();
    let millis = clock::real_instant().duration_since(begun).as_millis();
    reader.done(&first.position);
    let mut n = 1;
    while let Some(entry) = reader.next() {
        reader.done(&entry.position);
        n += 1;
    }
    say(format_args!("{millis} {} {n}", peak_kib() - before));
}

/// The most memory that this process has ever had.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    peak.map_or(0, |kib| kib.trim().parse().unwrap())
}
