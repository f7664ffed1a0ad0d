//! A spool on a disk that fills and is freed again, that nobody may write to, and that lies above another one:
//! a file system of 1 MiB in memory, in a mount namespace of a process of its own.
#![cfg(all(target_os = "linux", feature = "spool"))]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod own_mount;

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use bellwether::{
    Error, ErrorKind,
    pipeline::{
        Batch, Deadline, DropReason, Encoder, ExportError, Overflow, Payload, Pipe, QueueReport,
        Route, SendResult, Sender, Setup, SpoolFolder,
    },
    trace::SpanRecord,
};

use own_mount::small_disk;

const PATIENCE: Duration = Duration::from_secs(20);

struct Names;

impl Encoder<SpanRecord> for Names {
    fn encode(&mut self, batch: &Batch<SpanRecord>) -> Payload {
        let mut payload = Payload::new();
        for span in batch {
            payload.record(|bytes| bytes.extend_from_slice(span.name().as_bytes()));
        }
        payload
    }

    fn format(&self) -> &str {
        "names.1"
    }
}

/// Is up or down, and counts what it gets.
#[derive(Clone, Default)]
struct Backend {
    is_down: Arc<AtomicBool>,
    received: Arc<AtomicU64>,
}

impl Sender for Backend {
    fn send(&mut self, payload: &Payload, _: &Deadline) -> SendResult {
        if self.is_down.load(SeqCst) {
            return Err(ExportError::retry("down"));
        }
        self.received.fetch_add(payload.len() as u64, SeqCst);
        Ok(())
    }
}

fn start(backend: &Backend, folder: PathBuf) -> Pipe<SpanRecord> {
    try_start(backend, folder).unwrap()
}

fn try_start(backend: &Backend, folder: PathBuf) -> Result<Pipe<SpanRecord>, Error> {
    let route = Route::wire(Names, backend.clone())
        .settings(|settings| {
            settings.max_items = 1_000;
            settings.overflow = Overflow::DropOldest;
            settings.batch_items = 10;
            settings.batch_delay = Duration::from_millis(5);
        })
        .spool(SpoolFolder::new(folder).free_bytes(0));
    Pipe::start(route, &Setup::default())
}

fn push(pipe: &Pipe<SpanRecord>, n: usize) {
    // As long as a span that is encoded.
    for _ in 0..n {
        pipe.push(vec![SpanRecord::new("n".repeat(200))]);
    }
}

/// Fills the disk to its last block.
fn fill(disk: &Path) -> PathBuf {
    let ballast = disk.join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
    ballast
}

/// Waits until the report is as it should be.
fn await_report(pipe: &Pipe<SpanRecord>, what: &str, is_so: impl Fn(&QueueReport) -> bool) {
    let patience = Deadline::after(PATIENCE);
    loop {
        let report = pipe.report();
        assert!(report.totals().add_up(), "{report}");
        if is_so(&report) {
            return;
        }
        assert!(!patience.is_over(), "{what}: {report}");
        std::thread::yield_now();
    }
}

#[test]
fn a_full_disk_costs_nothing_while_the_backend_is_up() {
    let Some(disk) = small_disk("a_full_disk_costs_nothing_while_the_backend_is_up", "1m") else {
        return;
    };
    let backend = Backend::default();
    let pipe = start(&backend, disk.join("spool"));
    push(&pipe, 100);
    assert!(pipe.flush(PATIENCE));
    fill(&disk);
    for _ in 0..10 {
        push(&pipe, 500);
        assert!(pipe.flush(PATIENCE), "{}", pipe.report());
    }
    let report = pipe.shutdown(PATIENCE);
    assert_eq!((report.delivered, report.dropped.total()), (5_100, 0), "{report}");
    assert_eq!(backend.received.load(SeqCst), 5_100);
}

#[test]
fn while_disk_and_backend_are_away_memory_is_the_bound_and_a_freed_disk_is_used_again() {
    let Some(disk) = small_disk(
        "while_disk_and_backend_are_away_memory_is_the_bound_and_a_freed_disk_is_used_again",
        "1m",
    ) else {
        return;
    };
    let backend = Backend::default();
    let pipe = start(&backend, disk.join("spool"));
    backend.is_down.store(true, SeqCst);
    push(&pipe, 100);
    await_report(&pipe, "on disk", |report| report.spooled == 100);
    let ballast = fill(&disk);
    // More than what is left on the disk and in memory.
    push(&pipe, 20_000);
    await_report(&pipe, "counted", |report| report.offered == 20_100 && report.held <= 1_000);
    let dropped = pipe.report().dropped;
    assert_eq!(dropped.total(), dropped.get(DropReason::QueueFull), "{}", pipe.report());
    assert!(dropped.total() > 10_000, "{}", pipe.report());

    fs::remove_file(ballast).unwrap();
    await_report(&pipe, "on disk again", |report| report.held == 0);
    backend.is_down.store(false, SeqCst);
    assert!(pipe.flush(PATIENCE), "{}", pipe.report());
    let report = pipe.shutdown(PATIENCE);
    assert_eq!(report.delivered, 20_100 - report.dropped.total(), "{report}");
    assert_eq!(backend.received.load(SeqCst), report.delivered, "nothing twice");
}

/// Leaves `n` records on disk, as the backend is away.
fn leave(n: usize, folder: PathBuf) {
    let backend = Backend::default();
    backend.is_down.store(true, SeqCst);
    let pipe = start(&backend, folder);
    push(&pipe, n);
    await_report(&pipe, "on disk", |report| report.spooled == n as u64);
    assert_eq!(pipe.shutdown(Duration::from_millis(50)).spooled, n as u64);
}

/// Delivers what is on disk, and returns how much that was.
fn deliver(folder: PathBuf) -> u64 {
    let backend = Backend::default();
    let pipe = start(&backend, folder);
    await_report(&pipe, "sent", |report| report.spooled + report.held == 0 && is_read(report));
    let report = pipe.shutdown(PATIENCE);
    assert_eq!((report.inherited, report.dropped.total()), (report.delivered, 0), "{report}");
    backend.received.load(SeqCst)
}

fn is_read(report: &QueueReport) -> bool {
    report.spool.as_ref().is_some_and(|spool| spool.backlog_bytes == 0)
}

fn mount(arguments: &[&str]) -> bool {
    Command::new("mount").args(arguments).status().is_ok_and(|status| status.success())
}

#[test]
fn a_disk_that_nobody_may_write_to_is_an_error_of_the_start_and_keeps_what_it_has() {
    let Some(disk) = small_disk(
        "a_disk_that_nobody_may_write_to_is_an_error_of_the_start_and_keeps_what_it_has",
        "1m",
    ) else {
        return;
    };
    leave(100, disk.join("spool"));
    let path = disk.to_str().unwrap();
    assert!(mount(&["-o", "remount,ro", path]));
    for folder in ["spool", "another"] {
        let error = try_start(&Backend::default(), disk.join(folder)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains(&format!("{path}/{folder}")), "{error}");
    }
    assert!(mount(&["-o", "remount,rw", path]));
    assert_eq!(deliver(disk.join("spool")), 100);
}

#[test]
fn a_spool_in_a_lower_layer_is_read_through_the_upper_one_and_once() {
    let Some(disk) =
        small_disk("a_spool_in_a_lower_layer_is_read_through_the_upper_one_and_once", "1m")
    else {
        return;
    };
    // As the image of a container has it, with the layer above that the container writes to.
    let [lower, upper, work, merged] =
        ["lower", "upper", "work", "merged"].map(|name| disk.join(name));
    for folder in [&lower, &upper, &work, &merged] {
        fs::create_dir(folder).unwrap();
    }
    leave(100, lower.join("spool"));
    let layers = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    if !mount(&["-t", "overlay", "overlay", "-o", &layers, merged.to_str().unwrap()]) {
        let _ = writeln!(io::stderr(), "SKIPPED: layers: they cannot be mounted");
        return;
    }
    assert_eq!(deliver(merged.join("spool")), 100);
    leave(30, merged.join("spool"));
    assert_eq!(deliver(merged.join("spool")), 30);
    assert_eq!(deliver(merged.join("spool")), 0);
}
