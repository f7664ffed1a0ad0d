//! A process that is killed while it writes to its spool, again and again: whatever it acknowledged arrives.
//!
//! `examples/spool_drill.rs` runs in a child of this test. It is killed 6 times; with `BELLWETHER_FULL=1`,
//! 1,000 times. With `--nocapture`, it says what arrived, and how long it took at most from a start to the first
//! request.
#![cfg(all(feature = "spool", feature = "otlp", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]
#![expect(clippy::disallowed_types, reason = "the rule is the library's own")]
#![expect(clippy::disallowed_methods, reason = "processes have no clock but the system's")]

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use support::{Reply, Server, numbered_spans};

#[path = "../examples/spool_drill.rs"]
#[allow(dead_code, unreachable_pub, reason = "its `main` is not called")]
mod spool_drill;
mod drill;
mod support;

/// Tells a child what to do.
const CHILD: &str = "BELLWETHER_SPOOL_CHILD";

/// The most records that each kill may have sent twice: a batch.
const BATCH: usize = 512;

type Key = (i64, i64);

/// How often each record arrived.
type Arrived = Arc<Mutex<HashMap<Key, usize>>>;

/// When the first request came after the last look.
type First = Arc<Mutex<Option<Instant>>>;

/// A backend that counts what it gets, unless it is too busy.
fn backend() -> (Server, Arrived, Arc<AtomicBool>, First) {
    let (arrived, is_busy) = (Arrived::default(), Arc::new(AtomicBool::new(false)));
    let (counts, busy, first) = (arrived.clone(), is_busy.clone(), First::default());
    let seen = first.clone();
    let server = Server::by(move |request| {
        seen.lock().unwrap().get_or_insert_with(Instant::now);
        if busy.load(Relaxed) {
            return Reply::status(503);
        }
        let mut counts = counts.lock().unwrap();
        for numbers in numbered_spans(&request.body) {
            *counts.entry(numbers).or_default() += 1;
        }
        Reply::ok()
    });
    (server, arrived, is_busy, first)
}

/// Runs the drill in a child process.
fn child(folder: &Path, endpoint: &str, more: &[&str]) -> Child {
    let options = [&["--dir", folder.to_str().unwrap(), "--endpoint", endpoint], more].concat();
    Command::new(std::env::current_exe().unwrap())
        .args(["the_drill_of_a_child", "--exact", "--nocapture"])
        .env(CHILD, options.join("\n"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn the_drill_of_a_child() {
    let Ok(options) = std::env::var(CHILD) else { return };
    let options = options.lines().map(str::to_owned);
    spool_drill::Options::of(options).and_then(|options| spool_drill::run(&options)).unwrap();
}

/// When a child is killed.
enum Kill {
    /// As soon as it has acknowledged so many records.
    AtAck(usize),
    /// So long after it was started, whatever it does then.
    After(Duration),
    Never,
}

impl Kill {
    /// Not two at the same place. Every other one comes at any time from a microsecond to two seconds, short
    /// ones as often as long ones.
    fn of(number: usize) -> Self {
        let share = (number * 7_919 % 1_000) as f64 / 1_000.0;
        match number % 2 {
            0 => Self::AtAck(1 + number * 397 % 1_500),
            _ => Self::After(Duration::from_secs_f64(1e-6 * 2e6f64.powf(share))),
        }
    }
}

/// What a child acknowledged until it was killed, or ended, and whether it had drained what was there. `begun`
/// is called then.
fn acked(mut child: Child, kill: &Kill, begun: impl Fn()) -> (Vec<Key>, bool) {
    let (mut acked, mut has_drained) = (Vec::new(), false);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let child = Arc::new(Mutex::new(child));
    let (over, is_over) = mpsc::channel::<()>();
    if let &Kill::After(time) = kill {
        let child = child.clone();
        thread::spawn(move || {
            let _ = is_over.recv_timeout(time);
            let _ = child.lock().unwrap().kill();
        });
    }
    for line in lines.map_while(Result::ok) {
        let words: Vec<_> = line.split(' ').collect();
        match *words {
            ["drained"] => {
                has_drained = true;
                begun();
            }
            ["acked", writer, seq] => acked.push((writer.parse().unwrap(), seq.parse().unwrap())),
            _ => {}
        }
        if matches!(kill, Kill::AtAck(most) if acked.len() >= *most) {
            let _ = child.lock().unwrap().kill();
        }
    }
    drop(over);
    child.lock().unwrap().wait().unwrap();
    (acked, has_drained)
}

#[test]
fn whatever_was_acknowledged_before_a_kill_arrives_and_little_arrives_twice() {
    if std::env::var_os(CHILD).is_some() {
        return; // One test of a child is enough.
    }
    let n_kills = drill::size(6, 1_000);
    let folder = std::env::temp_dir().join(format!("bellwether-kill-{}", std::process::id()));
    let (server, arrived, is_busy, first) = backend();
    let (mut promised, mut longest) = (HashSet::new(), Duration::ZERO);
    for number in 0..n_kills {
        is_busy.store(false, Relaxed);
        *first.lock().unwrap() = None;
        let started = Instant::now();
        let child = child(&folder, &server.url(""), &["--threads", "4"]);
        // Sometimes nothing is sent before.
        let begun = || is_busy.store(number % 3 == 1, Relaxed);
        promised.extend(acked(child, &Kill::of(number), begun).0);
        let until_first = first.lock().unwrap().map(|first| first.duration_since(started));
        longest = longest.max(until_first.unwrap_or_default());
    }
    is_busy.store(false, Relaxed);
    let last = child(&folder, &server.url(""), &["--seconds", "0"]);
    let (acked, has_drained) = acked(last, &Kill::Never, || ());
    promised.extend(acked);
    assert!(has_drained);
    let arrived = arrived.lock().unwrap();
    let missing: Vec<_> = promised.iter().filter(|key| !arrived.contains_key(key)).collect();
    assert!(missing.is_empty(), "{} of {}: {missing:?}", missing.len(), promised.len());
    assert!(promised.len() > n_kills, "{}", promised.len());
    let twice: usize = arrived.values().map(|n| n - 1).sum();
    assert!(twice <= BATCH * n_kills, "{twice} of {} more than once", arrived.len());
    let (n_promised, n_arrived) = (promised.len(), arrived.len());
    println!(
        "{n_kills} kills: {n_promised} acknowledged, none missing; {n_arrived} arrived, {twice} twice"
    );
    println!("the first request after {longest:?} at most");
    fs::remove_dir_all(&folder).unwrap();
}
