//! Texts of real machines become figures, each file is read once, and no text makes a panic.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    super::{collector::tests::collected, files::tests::Texts},
    container::Container,
    cpu::{self, Cpu},
    disk::{self, Disk},
    filesystem::{self, FileSystem},
    memory::{self, Memory},
    network::{self, Connections, Interfaces},
};

const STAT: &str = "\
cpu  42261 10 9171 78470 318 5 31 14 7 3
cpu0 21114 0 4253 39657 88 0 4 6 0 0
cpu1 21146 0 4917 38813 230 0 27 8 0 0
intr 327442 0 0 1 1 14
ctxt 457824
btime 1795253684
processes 17845
procs_running 1
procs_blocked 2
softirq 163870 0 28925
";

const MEMINFO: &str = "\
MemTotal:       24684096 kB
MemFree:        21562584 kB
MemAvailable:   24268924 kB
Buffers:            6144 kB
Cached:          2860312 kB
SwapCached:            0 kB
SwapTotal:          4096 kB
SwapFree:           1024 kB
SReclaimable:     134612 kB
";

const VMSTAT: &str = "nr_free_pages 1\npgfault 2370\npgmajfault 18\npswpin 3\npswpout 5\n";

const DISKSTATS: &str = "\
   7       0 loop0 1 0 8 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 254       0 vda 14571 5336 3722626 11885 6035 33175 8350096 36015 0 6176 49081 5994 32 728016 1178 47 1
 254       1 vda1 14000 5336 3722000 11885 6000 33175 8350000 36015 0 6176 49081
 253       0 zram0 9 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
   8       0 sda 0 0 0 0 0 0 0 0 0 0 0
   8      16 sdb 1 2
";

const DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  eth0:56999522    2507    1    2    0     0          0         0   141442    1355    3    4    0     0       0          0
";

const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 553 1
   1: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 554 1
   2: 0100007F:1F90 0100007F:C002 0C 00000000:00000000 00:00000000 00000000     0        0 554 1
   3: 0100007F:1F90 0100007F:C003 FF
   4: broken
";

fn value(found: &BTreeMap<String, f64>, key: &str) -> f64 {
    *found.get(key).unwrap_or_else(|| panic!("no {key} in {found:#?}"))
}

#[test]
fn cpu_times_loads_and_processes_are_those_of_the_text() {
    let files =
        Texts::default().with(cpu::STAT, STAT).with(cpu::LOADAVG, "0.50 0.75 0.44 1/87 1\n");
    let found = collected(&mut Cpu(files.clone())).unwrap();
    assert_eq!(files.reads(), [cpu::STAT, cpu::LOADAVG]);
    for (mode, seconds) in [("user", 422.61), ("nice", 0.1), ("iowait", 3.18), ("steal", 0.14)] {
        assert_eq!(value(&found, &format!("system.cpu.time{{cpu.mode={mode}}}")), seconds);
    }
    for (key, expected) in [
        ("system.cpu.logical.count{}", 2.0),
        ("system.cpu.load_average.1m{}", 0.5),
        ("system.cpu.load_average.15m{}", 0.44),
        ("system.context_switches{}", 457_824.0),
        ("system.process.created{}", 17_845.0),
        ("system.process.count{process.status=running}", 1.0),
        ("system.process.count{process.status=blocked}", 2.0),
    ] {
        assert_eq!(value(&found, key), expected, "{key}");
    }
}

#[test]
fn the_states_of_memory_and_swap_add_up_to_all_of_it() {
    let files = Texts::default().with(memory::MEMINFO, MEMINFO).with(memory::VMSTAT, VMSTAT);
    let found = collected(&mut Memory(files.clone())).unwrap();
    assert_eq!(files.reads(), [memory::MEMINFO, memory::VMSTAT]);
    let state =
        |state: &str| value(&found, &format!("system.memory.usage{{system.memory.state={state}}}"));
    let sum: f64 = ["used", "free", "buffers", "cached"].into_iter().map(state).sum();
    assert_eq!(sum, value(&found, "system.memory.limit{}"));
    assert_eq!(sum, 24_684_096.0 * 1024.0);
    assert_eq!(state("used"), 120_444.0 * 1024.0);
    assert_eq!(value(&found, "system.linux.memory.available{}"), 24_268_924.0 * 1024.0);
    for (key, expected) in [
        ("system.paging.usage{system.paging.state=used}", 3072.0 * 1024.0),
        ("system.paging.operations{system.paging.direction=out}", 5.0),
        ("system.paging.faults{system.paging.fault.type=major}", 18.0),
        ("system.paging.faults{system.paging.fault.type=minor}", 2352.0),
    ] {
        assert_eq!(value(&found, key), expected, "{key}");
    }
}

#[test]
fn whole_disks_that_were_used_are_told() {
    let files = Texts::default().with(disk::DISKSTATS, DISKSTATS);
    let found = collected(&mut Disk(files.clone())).unwrap();
    assert_eq!(files.reads(), [disk::DISKSTATS]);
    assert_eq!(found.len(), 7, "{found:#?}");
    let key = |family: &str, direction: &str| {
        format!("{family}{{disk.io.direction={direction},system.device=vda}}")
    };
    assert_eq!(value(&found, &key("system.disk.io", "read")), 3_722_626.0 * 512.0);
    assert_eq!(value(&found, &key("system.disk.operations", "write")), 6035.0);
    assert_eq!(value(&found, &key("system.disk.operation_time", "write")), 36.015);
    assert_eq!(value(&found, "system.disk.io_time{system.device=vda}"), 6.176);
}

#[test]
fn interfaces_and_connections_are_those_of_the_text() {
    let files = Texts::default().with(network::DEV, DEV).with(network::TCP, TCP);
    let found = collected(&mut Interfaces(files.clone())).unwrap();
    assert_eq!(files.reads(), [network::DEV]);
    let key = |family: &str, direction: &str| {
        let labels = format!("network.interface.name=eth0,network.io.direction={direction}");
        format!("system.network.{family}{{{labels}}}")
    };
    assert_eq!(value(&found, &key("io", "receive")), 56_999_522.0);
    assert_eq!(value(&found, &key("packets", "transmit")), 1355.0);
    assert_eq!(value(&found, &key("errors", "receive")), 1.0);
    assert_eq!(value(&found, &key("dropped", "transmit")), 4.0);

    let found = collected(&mut Connections(files.clone())).unwrap();
    assert_eq!(files.reads(), [network::TCP, network::TCP6]);
    let counted: Vec<_> = found.iter().filter(|(_, count)| **count > 0.0).collect();
    assert_eq!(counted.len(), 3, "{counted:?}");
    let state = |state: &str| {
        let labels = format!("network.connection.state={state},network.transport=tcp");
        value(&found, &format!("system.network.connections{{{labels}}}"))
    };
    assert_eq!((state("listen"), state("established"), state("syn_received")), (1.0, 1.0, 1.0));
}

#[test]
fn a_text_that_is_none_of_its_kind_is_a_failure() {
    let garbage = Texts::default()
        .with(cpu::STAT, "x")
        .with(memory::MEMINFO, "MemTotal: x")
        .with(disk::DISKSTATS, "x y z")
        .with(network::DEV, "one line")
        .with(filesystem::MOUNTS, "x");
    let reasons = [
        collected(&mut Cpu(garbage.clone())).unwrap_err(),
        collected(&mut Memory(garbage.clone())).unwrap_err(),
        collected(&mut Disk(garbage.clone())).unwrap_err(),
        collected(&mut Interfaces(garbage.clone())).unwrap_err(),
        collected(&mut FileSystem::new(garbage.clone())).unwrap_err(),
    ];
    assert!(reasons.iter().all(|failure| failure.reason() == "parse"), "{reasons:?}");
}

/// Every text of a host, as it is and cut, torn and mixed.
fn hostile_text() -> impl Strategy<Value = Vec<u8>> {
    let whole =
        [STAT, MEMINFO, VMSTAT, DISKSTATS, DEV, TCP, "0::/a\n1:cpu:/b\n", "1 1 0:1 /r /p - x"];
    let damaged = (0..whole.len(), any::<prop::sample::Index>(), any::<Vec<u8>>());
    let damaged = damaged.prop_map(move |(text, place, noise)| {
        let mut bytes = whole[text].as_bytes().to_vec();
        let place = place.index(bytes.len());
        let end = (place + noise.len()).min(bytes.len());
        bytes.splice(place..end, noise);
        bytes
    });
    let words = "([0-9:\\-/ ]{0,12}(cpu|memory|\\\\777|18446744073709551615|\n| - )){0,20}";
    prop_oneof![damaged, words.prop_map(String::into_bytes), any::<Vec<u8>>()]
}

proptest! {
    #[test]
    fn no_text_makes_a_panic(texts in prop::collection::vec(hostile_text(), 12)) {
        let paths = [
            cpu::STAT, cpu::LOADAVG, memory::MEMINFO, memory::VMSTAT, disk::DISKSTATS, network::DEV,
            network::TCP, network::TCP6, filesystem::MOUNTS, "/proc/self/cgroup",
            "/proc/self/status", "/proc/self/stat",
        ];
        let files = paths.into_iter().zip(texts);
        let files = files.fold(Texts::default(), |files, (path, text)| files.with(path, text));
        let _ = collected(&mut Cpu(files.clone()));
        let _ = collected(&mut Memory(files.clone()));
        let _ = collected(&mut Disk(files.clone()));
        let _ = collected(&mut FileSystem::new(files.clone()));
        let _ = collected(&mut Interfaces(files.clone()));
        let _ = collected(&mut Connections(files.clone()));
        let _ = collected(&mut Container::new(files));
    }
}
