//! A process whose records wait on disk forks: neither it nor its child sends the other's, none is sent twice, and
//! none is lost.
//!
//! It forks ten times; with `BELLWETHER_FULL=1`, a thousand times.
#![cfg(all(feature = "spool", unix))]
#![allow(unsafe_code, reason = "fork has no safe call")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

mod drill;

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use bellwether::{
    Telemetry,
    pipeline::{Batch, Deadline, Encoder, ExportError, Payload, Route, SendResult, Sender},
    trace::SpanRecord,
};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);

/// Telemetry is one for the process: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("bellwether-fork-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The name of each span, on a line.
struct Names;

impl Encoder<SpanRecord> for Names {
    fn encode(&mut self, batch: &Batch<SpanRecord>) -> Payload {
        let mut payload = Payload::new();
        for span in batch {
            payload
                .record(|bytes| bytes.extend_from_slice(format!("{}\n", span.name()).as_bytes()));
        }
        payload
    }

    fn format(&self) -> &str {
        "names.1"
    }
}

/// A backend that is away until it is there.
#[derive(Clone, Default)]
struct Backend {
    is_there: Arc<AtomicBool>,
    taken: Arc<Mutex<String>>,
}

impl Sender for Backend {
    fn send(&mut self, payload: &Payload, _: &Deadline) -> SendResult {
        if !self.is_there.load(Relaxed) {
            return Err(ExportError::retry("it is away"));
        }
        self.taken.lock().unwrap().push_str(&String::from_utf8_lossy(payload.bytes()));
        Ok(())
    }
}

impl Backend {
    fn there() -> Self {
        Self { is_there: Arc::new(AtomicBool::new(true)), ..Self::default() }
    }

    fn start(&self, folder: &Path) -> Telemetry {
        let route = Route::wire(Names, self.clone()).spool(folder);
        let quiet = bellwether::builder("test").on_diagnostic(|_, _| ());
        quiet.export(route).start().unwrap()
    }

    /// The names of all spans that came, sorted.
    fn taken(&self) -> Vec<String> {
        let mut names: Vec<_> = self.taken.lock().unwrap().lines().map(str::to_owned).collect();
        names.sort_unstable();
        names
    }
}

/// Ends `n` spans, called `OF-000` and so on.
fn record(of: &str, n: usize) {
    (0..n).for_each(|number| bellwether::span(name(of, number)).enter().end());
}

fn name(of: &str, number: usize) -> String {
    format!("{of}-{number:03}")
}

fn names(of: &str, n: usize) -> Vec<String> {
    (0..n).map(|number| name(of, number)).collect()
}

/// A child, and the end of the pipe by which it says what came of it.
struct Child(i32, std::io::PipeReader);

impl Child {
    fn fork(work: impl FnOnce() -> String) -> Self {
        let (reader, mut writer) = std::io::pipe().unwrap();
        // SAFETY: what the child calls is what these tests are about; glibc looks after the allocator.
        match unsafe { libc::fork() } {
            0 => {
                drop(reader);
                // SAFETY: ends a child that hangs, and with it the test.
                unsafe { libc::alarm(20) };
                let work = std::panic::AssertUnwindSafe(work);
                let text = std::panic::catch_unwind(work).unwrap_or_else(|_| "panicked".to_owned());
                let _ = writer.write_all(text.as_bytes());
                // SAFETY: ends the child without running the harness's exit hooks a second time.
                unsafe { libc::_exit(0) }
            }
            child => Self(child, reader),
        }
    }

    fn end(mut self) -> String {
        let mut text = String::new();
        #[expect(clippy::disallowed_methods, reason = "the writer is this test's own child")]
        self.1.read_to_string(&mut text).unwrap();
        // SAFETY: waits for the child of this test; no status is asked for.
        unsafe { libc::waitpid(self.0, std::ptr::null_mut(), 0) };
        text
    }
}

/// What a child does: telemetry of its own, on the same folder, whose backend is there.
fn own_life(folder: &Path) -> String {
    let backend = Backend::there();
    let telemetry = backend.start(folder);
    record("child", 100);
    let report = telemetry.shutdown(LONG);
    let totals = report.totals();
    match totals.add_up() && backend.taken() == names("child", 100) {
        true => format!("{} delivered", totals.delivered),
        false => format!("{report}: {:?}", backend.taken()),
    }
}

#[test]
fn a_child_sends_its_own_records_and_its_parent_those_that_wait_on_disk_each_once() {
    let _turn = turn();
    let folder = Folder::new("once");
    let backend = Backend::default();
    let telemetry = backend.start(&folder.0);
    record("parent", 100);
    assert!(telemetry.persist(LONG));
    let child = Child::fork(|| own_life(&folder.0));
    assert_eq!(child.end(), "100 delivered");
    backend.is_there.store(true, Relaxed);
    let report = telemetry.shutdown(LONG);
    assert_eq!((report.totals().delivered, report.totals().spooled), (100, 0), "{report}");
    assert_eq!(backend.taken(), names("parent", 100));
    assert_eq!(Backend::there().start(&folder.0).shutdown(LONG).totals().offered, 0);
}

#[test]
fn children_that_are_forked_while_threads_record_flush_and_persist_harm_nobody() {
    let _turn = turn();
    let folder = Folder::new("busy");
    let n_forks = drill::size(10, 1_000);
    let backend = Backend::default();
    let telemetry = backend.start(&folder.0);
    let is_over = AtomicBool::new(false);
    let works: [fn(&Telemetry); 3] = [
        |telemetry| drop(telemetry.flush(SHORT)),
        |telemetry| _ = telemetry.persist(SHORT),
        |_| thread::yield_now(),
    ];
    let (telemetry, is_over) = (&telemetry, &is_over);
    let n_spans: usize = thread::scope(|scope| {
        let threads: Vec<_> = works
            .into_iter()
            .map(|work| {
                scope.spawn(move || {
                    let mut n = 0;
                    while !is_over.load(Relaxed) {
                        record("parent", 1);
                        n += 1;
                        work(telemetry);
                    }
                    n
                })
            })
            .collect();
        let mut ends = Vec::new();
        for fork in 0..n_forks {
            ends.push(Child::fork(|| own_life(&folder.0)).end());
            backend.is_there.store(fork % 2 == 0, Relaxed);
        }
        is_over.store(true, Relaxed); // First: a scope waits for its threads, whatever panics in it.
        assert_eq!(ends, vec!["100 delivered"; n_forks]);
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    backend.is_there.store(true, Relaxed);
    let report = telemetry.shutdown(LONG);
    let totals = report.totals();
    assert!(totals.add_up() && report.settled, "{report}");
    assert_eq!((totals.offered, totals.delivered), (n_spans as u64, n_spans as u64), "{report}");
    assert_eq!(backend.taken().len(), n_spans);
}

#[test]
fn a_folder_is_free_after_a_shutdown_though_a_child_lives_on() {
    let _turn = turn();
    let folder = Folder::new("free");
    let telemetry = Backend::default().start(&folder.0);
    record("parent", 100);
    let (let_go, mut held) = (std::io::pipe().unwrap(), [0]);
    let (mut reader, mut writer) = let_go;
    let child = Child::fork(|| {
        let _ = reader.read_exact(&mut held);
        "lived on".to_owned()
    });
    let report = telemetry.shutdown(SHORT);
    assert_eq!(report.totals().spooled, 100, "{report}");
    let next = Backend::there();
    let report = next.start(&folder.0).shutdown(LONG);
    writer.write_all(&[1]).unwrap();
    assert_eq!(child.end(), "lived on");
    assert_eq!((report.totals().delivered, next.taken()), (100, names("parent", 100)), "{report}");
}
