//! A process that is killed while it writes to its spool, again and again: whatever it acknowledged arrives.
//!
//! `examples/spool_drill.rs` runs in a child of this test. `BELLWETHER_KILLS` says how often it is killed; 6
//! by default.
#![cfg(all(feature = "spool", feature = "otlp", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]
#![expect(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use prost::Message;
use support::{Reply, Server};

#[path = "../examples/spool_drill.rs"]
#[allow(dead_code, unreachable_pub, reason = "its `main` is not called")]
mod spool_drill;
mod support;

/// Tells a child what to do.
const CHILD: &str = "BELLWETHER_SPOOL_CHILD";

/// The most records that each kill may have sent twice: a batch.
const BATCH: usize = 512;

/// The few fields of OTLP that the test reads, by their numbers.
mod otlp {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Request {
        #[prost(message, repeated, tag = "1")]
        pub(crate) resources: Vec<Resource>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Resource {
        #[prost(message, repeated, tag = "2")]
        pub(crate) scopes: Vec<Scope>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Scope {
        #[prost(message, repeated, tag = "2")]
        pub(crate) spans: Vec<Span>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Span {
        #[prost(message, repeated, tag = "9")]
        pub(crate) attributes: Vec<Attribute>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Attribute {
        #[prost(string, tag = "1")]
        pub(crate) key: String,
        #[prost(message, optional, tag = "2")]
        pub(crate) value: Option<Value>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Value {
        #[prost(int64, optional, tag = "3")]
        pub(crate) int: Option<i64>,
    }
}

type Key = (i64, i64);

/// How often each record arrived.
type Arrived = Arc<Mutex<HashMap<Key, usize>>>;

/// A backend that counts what it gets, unless it is too busy.
fn backend() -> (Server, Arrived, Arc<AtomicBool>) {
    let (arrived, is_busy) = (Arrived::default(), Arc::new(AtomicBool::new(false)));
    let (counts, busy) = (arrived.clone(), is_busy.clone());
    let server = Server::by(move |request| {
        if busy.load(Relaxed) {
            return Reply::status(503);
        }
        let request = otlp::Request::decode(&*request.body).unwrap();
        let scopes = request.resources.into_iter().flat_map(|resource| resource.scopes);
        let mut counts = counts.lock().unwrap();
        for span in scopes.flat_map(|scope| scope.spans) {
            let number = |key: &str| {
                let found = span.attributes.iter().find(|attribute| attribute.key == key);
                found.and_then(|attribute| attribute.value.clone()?.int).unwrap()
            };
            *counts.entry((number("writer"), number("seq"))).or_default() += 1;
        }
        Reply::ok()
    });
    (server, arrived, is_busy)
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

/// What a child acknowledged until it has done so `most` times, when it is killed, or until it ends. `begun` is
/// called when it has drained what was there.
fn acked(mut child: Child, most: usize, begun: impl Fn()) -> (Vec<Key>, bool) {
    let (mut acked, mut has_drained) = (Vec::new(), false);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
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
        if acked.len() >= most {
            let _ = child.kill();
        }
    }
    child.wait().unwrap();
    (acked, has_drained)
}

#[test]
fn whatever_was_acknowledged_before_a_kill_arrives_and_little_arrives_twice() {
    if std::env::var_os(CHILD).is_some() {
        return; // One test of a child is enough.
    }
    let n_kills = std::env::var("BELLWETHER_KILLS").map_or(6, |kills| kills.parse().unwrap());
    let folder = std::env::temp_dir().join(format!("bellwether-kill-{}", std::process::id()));
    let (server, arrived, is_busy) = backend();
    let mut promised = HashSet::new();
    for kill in 0..n_kills {
        is_busy.store(false, Relaxed);
        // Not two kills at the same place; and sometimes nothing is sent before.
        let most = 1 + kill * 397 % 1_500;
        let child = child(&folder, &server.url(""), &["--threads", "4"]);
        let (acked, _) = acked(child, most, || is_busy.store(kill % 3 == 1, Relaxed));
        promised.extend(acked);
    }
    is_busy.store(false, Relaxed);
    let last = child(&folder, &server.url(""), &["--seconds", "0"]);
    let (acked, has_drained) = acked(last, usize::MAX, || ());
    promised.extend(acked);
    assert!(has_drained);
    let arrived = arrived.lock().unwrap();
    let missing: Vec<_> = promised.iter().filter(|key| !arrived.contains_key(key)).collect();
    assert!(missing.is_empty(), "{} of {}: {missing:?}", missing.len(), promised.len());
    assert!(promised.len() > n_kills, "{}", promised.len());
    let twice: usize = arrived.values().map(|n| n - 1).sum();
    assert!(twice <= BATCH * n_kills, "{twice} of {} more than once", arrived.len());
    fs::remove_dir_all(&folder).unwrap();
}
