//! Several processes write to one path and rotate it; one is killed while it compresses.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod rotated;

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bellwether::{export::File, testing};
use rotated::{Folder, export, files, names, spans};

/// Runs `test` again in a process of its own, with `task` in its environment.
fn child(test: &str, task: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env("BELLWETHER_TASK", task);
    command.stdout(Stdio::null()).spawn().unwrap()
}

/// What this process was started for, if it was.
fn task() -> Option<String> {
    std::env::var("BELLWETHER_TASK").ok()
}

#[test]
fn processes_that_rotate_one_path_lose_and_double_nothing() {
    const TEST: &str = "processes_that_rotate_one_path_lose_and_double_nothing";
    const N_ROUNDS: u64 = 3;
    const N_BATCHES: usize = 150;
    if let Some(task) = task() {
        let (path, rest) = task.split_once('|').unwrap();
        let (round, process) = rest.split_once('|').unwrap();
        // Each round is a minute after the one before, so that its files may be compressed.
        let scope = testing::scope();
        scope.advance(Duration::from_secs(60 * round.parse::<u64>().unwrap()));
        let mut file = File::builder(path).rotate_bytes(10_000).gzip().open().unwrap();
        for n in 0..N_BATCHES {
            let batch = (n * 10..n * 10 + 10).map(|n| format!("{round}:{process}:{n:04}"));
            export(&mut file, &spans(batch)).unwrap();
        }
        return;
    }
    let folder = Folder::new("processes");
    for round in 0..N_ROUNDS {
        let task = |process| format!("{}|{round}|{process}", folder.file().display());
        let children: Vec<Child> = (0..3).map(|process| child(TEST, &task(process))).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
    }
    let mut all = names(&folder);
    all.sort();
    // A process may end between the name of the compressed file and the removal of the plain one.
    let there = files(&folder.0);
    let is_twice = there.iter().any(|name| there.contains(&format!("{name}.gz")));
    if is_twice {
        all.dedup();
    }
    let expected = (0..N_ROUNDS).flat_map(|round| {
        let of =
            move |process| (0..N_BATCHES * 10).map(move |n| format!("{round}:{process}:{n:04}"));
        (0..3).flat_map(of)
    });
    assert!(all.into_iter().eq(expected));
    assert!(there.len() > 100, "{}", there.len());
}

/// Whether `holds` within twenty seconds.
fn comes_true(mut holds: impl FnMut() -> bool) -> bool {
    let begin = bellwether::clock::now();
    while !holds() {
        if bellwether::clock::now().since(begin) > Duration::from_secs(20) {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

fn is_temporary(name: &str) -> bool {
    name.ends_with(".tmp")
}

/// A rotated file of some megabytes that does not compress well, and a newer one.
fn large_rotated_file(folder: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    let mut state = 1u64;
    for n in 0..60_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        writeln!(text, "{{\"name\":\"{n}\",\"x\":\"{state:016x}{:016x}\"}}", state.rotate_left(31))
            .unwrap();
    }
    fs::write(folder.join("app-2020-01-01T00-00-00Z.jsonl"), &text).unwrap();
    fs::write(folder.join("app-2020-01-02T00-00-00Z.jsonl"), "{\"name\":\"x\"}\n").unwrap();
    text
}

#[test]
fn a_process_that_is_killed_while_it_compresses_leaves_the_plain_file_or_the_whole_other_one() {
    const TEST: &str =
        "a_process_that_is_killed_while_it_compresses_leaves_the_plain_file_or_the_whole_other_one";
    if let Some(path) = task() {
        let _file = File::builder(path).rotate_bytes(10_000).gzip().open().unwrap();
        std::thread::park(); // Until it is killed.
    }
    let folder = Folder::new("killed");
    let text = large_rotated_file(&folder.0);
    let mut child = child(TEST, folder.file().to_str().unwrap());
    let has_begun = comes_true(|| files(&folder.0).iter().any(|name| is_temporary(name)));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(has_begun);
    let plain = folder.0.join("app-2020-01-01T00-00-00Z.jsonl");
    let gzip = folder.0.join("app-2020-01-01T00-00-00Z.jsonl.gz");
    let unpacked = || {
        let mut unpacked = Vec::new();
        let source = fs::File::open(&gzip).unwrap();
        std::io::copy(&mut flate2::read::GzDecoder::new(source), &mut unpacked).unwrap();
        unpacked
    };
    if plain.exists() {
        assert!(fs::read(&plain).unwrap() == text);
    } else {
        assert!(unpacked() == text);
    }
    // The next one cleans up and completes it.
    let left: Vec<String> =
        files(&folder.0).into_iter().filter(|name| is_temporary(name)).collect();
    let _file = File::builder(folder.file()).rotate_bytes(10_000).gzip().open().unwrap();
    assert!(left.iter().all(|name| !folder.0.join(name).exists()), "{left:?}");
    assert!(comes_true(|| !plain.exists()));
    assert!(unpacked() == text);
}
