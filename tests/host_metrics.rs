//! The figures of the process and of the host stand beside those of `/proc`, `ps`, `df` and `nproc`.
//!
//! What the machine lacks is skipped aloud.

#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]

use std::{fs, net::TcpListener, path::Path, process::Command, time::Duration};

use bellwether::{
    clock::{self, Timestamp},
    collect::{self, Registered, Source},
    export::prometheus::{Format, render},
    metric::{Registry, Snapshot},
    resource::Resource,
};

/// Whether the machine tells its figures in `/proc`.
fn has_proc() -> bool {
    let has = cfg!(target_os = "linux") && Path::new("/proc/self/stat").exists();
    if !has {
        eprintln!("SKIPPED: host figures: no /proc");
    }
    has
}

/// What a command prints, if the machine has it.
fn printed(command: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(command).env("LC_ALL", "C").args(arguments).output() {
        Ok(output) if output.status.success() => Some(String::from_utf8(output.stdout).unwrap()),
        _ => {
            eprintln!("SKIPPED: figures beside those of {command}: it is not there or fails");
            None
        }
    }
}

fn registered(sources: impl IntoIterator<Item = Source>) -> (Registry, Vec<Registered>) {
    let registry = Registry::new();
    let sources = sources.into_iter().map(|source| source.register(&registry).unwrap());
    let registered = sources.collect();
    (registry, registered)
}

/// A snapshot with the connections, which a thread of their own reads.
fn with_connections(registry: &Registry) -> Snapshot {
    let start = clock::now();
    loop {
        let snapshot = registry.snapshot();
        let source = [("source", "host.connections")];
        // The count may be there, as zero, before the reading that it counts has ended.
        let n_readings = snapshot.value("telemetry.source.readings", &source);
        if n_readings.is_some_and(|n| n.as_f64() > 0.0) {
            return registry.snapshot();
        }
        assert!(clock::now().seconds_since(start) < 20.0, "the connections are not read");
        std::thread::yield_now();
    }
}

fn value(snapshot: &Snapshot, name: &str, labels: &[(&str, &str)]) -> f64 {
    let found = snapshot.value(name, labels).map(|value| value.as_f64());
    found.unwrap_or_else(|| panic!("no {name} {labels:?}"))
}

fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, not {expected}");
}

fn kibibytes(path: &str, key: &str) -> f64 {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    let number: f64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap();
    number * 1024.0
}

const MIB: f64 = 1024.0 * 1024.0;

#[test]
fn the_page_has_the_names_of_prometheus_client_libraries() {
    if !has_proc() {
        return;
    }
    let (registry, _registered) = registered([collect::process()]);
    let page = render(&registry.snapshot(), &Resource::service("test"), Format::Text);
    let page = String::from_utf8(page).expect("text");
    for (name, kind) in [
        ("process_cpu_seconds_total", "counter"),
        ("process_open_fds", "gauge"),
        ("process_max_fds", "gauge"),
        ("process_virtual_memory_bytes", "gauge"),
        ("process_virtual_memory_max_bytes", "gauge"),
        ("process_resident_memory_bytes", "gauge"),
        ("process_start_time_seconds", "gauge"),
        ("process_threads", "gauge"),
    ] {
        assert!(page.contains(&format!("# TYPE {name} {kind}\n")), "{name}: {page}");
        assert_eq!(page.matches(&format!("\n{name} ")).count(), 1, "{name}: {page}");
    }
    assert!(!page.contains("telemetry_source_failures_total{"), "{page}");
}

#[test]
fn the_process_is_as_proc_and_ps_have_it() {
    if !has_proc() {
        return;
    }
    // Something to tell: CPU time beyond the rounding, and open descriptors.
    let on_cpu = || {
        let schedule = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        schedule.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
    };
    let start = clock::now();
    while on_cpu() < 1.2 && clock::now().seconds_since(start) < 60.0 {}
    let _open: Vec<_> = (0..5).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let (registry, _registered) = registered([collect::process()]);
    let snapshot = registry.snapshot();
    let value = |name: &str| value(&snapshot, name, &[]);

    // Tests on other threads open and allocate meanwhile.
    let n_open = fs::read_dir("/proc/self/fd").unwrap().count() as f64 - 1.0;
    near(value("process.open_fds"), n_open, 20.0, "open descriptors");
    assert!(value("process.open_fds") >= 8.0);
    let resident = kibibytes("/proc/self/status", "VmRSS");
    near(value("process.resident_memory"), resident, 8.0 * MIB, "resident memory");
    let now = Timestamp::now().unix_nanos() as f64 / 1e9;
    let started = value("process.start_time");
    assert!(started < now && started > now - 3600.0, "started at {started}, now is {now}");

    let pid = std::process::id().to_string();
    let Some(line) = printed("ps", &["-o", "rss=,vsz=,nlwp=,times=,etimes=", "-p", &pid]) else {
        return;
    };
    let columns: Vec<f64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [resident, virtual_memory, threads, cpu, elapsed] = columns[..] else { panic!("{line}") };
    near(value("process.resident_memory"), resident * 1024.0, 8.0 * MIB, "ps rss");
    near(value("process.virtual_memory"), virtual_memory * 1024.0, 256.0 * MIB, "ps vsz");
    near(value("process.threads"), threads, 16.0, "ps nlwp");
    near(value("process.cpu"), cpu, 2.0, "ps times");
    assert!(value("process.cpu") >= 1.0);
    near(now - started, elapsed, 2.0, "ps etimes");
}

#[test]
fn limits_are_those_of_the_shell_that_set_them() {
    if !has_proc() {
        return;
    }
    let (registry, _registered) = registered([collect::process()]);
    let snapshot = registry.snapshot();
    for (name, option, unit) in
        [("process.max_fds", "-n", 1.0), ("process.virtual_memory_max", "-v", 1024.0)]
    {
        // A child has its parent's limits.
        let Some(text) = printed("sh", &["-c", &format!("ulimit {option}")]) else { return };
        let expected = match text.trim() {
            "unlimited" => u64::MAX as f64,
            number => number.parse::<f64>().unwrap() * unit,
        };
        assert_eq!(value(&snapshot, name, &[]), expected, "{name}");
    }
}

#[test]
fn cpu_and_memory_are_as_proc_has_them() {
    if !has_proc() {
        return;
    }
    let (registry, _registered) = registered(collect::host());
    let snapshot = registry.snapshot();

    let stat = fs::read_to_string("/proc/stat").unwrap();
    let ticks: Vec<f64> = stat
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .skip(1)
        .map(|n| n.parse().unwrap())
        .collect();
    for (mode, ticks) in ["user", "nice", "system", "idle"].into_iter().zip(ticks) {
        let seconds = value(&snapshot, "system.cpu.time", &[("cpu.mode", mode)]);
        near(seconds, ticks / 100.0, 5.0, mode);
    }
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    let load: f64 = load.split(' ').next().unwrap().parse().unwrap();
    near(value(&snapshot, "system.cpu.load_average.1m", &[]), load, 2.0, "load");
    let total = kibibytes("/proc/meminfo", "MemTotal");
    assert_eq!(value(&snapshot, "system.memory.limit", &[]), total);
    let states = ["used", "free", "buffers", "cached"];
    let state = |state| value(&snapshot, "system.memory.usage", &[("system.memory.state", state)]);
    near(states.into_iter().map(state).sum(), total, 1.0, "all states");
    let available = kibibytes("/proc/meminfo", "MemAvailable");
    near(
        value(&snapshot, "system.linux.memory.available", &[]),
        available,
        512.0 * MIB,
        "available",
    );

    if let Some(free) = printed("free", &["-b"]) {
        let line = free.lines().find(|line| line.starts_with("Mem:")).unwrap();
        let free_total: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert_eq!(value(&snapshot, "system.memory.limit", &[]), free_total);
    }
    if let Some(cpus) = printed("nproc", &["--all"]) {
        let cpus: f64 = cpus.trim().parse().unwrap();
        assert_eq!(value(&snapshot, "system.cpu.logical.count", &[]), cpus);
    }
}

#[test]
fn the_cpus_that_may_be_used_are_no_more_than_the_standard_library_finds() {
    if !has_proc() {
        return;
    }
    let (registry, _registered) = registered(collect::host());
    let available = value(&registry.snapshot(), "container.cpu.available", &[]);
    // The standard library knows the quota and the affinity too, and rounds the quota down.
    let expected = std::thread::available_parallelism().unwrap().get() as f64;
    assert!(available.floor().max(1.0) == expected, "{available}, not {expected}");
}

#[test]
fn disks_and_file_systems_are_as_proc_and_df_have_them() {
    if !has_proc() {
        return;
    }
    let (registry, _registered) = registered(collect::host());
    let snapshot = registry.snapshot();

    let text = fs::read_to_string("/proc/diskstats").unwrap();
    for series in snapshot.family("system.disk.io").map_or(&[][..], |family| family.series()) {
        let labels = series.labels().to_string();
        let columns = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let device = columns.into_iter().find(|c| labels.contains(&format!("\"{}\"", c[2])));
        let column = if labels.contains("\"read\"") { 5 } else { 9 };
        let sectors: f64 = device.unwrap()[column].parse().unwrap();
        near(series.value().as_f64(), sectors * 512.0, 512.0 * MIB, &labels);
    }

    let Some(df) = printed("df", &["-P", "-B1", "/"]) else { return };
    let columns: Vec<&str> = df.lines().nth(1).unwrap().split_whitespace().collect();
    let (total, used): (f64, f64) = (columns[1].parse().unwrap(), columns[2].parse().unwrap());
    let of_root = |name: &str, state: Option<&str>| {
        let series = snapshot.family(name).unwrap().series().iter();
        let found = series.filter(|series| {
            let labels = series.labels().to_string();
            let is_of = |text: &str| labels.contains(&format!("=\"{text}\""));
            is_of("/") && state.is_none_or(is_of)
        });
        found.map(|series| series.value().as_f64()).next()
    };
    // A root over a network or of a kind unknown here is left out.
    let Some(found) = of_root("system.filesystem.limit", None) else {
        eprintln!("SKIPPED: figures beside those of df: the root is on {}", columns[0]);
        return;
    };
    assert_eq!(found, total);
    let found = of_root("system.filesystem.usage", Some("used")).unwrap();
    near(found, used, 1024.0 * MIB, "df used");
}

#[test]
fn the_network_is_as_proc_has_it() {
    if !has_proc() {
        return;
    }
    let _listening: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let (registry, _registered) = registered(collect::host());
    let snapshot = with_connections(&registry);
    let text = fs::read_to_string("/proc/net/dev").unwrap();
    for line in text.lines().skip(2) {
        let (name, counts) = line.split_once(':').unwrap();
        let counts: Vec<f64> = counts.split_whitespace().map(|n| n.parse().unwrap()).collect();
        let io = |direction| {
            let interface = ("network.interface.name", name.trim());
            value(&snapshot, "system.network.io", &[interface, ("network.io.direction", direction)])
        };
        near(io("receive"), counts[0], 64.0 * MIB, name);
        near(io("transmit"), counts[8], 64.0 * MIB, name);
    }
    let state = [("network.transport", "tcp"), ("network.connection.state", "listen")];
    assert!(value(&snapshot, "system.network.connections", &state) >= 3.0);
}

#[test]
fn no_source_of_this_host_fails_and_each_is_read_once_for_all_its_families() {
    if !has_proc() {
        return;
    }
    let sources = collect::host().into_iter().chain([collect::process()]);
    let sources = sources.map(|source| source.cached_for(Duration::from_secs(3600)));
    let (registry, registered) = registered(sources);
    (0..3).for_each(|_| drop(registry.snapshot()));
    let snapshot = with_connections(&registry);
    let readings = snapshot.family("telemetry.source.readings").unwrap();
    assert_eq!(readings.series().len(), registered.len());
    for series in readings.series() {
        assert_eq!(series.value().as_f64(), 1.0, "{}", series.labels());
    }
    let failures = snapshot.family("telemetry.source.failures").map_or(0, |f| f.series().len());
    assert_eq!(failures, 0, "{:#?}", snapshot.family("telemetry.source.failures"));
}

// The only test that starts telemetry, of which a process has one.
#[test]
fn telemetry_has_the_figures_from_start_to_shutdown() {
    if !has_proc() {
        return;
    }
    let telemetry = bellwether::builder("test").process_metrics().host_metrics().start().unwrap();
    let snapshot = telemetry.snapshot();
    assert!(value(&snapshot, "process.resident_memory", &[]) > 0.0);
    assert!(value(&snapshot, "system.memory.limit", &[]) > 0.0);
    telemetry.shutdown(Duration::from_secs(20));
    assert!(telemetry.snapshot().family("process.resident_memory").is_none());
    assert!(telemetry.snapshot().family("system.memory.limit").is_none());
}
