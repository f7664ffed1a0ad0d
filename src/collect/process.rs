//! The process itself, under the names of Prometheus' client libraries.

use std::{fs, io};

use super::{
    collector::{Collector, Description, Failure, Reading},
    files::{Files, System, TICKS_PER_SECOND, field, kibibytes, text, unreadable},
    source::Source,
};
use crate::metric::Unit;

/// The figures of this process, under the names of Prometheus' client libraries on a page:
/// `process_cpu_seconds_total`, `process_open_fds`, `process_max_fds`, `process_virtual_memory_bytes`,
/// `process_virtual_memory_max_bytes`, `process_resident_memory_bytes`, `process_start_time_seconds`
/// and `process_threads`.
///
/// On Linux they are read from `/proc/self`; elsewhere the source has no families. A limit that is not
/// set is 2^64 - 1, as in those libraries.
///
/// What to alert on: open descriptors near their maximum, resident memory that only grows, a start time
/// that changes often.
///
/// # Examples
///
/// ```
/// use bellwether::{collect, metric::Registry};
///
/// let registry = Registry::new();
/// let _process = collect::process().register(&registry)?;
/// if cfg!(target_os = "linux") {
///     let snapshot = registry.snapshot();
///     assert!(snapshot.value("process.resident_memory", &[]).unwrap().as_f64() > 0.0);
/// }
/// # Ok::<(), bellwether::Error>(())
/// ```
pub fn process() -> Source {
    Source::new("process", Process::new(System))
}

struct Process<F> {
    files: F,
    descriptors: fn() -> io::Result<u64>,
    /// In seconds since the epoch. Kept, because it does not change, but the clock that it is computed
    /// from may.
    started: Option<f64>,
}

impl<F: Files> Process<F> {
    fn new(files: F) -> Self {
        Self { files, descriptors, started: None }
    }

    /// Boot time plus the process's start since boot.
    fn started(&mut self, stat: &Stat) -> Result<f64, Failure> {
        if let Some(started) = self.started {
            return Ok(started);
        }
        let boot = field(&text(&self.files, BOOT)?, "btime").ok_or_else(|| unreadable(BOOT))?;
        let started = boot as f64 + stat.start_ticks as f64 / TICKS_PER_SECOND;
        Ok(*self.started.insert(started))
    }
}

impl<F: Files + 'static> Collector for Process<F> {
    fn families(&self) -> Vec<Description> {
        let gauge = Description::gauge;
        vec![
            Description::counter(CPU, "User and system CPU time spent", Unit::Seconds),
            gauge(OPEN_FDS, "Open file descriptors", Unit::NONE),
            gauge(MAX_FDS, "File descriptors that may be open", Unit::NONE),
            gauge(VIRTUAL, "Virtual memory", Unit::Bytes),
            gauge(VIRTUAL_MAX, "Virtual memory that may be had", Unit::Bytes),
            gauge(RESIDENT, "Resident memory", Unit::Bytes),
            gauge(START_TIME, "Start of the process since the Unix epoch", Unit::Seconds),
            gauge(THREADS, "Threads of the operating system", Unit::NONE),
        ]
    }

    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
        let stat = text(&self.files, STAT)?;
        let stat = Stat::parse(&stat).ok_or_else(|| unreadable(STAT))?;
        to.observe(CPU, stat.cpu_ticks as f64 / TICKS_PER_SECOND, &[]);
        to.observe(THREADS, stat.n_threads as f64, &[]);
        match self.started(&stat) {
            Ok(started) => to.observe(START_TIME, started, &[]),
            Err(failure) => to.fail(START_TIME, failure),
        }

        // Converted by the kernel, because a page may have 4, 16 or 64 KiB.
        let status = text(&self.files, STATUS)?;
        for (family, key) in [(VIRTUAL, "VmSize"), (RESIDENT, "VmRSS")] {
            match kibibytes(&status, key) {
                Some(bytes) => to.observe(family, bytes, &[]),
                None => to.fail(family, unreadable(STATUS)),
            }
        }

        let limits = text(&self.files, LIMITS)?;
        for (family, key) in [(MAX_FDS, "Max open files"), (VIRTUAL_MAX, "Max address space")] {
            match soft_limit(&limits, key) {
                Some(limit) => to.observe(family, limit as f64, &[]),
                None => to.fail(family, unreadable(LIMITS)),
            }
        }
        match (self.descriptors)() {
            Ok(n_open) => to.observe(OPEN_FDS, n_open as f64, &[]),
            Err(error) => to.fail(OPEN_FDS, error.into()),
        }
        Ok(())
    }
}

/// The fields of `/proc/self/stat` that are used.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: u64,
    n_threads: u64,
    start_ticks: u64, // Since boot.
}

impl Stat {
    /// The fields by their numbers in proc(5). The second, the program's name in parentheses, may
    /// contain anything, including parentheses and spaces.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |place: usize| fields.get(place - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: number(14)?.saturating_add(number(15)?),
            n_threads: number(20)?,
            start_ticks: number(22)?,
        })
    }
}

/// How many file descriptors the process has open.
fn descriptors() -> io::Result<u64> {
    // Linux 6.2 and later have the number as the size of the folder.
    match fs::metadata(DESCRIPTORS)?.len() {
        // One of the entries is the folder itself, which is open for reading.
        0 => Ok((fs::read_dir(DESCRIPTORS)?.count() as u64).saturating_sub(1)),
        size => Ok(size),
    }
}

/// The soft limit on the line that starts with `key`.
fn soft_limit(limits: &str, key: &str) -> Option<u64> {
    let rest = limits.lines().find_map(|line| line.strip_prefix(key))?;
    match rest.split_ascii_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

const STAT: &str = "/proc/self/stat";
const STATUS: &str = "/proc/self/status";
const LIMITS: &str = "/proc/self/limits";
const DESCRIPTORS: &str = "/proc/self/fd";
const BOOT: &str = "/proc/stat";

const CPU: &str = "process.cpu";
const OPEN_FDS: &str = "process.open_fds";
const MAX_FDS: &str = "process.max_fds";
const VIRTUAL: &str = "process.virtual_memory";
const VIRTUAL_MAX: &str = "process.virtual_memory_max";
const RESIDENT: &str = "process.resident_memory";
const START_TIME: &str = "process.start_time";
const THREADS: &str = "process.threads";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::files::tests::Texts;

    const STAT_TEXT: &str = "4242 (a ) (b R) S 1 4242 4242 0 -1 4194304 103 0 0 0 250 75 0 0 20 0 \
        7 0 65434 2998272 423 18446744073709551615 1 2 3 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n";
    const LIMITS_TEXT: &str = "\
Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max open files            20000                1048576              files     
Max address space         unlimited            unlimited            bytes     
";

    fn texts() -> Texts {
        Texts::default()
            .with(STAT, STAT_TEXT)
            .with(STATUS, "Name:\tx\nVmSize:\t    3060 kB\nVmRSS:\t    1688 kB\nThreads:\t7\n")
            .with(LIMITS, LIMITS_TEXT)
            .with(BOOT, "cpu  1 2\nintr 1 2\nbtime 1795253684\n")
    }

    #[test]
    fn the_texts_of_a_process_become_its_figures() {
        let mut process = Process { descriptors: || Ok(3), ..Process::new(texts()) };
        let found = crate::collect::collector::tests::collected(&mut process).unwrap();
        let value = |name: &str| found[&format!("{name}{{}}")];
        assert_eq!(value(CPU), 3.25);
        assert_eq!(value(THREADS), 7.0);
        assert_eq!(value(START_TIME), 1_795_253_684.0 + 654.34);
        assert_eq!((value(VIRTUAL), value(RESIDENT)), (3060.0 * 1024.0, 1688.0 * 1024.0));
        assert_eq!((value(OPEN_FDS), value(MAX_FDS)), (3.0, 20_000.0));
        assert_eq!(value(VIRTUAL_MAX), u64::MAX as f64);
    }

    #[test]
    fn each_file_is_read_once_and_the_boot_time_only_at_first() {
        let files = texts();
        let mut process = Process::new(files.clone());
        crate::collect::collector::tests::collected(&mut process).unwrap();
        assert_eq!(files.reads(), [STAT, BOOT, STATUS, LIMITS]);
        crate::collect::collector::tests::collected(&mut process).unwrap();
        assert_eq!(files.reads(), [STAT, STATUS, LIMITS]);
    }

    #[test]
    fn what_is_missing_in_a_text_costs_its_family_alone() {
        let files = texts().with(STATUS, "VmSize: x kB").with(LIMITS, "Max open files  \n");
        let found = crate::collect::collector::tests::collected(&mut Process::new(files)).unwrap();
        assert_eq!(found["process.threads{}"], 7.0);
        for family in [VIRTUAL, RESIDENT, MAX_FDS, VIRTUAL_MAX] {
            assert_eq!(found[&format!("{family} failed: parse")], 1.0, "{family}");
        }
    }

    #[test]
    fn a_hostile_stat_is_a_failure() {
        for hostile in
            ["", ")", "1 (x", "1 (x) R", "1 (x) R 1 1 1 1 1 1 1 1 1 1 1 y 1 1 1 1 1 1 1 1"]
        {
            let files = texts().with(STAT, hostile);
            let failure =
                crate::collect::collector::tests::collected(&mut Process::new(files)).unwrap_err();
            assert_eq!(failure.reason(), "parse", "{hostile:?}");
        }
    }
}
